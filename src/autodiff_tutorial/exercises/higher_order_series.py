"""The exercises of the chapter on higher derivatives that deal with Taylor series."""

import math

import numpy as np
from scipy import linalg

from autodiff_tutorial.exercises.judge import Case, exercise


def _quotient(a, b):
    """Solve c b = a for the coefficients of c, all at once: b as a triangular matrix with equal diagonals."""
    return linalg.solve_triangular(linalg.toeplitz(b, np.zeros(len(b))), a, lower=True)


def _slipped(a, b, start, partner):
    """Divide with a sum over j from start to k - 1 only, of b[j] and the given partner in c."""
    c = []
    for k in range(len(a)):
        c.append((a[k] - sum(b[j] * c[partner(j, k)] for j in range(start, k))) / b[0])
    return c


def _factorials(count):
    return np.array([math.factorial(k) for k in range(count)], dtype=float)


@exercise("higher_order.quotient")
def _(attempt):
    random = np.random.default_rng(29)
    for K in 4, 1, 8:
        a, b = np.round(random.uniform(0.5, 1.5, size=(2, K + 1)) * random.choice([-1, 1], size=(2, K + 1)), 1)
        b[0] = np.sign(b[0]) * round(random.uniform(2.0, 3.0), 1)
        truth, k = _quotient(a, b), _factorials(K + 1)
        derivatives = "the lists hold coefficients, f^(k) / k!, not derivatives."
        divide = "b[0] is the factor of the new coefficient: divide by it, all that stands on the other side."
        paired = "in coefficient k of a product the indices add up to k: b[j] goes with c[k - j], and j ends at k."
        given = f"a = {a.tolist()}, b = {b.tolist()}"
        try:
            got = attempt(a.tolist(), b.tolist())
        except IndexError as error:
            yield Case(given, f"IndexError: {error}", f"{K + 1} numbers", passes=False, hint=paired)
        yield Case(
            given,
            got,
            truth,
            slips=(
                (a / b, "a quotient of series is not taken entry by entry: that holds for the first one only."),
                (np.convolve(a, b)[: K + 1], "that is the product."),
                (_quotient(b, a), "that is b / a."),
                (truth * k, derivatives),
                (truth / k, derivatives),
                (k * _quotient(a / k, b / k), derivatives),
                (_quotient(a, [1.0, *b[1:]]), divide),
                (_quotient(a / b[0], [1.0, *b[1:]]), divide),
                (_quotient(a, [b[0], *-b[1:]]), "the sign of the sum is reversed: it goes to the other side."),
                (_quotient(a, b[[0, *range(K)]]), "the sum begins at j = 1: b[0] belongs to the new coefficient."),
                (
                    _slipped(a, b, 1, lambda j, k: k - j),
                    "one term short: range(1, k) ends at k - 1, and leaves out b[k] c[0].",
                ),
                *((_slipped(a, b, start, lambda j, k: j), paired) for start in (0, 1)),
                (_quotient(a * b[0], b), "the sum alone is divided by b[0]: put a[k] - sum in parentheses."),
                (truth[::-1], "the order is reversed: the constant comes first."),
                (a / b[0], "b is taken as a constant. Its other coefficients count too."),
                (-truth, "the sign is reversed."),
                (
                    np.shape(got) == truth.shape and bool(np.allclose(got[:2], truth[:2])),
                    "the first two are right. Each later one takes all the coefficients before it.",
                ),
                (
                    np.shape(got) == truth.shape and bool(np.allclose(got[:1], truth[:1])),
                    "the first one is right. What is the coefficient of t in c b?",
                ),
            ),
            hint="c b = a. Compare the coefficients of t^k on both sides.",
        )


@exercise("higher_order.series")
def _(attempt):
    for y0, order in ((0.7, 5), (-1.3, 2), (1.9, 9), (0.6, 0)):
        k = np.arange(order + 1.0)
        truth, factorials = y0 ** (k + 1), _factorials(order + 1)
        catalan = np.array([math.comb(2 * i, i) / (i + 1) for i in range(order + 1)])
        got = attempt(y0, order)
        yield Case(
            f"y0 = {y0}, order = {order}",
            got,
            truth,
            slips=(
                (catalan * truth, "the division by k + 1 is missing: the slope of c t^(k + 1) is (k + 1) c t^k."),
                (truth * factorials, "those are derivatives. A coefficient is a derivative divided by k!."),
                (truth / factorials, "divided by k!, as where y' = y0 y. In y^2 both factors change."),
                (y0 / factorials, "that solves y' = y. Here the slope is y^2."),
                (y0 * (2 * y0) ** k / factorials, "that solves y' = 2 y0 y. y^2 changes as y does."),
                (y0**k, "shifted by one: the constant c_0 is y0."),
                (y0 ** (k + 2), "shifted by one: the constant c_0 is y0."),
                (truth * (-1) ** k, "the sign alternates, as for y' = -y^2."),
                (_entrywise(y0, order), "the coefficients of y^2 are not the squares of those of y."),
                (np.shape(got) == (order,) and order > 0, "one number too few: c_0 to c_order are order + 1."),
                (np.shape(got) == (order + 2,), "one number too many: c_0 to c_order are order + 1."),
                (np.shape(got) == () and order > 0, "all coefficients, from c_0 to c_order."),
            ),
            hint="coefficient k of y^2 is the sum of c_j c_(k - j), for j from 0 to k. It is (k + 1) c_(k + 1).",
        )


def _entrywise(y0, order):
    c = [y0]
    for k in range(order):
        c.append(c[k] ** 2 / (k + 1))
    return np.array(c)
