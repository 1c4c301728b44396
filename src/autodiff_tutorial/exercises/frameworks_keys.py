"""The exercise of the chapter on frameworks that deals with random numbers from a key."""

from itertools import combinations, product

import jax
import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("frameworks.keys")
def _(attempt):
    seeds = 11, 12, 101  # not those that an attempt may have inside; and neighbors, where seeds that are added up meet
    for m, n in (4, 5), (3, 2000):
        shape = np.shape(attempt(jax.random.key(seeds[0]), m, n))
        yield Case(
            f"the shape, m = {m}, n = {n}",
            shape,
            (m, n),
            passes=shape == (m, n),
            slips=((shape == (n, m), "that is the transpose. Each of the m arrays is a row."),),
            hint="m rows, with n numbers in each.",
        )
    drawn = [np.asarray(attempt(jax.random.key(seed), m, n), dtype=float) for seed in seeds]
    for seed, rows in zip(seeds, drawn, strict=True):
        again = np.asarray(attempt(jax.random.key(seed), m, n), dtype=float)
        yield Case(
            f"the largest change, when called with jax.random.key({seed}) again",
            np.abs(rows - again).max(),
            0.0,
            hint="the numbers should follow from the key alone. A generator with a state of its own knows of no key.",
        )
        yield from _rows(f"jax.random.key({seed}), m = {m}, n = {n}", rows)
    for a, b in combinations(range(len(seeds)), 2):
        for i, j in product(range(m), repeat=2):
            yield _unrelated(
                f"array {i} from key {seeds[a]} and array {j} from key {seeds[b]}",
                drawn[a][i],
                drawn[b][j],
                hint="another key should give other numbers, in every array. "
                "Is a fixed key or seed at work inside, such as jax.random.key(0)?",
            )


def _rows(given, rows):
    """Yield cases for the arrays from one key: unrelated, and each of standard normal numbers."""
    for i, j in combinations(range(len(rows)), 2):
        a, b = rows[i], rows[j]
        yield _unrelated(
            f"{given}, arrays {i} and {j}",
            a,
            b,
            slips=(
                (
                    np.array_equal(a, b),
                    "the arrays are the same: a key gives the same numbers whenever it is used, "
                    "and fold_in with the same number gives the same key.",
                ),
                (np.array_equal(a, -b), "one array is minus the other. Draw it on its own."),
            ),
            hint="the arrays should have nothing to do with each other. Draw each on its own.",
        )
    for i, row in enumerate(rows):
        mean, deviation, largest = row.mean(), row.std(), float(abs(row).max())
        bounded = np.ptp(row) <= 4 * deviation, "normal numbers have no bounds, and yours have. Are they uniform?"
        for what, value, wanted, passes, hint in (
            ("mean", mean, "near 0", abs(mean) < 0.1, "that of standard normal numbers is 0."),
            ("standard deviation", deviation, "near 1", abs(deviation - 1) < 0.1, "that of standard normal ones is 1."),
            ("largest size", largest, "above 2.5", largest > 2.5, "one in eighty normal numbers lies beyond 2.5."),
        ):
            yield Case(
                f"{given}: the {what} of array {i}", value, wanted, passes=bool(passes), slips=(bounded,), hint=hint
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
