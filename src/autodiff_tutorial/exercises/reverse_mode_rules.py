"""The exercises of the chapter on reverse mode that ask for the rule of an operation."""

import contextlib
import tracemalloc

import jax
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved, several
from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("reverse_mode.bias")
def _(attempt):
    random = np.random.default_rng(18)
    for m, n in ((4, 3), (3, 3), (2, 5)):
        y_bar = np.round(random.uniform(-2, 2, size=(m, n)), 1)
        given = f"y_bar = {y_bar.tolist()}"
        got = attempt(y_bar.copy())
        yield several(given, got, "x_bar", "b_bar")
        total = np.ones(m) @ y_bar
        yield Case(
            f"x_bar, {given}",
            got[0],
            y_bar,
            slips=(
                (total, "that is b_bar. x_bar comes first."),
                (np.ones((m, n)), "that is the local derivative alone, without y_bar."),
            ),
            hint="an entry of x is used once, in the same entry of y.",
        )
        shape = np.shape(got[1])
        yield Case(
            f"b_bar, {given}",
            got[1],
            total,
            slips=(
                (shape == (m, n), f"b has shape ({n},), and b_bar has the shape of b. An entry is used in {m} rows."),
                (shape == (1, n), f"the numbers are on one row of a matrix. b has shape ({n},)."),
                (y_bar @ np.ones(n), "that is a sum over each row. An entry of b is used in a column of y."),
                (total / m, "that is the mean. Shares add up."),
                (y_bar[0], "that is the share of the first row. Every row uses b."),
                (y_bar[-1], "that is the share of the last row. Every row uses b."),
                (shape == (), f"one number. b has {n} entries, each with a share of its own."),
                (np.full(n, m), "that is how often an entry is used. Its shares are entries of y_bar."),
            ),
            hint="in which entries of y is b[j] used? Add what they pass on.",
        )


def _largest(attempt, *args):
    """Return how many bytes a call holds at once, as far as NumPy and the operations of JAX tell."""
    tracemalloc.start()
    try:
        got = attempt(*args)
        size = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if isinstance(got, jax.Array):
        with contextlib.suppress(TypeError):  # a program for NumPy as well, which takes no tracers
            equations = jax.make_jaxpr(attempt)(*args).eqns
            size = max([size, *(v.aval.size * v.aval.dtype.itemsize for e in equations for v in e.outvars)])
    return size


def _softmax(x):
    return np.exp(x) / np.exp(x).sum()


@exercise("reverse_mode.softmax")
def _(attempt):
    random = np.random.default_rng(20)
    for n in 3, 5:
        yield _softmax_case(attempt, *np.round(random.uniform(-1, 1, size=(2, n)), 1))
    s, s_bar = random.uniform(0, 1, size=(2, 2000))
    size = _largest(attempt, s / s.sum(), s_bar) / s.nbytes
    yield Case(
        f"n = {s.size}: the memory it takes, as a number of vectors",
        round(size),
        "a few",
        passes=size < 100,
        hint=f"a matrix has {s.size} of them. Multiply it out: which number do all entries share?",
    )
    yield _softmax_case(attempt, *random.uniform(-1, 1, size=(2, 100_000)))


def _softmax_case(attempt, x, s_bar):
    s, n = _softmax(x), x.size
    truth = moved(_softmax, (x, s_bar))[1]  # the Jacobian is symmetric: J^T s_bar is the change of s along s_bar
    got = attempt(s.copy(), s_bar.copy())
    return Case(
        f"s = {s.round(4).tolist()}, s_bar = {s_bar.tolist()}" if n < 10 else f"n = {n}",
        got,
        truth,
        slips=(
            (s * s_bar, "that lets each s[j] change by itself. They add up to 1: where one grows, the others fall."),
            (s * (1 - s) * s_bar, "that is the diagonal of the Jacobian alone. Each s[j] depends on all of x."),
            (truth / s, "a factor s[j] is missing."),
            (s * (s_bar - s_bar.mean()), "the entries of s_bar do not enter the sum with equal weights."),
            (s * (s_bar - s_bar.sum()), "the entries of s_bar do not enter the sum with equal weights."),
            (-truth, "the sign is reversed: s[j] rises with x[j]."),
            (np.shape(got) == (n, n), "that is a matrix. Its product with s_bar is asked for."),
        ),
        hint="write out the sum over i of s_bar[i] times the derivative of s[i] with respect to x[j].",
    )


@exercise("reverse_mode.solve")
def _(attempt):
    random = np.random.default_rng(21)
    for n in 3, 3:
        A = np.round(random.uniform(-1, 1, size=(n, n)) + 2 * np.eye(n), 1)
        x, x_bar = np.round(random.uniform(0.5, 2, size=(2, n)), 1) * random.choice([-1, 1], size=(2, n))
        b = A @ x
        given = f"A = {A.tolist()}, x = {x.tolist()}, x_bar = {x_bar.tolist()}"
        got = attempt(A.copy(), x.copy(), x_bar.copy())
        yield several(given, got, "A_bar", "b_bar")

        def seen(A, b, x_bar=x_bar):
            """Return the number whose derivatives are asked for, for stacks of A and b."""
            return (np.linalg.solve(A, b[..., None])[..., 0] * x_bar).sum(axis=-1)

        b_bar = moved(seen, (A, 0 * A), (b, np.eye(n)))[1]
        A_bar = moved(seen, (A, np.eye(n * n).reshape(n * n, n, n)), (b, 0 * b))[1].reshape(n, n)
        wrong = np.linalg.solve(A, x_bar)
        shape = np.shape(got[0])
        yield Case(
            f"b_bar, {given}",
            got[1],
            b_bar,
            slips=(
                (wrong, "that solves with A. The adjoint takes the transpose."),
                (A.T @ x_bar, "that is the adjoint of multiplying by A. Here it is solved with."),
                (A @ x_bar, "x is the solution of A x = b, not a product with A."),
                (-b_bar, "the sign is reversed: x grows with b."),
                (x_bar, "that is x_bar itself. x changes with b by way of A."),
                (A_bar, "that is A_bar. It comes first."),
            ),
            hint="x is a linear function of b. Which matrix is it, and what is its transpose?",
        )
        yield Case(
            f"A_bar, {given}",
            got[0],
            A_bar,
            slips=(
                (-A_bar, "the sign is reversed: A x = b stays as it is, so dA x + A dx = 0."),
                (A_bar.T, "that is the transpose. Row i of A belongs to entry i of b."),
                (-A_bar.T, "that is the transpose, with the sign reversed."),
                (-np.outer(x_bar, x), "that has x_bar where b_bar belongs."),
                (-np.outer(wrong, x), "that solves with A. The adjoint takes the transpose."),
                (np.outer(b_bar, b), "that has b where x belongs, and the other sign."),
                (-np.outer(b_bar, b), "that has b where x belongs."),
                (shape == (n,), f"A has shape {A.shape}, and A_bar has the shape of A."),
                (shape == (), f"one number. A has shape {A.shape}, and A_bar has the shape of A."),
            ),
            hint="a change dA of A acts as a change -dA x of b. What does b_bar say of it?",
        )
