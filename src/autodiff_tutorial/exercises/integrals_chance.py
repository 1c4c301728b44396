"""The exercises of the chapter on integrals that deal with expectations, estimated from draws."""

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
                    "p and 1 - p are swapped. Which of them are the odds of a 1?",
                ),
                ((ones.sum() - zeros.sum()) / p / n, "the terms with x = 1 are right. The odds of a 0 are 1 - p."),
                ((ones.sum() - zeros.sum()) / n, "the signs are right. What does each draw's odds divide?"),
                (((y - b) * np.where(x == 1, p, 1 - p)).mean(), "that has the odds. The score is their log's slope."),
                (
                    ((y - b) * np.where(x == 1, np.log(p), np.log(1 - p))).mean(),
                    "that has the log of the odds. The score is its slope by p.",
                ),
                (
                    ones.mean() - zeros.mean(),
                    "that is a good estimate too, by two means. Here the score is asked for, and one mean.",
                ),
                (score.mean(), "that is the score alone. What does it multiply?"),
                ((y - b).mean(), "that is the mean of f less the baseline. Where is the score?"),
                (np.shape(got) == (n,), "that is one term a draw. Take their mean."),
            ),
            hint="the log of the odds is log p where x = 1, and log(1 - p) where x = 0. What are their slopes by p?",
        )
