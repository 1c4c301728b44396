"""Differentiation, by machine: every method of the book, ready for work."""

from autodiff_tutorial import finite_differences

__all__ = ["finite_differences"]
