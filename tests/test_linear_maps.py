"""Linear maps against NumPy's matrices, JAX's own transforms, SciPy's solvers and brute-force sums over paths."""

import itertools
import math
import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import LITTLE_EFFORT, compiled, quick_jit
from scipy.sparse.linalg import LinearOperator, cg, gmres

from autodiff_tutorial.linear_maps import Graph, LinearMap, from_function, from_matrix, hessian, jacobian

RTOL = {"float32": 1e-5, "float64": 1e-12}
sizes = st.sampled_from([1, 2, 5])
seeds = st.integers(0, 999)


def normal(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def program(A, **options):
    """Make a map of a matrix as users do of a program: JAX knows nothing of the matrix."""
    return LinearMap(lambda x: jnp.asarray(A) @ x, A.shape[1], A.shape[0], dtype=A.dtype, **options)


def assert_close(found, expected, dtype="float64"):
    """Assert agreement relative to the largest number."""
    expected = np.asarray(expected)
    scale = abs(expected).max(initial=0.0) or 1.0
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.asarray(found) / scale, expected / scale, rtol=0, atol=RTOL[dtype])


def curved(x):
    """Map R^3 to R^2, with every entry of the Jacobian and of the second derivative alive."""
    return jnp.stack([jnp.sin(x[0] * x[1]) + x[2] ** 3, jnp.exp(x[2] - x[0]) / (2 + jnp.cos(x[1]))])


@settings(max_examples=25)
@given(sizes, sizes, seeds, st.sampled_from(["float32", "float64"]))
def test_map_is_its_matrix(m, n, seed, dtype):
    """Products, transposed products from either side and both ways of writing it out agree with NumPy."""
    M, x, y = (normal(*shape, seed=seed, dtype=dtype) for shape in ((m, n), (n,), (m,)))
    A = program(M)
    assert A.shape == (m, n)
    assert A.dtype == dtype
    products, matrices = in_every_way(M, x, y)
    for found, expected in zip(products, (M @ x, M.T @ y, M.T @ y), strict=True):
        assert found.dtype == dtype
        assert_close(found, expected, dtype)
    for found in matrices:
        assert found.dtype == dtype
        assert_close(found, M, dtype)


@quick_jit
def in_every_way(M, x, y):
    A = program(M)
    return (A @ x, A.T @ y, y @ A), [A.as_matrix(by) for by in ("auto", "columns", "rows")]


@settings(max_examples=25)
@given(st.sampled_from([(1, 2, 5), (5, 2, 1), (2, 5, 2), (5, 1, 5), (1, 1, 1)]), seeds)
def test_algebra_is_that_of_matrices(shape, seed):
    """Sums, differences, multiples and compositions, and their transposes, are those of the matrices."""
    m, n, k = shape
    M, N, P = normal(m, n, seed=seed), normal(m, n, seed=seed + 1), normal(n, k, seed=seed + 2)
    cases = {
        "sum": M + N,
        "difference": M - N,
        "minus": -M,
        "multiples": 4.75 * M,
        "arrays as factors": 5 * M,
        "composition": (M + N) @ P,
        "gram": M.T @ M,
    }
    for found, expected in zip(algebra(M, N, P), cases.values(), strict=True):
        for matrix, truth in zip(found, (expected, expected, expected.T), strict=True):
            assert_close(matrix, truth)


@quick_jit
def algebra(*matrices):
    A, B, C = map(program, matrices)
    three, two = jnp.array(3), np.array(2.0)
    multiples, arrays = 2 * A + A * np.float64(3.0) - A / 4, two * A + three * A
    found = A + B, A - B, -A, multiples, arrays, (A + B) @ C, A.T @ A
    return [(F.as_matrix(by="columns"), F.as_matrix(by="rows"), F.T.as_matrix()) for F in found]


@given(sizes, sizes, sizes, seeds)
def test_transpose_obeys_the_dot_product_law(m, n, k, seed):
    """<y, A B x> = <(A B)^T y, x>, and the transpose of a composition is the composition in reverse."""
    A, B = program(normal(m, n, seed=seed)), program(normal(n, k, seed=seed + 1))
    x, y = normal(k, seed=seed + 2), normal(m, seed=seed + 3)
    AB = A @ B
    size = np.linalg.norm(y) * np.linalg.norm(AB @ x) + 1e-300
    assert abs(y @ np.asarray(AB @ x) - np.asarray(AB.T @ y) @ x) <= 1e-12 * size
    assert_close(AB.T.as_matrix(), np.asarray((B.T @ A.T).as_matrix()))


@given(sizes, seeds, st.floats(-4, 4), st.floats(-4, 4))
def test_jacobian_is_linear(n, seed, a, b):
    """The derivative at a point is linear in its direction, whatever the function."""
    J = jacobian(lambda x: jnp.sin(x) * x.sum(), normal(n, seed=seed))
    u, v = normal(n, seed=seed + 1), normal(n, seed=seed + 2)
    scale = abs(a) * abs(np.asarray(J @ u)).max() + abs(b) * abs(np.asarray(J @ v)).max() + 1e-9
    np.testing.assert_allclose(J @ (a * u + b * v), a * (J @ u) + b * (J @ v), rtol=0, atol=1e-12 * scale)


