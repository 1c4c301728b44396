"""Differentiation, by machine: every method of the book, ready for work."""

from autodiff_tutorial import (
    checks,
    custom_rules,
    devices,
    exercises,
    finite_differences,
    forward_mode,
    higher_order,
    implicit,
    linear_maps,
    primitives,
    reverse_mode,
    sampled_data,
    solvers,
    sparse,
    symbolic,
)

__all__ = [
    "checks",
    "custom_rules",
    "devices",
    "exercises",
    "finite_differences",
    "forward_mode",
    "higher_order",
    "implicit",
    "linear_maps",
    "primitives",
    "reverse_mode",
    "sampled_data",
    "solvers",
    "sparse",
    "symbolic",
]
