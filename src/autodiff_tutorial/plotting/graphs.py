"""Computation graphs on paper."""

from itertools import pairwise
from typing import Any, Literal

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from autodiff_tutorial.plotting.figures import COTANGENT, PRIMAL, REFERENCE, TANGENT
from autodiff_tutorial.plotting.layout import LINE_HEIGHT, layout
from autodiff_tutorial.plotting.records import read, written

DENSITY = 110  # of the layout's pixels in an inch, so that a page at 144 dots an inch shows text of its own size
WIDEST = 640  # a wider drawing goes from the top down

# What is shown beside the values: the field, its color, and whether it travels against the arrows of the program.
_SHOWN = {"values": (None, REFERENCE, False), "tangents": ("tangent", TANGENT, False)}
_SHOWN["adjoints"] = ("adjoint", COTANGENT, True)


def size_of_boxes(lines, sums=()):
    """Return a width and a height that hold the lines of every box, one of them smaller."""
    widths = [8.7 * len(line) for box in lines for line in box] + [7 * len(line) for line in sums]
    height = LINE_HEIGHT * max(map(len, lines)) + (LINE_HEIGHT - 2 if sums else 0)
    return max(60, 14 + round(max(widths))), height + 14


def widths_of_labels(texts):
    """Return a width that holds each of the labels of edges."""
    return [8 * len(text) + 10 for text in texts]


def computation_graph(
    graph: Any,
    *,
    show: Literal["values", "tangents", "adjoints"] = "values",
    labels: dict[int, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a recorded computation: a box an operation, its value in it, and its tangent or adjoint if asked.

    Parameters
    ----------
    graph : object
        What `reverse_mode.record` returns: a record whose `operations` are scalar, each with `name`, `parents`,
        `value`, `tangent`, `adjoint` and `partials`; the last is the output.
    show : {"values", "tangents", "adjoints"}
        What stands below the values. With tangents or adjoints, local derivatives stand on the edges and the arrows
        point to where the numbers go: to the output, or away from it.
    labels : dict of int to str, optional
        Number of an operation to what it is called.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of the size that it takes.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there are no operations or more than 40, one comes before its parent, a number is no scalar, what is to be
        shown was not recorded, or `show` is unknown.
    """
    if show not in _SHOWN:
        raise ValueError(f"`plotting.computation_graph(show=...)` should be one of {', '.join(_SHOWN)}. Got {show!r}.")
    operations = read(graph, labels, "computation_graph")
    field, color, backward = _SHOWN[show]
    if field:
        require(operations, field, "computation_graph")
    lines, moving = [], []
    for operation in operations:
        number = getattr(operation, field) if field else None
        lines.append([operation.title, written(operation.value), *([] if number is None else [written(number)])])
        moving.append(number is not None)
    links = [(parent, i) for i, operation in enumerate(operations) for parent in operation.parents]
    texts = [written(partial) for operation in operations for partial in operation.partials]
    widths = widths_of_labels(texts) if field else [0] * len(texts)
    parents, box = [operation.parents for operation in operations], size_of_boxes(lines)
    placed = layout(parents, box, widths)
    if placed.size[0] > WIDEST:
        placed = layout(parents, box, widths, down=True)
    width, height = placed.size
    if ax is None:
        ax = plt.figure(figsize=(width / DENSITY, height / DENSITY), layout="none").add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    pixel = min(ax.bbox.width / width, ax.bbox.height / height) * 72 / ax.figure.dpi  # in points
    for stops, at, (parent, child), text in zip(placed.edges, placed.labels, links, texts, strict=True):
        carries = moving[parent] and moving[child]
        paint = color if carries or not field else REFERENCE
        style = "<|-" if backward and carries else "-|>"
        arrow = {"arrowstyle": style, "mutation_scale": 10 * pixel, "lw": 1.6 * pixel, "shrinkA": 0, "shrinkB": 0}
        ax.add_patch(FancyArrowPatch(path=_curve(stops, placed.down), color=paint, **arrow))
        if carries:
            ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
            ax.text(at[0], at[1], text, color=color, fontsize=12 * pixel, ha="center", va="center", bbox=ground)
    for (x, y), own in zip(placed.nodes, lines, strict=True):
        _draw_box(ax, x, y, placed.box, zip(own, ("black", PRIMAL, color), strict=False), pixel)
    return ax


def require(operations, field, call):
    """Ask that the output has a tangent or an adjoint."""
    if getattr(operations[-1], field) is None:
        raise ValueError(
            f"`plotting.{call}(graph=...)` should have the {field} of the output. Got None. "
            f"Record the program with its {field}s."
        )


def _curve(stops, down):
    """Return the path through the stops of an edge: in turn a curve that leaves and arrives level, and a line."""
    points, codes = [stops[0]], [Path.MOVETO]
    for i, ((a, c), (b, d)) in enumerate(pairwise(stops)):
        bends = [(a, (c + d) / 2), (b, (c + d) / 2)] if down else [((a + b) / 2, c), ((a + b) / 2, d)]
        points += [(b, d)] if i % 2 else [*bends, (b, d)]
        codes += [Path.LINETO] if i % 2 else [Path.CURVE4] * 3
    return Path(points, codes)


def _draw_box(ax, x, y, size, lines, pixel):
    """Draw a rounded box around a center, with its lines of text, each of a color."""
    width, height = size
    style = {"boxstyle": "round,pad=0,rounding_size=8", "facecolor": "white", "edgecolor": "black", "lw": 1.2 * pixel}
    ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, zorder=2, **style))
    lines = list(lines)
    for i, (text, paint) in enumerate(lines):
        middle = y + (i - (len(lines) - 1) / 2) * (LINE_HEIGHT + 1)
        weight = "bold" if i == 0 else "normal"
        ax.text(x, middle, text, color=paint, fontsize=12 * pixel, ha="center", va="center", weight=weight)