def test_transposing_twice_gives_the_map_back():
    """A.T.T runs the very program of A, also where the transpose was given, or made of a derivative."""
    M = normal(2, 3)
    for A in (program(M), program(M, rmv=lambda y: M.T @ y), from_matrix(M), jacobian(curved, jnp.ones(3))):
        assert A.T.T.mv is A.mv
    assert_close((program(M) @ program(M).T).T.T.as_matrix(), M @ M.T)


def test_transpose_that_is_given_is_used():
    """A map with a while loop, which JAX cannot transpose, works by rows with a transpose of its own."""

    def thrice(x):
        return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, 2 * c[1]), (0, x))[1]

    A = LinearMap(lambda x: thrice(x[::-1]), 4, 4, rmv=lambda y: thrice(y)[::-1])
    assert_close(A.as_matrix(by="rows"), 8 * np.eye(4)[::-1])
    assert_close((2 * (A @ A)).T.as_matrix(by="columns"), 128 * np.eye(4))
    with pytest.raises(ValueError, match=r"give its transpose: LinearMap\(..., rmv=...\)"):
        _ = LinearMap(thrice, 4, 4).T


@pytest.mark.parametrize("m, n", [(1, 1), (1, 9), (9, 1), (5, 8), (8, 5)])
@pytest.mark.parametrize("by", ["columns", "rows"])
def test_chunks_change_nothing(m, n, by):
    """Written out in chunks, which need not divide the size, the matrix is the same, compiled as well."""
    M, chunk_sizes = normal(m, n), (None, 1, 3, 4, 100)
    A = program(M)
    found = [A.as_matrix(by, chunk_size) for chunk_size in chunk_sizes]
    found += quick_jit(lambda: [program(M).as_matrix(by, chunk_size) for chunk_size in chunk_sizes])()
    for matrix in found:
        assert_close(matrix, M)


def test_chunks_are_batches():
    """A chunk is computed at once: 12 products in chunks of 5 are two rounds, and one of what is left."""
    A = program(normal(12, 12))
    steps = jax.make_jaxpr(lambda: A.as_matrix(chunk_size=5))().jaxpr.eqns
    assert [step.params["length"] for step in steps if step.primitive.name == "scan"] == [2]


@pytest.mark.parametrize("by", ["columns", "rows"])
def test_chunks_save_memory(by):
    """Compiled, chunks of 10 hold far less beside the result than all at once."""
    n, inner = 300, 2000
    M, N = normal(n, inner), normal(inner, n)

    def temporary(chunk_size):
        A = program(M) @ program(N)
        program_of_chunks = jax.jit(lambda: A.as_matrix(by, chunk_size)).lower()
        return program_of_chunks.compile(LITTLE_EFFORT).memory_analysis().temp_size_in_bytes

    assert temporary(10) < 0.5 * temporary(None)


@pytest.mark.parametrize(
    "m, n, by, products",
    [(1, 50, "auto", {"rmv": 1}), (50, 1, "auto", {"mv": 1}), (1, 50, "columns", {"mv": 50}), (4, 4, "auto", {"mv": 4}),
     (50, 1, "rows", {"rmv": 50}), (3, 5, "auto", {"rmv": 3}), (5, 3, "auto", {"mv": 3})],
)  # fmt: skip
@pytest.mark.parametrize("chunk_size", [None, 7])
def test_products_are_counted(m, n, by, products, chunk_size):
    """A matrix takes n products by columns or m by rows, and "auto" takes the fewer."""
    M, calls = normal(m, n), Counter()

    def counted(name, matrix):
        def mv(x):
            jax.debug.callback(lambda _: calls.update([name]), x[0])
            return matrix @ x

        return mv

    A = LinearMap(counted("mv", jnp.asarray(M)), n, m, rmv=counted("rmv", jnp.asarray(M.T)))
    jax.effects_barrier()
    calls.clear()
    assert_close(A.as_matrix(by, chunk_size), M)
    jax.effects_barrier()
    assert calls == products


def test_python_counts_a_program_once_for_all_columns():
    """A batch is traced once, so that counting calls of the Python function would not count products."""
    calls = []
    A = LinearMap(lambda x: calls.append(1) or 2 * x, 100, 100)
    calls.clear()
    A.as_matrix()
    assert len(calls) == 1
    for j in range(5):
        A @ np.eye(100)[j]
    assert len(calls) == 6


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_matrix_keeps_its_precision(dtype):
    """Floats stay as they are, integers become floats; SciPy and JAX see the same dtype."""
    M = np.array([[2, 0, 0], [0, 1, 3]], dtype=dtype)
    A = from_matrix(M)
    expected = np.float64 if dtype == "int64" else np.dtype(dtype)
    assert A.dtype == A.as_matrix().dtype == A.to_scipy().dtype == (A @ [1, 2, 3]).dtype == expected
    np.testing.assert_array_equal(A.as_matrix(by="columns"), M)
    np.testing.assert_array_equal(A.as_matrix(by="rows"), M)


