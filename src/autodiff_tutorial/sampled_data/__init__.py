"""Derivatives of arrays on any grid.

Differences of any order and accuracy, one-sided at the ends; spectral derivatives of periodic samples; local least
squares for noisy ones; and the places where a curve bends the other way. NumPy in, NumPy out; JAX in, JAX out.
"""

from autodiff_tutorial.sampled_data.derivatives import derivative, spectral_derivative
from autodiff_tutorial.sampled_data.inflections import inflection_points
from autodiff_tutorial.sampled_data.smoothing import smooth_derivative

__all__ = ["derivative", "inflection_points", "smooth_derivative", "spectral_derivative"]
