"""Differentiation, by machine: every method of the book, ready for work."""

from autodiff_tutorial import (
    checks,
    devices,
    exercises,
    finite_differences,
    forward_mode,
    higher_order,
    linear_maps,
    primitives,
    reverse_mode,
    sampled_data,
    sparse,
    symbolic,
)

__all__ = [
    "checks",
    "devices",
    "exercises",
    "finite_differences",
    "forward_mode",
    "higher_order",
    "linear_maps",
    "primitives",
    "reverse_mode",
    "sampled_data",
    "sparse",
    "symbolic",
]