def test_matrix_is_kept():
    """A change of the caller's array later on changes neither the map nor its transpose."""
    for n in 2, 50, 1000:
        matrix = np.ones((n, n))
        A = from_matrix(matrix)
        matrix[:] = 7.0
        assert (A @ np.ones(n))[0] == (A.T @ np.ones(n))[0] == n


def test_matrix_is_multiplied_in_full_precision():
    """Recent GPUs round what they multiply, unless they are told not to: map and transpose tell them."""
    A = from_matrix(np.eye(3, dtype="float32"))
    for mv in (A.mv, A.T.mv):
        assert "HIGHEST" in str(jax.make_jaxpr(mv)(jnp.ones(3, "float32")))


def test_jacobian_stays_in_the_precision_of_the_point():
    """Where f changes the dtype on its way, its derivative still takes and returns that of the point."""
    J = jacobian(lambda x: jnp.sin(x.astype("float64"))[:2], jnp.zeros(3, "float32"))
    assert J.dtype == (J @ np.ones(3)).dtype == (J.T @ np.ones(2)).dtype == J.as_matrix("rows").dtype == jnp.float32
    np.testing.assert_array_equal(J.as_matrix(), np.eye(3)[:2])


def test_default_dtype_is_that_of_jax(without_x64):
    """Without x64 maps are in float32, and NumPy's float64 is converted."""
    for A in (LinearMap(jnp.cumsum, 3, 3), from_matrix(np.tri(3)), jacobian(jnp.cumsum, np.ones(3))):
        assert A.dtype == (A @ np.ones(3)).dtype == A.as_matrix().dtype == jnp.float32
        np.testing.assert_array_equal(A.as_matrix(), np.tri(3))


def test_tutorial_matrix_by_columns_and_rows():
    """The statements z1 = 2 x1, z2 = x2 + 3 x3 have the matrix [[2, 0, 0], [0, 1, 3]], either way."""
    A = LinearMap(lambda x: jnp.stack([2 * x[0], x[1] + 3 * x[2]]), 3, 2)
    for by in ("columns", "rows"):
        np.testing.assert_array_equal(A.as_matrix(by=by), [[2, 0, 0], [0, 1, 3]])


def test_function_of_pytrees_is_raveled():
    """A linear function of a dictionary, with arrays of any shape in and out, is a map between vectors."""

    def f(tree):
        return [tree["b"] @ tree_matrix, {"s": tree["a"].sum() - tree["b"][0]}]

    tree_matrix = normal(3, 4)
    like = {"a": jax.ShapeDtypeStruct((2, 2), "float64"), "b": jax.ShapeDtypeStruct((3,), "float64")}
    expected = np.block([[np.zeros((4, 4)), tree_matrix.T], [np.ones((1, 4)), np.array([[-1.0, 0.0, 0.0]])]])
    A = from_function(f, like)
    assert A.shape == (5, 7)
    assert_close(A.as_matrix(by="rows"), expected)
    assert_close(from_function(f, {"a": jnp.zeros((2, 2)), "b": jnp.zeros(3)}).as_matrix(by="columns"), expected)


