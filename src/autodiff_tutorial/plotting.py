"""The look of the figures, and the drawings that chapters share.

One visual grammar: values (primals) are blue, tangents and forward mode orange, cotangents and reverse mode green;
dashed gray lines are references. Figures are drawn on white; in dark mode the pages invert them.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

PRIMAL = "#1f5fa8"
TANGENT = "#d9730d"
COTANGENT = "#2e8540"
REFERENCE = "#6b6b6b"

# For methods compared in one figure: none is a color of the grammar, and markers tell them apart as well.
_METHODS = (("#b3261e", "o"), ("#7b3fa0", "s"), ("#c2438f", "^"), ("#8a6100", "D"), ("#2f2f2f", "v"), ("#00798c", "P"))


def use_style() -> None:
    """Set the book's figure style for this session; call it in the open, it is never set on import."""
    plt.rcParams.update(
        {
            "axes.grid": True,
            "axes.grid.which": "major",
            "axes.prop_cycle": mpl.cycler(color=[color for color, _ in _METHODS]),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "figure.constrained_layout.use": True,
            "figure.dpi": 144,
            "figure.facecolor": "white",
            "figure.figsize": (6.4, 4.2),
            "font.size": 12,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "legend.fontsize": 10.5,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "svg.hashsalt": "autodiff-tutorial",
        }
    )


def error_curves(curves, *, marks=None, ax=None):
    """Draw error against step, both logarithmic, one curve a method.

    Parameters
    ----------
    curves : dict of str to (array_like, array_like)
        Label to steps and errors; an error of zero is drawn at the lower edge, 1e-17.
    marks : dict of str to float, optional
        Label to the predicted best step, drawn as a star on the curve of that label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots()[1] if ax is None else ax
    for (label, (steps, errors)), (color, marker) in zip(curves.items(), _METHODS, strict=False):
        steps, errors = np.asarray(steps, dtype=float), np.maximum(np.asarray(errors, dtype=float), 1e-17)
        ax.loglog(steps, errors, marker=marker, markevery=0.12, color=color, label=label, linewidth=1.5)
        if marks and label in marks:
            height = np.exp(np.interp(np.log(marks[label]), np.log(steps), np.log(errors)))
            ax.plot(marks[label], height, marker="*", markersize=15, color=color, markeredgecolor="white", zorder=3)
    ax.set_xlabel("step h")
    ax.set_ylabel("relative error")
    ax.legend()
    return ax


def slope_reference(power, at, *, span=100.0, ax=None):
    """Draw a dashed line of a given slope on logarithmic axes, from the point `at` on, with its slope written on it.

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
    middle = (h * span**0.5, error * span ** (power / 2))
    ax.annotate(
        f"slope {power}".replace("-", "\N{MINUS SIGN}"),
        middle,
        textcoords="offset points",
        xytext=(6, -6) if power > 0 else (-6, -6),
        ha="left" if power > 0 else "right",
        va="top",
        color=REFERENCE,
        fontsize=10.5,
    )
    return ax


def slopes_on_grid(x, estimate, exact, *, ax=None):
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


def secant(f, x, h, *, ax=None):
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
    ax.legend()
    return ax
