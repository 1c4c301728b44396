"""The search for few colors: which columns, or rows, of a sparse matrix can be added up without losing an entry."""

import itertools
from typing import Any, Literal

import numpy as np

from autodiff_tutorial.sparse.coloring import (
    Coloring,
    alone_in_line,
    assembled,
    check_symmetric,
    checked_pattern,
    is_symmetric,
)
from autodiff_tutorial.sparse.orderings import ORDERS, greedy, listed, ordered, star

# So many entries are looked at in the search for the factors of a grid, and ten times those of the matrix.
_WORK = 200_000

# So many of them are looked at in one step of NumPy.
_AT_ONCE = 2**16

_MODES = ("auto", "fwd", "rev", "bi", "symmetric")


def color(
    pattern: Any,
    *,
    mode: Literal["auto", "fwd", "rev", "bi", "symmetric"] = "auto",
    order: str | tuple[str, ...] = ("cyclic", "largest_first", "natural"),
) -> Coloring:
    """Color the columns or rows of a pattern so that few products recover every entry.

    Columns may share a color if no row has entries in two of them: then each entry stands alone in the product of the
    matrix with the sum of the columns' basis vectors. The fewest colors are hard to find (NP-hard); the largest number
    of entries in a row is a lower bound, and a search in several orders ends when one reaches it.

    ============= ==========================================================================================
    mode          what gets colors
    ============= ==========================================================================================
    "fwd"         columns: one Jacobian-vector product a color
    "rev"         rows: one vector-Jacobian product a color
    "bi"          the densest rows, and the columns of what is left; or the densest columns, and rows
    "symmetric"   columns of a symmetric matrix, whose entries may be read at (i, j) or at (j, i): no path of
                  four vertices has only two colors (a star coloring)
    "auto"        the fewer of "fwd" and "rev", or "bi" where that needs less than half of both
    ============= ==========================================================================================

    ==================== =====================================================================================
    order                columns are taken, each given the first color that is free
    ==================== =====================================================================================
    "cyclic"             none is taken: column j gets color j mod k, with the smallest k near the bound that will do,
                         or goes round along each axis of a grid; for bands and stencils
    "largest_first"      those that meet most others first
    "natural"            from left to right
    "smallest_last"      those with the fewest neighbors last, in what the later ones leave
    "incidence_degree"   next the one with most neighbors colored
    "random"             at random, seeded by the place in `order`: give it several times for several trials
    ==================== =====================================================================================

    The cost of a trial is in proportion to the number of entries (for "smallest_last" and "incidence_degree", to the
    pairs of columns that share a row), one step of Python each; "cyclic" runs in NumPy.

    Parameters
    ----------
    pattern : scipy.sparse array or matrix, or array_like, shape (m, n)
        Whatever is not zero is an entry.
    mode : {"auto", "fwd", "rev", "bi", "symmetric"}
        What gets colors.
    order : str or tuple of str
        The orders to try; the best counts.

    Returns
    -------
    Coloring
        With ``num_colors``; every entry can be read, which is checked.

    Raises
    ------
    TypeError
        If `pattern` is no matrix of numbers or Booleans.
    ValueError
        If `pattern` is empty, holds NaN, or is not symmetric for mode "symmetric", or an option is unknown.

    References
    ----------
    T. F. Coleman, J. J. Moré, Estimation of sparse Jacobian matrices and graph coloring problems, 1983.
    T. F. Coleman, A. Verma, The efficient computation of sparse Jacobian matrices using automatic
    differentiation, 1998.
    A. H. Gebremedhin, A. Tarafdar, F. Manne, A. Pothen, New acyclic and star coloring algorithms, 2007.

    Examples
    --------
    >>> tridiagonal = np.eye(6) + np.eye(6, k=1) + np.eye(6, k=-1)
    >>> coloring = color(tridiagonal)
    >>> coloring.num_colors, coloring.column_colors
    (3, array([0, 1, 2, 0, 1, 2], dtype=int32))
    >>> arrow = np.eye(6)
    >>> arrow[0] = arrow[:, 0] = 1
    >>> [color(arrow, mode=mode).num_colors for mode in ("fwd", "rev", "bi", "symmetric")]
    [6, 6, 3, 2]
    """
    if not isinstance(mode, str) or mode not in _MODES:
        raise ValueError(f"`sparse.color(mode=...)` should be one of {', '.join(map(repr, _MODES))}. Got {mode!r}.")
    orders = tuple(order) if isinstance(order, tuple | list) else (order,)
    if not orders or any(not isinstance(name, str) or name not in ORDERS for name in orders):
        raise ValueError(
            f"`sparse.color(order=...)` should be one or several of {', '.join(map(repr, ORDERS))}. Got {order!r}."
        )
    P = checked_pattern("color", pattern)
    if mode == "symmetric":
        check_symmetric("color", P)
        return assembled(P, _columns(P, orders, star), None, symmetric=True)
    if mode == "fwd":
        return assembled(P, _columns(P, orders), None)
    if mode == "rev":
        return assembled(P, None, _columns(P.T.tocsr(), orders))
    columns, rows = _columns(P, orders), None
    if _count(columns) > np.bincount(P.indices).max(initial=0) and not is_symmetric(P):
        rows = _columns(P.T.tocsr(), orders)
        columns, rows = (columns, None) if _count(columns) <= _count(rows) else (None, rows)
    few = _count(columns) + _count(rows)
    limit = few if mode == "bi" else (few + 1) // 2 if few > 4 else 0
    return assembled(P, *(_both(P, orders, limit) or (columns, rows)))


