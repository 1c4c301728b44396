"""Sparse derivatives: patterns that lack nothing, colorings from which every entry can be read, and the matrices."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import LITTLE_EFFORT, compiled, quick_jit
from sparse_programs import (
    PROGRAMS,
    arrow,
    brusselator,
    five_point,
    floor_through,
    max_pool,
    neighbour_rule,
    reverse_rule,
)

from autodiff_tutorial import sparse
from autodiff_tutorial.sparse import search

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
REVERSE_ONLY = ("custom_vjp",)
# Each compiles a second derivative, which takes a second or two; those left out go through the same rules as these.
HESSIANS = (
    "elementwise", "stencil", "periodic stencil", "Brusselator", "arrow", "block diagonal", "constant", "matrix of x",
    "product of two", "choice by x", "convolution", "five-point convolution", "convolution, two features",
    "convolution with a kernel of x", "max pool", "mean pool", "gather", "set at indices", "add at indices",
    "unknown column", "gather in batches", "lookup", "cumulative sum", "softmax of rows", "sort", "FFT of rows",
    "triangular solve", "triangular matrix of x", "solve, dense", "solve, diagonal", "scan", "scan, backward",
    "scan over time", "scan in a scan", "loop over places", "cond", "map", "checkpoint", "custom_jvp", "custom_vjp",
    "straight-through floor", "straight-through by stop_gradient",
)  # fmt: skip


def points(n, count=20):
    return np.random.default_rng(n).normal(size=(count, n))


@functools.cache
def true_jacobian(name):
    return quick_jit((jax.jacrev if name in REVERSE_ONLY else jax.jacfwd)(PROGRAMS[name].f))


def total(name):
    return lambda x: jnp.sum(jnp.sin(PROGRAMS[name].f(x)))


def kron(a, b):
    return sp.kron(sp.csr_array(a), sp.csr_array(b))


def grid(m, n):
    return kron(np.eye(m), ring(n)) + kron(ring(m), np.eye(n))


def ring(n):
    return np.eye(n) + np.roll(np.eye(n), 1, axis=0) + np.roll(np.eye(n), -1, axis=0)


def box(*sizes):
    """Return the matrix of a grid with edges: each place meets itself and its neighbors along each axis."""
    matrix = band(sizes[-1], 1, 1)
    for size in sizes[-2::-1]:
        matrix = kron(np.eye(size), matrix) + kron(band(size, 1, 1), np.eye(matrix.shape[0]))
    return matrix


def band(n, below, above):
    return np.tri(n, k=above) * np.tri(n, k=below).T


def arrow_matrix(n, wide=1):
    matrix = np.eye(n)
    matrix[:wide] = matrix[:, :wide] = 1
    return matrix


@pytest.mark.parametrize("name", PROGRAMS)
def test_pattern_lacks_nothing_and_holds_no_more_than_it_must(name):
    """Entries that differ from zero at any of 20 points are in the pattern, and, over 60 points, no others are."""
    f, n, kind = PROGRAMS[name]
    found = sparse.pattern(f, jnp.zeros(n)).toarray()
    seen = np.any([np.nan_to_num(true_jacobian(name)(x), nan=1.0) != 0 for x in points(n, 60)], axis=0)
    assert found.shape == seen.shape
    assert not (seen & ~found).any()
    assert kind == "superset" or (found == seen).all()


@pytest.mark.parametrize("name", PROGRAMS)
def test_jacobian_is_that_of_jax(name):
    """Sparse Jacobians, compiled, equal those of `jax.jacfwd`."""
    f, n, _ = PROGRAMS[name]
    jac = sparse.jacobian(f, jnp.zeros(n))
    dense = quick_jit(lambda x: jac(x).todense())
    for x in points(n, 3):
        np.testing.assert_allclose(dense(x), true_jacobian(name)(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", HESSIANS)
def test_hessian_is_that_of_jax(name):
    """Sparse Hessians equal those of `jax.hessian`, also where a rule is no derivative, and H no symmetric matrix."""
    f, n = total(name), PROGRAMS[name].size
    hess = sparse.hessian(f, jnp.zeros(n))
    both = quick_jit(lambda x: (hess(x).todense(), jax.jacfwd(jax.grad(f))(x)))
    for x in points(n, 2):
        found, expected = both(x)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * max(1, abs(expected).max()))


@pytest.mark.parametrize(
    "name, found, expected",
    [
        ("tridiagonal",
         lambda: sparse.pattern(lambda x: x * jnp.roll(x, 1).at[0].set(0) + jnp.append(x[1:], 0), np.zeros(6)),
         band(6, 1, 1)),
        ("arrow", lambda: sparse.pattern(arrow, np.zeros(6)), arrow_matrix(6)),
        ("Brusselator", lambda: sparse.pattern(brusselator, np.zeros(32)),
         np.block([[grid(4, 4).toarray(), np.eye(16)], [np.eye(16), grid(4, 4).toarray()]]) != 0),
        ("five-point",
         lambda: sparse.pattern(five_point, np.zeros(25)),
         kron(np.eye(5), band(5, 1, 1)) + kron(band(5, 1, 1), np.eye(5))),
        ("Hessian of a chain",
         lambda: sparse.hessian_pattern(lambda x: jnp.sum((x[1:] - x[:-1] ** 2) ** 2), np.ones(6)),
         band(6, 1, 1)),
        ("Hessian of squares", lambda: sparse.hessian_pattern(lambda x: jnp.sum(x**2), np.zeros(4)), np.eye(4)),
        ("Hessian of a linear function", lambda: sparse.hessian_pattern(jnp.sum, np.zeros(4)), np.zeros((4, 4))),
        ("straight through", lambda: sparse.pattern(floor_through, np.zeros(3)), np.eye(3)),
        ("floor", lambda: sparse.pattern(jnp.floor, np.zeros(3)), np.zeros((3, 3))),
        ("custom_jvp", lambda: sparse.pattern(neighbour_rule, np.zeros(4)), np.roll(np.eye(4), 1, axis=0)),
        ("custom_vjp", lambda: sparse.pattern(reverse_rule, np.zeros(4)), np.eye(4)),
        ("gradient of a max pool", lambda: sparse.pattern(jax.grad(lambda x: jnp.sum(max_pool(x) ** 2)), np.zeros(16)),
         kron(kron(np.eye(2), np.ones((2, 2))), kron(np.eye(2), np.ones((2, 2))))),
    ],
)  # fmt: skip
def test_pattern_by_hand(name, found, expected):
    """Patterns equal those written down by hand."""
    expected = expected.toarray() if sp.issparse(expected) else expected
    np.testing.assert_array_equal(found().toarray(), expected != 0)


def test_pattern_holds_for_all_x():
    """An entry that is zero at this x belongs to the pattern: that is why zeros of one Jacobian will not do."""
    x = jnp.array([0.0, 1.0, 2.0])
    f = lambda x: x[1:] * x[:-1]  # noqa: E731
    assert compiled(jax.jacfwd(f), x)[0, 1] == 0
    assert sparse.pattern(f, x)[0, 1]


def test_pattern_of_pytrees():
    """Pytrees are raveled as by ravel_pytree; shapes alone will do."""
    like = {"a": jax.ShapeDtypeStruct((2,), "float64"), "b": jax.ShapeDtypeStruct((2, 2), "float64")}
    found = sparse.pattern(lambda x: (x["a"] * 2, x["b"] @ x["a"]), like)
    expected = [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]]
    np.testing.assert_array_equal(found.toarray(), np.array(expected, bool))


@jax.custom_jvp
def through_cholesky(x):
    return x


@through_cholesky.defjvp
def _(primals, tangents):
    return primals[0], jnp.linalg.cholesky(jnp.outer(tangents[0], tangents[0]))[:, 0]


@jax.custom_vjp
def gradient_through_cholesky(x):
    return jnp.sum(x)


gradient_through_cholesky.defvjp(lambda x: (jnp.sum(x), x), lambda x, g: (g * through_cholesky(x),))


@pytest.mark.parametrize("call, f", [
    (sparse.pattern, lambda x: through_cholesky(x) + x),
    (sparse.jacobian, lambda x: through_cholesky(x) + x),
    (sparse.hessian_pattern, gradient_through_cholesky),
    (sparse.hessian, gradient_through_cholesky),
])  # fmt: skip
def test_unknown_operation_is_dense_and_named(call, f):
    """An operation without a rule, here the Cholesky factor in a rule that is not linear, counts as dense, aloud."""
    with pytest.warns(UserWarning, match="'cholesky'") as seen:
        found = call(f, jnp.ones(3))
    assert [warning.filename for warning in seen] == [__file__]  # where it is called
    assert callable(found) or found.toarray().all()


@pytest.mark.parametrize("module, f, n, entries, whole", [
    ("windows", lambda x: jnp.convolve(x, jnp.array([1.0, 0, 2]), mode="same"), 7, 14, band(7, 1, 1)),
    ("rules", lambda x: (x.reshape(2, 3) @ jnp.eye(3)).ravel(), 6, 6, np.kron(np.eye(2), np.ones((3, 3)))),
])  # fmt: skip
def test_where_zeros_are_too_many_to_follow_none_is_told_from_an_entry(monkeypatch, module, f, n, entries, whole):
    """The zeros of a kernel, or of a matrix, are told from entries while these are few enough for the memory."""
    monkeypatch.setattr(f"autodiff_tutorial.sparse.{module}.ENTRIES", entries)
    np.testing.assert_array_equal(sparse.pattern(f, jnp.zeros(n)).toarray(), jax.jacfwd(f)(jnp.zeros(n)) != 0)
    monkeypatch.setattr(f"autodiff_tutorial.sparse.{module}.ENTRIES", entries - 1)
    np.testing.assert_array_equal(sparse.pattern(f, jnp.zeros(n)).toarray(), whole != 0)


def rule_alone(f):
    """Return a function whose derivative rule is f, linear or not, of the tangent."""
    g = jax.custom_jvp(lambda x: jnp.zeros(jax.eval_shape(f, x).shape))
    g.defjvp(lambda primals, tangents: (g(*primals), f(*tangents)))
    return g


@pytest.mark.parametrize("f", [
    lambda t: jax.lax.dynamic_slice(t, (jnp.argmax(t),), (3,)),
    lambda t: jax.lax.dynamic_update_slice(t, t[:2] ** 2, (jnp.argmax(t),)),
    lambda t: t[jnp.argsort(t)[:3]],
    lambda t: t.at[jnp.argmax(t)].set(t[0]),
    lambda t: t.at[jnp.argmax(t)].add(t[0]),
    lambda t: jax.scipy.linalg.solve_triangular(t.reshape(4, 4), t[:4]),
    lambda t: jax.lax.linalg.tridiagonal_solve(t[:4], t[4:8], t[8:12], t[12:, None]).ravel(),
    lambda t: jax.jvp(max_pool, (t,), (t,))[1],
    lambda t: jax.vjp(max_pool, t)[1](t[:4])[0],
    lambda t: jax.lax.custom_linear_solve(lambda v: t[8:] * v, t[:8], lambda _, b: b, symmetric=True),
])  # fmt: skip
def test_tangents_joined_against_expectation_make_all_depend_on_all(f):
    """Where a tangent says where to read or write, or what to solve, each output depends on all that goes in."""
    assert sparse.pattern(rule_alone(f), jnp.zeros(16)).toarray().all()


WRAPPERS = {
    "alone": lambda f: f,
    "jit": jax.jit,
    "cond": lambda f: lambda x: jax.lax.cond(x[0] > 0, jnp.sum, f, x),
    "scan": lambda f: lambda x: jax.lax.scan(lambda total, _: (total + f(x), None), 0.0, length=2)[0],
    "checkpoint in jit": lambda f: jax.jit(jax.checkpoint(f)),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_rules_are_seen_inside_other_operations(wrapper):
    """Where a rule is no derivative, an entry counts on either side of the diagonal, wherever the rule is called."""

    @jax.custom_jvp
    def rule(x):
        return x

    rule.defjvp(lambda primals, tangents: (primals[0], primals[0][0] * tangents[0]))
    found = sparse.hessian_pattern(WRAPPERS[wrapper](lambda x: jnp.sum(rule(x))), jnp.ones(4))
    np.testing.assert_array_equal(found.toarray(), arrow_matrix(4) - np.diag([0, 1, 1, 1]))


def test_long_loops_whose_steps_differ_count_as_one(monkeypatch):
    """Loops over places that are too long are not followed step by step: all that a step can reach counts."""
    monkeypatch.setattr("autodiff_tutorial.sparse.programs._STEPS", 4)
    f, n, _ = PROGRAMS["loop over places"]
    found = sparse.pattern(f, jnp.zeros(n)).toarray()
    seen = np.any([true_jacobian("loop over places")(x) != 0 for x in points(n)], axis=0)
    assert not (seen & ~found).any()
    assert (found & ~seen).any()


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_pattern_of_random_programs_lacks_nothing(seed):
    """Programs put together at random from moving, reducing and multiplying operations keep their entries."""
    random = np.random.default_rng(seed)

    def f(x):
        x = x.reshape(2, 3, 2)
        for step in steps:
            x = step(x)
        return x.ravel()

    index, factor = random.integers(-3, 3, size=4), jnp.asarray(random.integers(0, 2, size=(2, 3, 2)) * 1.5)
    choices = [
        lambda x: jnp.roll(x, 1, axis=1) * x,
        lambda x: jnp.sin(x[:, ::-1]),
        lambda x: x * factor,
        lambda x: x[:, index[:3]] + x,
        lambda x: x.at[:, index[3]].add(x[:, index[0]] ** 2),
        lambda x: x.at[index[0] % 2].set(jnp.cos(x[index[1] % 2])),
        lambda x: jnp.cumsum(x, axis=int(index[2] % 3)),
        lambda x: jnp.where(x > 0, x, jnp.flip(x, 2)),
        lambda x: x.transpose(0, 2, 1).reshape(2, 3, 2),
        lambda x: jnp.broadcast_to(jnp.max(x, axis=1, keepdims=True), x.shape) * x[:, :, :1],
        lambda x: jnp.concatenate([x[:, 1:], x[:, :1] ** 2], axis=1),
        lambda x: jax.lax.scan(lambda c, r: (c * r, c + r), x[0], x)[1],
        lambda x: jnp.einsum("bij,bkj->bik", x, x)[:, :, :2],
        lambda x: jnp.sort(x, axis=1),
    ]
    steps = [choices[i] for i in random.integers(0, len(choices), size=4)]
    seen = np.any(compiled(jax.vmap(jax.jacfwd(f)), random.normal(size=(3, 12))) != 0, axis=0)
    assert not (seen & ~sparse.pattern(f, jnp.zeros(12)).toarray()).any()


def test_values_traced_outside_count_as_unknown():
    """Where f closes over values that are traced, patterns, Jacobians and their gradients are found all the same."""
    x = jnp.array([1.0, 2.0, 3.0])

    def total(p):
        return sparse.jacobian(lambda y: p * y[::-1] ** 2, x)(x).data.sum()

    np.testing.assert_allclose(compiled(jax.grad(total), x), 2 * x[::-1])
    A = jnp.eye(3)
    counted = compiled(jax.vmap(lambda A: sparse.jacobian(lambda y: A @ y, x)(x).todense()), A[None])
    np.testing.assert_allclose(counted, A[None])


def test_mutable_arrays_are_refused():
    """What is written into a reference would be lost, so it is refused."""
    if not hasattr(jax, "new_ref"):
        pytest.skip("this JAX has no mutable arrays")

    def f(x):
        r = jax.new_ref(jnp.zeros(3))
        r[...] = x**2
        return r[...]

    with pytest.raises(TypeError, match="should not write into mutable arrays"):
        sparse.pattern(f, jnp.ones(3))


def test_hessian_of_a_rule_that_calls_itself():
    """A custom_vjp whose forward part calls the function again has derivatives of its gradient in reverse alone."""

    @jax.custom_vjp
    def sine(x):
        return jnp.sin(x)

    sine.defvjp(lambda x: (sine(x), jnp.cos(x)), lambda c, g: (c * g,))
    f, x = (lambda x: jnp.sum(sine(x) ** 3) * x[0]), jnp.array([0.5, 1.0, 2.0])
    hess = sparse.hessian(f, x)
    found, expected = compiled(lambda x: (hess(x).todense(), jax.jacrev(jax.grad(f))(x)), x)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# Colorings ---------------------------------------------------------------------------------------------------------


def recovers(pattern, coloring):
    """Tell, with products in plain NumPy, whether a random matrix of the pattern is read back entry by entry."""
    matrix = np.random.default_rng(0).normal(size=pattern.shape) * (pattern != 0)
    columns = np.array([matrix @ (coloring.column_colors == c) for c in range(coloring.num_column_colors)])
    rows = np.array([(coloring.row_colors == r) @ matrix for r in range(coloring.num_row_colors)])
    if coloring.symmetric:
        matrix = matrix + matrix.T
        columns = np.array([matrix @ (coloring.column_colors == c) for c in range(coloring.num_column_colors)])
    places = np.argwhere(pattern != 0)
    if len(places) != len(coloring.rows):
        return False
    for k, (i, j) in enumerate(places):
        c, at = coloring.color[k], coloring.position[k]
        value = columns[c][at] if c < coloring.num_column_colors else rows[c - coloring.num_column_colors][at]
        if (coloring.rows[k], coloring.cols[k]) != (i, j) or not np.isclose(value, matrix[i, j], rtol=1e-12, atol=0):
            return False
    return True


patterns = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6), st.floats(0.05, 0.7)).map(
    lambda drawn: np.random.default_rng(drawn[2]).random(drawn[:2]) < drawn[3]
)
ORDERS = ("cyclic", "natural", "largest_first", "smallest_last", "incidence_degree", "random")


@given(patterns, st.sampled_from(["auto", "fwd", "rev", "bi"]), st.sampled_from(ORDERS))
def test_every_coloring_recovers_the_matrix(pattern, mode, order):
    """Whatever the mode and the order, each entry of a matrix can be read from the products."""
    coloring = sparse.color(pattern, mode=mode, order=order)
    assert recovers(pattern, coloring)
    if mode == "fwd":
        assert max(pattern.sum(axis=1)) <= coloring.num_colors <= pattern.shape[1]


@given(patterns, st.sampled_from(ORDERS))
def test_every_symmetric_coloring_recovers_the_matrix(pattern, order):
    """The same for symmetric patterns, with and without a diagonal."""
    size = min(pattern.shape)
    square = pattern[:size, :size] | pattern[:size, :size].T
    coloring = sparse.color(square, mode="symmetric", order=order)
    assert recovers(square, coloring)
    assert coloring.num_colors <= size


@given(patterns)
def test_transposing_a_pattern_turns_columns_into_rows(pattern):
    """The rows of the transpose are the columns."""
    columns, rows = sparse.color(pattern, mode="fwd"), sparse.color(pattern.T, mode="rev")
    np.testing.assert_array_equal(columns.column_colors, rows.row_colors)


@pytest.mark.parametrize(
    "name, pattern, mode, most",
    [
        ("tridiagonal", band(20, 1, 1), "fwd", 3),
        ("tridiagonal", band(20, 1, 1), "auto", 3),
        ("tridiagonal", band(20, 1, 1), "symmetric", 3),
        ("ring of ten", ring(10), "fwd", 4),
        ("diagonal", np.eye(7), "auto", 1),
        ("band", band(30, 3, 2), "fwd", 6),
        ("dense", np.ones((4, 5)), "fwd", 5),
        ("dense", np.ones((4, 5)), "auto", 4),
        ("blocks", kron(np.eye(5), np.ones((3, 3))), "fwd", 3),
        ("no entries", np.zeros((3, 4)), "auto", 0),
        ("arrow", arrow_matrix(200), "bi", 3),
        ("arrow", arrow_matrix(200), "auto", 3),
        ("arrow", arrow_matrix(200), "fwd", 200),
        ("arrow", arrow_matrix(200), "symmetric", 2),
        ("wide arrow", arrow_matrix(100, 3), "bi", 7),
        ("uneven arrow", np.maximum(arrow_matrix(60), np.pad(np.roll(arrow_matrix(50), 1, (0, 1)), (0, 10))), "bi", 5),
        ("few rows", np.ones((3, 50)), "bi", 3),
        ("image with a window of 9 by 9", kron(band(20, 4, 4), band(20, 4, 4)), "fwd", 81),
        ("full but for holes", np.arange(4 * 200).reshape(4, 200) % 7 > 0, "fwd", 200),
        ("paths of three", kron(np.eye(4), band(3, 1, 1)), "symmetric", 2),
        ("dense columns and blocks",
         sp.hstack([sp.csr_array(np.ones((400, 30))), kron(np.eye(400), np.ones((1, 3)))]), "bi", 33),
        ("one dense row", np.vstack([np.ones(50), np.eye(50)]), "bi", 2),
        ("one dense column", np.vstack([np.ones(50), np.eye(50)]).T, "bi", 2),
        ("grid", grid(10, 10), "fwd", 5),
        ("grid with edges", box(7, 9), "fwd", 5),
        ("grid of three axes", box(6, 7, 5), "fwd", 7),
        ("Brusselator", kron(np.eye(2), grid(20, 20)) + kron(ring(2) - np.eye(2), np.eye(400)), "fwd", 8),
    ],
)  # fmt: skip
def test_few_colors_for_known_matrices(name, pattern, mode, most):
    """Matrices with a known small number of colors get no more, and can be read back."""
    coloring = sparse.color(pattern, mode=mode)
    dense = pattern.toarray() if sp.issparse(pattern) else pattern
    assert coloring.num_colors <= most
    assert recovers(dense, coloring)


def turns(order, meets):
    """Return the vertices of a graph, whose matrix tells which of them meet, in an order; all is counted anew."""
    left, taken = list(range(len(meets))), []
    if order == "largest_first":
        return sorted(left, key=lambda v: -sum(meets[v]))
    while left:
        match order:
            case "natural":
                taken.append(left[0])
            case "smallest_last":
                taken.append(min(left, key=lambda v: sum(meets[v, left])))
            case "incidence_degree":
                taken.append(max(left, key=lambda v: sum(meets[v, taken])))
        left.remove(taken[-1])
    return taken[::-1] if order == "smallest_last" else taken


def first_fit(order, fits):
    """Give each vertex in turn the first color with which the colors so far, -1 for none, fit."""
    colors = np.full(len(order), -1)
    for v in order:
        while True:
            colors[v] += 1
            if fits(colors):
                break
    return colors


def differ(colors, meets):
    """Tell whether vertices that meet differ in color."""
    return not (meets & np.equal.outer(colors, colors) & (colors >= 0)).any()


def make_stars(colors, meets):
    """Tell whether vertices that meet differ, and no edge goes on at both ends in the two colors of its ends."""
    alike = np.equal.outer(colors, colors) & (colors >= 0)
    more = (meets.astype(int) @ alike > 1) & meets  # v has a second neighbor with the color of w
    return differ(colors, meets) and not (more & more.T & (colors >= 0)).any()


TURNS = st.sampled_from(["natural", "largest_first", "smallest_last", "incidence_degree"])


@given(patterns, TURNS)
def test_each_column_in_turn_gets_the_first_color_that_fits(pattern, order):
    """Columns are taken and colored as the definitions say, ties by number."""
    n = pattern.shape[1]
    meets = (pattern.T.astype(int) @ pattern > 0) & ~np.eye(n, dtype=bool)
    colors = first_fit(turns(order, meets), lambda colors: differ(colors, meets))
    colors = range(n) if pattern.all(axis=1).any() else colors  # no two may share a color
    expected = sparse.from_colors(pattern, column_colors=colors)
    np.testing.assert_array_equal(sparse.color(pattern, mode="fwd", order=order).column_colors, expected.column_colors)


@settings(max_examples=300)
@given(st.integers(2, 11), st.integers(0, 10**6), st.floats(0.1, 0.6), TURNS)
def test_each_vertex_in_turn_gets_the_first_color_that_makes_stars(n, seed, share, order):
    """The same for vertices of symmetric patterns, with and without a diagonal."""
    pattern = np.random.default_rng(seed).random((n, n)) < share / 2
    pattern = pattern | pattern.T
    meets = pattern & ~np.eye(n, dtype=bool)
    colors = first_fit(turns(order, meets), lambda colors: make_stars(colors, meets))
    colors = range(n) if pattern.all() else colors
    expected = sparse.from_colors(pattern, column_colors=colors, symmetric=True)
    found = sparse.color(pattern, mode="symmetric", order=order)
    np.testing.assert_array_equal(found.column_colors, expected.column_colors)


@pytest.mark.parametrize("n, both", [(4, False), (5, False), (6, False), (7, True)])
def test_rows_and_columns_are_both_colored_where_that_needs_less_than_half(n, both):
    """An arrow needs n colors of columns, or 3 of both, which mode "bi" always takes."""
    automatic = sparse.color(arrow_matrix(n))
    assert automatic.num_colors == (3 if both else n)
    assert sparse.color(arrow_matrix(n), mode="bi").num_colors == 3


@pytest.mark.parametrize("sizes", [(7, 9), (9, 7), (6, 7, 5), (5, 8, 11)])
def test_strides_of_a_grid_are_the_gaps_along_its_axes(sizes):
    """In a grid with edges, neighbors along an axis lie as far apart as the product of the axes after it."""
    found = search._strides(box(*sizes), 2 * len(sizes) + 1)
    assert set(np.cumprod(sizes[:0:-1])) <= set(found)
    assert found[0] == sizes[-1]


def test_a_large_grid_needs_as_few_colors_as_a_small_one():
    """The search for the factors of a grid goes on for longer in a larger matrix."""
    coloring = sparse.color(box(100, 100), mode="fwd", order="cyclic")
    assert coloring.num_colors == 5


@pytest.mark.parametrize("edges, least", [
    ([], 1), ([(0, 1)], 2), ([(0, 1), (1, 2)], 2), ([(0, 1), (0, 2), (0, 3)], 2), ([(0, 1), (2, 3)], 2),
    ([(0, 1), (1, 2), (2, 3)], 3), ([(1, 0), (0, 3), (3, 2)], 3), ([(0, 1), (1, 2), (2, 0)], 3),
    ([(0, 1), (1, 2), (2, 3), (3, 0)], 3), ([(0, 1), (1, 2), (2, 0), (2, 3)], 3),
])  # fmt: skip
def test_the_bound_of_star_colorings_is_reached_by_small_graphs(edges, least):
    """Trying all colors of four vertices finds stars in as many colors as the bound says, not in fewer."""
    meets = np.zeros((4, 4), bool)
    for v, w in edges:
        meets[v, w] = meets[w, v] = True
    colorings = map(np.array, itertools.product(range(3), repeat=4))
    fewest = min(colors.max() + 1 for colors in colorings if make_stars(colors, meets))
    assert search._fewest_of_stars(sp.csr_array(meets | np.eye(4, dtype=bool))) == fewest == least


def test_in_long_rows_columns_are_counted_once_for_each_row(monkeypatch):
    """Where all pairs of columns are too many, the largest first are those that meet most in all their rows."""
    monkeypatch.setattr("autodiff_tutorial.sparse.orderings._PAIRS", 0)
    for seed in range(20):
        pattern = np.random.default_rng(seed).random((12, 9)) < 0.3
        pattern[:, seed % 9] &= ~pattern.all(axis=1)
        counts = pattern.T.astype(int) @ pattern
        meets = counts - np.diag(np.diag(counts)) > 0
        order = sorted(range(9), key=lambda j: -sum(counts[j]))
        colors = first_fit(order, lambda colors: differ(colors, meets))  # noqa: B023
        found = sparse.color(pattern, mode="fwd", order="largest_first")
        np.testing.assert_array_equal(found.column_colors, colors)


@given(st.sets(st.integers(0, 9), min_size=1, max_size=5), st.integers(11, 40))
def test_cyclic_colors_are_those_of_remainders(offsets, n):
    """Diagonals at these offsets need no more colors than the first number by which their remainders differ."""
    pattern = sum(np.eye(n, k=offset) for offset in offsets)
    least = next(k for k in range(len(offsets), 11) if len({offset % k for offset in offsets}) == len(offsets))
    coloring = sparse.color(pattern, mode="fwd", order="cyclic")
    assert coloring.num_colors <= least or least >= 2 * len(offsets) + 2
    assert recovers(pattern, coloring)


@given(patterns, st.integers(0, 10**6))
def test_colors_that_nothing_is_read_from_are_left_out(pattern, seed):
    """Where each line has its own color, of any number, so many are left as there are lines with entries to read."""
    random = np.random.default_rng(seed)
    columns, rows = (random.permutation(2 * size)[:size] for size in pattern.T.shape)
    without = random.random(len(columns)) < 0.4
    for given_columns, given_rows, by_column, by_row in (
        (columns, None, pattern, pattern & False),
        (None, rows, pattern & False, pattern),
        (np.where(without, -1, columns), rows, pattern & ~without, pattern & without),
    ):
        coloring = sparse.from_colors(pattern, column_colors=given_columns, row_colors=given_rows)
        assert recovers(pattern, coloring)
        assert coloring.num_column_colors == by_column.any(axis=0).sum()
        assert coloring.num_row_colors == by_row.any(axis=1).sum()
        for colors, lines in (
            (coloring.column_colors, by_column.any(axis=0)),
            (coloring.row_colors, by_row.any(axis=1)),
        ):
            assert sorted(colors[lines]) == list(range(sum(lines)))
            assert (colors[~lines] == -1).all()


def test_several_orders_give_the_best():
    """A tuple of orders gives the fewest colors of all of them."""
    pattern = np.random.default_rng(3).random((60, 60)) < 0.06
    counts = [sparse.color(pattern, mode="fwd", order=order).num_colors for order in ORDERS[1:]]
    assert sparse.color(pattern, mode="fwd", order=ORDERS).num_colors == min(counts)


@given(st.integers(0, 10**6))
def test_colors_are_accepted_exactly_if_every_entry_stands_alone(seed):
    """`from_colors` agrees with counting, row by row and column by column, also where some have no color."""
    random = np.random.default_rng(seed)
    m, n = random.integers(1, 40, size=2)
    pattern = random.random((m, n)) < 2 / n
    columns, rows = random.integers(-1, 25, size=n), random.integers(-1, 25, size=m)
    by_column = [[columns[j] >= 0 and sum(p[columns == columns[j]]) == 1 for j in range(n)] for p in pattern]
    by_row = [[rows[i] >= 0 and sum(pattern[rows == rows[i], j]) == 1 for j in range(n)] for i in range(m)]
    valid = (np.array(by_column) | np.array(by_row))[pattern].all()
    try:
        assert recovers(pattern, sparse.from_colors(pattern, column_colors=columns, row_colors=rows))
        assert valid
    except ValueError:
        assert not valid


def test_planted_mistakes_in_a_coloring_are_found():
    """The checker of these tests rejects a color, a place or a product that is wrong."""
    pattern, coloring = band(9, 1, 1), sparse.color(band(9, 1, 1))

    def changed(field, **others):
        values = np.array(getattr(coloring, field))
        values[4] += 1
        names = ("rows", "cols", "column_colors", "row_colors", "color", "position", "shape", "num_column_colors",
                 "num_row_colors", "symmetric")  # fmt: skip
        return sparse.Coloring(**{name: getattr(coloring, name) for name in names} | {field: values} | others)

    assert recovers(pattern, coloring)
    assert not recovers(pattern, changed("position"))
    assert not recovers(pattern, changed("column_colors", num_column_colors=4))
    assert not recovers(pattern, changed("rows"))
    assert not recovers(pattern, changed("color", num_column_colors=4))
    assert not recovers(band(9, 2, 1), coloring)


def test_sparse_formats_duplicates_and_zeros():
    """Any format will do; duplicates are one entry, and zeros none, even where the duplicates cancel."""
    twice = sp.coo_array(([1.0, -1.0, 0.0, 2.0], ([0, 0, 1, 1], [0, 0, 0, 1])), shape=(2, 2))
    for pattern in (twice, twice.tocsc(), sp.csr_matrix(np.eye(2)), np.eye(2, dtype=int)):
        kept = twice.data is getattr(pattern, "data", None)
        found = sparse.color(pattern)
        assert found.num_colors == 1
        assert len(found.rows) == (2 if kept or not sp.issparse(pattern) or pattern.nnz == 2 else pattern.nnz - 2)


def test_coloring_is_a_pytree_that_crosses_jit():
    """A coloring goes through jit as an argument, its counts as static."""
    x, coloring = jnp.arange(1.0, 7.0), sparse.color(band(6, 1, 1))
    f = lambda x: x * jnp.roll(x, 1).at[0].set(0) + jnp.append(x[1:], 0)  # noqa: E731

    @quick_jit
    def through(x, coloring):
        assert coloring.num_colors == 3
        return sparse.decompress(sparse.compress(f, x, coloring), coloring)

    np.testing.assert_allclose(through(x, coloring).todense(), compiled(jax.jacfwd(f), x), rtol=1e-12)
    assert jax.tree.map(lambda a: a, coloring).shape == (6, 6)


# Matrices ----------------------------------------------------------------------------------------------------------


def chain(x):
    return jnp.sin(x[1:]) * x[:-1]


def chain_and_sum(x):
    return jnp.append(chain(x), jnp.sum(x**2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["fwd", "rev", "bi"])
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 100])
def test_jacobian_in_every_mode_and_chunk(dtype, mode, chunk_size):
    """The mode and the chunks change nothing, and the dtype stays."""
    x = jnp.linspace(0.5, 2, 9, dtype=dtype)
    coloring = sparse.color(sparse.pattern(chain_and_sum, x), mode=mode)
    jac = sparse.jacobian(chain_and_sum, x, coloring=coloring, chunk_size=chunk_size)
    found, dense, expected = compiled(lambda x: (jac(x), jac(x).todense(), jax.jacfwd(chain_and_sum)(x)), x)
    assert found.dtype == dtype
    np.testing.assert_allclose(dense, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_seeds_are_constants_while_they_are_few(monkeypatch):
    """Colors are not compared anew in each product, but where all seeds would take too much memory."""
    x = np.arange(5.0)
    few = sparse.jacobian(chain, x)
    assert " eq " not in str(jax.make_jaxpr(few)(x))
    monkeypatch.setattr("autodiff_tutorial.sparse.compression._SEEDS", 9)  # two colors of five inputs make ten
    many = sparse.jacobian(chain, x)
    assert " eq " in str(jax.make_jaxpr(many)(x))
    np.testing.assert_array_equal(many(x).todense(), few(x).todense())


def test_entries_are_sorted_and_unique():
    """The result says so, and keeps it: row by row, column by column, no place twice."""
    found = sparse.jacobian(brusselator, np.zeros(32))(np.ones(32))
    keys = found.indices[:, 0] * 32 + found.indices[:, 1]
    assert found.indices_sorted
    assert found.unique_indices
    assert (np.diff(keys) > 0).all()


def test_jacobian_under_vmap_and_in_products():
    """Data, dense matrices and products may be mapped over many points; SciPy takes the parts."""
    jac, xs = sparse.jacobian(chain, np.zeros(5)), points(5, 4)
    dense, found, products, data = compiled(
        lambda xs: (
            jax.vmap(jax.jacfwd(chain))(xs),
            jax.vmap(lambda x: jac(x).todense())(xs),
            jax.vmap(lambda x: jac(x) @ x)(xs),
            jax.vmap(lambda x: jac(x).data)(xs),
        ),
        xs,
    )
    np.testing.assert_allclose(found, dense, rtol=1e-12)
    np.testing.assert_allclose(products, np.einsum("bij,bj->bi", dense, xs), rtol=1e-12)
    one = jac(xs[0])
    assert data.shape == (4, one.data.size)
    matrix = sp.csr_array((one.data, np.asarray(one.indices).T), shape=one.shape)
    np.testing.assert_allclose(matrix.toarray(), dense[0], rtol=1e-12)


def test_jacobian_of_pytrees():
    """Pytrees go in and out, raveled."""
    x = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([3.0])}
    found = sparse.jacobian(lambda x: {"p": x["a"] * x["b"], "q": x["a"][0] ** 2}, x)(x)
    np.testing.assert_allclose(found.todense(), [[3, 0, 1], [0, 3, 2], [2, 0, 0]])


@jax.tree_util.register_pytree_node_class
class Point:
    """A tree of a class of one's own, which tells no two of its objects equal."""

    def __init__(self, place):
        self.place = place

    def tree_flatten(self):
        return (self.place,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


def test_jacobian_of_a_tree_of_ones_own():
    x = Point(jnp.arange(1.0, 4.0))
    J = sparse.jacobian(lambda point: point.place**2, x)(x).todense()
    np.testing.assert_array_equal(J, np.diag([2.0, 4.0, 6.0]))


def test_pattern_expects_other_numbers_at_each_call():
    """What a generator without a key returns once is not what it returns next time."""
    f = lambda x: jnp.where(jax.lax.rng_uniform(0.0, 1.0, (8,)) < 0.5, x, 0 * x)  # noqa: E731
    np.testing.assert_array_equal(sparse.pattern(f, jnp.ones(8)).toarray(), np.eye(8, dtype=bool))


def test_shapes_alone_make_the_function():
    """Both functions can be made from shapes, before there is a point."""
    like, x = jax.ShapeDtypeStruct((5,), "float64"), points(5, 1)[0]
    f = lambda x: jnp.sum(chain(x) ** 2)  # noqa: E731
    jac, hess = sparse.jacobian(chain, like), sparse.hessian(f, like)
    (J, H), expected = compiled(
        lambda x: ((jac(x).todense(), hess(x).todense()), (jax.jacfwd(chain)(x), jax.hessian(f)(x))), x
    )
    np.testing.assert_allclose(J, expected[0], rtol=1e-12)
    np.testing.assert_allclose(H, expected[1], rtol=1e-12, atol=1e-12)


def test_chunks_bound_memory_and_memory_grows_with_n():
    """By XLA's account, ten chunks need about a tenth of the intermediate memory, and ten times the size ten times."""
    mix = jnp.asarray(np.random.default_rng(0).normal(size=(40, 40)))

    def wide(x):
        windows = jnp.stack([jnp.roll(jnp.sin(x), k) for k in range(20)]).sum(axis=0)
        return jnp.sum(jnp.sin(windows[:, None] * jnp.arange(40.0) @ mix), axis=1)

    def memory(f, n, **options):
        program = jax.jit(sparse.jacobian(f, jnp.zeros(n), **options)).lower(jnp.zeros(n))
        found = program.compile(LITTLE_EFFORT).memory_analysis()
        return found.temp_size_in_bytes, found.output_size_in_bytes

    assert memory(wide, 1000, chunk_size=2)[0] < memory(wide, 1000)[0] / 4
    assert 8 < sum(memory(chain, 100_000)) / sum(memory(chain, 10_000)) < 12


def test_number_of_products_is_the_number_of_colors():
    """Finite differences of a black box are taken once a color, not once a column."""
    calls = []

    def f(x):
        calls.append(1)
        return np.convolve(x**2, [1.0, -2.0, 1.0], mode="valid")

    n = 40
    coloring = sparse.color(band(n, 1, 1)[1:-1])
    found = sparse.jacobian(f, np.zeros(n), coloring=coloring, scheme="forward")(np.linspace(1, 2, n))
    x = np.linspace(1, 2, n)
    expected = (band(n, 1, 1) * np.where(np.eye(n), -2.0, 1.0) * 2 * x)[1:-1]
    np.testing.assert_allclose(found.todense(), expected, rtol=1e-6, atol=1e-6)
    assert len(calls) < n / 2


@pytest.mark.parametrize("scheme, rtol", [("central", 1e-8), ("complex", 1e-13), ("richardson", 1e-10)])
def test_finite_differences_of_a_tridiagonal_black_box(scheme, rtol):
    """A4: a tridiagonal Jacobian of a black box from differences in 3 directions."""
    n, coloring = 30, sparse.color(band(30, 1, 1))
    assert coloring.num_colors == 3
    f = lambda x: np.append(x[1:], 0) ** 2 - 2 * x**3 + np.append(0, x[:-1]) * x  # noqa: E731
    g = lambda x: jnp.append(x[1:], 0) ** 2 - 2 * x**3 + jnp.append(0, x[:-1]) * x  # noqa: E731
    x = np.linspace(0.5, 1.5, n)
    found = sparse.jacobian(f, x, coloring=coloring, scheme=scheme)(x)
    np.testing.assert_allclose(found.todense(), compiled(jax.jacfwd(g), x), rtol=rtol, atol=rtol)


def test_tridiagonal_in_three_directions():
    """A15: three products give a tridiagonal Jacobian of any size, here of 10^5."""
    n = 10**5
    f = lambda x: jnp.append(x[1:], 0) - 2 * x + jnp.append(0, x[:-1])  # noqa: E731
    coloring = sparse.color(sparse.pattern(f, jax.ShapeDtypeStruct((n,), "float64")))
    found = sparse.jacobian(f, jnp.zeros(n), coloring=coloring)(jnp.ones(n))
    assert coloring.num_colors == 3
    assert found.nse == 3 * n - 2
    assert found.data.sum() == -2


def test_symmetric_hessian_of_a_true_rule():
    """With rules that are true derivatives, a symmetric coloring may be given, and saves products."""
    f = lambda x: jnp.sum(jax.nn.softplus(x[0] + x[1:]))  # noqa: E731
    x = points(8, 1)[0]
    few = sparse.color(sparse.hessian_pattern(f, x), mode="symmetric")
    assert few.num_colors == 2
    hess = sparse.hessian(f, x, coloring=few)
    found, expected = hess(x).todense(), compiled(jax.hessian(f), x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_seeds_are_read_in_their_order():
    """Compiled with what XLA does by default, a diagonal Hessian is exact; seeds fused as constants were misread."""
    places, weights = np.array([5, 6, 7, 8]), np.array([1.0, 2.0, 3.0, 4.0])

    def f(x):
        return jnp.sum(weights * x[places] ** 2) + jnp.sum(x[:5] ** 3)

    coloring = sparse.color(np.ones((9, 9)), mode="symmetric")
    H = jax.jit(sparse.hessian(f, jnp.zeros(9), coloring=coloring))(jnp.arange(9.0)).todense()
    np.testing.assert_array_equal(H, np.diag(np.append(6 * np.arange(5.0), 2 * weights)))


def test_loops_without_reverse_derivatives_stay_forward():
    """Where rows would need fewer colors, but JAX has no reverse derivative, columns are taken."""
    f = lambda x: jax.lax.while_loop(lambda y: y[0] < 9, lambda y: y * 2, jnp.sum(x**2)[None])  # noqa: E731
    x = jnp.array([1.0, 2.0, 0.5])
    np.testing.assert_allclose(sparse.jacobian(f, x)(x).todense(), compiled(jax.jacfwd(f), x))


# Errors ------------------------------------------------------------------------------------------------------------

THREE = band(5, 1, 1)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: sparse.pattern(3, np.ones(2)), TypeError, r"sparse.pattern\(f=...\)` should be a function. Got int"),
        (lambda: sparse.pattern(jnp.sin, "x"), TypeError, r"should hold arrays of floats. Got str"),
        (lambda: sparse.pattern(jnp.sin, np.arange(3)), TypeError, r"should hold floats of one dtype.*Got int64"),
        (lambda: sparse.pattern(jnp.sin, 1j * np.ones(3)), TypeError, r"Got complex128"),
        (lambda: sparse.pattern(jnp.sin, np.ones(0)), ValueError, r"should not be empty"),
        (lambda: sparse.pattern(lambda x: x[:0], np.ones(3)), ValueError, r"should return at least one number"),
        (lambda: sparse.pattern(lambda x: (x, jnp.argmax(x)), np.ones(3)), TypeError, r"floats alone. Got int64"),
        (lambda: sparse.pattern(lambda x: x > 0, np.ones(3)), TypeError, r"floats alone. Got bool"),
        (lambda: sparse.pattern(lambda x: (x, "note"), np.ones(3)), TypeError, r"floats alone. Got str"),
        (lambda: sparse.hessian_pattern(jnp.sin, np.ones(3)), ValueError, r"return one number.*Got shape \(3,\)"),
        (lambda: sparse.hessian(jnp.sin, np.ones(3)), ValueError, r"should return one number"),
        (lambda: sparse.color(THREE, mode="row"), ValueError, r"color\(mode=...\)` should be one of 'auto'.*'row'"),
        (lambda: sparse.color(THREE, order="best"), ValueError, r"color\(order=...\)` should be one or several"),
        (lambda: sparse.color(THREE, order=()), ValueError, r"should be one or several"),
        (lambda: sparse.color(np.ones(3)), ValueError, r"should have shape \(m, n\).*Got \(3,\)"),
        (lambda: sparse.color(np.ones((0, 3))), ValueError, r"at least 1. Got \(0, 3\)"),
        (lambda: sparse.color([["a"]]), TypeError, r"numbers or Booleans"),
        (lambda: sparse.color(1j * np.eye(2)), TypeError, r"real numbers or Booleans.*Got complex128"),
        (lambda: sparse.color([[1], [1, 0]]), ValueError, r"should be a matrix"),
        (lambda: sparse.color(THREE, order=None), ValueError, r"should be one or several of.*Got None"),
        (lambda: sparse.color(THREE, mode=np.ones(2)), ValueError, r"should be one of"),
        (lambda: sparse.from_colors(THREE, column_colors=[7, 8, 7, 8, 9]), ValueError, r"both have color 7"),
        (lambda: sparse.color(np.full((2, 2), np.nan)), ValueError, r"Got NaN"),
        (lambda: sparse.color(np.tri(3), mode="symmetric"), ValueError, r"should be symmetric"),
        (lambda: sparse.color(np.ones((2, 3)), mode="symmetric"), ValueError, r"should be symmetric"),
        (lambda: sparse.from_colors(THREE), ValueError, r"\(0, 0\) cannot be read: neither"),
        (lambda: sparse.from_colors(THREE, column_colors=[0, 1, 0, 1, 0]), ValueError,
         r"\(1, 0\) cannot be read: columns 0 and 2 both have color 0, and entries in row 1"),
        (lambda: sparse.from_colors(THREE, column_colors=[0, 1, -1, 0, 1]), ValueError, r"column 2 has no color"),
        (lambda: sparse.from_colors(THREE, row_colors=[0, 0, 1, 2, 3]), ValueError, r"rows 0 and 1 both have color 0"),
        (lambda: sparse.from_colors(THREE, column_colors=[0, 1, 2]), ValueError, r"one color for each of 5 columns"),
        (lambda: sparse.from_colors(THREE, column_colors=[[0], [1, 2]]), ValueError, r"should hold integers"),
        (lambda: sparse.decompress(None, sparse.color(THREE)), TypeError, r"should be a pair.*NoneType"),
        (lambda: sparse.decompress((1, 2), None), TypeError, r"should be a Coloring.*NoneType"),
        (lambda: sparse.jacobian(chain, {"a": np.ones(5)}, coloring=sparse.color(THREE), scheme="central"), ValueError,
         r"should have shape \(n,\), with a scheme. Got dict"),
        (lambda: sparse.from_colors(THREE, column_colors=[0.0] * 5), TypeError, r"should hold integers. Got float64"),
        (lambda: sparse.from_colors(THREE, column_colors=[-2] * 5), ValueError, r"Got the color -2"),
        (lambda: sparse.from_colors(THREE, column_colors=[0, 1, 0, 1, 0], symmetric=True), ValueError, r"mirror image"),
        (lambda: sparse.from_colors(THREE, row_colors=[0] * 5, symmetric=True), ValueError, r"should be left out"),
        (lambda: sparse.from_colors(np.tri(3), column_colors=[0, 1, 2], symmetric=True), ValueError, r"symmetric"),
        (lambda: sparse.jacobian(chain, np.ones(6), coloring=sparse.color(THREE)), ValueError,
         r"for a matrix of shape \(5, 6\), outputs by inputs. Got \(5, 5\)"),
        (lambda: sparse.jacobian(chain, np.ones(6), coloring=THREE), TypeError, r"should be a Coloring.*ndarray"),
        (lambda: sparse.compress(chain, np.ones(6), sparse.color(THREE)), ValueError, r"Got \(5, 5\)"),
        (lambda: sparse.jacobian(chain, np.ones(6))(np.ones(5)), ValueError, r"given x of shape \(6,\). Got \(5,\)"),
        (lambda: sparse.jacobian(chain, np.ones(6))(np.arange(6)), TypeError, r"floats of one dtype"),
        (lambda: sparse.jacobian(chain, np.ones(6), chunk_size=0), ValueError, r"chunk_size=...\)` should be at least"),
        (lambda: sparse.jacobian(chain, np.ones(6), scheme="central"), ValueError, r"coloring=...\)` should be given"),
        (lambda: sparse.jacobian(chain, np.ones(5), coloring=sparse.color(THREE, mode="rev"), scheme="central"),
         ValueError, r"should color columns alone"),
        (lambda: sparse.jacobian(chain, np.ones(5), coloring=sparse.color(THREE), scheme="middle"),
         ValueError, r"scheme"),
        (lambda: sparse.jacobian(np.sin, np.ones(4), coloring=sparse.color(THREE), scheme="central"), ValueError,
         r"outputs by inputs. Got \(5, 5\)"),
        (lambda: sparse.decompress((jnp.zeros((2, 5)), jnp.zeros((0, 5))), sparse.color(THREE)), ValueError,
         r"shapes \(3, 5\) and \(0, 5\), for this coloring. Got \(2, 5\)"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_clear_error(call, error, message):
    """Errors name the call, what it should be given, and what it got."""
    with pytest.raises(error, match=message):
        call()


def test_black_box_of_another_shape_gets_a_clear_error():
    """A black box that returns more or fewer numbers than the coloring has rows is refused."""
    jac = sparse.jacobian(lambda x: x[:3], np.ones(5), coloring=sparse.color(THREE), scheme="forward")
    with pytest.raises(ValueError, match=r"should return an array of shape \(5,\), one number a row.*Got shape \(3,\)"):
        jac(np.ones(5))


def test_indices_are_followed_from_a_compiled_function_into_its_gradient():
    """The gradient of what is compiled takes the indices from it, and they are the same for all x."""
    places = np.array([0, 2])
    f = jax.jit(lambda x: jnp.sum(x[places] ** 2 * x[0]))
    expected = np.zeros((4, 4), bool)
    expected[[0, 0, 2, 2], [0, 2, 0, 2]] = True
    assert np.array_equal(sparse.hessian_pattern(f, jnp.ones(4)).toarray(), expected)
