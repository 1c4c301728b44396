"""The exercises of the chapter on fits that deal with bounds, intervals and limits."""

import math

import jax.numpy as jnp
import numpy as np
from scipy import special

from autodiff_tutorial.exercises.forward_mode import several
from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("hep_fits.step")
def _(attempt):
    two, three = [[2.0, 1.0], [1.0, 2.0]], [[2.0, 0.5, 1.0], [0.5, 4.0, 1.0], [1.0, 1.0, 3.0]]
    # The steps are given, and the gradients of what is free made to fit: no equation is solved for the truth.
    for theta, step, H, slopes in (
        ([2.0, 1.0], [0.5, -0.5], two, {}),
        ([0.0, 0.0, 2.0], [0.6, 0.0, -0.5], three, {1: 1.0}),
        ([1.5, 0.0, 2.0], [-2.0, 0.0, -0.5], three, {1: 2.0}),
        ([0.0, 1.0], [-0.5, 2.0], two, {}),
        ([0.0, 5.0], [1.0, -2.0], two, {}),
        ([0.0, 3.0, 0.0], [0.0, 0.5, 0.0], [[3.0, -1.0, 1.0], [-1.0, 2.0, 1.0], [1.0, 1.0, 4.0]], {0: 0.5, 2: 1.0}),
    ):
        theta, step, H = np.array(theta), np.array(step), np.array(H)
        gradient = -H @ step + 0.0
        for k, slope in slopes.items():
            gradient[k] = slope
        got = attempt(jnp.asarray(theta), jnp.asarray(gradient), jnp.asarray(H))
        truth = np.maximum(theta + step, 0)
        whole = theta - np.linalg.solve(H, gradient)
        rising, eye = gradient > 0, np.eye(len(H))
        moving = ~((theta <= 0) & rising)
        room = min([1.0, *(-theta[step < 0] / step[step < 0])])
        lone = np.where(moving, gradient / np.diag(H), 0)
        through = "what is held takes part in the solve. Strike out its row and its column."
        uphill = "that goes uphill: a step against the gradient lowers the function."
        slips = (
            (theta + step, "what falls below 0 should end at 0."),
            (step, "that is the step. Add it to theta."),
            (truth - theta, "that is the step. Add it to theta."),
            (np.maximum(theta - step, 0), uphill),
            (theta - step, uphill),
            (whole, "no parameter is held there, and what falls below 0 should end at 0."),
            (np.maximum(whole, 0), through),
            (np.maximum(np.where(moving, whole, theta), 0), through),
            (
                np.maximum(theta - np.linalg.solve(H, np.where(moving, gradient, 0)), 0),
                "the gradient of what is held is 0, and yet it moves: its row and its column of H are still there.",
            ),
            (
                np.maximum(theta - np.linalg.solve(np.where(moving, H, eye), np.where(moving, gradient, 0)), 0),
                "the column of what is held is struck out. So should be its row.",
            ),
            (
                np.maximum(theta - np.linalg.solve(np.where(moving[:, None], H, eye), gradient), 0),
                "the row of what is held is struck out. So should be its column, and its gradient.",
            ),
            (theta + np.maximum(step, 0), "that cuts off the step at 0. It is theta that should not fall below."),
            (
                np.maximum(theta + _among(H, gradient, ~((theta <= 0) & (gradient >= 0))), 0),
                "a slope of 0 is not positive: that parameter is free.",
            ),
            (
                np.maximum(theta + _among(H, gradient, ~((theta <= 0) & (gradient < 0))), 0),
                "a positive slope means that lower is better: that one is held, and not one with a negative slope.",
            ),
            (
                np.maximum(theta + _among(H, gradient, theta > 0), 0),
                "only what rises from 0 is held there. Where the slope says so, a parameter leaves 0.",
            ),
            (np.maximum(theta + _among(H, gradient, ~rising), 0), "only what stands at 0 is held."),
            (np.maximum(theta - lone, 0), "that uses the diagonal of H only. Its other entries count, too."),
            (np.maximum(theta - np.where(moving, gradient, 0), 0), "that follows the gradient. Solve with H first."),
            (np.maximum(theta - gradient, 0), "that follows the gradient. Solve with H first."),
            (np.maximum(theta - H @ gradient, 0), "that multiplies by H. Solve with it."),
            (abs(theta + step), "that reflects at 0 what would fall below. It should end there."),
            (theta + room * step, "that shortens the step as a whole. Only what would fall below 0 is cut off."),
            (
                np.where(theta + step < 0, theta, theta + step),
                "what would fall below 0 stays where it was. It should end at 0.",
            ),
            (
                np.maximum(theta + _among(H, gradient, moving & (theta + step >= 0)), 0),
                "what falls below 0 is struck out, and the rest solved for again. In this step, it is only cut off.",
            ),
        )
        yield Case(
            f"theta = {theta.tolist()}, gradient = {gradient.tolist()}, H = {H.tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=slips,
            hint="which parameters are held? Solve with H and the gradient of the others, then cut off at 0.",
        )


