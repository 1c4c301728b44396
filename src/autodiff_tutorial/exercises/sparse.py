"""The exercises of the chapter on sparse derivatives that deal with patterns, and with matrices read and used."""

import numpy as np
from scipy import linalg

from autodiff_tutorial.exercises.judge import Case, dictionary, exercise


@exercise("sparse.compose")
def _(attempt):
    random = np.random.default_rng(484)
    for m, k, n in (4, 4, 4), (3, 5, 4), (6, 2, 5):
        A, B = random.random((k, n)) < 0.45, random.random((m, k)) < 0.45
        paths = B.astype(int) @ A.astype(int)
        truth = paths > 0
        got = attempt(A.copy(), B.copy())
        square, shape = m == k == n, np.shape(got)
        yield Case(
            f"A = {A.astype(int).tolist()}, B = {B.astype(int).tolist()}",
            got,
            truth,
            slips=(
                (
                    paths,
                    "that counts the ways from an input to an output. A pattern says only whether there is one: > 0.",
                ),
                (truth.T, "that is the transpose. Row i belongs to output i of h."),
                (paths % 2, "two ways do not cancel. What counts is whether there is one."),
                (paths == 1, "two ways are as good as one: > 0, not == 1."),
                ((B[:, :, None] & A).all(axis=1), "that asks for all ways at once. One is enough."),
                (np.ones((m, n)), "not everything depends on everything."),
                *(
                    (
                        (A.astype(int) @ B > 0, "that is the pattern of g(h(x)). Which of the two comes first?"),
                        (A.astype(int) @ B, "that is g(h(x)), and it counts ways. Which of the two comes first?"),
                        (B.T.astype(int) @ A > 0, "B is transposed."),
                        (B.astype(int) @ A.T > 0, "A is transposed."),
                        (A & B, "that compares entry by entry. The chain rule is a product of matrices."),
                        (A | B, "that unites entry by entry. The chain rule is a product of matrices."),
                    )
                    if square
                    else ()
                ),
                (shape == (m, k, n), "those are the ways through each component of g. Unite them."),
            ),
            hint="output i depends on input j if, for some l, it depends on l, and l on j.",
        )


def _tridiagonal(random, n):
    J = np.round(random.uniform(1.0, 9.0, size=(n, n)), 1) * random.choice([-1.0, 1.0], size=(n, n))
    return np.triu(np.tril(J, 1), -1)


@exercise("sparse.read")
def _(attempt):
    random = np.random.default_rng(34)
    for n in 4, 3, 8, 31:
        J, color = _tridiagonal(random, n), np.arange(n) % 3
        columns = np.stack([J[:, color == c].sum(axis=1) for c in range(3)])
        everywhere, inside = columns[color].T, np.triu(np.tril(np.ones((n, n)), 1), -1)
        by_row, corners = columns[color, np.arange(n)], np.eye(n, k=n - 1) + np.eye(n, k=1 - n)
        got = attempt(columns.copy())
        yield Case(
            f"columns = {columns.tolist()}" if n < 8 else f"the products of a matrix with n = {n}",
            got,
            J,
            slips=(
                (
                    J.T,
                    "that is the transpose. The color is that of the column j, the place in the product is the row i.",
                ),
                (
                    J + corners * everywhere,
                    "the corners are empty: the first row has no neighbor on the left. An index of -1 means the last.",
                ),
                (everywhere, "each number is read again in every third column. It has one place, inside the band."),
                (np.diag(np.diag(J)), "that is the diagonal. Its neighbors on both sides are missing."),
                (np.tril(J), "the entries above the diagonal are missing. Where does the range of j end?"),
                (np.triu(J), "the entries below the diagonal are missing. Where does the range of j begin?"),
                (inside * by_row[:, None], "the color is that of the column j, not of the row i."),
                (inside * by_row, "the place in the product is the row i, not the column j."),
                *(
                    (inside * np.roll(columns, shift, axis=0)[color].T, "the colors are shifted: column 0 has color 0.")
                    for shift in (1, 2)
                ),
                (
                    np.shape(got) == (3, n) != (n, n),
                    "those are the products. Put each number in its row and column.",
                ),
                (np.shape(got) == (3, 3) != (n, n), "n is the length of a product, not the number of colors."),
            ),
            hint="entry (i, j) is component i of the product with color j mod 3.",
        )


