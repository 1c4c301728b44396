"""Patterns of sparse matrices, with the colors of their columns and rows."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from autodiff_tutorial.plotting.figures import COTANGENT, PRIMAL
from autodiff_tutorial.sparse import Coloring

# Up to this size, places are drawn as boxes with the numbers of their colors.
_BOXES = 16
# Colors of columns are orange and the like, those of rows green, as the directions that they stand for.
_FILLS = ("#d9730d", "#7b3fa0", "#c2438f", "#8a6100", "#b3261e", "#2f2f2f", "#00798c", "#1f5fa8")


def spy(pattern: Any, *, coloring: Coloring | None = None, ax: Axes | None = None) -> Axes:
    """Draw which entries a matrix has, and with which color's product each is read.

    Small matrices show one box an entry, with the number of its color, counted from 1; a number in a green box belongs
    to a product with rows. Larger ones show a dot an entry.

    Parameters
    ----------
    pattern : scipy.sparse array or array_like, shape (m, n)
        Whatever is not zero is drawn.
    coloring : Coloring, optional
        From `sparse.color`, for this pattern.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    matrix = sp.csr_array(pattern)
    m, n = matrix.shape
    ax = plt.subplots()[1] if ax is None else ax
    rows, cols = matrix.nonzero()
    if max(m, n) > _BOXES:
        ax.plot(cols, rows, "s", color=PRIMAL, markersize=max(0.8, min(4.0, 220 / max(m, n))), markeredgewidth=0)
    elif coloring is None:
        _boxes(ax, rows, cols, [None] * len(rows), [PRIMAL] * len(rows))
    else:
        by_column = coloring.color < coloring.num_column_colors
        fills = np.where(by_column, np.array(_FILLS)[coloring.color % len(_FILLS)], COTANGENT)
        _boxes(ax, coloring.rows, coloring.cols, coloring.color + 1, fills)
    _frame(ax, m, n)
    if max(m, n) > _BOXES:
        for axis, name in ((ax.xaxis, "column"), (ax.yaxis, "row")):
            axis.set_major_locator(MaxNLocator(5, integer=True))
            axis.set_label_text(f"{name}, from 0")
    return ax


def spy_products(coloring: Coloring, *, ax: Axes | None = None) -> Axes:
    """Draw the products with the colors of columns, side by side: which entry stands where.

    Parameters
    ----------
    coloring : Coloring
        From `sparse.color`, of columns alone, for at most 16 rows and 16 columns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if coloring.num_row_colors or max(coloring.shape) > _BOXES:
        raise ValueError(
            f"`plotting.spy_products(coloring=...)` should color columns alone, of at most {_BOXES} by {_BOXES}. "
            f"Got {coloring!r}."
        )
    ax = plt.subplots()[1] if ax is None else ax
    fills = np.array(_FILLS)[coloring.color % len(_FILLS)]
    _boxes(ax, coloring.position, coloring.color, coloring.cols + 1, fills)
    _frame(ax, coloring.shape[0], coloring.num_column_colors)
    return ax


def _boxes(ax, rows, cols, numbers, fills):
    for i, j, number, fill in zip(rows, cols, numbers, fills, strict=True):
        ax.add_patch(plt.Rectangle((j - 0.42, i - 0.42), 0.84, 0.84, facecolor="white", edgecolor=fill, linewidth=1.6))
        if number is None:
            ax.plot(j, i, "s", color=fill, markersize=4)
        else:
            ax.text(j, i, str(number), ha="center", va="center", color=fill, fontsize=9, fontweight="bold")


def _frame(ax, m, n):
    ax.set_xlim(-0.7, n - 0.3)
    ax.set_ylim(m - 0.3, -0.7)
    ax.set_aspect("equal")
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color("#9a9a9a")
