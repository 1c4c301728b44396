"""Colors of the columns and rows of a sparse matrix, and where each entry can be read from products with colors."""

import dataclasses
from typing import Any

import jax
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from autodiff_tutorial.linear_maps.checking import first_line


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Coloring:
    """Colors of the columns and rows of a pattern, and where each entry is read.

    It comes from `sparse.color` or `from_colors`, and is a pytree: pass it through `jax.jit` as an argument.

    Attributes
    ----------
    rows, cols : arrays of int32, shape (nnz,)
        The places of the entries, in the order of rows.
    column_colors : array of int32, shape (n,)
        The color of each column, counted from 0; -1 for a column without one.
    row_colors : array of int32, shape (m,)
        The same for rows.
    color, position : arrays of int32, shape (nnz,)
        Entry k is component ``position[k]`` of the product with color ``color[k]``; colors of rows count on after
        those of columns.
    shape : (int, int)
        (m, n).
    num_column_colors, num_row_colors : int
        How many products with columns, and with rows.
    symmetric : bool
        Whether an entry (i, j) may be read as (j, i).
    """

    rows: Any
    cols: Any
    column_colors: Any
    row_colors: Any
    color: Any
    position: Any
    shape: tuple[int, int]
    num_column_colors: int
    num_row_colors: int
    symmetric: bool

    @property
    def num_colors(self) -> int:
        """How many products recover the matrix."""
        return self.num_column_colors + self.num_row_colors

    def __repr__(self):
        kinds = [
            f"{count} of {name}"
            for name, count in (("columns", self.num_column_colors), ("rows", self.num_row_colors))
            if count
        ]
        return f"Coloring of {self.shape[0]} x {self.shape[1]}: colors, {' and '.join(kinds) or 'none'}"


jax.tree_util.register_dataclass(
    Coloring,
    data_fields=["rows", "cols", "column_colors", "row_colors", "color", "position"],
    meta_fields=["shape", "num_column_colors", "num_row_colors", "symmetric"],
)


def from_colors(
    pattern: Any,
    *,
    column_colors: ArrayLike | None = None,
    row_colors: ArrayLike | None = None,
    symmetric: bool = False,
) -> Coloring:
    """Make a coloring of colors that you have, and check that every entry can be read.

    Parameters
    ----------
    pattern : scipy.sparse array or matrix, or array_like, shape (m, n)
        Whatever is not zero is an entry.
    column_colors : array_like of int, shape (n,), optional
        The color of each column, -1 for none. Any integers from 0 on: colors are numbered anew.
    row_colors : array_like of int, shape (m,), optional
        The same for rows.
    symmetric : bool
        Whether an entry (i, j) may be read as (j, i), in a symmetric pattern.

    Returns
    -------
    Coloring

    Raises
    ------
    TypeError, ValueError
        As `color`, or if colors are not integers, or not one each, or leave an entry that cannot be read.

    Examples
    --------
    >>> from_colors(np.eye(4), column_colors=[7, 7, 7, 7])
    Coloring of 4 x 4: colors, 1 of columns
    """
    P = checked_pattern("from_colors", pattern)
    columns = _checked_colors("column_colors", column_colors, P.shape[1], "columns")
    rows = _checked_colors("row_colors", row_colors, P.shape[0], "rows")
    if symmetric:
        check_symmetric("from_colors", P)
        if rows is not None:
            raise ValueError(
                "`sparse.from_colors(row_colors=...)` should be left out for a symmetric coloring, which reads columns "
                "as rows. Got colors."
            )
    given = np.asarray(column_colors), np.asarray(row_colors)
    return assembled(P, columns, rows, symmetric=symmetric, given=given)


def assembled(P, columns, rows, symmetric=False, given=(None, None)):
    """Decide where each entry is read, leave out colors that none is read from, and number the others from 0."""
    m, n = P.shape
    i, j = np.repeat(np.arange(m, dtype=np.int32), np.diff(P.indptr)), P.indices.astype(np.int32, copy=False)
    color, position = np.full(len(i), -1, np.int32), i
    if columns is not None:
        alone = alone_in_line(i, columns[j], m)
        color = np.where(alone, columns[j], color)
        if symmetric and not alone.all():
            # In a symmetric pattern, sorting by columns puts (j, i) where (i, j) was.
            mirror = np.argsort(j, kind="stable")
            other = ~alone & alone[mirror]
            color, position = np.where(other, columns[i], color), np.where(other, j, i)
    first_row_color = 0 if columns is None else int(columns.max(initial=-1)) + 1
    if rows is not None:
        by_row = (color < 0) & alone_in_line(j, rows[i], n)
        color = np.where(by_row, rows[i] + first_row_color, color)
        position = j if by_row.all() else np.where(by_row, j, position)
    if len(color) and color.min() < 0:
        _explain(int(np.argmin(color)), i, j, columns, rows, symmetric, given)
    used = np.flatnonzero(np.bincount(color))
    count = int(np.searchsorted(used, first_row_color))
    if len(used) != (used[-1] + 1 if len(used) else 0):
        color = np.searchsorted(used, color).astype(np.int32)
    number = np.full(first_row_color + (0 if rows is None else int(rows.max(initial=-1)) + 1) + 1, -1, np.int32)
    number[used] = np.arange(len(used))
    none = np.full(n, -1, np.int32), np.full(m, -1, np.int32)
    column_colors = none[0] if columns is None else number[columns]  # -1 is read from the end, which says -1
    row_colors = none[1] if rows is None else np.where(rows < 0, -1, number[rows + first_row_color] - count)
    row_colors = np.maximum(row_colors, -1)
    return Coloring(
        i, j, column_colors.astype(np.int32), row_colors.astype(np.int32), color, position,
        (m, n), count, len(used) - count, symmetric,
    )  # fmt: skip