@exercise("sparse.hold")
def _(attempt):
    yield dictionary(attempt, "floor", "through")
    front, diagonal = np.zeros((3, 3)), np.eye(3)
    front[:, 0] = 1
    both = np.maximum(front, diagonal)
    alone = front * diagonal
    size = "it should be a square with three rows and three columns."
    turned = "is that the transpose? A row belongs to an output, a column to an input."
    for key, given, answer, slips, hint in (
        (
            "floor",
            "f as it stands",
            front,
            (
                (both, "between whole numbers floor is flat: can its own argument move an output at all?"),
                (both.T, f"between whole numbers floor is flat. And {turned}"),
                (diagonal, "floor is flat, and lets nothing through. But the factor behind it moves."),
                (0 * front, "floor has no slope. But the factor behind it moves, and with it the product."),
                (alone, "the factor behind floor is the same in all outputs."),
                (both - alone, "the first output is a product of the same kind. And is floor not flat?"),
                (front - alone, "the first output holds the first input too, behind the floor."),
                (front.T, turned),
            ),
            "differentiate the product: one term for each of its two factors. Which of them is always zero?",
        ),
        (
            "through",
            "f with the floor that lets tangents through",
            both,
            (
                (front, "now the floor has a slope. Which input moves it, in each output?"),
                (diagonal, "that is the share of the floor. The factor behind it moves as before."),
                (both - alone, "the two terms of the first output have no reason to cancel."),
                (0 * front, "now both factors move."),
                (np.ones((3, 3)), "each output holds its own input and the first one. Which others?"),
                (both.T, turned),
            ),
            "differentiate the product: one term for each of its two factors. Which input moves each of them?",
        ),
    ):
        got = attempt[key]
        slips = ((np.shape(got) != (3, 3), size), *slips)
        yield Case(given, got, answer, slips=slips, hint=hint, secret=True)


def _residual(u, h, cubic=1.0, source=100.0):
    w = np.pad(u, 1)
    return (2 * u - w[:-2] - w[2:]) / h**2 + cubic * u**3 - source


def _solution(n):
    """Solve by bands: the library's sparse Jacobians take no part."""
    h, u = 1 / (n + 1), np.zeros(n)
    for _ in range(12):
        bands = np.full((3, n), -1 / h**2)
        bands[1] = 2 / h**2 + 3 * u**2
        u = u - linalg.solve_banded((1, 1), bands, _residual(u, h))
    return u


@exercise("sparse.newton")
def _(attempt):
    for n in 50, 5000:
        with np.errstate(all="ignore"):
            got = attempt(n)
        truth, h = _solution(n), 1 / (n + 1)
        u = np.asarray(got)
        vector = u.shape == (n,) and u.dtype.kind == "f"
        finite = vector and bool((abs(u) < 1e6).all())
        near = finite and bool(abs(u - truth).max() < 0.1)
        yield Case(
            f"n = {n}",
            got,
            truth,
            rtol=1e-8,
            slips=(
                (u.shape == (n + 2,), "the two ends are known. Return the n points between them."),
                (u.shape == (n, 1), "that is a column. Return an array of shape (n,)."),
                (vector and not finite, "the steps run away. Is a sign reversed, or the Jacobian still that at 0?"),
                (near and u.dtype == np.float32, "that is in float32. Switch on jax_enable_x64 first."),
                (
                    finite and _vanishes(u, h, cubic=0.0),
                    "that is the first step from 0, where the cubic term has no slope. Go on from there.",
                ),
                (finite and _vanishes(u, h, source=1.0), "that is right for a 1 on the right-hand side."),
                (finite and _vanishes(u, 1 / n), "n points between the ends make n + 1 gaps: h = 1 / (n + 1)."),
                (finite and _vanishes(u, 1 / (n - 1)), "are the ends among the points? h = 1 / (n + 1)."),
                (finite and _vanishes(u, 1.0), "the second difference is not divided by h^2."),
                (finite and _vanishes(u, h**0.5), "the second difference is divided by h^2, not by h."),
                (finite and _vanishes(-u, h), "the sign of u is reversed."),
                (
                    finite and bool(max(-u.min(), u.max() ** 3 - 101) > 0),
                    "u lies between 0 and the cube root of 100. Check the signs and the power: do the steps settle?",
                ),
                (near, "close. Are there enough steps, and is the Jacobian taken anew in each?"),
            ),
            hint="print the largest residual after each step. It should vanish within ten steps.",
        )
        largest = abs(_residual(u, h)).max()
        yield Case(
            f"the largest residual, n = {n}",
            largest,
            "below 1e-4",
            passes=bool(largest < 1e-4),
            hint="go on until the residual does not fall any more.",
        )


def _vanishes(u, h, **changed):
    size = 2 * abs(u).max() / h**2 + 100
    return bool(abs(_residual(u, h, **changed)).max() < 1e-8 * size)