def _columns(P, orders, method=greedy):
    """Return the best coloring of columns that the orders give, and stop at one that cannot be bettered."""
    bound, best, matrix, lists = _largest(P), None, None, None
    if P.nnz == P.shape[0] * P.shape[1] or (method is greedy and bound == P.shape[1]):
        return np.arange(P.shape[1], dtype=np.int32)  # no two columns may share a color
    enough = _fewest_of_stars(P) if method is star else bound
    for seed, order in enumerate(orders):
        if order == "cyclic":
            found = _cyclic(P, bound)
        else:
            matrix = P.tocsc() if matrix is None else matrix
            lists = listed(matrix) if lists is None else lists
            limit = None if best is None else _count(best)
            found = method(lists, ordered(order, matrix, seed, symmetric=method is star), limit)
        if found is not None and (best is None or _count(found) < _count(best)):
            best = found
            if _count(best) <= enough:
                break
    return greedy(listed(P.tocsc()), range(P.shape[1])) if best is None else best


def _fewest_of_stars(P):
    """Return a bound for star colorings: 1 without edges, 3 where an edge has further edges at both ends, 2 else."""
    i, j = P.nonzero()
    edges = np.bincount(i[i != j], minlength=P.shape[0])
    return 3 if ((edges[i] > 1) & (edges[j] > 1) & (i != j)).any() else 2 if edges.any() else 1