def alone_in_line(line, colors, size):
    """Tell which entries are the only one of their color in their line, a row or a column."""
    count = int(colors.max(initial=-1)) + 1
    keys = line * np.int64(count) + colors
    if colors.min(initial=0) < 0:
        keys = np.where(colors < 0, size * count, keys)
    if size * count <= 10 * len(line) + 1000:
        return (np.bincount(keys, minlength=size * count)[keys] == 1) & (colors >= 0)
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return (counts[inverse] == 1) & (colors >= 0)


def _explain(k, i, j, columns, rows, symmetric, given):
    """Raise the error that says why an entry cannot be read."""
    row, col = int(i[k]), int(j[k])
    reasons = []
    for name, crossing, colors, named, line, other in (
        ("column", "row", columns, given[0], j, i),
        ("row", "column", rows, given[1], i, j),
    ):
        if colors is None:
            continue
        own, across = int(line[k]), int(other[k])
        same = line[(other == across) & (colors[line] == colors[own]) & (line != own)]
        reasons.append(
            f"{name} {own} has no color"
            if colors[own] < 0
            else f"{name}s {own} and {same[0]} both have color {named[own]}, and entries in {crossing} {across}"
        )
    mirrored = f", nor can its mirror image ({col}, {row})" if symmetric else ""
    reason = "; ".join(reasons) or "neither columns nor rows have colors"
    raise ValueError(
        "`sparse.from_colors(...)` should let every entry be read from a product. "
        f"Got colors from which ({row}, {col}) cannot be read{mirrored}: {reason}."
    )


def checked_pattern(call, pattern):
    should = f"`sparse.{call}(pattern=...)` should"
    P = pattern if sp.issparse(pattern) else _array(f"{should} be a matrix", pattern)
    if P.dtype.kind not in "biuf":
        raise TypeError(f"{should} be a matrix of real numbers or Booleans, sparse or dense. Got {P.dtype}.")
    if P.ndim != 2 or 0 in P.shape:
        raise ValueError(f"{should} have shape (m, n), with m and n at least 1. Got {P.shape}.")
    if P.dtype.kind == "f" and np.isnan(P.tocoo().data if sp.issparse(P) else P).any():
        raise ValueError(f"{should} say of each place whether it has an entry. Got NaN.")
    P = sp.csr_array(P.astype(bool))
    P.sum_duplicates()
    if not P.data.all():
        P = P.copy()
        P.eliminate_zeros()
    return P


def is_symmetric(P):
    if P.shape[0] != P.shape[1]:
        return False
    transposed = P.T.tocsr()  # whose indices are sorted, as those of a checked pattern are
    return np.array_equal(P.indptr, transposed.indptr) and np.array_equal(P.indices, transposed.indices)


def check_symmetric(call, P):
    if not is_symmetric(P):
        raise ValueError(f"`sparse.{call}(pattern=...)` should be symmetric. Got one of shape {P.shape} that is not.")


def _checked_colors(name, colors, size, lines):
    if colors is None:
        return None
    colors = _array(f"`sparse.from_colors({name}=...)` should hold integers", colors)
    if colors.dtype.kind not in "iu":
        raise TypeError(f"`sparse.from_colors({name}=...)` should hold integers. Got {colors.dtype}.")
    if colors.shape != (size,) or colors.min() < -1:
        got = f"shape {colors.shape}" if colors.shape != (size,) else f"the color {colors.min()}"
        raise ValueError(
            f"`sparse.from_colors({name}=...)` should hold one color for each of {size} {lines}, from 0 on, or -1. "
            f"Got {got}."
        )
    return np.unique(colors, return_inverse=True)[1].astype(np.int32) - (colors.min() < 0)


def _array(should, values):
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{should}. Got {first_line(error)}.") from error