def test_number_may_come_in_and_go_out():
    """Scalars are vectors of one number."""
    assert_close(from_function(lambda x: 3 * x, 0.0).as_matrix(), [[3.0]])
    assert_close(jacobian(jnp.sin, 0.5).as_matrix(), [[math.cos(0.5)]])
    assert_close(hessian(jnp.sin, 0.5).as_matrix(), [[-math.sin(0.5)]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_jacobian_is_that_of_jax(dtype):
    """A Jacobian has a row for each output, and is that of jax.jacfwd by columns and by rows."""
    x = jnp.asarray([0.3, -1.2, 0.7], dtype=dtype)
    J = jacobian(curved, x)
    expected = compiled(jax.jacfwd(curved), x)
    assert J.shape == (2, 3)
    assert J.dtype == dtype
    assert_close(J.as_matrix(by="columns"), expected, dtype)
    assert_close(J.as_matrix(by="rows"), expected, dtype)
    assert_close(J.T.as_matrix(), expected.T, dtype)


def test_jacobian_of_a_pytree():
    """The leaves of the point make the columns, those of the value the rows, as ravel_pytree lays them out."""

    def f(tree):
        return {"p": jnp.outer(tree["w"], tree["w"]) * tree["b"], "q": tree["b"] ** 2}

    at = {"w": jnp.asarray([1.0, 2.0]), "b": jnp.asarray(3.0)}
    expected = [  # columns b, w0, w1; rows p00, p01, p10, p11, q
        [1, 6, 0], [2, 6, 3], [2, 6, 3], [4, 0, 12], [6, 0, 0],
    ]  # fmt: skip
    J = jacobian(f, at)
    assert_close(J.as_matrix(by="rows"), np.array(expected, dtype=float))
    assert_close(J.as_matrix(by="columns"), np.array(expected, dtype=float))


def test_chain_rule_is_composition():
    """The derivative of c(b(a(x))) is the composition of the derivatives, each at its own point."""
    a, b, c = curved, lambda y: jnp.stack([y[0] * y[1], y[0], jnp.sin(y[1]), y[1]]), lambda z: jnp.cumsum(z**2)[1:]
    x = jnp.asarray([0.3, -1.2, 0.7])
    whole = jacobian(lambda x: c(b(a(x))), x)
    parts = jacobian(c, b(a(x))) @ jacobian(b, a(x)) @ jacobian(a, x)
    assert_close(parts.as_matrix(), np.asarray(whole.as_matrix()))
    assert_close(parts.T.as_matrix(), np.asarray(whole.as_matrix()).T)


@pytest.mark.parametrize("make, times", [(jacobian, 1), (hessian, 1)])
def test_function_is_evaluated_at_the_point_once(make, times):
    """Products and transposed products cost no evaluation of f beyond those of the linearization."""
    calls = []

    def f(x):
        calls.append(1)
        jax.debug.callback(lambda _: calls.append("run"), x[0])
        return jnp.sin(x).sum()

    A = make(f, jnp.ones(4))
    jax.effects_barrier()
    assert calls.count("run") == times
    before = len(calls)
    A @ np.ones(4)
    A.T @ np.ones(A.shape[0])
    A.as_matrix(by="columns")
    jax.effects_barrier()
    assert len(calls) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hessian_is_that_of_jax_and_its_own_transpose(dtype):
    """The Hessian agrees with jax.hessian, is symmetric, and transposing it costs nothing."""

    def f(x):
        return jnp.prod(curved(x)) + x[0] * x[2]

    x = jnp.asarray([0.3, -1.2, 0.7], dtype=dtype)
    H = hessian(f, x)
    assert H.T is H
    assert H.shape == (3, 3)
    matrix = H.as_matrix()
    expected, transposed = compiled(lambda x: (jax.hessian(f)(x), jacobian(jax.grad(f), x).T.as_matrix()), x)
    assert_close(matrix, expected, dtype)
    assert_close(transposed, matrix, dtype)


def test_maps_work_under_jit_vmap_and_grad():
    """Points, factors, vectors and matrices may be traced."""
    points = normal(5, 3)
    ways = (
        jax.jacrev(curved),
        lambda x: jacobian(curved, x).as_matrix(),
        lambda x: jacobian(curved, x).as_matrix("rows", 2),
    )
    expected, *found = compiled(lambda points: [jax.vmap(way)(points) for way in ways], points)
    for matrices in found:
        assert_close(matrices, expected)

    M, v = normal(2, 3), np.ones(3)

    def quadratic(M, c, v):
        A = c * from_matrix(M) + LinearMap(lambda x: M @ x, 3, 2)
        return v @ (A.T @ (A @ v))

    value, (by_c, by_v) = quick_jit(jax.value_and_grad(quadratic, argnums=(1, 2)))(M, 2.0, v)
    assert_close(value, 9 * (M @ v) @ (M @ v))
    assert_close(by_v, 18 * M.T @ M @ v)
    assert_close(by_c, 6 * (M @ v) @ (M @ v))
    assert_close(jax.vmap(program(M).mv)(points), points @ M.T)


def test_transpose_made_under_jit_does_not_leak():
    """A transpose first asked for while JAX traces is as good afterwards."""
    A = program(normal(2, 3))
    inside = jax.jit(lambda y: A.T @ y)(np.ones(2))
    assert_close(A.T @ np.ones(2), np.asarray(inside))


def second_difference(n, shift=0.0):
    """Return the map of -u'' on n inner points, plus a multiple of the identity; symmetric and positive."""
    return LinearMap(lambda u: (2 + shift) * u - jnp.pad(u[1:], (0, 1)) - jnp.pad(u[:-1], (1, 0)), n, n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scipy_sees_the_operator(dtype):
    """SciPy's operator multiplies vectors, columns and matrices, from either side, in the dtype of the map."""
    M = normal(3, 5, dtype=dtype)
    op = program(M).to_scipy()
    assert isinstance(op, LinearOperator)
    assert op.shape == M.shape
    for found, expected in {
        "matvec": (op @ np.ones(5), M @ np.ones(5)),
        "column": (op @ np.ones((5, 1)), M @ np.ones((5, 1))),
        "matmat": (op @ np.eye(5), M),
        "rmatvec": (op.rmatvec(np.ones(3)), M.T @ np.ones(3)),
        "transposed": (op.T @ np.eye(3), M.T),
        "adjoint": (op.H @ np.ones(3), M.T @ np.ones(3)),
    }.values():
        assert isinstance(found, np.ndarray)
        assert_close(found, expected, dtype)


def test_scipy_solves_for_complex_vectors():
    """A real operator takes the real and the imaginary part of a vector, one after the other."""
    M, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1 + 2j, 3 - 1j])
    op = from_matrix(M).to_scipy()
    np.testing.assert_allclose(op @ b, M @ b, rtol=1e-14)
    np.testing.assert_allclose(cg(op, b)[0], np.linalg.solve(M, b), rtol=1e-10)


@pytest.mark.parametrize("c", [3, 3.0, np.float32(3), np.float16(3), jnp.int32(3)], ids=lambda c: type(c).__name__)
def test_divisor_is_taken_in_the_precision_of_the_map(c):
    assert ((from_matrix([[1.0]]) / c) @ np.ones(1))[0] == 1 / 3


@pytest.mark.parametrize("dtype", ["int8", "int32", "float32"])
def test_traced_numbers_of_a_graph_neither_overflow_nor_lose_digits(dtype):
    """Compiled sums are those on the host, whatever holds weights and values."""
    push = lambda w, x: Graph([("a", "b", w), ("b", "c", w)]).push(x)  # noqa: E731
    w, x = jnp.asarray(101, dtype), jnp.asarray([103], dtype)
    assert jax.jit(push)(w, x)[0] == push(w, x)[0] == 101 * 101 * 103
    w = jnp.float32(0.1)
    assert jax.jit(push)(w, jnp.ones(1)) == push(w, jnp.ones(1))


def test_program_takes_no_more_memory_than_its_vectors():
    """Dense, sparse and as a program a map is the same; a million numbers take 8 TB, 40 MB and a few vectors."""
    n = 100
    dense = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    A = second_difference(n)
    np.testing.assert_array_equal(A.as_matrix(), dense)
    np.testing.assert_array_equal(A.as_matrix("rows"), scipy.sparse.csr_array(dense).toarray())
    n = 10**6
    compiled = jax.jit(second_difference(n).mv).lower(jax.ShapeDtypeStruct((n,), "float64")).compile()
    assert compiled.memory_analysis().temp_size_in_bytes <= 3 * 8 * n


def test_conjugate_gradients_solve():
    """cg, given only products, finds the solution that a dense solver finds."""
    n = 50
    A, b = second_difference(n, shift=0.1), normal(n)
    found, info = cg(A.to_scipy(), b, rtol=1e-12)
    dense = 2.1 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    assert info == 0
    np.testing.assert_allclose(found, np.linalg.solve(dense, b), rtol=1e-9, atol=1e-9)


def test_gmres_solves_with_and_without_transpose():
    """Gmres solves A x = b and A^T y = b for a map that is not symmetric."""
    M, b = normal(12, 12) / 4 + 3 * np.eye(12), normal(12, seed=1)
    A = program(M)
    for op, matrix in ((A.to_scipy(), M), (A.T.to_scipy(), M.T), (A.to_scipy().T, M.T)):
        found, info = gmres(op, b, rtol=1e-12)
        assert info == 0
        np.testing.assert_allclose(found, np.linalg.solve(matrix, b), rtol=1e-9)


def paths(edges, start, end):
    """Add up, over all paths from start to end, the products of the weights: by walking each path."""
    if start == end:
        return 1.0 + sum(w * paths(edges, head, end) for tail, head, w in edges if tail == start)
    return sum(w * paths(edges, head, end) for tail, head, w in edges if tail == start)


weights = st.integers(-3, 3).map(float)
dags = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), weights).filter(lambda edge: edge[0] < edge[1]),
    min_size=1,
    max_size=14,
)


