"""Reverse mode against JAX's transforms and closed forms: nested, in bounded memory, and with clear refusals."""

import ast
import itertools
import math
import re
import threading
import tracemalloc
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import (
    LITTLE_EFFORT,
    NUMPY,
    OURS,
    PROGRAMS,
    STRAIGHT,
    close,
    compiled,
    on,
    program_on,
    reference,
    summed,
    values,
)

import autodiff_tutorial
from autodiff_tutorial import primitives
from autodiff_tutorial.forward_mode import jacfwd, jvp
from autodiff_tutorial.primitives import Traced, scan
from autodiff_tutorial.reverse_mode import checkpoint, grad, jacrev, record, value_and_grad, vjp

SECOND = {
    "forward over reverse": lambda f: jacfwd(grad(f)),
    "reverse over reverse": lambda f: jacrev(grad(f)),
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
}
FLOAT32 = ["elementary_functions", "broadcasting", "extremes", "linear_solve", "logistic_regression", "choice_where"]
BATCHED = ["rosenbrock", "runge_kutta_step", "indexing_by_arrays", "rectifiers", "logistic_regression", "loop_as_scan"]


def slope(f):
    """Return the derivative of a function of one number, by forward mode."""
    return lambda x: jvp(f, (x,), (1.0,))[1]


MODES = {"forward": slope, "reverse": grad}
MIXTURES = list(itertools.product(MODES, repeat=3))


@pytest.mark.parametrize("xp", [OURS, NUMPY], ids=["primitives", "numpy"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_on_numpy(name, xp):
    """Jacobians and gradients, also of programs that call NumPy's functions, are those of JAX."""
    f, x = program_on(xp, name), PROGRAMS[name][1]
    value, J, gradient, _ = reference(name)
    close(jacrev(f)(x), J)
    close(grad(summed(f))(x), gradient)
    y, pullback = vjp(f, x)
    close(y, value)
    bars = jax.tree.map(lambda leaf: np.cos(1.0 + np.arange(leaf.size).reshape(leaf.shape))[()], y)
    close(pullback(bars), (gradient,))


@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
@pytest.mark.parametrize("name", PROGRAMS)
def test_hessian_of_program(name, second):
    """Second derivatives by every mixture of the modes are those of JAX."""
    close(second(summed(program_on(OURS, name)))(PROGRAMS[name][1]), reference(name)[3])


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - set(STRAIGHT)))
def test_program_under_jit(name):
    """On JAX's arrays, traced by jax.jit, values, Jacobians in both modes, gradients and Hessians are those of JAX."""
    f, x = program_on(OURS, name), PROGRAMS[name][1]

    def derivatives(x):
        return f(x), jacrev(f)(x), grad(summed(f))(x), jacfwd(grad(summed(f)))(x)

    close(compiled(derivatives, x), reference(name))


@pytest.mark.parametrize("name", ["rayleigh_quotient", "runge_kutta_step", *sorted(STRAIGHT)])
def test_program_on_jax_without_jit(name):
    """Programs on JAX's arrays need no jit, and may branch on their values."""
    f, x = program_on(OURS, name), on(jnp, PROGRAMS[name][1])
    found = (f(x), jacrev(f)(x), grad(summed(f))(x), jacfwd(grad(summed(f)))(x))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found))
    close(found, reference(name))
    close(jacfwd(f)(x), reference(name)[1])


@pytest.mark.parametrize("name", BATCHED)
def test_program_under_vmap(name):
    """Gradients mapped over a batch by jax.vmap are those of its members."""
    f, x = program_on(OURS, name), np.asarray(PROGRAMS[name][1])
    batch = np.stack([x, x + 0.01, x[::-1]])
    found = compiled(jax.vmap(value_and_grad(summed(f))), batch)
    members = [value_and_grad(summed(f))(member) for member in batch]
    close(found, jax.tree.map(lambda *parts: np.stack(parts), *members))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize("name", FLOAT32)
def test_program_in_float32(name, module):
    """Numbers of single precision have gradients of single precision, right to its roundoff."""
    f, x = summed(program_on(OURS, name)), PROGRAMS[name][1]
    x = on(module, jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), x))
    found = grad(f)(x) if module is np else compiled(grad(f), x)
    for ours, exact in zip(jax.tree.leaves(found), jax.tree.leaves(reference(name)[2]), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, exact, rtol=0, atol=3e-5 * abs(np.asarray(exact)).max())


