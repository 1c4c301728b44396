"""Iterations that solve equations, as plain JAX loops; they know nothing of the derivatives of what they return.

Each runs under `jax.jit`, on any device, and under `jax.vmap`, where rows that have arrived wait for the others.
"""

from autodiff_tutorial.solvers.bisection import bisection
from autodiff_tutorial.solvers.fixed_points import anderson, picard
from autodiff_tutorial.solvers.linear_systems import solve_linear
from autodiff_tutorial.solvers.newton import newton, newton_cg
from autodiff_tutorial.solvers.problems import Solution

__all__ = ["Solution", "anderson", "bisection", "newton", "newton_cg", "picard", "solve_linear"]
