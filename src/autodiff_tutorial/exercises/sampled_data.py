"""The exercises of the chapter on derivatives of sampled data."""

import numpy as np

from autodiff_tutorial.exercises.judge import Case, dictionary, exercise
from autodiff_tutorial.sampled_data import spectral_derivative


@exercise("sampled_data.noise")
def _(attempt):
    sigma, h = 0.01, 0.1
    yield dictionary(attempt, "slope", "second")
    variance = "that is the variance. The standard deviation is its square root."
    error = sigma / (np.sqrt(2) * h)
    yield Case(
        "the slope",
        attempt["slope"],
        error,
        rtol=0.03,
        slips=(
            (sigma / h, "that adds the sizes of the two errors. Independent errors add in squares."),
            (sigma / (2 * h), "that is the share of one value, and two of them err. Their errors add in squares."),
            (2 * error, "twice too large. How far apart are the two points?"),
            (error**2, variance),
        ),
        hint="the variances of independent errors add, each times the square of the weight of its value.",
        secret=True,
    )
    error = np.sqrt(6) * sigma / h**2
    yield Case(
        "the second difference",
        attempt["second"],
        error,
        rtol=0.03,
        slips=(
            (4 * sigma / h**2, "that is the worst case, all errors at once. Independent errors add in squares."),
            (2 * sigma / h**2, "the weights of all three values enter, and they enter squared."),
            (np.sqrt(2) * sigma / h**2, "the value in the middle errs too, and it has the largest weight."),
            (np.sqrt(3) * sigma / h**2, "the value in the middle has the weight -2, and weights enter squared."),
            (error * h, "that is divided by h. A second difference is divided by h^2."),
            (error**2, variance),
        ),
        hint="the variances of independent errors add, each times the square of the weight of its value.",
        secret=True,
    )


_PERIODS = np.array([[1], [2], [4]])


def _waves(random, x, length):
    """Return three random waves of so many periods, and their slopes, each as a row."""
    amplitude, phase = random.uniform(0.5, 1.5, size=(3, 1)), random.uniform(0.0, 6.0, size=(3, 1))
    frequency = 2 * np.pi * _PERIODS / length
    angle = frequency * x + phase
    return amplitude * np.cos(angle), -frequency * amplitude * np.sin(angle)


@exercise("sampled_data.slip")
def _(attempt):
    random = np.random.default_rng(3)
    for n, start, gap in ((15, 0.7, 0.2), (20, 3.0, 0.45), (11, -9.0, 0.6)):
        length, x = n * gap, start + gap * np.arange(n)
        waves, slopes = _waves(random, x, length)
        y, truth = 1 + waves.sum(axis=0), slopes.sum(axis=0)
        got, twice = attempt(y.copy(), x.copy()), spectral_derivative(np.append(y, y[0]), length)[:-1]
        end = "the end point is the first sample once more. Leave y as it is, and mend the length."
        yield Case(
            f"{n} samples of one period, from x = {start} to {x[-1]:.4g} with a gap of {gap}",
            got,
            truth,
            rtol=1e-8,
            slips=(
                (
                    truth * n / (n - 1),
                    "that is the slip itself. Which gap of the period does not lie between x[0] and x[-1]?",
                ),
                (truth * n / (n + 1), "one gap too many. How many samples are there, and which one follows the last?"),
                (truth * length / x[-1], "x does not start at 0, and one gap is missing."),
                (truth * length / (x[-1] + gap), "right only where x starts at 0."),
                (truth * length / n, "right for a gap of 1. Here the gap is x[1] - x[0]."),
                (truth * n, "that takes one gap as the period. How many gaps has it?"),
                (twice, end),
                (np.shape(got) == (n + 1,), end),
                (-truth, "the sign is reversed."),
            ),
            hint="sd.spectral_derivative wants the whole period: it ends a gap after the last sample.",
        )