def test_program_without_x64(without_x64):
    """Where JAX knows float32 only, its arrays give float32, and NumPy's arrays and floats keep float64."""
    f = lambda x: primitives.sum(scan(lambda c, t, a: (c * t * a, c * a), 1.0, x, (x[0],))[1]) * 2.0  # noqa: E731
    x = values(3)
    narrow, wide = grad(f)(jnp.asarray(x)), grad(f)(x)
    assert (narrow.dtype, wide.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(narrow, wide, rtol=1e-5)
    assert jvp(f, (x,), (x,))[1].dtype == np.float64
    assert jvp(f, (jnp.asarray(x),), (x,))[1].dtype == np.float32


def test_jax_differentiates_through_ours():
    """Our gradient is a program of JAX like any other: JAX's own transforms pass through it."""
    x, f = values(3), lambda x: primitives.sum(primitives.sin(x) * x[::-1] ** 2)
    twin = lambda x: jnp.sum(jnp.sin(x) * x[::-1] ** 2)  # noqa: E731
    close(compiled(jax.jacfwd(grad(f)), x), compiled(jax.hessian(twin), x))


THIRD = {
    "polynomial": (lambda x: 5 * x**4 - x**3 + x, 1.3, lambda x: 120 * x - 6),
    "product": (lambda x: np.sin(x) * np.exp(x), 0.4, lambda x: 2 * math.exp(x) * (math.cos(x) - math.sin(x))),
    "quotient": (lambda x: 1 / (1 + x), 0.5, lambda x: -6 / (1 + x) ** 4),
    "root": (lambda x: primitives.sqrt(x), 2.0, lambda x: 3 / 8 * x**-2.5),
    "power": (lambda x: x**x, 1.0, lambda x: 3.0),
    "logarithm": (lambda x: np.log(x) * x, 1.5, lambda x: -1 / x**2),
    "through an array": (lambda x: primitives.prod(primitives.stack([x, x**2, x[None][0]])), 1.2, lambda x: 24 * x),
    "checkpoint": (checkpoint(lambda x: np.exp(2 * x)), 0.3, lambda x: 8 * math.exp(2 * x)),
}


@pytest.mark.parametrize("modes", MIXTURES, ids="-".join)
@pytest.mark.parametrize("f, x, expected", THIRD.values(), ids=THIRD)
def test_third_derivative(f, x, expected, modes):
    """The third derivative by each of the eight mixtures of modes is that of the closed form."""
    for mode in modes:
        f = MODES[mode](f)
    assert f(x) == pytest.approx(expected(x), rel=1e-12)


@pytest.mark.parametrize("modes", MIXTURES, ids="-".join)
def test_third_derivative_of_a_scan(modes):
    """A loop on JAX has third derivatives by each mixture of modes: those of its closed form."""

    def f(x):
        return scan(lambda c, _, x: (c * x, None), x, None, (x,), length=4)[0]

    for mode in modes:
        f = MODES[mode](f)
    assert float(compiled(f, 1.1)) == pytest.approx(60 * 1.1**2, rel=1e-12)


BOTH = list(itertools.product(MODES.values(), repeat=2))
BOTH_NAMES = ["-in-".join(pair[::-1]) for pair in itertools.product(MODES, repeat=2)]


@pytest.mark.parametrize("outer, inner", BOTH, ids=BOTH_NAMES)
def test_perturbations_are_not_confused(outer, inner):
    """Derivatives inside of derivatives, by different variables, keep their changes apart."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1
    assert outer(lambda x: x * inner(lambda y: x)(2.0))(1.0) == 0
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6
    assert outer(lambda x: inner(lambda y: x**2 * y**3)(x))(2.0) == 3 * 4 * 2**3
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z)(y) * y)(x))(5.0) == 20


@pytest.mark.parametrize("outer, inner", BOTH, ids=BOTH_NAMES)
def test_what_is_kept_whole_may_mix_the_levels(outer, inner):
    """Checkpoints and loops on JAX that are given values of several runs belong to the innermost."""
    cube = lambda a, b: checkpoint(lambda a, b: a * b * b)(a, b)  # noqa: E731
    loop = lambda a, b: scan(lambda c, _, b: (c * b, None), a, None, (b,), length=2)[0]  # noqa: E731
    pair = lambda a, b: math.prod(checkpoint(lambda a, b: (a * b, b))(a, b))  # noqa: E731
    for f, number in ((cube, float), (pair, float), (loop, jnp.asarray)):
        assert outer(lambda x, f=f: inner(lambda y: f(x, y))(x) * x)(number(3.0)) == 54  # 2 x^3
        assert outer(lambda x, f=f: inner(lambda y: f(y, x))(x) * x)(number(3.0)) == 27  # x^3
        assert outer(lambda x, f=f: inner(lambda y: f(y, y) * x)(x * x))(number(2.0)) == 240  # 3 x^5


@pytest.mark.parametrize("outer, inner", BOTH, ids=BOTH_NAMES)
def test_functions_that_return_functions(outer, inner):
    """The derivative of a curried shift, applied twice, sees both of its arguments (Manzyuk et al., 2019)."""

    def shift(u):
        return lambda f: lambda x: f(x + u)

    def derivative_of_shift(f):  # d/du shift(u)(f) at u = 0 is f', as a function
        return lambda x: outer(lambda u: shift(u)(f)(x))(0.0)

    assert derivative_of_shift(derivative_of_shift(np.sin))(0.5) == pytest.approx(-math.sin(0.5), rel=1e-14)
    assert derivative_of_shift(inner(lambda x: x**4))(2.0) == 48
    assert inner(derivative_of_shift(lambda x: x**4))(2.0) == 48


CHAIN = 100_000


def test_long_chain_neither_recurses_nor_slows_down():
    """10^5 operations are pulled back in one loop, and the tape, when it is dropped, in another."""

    def f(x):
        for _ in range(CHAIN):
            x = primitives.sin(x)
        return x

    value, pullback = vjp(f, 1.0)
    expected, x = 1.0, 1.0
    for _ in range(CHAIN):
        expected, x = expected * math.cos(x), math.sin(x)
    assert value == x
    assert pullback(1.0)[0] == pytest.approx(expected, rel=1e-10)
    del pullback


def test_long_chain_in_both_modes():
    """The second derivative of a chain of 10^4 products, whose values are nested, needs no recursion either."""

    def f(x):
        y = x
        for _ in range(10_000):
            y = y + 1e-4 * x * x
        return y

    assert jvp(grad(f), (3.0,), (1.0,))[1] == pytest.approx(2, rel=1e-9)


def counted(f):
    """Return f, and the list of its runs."""
    runs = []
    return (lambda *args: runs.append(1) or f(*args)), runs


def layers(x):
    """Apply many functions, of which each keeps its value for the way back."""
    for _ in range(20):
        x = primitives.sin(x) + 0.01 * x
    return x


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_checkpoint_has_the_same_derivatives(module):
    """Of functions of several arguments and pytrees, first and second derivatives are those without checkpoint."""

    def f(x, kept):
        part = kept(lambda a, b: {"y": primitives.tanh(a["w"] @ b), "z": (a["s"] * b.sum(), 3)})
        out = part(x, x["w"][0] ** 2)
        return (out["y"] ** 2).sum() * out["z"][0] + out["z"][1] * x["s"]

    x = {"s": values(), "w": values(2, 2)}
    plainly, kept = (lambda x, k=k: f(x, k) for k in (lambda part: part, checkpoint))
    transforms = (jacrev, jacfwd, *SECOND.values())
    both = lambda x: [[transform(f)(x) for transform in transforms] for f in (kept, plainly)]  # noqa: E731
    for found, expected in zip(*(both(x) if module is np else compiled(both, x)), strict=True):
        close(found, expected)


def test_checkpoint_runs_twice():
    """Reverse mode runs the function once to compute, and once more when a cotangent comes; forward mode once."""
    f, runs = counted(layers)
    _, pullback = vjp(checkpoint(f), 0.5)
    assert len(runs) == 1
    pullback(1.0)
    assert len(runs) == 2
    pullback(1.0)
    assert len(runs) == 3
    jvp(checkpoint(f), (0.5,), (1.0,))
    assert len(runs) == 4
    checkpoint(f)(0.5)
    assert len(runs) == 5


def test_checkpoint_in_checkpoint():
    """Checkpoints nest, and outer ones run inner ones again."""
    f, runs = counted(primitives.sin)
    twice = checkpoint(lambda x: checkpoint(f)(x) * x)
    assert grad(twice)(0.7) == pytest.approx(math.sin(0.7) + 0.7 * math.cos(0.7), rel=1e-14)
    assert len(runs) == 3


def test_checkpoint_saves_memory_on_numpy():
    """With segments that forget, a gradient needs less than a third of the memory."""

    def peak(kept):
        def f(x):
            for _ in range(10):
                x = kept(layers)(x)
            return x.sum()

        x = np.ones(10_000)
        tracemalloc.start()
        grad(f)(x)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(checkpoint) < peak(lambda f: f) / 3


def chain_of_segments(tanh, kept):
    """Return a function of a matrix: ten segments, each of ten products and tanh."""

    def segment(x, w):
        for _ in range(10):
            x = tanh(x @ w)
        return x

    def f(w):
        x = w
        for _ in range(10):
            x = kept(segment)(x, w)
        return x.sum()

    return f


def test_checkpoint_saves_memory_on_jax():
    """Without jit, a pullback with segments that forget keeps less than a third of the arrays alive."""

    def held(kept):
        before = sum(array.nbytes for array in jax.live_arrays())
        pullback = vjp(chain_of_segments(primitives.tanh, kept), jnp.full((50, 50), 0.01))[1]
        after = sum(array.nbytes for array in jax.live_arrays())
        close(pullback(1.0)[0], expected)
        return after - before

    expected = compiled(jax.grad(chain_of_segments(jnp.tanh, lambda f: f)), np.full((50, 50), 0.01))
    assert 0 < held(checkpoint) < held(lambda f: f) / 3


def test_checkpoint_under_jit_is_as_good_as_that_of_jax():
    """Under jit every segment runs twice, behind barriers, and the compiled program needs no more than JAX's own."""

    def lowered(gradient, tanh, kept):
        return jax.jit(gradient(chain_of_segments(tanh, kept))).lower(jnp.ones((100, 100)))

    def needed(program):
        return program.compile(LITTLE_EFFORT).memory_analysis().temp_size_in_bytes

    ours = lowered(grad, primitives.tanh, checkpoint)
    assert ours.as_text().count("stablehlo.tanh") > 180
    assert ours.as_text().count("stablehlo.optimization_barrier") >= 10
    assert lowered(grad, primitives.tanh, lambda f: f).as_text().count("stablehlo.tanh") == 100
    assert 0 < needed(ours) <= needed(lowered(jax.grad, jnp.tanh, jax.checkpoint)) * 1.1


@pytest.mark.parametrize("derivative", MODES.values(), ids=MODES)
def test_checkpoint_refuses_values_from_outside(derivative):
    """A function that uses a traced value which it is not given would lose its derivative."""
    words = "from outside of the function that `reverse_mode.checkpoint` is given. Pass it as an argument."
    with pytest.raises(ValueError, match=re.escape(words)):
        derivative(lambda x: checkpoint(lambda z: z * x)(x))(3.0)


X = np.array([1.0, 2.0, 3.0])
PLAIN_NUMBER = "cannot become a plain number or array: its derivative would be lost."


def assign(a, index, value):
    """Write a[index] = value as an expression."""
    a[index] = value
    return a


def add_in_place(a, x):
    """Write a += x as an expression."""
    a += x
    return a


OPERATIONS = {
    "np.fft": (lambda x: np.fft.fft(x), TypeError, "`np.fft.fft` has no rule for traced values"),
    "np.linalg": (lambda x: np.linalg.svd(x), TypeError, "`np.linalg.svd` has no rule for traced values"),
    "np.sort": (lambda x: np.sort(x), TypeError, "or add a rule by primitives.define"),
    "ufunc": (lambda x: np.cbrt(x), TypeError, "`np.cbrt` has no rule for traced values"),
    "reduce": (lambda x: np.add.reduce(x), TypeError, "`np.add.reduce` has no rule"),
    "outer": (lambda x: np.multiply.outer(x, x), TypeError, "`np.multiply.outer` has no rule"),
    "where=": (lambda x: np.add(x, x, where=x > 0), TypeError, "`np.add with where` has no rule"),
    "out=": (lambda x: np.add(x, x, out=np.zeros(3)), TypeError, "would change an array that derivatives still need"),
    "jax.numpy": (
        lambda x: jnp.sin(x),
        TypeError,
        "should be a function of primitives. It calls one that does not know",
    ),
    "math": (lambda x: math.sin(x[0]), TypeError, PLAIN_NUMBER),
    "float": (lambda x: float(x[0]), TypeError, PLAIN_NUMBER),
    "int": (lambda x: int(x[0]), TypeError, PLAIN_NUMBER),
    "range": (lambda x: range(x[0]), TypeError, PLAIN_NUMBER),
    "np.array": (lambda x: np.array([x[0], x[1]]), TypeError, "primitives.stack or primitives.concatenate"),
    "np.asarray": (lambda x: np.asarray(x), TypeError, PLAIN_NUMBER),
    "np.array of arrays": (lambda x: np.array([x, x]), TypeError, PLAIN_NUMBER),
    "modulo": (lambda x: x % 2, TypeError, "should be a function of primitives."),
    "setitem": (lambda x: assign(x, 0, 1.0), TypeError, "`x[...] = y` would change an array"),
    "fill": (lambda x: assign(np.zeros(3), 0, x[0]), (TypeError, ValueError), PLAIN_NUMBER),
    "fill slice": (lambda x: assign(np.zeros(3), slice(0, 2), x[:2]), TypeError, PLAIN_NUMBER),
    "in place": (lambda x: add_in_place(np.zeros(3), x), TypeError, "`a += x, out=a` would change an array"),
    "attribute": (lambda x: x.foo, AttributeError, "has no `foo`. Use a function of autodiff_tutorial.primitives"),
    "method": (lambda x: x.argpartition(2), AttributeError, "has no `argpartition`"),
    "not a number": (lambda x: "text", TypeError, "Got str"),
    "integer": (lambda x: 3, TypeError, "floating point numbers. Got int"),
    "bool": (lambda x: x[0] > 0, TypeError, "Got bool"),
    "complex": (lambda x: x[0] * 1j, TypeError, "Got complex128. Only real functions"),
}


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize("derivative", [jacrev, jacfwd], ids=["reverse", "forward"])
@pytest.mark.parametrize("f, error, words", OPERATIONS.values(), ids=OPERATIONS)
def test_operation_without_derivative_is_refused(f, error, words, derivative, module):
    """What would lose a derivative raises an error, in both modes, that says what to write instead."""
    with pytest.raises(error, match=re.escape(words)):
        derivative(f)(module.asarray(X))


BAD_CALLS = {
    "no function": (lambda: grad(3)(1.0), TypeError, "`reverse_mode.grad(f=...)` should be a function. Got 3."),
    "vector": (lambda: grad(lambda x: x)(X), TypeError, "should return one number. Got shape (3,). Add the entries up"),
    "one entry": (lambda: grad(lambda x: x[:1])(X), TypeError, "Got shape (1,)"),
    "tuple": (lambda: grad(lambda x: (x, x))(1.0), TypeError, "`reverse_mode.grad(f=...)` should return one number"),
    "dict": (lambda: grad(lambda x: {"a": x})(1.0), TypeError, "Got dict"),
    "None": (lambda: grad(lambda x: None)(1.0), TypeError, "Got NoneType"),
    "value_and_grad": (
        lambda: value_and_grad(lambda x: x)(X),
        TypeError,
        "`reverse_mode.value_and_grad(f=...)` should",
    ),
    "integer": (lambda: grad(np.sin)(1), TypeError, "floating point numbers. Got int"),
    "integers": (lambda: grad(lambda x: x.sum())(np.arange(3)), TypeError, "Got int64. Write 2.0 for 2"),
    "JAX integers": (lambda: grad(lambda x: x.sum())(jnp.arange(3)), TypeError, "Got int64"),
    "bool": (lambda: grad(np.sin)(True), TypeError, "Got bool"),
    "complex": (lambda: grad(np.sin)(1j), TypeError, "Got complex128. Only real functions"),
    "string": (lambda: grad(np.sin)("x"), TypeError, "or pytrees of those. Got str"),
    "one integer in a pytree": (lambda: grad(lambda x: x["a"])({"a": 1.0, "b": [2]}), TypeError, "Got int"),
    "argnums": (lambda: grad(np.sin, argnums=1)(1.0), ValueError, "should number one of the 1 arguments. Got 1."),
    "argnums below": (lambda: grad(np.sin, argnums=-2)(1.0), ValueError, "`reverse_mode.grad(argnums=...)`"),
    "argnums of jacrev": (lambda: jacrev(np.sin, argnums=1)(1.0), ValueError, "`reverse_mode.jacrev(argnums=...)`"),
    "argnums twice": (lambda: grad(np.sin, argnums=(0, 0))(1.0), ValueError, "once only. Got (0, 0)."),
    "argnums by name": (lambda: grad(np.sin, argnums="x")(1.0), TypeError, "should be an integer or a tuple of them"),
    "cotangent shape": (lambda: vjp(np.sin, X)[1](np.ones(2)), ValueError, "the shape of the value, (3,). Got (2,)."),
    "cotangent number": (lambda: vjp(np.sin, X)[1](1.0), ValueError, "the shape of the value, (3,). Got ()."),
    "cotangent structure": (lambda: vjp(lambda x: (x, x), 1.0)[1](1.0), ValueError, "the structure of the value"),
    "cotangent integer": (lambda: vjp(np.sin, 1.0)[1](1), TypeError, "`pullback(y_bar=...)` should be floating point"),
}


@pytest.mark.parametrize("call, error, words", BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_call_is_refused(call, error, words):
    """Arguments, results and cotangents that make no sense are refused, with what was given and what to do."""
    with pytest.raises(error, match=re.escape(words)):
        call()


def test_value_of_a_finished_run_is_refused():
    """A node that was stored is refused by operations, checkpoints, loops, later runs, and as their result."""
    stored = []
    grad(lambda x: stored.append(x) or x * x)(jnp.asarray(2.0))
    (stale,) = stored
    words = "traced by a `reverse_mode.vjp` that has finished. Return it"
    for use in (
        lambda: stale * 2,
        lambda: grad(lambda x: x * stale)(1.0),
        lambda: slope(lambda x: x * stale)(1.0),
        lambda: grad(lambda x: stale)(1.0),
        lambda: grad(np.sin)(stale),
        lambda: checkpoint(np.sin)(stale),
        lambda: scan(lambda c, _: (c * 2, None), stale, length=3),
        lambda: vjp(np.sin, 1.0)[1](stale),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            use()


@pytest.mark.parametrize("outer, inner", BOTH, ids=BOTH_NAMES)
def test_value_of_an_inner_run_is_refused_outside(outer, inner):
    """A value that escapes from an inner derivative is refused by the outer one."""
    escaped = []

    def f(x):
        inner(lambda y: escaped.append(x * y) or x * y)(x)
        return escaped[-1] * x

    with pytest.raises(ValueError, match="that has finished"):
        outer(f)(2.0)


def test_changing_an_array_that_the_tape_used_is_refused():
    """An assignment that would falsify the derivative is an error, whether to an argument, a constant or an index."""

    def through(use, change, *arrays):
        def f(x):
            y = use(x)
            change(x)
            return y.sum()

        words = "`reverse_mode.grad(f=...)` should be a function that changes no array. It assigns to one that"
        with pytest.raises(ValueError, match=re.escape(words)):
            grad(f)(values(3))
        assert all(array.flags.writeable for array in arrays)

    a = np.array([1.0, 2.0, 3.0])
    through(lambda x: x * a, lambda x: assign(a, 0, 5.0), a)
    through(lambda x: x * a, lambda x: add_in_place(a, 1.0), a)
    through(lambda x: x * a, lambda x: a.sort(), a)
    view, deeper = a[:2], a[:2][::-1]
    through(lambda x: x[:2] * deeper, lambda x: assign(a, 0, 5.0), a, view, deeper)
    through(lambda x: x * a, lambda x: assign(a[1:], 0, 5.0), a)
    index, condition = np.array([0, 1, 1]), np.array([True, False, True])
    through(lambda x: x[index], lambda x: assign(index, 0, 2), index)
    through(lambda x: x[index, None], lambda x: assign(index, 0, 2), index)
    through(lambda x: primitives.where(condition, x, 0.0), lambda x: assign(condition, 0, False), condition)
    through(lambda x: primitives.replace(x, index[:2], 1.0), lambda x: assign(index, 0, 2), index)
    through(lambda x: checkpoint(lambda x, a: x * a)(x, a), lambda x: assign(a, 0, 5.0), a)
    assert a.tolist() == [1, 2, 3]
    assert index.tolist() == [0, 1, 1]


def test_argument_is_locked_while_the_function_runs():
    """A function that changes its argument behind the tape's back is refused, and the argument is free afterwards."""
    x = values(3)
    with pytest.raises(ValueError, match="changes no array"):
        grad(lambda y: (y * y).sum() + assign(x, 0, 7.0).sum())(x)
    x[0] = 1.0


def test_arrays_are_unlocked_when_the_function_fails():
    """An error of the function's own passes through, and leaves no lock."""
    a, x = np.ones(3), values(3)

    def f(x):
        assert (x * a[1:].sum() * a).shape == (3,)
        assert not a.flags.writeable
        raise ZeroDivisionError("mine")

    for derivative in (grad(f), grad(grad(f)), lambda x: jvp(grad(f), (x,), (x,)), jacrev(f)):
        with pytest.raises(ZeroDivisionError, match="mine"):
            derivative(x)
        assert a.flags.writeable
        assert x.flags.writeable


def test_arrays_that_were_read_only_stay_so():
    """What the tape did not lock it does not unlock, also where a view is writeable and its owner is not."""
    a = np.arange(4.0)
    view = a[1:]
    a.flags.writeable = False
    assert grad(lambda x: (view * a[1:] * x).sum())(1.0) == 14
    assert not a.flags.writeable
    assert view.flags.writeable


def test_inner_tape_leaves_the_lock_of_the_outer():
    """What an inner derivative used stays locked as long as the outer one runs, also through views; then it is free."""
    a = np.arange(4.0)
    view = a[1:]

    def f(x):
        y = (a * x).sum() + grad(lambda y: (view * y * y).sum())(x)
        value, _ = vjp(lambda y: (a * y).sum(), x)
        return y + value

    assert grad(f)(3.0) == 6 + 12 + 6
    assert a.flags.writeable
    assert view.flags.writeable

    def changing(x):
        value, _ = vjp(lambda y: (a * y).sum(), x)
        a[0] = 100.0
        return value

    with pytest.raises(ValueError, match="changes no array"):
        grad(changing)(3.0)
    assert a.flags.writeable


@pytest.mark.parametrize("f", [lambda x: x, lambda x: x[::-1], lambda x: (x, x * 1.0), lambda x: x.reshape(3, 1)])
def test_results_own_their_memory(f):
    """Values and gradients can be written to, which changes neither arguments, nor cotangents, nor each other."""
    x = values(3)
    y, pullback = vjp(f, x)
    y_bar = jax.tree.map(np.copy, y)
    results = [*jax.tree.leaves(y), *pullback(y_bar), *pullback(y_bar), *jax.tree.leaves(jacrev(f)(x))]
    everything = [*results, x, *jax.tree.leaves(y_bar)]
    for i, part in enumerate(results):
        assert part.flags.writeable
        assert not any(np.shares_memory(part, other) for j, other in enumerate(everything) if j != i)


def test_pullback_may_be_called_again():
    """Every call of a pullback starts anew, and is linear in its cotangent."""
    _, pullback = vjp(lambda a, b: (a * b).sum(), X, X**2)
    close(pullback(1.0), (X**2, X))
    close(pullback(2.0), (2 * X**2, 2 * X))
    close(pullback(1.0), (X**2, X))


def test_floats_have_floats_as_gradients():
    """Of Python floats gradients are Python floats, of NumPy's scalars NumPy's, of arrays arrays, of JAX's JAX's."""
    square = lambda x: x * x  # noqa: E731
    assert type(grad(square)(3.0)) is float
    assert type(grad(square)(np.float64(3))) is np.float64
    assert type(grad(square)(np.float32(3))) is np.float32
    assert isinstance(grad(square)(jnp.float32(3)), jax.Array)
    assert type(grad(lambda x: (x * X).sum())(3.0)) is float
    gradient = grad(lambda p: p["a"] * p["b"][0])({"a": 3.0, "b": [2.0, np.ones(2)]})
    assert gradient["a"] == 2
    assert type(gradient["a"]) is type(gradient["b"][0]) is float
    assert gradient["b"][1].tolist() == [0, 0]


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_unused_arguments_have_gradients_of_zeros(module):
    """Zeros have the shape and dtype of their argument, whether it is unused, or used where no derivative passes."""
    x = module.ones((2, 3), np.float32)
    for f in (lambda x: 3.0, lambda x: np.float64(1.0), lambda x: primitives.sum(primitives.floor(x))):
        close(grad(f)(x), np.zeros((2, 3), np.float32))
    unused = vjp(lambda a, b: a * 2.0, 1.0, x)[1](1.0)[1]
    close(unused, np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (0, 2), (2, 0), (-1, 0)])
def test_gradient_by_any_arguments(argnums):
    """`argnums` chooses arguments, from either end, in any order; the others may be anything; keywords pass through."""
    f = lambda a, b, c, *, power=1: a * b**2 * c**power  # noqa: E731
    twin = jax.grad(lambda a, b, c: f(a, b, c, power=3), argnums)(2.0, 3.0, 5.0)
    assert grad(f, argnums)(2.0, 3.0, 5.0, power=3) == jax.tree.map(float, twin)
    value, gradient = value_and_grad(f, argnums)(2.0, 3.0, 5.0, power=3)
    assert (value, gradient) == (2250, jax.tree.map(float, twin))
    assert grad(lambda x, words: x * len(words))(1.0, "text") == 4
    close(jacrev(lambda a, n, b: a**n * b, argnums=2)(X, 2, X), np.diag(X**2))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_jacobian_of_nothing_is_empty(module):
    """An empty argument, or an empty result, has a Jacobian without entries and with the right shape."""
    assert jacrev(lambda x: x * np.ones((2, 1)))(module.ones(0)).shape == (2, 0, 0)
    assert jacrev(lambda x: x[:0])(module.ones(3)).shape == (0, 3)


def test_threads_do_not_disturb_each_other():
    """Two threads that differentiate at once, nested and with a common constant, get what one thread gets."""
    a, found, start = values(50), {}, threading.Barrier(2)

    def f(x):
        y = x
        for _ in range(200):
            y = primitives.sin(y * a) + grad(lambda z: z**2 * 0.5)(1.0)
        return y.sum()

    def work(i):
        start.wait()
        found[i] = [grad(f)(a + i), jvp(f, (a + i,), (a,))[1]]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert a.flags.writeable
    for i in range(2):
        close(found[i], [grad(f)(a + i), jvp(f, (a + i,), (a,))[1]])


FILES = [
    path
    for module in ("primitives", "forward_mode", "reverse_mode")
    for path in sorted(Path(autodiff_tutorial.__file__).parent.glob(f"{module}*/**/*.py"))
    + sorted(Path(autodiff_tutorial.__file__).parent.glob(f"{module}.py"))
]
OF_JAX = {
    "ad_checkpoint",
    "checkpoint",
    "closure_convert",
    "custom_derivatives",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "fwd_and_bwd",
    "grad",
    "hessian",
    "interpreters",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_transpose",
    "linearize",
    "saved_input_vjp",
    "value_and_grad",
    "vjp",
}


def uses_of_jax(source):
    """Return the names of JAX's differentiation that a file uses, through whatever name it imports JAX by."""
    tree, found, modules = ast.parse(source), [], {"jax"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {
                alias.asname or alias.name.split(".")[0] for alias in node.names if alias.name.startswith("jax")
            }
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jax"):
            found += [alias.name for alias in node.names if alias.name in OF_JAX]
            modules |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OF_JAX:
            root = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in modules:
                found.append(node.attr)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_calls_the_differentiation_of_jax(path):
    """The rules and both modes are their own; JAX contributes arrays, loops, jit and vmap."""
    assert uses_of_jax(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import jax\njax.grad(f)",
        "from jax import vjp",
        "import jax as j\nj.linearize(f, x)",
        "import jax\njax.ad_checkpoint",
    ],
)
def test_planted_call_is_found(source):
    """The search sees JAX's transforms under other names."""
    assert uses_of_jax(source)


def test_files_are_searched():
    """All three modules are among the files."""
    assert {"forward_mode.py", "tape.py", "rules.py"} <= {path.name for path in FILES}


def test_record_lists_a_computation():
    """Names, parents, constants, values, tangents, adjoints and partials of x1 x2 + x2 + 3 are those by hand."""
    graph = record(lambda x1, x2: x1 * x2 + (x2 + 3.0), 2.0, 4.0, tangents=(1.0, 0.0))
    found = [(s.name, s.parents, s.constants, s.value, s.tangent, s.adjoint, s.partials) for s in graph.operations]
    assert found == [
        ("x1", (), (), 2, 1, 4, ()),
        ("x2", (), (), 4, 0, 3, ()),
        ("multiply", (0, 1), (), 8, 4, 1, (4, 2)),
        ("add", (1,), ((1, 3),), 7, 0, 1, (1,)),
        ("add", (2, 3), (), 15, 4, 1, (1, 1)),
    ]
    assert "multiply(x1, x2)" in str(graph)


@pytest.mark.parametrize("name", ["two_layer_network", "newton_loop", "logistic_regression", "loop_as_scan"])
def test_record_agrees_with_the_gradient(name):
    """The adjoints of the inputs are the gradient, and a step that nothing depends on is left out."""
    f, x = summed(program_on(OURS, name)), PROGRAMS[name][1]
    graph = record(lambda x: (primitives.cosh(jax.tree.leaves(x)[0]), f(x))[1], x)
    adjoints = [step.adjoint for step in graph.operations if not step.parents]
    assert "cosh" not in {step.name for step in graph.operations}
    close([np.asarray(bar) for bar in adjoints], [np.asarray(g) for g in jax.tree.leaves(reference(name)[2])])
    for i, step in enumerate(graph.operations):
        assert all(parent < i for parent in step.parents)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: record(lambda x: 3.0, 1.0), TypeError, "one number or array that depends on the arguments. Got 3.0"),
        (lambda: record(lambda x: [x, x], 1.0), TypeError, "should return one number or array"),
        (lambda: record(np.sin, 1), TypeError, "`reverse_mode.record"),
        (lambda: record(np.sin, 1.0, tangents=(X,)), ValueError, "structure and shapes of the arguments"),
        (lambda: record(checkpoint(np.sin), 1.0, tangents=(1.0,)), TypeError, "without checkpoint and scan"),
    ],
)
def test_record_refuses(call, error, words):
    """Results that are not one array, integers, and tangents that do not fit are refused."""
    with pytest.raises(error, match=re.escape(words)):
        call()


