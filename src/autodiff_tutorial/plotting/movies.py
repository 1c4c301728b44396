"""Linkages in motion, which the pages play without a kernel."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class _Movie:
    """A movie of a linkage, played by `book/_static/explorables.js`."""

    def __init__(self, points, times, trail):
        self._points, self._times, self._trail = points, times, trail

    def __repr__(self):
        return f"a movie of {len(self._times)} frames, {self._times[-1] - self._times[0]:.1f} s"

    def _repr_html_(self):
        arrays = {"times": self._times, "points": self._points}
        lists = {name: ",".join(map(str, np.rint(1000 * array).astype(int).flat)) for name, array in arrays.items()}
        data = " ".join(f'data-{name}="{numbers}"' for name, numbers in lists.items()) + " data-trail" * self._trail
        text = f"This is {self!r}: it plays on the book's page."
        return f'<div class="explorable" data-explorable="linkage" {data}>{text}</div>'


def linkage(points: ArrayLike, times: ArrayLike, *, trail: bool = True) -> Any:
    """Show a chain of rods in motion: on the book's page as a movie, in a notebook as a line of text.

    Parameters
    ----------
    points : array_like, shape (T, k, 2)
        x and y of the k bobs at T times, from the first to the last; a rod leads from the origin to the first.
        Three decimals are kept.
    times : array_like, shape (T,)
        Ascending, in seconds; milliseconds are kept.
    trail : bool
        Whether the last bob leaves a fading trail.

    Returns
    -------
    object
        What the last line of a cell shows.

    Raises
    ------
    ValueError
        If there are fewer than two frames or no bob, a number is not finite, or the times do not ascend.

    Examples
    --------
    >>> linkage([[[0.0, -1.0], [0.0, -2.0]], [[0.1, -0.995], [0.3, -1.975]]], times=[0.0, 0.5])
    a movie of 2 frames, 0.5 s
    """
    points, times = np.asarray(points, dtype=float), np.asarray(times, dtype=float)
    if points.ndim != 3 or len(points) < 2 or points.shape[1] < 1 or points.shape[2] != 2:
        raise ValueError(
            f"`plotting.linkage(points=...)` should have shape (T, k, 2) with T > 1 and k > 0. Got {points.shape}."
        )
    if times.shape != points.shape[:1]:
        raise ValueError(f"`plotting.linkage(times=...)` should have shape {points.shape[:1]}. Got {times.shape}.")
    for name, array in {"points": points, "times": times}.items():
        if not np.all(np.isfinite(array)):
            raise ValueError(f"`plotting.linkage({name}=...)` should be finite. Got NaN or infinity.")
    if np.min(np.diff(times)) <= 0:
        raise ValueError(f"`plotting.linkage(times=...)` should ascend. Got a step of {np.min(np.diff(times)):.3g}.")
    return _Movie(points, times, trail)