@given(dags, st.permutations(range(7)), st.permutations(range(14)))
def test_graph_adds_up_paths(edges, names, order):
    """Each entry is the sum over paths, for any names and any order of the edges, parallel ones included."""
    edges = [(f"n{names[tail]}", f"n{names[head]}", w) for tail, head, w in edges]
    edges = [edges[i] for i in order if i < len(edges)]
    graph = Graph(edges)
    expected = np.array([[paths(edges, j, i) for j in graph.inputs] for i in graph.outputs])
    heads, tails = {e[1] for e in edges}, {e[0] for e in edges}
    nodes = list(dict.fromkeys(node for e in edges for node in e[:2]))
    assert graph.inputs == tuple(node for node in nodes if node not in heads)
    assert graph.outputs == tuple(node for node in nodes if node not in tails)
    assert graph.shape == expected.shape
    np.testing.assert_array_equal(graph.as_matrix(), expected)
    m, n = expected.shape
    np.testing.assert_array_equal([graph.push(e) for e in np.eye(n)], expected.T)
    np.testing.assert_array_equal([graph.pull(e) for e in np.eye(m)], expected)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), seeds)
def test_layers_are_products_of_matrices(widths, seed):
    """A layered graph is the product of its layers' matrices."""
    matrices = [normal(m, n, seed=seed + i) for i, (n, m) in enumerate(itertools.pairwise(widths))]
    edges = [((k, j), (k + 1, i), M[i, j]) for k, M in enumerate(matrices) for i, j in np.ndindex(*M.shape)]
    graph = Graph(
        edges,
        inputs=[(0, j) for j in range(widths[0])],
        outputs=[(len(matrices), i) for i in range(widths[-1])],
    )
    product = matrices[0]
    for M in matrices[1:]:
        product = M @ product
    assert_close(graph.as_matrix(), product)