@exercise("sampled_data.uneven")
def _(attempt):
    random = np.random.default_rng(4)
    for low, high in ((1.0, 0.4), (0.3, 1.5), (0.7, 0.7)):
        a, b = np.round(random.uniform(0.8, 1.2, size=2) * (low, high), 2)
        c, d, e = np.round(random.uniform(0.5, 2.0, size=3) * random.choice([-1, 1], size=3), 1)
        y0, y1, y2 = c - d * a + e * a**2, c, c + d * b + e * b**2
        left, right, plain = (y1 - y0) / a, (y2 - y1) / b, y0 - 2 * y1 + y2
        middles = "each slope belongs to the middle of its gap. How far apart are the two middles?"
        yield Case(
            f"f(t) = {c} {d:+} t {e:+} t^2 at -{a}, 0 and {b}",
            attempt(y0, y1, y2, a, b),
            2 * e,
            rtol=1e-9,
            slips=(
                *(
                    (plain / square, "right for equal gaps only: the weights 1, -2, 1 belong to them.")
                    for square in (a * b, ((a + b) / 2) ** 2, a**2, b**2, (a**2 + b**2) / 2)
                ),
                (plain, "that takes both gaps as 1."),
                (e, "half of it: " + middles),
                ((right - left) / a, middles),
                ((right - left) / b, middles),
                (right - left, "that is how much the slope changes. Over which distance does it?"),
                (-2 * e, "the sign is reversed: where a curve bends left, its slope rises."),
                *(
                    (slope, "that is a slope. The second derivative says how fast the slope changes.")
                    for slope in (d, left, right, (left + right) / 2, (y2 - y0) / (a + b))
                ),
            ),
            hint="ask for the right answers for f = 1, t and t^2, with the middle point at t = 0: 0, 0 and 2.",
        )


@exercise("sampled_data.spectral")
def _(attempt):
    random = np.random.default_rng(5)
    for n, length in ((15, 2.5), (21, 7.0)):
        waves, slopes = _waves(random, np.arange(n) * length / n, length)
        y, truth = 1 + waves.sum(axis=0), slopes.sum(axis=0)
        got = attempt(y.copy(), length)
        real = np.real(got) if np.shape(got) == (n,) and np.iscomplexobj(got) else None
        no_i = "the waves are not shifted, as a derivative shifts them. Is the i missing?"
        one_sided = "the upper half of the frequencies is negative. np.fft.fftfreq has them in the order of np.fft.fft."
        half = (slopes * (1 - n / (2 * _PERIODS))).sum(axis=0)  # what frequencies 0 to n - 1 give
        yield Case(
            f"three waves, n = {n}, length = {length}",
            got,
            truth,
            rtol=1e-9,
            slips=(
                (real is not None and _close(real, truth), "complex numbers. The derivative is their real part."),
                (real is not None and _close(real, half), one_sided),
                (real is not None and _close(real, 0 * truth), no_i),
                (half, one_sided),
                (0 * truth, no_i),
                ((2 * np.pi * _PERIODS / length * waves).sum(axis=0), no_i),
                (truth / (2 * np.pi), "a factor 2 pi is missing: m periods in the length turn by 2 pi m."),
                (truth * length, "right for a length of 1. Divide by the length."),
                (truth * length / (2 * np.pi), "right for a length of 2 pi. What does another length change?"),
                (truth * length / n, "right for a spacing of 1. The spacing is length / n."),
                (truth / n, "np.fft.fftfreq(n, d) takes the spacing as d, not the length."),
                (-truth, "the sign is reversed: i, not -i."),
                (np.shape(got) == (n - 1,), "one sample is lost. np.fft.irfft has to be told n if it is odd."),
            ),
            hint="a wave exp(2 pi i m x / length) is multiplied by 2 pi i m / length. Which m belongs to which entry?",
        )


def _close(got, expected):
    return bool(np.allclose(got, expected, rtol=0, atol=1e-6))


@exercise("sampled_data.window")
def _(attempt):
    cases = np.array([[0.01, 1e-3, 1.0], [0.04, 1e-3, 1.0], [0.01, 1e-3, 0.1], [0.01, 5e-4, 1.0]])
    got = [attempt(*map(float, case)) for case in cases]
    sigma, h, M = cases.T
    best = (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 7)
    usable = all(np.shape(m) == () and np.isrealobj(m) for m in got) and np.isfinite(np.asarray(got, dtype=float)).all()
    ratios = np.asarray(got, dtype=float) / best if usable else np.ones(4)
    factor = usable and bool(np.ptp(ratios) < 0.01 * abs(ratios[0]))  # the same one in all cases
    balanced = best * (4 / 3) ** (1 / 7)
    unsquared = (22.5 * sigma**2 / (M * h**4)) ** (1 / 5), (15 * sigma**2 / (M * h**4)) ** (1 / 5)
    deviations = best * 0.75 ** (1 / 7)
    for i, m in enumerate(got):
        yield Case(
            f"sigma = {sigma[i]}, h = {h[i]}, M = {M[i]}",
            m,
            best[i],
            rtol=0.01,
            slips=(
                (balanced[i], "that makes both terms equal. The minimum of a sum is where its derivative vanishes."),
                (deviations[i], "that minimizes bias + standard deviation. Square the bias, and add the variance."),
                *((wrong[i], "that takes the bias as it is. Here it enters squared.") for wrong in unsquared),
                (2 * best[i], "that is the number of points, 2m + 1. The question is m."),
                (best[i] * h[i], "that is a length in units of x. m counts points: divide by h."),
                (best[i] ** 7, "that is m^7."),
                (1 / best[i], "that is 1/m."),
                (factor, "the powers are right, the factor in front is not."),
            ),
            hint="set the derivative of bias^2 + variance with respect to m to zero, and solve for m.",
        )


