"""The exercises of the chapter on linear maps."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.judge import Case, dictionary, exercise
from autodiff_tutorial.linear_maps import Graph


@exercise("linear_maps.grouping")
def _(attempt):
    n, k = 1000, 100
    yield dictionary(attempt, "from_left", "from_right")
    vector, matrix = k * k, k * k * n
    expected = {"from_left": vector + k * n, "from_right": matrix + k * n}
    for key, words in (("from_left", "(C B) A"), ("from_right", "C (B A)")):
        other = expected["from_right" if key == "from_left" else "from_left"]
        yield Case(
            words,
            attempt[key],
            expected[key],
            slips=(
                (other, "that is the count of the other grouping. What is the shape of the inner product?"),
                (2 * expected[key], "that counts the additions as well."),
                (k * n, "that is the last product alone."),
                (expected[key] - k * n, "that is the first product alone. There are two."),
                (n + 2 * k, "those are rows or products. Count the multiplications in each of them."),
            ),
            hint="a product of shapes (a, b) and (b, c) takes a b c multiplications. Which shapes occur?",
            secret=True,
        )


@exercise("linear_maps.columns")
def _(attempt):
    random = np.random.default_rng(7)
    for m, n in ((2, 3), (4, 4), (5, 1)):
        M, calls = random.integers(-9, 10, size=(m, n)).astype(float), []

        def mv(x, M=M, calls=calls):
            if np.shape(x) != M.shape[1:]:
                raise ValueError(f"mv takes one vector, of shape {M.shape[1:]}, and got shape {np.shape(x)}")
            calls.append(1)
            return M @ x

        got = attempt(mv, n)
        yield Case(
            f"a map with the matrix {M.tolist()}",
            got,
            M,
            rtol=1e-9,
            slips=(
                (M.T, "that is the transpose. What the program returns for a basis vector is a column."),
                (M.sum(axis=1), "that is one product, with a vector of ones. Feed in one basis vector after another."),
                (np.shape(got) == (n, m), f"the shape should be ({m}, {n}): a row for each output."),
                (np.shape(got) == (n, m, 1), "put the columns side by side: np.stack with axis=1, or np.column_stack."),
            ),
            hint="the j-th column is what the program returns for the j-th row of np.eye(n).",
        )
        hint = f"{len(calls)} calls. One for each of the {n} inputs is enough."
        yield Case(f"{n} inputs", len(calls), n, passes=len(calls) <= n, hint=hint)


@exercise("linear_maps.slip")
def _(attempt):
    random = np.random.default_rng(8)
    for _ in range(3):
        z1, z2 = random.integers(1, 9, size=2).astype(float)
        y = z1 - z2
        expected = np.array([2 * y, y, 2 * z1 + z2])
        yield Case(
            f"the weights {z1:.0f} and {z2:.0f}",
            attempt(z1, z2),
            expected,
            rtol=1e-9,
            slips=(
                ([2 * y, y, z2], "the slip itself: the second statement about x3 undoes the first."),
                ([2 * y, y, 2 * z1], "x3 reaches z2 as well."),
                ([2 * (z1 + z2), z1 + z2, 2 * z1 + z2], "y enters z2 with a minus sign."),
                ([2 * y, y, 2 * z1 - z2], "x3 enters z2 with a plus sign."),
                ([y, y, 2 * z1 + z2], "x1 enters y with the weight 2."),
                ([y, 2 * y, 2 * z1 + z2], "x1 enters y with the weight 2, x2 with the weight 1."),
                ([2 * z1, z1, 2 * z1 + z2], "y reaches z2 as well."),
            ),
            hint="each node adds up weight times value over the nodes downstream of it. Which are those of x3?",
        )


@exercise("linear_maps.transpose")
def _(attempt):
    random = np.random.default_rng(9)
    for n in (5, 2, 6):
        y = random.integers(1, 9, size=n - 1).astype(float)
        expected = np.append(0.0, y) - np.append(y, 0.0)
        got = attempt(y.copy())
        inside = np.pad(expected[1:-1], 1)
        yield Case(
            f"y = {y.tolist()}",
            got,
            expected,
            rtol=1e-9,
            slips=(
                (-expected, "the sign is reversed: y_0 = x_1 - x_0, so x_0 gets -y_0."),
                (expected[::-1], "the order is reversed."),
                (n > 2 and np.shape(got) == (n - 2,), "that is the map itself once more. The transpose leads back."),
                (np.append(y, 0.0), "each x_j occurs twice: in the difference before it, and in the one after it."),
                (np.append(0.0, y), "each x_j occurs twice: in the difference before it, and in the one after it."),
                (np.append(0.0, np.cumsum(y)), "that undoes the differences. The inverse is not the transpose."),
                (np.append(0.0, y) + np.append(y, 0.0), "one of the two enters with a minus sign."),
                (inside if n > 2 else False, "the two ends occur once each, so they get one term."),
            ),
            hint="in which of the differences does x_j occur, and with which sign?",
        )


def _pairs():
    """Yield names, matrices, would-be transposes, and whether the law holds."""
    random = np.random.default_rng(10)
    M = random.normal(size=(4, 3))
    S, swap = random.normal(size=(3, 3)), np.array([1, 0, 2, 3])
    tiny = M.T.copy()
    tiny[1, 2] *= 1.01
    # This wrong one has the same sums over all entries, so that vectors of ones do not tell.
    moved = M.T + np.outer([1.0, -1.0, 0.0], [0.0, 1.0, -1.0, 0.0])
    yield "a matrix and its transpose", M, M.T, True
    yield "a square matrix and its transpose", S, S.T, True
    yield "a matrix and minus its transpose", M, -M.T, False
    yield "a square matrix and itself", S, S, False
    yield "two outputs swapped on the way back", M, M.T[:, swap], False
    yield "a wrong transpose with the right sum of all entries", M, moved, False
    yield "one entry off by a percent", M, tiny, False
    yield "a large matrix and its transpose", 1e9 * M, 1e9 * M.T, True
    yield "a small matrix and twice its transpose", 1e-15 * M, 2e-15 * M.T, False


@exercise("linear_maps.dot_product")
def _(attempt):
    for name, forward, back, right in _pairs():
        m, n = forward.shape
        got = attempt(lambda x, forward=forward: forward @ x, lambda y, back=back: back @ y, n, m)
        verdict = np.shape(got) == () and isinstance(got, bool | np.bool_ | jax.Array)
        ones = "vectors of ones, or of one other kind, miss mistakes that cancel. Take random ones."
        scale = "compare the gap with the size of the products, not with a fixed number."
        yield Case(
            name,
            str(got),
            str(right),
            passes=verdict and bool(got) == right,
            slips=(
                (not verdict, "return True or False."),
                (not right and np.isclose(forward.sum(), back.sum(), rtol=1e-9, atol=0.0), ones),
                ("a large" in name or "a small" in name, scale),
                (right, "these obey the law. Allow for rounding: compare with a tolerance."),
                ("a percent" in name, "that tolerance is too wide: rounding is near 1e-16, relative."),
            ),
            hint="these break the law. Are both sides computed, y . mv(x) and rmv(y) . x?",
        )


@exercise("linear_maps.paths")
def _(attempt):
    for k in (2, 1, 3, 5):
        graph = attempt(k)
        graph = graph if isinstance(graph, Graph) else Graph(graph)
        got = np.asarray(graph.as_matrix())
        nodes = {node for edge in graph.edges for node in edge[:2]}
        yield Case(
            f"a city of {k} by {k} blocks",
            got,
            [[math.comb(2 * k, k)]],
            slips=(
                (
                    got.shape != (1, 1),
                    "there should be one node without an edge to it, and one without an edge from it. "
                    f"Yours has {got.shape[1]} and {got.shape[0]}.",
                ),
                (len(nodes) == k * k, f"{k} blocks in a row have {k + 1} corners."),
                ([[math.comb(2 * k - 2, k - 1)]], f"{k} blocks in a row have {k + 1} corners."),
                ([[1.0]], "that is one path. At each corner there are two ways on, right and down."),
                (bool(got.size == 1 and got[0, 0] == 0), "a weight of 0 blocks the street. Let all weights be 1."),
                (len(graph.edges) < 2 * k * (k + 1), f"streets are missing: there are {2 * k * (k + 1)}."),
            ),
            hint="every corner has an edge to its right neighbor and one to its lower neighbor, where there is one.",
        )


def _residuals():
    """Yield names, residuals of small fits, and points to start at."""
    t = jnp.asarray(np.linspace(0.0, 2.0, 7))
    noise = jnp.asarray(np.random.default_rng(11).normal(size=7)) / 10
    straight, decay = 1.0 + 2.0 * t + noise, 2.0 * jnp.exp(-1.5 * t) + noise / 10
    yield "a straight line", lambda p: p[0] + p[1] * t - straight, np.array([0.5, 0.5])
    yield "an exponential decay", lambda p: p[0] * jnp.exp(-p[1] * t) - decay, np.array([1.7, 1.2])


@exercise("linear_maps.gauss_newton")
def _(attempt):
    for name, f, x in _residuals():
        J, r = np.asarray(jax.jacrev(f)(x)), np.asarray(f(x))
        step = np.linalg.lstsq(J, r)[0]
        yield Case(
            f"{name}, from {x.tolist()}",
            attempt(f, x.copy()),
            x - step,
            rtol=1e-5,
            slips=(
                (x + step, "the sign of the step is reversed: it should reduce f."),
                (step, "that is the step, or minus the step. Add it to x."),
                (-step, "that is the step, or minus the step. Add it to x."),
                (x - J.T @ r, "that is a step down the gradient: J^T J is still to be divided out."),
                (x - 2 * step, "twice too far: 2 J^T f is the gradient of |f|^2, and 2 J^T J belongs to it."),
            ),
            hint="solve J^T J v = -J^T f(x) for v with cg, which takes a map by .to_scipy(). Return x + v. "
            "Is rtol small enough?",
        )
