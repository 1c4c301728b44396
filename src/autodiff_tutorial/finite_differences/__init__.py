"""Derivatives of black boxes from their values alone.

Forward, backward and central differences of any accuracy, Richardson extrapolation and the complex step; the
stencil weights on any points; and the step that balances truncation against roundoff. The functions that are
differentiated stay closed: they are called, never looked into.
"""

from autodiff_tutorial.finite_differences.differences import Estimate, derivative, hessian, jacobian, jvp
from autodiff_tutorial.finite_differences.stencils import Scheme, optimal_step, weights

__all__ = ["Estimate", "Scheme", "derivative", "hessian", "jacobian", "jvp", "optimal_step", "weights"]
