"""The exercises of the chapter on fits that deal with likelihoods, errors, and how a fit moves with the data."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved
from autodiff_tutorial.exercises.judge import Case, exercise, numbers


@exercise("hep_fits.events")
def _(attempt):
    yield numbers(attempt, 3)
    n, s, b, unsure = 20.0, 4.0, 12.0, 3.0
    error, blurred = np.hypot(n**0.5, [0, unsure]) / s
    few = "close, but three digits are asked for."
    fit = "the best fit is right. "
    both = "the first two are right. "
    cases = (
        (
            "the best fit",
            (n - b) / s,
            (
                (n / s, "background takes its share of the events."),
                (n / b, "that compares all events with the background. Subtract it first."),
                (b / s, "that is the background, in units of the signal."),
                (s / b, "that is signal over background, before any data. How many events came?"),
                (s / n, "that is the share of signal in the data."),
                (n - b, "those are the events of signal. How many times four is that?"),
                (0.0, "that is background alone. More events came than that."),
            ),
            "for which signal strength does the mean count equal that of the data?",
        ),
        (
            "its error, with the background known exactly",
            error,
            (
                (n**0.5, fit + "That is the deviation of the count, in events. Its units should be those of the fit."),
                (b**0.5 / s, fit + "That is the deviation of a count of background alone."),
                (s**0.5 / s, fit + "That is the deviation of the signal alone. Background events fluctuate too."),
                (n**-0.5, fit + "That is relative to the whole count. The signal is a part of it."),
                ((n + b) ** 0.5 / s, fit + "That adds the background's fluctuation again. The count contains it."),
                (n / s, fit + "That has the variance of the count in it. Take the root."),
                (n / s**2, fit + "That is the variance. Take the root."),
                (blurred, fit + "That is the error with an uncertain background."),
                (0.0, fit + "The background is known, but counts still fluctuate about their mean."),
            ),
            fit + "By how much does the count fluctuate, and how far does the fit move for each event?",
        ),
        (
            "its error with an uncertain background",
            blurred,
            (
                (error, both + "The third is as the second. Not knowing the background makes the error larger."),
                (error + unsure / s, both + "In the third, the errors are added. They are independent."),
                (unsure / s, both + "The third has the background's part alone. The count fluctuates as well."),
                ((n + unsure) ** 0.5 / s, both + "In the third, 3 is a deviation, not a variance. Square it."),
                ((n - unsure**2) ** 0.5 / s, both + "In the third, the squares are subtracted. Both make it worse."),
                (blurred * s, both + "The third is in events. Its units should be those of the fit."),
                (blurred**2, both + "The third is the variance. Take the root."),
                (np.hypot(error, unsure), both + "In the third, 3 is in events, and the error of the count is not."),
                ((n + b) ** 0.5 / s, both + "The third adds the background's fluctuation. The count contains it."),
            ),
            both + "For the third, add the square of the background's uncertainty to that of the count's.",
        ),
    )
    for got, (given, truth, slips, hint) in zip(attempt, cases, strict=True):
        got = float(got)
        slips += ((bool(abs(got / truth - 1) < 0.03), few),)
        yield Case(given, got, truth, rtol=5e-3, slips=slips, hint=hint, secret=True)


@jax.jit
def _twice_nll(params, best, A):
    u = A @ (params - best)  # counts of one event each, whose logarithm is u
    return 2 * jnp.sum(jnp.exp(u) - u)


@exercise("hep_fits.slip")
def _(attempt):
    for L in (
        [[0.5, 0.0], [-0.8, 0.3]],
        [[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [-0.5, 0.3, 1.2]],
        [[0.7]],
    ):
        L = np.array(L)
        best, A = jnp.arange(1.0, len(L) + 1), np.linalg.inv(L)
        truth, H = np.linalg.norm(L, axis=1), 2 * A.T @ A
        curved = np.diag(H)
        along = np.linalg.eigvalsh(L @ L.T) ** 0.5
        got = attempt(lambda params, best=best, A=A: _twice_nll(params, best, A), best)
        root = "invert all of H first, then take the diagonal. "
        yield Case(
            f"{len(L)} parameter{'s' * (len(L) > 1)} with the covariance {(L @ L.T).round(2).tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (truth / 2**0.5, "the correlation is in. But H is that of -2 log L, which is twice as steep."),
                (curved**-0.5, "both mistakes are still there: H is that of -2 log L, and all others are held still."),
                ((curved / 2) ** -0.5, "the factor is right. One over the diagonal holds all other parameters still."),
                ((2 * curved) ** -0.5, root + "And the factor is the wrong way round: -2 log L is twice as steep."),
                (truth / 2, "the correlation is in. The factor is the wrong way round: -2 log L is twice as steep."),
                (2**0.5 * truth, "the correlation is in. A factor of H enters the errors by its root only."),
                (truth / 8**0.5, "the correlation is in. A factor of H enters the errors by its root only."),
                (truth**2, "those are the variances. Take the root."),
                (truth**2 / 2, "those are variances, and half of them: take the root, of H for -log L."),
                (2 / curved, root + "And take the root: those would be variances."),
                (1 / curved, root + "And take the root: those would be variances, of H for -log L."),
                (1 / truth, "H is inverted twice: the diagonal of the inverse has the variances."),
                ((curved / 2) ** 0.5, "that is the root of the curvatures. The errors are small where H is large."),
                (curved**0.5, "that is the root of the curvatures. The errors are small where H is large."),
                (along, "those are the deviations along the axes of the ellipse, not those of the parameters."),
                (along[::-1], "those are the deviations along the axes of the ellipse, not those of the parameters."),
                (np.diag(L), "the diagonal of the root is not the root of the diagonal."),
                (-truth, "a standard deviation is positive."),
                (np.shape(got) == H.shape, "that is a matrix. One deviation for each parameter is asked for."),
                (np.shape(got) == () != truth.shape, "that is one number. Each parameter has a deviation of its own."),
            ),
            hint="the covariance is the inverse of the Hessian of -log L; the errors are the roots of its diagonal.",
        )


def _poisson(n, mean):
    return mean**n * np.exp(-mean) / math.factorial(n)


@exercise("hep_fits.scale")
def _(attempt):
    for at in (
        (1.2, 0.8, 11, -0.3, 5.0, 10.0, 1.3),
        (0.4, -1.3, 7, 0.8, 2.0, 4.0, 1.4),
        (2.5, 0.9, 0, 0.2, 1.5, 2.5, 0.8),
    ):
        mu, alpha, n, a, s, b, kappa = at
        factor = kappa**alpha
        rate = s * mu + b * factor
        square, pi = (a - alpha) ** 2 / 2, np.log(2 * np.pi) / 2
        main, aux = -np.log(_poisson(n, rate)), square + pi
        truth, log_factorial = main + aux, math.lgamma(n + 1)
        got = attempt(*at)
        other_rates = (
            (s * mu + b * kappa * alpha, "the factor is kappa to the power of alpha, not their product."),
            (s * mu + b * (1 + alpha * (kappa - 1)), "that is the scale as a straight line in alpha. It is a power."),
            (s * mu + b * np.exp(alpha), "the background is multiplied by kappa to the power of alpha, not by e."),
            (s * mu + b / factor, "the factor is the wrong way round: alpha = 1 multiplies by kappa."),
            (s * mu + b * kappa**a, "the background moves with alpha, not with its measurement a."),
            (s * mu + b, "alpha does nothing to the background there."),
            (s * mu + b * kappa, "the background is multiplied by kappa to the power of alpha. Where is alpha?"),
            ((s * mu + b) * factor, "alpha multiplies the background only, not the signal."),
            (s * mu * factor + b, "alpha multiplies the background, not the signal."),
            (mu * (s + b * factor), "mu multiplies the signal only, not the background."),
            (s + b * factor, "mu does nothing to the signal there."),
            (s * mu, "where is the background?"),
            (b * factor, "where is the signal?"),
        )
        yield Case(
            "mu = {:g}, alpha = {:g}, n = {}, a = {:g}, s = {:g}, b = {:g}, kappa = {:g}".format(*at),
            got,
            truth,
            rtol=1e-5,
            slips=(
                (main, "the Poisson term is right. The auxiliary measurement is missing: a is normal about alpha."),
                (aux, "the normal term is right. The Poisson probability of n is missing."),
                (-truth, "that is log L. Its negative is asked for."),
                (2 * truth, "that is -2 log L. -log L is asked for."),
                (np.exp(-truth), "that is L. Take its logarithm, with a minus."),
                (n > 1 and truth - log_factorial, "a constant is missing: that of the Poisson probability, for n!."),
                (truth - pi, "a constant is missing: that of the normal density."),
                (n > 1 and truth - log_factorial - pi, "both constants are missing."),
                (n > 1 and truth - np.log(n), "the gamma function of n + 1 is n!. That is the one of n."),
                (n > 1 and truth - 2 * log_factorial, "the sign of log n! is reversed."),
                (truth + pi, "the normal density has the root of 2 pi below. Take half of the logarithm."),
                (truth - 2 * pi, "the sign of the normal density's constant is reversed."),
                (truth + square, "the exponent of the normal density has a 2 below."),
                (main - aux, "the sign of the normal term is reversed."),
                (aux - main, "the sign of the Poisson term is reversed."),
                (truth - 2 * square, "the sign of the square is reversed: far away means a larger -log L."),
                (truth - square + alpha**2 / 2, "the normal density is that of a, about alpha. Where is a?"),
                (truth - square + a**2 / 2, "the normal density is that of a, about alpha. Where is alpha?"),
                (truth - square + (a + alpha) ** 2 / 2, "the normal density depends on how far a is from alpha."),
                (truth - square + square / kappa**2, "the width of the normal density is 1. kappa scales the rate."),
                (truth - square + abs(a - alpha) / 2, "the distance of a from alpha is to be squared."),
                (n > 1 and truth + 2 * n * np.log(rate), "the sign of n log(rate) is reversed."),
                (truth - 2 * rate, "the sign of the rate is reversed."),
                (truth - rate, "the Poisson probability has a factor exp(-rate), too."),
                *((aux - np.log(_poisson(n, wrong)), words) for wrong, words in other_rates if wrong > 0),
            ),
            hint="-log L is a sum of two: of the Poisson probability of n, and of the normal density of a.",
        )


@jax.jit
def _counts(params, data):
    """Signal on background, which is also counted alone, for twice the time."""
    rates = jnp.array([5 * params[0] + params[1], 2 * params[1]])
    return jnp.sum(rates - data * jnp.log(rates))


def _counts_fit(data):
    return data @ np.array([[0.2, 0], [-0.1, 0.5]])


@jax.jit
def _normal(params, data):
    return jnp.sum(((data - params[0] - params[1]) / params[1]) ** 2 / 2 + jnp.log(params[1]))


def _normal_fit(data):
    mean = data.mean(axis=-1)
    width = ((data - mean[..., None]) ** 2).mean(axis=-1) ** 0.5
    return np.stack([mean - width, width], -1)


@exercise("hep_fits.through")
def _(attempt):
    for words, nll, fit, data, A, weights in (
        ("two counts", _counts, _counts_fit, [17, 20], [[5, 1], [0, 2]], [1 / 17, 1 / 20]),
        ("mean less width, and width", _normal, _normal_fit, [2, 3, 5, 4], [[1, 1], [0, 1]], [4 / 1.25, 8 / 1.25]),
    ):
        data, A = np.array(data, dtype=float), np.array(A)
        best, moves = moved(fit, (data, np.eye(data.size)))
        best, truth, p, d = best[0], moves.T, 2, data.size
        H = A.T @ np.diag(weights) @ A
        mixed = -H @ truth
        got = attempt(nll, jnp.asarray(best), jnp.asarray(data))
        turned = "that is the transpose. Row i belongs to parameter i, column k to d_k."
        square = p == d
        yield Case(
            f"{words}, data = {data.tolist()}, best = {best.round(4).tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (-truth, "a minus is missing: the gradient stays zero, so both terms cancel."),
                (mixed, "that is how the gradient changes with the parameters held. They answer: solve with H."),
                (-mixed, "that is how the gradient changes with the parameters held. They answer: solve with H."),
                (-H @ mixed, "that multiplies by H. Solve with it."),
                (H @ mixed, "that multiplies by H. Solve with it, and mind the sign."),
                (-mixed / np.diag(H)[:, None], "that uses the diagonal of H only. The parameters are correlated."),
                (square and -np.linalg.solve(H, mixed.T), "the mixed derivative is transposed: a row each parameter."),
                (square and np.linalg.solve(H, mixed.T), "the mixed derivative is transposed, and a minus is missing."),
                (square and -mixed @ np.linalg.inv(H), "solve from the left: H multiplies the parameters' changes."),
                (np.linalg.inv(H), "that is the inverse of H. What does it multiply?"),
                (-np.linalg.inv(H), "that is the inverse of H. What does it multiply?"),
                (truth.T, turned),
                (-truth.T, f"a minus is missing, and {turned}"),
                (mixed.T, f"solve with H, and {turned}"),
                (truth / 2, "half of it. Both derivatives should be those of the same function."),
                (2 * truth, "twice of it. Both derivatives should be those of the same function."),
                (0 * truth, "with the parameters held, nothing moves. But the best fit answers to the data."),
                (np.shape(got) == (p,), "that is one number a parameter. One for each of the data is asked for."),
            ),
            hint="the gradient stays zero as the data and the best fit move: H theta_dot + mixed d_dot = 0.",
        )
