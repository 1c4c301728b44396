"""The exercises of the chapter on custom rules that deal with determinants and linear equations."""

import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved, several
from autodiff_tutorial.exercises.judge import Case, exercise


def matrix(random, m, n, added=0.0):
    """Draw a matrix of numbers with one decimal, none of them 0."""
    signs = random.choice([-1.0, 1.0], size=(m, n))
    return np.round(signs * random.uniform(0.1, 0.9, size=(m, n)) + added * np.eye(m, n), 1)


def units(m, n):
    return np.eye(m * n).reshape(m * n, m, n)


def close(got, truth):
    """Tell whether an answer has the right shape and some of the digits, as a finite difference has."""
    got = np.asarray(got)
    return got.shape == truth.shape and bool((abs(got - truth) < 1e-2 * abs(truth).max()).all())


DIFFERENCE = "close, but not as close as the exact derivative. Is that a finite difference?"


@exercise("custom_rules.logdet")
def _(attempt):
    random = np.random.default_rng(40)
    for n, y_bar in ((3, -1.5), (2, 0.7), (4, 2.0)):
        A = matrix(random, n, n, added=1.0)
        if y_bar * np.linalg.det(A) < 0:
            A[0] = -A[0]
        det, changes = moved(np.linalg.det, (A, units(n, n)))
        per_unit = (changes / det).reshape(n, n)
        truth, det = y_bar * per_unit, det[0]
        got = attempt(A.copy(), y_bar)
        yield Case(
            f"A = {A.tolist()}, y_bar = {y_bar}",
            got,
            truth,
            slips=(
                (truth.T, "that is the transpose. Entry (i, j) tells how y changes with A[i, j]."),
                (per_unit, "y_bar is missing: a VJP weighs the derivative with it."),
                (per_unit.T, "y_bar is missing, and that is the transpose."),
                (det * truth, "that is for the determinant itself. The logarithm divides by it."),
                (abs(det) * truth, "that is for |det A| itself. The logarithm divides by it."),
                (truth / det, "divided by the determinant once too often: the inverse has it in its denominator."),
                (det * truth.T, "that is for the determinant itself, and transposed."),
                (-truth, "the sign is reversed. The sign of det A plays no part, nor does another."),
                (y_bar * A.T, "that has A where its inverse belongs."),
                (y_bar * A, "that has A where its inverse belongs."),
                (y_bar / A, "that is 1 over each entry. The inverse of the matrix is asked for."),
                (y_bar * np.diag(np.diag(per_unit)), "the entries beside the diagonal count too."),
                (np.shape(got) == (), f"one number. A_bar has the shape of A, {A.shape}."),
            ),
            hint="along E, log |det A| changes by the trace of the inverse of A times E. Write that as <A_bar, E>.",
        )


@exercise("custom_rules.slip")
def _(attempt):
    random = np.random.default_rng(41)
    for n in 3, 2, 3:
        A, (x_bar, x) = matrix(random, n, n, added=2.0), np.round(random.uniform(0.5, 2, size=(2, n)), 1)
        b = A @ x
        given = f"A = {A.tolist()}, b = {b.round(2).tolist()}, x_bar = {x_bar.tolist()}"
        got = attempt(A.copy(), b.copy(), x_bar.copy())
        yield several(given, got, "A_bar", "b_bar")
        changes = [moved(lambda A, b=b: np.linalg.solve(A, b), (A, E))[1] for E in units(n, n)]
        A_bar = (np.array(changes) @ x_bar).reshape(n, n)
        b_bar = np.array([np.linalg.solve(A, e) for e in np.eye(n)]) @ x_bar
        slipped, turned = np.linalg.solve(A, x_bar), np.linalg.solve(A.T, b)
        yield Case(
            f"b_bar, {given}",
            got[1],
            b_bar,
            slips=(
                (slipped, "that is the slip itself: it solves with A, and a transpose was lost."),
                (np.linalg.solve((A + A.T) / 2, x_bar), "that makes A symmetric. The rule has to hold for any A."),
                (A.T @ x_bar, "that multiplies. x is linear in b by way of the inverse of A."),
                (-b_bar, "the sign is reversed: x grows with b."),
                (np.shape(got[1]) == (n, n), "that is A_bar, which comes first."),
            ),
            hint="x is a linear function of b. Which matrix is it, and what is its transpose?",
        )
        yield Case(
            f"A_bar, {given}",
            got[0],
            A_bar,
            slips=(
                (-np.outer(slipped, x), "b_bar is mended, but A_bar still holds the old one."),
                (-np.outer(b_bar, turned), "now x is solved for with the transpose. That part was right: A x = b."),
                (-np.outer(x, b_bar), "that is the transpose. Row i of A belongs to entry i of b."),
                (-np.outer(x, slipped), "that is the transpose, and it holds the old b_bar."),
                (-A_bar, "the sign is reversed: where A grows, x shrinks."),
                (-np.outer(b_bar, b), "that has b where x belongs."),
                (-np.outer(x_bar, x), "that has x_bar where b_bar belongs."),
                (np.shape(got[0]) == (n,), f"A_bar has the shape of A, {A.shape}."),
            ),
            hint="a change E of A acts as a change -E x of b. What does b_bar say of it?",
        )


