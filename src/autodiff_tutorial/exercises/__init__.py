"""The readers' exercises: `check` judges an attempt, and says what went wrong."""

from autodiff_tutorial.exercises import (
    finite_differences,
    forward_mode,
    forward_mode_second,
    frameworks,
    frameworks_branches,
    frameworks_keys,
    higher_order,
    higher_order_products,
    higher_order_series,
    linear_maps,
    reverse_mode,
    reverse_mode_rules,
    sampled_data,
    sparse,
    sparse_colors,
    symbolic,
    symbolic_motion,
)
from autodiff_tutorial.exercises.judge import check

__all__ = [
    "check",
    "finite_differences",
    "forward_mode",
    "forward_mode_second",
    "frameworks",
    "frameworks_branches",
    "frameworks_keys",
    "higher_order",
    "higher_order_products",
    "higher_order_series",
    "linear_maps",
    "reverse_mode",
    "reverse_mode_rules",
    "sampled_data",
    "sparse",
    "sparse_colors",
    "symbolic",
    "symbolic_motion",
]
