"""The readers' exercises: `check` judges an attempt, and says what went wrong."""

from autodiff_tutorial.exercises import finite_differences, sampled_data, symbolic, symbolic_motion
from autodiff_tutorial.exercises.judge import check

__all__ = ["check", "finite_differences", "sampled_data", "symbolic", "symbolic_motion"]