def _among(H, gradient, moving):
    """Return the Newton step of some parameters."""
    step, k = np.zeros(len(H)), np.flatnonzero(moving)
    step[k] = -np.linalg.solve(H[np.ix_(k, k)], gradient[k])
    return step


def _ends(n, fall=0.5):
    """Return where the logarithm of a Poisson likelihood has fallen by some amount: branches of Lambert's W."""
    return -n * special.lambertw(-np.exp(-1 - fall / n), (0, -1)).real if n else np.array([0, fall])


def _tail(x):
    return math.erfc(x / 2**0.5) / 2


@exercise("hep_fits.interval")
def _(attempt):
    for n in 9, 2, 400, 0, 1:
        lower, upper = _ends(n)
        got, given = attempt(n), f"n = {n}"
        yield several(given, got, "the lower end", "the upper end")
        root, parabola = n**0.5, "that is the interval of the parabola at the top. log L is no parabola."
        one = "that is where log L has fallen by 1. Twice the logarithm falls by 1 here."
        quarter = "that is where log L has fallen by 1/4. Where twice of it has fallen by 1, it has fallen by 1/2."
        levels = ((1.0, one), (0.25, quarter), (2.0, "that is the interval of two standard deviations."))
        tail = _tail(1)
        covering = "that has probabilities of the tails. Here the likelihood itself makes the interval."
        away = "that is the distance from n. The end itself is asked for."
        coarse = "close. Six digits are asked for: is the search long enough, and is the likelihood exact?"
        yield Case(
            f"the lower end, {given}",
            got[0],
            lower,
            rtol=5e-6,
            slips=(
                (bool(np.isnan(got[0])), "that is no number. For n = 0 the lower end is the bound, 0."),
                (not n, "for n = 0, the likelihood falls from 0 on. The lower end is the bound, 0."),
                (upper, "the lower end comes first."),
                (n - root, parabola),
                (2 * n - upper, "that mirrors the upper end. log L falls faster below n: search there."),
                (n - lower, away),
                (lower - n, away),
                *((_ends(n, fall)[0], words) for fall, words in levels),
                (n > 0 and n * np.exp(-1 / root), "that is the parabola in log nu. The exact curve is asked for."),
                (n > 0 and (root - 0.5) ** 2, "that is the parabola in the root of nu. The exact curve is asked for."),
                (n > 0 and special.gammaincinv(n, tail), covering),
                (float(n), "that is the best fit. It is where the search begins."),
                (n > 0 and 0.0, "0 is where the search may begin. The end is higher: there log L is infinitely low."),
                (bool(abs(got[0] - lower) < 3e-3 * lower), coarse),
            ),
            hint="below n, where has n log(nu) - nu fallen by 1/2 from its highest value?",
        )
        right = "the lower end is right. "
        yield Case(
            f"the upper end, {given}",
            got[1],
            upper,
            rtol=5e-6,
            slips=(
                (bool(np.isnan(got[1])), right + "The upper one is no number. For n = 0, n log(nu) is 0."),
                (lower, right + "The upper one is the same. Search above n, too."),
                (n + root, right + "The upper one: " + parabola),
                (
                    n > 0 and 2 * n - lower,
                    right + "The upper one mirrors it. Search above n: log L falls more slowly there.",
                ),
                (n > 0 and upper - n, right + "The upper one: " + away),
                *((_ends(n, fall)[1], right + "The upper one: " + words) for fall, words in levels),
                (n > 0 and n * np.exp(1 / root), right + "The upper one is that of the parabola in log nu."),
                ((root + 0.5) ** 2, right + "The upper one is that of the parabola in the root of nu."),
                (special.gammainccinv(n + 1, tail), right + "The upper one: " + covering),
                (n + 3 * root + 3, right + "The upper one is where the search may begin."),
                (bool(abs(got[1] - upper) < 3e-3 * upper), right + "The upper one: " + coarse),
            ),
            hint=right + "Above n, where has n log(nu) - nu fallen by 1/2 from its highest value?",
        )