def test_traced_values_are_one_class():
    """Nodes are what `primitives` calls traced, so that programs can ask."""
    seen = []
    grad(lambda x: seen.append(isinstance(x, Traced)) or x)(1.0)
    assert seen == [True]


def test_column_and_row_of_the_slides():
    """At x, (x1^2 + x2^2, x1 x2) has the first column (2 x1, x2) and the first row (2 x1, 2 x2)."""
    x, e1 = np.array([3.0, 5.0]), np.array([1.0, 0.0])

    def f(x):
        return primitives.stack([x[0] ** 2 + x[1] ** 2, x[0] * x[1]])

    assert jvp(f, (x,), (e1,))[1].tolist() == [6.0, 5.0]
    assert vjp(f, x)[1](e1)[0].tolist() == [6.0, 10.0]


def test_dot_product_tells_the_printed_backward_pass_from_ours():
    """For x1 x2 + x2 at (2, 4) the pass of a tutorial gives (5, 2), and breaks the law that (4, 3) obeys."""
    f, x, x_dot = (lambda x1, x2: x1 * x2 + x2), (2.0, 4.0), (0.7, -1.3)
    value, pullback = vjp(f, *x)
    pushed = jvp(f, x, x_dot)[1]
    assert (value, pullback(1.0)) == (12.0, (4.0, 3.0))
    assert np.dot(pullback(1.0), x_dot) == pytest.approx(pushed, rel=1e-12)
    assert abs(np.dot((5.0, 2.0), x_dot) - pushed) > 1


def test_neuron_by_hand():
    """Backpropagation through (sigmoid(w x + b) - t)^2 / 2, with every local derivative written out."""
    w, x, b, t = 1.5, 2.0, -1.0, 1.0
    y = 1 / (1 + math.exp(-(w * x + b)))
    z_bar = (y - t) * y * (1 - y)
    found = grad(lambda w, x, b, t: (primitives.sigmoid(w * x + b) - t) ** 2 / 2, argnums=(0, 1, 2, 3))(w, x, b, t)
    assert found == pytest.approx((z_bar * x, z_bar * w, z_bar, t - y), rel=1e-12)


@pytest.mark.parametrize("n", [2, 10, 200])
def test_gradient_of_sums_and_products_costs_at_most_five_times(n):
    """Value and gradient together take no more than five operations for each one, whatever the number of inputs."""

    def f(x):
        total = x[0]
        for i in range(1, n):
            total = total * x[i] + x[i - 1]
        return total

    def operations(g):
        steps = jax.make_jaxpr(g)([jnp.float64(1.0)] * n).eqns
        return sum(step.primitive.name in ("add", "mul") for step in steps)

    assert operations(f) == 2 * (n - 1)
    assert operations(value_and_grad(f)) <= 5 * operations(f)