def _cyclic(P, bound):
    """Return colors (j + a (j // s) + ...) mod k for the smallest k near the bound that will do, if one does.

    The strides s are those of a grid whose places are counted by j: with them, colors repeat in turn along each axis.
    """
    m, n = P.shape
    # Most trials fail in a few rows already.
    few = np.linspace(0, m - 1, min(m, 64), dtype=int)
    counts = P.indptr[few + 1] - P.indptr[few]
    some = np.arange(counts.sum()) + np.repeat(P.indptr[few] + counts - np.cumsum(counts), counts)
    some_rows, some_columns = np.repeat(few, counts), P.indices[some].astype(int)
    size, work, row = max(1, len(some)), _WORK + 10 * P.nnz, None
    for k, grid, factors in _trials(bound, _strides(P, bound), max(1, _AT_ONCE // size)):
        if grid:
            factors = factors[: work // size]
            work -= len(factors) * size
            if not factors:
                continue

        def colors(j, factors, k=k, grid=grid):
            return (j + sum(a * (j // s) for a, s in zip(factors, grid, strict=True))) % k

        tried = colors(some_columns, np.array(factors).T[..., None]) if grid else some_columns[None] % k
        keys = np.sort(some_rows * k + tried)
        for promising in np.flatnonzero((keys[:, 1:] > keys[:, :-1]).all(axis=1)):
            found = colors(np.arange(n), factors[promising]).astype(np.int32)
            row = np.repeat(np.arange(m), np.diff(P.indptr)) if row is None else row
            if alone_in_line(row, found[P.indices] if grid else P.indices % k, m).all():
                return found
    return None


def _trials(bound, strides, at_once):
    """Yield the numbers of colors and strides to try, fewest colors first, each with several tuples of factors."""
    grids = [(s,) for s in strides] + [(s, t) for s in strides for t in strides if t > s and t % s == 0]
    for k in range(max(bound, 1), min(bound + 16, 2 * bound + 2)):
        yield k, (), [()]
        if k < bound + 4:
            for grid in grids:
                every = itertools.product(range(1, k), repeat=len(grid))
                while factors := list(itertools.islice(every, at_once)):
                    yield k, grid, factors


def _strides(P, bound):
    """Return the gaps between runs of entries in a full row, in a matrix whose full rows are alike; none in others."""
    full = np.flatnonzero(np.diff(P.indptr) == bound)
    if 4 * len(full) < P.shape[0]:
        return []
    # Not at simple fractions, where rows may belong to the edge of a grid.
    picked = full[np.array([3, 5, 9]) * len(full) // 13]
    offsets = [P.indices[P.indptr[r] : P.indptr[r + 1]].astype(int) - r for r in picked]
    if 2 * len(set(offsets[0]).intersection(*offsets)) <= bound:
        return []
    runs = min((np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) for at in offsets), key=len)
    middles = np.array([(run[0] + run[-1]) // 2 for run in runs])
    gaps = np.unique(np.abs(np.concatenate([middles, np.diff(middles)])))
    return [int(gap) for gap in gaps if gap > 1][:8]


def _both(P, orders, limit):
    """Return colors of columns and rows, fewer than the limit: a few dense rows apart, or a few dense columns."""
    by_rows = _dense_rows_apart(P, orders, limit)
    limit = limit if by_rows is None else _count(by_rows[0]) + _count(by_rows[1])
    # A column left as it is has at least one entry, and one row or more is apart.
    counts = np.bincount(P.indices, minlength=P.shape[1])
    by_columns = _dense_rows_apart(P.T.tocsr(), orders, limit) if counts.min() + 1 < limit else None
    return by_rows if by_columns is None else by_columns[::-1]


def _dense_rows_apart(P, orders, limit):
    """Read the densest rows from products with rows, and color the columns of the others; None at the limit."""
    counts, best = np.diff(P.indptr), None
    for level in np.unique(counts)[-2::-1][:12]:
        dense = np.repeat(counts > level, counts)
        # The fullest row that is left, and the fullest column of those apart, bound the colors from below.
        if level + np.bincount(P.indices[dense]).max() >= limit:
            continue
        apart = np.flatnonzero(counts > level)
        rows = np.zeros(1, np.int32) if len(apart) == 1 else _columns(P[apart].T.tocsr(), orders)
        kept = P.copy()
        kept.data = ~dense
        kept.eliminate_zeros()
        columns = _columns(kept, orders)
        if _count(columns) + _count(rows) < limit:
            row_colors = np.full(P.shape[0], -1, np.int32)
            row_colors[apart] = rows
            best, limit = (columns, row_colors), _count(columns) + _count(rows)
    return best


def _count(colors):
    return 0 if colors is None else int(colors.max(initial=-1)) + 1


def _largest(P):
    return int(np.diff(P.tocsr().indptr).max(initial=0))