@given(dags, seeds)
def test_pull_is_the_transpose_of_push(edges, seed):
    """JAX's transpose of the push is the pull, and they obey the dot product law."""
    graph = Graph(edges)
    m, n = graph.shape
    A = LinearMap(graph.push, n, m)
    x, y = normal(n, seed=seed), normal(m, seed=seed + 1)
    np.testing.assert_allclose(A.T @ y, graph.pull(y), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(y @ np.asarray(graph.push(x)), x @ np.asarray(graph.pull(y)), rtol=1e-10, atol=1e-10)


def test_tutorial_graph_and_its_matrix_like_twin():
    """Reaching over a layer, or through a node that only passes on, the matrix is [[2, 1, 2], [-2, -1, 1]]."""
    first = [("x1", "y1", 2.0), ("x2", "y1", 1.0)]
    over = [("y1", "z1", 1.0), ("x3", "z1", 2.0), ("y1", "z2", -1.0), ("x3", "z2", 1.0)]
    through = [("x3", "y2", 1.0), ("y1", "z1", 1.0), ("y2", "z1", 2.0), ("y1", "z2", -1.0), ("y2", "z2", 1.0)]
    inner, outer = from_matrix([[2, 1, 0], [0, 0, 1]]), from_matrix([[1, 2], [-1, 1]])
    expected = [[2, 1, 2], [-2, -1, 1]]
    for found in (Graph(first + over), Graph(first + through), outer @ inner):
        np.testing.assert_array_equal(found.as_matrix(), expected)


def test_inner_nodes_may_be_inputs_and_outputs():
    """What is put into an inner node comes on top of what reaches it, and inputs that are not named are zero."""
    edges = [("a", "b", 2.0), ("b", "c", 5.0), ("q", "b", 7.0), ("b", "d", -1.0)]
    graph = Graph(edges, inputs=["b", "a"], outputs=["d", "b"])
    np.testing.assert_array_equal(graph.push({"a": 10.0, "b": 1.0}), [-21.0, 21.0])
    np.testing.assert_array_equal(graph.as_matrix(), [[-1.0, -2.0], [1.0, 2.0]])
    np.testing.assert_array_equal(graph.pull({"d": 1.0, "b": 10.0}), [9.0, 18.0])


def test_cost_is_linear_in_the_edges():
    """A chain of 10^5 nodes, and 60 diamonds in a row with 2^60 paths, take one pass over their edges."""
    chain = Graph([(i, i + 1, 1.0 + 2.0**-17) for i in range(100_000)])
    assert_close(chain.push([1.0]), [math.exp(100_000 * math.log1p(2.0**-17))])
    np.testing.assert_allclose(chain.pull([1.0]), chain.push([1.0]), rtol=1e-9)
    sides = [((i, side), (i + 1, "top"), 1.0) for i in range(60) for side in ("left", "right")]
    tops = [((i, "top"), (i, side), 1.0) for i in range(60) for side in ("left", "right")]
    np.testing.assert_array_equal(Graph(tops + sides).as_matrix(), [[2.0**60]])


@pytest.mark.parametrize("wide, sweeps", [(True, ["pull"]), (False, ["push"])])
def test_graph_is_written_out_by_the_fewer_sweeps(monkeypatch, wide, sweeps):
    """One output takes one pull, one input takes one push."""
    calls = []
    for name in ("push", "pull"):
        sweep = getattr(Graph, name)
        monkeypatch.setattr(
            Graph, name, lambda self, values, name=name, sweep=sweep: calls.append(name) or sweep(self, values)
        )
    edges = [(f"x{i}", "z", float(i)) for i in range(5)]
    matrix = Graph(edges if wide else [(head, tail, w) for tail, head, w in edges]).as_matrix()
    assert calls == sweeps
    np.testing.assert_array_equal(matrix.ravel(), range(5))


def test_weights_and_values_may_be_traced():
    """The derivative of a push by a weight is the value upstream times the path sum downstream."""

    def output(w, x):
        return Graph([("x", "y", w[0]), ("y", "z", w[1]), ("x", "z", w[2])]).push(x)[0]

    w, x = jnp.asarray([2.0, 3.0, 5.0]), jnp.asarray([7.0])
    assert_close(jax.jit(output)(w, x), 77.0)
    assert_close(jax.grad(output)(w, x), [21.0, 14.0, 7.0])
    assert_close(jax.jit(jax.grad(output, argnums=1))(w, x), [11.0])
    graph = Graph([("x", "y", 2.0), ("x", "z", 3.0)])
    assert_close(jax.vmap(graph.push)(jnp.asarray([[1.0], [2.0]])), [[2.0, 3.0], [4.0, 6.0]])
    assert_close(jax.jit(lambda a: graph.pull([a, 1.0]))(5.0), [13.0])


@pytest.mark.parametrize(
    "given, dtype",
    [([1.0], "float64"), (jnp.ones(1, "float32"), "float32"), ([2], "float64"), (jnp.full(1, 2), "float64")],
)
def test_graph_answers_in_the_precision_it_is_asked_in(given, dtype):
    """JAX arrays keep their precision, Python's numbers have the default one."""
    assert Graph([("a", "b", 0.5)]).push(given).dtype == dtype


def plus_one(x):
    return x + 1


REFUSED = {
    "affine": (lambda: LinearMap(plus_one, 3, 3), ValueError, "(mv=...)` should be linear. Got one with A(-2 r)"),
    "square": (lambda: LinearMap(lambda x: x * x, 3, 3), ValueError, "(mv=...)` should be linear"),
    "bent": (lambda: LinearMap(abs, 3, 3), ValueError, "(mv=...)` should be linear"),
    "rectified": (lambda: LinearMap(jax.nn.relu, 3, 3), ValueError, "(mv=...)` should be linear"),
    "affine function": (lambda: from_function(plus_one, jnp.ones(3)), ValueError, "(mv=...)` should be linear"),
    "branch": (lambda: LinearMap(lambda x: x if x[0] > 0 else -x, 3, 3), TypeError, "should be traceable by JAX"),
    "numpy": (lambda: LinearMap(lambda x: np.fft.fft(x).real, 3, 3), TypeError, "should be traceable by JAX"),
    "shape": (lambda: LinearMap(lambda x: x, 3, 2), ValueError, "return an array of shape (2,) for one of shape (3,)"),
    "two results": (lambda: LinearMap(lambda x: (x, x), 3, 3), ValueError, "of shape (3,). Got tuple."),
    "dtype": (lambda: LinearMap(lambda x: x, 3, 3, dtype="int32"), TypeError, "(dtype=...)` should be float32 or"),
    "half": (lambda: jacobian(jnp.sin, jnp.ones(3, "float16")), TypeError, "float32 or float64. Got float16"),
    "returns float32": (
        lambda: LinearMap(lambda x: x.astype("float32"), 3, 3),
        TypeError,
        "should return float64, which it was given. Got float32",
    ),
    "size": (lambda: LinearMap(lambda x: x, 2.5, 3), TypeError, "(in_size=...)` should be an integer. Got 2.5"),
    "no size": (lambda: LinearMap(lambda x: x, 3, 0), ValueError, "(out_size=...)` should be at least 1. Got 0"),
    "transpose of other shape": (
        lambda: LinearMap(lambda x: x[:2], 3, 2, rmv=lambda y: y),
        ValueError,
        "(rmv=...)` should return an array of shape (3,) for one of shape (2,). Got shape (2,)",
    ),
    "vector": (lambda: from_matrix(np.eye(3)) @ np.ones(2), ValueError, "`A @ x` should have a vector of shape (3,)"),
    "stack": (lambda: from_matrix(np.eye(3)) @ np.ones((3, 2)), ValueError, "use jax.vmap(A.mv)"),
    "row": (lambda: np.ones(2) @ from_matrix(np.eye(3)), ValueError, "`y @ A` should have a vector of shape (3,)"),
    "complex vector": (lambda: from_matrix(np.eye(3)) @ (1j * np.ones(3)), TypeError, "a vector of float64"),
    "too precise": (
        lambda: from_matrix(np.eye(3, dtype="float32")) @ jnp.ones(3),
        TypeError,
        "a vector of float32, as the map. Got float64. Convert the vector",
    ),
    "composition": (
        lambda: from_matrix(np.eye(3)) @ from_matrix(np.eye(2)),
        ValueError,
        "`A @ B` should have as many outputs of B as inputs of A. Got shapes (3, 3) and (2, 2)",
    ),
    "sum": (
        lambda: from_matrix(np.ones((2, 3))) + from_matrix(np.ones((3, 2))),
        ValueError,
        "`A + B` should have maps of one shape. Got (2, 3) and (3, 2)",
    ),
    "sum of dtypes": (
        lambda: from_matrix(np.eye(3)) + from_matrix(np.eye(3, dtype="float32")),
        TypeError,
        "`A + B` should have maps of one dtype. Got float64 and float32",
    ),
    "composition of dtypes": (
        lambda: from_matrix(np.eye(3)) @ from_matrix(np.eye(3, dtype="float32")),
        TypeError,
        "`A @ B` should have maps of one dtype",
    ),
    "product of maps": (lambda: from_matrix(np.eye(2)) * from_matrix(np.eye(2)), TypeError, "write A @ B"),
    "factors": (lambda: np.ones(2) * from_matrix(np.eye(2)), TypeError, "should have a real number c. Got shape (2,)"),
    "complex factor": (lambda: 1j * from_matrix(np.eye(2)), TypeError, "should have a real number c. Got complex"),
    "word as factor": (lambda: "2" * from_matrix(np.eye(2)), TypeError, "should have a real number c. Got str"),
    "map plus one": (lambda: from_matrix(np.eye(2)) + 1, TypeError, "unsupported operand"),
    "map minus one": (lambda: from_matrix(np.eye(2)) - 1, TypeError, "unsupported operand"),
    "by": (lambda: from_matrix(np.eye(2)).as_matrix("row"), ValueError, "one of 'auto', 'columns', 'rows'. Got 'row'"),
    "chunk": (lambda: from_matrix(np.eye(2)).as_matrix(chunk_size=0), ValueError, "should be at least 1. Got 0"),
    "chunks": (lambda: from_matrix(np.eye(2)).as_matrix(chunk_size=True), TypeError, "should be an integer. Got True"),
    "vector for a matrix": (lambda: from_matrix(np.ones(3)), ValueError, "have shape (m, n), with m and n at least 1"),
    "empty matrix": (lambda: from_matrix(np.ones((0, 3))), ValueError, "at least 1. Got (0, 3)"),
    "complex matrix": (lambda: from_matrix(1j * np.eye(2)), TypeError, "hold real numbers, as a dense array"),
    "half matrix": (lambda: from_matrix(np.eye(2, dtype="float16")), TypeError, "should be float32 or float64"),
    "integers": (lambda: jacobian(jnp.sin, jnp.arange(3)), TypeError, "jacobian(x=...)` should hold floats"),
    "two dtypes": (
        lambda: from_function(lambda t: t[0], (jnp.ones(2), jnp.ones(2, "float32"))),
        TypeError,
        "(x_like=...)` should hold floats of one dtype, float32 or float64. Got float32, float64",
    ),
    "empty point": (lambda: hessian(jnp.sum, jnp.zeros(0)), ValueError, "(x=...)` should not be empty"),
    "empty tree": (lambda: jacobian(lambda t: jnp.ones(2), {}), ValueError, "(x=...)` should not be empty"),
    "empty value": (lambda: jacobian(lambda x: x[:0], jnp.ones(2)), ValueError, "return at least one number"),
    "complex value": (lambda: jacobian(lambda x: 1j * x, jnp.ones(2)), TypeError, "real numbers. Got complex128"),
    "hessian of a vector": (
        lambda: hessian(jnp.sin, jnp.ones(2)),
        ValueError,
        "`linear_maps.hessian(f=...)` should return one number, of shape (). Got shape (2,)",
    ),
    "cycle": (
        lambda: Graph([("x", "a", 1.0), ("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 1.0), ("c", "z", 1.0)]),
        ValueError,
        "should have no cycle. Got a -> b -> c -> a.",
    ),
    "loop": (lambda: Graph([("a", "a", 1.0)]), ValueError, "should have no cycle. Got a -> a."),
    "downstream of a cycle": (
        lambda: Graph([("z", "y", 1.0), ("b", "z", 1.0), ("b", "a", 1.0), ("a", "b", 1.0)]),
        ValueError,
        "Got b -> a -> b.",
    ),
    "no edges": (lambda: Graph([]), ValueError, "(edges=...)` should have at least one edge"),
    "pair": (lambda: Graph([("a", "b", 1.0), ("a", "b")]), TypeError, "Got, as edge 1, ('a', 'b')."),
    "unhashable": (lambda: Graph([(["a"], "b", 1.0)]), TypeError, "should hold triples (from, to, weight)"),
    "word as weight": (lambda: Graph([("a", "b", "1")]), TypeError, "the weight '1', which is no real number"),
    "unknown node": (lambda: Graph([("a", "b", 1.0)], outputs=["c"]), ValueError, "(outputs=...)` should be nodes of"),
    "no inputs": (lambda: Graph([("a", "b", 1.0)], inputs=[]), ValueError, "should be nodes of the graph. Got none"),
    "node twice": (lambda: Graph([("a", "b", 1.0)], inputs=["a", "a"]), ValueError, "no node twice. Got 'a' twice"),
    "two values": (lambda: Graph([("a", "b", 1.0)]).push([1.0, 2.0]), ValueError, "each of the 1 inputs. Got 2"),
    "matrix of values": (lambda: Graph([("a", "b", 1.0)]).pull([[1.0]]), ValueError, "Got an entry of shape (1,)"),
    "other names": (lambda: Graph([("a", "b", 1.0)]).push({"b": 1.0}), ValueError, "for each of 'a'. Got 'b'."),
    "complex node": (lambda: Graph([("a", "b", 1.0)]).push([1j]), TypeError, "should have real numbers. Got 1j"),
}  # fmt: skip


@pytest.mark.parametrize("call, error, message", REFUSED.values(), ids=REFUSED)
def test_wrong_input_is_refused(call, error, message):
    """What cannot work is refused before work starts, in words that say what to do."""
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_nonlinear_program_is_refused_by_its_transpose_under_jit():
    """Where there are no numbers to tell by, JAX refuses to transpose what is not linear."""
    with pytest.raises(ValueError, match=r"`LinearMap.T` should belong to an mv that JAX can transpose"):
        jax.jit(lambda c: LinearMap(lambda x: c * jnp.sin(x), 3, 3).T @ jnp.ones(3))(1.0)


def test_map_shows_what_it_is():
    """The line that a notebook shows has no addresses in it."""
    assert repr(from_matrix(np.ones((2, 3)))) == "a linear map of shape (2, 3) in float64"
