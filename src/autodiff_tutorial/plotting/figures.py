"""The look of the figures, and the curves that chapters share."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

try:
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.rcsetup import cycler
except ImportError as error:
    raise ImportError('`plotting` needs matplotlib. Install it: pip install "autodiff-tutorial[hep]"') from error

PRIMAL = "#1f5fa8"
TANGENT = "#d9730d"
COTANGENT = "#2e8540"
REFERENCE = "#6b6b6b"

# For methods compared in one figure: none is a color of the grammar, and markers tell them apart as well.
_METHODS = (("#b3261e", "o"), ("#7b3fa0", "s"), ("#c2438f", "^"), ("#8a6100", "D"), ("#2f2f2f", "v"), ("#00798c", "P"))


def use_style() -> None:
    """Set the book's figure style; call it in the open, it is never set on import."""
    plt.rcParams.update(
        {
            "axes.grid": True,
            "axes.grid.which": "major",
            "axes.prop_cycle": cycler(color=[color for color, _ in _METHODS]),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "figure.constrained_layout.use": True,
            "figure.dpi": 144,
            "figure.facecolor": "white",
            "figure.figsize": (5.4, 3.8),
            "font.size": 12,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "svg.hashsalt": "autodiff-tutorial",
        }
    )


def error_curves(curves: dict, *, marks: dict | None = None, ax: Axes | None = None) -> Axes:
    """Draw error against step, both logarithmic, one curve a method.

    Parameters
    ----------
    curves : dict of str to (array_like, array_like)
        At most six: label to ascending steps and errors; an error of zero is drawn at the lower edge, 1e-17.
    marks : dict of str to float, optional
        Label to the predicted best step, drawn as a star on the curve of that label, if it is within the curve.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if len(curves) > len(_METHODS):
        raise ValueError(f"`plotting.error_curves(curves=...)` should be at most {len(_METHODS)}. Got {len(curves)}.")
    ax = plt.subplots()[1] if ax is None else ax
    for i, ((label, (steps, errors)), (color, marker)) in enumerate(zip(curves.items(), _METHODS, strict=False)):
        steps, errors = np.asarray(steps, dtype=float), np.maximum(np.asarray(errors, dtype=float), 1e-17)
        ax.loglog(steps, errors, marker=marker, markevery=0.12, color=color, label=label, lw=1.5, zorder=3 - i / 10)
        if marks and steps.min() <= marks.get(label, 0) <= steps.max():
            height = np.exp(np.interp(np.log(marks[label]), np.log(steps), np.log(errors)))
            ax.plot(marks[label], height, marker="*", markersize=15, color=color, markeredgecolor="white", zorder=4)
    ax.set_xlabel("step h")
    ax.set_ylabel("relative error")
    if len(curves) > 3:
        ax.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.17))
    else:
        ax.legend()
    return ax


def slope_reference(power: int, at: tuple[float, float], *, span: float = 100.0, ax: Axes | None = None) -> Axes:
    """Draw a dashed line of a given slope on logarithmic axes, from the point `at` on, with its slope written there.

    Parameters
    ----------
    power : int
        The slope: the exponent of h.
    at : tuple of float
        Where the line begins, in data coordinates.
    span : float
        The factor in h over which it runs.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on the current axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.gca() if ax is None else ax
    h, error = at
    ax.plot([h, h * span], [error, error * span**power], color=REFERENCE, linestyle="--", linewidth=1.2)
    label, side = f"slope {power}".replace("-", "\N{MINUS SIGN}"), -1 if power > 0 else 1
    offset: dict[str, Any] = {"textcoords": "offset points", "xytext": (7 * side, 3 * (side > 0)), "va": "center"}
    ax.annotate(label, at, **offset, ha="left" if side > 0 else "right", color=REFERENCE, fontsize=10.5)
    return ax


def step_reference(h: float, label: str, *, ax: Axes | None = None) -> Axes:
    """Draw a dashed vertical line at a step, with its label at the top.

    Parameters
    ----------
    h : float
        The step.
    label : str
        What is written beside the line.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on the current axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.gca() if ax is None else ax
    ax.axvline(h, color=REFERENCE, linestyle="--", linewidth=1.2)
    at: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "xytext": (-5, -14)}
    ax.annotate(label, (h, 1), **at, ha="right", color=REFERENCE, fontsize=14)
    return ax


def slopes_on_grid(x: ArrayLike, estimate: ArrayLike, exact: Callable, *, ax: Axes | None = None) -> Axes:
    """Draw estimated slopes at grid points against the exact derivative.

    Parameters
    ----------
    x, estimate : array_like, shape (n,)
        The grid and the slopes that were estimated there.
    exact : callable
        The exact derivative, drawn as a dashed line.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots()[1] if ax is None else ax
    fine = np.linspace(np.min(x), np.max(x), 400)
    ax.plot(fine, exact(fine), color=REFERENCE, linestyle="--", label="exact derivative")
    ax.plot(x, estimate, color=TANGENT, marker="o", label="estimated slopes")
    ax.set_xlabel("x")
    ax.legend()
    return ax


def secant(f: Callable, x: float, h: float, *, ax: Axes | None = None) -> Axes:
    """Draw a function with its tangent at x and the secant through x and x + h.

    Parameters
    ----------
    f : callable
        The function, on arrays.
    x, h : float
        The point and the step.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots()[1] if ax is None else ax
    t = np.linspace(x - 2 * h, x + 2 * h, 400)
    slope, rise = (f(x + 1e-6) - f(x - 1e-6)) / 2e-6, (f(x + h) - f(x)) / h
    ax.plot(t, f(t), color=PRIMAL, label="f")
    ax.plot(t, f(x) + slope * (t - x), color=REFERENCE, linestyle="--", label="tangent at x")
    ax.plot(t, f(x) + rise * (t - x), color=TANGENT, label="secant through x and x + h")
    ax.plot([x, x + h], [f(x), f(x + h)], "o", color=TANGENT)
    ax.set_xticks([x, x + h], ["x", "x + h"])
    ax.set_ylabel("f")
    ax.legend()
    return ax
