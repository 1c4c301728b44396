"""The exercises of the chapter on toys: how many, which fraction, which random numbers, and what a batch waits for."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise, numbers


@exercise("toys.how_many")
def _(attempt):
    yield numbers(attempt, 3)
    p, far, n = 1e-2, 3.167e-5, 1e4
    relative = 0.05
    others = "the first is right. "
    none = "the first two are right. "
    cases = (
        (
            "toys for a p-value of 0.01, to five percent",
            (1 - p) / (p * relative**2),
            (
                (1 / p, "of so many toys one is beyond, on average. One is known to a hundred percent."),
                (1 / (p * relative), "of so many toys twenty are beyond. How well are twenty known?"),
                (1 / (p * relative**2), "close. Each toy has the variance p (1 - p), and 1 - p is not 1."),
                (1 / relative**2, "so many toys should be beyond. How many are to be thrown for that?"),
                (1 / (p**2 * relative**2), "p counts once: the variance of a count is the count."),
            ),
            "how many toys should be beyond, so that their count is known to five percent?",
        ),
        (
            "toys for 4 sigma, to five percent",
            (1 - far) / (far * relative**2),
            (
                (1 / far, others + "Of so many toys, one would be beyond."),
                (1 / (far * relative), others + "Of so many toys, twenty would be beyond."),
                (2 / (2 * far * relative**2) / 2, others + "4 sigma is a tail on one side."),
            ),
            others + "As many should be beyond as before.",
        ),
        (
            "the p-value that no toy in 10,000 rules out, at 95 %",
            -np.expm1(np.log(0.05) / n),
            (
                (1 / n, none + "That would leave none beyond in 37 % of all runs, not in 5 %."),
                (0.05, none + "That is the level. Which p gives none of 10,000 with this probability?"),
                (0.05 / n, none + "With so small a p, none beyond is what one expects."),
                (float(attempt[2]) == 0, none + "None beyond does not mean that none could be."),
                (3.0, none + "That many would be beyond on average, of all 10,000."),
                (-np.expm1(np.log(0.95) / n), none + "That p gives none in 95 % of all runs. It should be in 5 %."),
            ),
            none + "The probability that none of n is beyond is (1 - p)^n.",
        ),
    )
    for got, (given, truth, slips, hint) in zip(attempt, cases, strict=True):
        yield Case(given, float(got), truth, rtol=0.005, slips=slips, hint=hint, secret=True)


@exercise("toys.fraction")
def _(attempt):
    rng = np.random.default_rng(8)
    smooth = rng.chisquare(1, 400)
    coarse = rng.poisson(1.5, 250).astype(float)
    for words, q, observed in (
        ("400 toys, all different", smooth, 1.3),
        ("250 toys that are whole numbers, and 3 observed", coarse, 3.0),
        ("100 toys, none as far out as the data", smooth[:100] / smooth.max(), 2.0),
    ):
        n, k, above = len(q), np.sum(q >= observed), np.sum(q > observed)
        p = k / n
        error = (p * (1 - p) / n) ** 0.5
        got = attempt(q.copy(), observed)
        both = np.shape(got) == (2,)
        yield Case(words, got, "two numbers", passes=both, hint="return the fraction, and its error.")
        value, deviation = (float(part) for part in got)
        yield Case(
            f"{words}: the fraction",
            value,
            p,
            slips=(
                (above / n, "toys with the very same data as observed are as far out as they are. Count them."),
                (1 - p, "those are the toys that are nearer."),
                (1 - above / n, "those are the toys that are not further out."),
                (float(k), "that is how many. Which fraction of all?"),
                (k / (n - 1), "divide by the number of toys."),
                (2 * p, "only large values count, on one side."),
            ),
            hint="which fraction of the toys is at least as far out as the data?",
        )
        right = "the fraction is right. "
        yield Case(
            f"{words}: its error",
            deviation,
            error,
            slips=(
                (p * (1 - p) / n, right + "That is its variance. Take the root."),
                ((p * (1 - p)) ** 0.5, right + "That is the error of one toy. The mean of n has the error of one, over"
                 " the root of n."),
                ((n * p * (1 - p)) ** 0.5, right + "That is the error of the count. The fraction is the count over n."),
                ((p / n) ** 0.5, right + "That takes the count for one of Poisson's: good for small p, and too large"
                 " for others."),
                (n**-0.5, right + "The root of n is in it. What is the variance of one toy, beyond or not?"),
                (q.std() / n**0.5, right + "That is the error of the mean of q. The fraction is the mean of"
                 " something else."),
            ),
            hint=right + "Each toy is beyond or not: 1 with probability p, else 0. What is the variance of that?",
        )  # fmt: skip


@exercise("toys.counter")
def _(attempt):
    key, other = jax.random.key(11), jax.random.key(12)
    whole = np.asarray(attempt(key, 0, 12), float)
    yield Case("toys 0 to 11", whole.shape, "(12, 3)", passes=whole.shape == (12, 3), hint="one toy a row, of three.")
    part = np.asarray(attempt(key, 5, 4), float)
    yield Case("toys 5 to 8", part.shape, "(4, 3)", passes=part.shape == (4, 3), hint="one toy a row, of three.")
    alike = len(np.unique(whole)) < whole.size
    yield Case(
        "twelve toys",
        f"{len(np.unique(whole))} different numbers",
        "36 different numbers",
        passes=not alike,
        hint="some numbers are used twice: each toy needs a key of its own.",
    )
    yield Case(
        "toys 5 to 8, drawn by themselves",
        part[:, 0],
        whole[5:9, 0],
        slips=((whole[:4, 0], "those are toys 0 to 3: `first` is not used."),),
        hint="toy k depends on what else is drawn. Make its key from the key and k alone.",
    )
    long = np.asarray(attempt(key, 100_000, 2), float)
    near = np.asarray(attempt(key, 100_001, 1), float)
    yield Case("toy 100001, with another and alone", near[0], long[1], hint="its key may depend on k alone.")
    same = bool(np.any(whole == np.asarray(attempt(other, 0, 12), float)))
    largest = max(_sizes(lambda key: attempt(key, 100_000, 2), key), default=0)
    yield Case(
        "the largest array for toys 100000 and 100001",
        f"{largest} numbers",
        "a few",
        passes=largest < 10_000,
        hint="the toys are right, but all before them are made as well.",
    )
    yield Case("another key", "the same toys", "other toys", passes=not same, hint="the key is not used.")
    many = np.asarray(attempt(key, 0, 4000), float)
    moments = many.mean(), many.std(), np.corrcoef(many.T)[0, 1], np.corrcoef(many[:-1, 0], many[1:, 0])[0, 1]
    yield Case(
        "mean, deviation and correlations of 4000 toys",
        moments,
        (0, 1, 0, 0),
        passes=bool(np.all(abs(np.subtract(moments, (0, 1, 0, 0))) < 0.08)),
        hint="they should be standard normal numbers, all independent.",
    )


@exercise("toys.arrow")
def _(attempt):
    rng = np.random.default_rng(2)
    for n in (1, 2, 60):
        d, b, g = rng.uniform(1, 3, n), rng.normal(size=n), rng.normal(size=n + 1)
        c = float(b**2 @ (1 / d) + rng.uniform(1, 2))
        H = np.block([[np.diag(d), b[:, None]], [b, c]])
        x = np.linalg.solve(H, g)
        S, right = c - b**2 @ (1 / d), g[-1] - b @ (g[:-1] / d)

        def back(last, d=d, b=b, g=g):
            return np.append((g[:-1] - b * last) / d, last)

        got = np.asarray(attempt(*map(jnp.asarray, (d, b, c, g))), float)
        yield Case(
            f"an arrow of {n + 1} by {n + 1}",
            got,
            x,
            rtol=1e-8,
            slips=(
                (g / np.append(d, c), "that leaves out the border: it is the diagonal alone."),
                (back(right / (c + b**2 @ (1 / d))), "the last row loses b^2 / d: the complement has a minus."),
                (back(g[-1] / S), "the last row's right side changes as well: b (g / d) is taken from it."),
                (back((g[-1] + b @ (g[:-1] / d)) / S), "b (g / d) is taken from the last right side, not added."),
                (back(right / c), "divide by the Schur complement c - sum(b^2 / d), not by c."),
                (np.append(g[:-1] / d, right / S), "the last unknown is right. Now take it out of the others."),
                (np.append((g[:-1] + b * right / S) / d, right / S), "the last unknown is right. Subtract b times it."),
                (np.append(g[:-1] - b * right / S, right / S), "the last unknown is right. Divide the others by d."),
                (H @ g, "that multiplies by the matrix. Solve with it."),
                (right / S, "that is the last unknown, and right. Return all."),
            ),
            hint="add multiples of the first rows to the last, until only its last unknown is left.",
        )
    n = 300
    vector = jnp.ones(n)
    largest = max(_sizes(attempt, 3 * vector, vector / n, 2.0, jnp.ones(n + 1)), default=0)
    yield Case(
        f"the largest array for n = {n}",
        f"{largest} numbers",
        f"about {n}",
        passes=largest < n * n,
        hint="the answer is right, but a whole matrix is made for it. Vectors are enough.",
    )


def _sizes(attempt, *args):
    """Return the sizes of all arrays that JAX sees made; none, where it cannot look inside."""
    try:
        return _sizes_in(jax.make_jaxpr(attempt)(*args).jaxpr)
    except jax.errors.JAXTypeError:
        return []


def _sizes_in(jaxpr):
    """Return the sizes of all that a program makes, also in programs that it calls."""
    programs = jax.tree.leaves([list(eqn.params.values()) for eqn in jaxpr.eqns])
    programs = [getattr(program, "jaxpr", program) for program in programs]
    inside = [size for program in programs if hasattr(program, "eqns") for size in _sizes_in(program)]
    return [var.aval.size for eqn in jaxpr.eqns for var in eqn.outvars] + inside


@exercise("toys.lockstep")
def _(attempt):
    yield numbers(attempt, 3)
    slow, batch, few, many = 0.02, 100, 8, 60
    share = 1 - (1 - slow) ** batch
    first, second = "the first is right. ", "the first two are right. "
    cases = (
        (
            "the probability of a slow toy in a batch",
            share,
            (
                (slow * batch, "that is how many there are on average. What is the probability of at least one?"),
                (1 - share, "that is the probability of none."),
                (slow, "that is the probability for one toy. There are a hundred chances."),
            ),
            "what is the probability that none of the hundred is slow?",
        ),
        (
            "rounds of a batch that waits",
            share * many + (1 - share) * few,
            (
                (few, first + "Most toys need no more. The batch waits for its slowest."),
                (many, first + "Not every batch has a slow toy."),
                (share * many, first + "Batches without a slow toy take time as well."),
                ((1 - slow) * few + slow * many, first + "That is the mean over toys. A batch waits for its slowest."),
            ),
            first + "A batch takes 60 rounds if there is a slow toy in it, else 8.",
        ),
        (
            "rounds a toy, if slow ones are set aside",
            few + slow * many,
            (
                (few, second + "The slow ones are fitted again: one in fifty, 60 rounds each."),
                (few + many, second + "Only one toy in fifty is fitted again."),
                (
                    few + share * many,
                    second + "Slow toys of many batches are gathered, so that a batch is full of them.",
                ),
                (few + slow * (many - few), second + "They are begun anew, so all their rounds count."),
            ),
            second + "Each toy has its 8 rounds; one in fifty has 60 more.",
        ),
    )
    for got, (given, truth, slips, hint) in zip(attempt, cases, strict=True):
        yield Case(given, float(got), truth, rtol=5e-3, slips=slips, hint=hint, secret=True)


@exercise("toys.cls")
def _(attempt):
    rng = np.random.default_rng(4)
    for words, signal, background, observed in (
        ("counts", rng.poisson(1, 800) * 1.0, rng.poisson(4, 801) * 1.0, 3.0),
        ("smooth statistics", rng.chisquare(1, 900), rng.normal(2, 1, 701) ** 2, 3.0),
    ):

        def tail(q, least):
            return np.mean(q >= least)

        def ratio(q, s=signal, b=background):
            return tail(s, q) / tail(b, q)

        got = attempt(signal.copy(), background.copy(), observed)
        pair = np.shape(got) == (2,)
        yield Case(words, got, "two numbers", passes=pair, hint="return the observed CLs, and the expected one.")
        value, expected = (float(part) for part in got)
        above = np.mean(signal > observed) / np.mean(background > observed)
        yield Case(
            f"{words}: observed",
            value,
            ratio(observed),
            slips=(
                (above, "toys with the same data belong to the tail: at least as far out."),
                (tail(signal, observed), "that is CL_s+b. Divide by the same for background alone."),
                (tail(background, observed), "that is CL_b."),
                (1 / ratio(observed), "the ratio is the wrong way round."),
                ((1 - tail(signal, observed)) / (1 - tail(background, observed)), "those are the other tails."),
                (tail(signal, observed) / (1 - tail(background, observed)), "CL_b is the same tail of the other toys."),
                (np.sum(signal >= observed) / np.sum(background >= observed), "divide each count by its own number."),
                (1 - ratio(observed), "that is the confidence level. CLs is small where the signal is excluded."),
            ),
            hint="which fractions of both kinds of toys are at least as far out as the data?",
        )  # fmt: skip
        right = "the observed one is right. "
        yield Case(
            f"{words}: expected",
            expected,
            np.median([ratio(q) for q in background]),
            rtol=0.02,
            slips=(
                (ratio(np.median(signal)), right + "Expected is what background alone gives, not signal."),
                (np.mean([ratio(q) for q in background]), right + "Take the median, not the mean."),
                (np.median(background), right + "That is the median of q. Which CLs would such data have?"),
                (ratio(np.mean(background)), right + "Take the median, not the mean."),
                (value, right + "The expected one does not depend on the data."),
                (0.5, right + "Half of the toys have a larger CL_b. But CLs is asked for."),
            ),
            hint=right + "Let each toy of background alone be the data in turn. What is the median of its CLs?",
        )