@exercise("hep_fits.cls")
def _(attempt):
    for q, q_asimov in (1.5, 4.0), (6.0, 2.5), (100.0, 90.0), (0.0, 3.0), (30.0, 80.0):
        root, shift = q**0.5, q_asimov**0.5
        below, above = root - shift, (q - q_asimov) / (2 * shift)
        t, other = (above, below) if q > q_asimov else (below, above)
        both, background = _tail(t + shift), _tail(t)
        truth = both / background
        got = attempt(q, q_asimov)
        digits = "no digits are left of 1 - Phi, where Phi is 1 to machine precision. Phi has a symmetry."
        yield Case(
            f"q = {q:g}, q_A = {q_asimov:g}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (truth < 1e-9 and bool(np.all(np.abs(got) < 1e-16)), digits),
                (_tail(other + shift) / _tail(other), "that has the t of the other case. Is q above q_A, or not?"),
                (both, "that is the probability with signal. CLs is a ratio."),
                (background, "that is the probability for background alone. CLs is a ratio."),
                (background / both, "the ratio is the wrong way round: CLs is at most 1."),
                (both / (1 - background), "divide by the probability for background itself, not by 1 less it."),
                ((1 - both) / (1 - background), "those are values of Phi. The tails above them are asked for."),
                ((1 - both) / background, "above the line is Phi itself. The tail above it is asked for."),
                ((1 - background) / (1 - both), "those are values of Phi, and the ratio is the wrong way round."),
                (_tail(-t + shift) / _tail(-t), "the sign of t is reversed: it grows with q."),
                (_tail(t - shift) / background, "the root of q_A is to be added to t, not to be subtracted."),
                (_tail(t + q_asimov) / background, "q_A is added to t. It should be its root."),
                (both / 0.5, "the probability for background is 1/2 only where t = 0. It is the tail above t."),
                (
                    q > q_asimov and _tail(2 * above + shift) / _tail(2 * above),
                    "t has a 2 below, where q is above q_A.",
                ),
                (
                    q > q_asimov and _tail(above / shift + shift) / _tail(above / shift),
                    "t has the root of q_A below, where q is above q_A.",
                ),
                (
                    _tail(q - q_asimov + shift) / _tail(q - q_asimov),
                    "t takes the roots of q and of q_A, or a denominator.",
                ),
                (
                    math.exp(-((t + shift) ** 2) / 2 + t**2 / 2),
                    "that is a ratio of densities. Tails, the integrals of the density, are asked for.",
                ),
                (math.log(truth), "that is the logarithm of CLs."),
                (1 - truth, "that is the confidence level, 1 - CLs."),
                (both - background, "that is the difference. CLs is a ratio."),
                (both * background, "that is the product. CLs is a ratio."),
            ),
            hint="find t for this case, then both tails, then their ratio.",
        )