def _curves():
    """Yield curves on random grids: name, y, x, where they bend the other way, and where they are highest or lowest."""
    random = np.random.default_rng(6)

    def grid(start, stop, n=81):
        x = np.linspace(start, stop, n)
        return x + random.uniform(-0.15, 0.15, size=n) * (x[1] - x[0])

    x, shift = grid(0.5, 11.5), random.uniform(1.0, 2.0)
    turn = np.arccos(-0.3)
    extrema = np.array([turn, 2 * np.pi - turn, 2 * np.pi + turn, 4 * np.pi - turn])
    yield "sin x + 0.3 x", np.sin(x) + 0.3 * x + shift, x, np.pi * np.array([1.0, 2.0, 3.0]), extrema[extrema < 11.4]
    place = random.uniform(0.2, 0.8)
    x = grid(-2.0, 2.0)
    yield "a cubic", -((x - place) ** 3) + 0.6 * x, x, np.array([place]), place + np.sqrt(0.2) * np.array([-1.0, 1.0])
    x = grid(-3.0, 5.0)
    yield "a logistic curve", 1 / (1 + np.exp(-2 * (x - place))), x, np.array([place]), np.array([])
    yield "a parabola", (x - place) ** 2, x, np.array([]), np.array([place])


@exercise("sampled_data.inflections")
def _(attempt):
    for name, y, x, places, extrema in _curves():
        got = attempt(y.copy(), x.copy())
        found, near = np.asarray(got, dtype=float), 2 * np.diff(x).max()
        flat = np.sort(found, axis=None)
        whole = flat.astype(int) if np.isfinite(flat).all() else flat
        indices = bool((whole == flat).all() and (whole >= 0).all() and (whole < x.size).all())
        missed = [p for p in places if not (abs(flat - p) <= near).any()]
        values = np.sort(np.interp(places, x, y))
        yield Case(
            f"{name}, {x.size} points from {x[0]:.2f} to {x[-1]:.2f}",
            got,
            places,
            passes=found.ndim == 1 and _near(flat, places, near),
            slips=(
                (
                    found.ndim != 1,
                    f"a list of places, or an array of shape (m,). Yours has shape {found.shape}.",
                ),
                (
                    flat.size >= x.size - 2,
                    "that is one entry for each sample. Keep the places alone.",
                ),
                (
                    indices and _near(x[whole], places, near),
                    "those are indices. Give the values of x there.",
                ),
                (
                    extrema.size > 0 and _near(flat, extrema, near),
                    "there y is highest or lowest: its slope changes sign. Here the second derivative has to.",
                ),
                (
                    places.size > 1 and (_near(flat, places[::2], near) or _near(flat, places[1::2], near)),
                    "half of them. The curve changes from left to right, and also back.",
                ),
                (
                    _near(flat, _sign_changes(np.diff(y, 2), x[1:-1]), near)
                    or _near(flat, _sign_changes(np.gradient(np.gradient(y)), x), near),
                    "on an uneven grid plain differences bend with the gaps. Divide by them, or pass x to np.gradient.",
                ),
                (
                    places.size > 0 and _near(flat, values, 0.1 * np.ptp(y)),
                    "those are the values of y there. Give the values of x.",
                ),
                (
                    not missed and flat.size > places.size,
                    "too many. Count each place once, and only where the second derivative changes its sign.",
                ),
            ),
            hint="compute the second derivative, and look for neighbors where it has opposite signs.",
        )


def _sign_changes(values, x):
    left = values > 0
    return x[np.flatnonzero(left[1:] != left[:-1])]


def _near(found, places, distance):
    """Tell whether there is one number for each place, and close to it."""
    return found.shape == places.shape and bool((abs(found - places) <= distance).all())
