"""The exercise of the chapter on frameworks that deals with random numbers from a key."""

import jax
import numpy as np

from autodiff_tutorial.exercises.forward_mode import several
from autodiff_tutorial.exercises.judge import Case, exercise

_NAMES = ("first", "second")


def _numbers(pair):
    return [np.asarray(part, dtype=float) for part in pair]


@exercise("frameworks.keys")
def _(attempt):
    got = attempt(jax.random.key(3), 5)
    yield several("a key and n = 5", got, "the first array", "the second array")
    for name, part in zip(_NAMES, _numbers(got), strict=True):
        hint = "n numbers in each of the two."
        yield Case(f"n = 5, the shape of the {name}", part.shape, (5,), passes=part.shape == (5,), hint=hint)
    n, seeds = 2000, (0, 1, 2)
    drawn = [_numbers(attempt(jax.random.key(seed), n)) for seed in seeds]
    for seed, pair in zip(seeds, drawn, strict=True):
        again = _numbers(attempt(jax.random.key(seed), n))
        yield Case(
            f"the largest change, when called with jax.random.key({seed}) again",
            np.abs(np.subtract(pair, again)).max(),
            0.0,
            hint="the numbers should follow from the key alone. A generator with a state of its own knows of no key.",
        )
        yield from _pair(f"jax.random.key({seed}), n = {n}", *pair)
    for i, j in (0, 1), (1, 2), (0, 2):
        for first in 0, 1:
            for second in 0, 1:
                yield _unrelated(
                    f"the {_NAMES[first]} array from key {i} and the {_NAMES[second]} one from key {j}",
                    drawn[i][first],
                    drawn[j][second],
                    hint="another key should give other numbers, in both arrays. Is your key used for both?",
                )


def _pair(given, a, b):
    """Yield cases for two arrays from one key: unrelated, and each of standard normal numbers."""
    yield _unrelated(
        given,
        a,
        b,
        slips=(
            (np.array_equal(a, b), "the two arrays are the same: a key gives the same numbers whenever it is used."),
            (np.array_equal(a, -b), "the second array is minus the first. Draw it on its own."),
        ),
        hint="the two arrays should have nothing to do with each other. Draw the second on its own.",
    )
    for name, part in zip(_NAMES, (a, b), strict=True):
        largest = float(abs(part).max())
        bounded = np.ptp(part) <= 4 * np.std(part), "normal numbers have no bounds, and yours have. Are they uniform?"
        beyond = "one in eighty normal numbers lies beyond 2.5."
        for what, value, wanted, passes, hint in (
            ("mean", part.mean(), "near 0", abs(part.mean()) < 0.1, "that of standard normal numbers is 0."),
            (
                "standard deviation",
                part.std(),
                "near 1",
                abs(part.std() - 1) < 0.1,
                "that of standard normal numbers is 1.",
            ),
            ("largest size", largest, "above 2.5", largest > 2.5, beyond),
        ):
            yield Case(
                f"{given}: the {what} of the {name} array",
                value,
                wanted,
                passes=bool(passes),
                slips=(bounded,),
                hint=hint,
            )


def _unrelated(given, a, b, *, hint, slips=()):
    common = np.intersect1d(abs(a), abs(b)).size  # a few are chance, in float32
    if common > a.size / 20:
        name = f"{given}: how many numbers they have in common, but for order and sign"
        return Case(name, common, "hardly any", passes=False, slips=slips, hint=hint)
    with np.errstate(all="ignore"):  # a row of equal numbers has no correlation
        correlations = np.nan_to_num(np.corrcoef([a, abs(a), b, abs(b)])[:2, 2:])
    largest = float(correlations.flat[abs(correlations).argmax()])
    passes = abs(largest) < 0.15
    return Case(f"{given}: the correlation, or that of sizes", largest, "near 0", passes=passes, slips=slips, hint=hint)
