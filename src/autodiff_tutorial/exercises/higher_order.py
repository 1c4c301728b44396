"""The exercises of the chapter on higher derivatives that deal with Hessians."""

import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved
from autodiff_tutorial.exercises.judge import Case, dictionary, exercise


@exercise("higher_order.passes")
def _(attempt):
    n = 1000
    yield dictionary(attempt, "product", "curvature", "hessian")
    entries = "that is the number of entries of H. How many of them does a product give?"
    whole = "that is for all of H. Is H itself needed here?"
    saves_none = "symmetry saves none, nor does the trace: along a direction left out, the curvature stays unknown."
    none = "neither the value nor the gradient tells how the gradient changes along v."
    yield Case(
        "the product H v",
        attempt["product"],
        1,
        slips=(
            (n, whole),
            (n * n, entries),
            (2, "the two derivatives are inside one product: it is a derivative of the gradient."),
            (0, none),
        ),
        hint="what does a Hessian-vector product return?",
        secret=True,
    )
    yield Case(
        "the number v^T H v",
        attempt["curvature"],
        1,
        slips=(
            (n, whole),
            (n * n, entries),
            (2, "v enters twice, and only from the right does it take a product with H. What is left to do with v^T?"),
            (0, none),
        ),
        hint="v^T (H v): what has to be known of H?",
        secret=True,
    )
    yield Case(
        "all of H",
        attempt["hessian"],
        n,
        slips=(
            (n * n, entries),
            (n * (n + 1) // 2, "so many entries differ, at most. How many of them does a product give?"),
            *((count, saves_none) for count in (n // 2, n - 1)),
            (n + 1, "finite differences of the gradient need a point to compare with. A product needs none."),
            (2 * n, "the two derivatives are inside one product: it is a derivative of the gradient."),
            (1, "a product gives H v for the v that it is given. Which v picks out a column?"),
        ),
        hint="a product gives H v. Which v picks out a column, and how many columns has H?",
        secret=True,
    )


@exercise("higher_order.slip")
def _(attempt):
    random = np.random.default_rng(25)
    for n in 3, 4:
        c, x = np.round(random.uniform(0.3, 0.9, size=(2, n)) * random.choice([-1, 1], size=(2, n)), 1)

        def f(x, c=c):
            return jnp.exp(c @ x) + jnp.sum(x**3)

        e = np.exp(c @ x)
        g, H = e * c + 3 * x**2, e * np.outer(c, c) + np.diag(6 * x)
        truth = H @ x
        got = attempt(f, x.copy())
        yield Case(
            f"f(x) = exp(c.x) + sum of x^3, c = {c.tolist()}, x = {x.tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (
                    truth + g,
                    "that is the slip itself: H x and the gradient. Inside, y is there twice. Which one is to move?",
                ),
                (truth - g, "the gradient is subtracted once too often."),
                (np.stack([g, truth]), "those are the gradient and the product. Give the product alone."),
                (np.shape(got) == (2, n), "those are two vectors. Give the product alone."),
                (g, "that is the gradient of f. Which function has it to be differentiated along x?"),
                (x @ truth, "that is the number x^T H x."),
                (x @ g, "that is the slope of f along x, a number. Take the gradient of such a slope."),
                (H, "that is H itself. Multiply it by x, or never build it."),
                (2 * truth, "twice of it."),
                (truth / 2, "half of it."),
                (H.sum(axis=1), "that is H times a vector of ones. The direction is x."),
                (H @ g, "that is H times the gradient. The direction is x."),
                (np.diag(H) * x, "that is the diagonal of H times x. The other entries count too."),
                (-truth, "the sign is reversed."),
            ),
            hint="how does the gradient change when y leaves x in the direction of x?",
        )


def _mixed(X):
    """Differentiate trace(X X Y^T), entry by entry: it is linear in Y, and a change of X is exact by a complex step."""
    n = len(X)
    units = np.eye(n * n).reshape(n, n, n, n)
    M = np.empty((n, n, n, n))
    for i, j, k, l in np.ndindex(M.shape):
        M[i, j, k, l] = moved(lambda X, E=units[k, l]: np.trace(X @ X @ E.T), (X, units[i, j]))[1]
    return M


def _in_X_alone(Y):
    eye = np.eye(len(Y))
    return np.einsum("jk,il->ijkl", eye, Y) + np.einsum("il,kj->ijkl", eye, Y)


@exercise("higher_order.mixed")
def _(attempt):
    random = np.random.default_rng(26)
    for n in 2, 3:
        X, eye = random.permutation(np.arange(1.0, n * n + 1)).reshape(n, n), np.eye(n)
        truth = _mixed(X)
        first, second = np.einsum("ik,jl->ijkl", eye, X), np.einsum("ki,jl->ijkl", X, eye)
        one = "that is the share of one of the two factors X. Both of them change."
        alike = "the two factors X do not give the same: X does not commute with its change."
        swapped = "two indices are swapped. M[i, j, k, l] belongs to X[i, j] and Y[k, l]."
        alone = "that is the Hessian in X alone, or i and j are swapped: once by X[i, j], and once by Y[k, l]."
        matrix = "a matrix: that is the derivative along one direction. M has an entry for every pair of entries."
        got = attempt(X.copy())
        yield Case(
            f"X = {X.tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (first, one),
                (second, one),
                (2 * first, alike),
                (2 * second, alike),
                (first - second, "the shares of the two factors are added."),
                (second - first, "the shares of the two factors are added."),
                (
                    truth.transpose(2, 3, 0, 1),
                    "the pairs are exchanged: i, j belong to X, and k, l to Y. Or is X transposed?",
                ),
                (truth.transpose(0, 1, 3, 2), "k and l are swapped: in f, Y is transposed."),
                (truth.transpose(0, 2, 1, 3), swapped),
                *((_in_X_alone(Y), alone) for Y in (X, eye, np.ones((n, n)))),
                (_in_X_alone(X) + truth + truth.transpose(2, 3, 0, 1), "X and Y move together there. Keep them apart."),
                (truth / 2, "half of it. Nothing is to be divided by 2: X and Y are different arguments."),
                (2 * truth, "twice of it."),
                (np.shape(got) == (n, n), matrix),
                (np.shape(got) == (n * n, n * n), "the numbers are on a matrix. Reshape it to (n, n, n, n)."),
            ),
            hint="the derivative of X X along E is E X + X E. What does trace pick out of it, with Y a single entry?",
        )
