"""The exercises of the chapter on integrals that deal with expectations, estimated from draws."""

import math

import numpy as np

from autodiff_tutorial.exercises.forward_mode import several
from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("integrals.score")
def _(attempt):
    random = np.random.default_rng(55)
    for n, p, b in (5, 0.3, 2.0), (8, 0.6, -1.5), (400, 0.1, 5.0), (400, 0.8, 0.0):
        x = (random.uniform(size=n) < p).astype(int)
        x[:2] = 1, 0
        y = np.round(random.uniform(1, 4, size=n) + 3 * x, 1)
        ones, zeros = y[x == 1] - b, y[x == 0] - b
        truth = (ones.sum() / p - zeros.sum() / (1 - p)) / n
        score = np.where(x == 1, 1 / p, -1 / (1 - p))
        given = f"y = {y.tolist()}, x = {x.tolist()}" if n < 10 else f"{n} draws"
        got = attempt(y.copy(), x.copy(), p, b)
        yield Case(
            f"{given}, p = {p}, b = {b:g}",
            got,
            truth,
            slips=(
                (b != 0 and (y * score).mean(), "the score is right. The baseline is missing."),
                (b != 0 and ((y + b) * score).mean(), "the score is right. The baseline is to be subtracted."),
                (
                    (y * score).mean() - b,
                    "the score is right. The baseline is subtracted before it multiplies.",
                ),
                (((y - y.mean()) * score).mean(), "the score is right. The baseline is the b that is handed over."),
                (truth * p * (1 - p), "that is the slope by the log odds, whose score is x - p. Here p itself moves."),
                (n * truth, "each term is right. Their mean is asked for, not their sum."),
                (n / (n - 1) * truth, "each term is right. Their mean has n below, not n - 1."),
                (-truth, "the sign is reversed: where p grows, x = 1 gains weight, and x = 0 loses it."),
                (ones.sum() / p / n, "the terms with x = 1 are right. Those with x = 0 have a score too."),
                (-zeros.sum() / (1 - p) / n, "the terms with x = 0 are right. Those with x = 1 have a score too."),
                (
                    (ones.sum() / p + zeros.sum() / (1 - p)) / n,
                    "the terms with x = 1 are right. Those with x = 0 have another sign: log(1 - p) falls as p grows.",
                ),
                (
                    (ones.sum() / (1 - p) - zeros.sum() / p) / n,
                    "p and 1 - p are swapped. Which of them is the probability of a 1?",
                ),
                ((ones.sum() - zeros.sum()) / p / n, "the terms with x = 1 are right. A 0 has the probability 1 - p."),
                ((ones.sum() - zeros.sum()) / n, "the signs are right. Where does p stand in the score?"),
                (
                    ((y - b) * np.where(x == 1, p, 1 - p)).mean(),
                    "that has the probabilities. Take their log, and its slope.",
                ),
                (
                    ((y - b) * np.where(x == 1, np.log(p), np.log(1 - p))).mean(),
                    "that has the log of the probability. The score is its slope by p.",
                ),
                (
                    ones.mean() - zeros.mean(),
                    "that is a good estimate too, by two means. Here the score is asked for, and one mean.",
                ),
                (score.mean(), "that is the score alone. What does it multiply?"),
                ((y - b).mean(), "that is the mean of f less the baseline. Where is the score?"),
                (np.shape(got) == (n,), "that is one term a draw. Take their mean."),
            ),
            hint="the log of the probability is log p where x = 1, else log(1 - p). What are their slopes by p?",
        )


@exercise("integrals.cut")
def _(attempt):
    random = np.random.default_rng(56)
    for n, mu, c, sigma in (6, 1.0, 1.505, 1.6), (8, -0.5, 0.405, 0.5), (999, 2.0, 1.005, 1.7), (999, 0.3, 2.505, 1.2):
        x = np.round(mu + sigma * random.standard_normal(n), 2)  # two decimals, so none is at the cut
        above, below = x[x > c], x[x < c]
        fraction = len(above) / n
        pull, push = above.sum() - len(above) * mu, below.sum() - len(below) * mu
        slope = pull / n / sigma**2
        z = (c - mu) / sigma
        beyond, density = math.erfc(z / 2**0.5) / 2, math.exp(-(z**2) / 2) / (sigma * (2 * math.pi) ** 0.5)
        given = f"{f'x = {x.tolist()}' if n < 10 else f'{n} draws'}, mu = {mu}, c = {c}, sigma = {sigma}"
        got = attempt(x.copy(), mu, c, sigma)
        yield several(given, got, "the fraction", "its derivative")
        yield Case(
            f"the fraction, {given}",
            got[0],
            fraction,
            slips=(
                (1 - fraction, "that is the fraction that is lost. Kept is what lies above the cut."),
                (len(above), "that is how many events are kept. Divide by how many there are."),
                (beyond, "that is the exact probability. Its estimate from the draws is asked for."),
                (slope, "that is the derivative. The fraction comes first."),
                (above.mean() if above.size else False, "that is the mean energy of the kept. How many are they?"),
                ((x * (x > c)).mean(), "that adds up the energies of the kept. Count them."),
                (np.shape(got[0]) == (n,), "that is one number a draw. Take their mean."),
            ),
            hint="count the draws above the cut, and divide by all.",
        )
        right = "the fraction is right. "
        yield Case(
            f"the derivative, {given}",
            got[1],
            slope,
            slips=(
                (0.0, right + "The derivative is 0 where each draw is moved. Hold the draws, and move their odds."),
                (slope * sigma, right + "The score has the square of sigma below."),
                (slope * sigma**2, right + "The score has the square of sigma below; here it is missing."),
                (slope / 2, right + "Half of it: the square in the exponent brings down a 2."),
                (2 * slope, right + "Twice of it: the exponent has a 2 below."),
                (-slope, right + "The sign is reversed: more is kept as mu grows."),
                (n * slope, right + "The terms are right. Their mean is asked for, not their sum."),
                (density, right + "That is the exact derivative. Its estimate from the draws is asked for."),
                ((x - mu).mean() / sigma**2, right + "That is the mean score of all draws. Which of them count?"),
                (push / n / sigma**2, right + "That is the mean over the events that are lost."),
                (
                    pull / len(above) / sigma**2,
                    right + "That is a mean over the kept. Divide by the number of all.",
                ),
                (
                    slope - fraction * (x - mu).mean() / sigma**2,
                    right + "That has a baseline: a good estimate, and less noisy. Here it goes without.",
                ),
                (above.sum() / n / sigma**2, right + "The score measures from mu, not from 0."),
                ((above - c).sum() / n / sigma**2, right + "The score measures from mu, not from the cut."),
                (
                    (((above - mu) / sigma) ** 2 - 1).sum() / n / sigma,
                    right + "That is the derivative by sigma. Here mu moves.",
                ),
                (fraction, right + "The second is that fraction again. Where is the score?"),
                (np.shape(got[1]) == (n,), right + "The second is one term a draw. Take their mean."),
            ),
            hint=right + "Each draw above the cut adds its score, the slope by mu of the log of its density.",
        )
