"""The exercises of the chapter on custom rules that deal with functions of matrices known as black boxes only."""

import math

import numpy as np
from scipy import linalg

from autodiff_tutorial.exercises.custom_rules_matrices import DIFFERENCE, close, matrix, units
from autodiff_tutorial.exercises.judge import Case, exercise


def _series(a, terms=40):
    return [a(k) / math.factorial(k) for k in range(terms)]


# Black boxes, each with the coefficients of its power series.
_FUNCTIONS = {
    "scipy.linalg.sinm": (linalg.sinm, _series(lambda k: k % 2 * (2 - k % 4))),
    "scipy.linalg.expm": (linalg.expm, _series(lambda k: 1)),
    "X @ X": (lambda X: X @ X, [0, 0, 1]),
    "3 X @ X @ X - X + I": (lambda X: 3 * X @ X @ X - X + np.eye(len(X)), [1, -1, 0, 3]),
}


def _box(f, calls):
    """Return f with its calls noted."""

    def box(X):
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[0] != X.shape[1] or X.dtype.kind not in "fiu":
            raise ValueError(f"f takes a square matrix of real numbers, and got one of shape {X.shape} and {X.dtype}")
        calls.append(X.shape)
        return f(X)

    return box


def _mixed(c, A, E, B):
    """Sum c_k times all A^i E B^j with i + j = k - 1: with B = A, the derivative of f at A along E."""
    total, word, power = 0 * E, 0 * E, np.eye(len(B))
    for a in c:
        total, word, power = total + a * word, A @ word + E @ power, B @ power
    return total


def _trials(seed):
    random = np.random.default_rng(seed)
    for (name, (f, c)), n in zip(_FUNCTIONS.items(), (3, 2, 3, 4), strict=True):
        A, E = matrix(random, n, n), matrix(random, n, n)
        yield name, f, c, n, A, E, _mixed(c, A, np.eye(n), A)


def _once(given, n, calls):
    return Case(
        f"the number of calls of f, {given}",
        len(calls),
        1,
        slips=(
            (n * n, "right, but with a call for every entry. One is enough."),
            (2, "two calls: a difference of values? One call, on a matrix twice as large, is enough."),
        ),
        hint="one call is enough, on a matrix twice as large.",
    )


@exercise("custom_rules.block")
def _(attempt):
    for name, f, c, n, A, E, slope in _trials(42):
        given, calls = f"f = {name}, A = {A.tolist()}, E = {E.tolist()}", []
        got = attempt(_box(f, calls), A.copy(), E.copy())
        truth = _mixed(c, A, E, A)
        commuting = "right if A and E commute. Matrices do not, in general."
        shape = np.shape(got)
        yield Case(
            given,
            got,
            truth,
            rtol=1e-12,
            slips=(
                (f(A), "that is f(A), the block on the diagonal."),
                (shape == (2 * n, 2 * n), "that is f of the whole block matrix. Cut a block out."),
                (np.zeros((n, n)), "that corner is 0, whatever f. E and the result are in the same corner."),
                (truth.T, "that is the transpose."),
                (_mixed(c, A, E.T, A), "that is the derivative along the transpose of E."),
                (_mixed(c, A.T, E, A.T), "that is at the transpose of A."),
                (slope, "that is the derivative along the identity. Where is E?"),
                (_mixed(c, A, E, 0 * A), "A stands twice on the diagonal. In yours, one of the two is 0."),
                (_mixed(c, 0 * A, E, A), "A stands twice on the diagonal. In yours, one of the two is 0."),
                (_mixed(c, A, E, np.eye(n)), "A stands twice on the diagonal. In yours, one of the two is I."),
                (_mixed(c, A, E, A.T), "A stands twice on the diagonal. In yours, one of the two is transposed."),
                ((f(A + E) - f(A - E)) / 2, "E stands in one corner only, and the other is 0."),
                (f(A + E) - f(A), "that is a change of f, not its derivative."),
                (f(A + E), "that is f at A + E. Call f once, on a block matrix."),
                (slope @ E, commuting),
                (E @ slope, commuting),
                (f(A) @ E, "that is f(A) times E. Only for exp, and if A and E commute, is that the derivative."),
                (f(A) * E, "that multiplies entry by entry. A function of a matrix is not taken entry by entry."),
                (f(E), "that is f(E). f is linear in E only as far as its derivative goes."),
                (-truth, "the sign is reversed."),
                (close(got, truth), DIFFERENCE),
            ),
            hint="call f on [[A, E], [0, A]], and look at the upper right corner.",
        )
        yield _once(given, n, calls)


@exercise("custom_rules.pullback")
def _(attempt):
    for name, f, c, n, A, C_bar, slope in _trials(43):
        given, calls = f"f = {name}, A = {A.tolist()}, C_bar = {C_bar.tolist()}", []
        got = attempt(_box(f, calls), A.copy(), C_bar.copy())
        truth = np.array([(C_bar * _mixed(c, A, E, A)).sum() for E in units(n, n)]).reshape(n, n)
        forward = "that is the derivative along C_bar: forward, not back."
        one = "only one of the two blocks on the diagonal is transposed."
        commuting = "right if all matrices commute. They do not, in general."
        yield Case(
            given,
            got,
            truth,
            rtol=1e-12,
            slips=(
                (_mixed(c, A, C_bar, A), f"{forward} What is the adjoint of E -> L(A, E)?"),
                (_mixed(c, A, C_bar, A).T, f"{forward} To transpose the result is not to transpose the map."),
                (truth.T, "that is the transpose of the answer. Is C_bar transposed, in place of A?"),
                (_mixed(c, A.T, C_bar, A), one),
                (_mixed(c, A, C_bar, A.T), one),
                (_mixed(c, A.T, C_bar, 0 * A), "both blocks on the diagonal are transposes of A. One of yours is 0."),
                (slope.T @ C_bar, commuting),
                (C_bar @ slope.T, commuting),
                (slope * C_bar, "that multiplies entry by entry. A function of a matrix is not taken entry by entry."),
                (slope.T, "that is the cotangent for C_bar = I. Where is C_bar?"),
                (f(A), "that is f(A). Which corner holds the derivative?"),
                (f(A.T), "that is f at the transpose of A. Which corner holds the derivative?"),
                (np.zeros((n, n)), "that corner is 0, whatever f. C_bar and the result are in the same corner."),
                (-truth, "the sign is reversed."),
                (np.shape(got) == (2 * n, 2 * n), "that is f of the whole block matrix. Cut a block out."),
                (close(got, truth), DIFFERENCE),
            ),
            hint="<C_bar, L(A, E)> = <A_bar, E> for all E. Try it with f(X) = X X: which factors are transposed?",
        )
        yield _once(given, n, calls)
