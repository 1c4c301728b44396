"""Derivatives of derivatives: Hessian-vector products, mixed partials, Jacobians in any mode, and Taylor series.

Products and Jacobians combine JAX's own `jvp` and `vjp`. Series have an arithmetic of their own, over the rules of
`primitives`; it knows nothing of JAX's differentiation.
"""

from autodiff_tutorial.higher_order.expansions import ode_taylor, taylor
from autodiff_tutorial.higher_order.jacobians import jacobian
from autodiff_tutorial.higher_order.products import MixedPartial, hvp, mixed_partial
from autodiff_tutorial.higher_order.series import Series

__all__ = ["MixedPartial", "Series", "hvp", "jacobian", "mixed_partial", "ode_taylor", "taylor"]