def _solved(A, B, C):
    """Solve A X + X B = C as one system of linear equations in the entries of X, row by row."""
    m, n = C.shape
    system = np.kron(A, np.eye(n)) + np.kron(np.eye(m), B.T)
    return np.linalg.solve(system, C.reshape(m * n)).reshape(m, n)


@exercise("custom_rules.sylvester")
def _(attempt):
    random = np.random.default_rng(44)
    for m, n in (3, 3), (2, 3), (4, 2):
        A, A_dot, B, B_dot = (matrix(random, k, k, added) for k in (m, n) for added in (2.0, 0.0))
        C, C_dot = matrix(random, m, n), matrix(random, m, n)
        X, truth = moved(_solved, (A, A_dot), (B, B_dot), (C, C_dot))
        got = attempt(*(M.copy() for M in (A, B, C, A_dot, B_dot, C_dot)))
        AX, XB = A_dot @ X, X @ B_dot
        rest = C_dot - AX - XB
        signs = "A X + X B = C stays as it is. Which terms go to the other side, and with which sign?"
        order = "the order of the factors: A_dot stands on the left of X, and B_dot on its right."
        given = f"A = {A.tolist()}, B = {B.tolist()}, C = {C.tolist()}" if m == n else f"m = {m}, n = {n}"
        swapped = (C_dot - X @ A_dot - B_dot @ X, C_dot - AX - B_dot @ X, C_dot - X @ A_dot - XB) if m == n else ()
        yield Case(
            given,
            got,
            truth,
            rtol=1e-12,
            slips=(
                *((_solved(A, B, right), signs) for right in (C_dot + AX + XB, C_dot + AX - XB, C_dot - AX + XB)),
                *((_solved(A, B, right), order) for right in swapped),
                (_solved(A, B, C_dot), "that is the share of C_dot. A and B move too."),
                (_solved(A, B, -AX - XB), "the share of C_dot is missing."),
                (_solved(A, B, C_dot - AX), "the share of B_dot is missing."),
                (_solved(A, B, C_dot - XB), "the share of A_dot is missing."),
                (rest, "that is the right-hand side of the second equation. Solve it."),
                (X, "that is X. Its tangent solves an equation of the same kind."),
                (_solved(A.T, B.T, rest), "that solves with the transposes, which belong to reverse mode."),
                (_solved(A_dot, B_dot, C_dot), "X is not linear in A and B: the second equation has the same A and B."),
                (_solved(A, B, C_dot) - AX - XB, "A_dot X and X B_dot belong inside, on the right-hand side."),
                (-truth, "the sign is reversed."),
                (np.shape(got) == (n, m) != (m, n), "that is transposed. X_dot has the shape of C."),
                (close(got, truth), DIFFERENCE),
            ),
            hint="differentiate A X + X B = C by the product rule, and solve for X_dot.",
        )
