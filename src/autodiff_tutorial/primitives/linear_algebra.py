"""Products of matrices and solutions of linear systems, of every rank that NumPy allows."""

import operator
from typing import Any

import numpy as np

from autodiff_tutorial.primitives.arrays import reshape, sum_like, swapaxes
from autodiff_tutorial.primitives.rules import define
from autodiff_tutorial.primitives.tracing import NUMPY, shape_of, xp


def _matrices(y_bar, a, b):
    """Return y_bar, a and b of y = a @ b with the axis that a vector lacks: a row for a, a column for b."""
    shape = shape_of(y_bar)
    if len(shape_of(a)) == 1:
        return reshape(y_bar, (*shape[:-1], 1, shape[-1])), reshape(a, (1, -1)), b
    if len(shape_of(b)) == 1:
        return reshape(y_bar, (*shape, 1)), a, reshape(b, (-1, 1))
    return y_bar, a, b


def _left(y_bar, y, a, b):
    # a_bar = y_bar b^T, added up over the stack that a was spread over.
    if len(shape_of(a)) == len(shape_of(b)) == 1:
        return y_bar * b
    matrix_bar, matrix, b = _matrices(y_bar, a, b)
    return reshape(sum_like(matrix_bar @ swapaxes(b, -1, -2), matrix), shape_of(a))


def _right(y_bar, y, a, b):
    # b_bar = a^T y_bar, written as (y_bar^T a)^T, which XLA computes faster where y_bar has few columns.
    if len(shape_of(a)) == len(shape_of(b)) == 1:
        return y_bar * a
    matrix_bar, a, matrix = _matrices(y_bar, a, b)
    return reshape(sum_like(swapaxes(swapaxes(matrix_bar, -1, -2) @ a, -1, -2), matrix), shape_of(b))


matmul = define(
    "matmul",
    operator.matmul,
    jvp=(lambda a_dot, y, a, b: a_dot @ b, lambda b_dot, y, a, b: a @ b_dot),
    vjp=(_left, _right),
    numpy=np.matmul,
)


def dot(a: Any, b: Any) -> Any:
    """Return the product of two vectors or matrices."""
    if not 1 <= len(shape_of(a)) <= 2 or not 1 <= len(shape_of(b)) <= 2:
        raise ValueError(
            f"`primitives.dot(a, b)` should be given vectors or matrices. Got shapes {shape_of(a)} and {shape_of(b)}. "
            "Use * for numbers, and matmul for stacks of matrices."
        )
    return matmul(a, b)


solve_columns = define(
    "solve",
    lambda a, b: xp(a, b).linalg.solve(a, b),
    jvp=(lambda a_dot, x, a, b: -solve(a, a_dot @ x), lambda b_dot, x, a, b: solve(a, b_dot)),
    vjp=(
        lambda x_bar, x, a, b: sum_like(-solve(swapaxes(a, -1, -2), x_bar) @ swapaxes(x, -1, -2), a),
        lambda x_bar, x, a, b: sum_like(solve(swapaxes(a, -1, -2), x_bar), b),
    ),
)


def solve(a: Any, b: Any) -> Any:
    """Return x with a @ x = b, where b is one vector, or a matrix (or a stack of them) of right-hand sides."""
    if len(shape_of(b)) > 1:
        return solve_columns(a, b)
    x = solve_columns(a, reshape(b, (-1, 1)))
    return reshape(x, shape_of(x)[:-1])


NUMPY |= {np.dot: dot, np.linalg.solve: solve}
