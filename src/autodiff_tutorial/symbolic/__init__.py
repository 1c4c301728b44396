"""Derivatives of expressions: SymPy differentiates, NumPy, JAX or PyTorch evaluates.

From a Python function to an expression (`trace`), from an expression to its derivatives, from either to a fast
function (`compile`), and the two uses in which symbols are hard to beat: mechanics and dynamical systems.
"""

from autodiff_tutorial.symbolic.calculus import gradient, hessian, jacobian, jacobian_wrt_functions
from autodiff_tutorial.symbolic.compilation import compile, operation_count
from autodiff_tutorial.symbolic.mechanics import euler_lagrange, first_order_system
from autodiff_tutorial.symbolic.tracing import trace
from autodiff_tutorial.symbolic.vector_fields import Equilibrium, equilibria, lie_derivative

__all__ = [
    "Equilibrium",
    "compile",
    "equilibria",
    "euler_lagrange",
    "first_order_system",
    "gradient",
    "hessian",
    "jacobian",
    "jacobian_wrt_functions",
    "lie_derivative",
    "operation_count",
    "trace",
]
