"""The exercises of the chapter on sparse derivatives that deal with colors: how many, which, and what they are for."""

import numpy as np

from autodiff_tutorial import sparse
from autodiff_tutorial.exercises.judge import Case, exercise, numbers

_APART = "so many columns are there. Those that share no row can have one color."
_CLOSING = "give the cells of the ring their colors one after the other, and see how it closes."
_ROUND = "the row of a cell holds the cell itself and its neighbors on both sides. They all need different colors."


@exercise("sparse.counts")
def _(attempt):
    yield numbers(attempt, 4)
    names = (
        "the band with 2 entries below and 1 above the diagonal",
        "the ring of 9",
        "the ring of 11",
        "the full first row",
    )
    answers = 4, 3, 4, 20
    bound = "the fullest row is a bound: all of its columns need different colors."
    slips = (
        (
            (3, f"{bound} How many entries has it, with that on the diagonal?"),
            (2, f"{bound} How many entries has it, on both sides and in the middle?"),
            (5, "fewer will do. How far apart are the first and the last column of a row?"),
            (30, _APART),
        ),
        (
            (2, _ROUND),
            (1, _ROUND),
            *((k, "fewer will do. Give the cells colors in turn: does that close after 9?") for k in (4, 5)),
            (9, _APART),
        ),
        (
            (2, _ROUND),
            (
                3,
                "the fullest row is a bound, and this ring cannot meet it: each cell would have to repeat the color "
                "of the cell three places back, and that does not close after 11.",
            ),
            (5, "fewer will do. Break the turn of the colors at more than one place of the ring."),
            (11, _APART),
        ),
        *(
            (
                *((k, "in the first row every column has an entry. Which columns may then share?") for k in (1, 2)),
                (3, "that takes products with rows too. Here columns alone have colors."),
                (19, "the first column has an entry in the first row too."),
                (21, "no more colors than columns are ever needed."),
                (39, "that is the number of entries. How many columns do they stand in?"),
            ),
        ),
    )
    hints = bound, _CLOSING, _CLOSING, bound
    for name, got, answer, known, hint in zip(names, attempt, answers, slips, hints, strict=True):
        yield Case(name, got, answer, slips=known, hint=hint, secret=True)


@exercise("sparse.seeds")
def _(attempt):
    for n, k in (7, 3), (8, 2), (3, 5):
        turn = np.arange(n) % k
        truth = (turn == np.arange(k)[:, None]) * 1.0
        got = attempt(n, k)
        shape, width = np.shape(got), -(-n // k)
        rows = "that is the transpose. Each of the k seeds is a row."
        yield Case(
            f"n = {n}, k = {k}",
            got,
            truth,
            slips=(
                (truth.T, rows),
                (np.roll(truth, 1, axis=0), "the seeds are one row too low: column 0 belongs to row 0."),
                (np.roll(truth, -1, axis=0), "colors are counted from 0: column 0 belongs to row 0."),
                (
                    (np.arange(n) % k == np.arange(1, k + 1)[:, None]) * 1.0,
                    "j mod k goes from 0 to k - 1. Count the rows in the same way.",
                ),
                *(
                    ((np.arange(n) // w == np.arange(k)[:, None]) * 1.0, "those are neighbors, and they share rows.")
                    for w in (k, width)
                ),
                (1 - truth, "ones and zeros are exchanged."),
                (np.ones((k, n)), "every column belongs to one seed only."),
                (np.eye(k, n), "only the first columns are there. Their colors repeat after k columns."),
                (turn, "those are the colors. A seed holds a one for each column of its color, and zeros."),
                (shape == (n, k), rows),
                (shape == (n, n), "those are n seeds, one for each column. There are to be k."),
            ),
            hint="row c has ones at c, c + k, c + 2 k, and so on.",
        )


def _overwritten(P):
    """Give each column the first color whose last column it does not meet."""
    colors, last = [], []
    for column in P.T:
        free = [c for c, other in enumerate(last) if not (other & column).any()]
        colors.append(free[0] if free else len(last))
        last[colors[-1] : colors[-1] + 1] = [column]
    return colors


def _refusal(P, **colors):
    """Return the coloring, or why there is none."""
    try:
        return sparse.from_colors(P, **colors), ""
    except (TypeError, ValueError) as error:
        return None, str(error)


def _patterns():
    small = np.array([[1, 1, 0, 1], [0, 0, 1, 0]], dtype=bool)
    random = np.random.default_rng(32)
    sizes = (5, 8, 0.25), (8, 5, 0.25), (4, 6, 0.5), (40, 60, 0.05), (60, 40, 0.03)
    for P in small, *(random.random((m, n)) < share for m, n, share in sizes):
        m, n = P.shape
        shown = P.astype(int).tolist() if m * n <= 40 else f"of {m} rows and {n} columns, with entries at random"
        yield f"the pattern {shown}", P


@exercise("sparse.slip")
def _(attempt):
    for given, P in _patterns():
        got, n = attempt(P.copy()), P.shape[1]
        coloring, refusal = _refusal(P, column_colors=got)
        yield Case(
            given,
            got,
            "colors by which every entry can be read",
            passes=coloring is not None,
            slips=(
                (
                    np.array_equal(got, _overwritten(P)),
                    f"{_reason(refusal)} That is the slip itself: of a color's columns, only the last is remembered.",
                ),
                (np.shape(got) != (n,), f"there are {n} columns, and each needs one color."),
                (np.shape(got) == (n,) and np.array(got).dtype.kind not in "iu", "a color is a whole number."),
            ),
            hint=_reason(refusal),
        )
        fewest = sparse.color(P, mode="fwd", order="natural").num_colors
        count = coloring.num_colors
        yield Case(
            f"the number of colors of {given}",
            count,
            f"at most {fewest}",
            passes=count <= fewest,
            slips=((len(np.unique(got)) == n, "each column has a color of its own. Let it take the first one free."),),
            hint="take the columns from left to right, and give each the first color that is free.",
        )


def _reason(refusal):
    return refusal.split("Got colors from which ")[-1]


@exercise("sparse.arrow")
def _(attempt):
    for n in 5, 3, 12:
        P = np.eye(n, dtype=bool)
        P[0] = P[:, 0] = True
        got, given = attempt(n), f"n = {n}"
        pair = hasattr(got, "__len__") and len(got) == 2
        yield Case(given, got, "two lists", passes=pair, hint="return the colors of the columns and those of the rows.")
        coloring, refusal = _refusal(P, column_colors=got[0], row_colors=got[1])
        yield Case(
            given,
            got,
            "colors by which every entry can be read",
            passes=coloring is not None,
            hint=_reason(refusal),
        )
        used = coloring.num_column_colors, coloring.num_row_colors
        alone = "all {0} meet in the first {1}. Read the first {1} by a product with that {1}, and they do no more."
        yield Case(
            f"the number of colors of columns and of rows, {given}",
            used,
            "at most 3 in all",
            passes=sum(used) <= 3,
            slips=(
                (
                    used[1] == 0 and max(got[1]) >= 0,
                    "the columns read everything already. Let them share, now that the first row has a color.",
                ),
                (used[1] == 0, alone.format("columns", "row")),
                (used[0] == 0, alone.format("rows", "column")),
            ),
            hint="with the first row and the first column read, only the diagonal is left.",
        )
