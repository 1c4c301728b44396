"""Timings that benchmarks have stored, and the drawings of them."""

import json
import re
from collections.abc import Sequence
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from autodiff_tutorial.plotting.figures import _METHODS, PRIMAL, REFERENCE

# A peer is as often JAX as another package: it has the color of what is compared with.
_PEER = "#8a6100"


def stored_timings(machine: str) -> dict:
    """Return what the project's benchmarks have measured on a machine.

    Parameters
    ----------
    machine : str
        The name of a stored result, such as ``"intel-xeon-2-cores"``.

    Returns
    -------
    dict
        Under ``"rows"`` a list of comparisons: each a dictionary with ``"id"``, ``"problem"``, ``"ours"`` and
        ``"peer"`` (their ``"name"``, ``"error"``, and seconds: ``"first"`` of the first call, ``"median"``, ``"min"``
        and ``"max"`` of the others), ``"ratio"`` (the peer's time over ours), ``"target"`` and ``"met"`` (None where
        none is set). Under ``"runs"`` the versions, the processor and the date, for each file of benchmarks; under
        ``"roof"`` the ``"operations"`` and ``"bytes"`` a second that the machine does at best, or None.

    Raises
    ------
    ValueError
        If no result has this name.

    Examples
    --------
    >>> sorted(stored_timings("nvidia-h200-16-cores"))
    ['roof', 'rows', 'runs']
    """
    folder = files("autodiff_tutorial.plotting") / "results"
    known = sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))
    if machine not in known:
        raise ValueError(f"`plotting.stored_timings(machine=...)` should be one of {known}. Got {machine!r}.")
    return json.loads((folder / f"{machine}.json").read_text())


def timings(rows: Sequence[dict], *, ax: Axes | None = None) -> Axes:
    """Draw comparisons, one a line: our time and the peer's on one logarithmic axis, with the target between them.

    Our time is a blue dot, hollow where the target is missed; the peer's is a brown square. A gray bar stands where our
    dot would just meet the target. At the right stands the ratio.

    Parameters
    ----------
    rows : list of dict
        Comparisons, as `stored_timings` has them; those of one problem follow each other.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure, as tall as the lines need.

    Returns
    -------
    matplotlib.axes.Axes
    """
    lines: list[tuple] = []
    problem = None
    for row in rows:
        if row["problem"] != problem:
            problem = row["problem"]
            lines.append((0.9, problem, None))
        lines.append((1.0, f"{row['ours']['name']}  |  {row['peer']['name']}", row))
    bottom = sum(height for height, _, _ in lines)
    ax = plt.subplots(figsize=(5.4, 0.9 + 0.4 * bottom))[1] if ax is None else ax
    across, y = ax.get_yaxis_transform(), 0.0
    for height, words, row in lines:
        y += height
        if row is None:
            ax.text(
                0,
                y,
                re.sub(r"\^(\d+)", r"$^{\1}$", words),
                transform=across,
                fontsize=9.5,
                fontweight="bold",
                va="bottom",
            )
            continue
        ours, peer = (1e3 * row[side]["median"] for side in ("ours", "peer"))
        ax.text(0, y - 0.3, words, transform=across, fontsize=9, va="bottom", color="#444444")
        ax.plot([ours, peer], [y, y], color=REFERENCE, linewidth=1)
        ax.plot(peer, y, "s", color=_PEER, markersize=6.5)
        missed = row["met"] is False
        ax.plot(ours, y, "o", color=PRIMAL, markersize=7.5, markerfacecolor="white" if missed else PRIMAL, mew=1.8)
        if row["target"] is not None:
            ax.plot(peer / row["target"], y, "|", color=REFERENCE, markersize=13, mew=1.6, zorder=1)
        told = f"× {row['ratio']:.3g} missed" if missed else f"× {_rounded(row['ratio'])}"
        ax.text(1.02, y, told, transform=across, fontsize=9.5, va="center")
    ax.set(ylim=(bottom + 0.6, -0.1), yticks=[], xscale="log", xlabel="milliseconds a call")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.08)
    left, right = ax.get_xlim()
    if right < 30 * left:  # at least one power of ten, with its label, is in sight
        middle = (left * right) ** 0.5
        ax.set_xlim(middle / 30**0.5, middle * 30**0.5)
    return ax


def _rounded(ratio):
    return f"{ratio:.0f}" if ratio >= 99.5 else f"{ratio:.2g}"


def growth(rows: Sequence[dict], *, ax: Axes | None = None) -> Axes:
    """Draw times against the number of unknowns, both logarithmic: a curve for each contender.

    Parameters
    ----------
    rows : list of dict
        Comparisons, as `stored_timings` has them, each with its ``"n"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots()[1] if ax is None else ax
    curves: dict[str, dict] = {}
    for side in "ours", "peer":
        for row in rows:
            curves.setdefault(row[side]["name"], {})[row["n"]] = 1e3 * row[side]["median"]
    for i, (name, points) in enumerate(curves.items()):
        color, marker = _METHODS[i % len(_METHODS)]
        style = ("-", "--")[i // len(_METHODS) % 2]
        sizes = np.array(sorted(points))
        ax.loglog(sizes, [points[n] for n in sizes], style, marker=marker, color=color, label=name, lw=1.4)
    ax.set(xlabel="n", ylabel="milliseconds a call")
    ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.17), fontsize=9)
    return ax
