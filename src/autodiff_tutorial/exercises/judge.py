"""How an exercise is judged; knows nothing of any one exercise.

An exercise is a generator: it takes the attempt and yields cases, each with what the attempt gave and what it
should have given. To add one, write such a generator in the module of its chapter, under `@exercise(id)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_EXERCISES: dict[str, Callable] = {}


class Case(NamedTuple):
    """One trial of an attempt.

    Attributes
    ----------
    given : str
        The input, in words.
    got, expected : array_like
        What the attempt gave, and what it should have given.
    rtol : float
        Relative tolerance, of the largest expected number.
    slips : tuple of (array_like or bool, str)
        Typical wrong answers, or conditions that tell them, each with the hint that fits it.
    hint : str
        The hint for any other wrong answer.
    passes : bool, optional
        The verdict, where it is not whether `got` agrees with `expected`.
    secret : bool, optional
        Leave `expected` out of the verdict: a wrong prediction should not show the right one.
    """

    given: str
    got: object
    expected: object
    rtol: float = 1e-6
    slips: tuple = ()
    hint: str = "Work the case through by hand."
    passes: bool | None = None
    secret: bool = False


def dictionary(got, *keys, secret=True):
    """Return the case that asks for a dictionary with these keys."""
    *others, last = (f'"{key}"' for key in keys)
    hint = f"it should be a dictionary with the keys {', '.join(others)} and {last}."
    passes = isinstance(got, dict) and got.keys() >= set(keys)
    return Case("the answer", got, "a dictionary", hint=hint, passes=passes, secret=secret)


def numbers(got, n):
    """Return the case that asks for three or four numbers."""
    words = {3: "three numbers", 4: "four numbers"}[n]
    return Case("the answer", got, words, hint=f"fill in {words}.", passes=np.shape(got) == (n,), secret=True)


def exercise(id):
    """Register a generator of cases under an id, ``"<chapter>.<name>"``."""

    def register(cases):
        _EXERCISES[id] = cases
        return cases

    return register


def check(id: str, attempt: Any) -> None:
    """Judge an attempt at an exercise, and print the verdict in one line.

    Parameters
    ----------
    id : str
        The exercise, ``"<chapter>.<name>"``, as its statement gives it.
    attempt : object
        What the statement asks for: a function, an array, a number or a dictionary. ``...`` stands for a blank.

    Raises
    ------
    ValueError
        If there is no such exercise.

    Examples
    --------
    >>> check("finite_differences.slip", ...)
    finite_differences.slip: not attempted yet.
    """
    if not isinstance(id, str) or id not in _EXERCISES:
        known = ", ".join(repr(name) for name in sorted(_EXERCISES))
        raise ValueError(f"`exercises.check(id=...)` should be one of {known}. Got {id!r}.")
    print(f"{id}: {_verdict(_EXERCISES[id], attempt)}")


def _verdict(cases, attempt):
    try:
        for case in cases(_watched(attempt)):
            if not (_agree(case.got, case.expected, case.rtol) if case.passes is None else case.passes):
                yours, expected = _shown(case.got), _shown(case.expected)
                if yours == expected and case.passes is None:
                    expected += f" (off by {np.abs(np.subtract(case.got, case.expected)).max():.1g})"
                values = f"yours {yours}" if case.secret else f"yours {yours}, expected {expected}"
                return f"not yet. For {case.given}: {values}. Hint: {_fitting_hint(case)}"
    except _NotAttempted:
        return "not attempted yet."
    except Exception as error:
        return f"not yet. It raised {type(error).__name__}: {' '.join(str(error).split())}"
    return "passed."


class _NotAttempted(Exception):
    pass


def _watched(attempt):
    """Return the attempt, or the function that it is, such that a blank in it stops the trial."""
    if _blank(attempt):
        raise _NotAttempted
    if not callable(attempt):
        return attempt

    def function(*args):
        value = attempt(*args)
        if value is None:
            raise ValueError("your function returned None. Is a return missing?")
        return _watched(value)

    return function


def _blank(attempt):
    if isinstance(attempt, dict):
        return any(_blank(value) for value in attempt.values())
    if isinstance(attempt, (list, tuple)):
        return any(_blank(value) for value in attempt)
    return attempt is None or attempt is Ellipsis


def _agree(got, expected, rtol):
    if np.iscomplexobj(got):
        return False
    try:
        got, expected = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    except (TypeError, ValueError):
        return False
    scale = np.abs(expected).max(initial=0.0)
    return got.shape == expected.shape and bool((np.abs(got - expected) <= rtol * (scale or 1.0)).all())


def _fitting_hint(case):
    for slip, hint in case.slips:
        if slip if isinstance(slip, bool | np.bool_) else _agree(case.got, slip, case.rtol):
            return hint
    if case.passes is None and np.shape(case.got) != np.shape(case.expected):
        return f"the shape should be {np.shape(case.expected)}, and is {np.shape(case.got)}."
    return case.hint


def _shown(value):
    """Show numbers with four digits, arrays in one line."""
    try:
        value = np.asarray(value) if np.iscomplexobj(value) else np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return " ".join(repr(value).split())[:200]
    text = np.array2string(value, formatter={"float_kind": lambda a: f"{a:.4g}"}, separator=", ", threshold=12)
    return " ".join(text.split())
