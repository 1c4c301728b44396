"""Solutions of equations with their derivatives, by the implicit function theorem: one linear system, any solver.

Knows nothing of how a solver gets there, and never differentiates its steps.
"""

from autodiff_tutorial.implicit.solutions import argmin, fixed_point, root

__all__ = ["argmin", "fixed_point", "root"]
