"""Derivatives that are given and not found: of matrix functions, of rounding, and where a formula breaks down.

Knows JAX only. Every function has its rules for both modes, and can be differentiated again.
"""

from autodiff_tutorial.custom_rules.matrices import inv, solve
from autodiff_tutorial.custom_rules.matrix_functions import matrix_function
from autodiff_tutorial.custom_rules.roots import logm, sqrtm
from autodiff_tutorial.custom_rules.rounding import linear_round, smooth, soft_round, straight_through
from autodiff_tutorial.custom_rules.stable import log1pexp, safe_norm

__all__ = [
    "inv",
    "linear_round",
    "log1pexp",
    "logm",
    "matrix_function",
    "safe_norm",
    "smooth",
    "soft_round",
    "solve",
    "sqrtm",
    "straight_through",
]
