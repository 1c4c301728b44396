"""The checker of derivatives accepts right rules and rejects planted wrong ones, in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from autodiff_tutorial.checks import check_derivatives

A = np.array([[1.0, -2.0, 0.5], [0.3, 4.0, -1.0]])

RIGHT = {
    "elementwise": (jnp.sin, [0.3, 1.1, -2.0]),
    "matrix": (lambda x: jnp.asarray(A, x.dtype) @ x, [1.0, 2.0, 3.0]),
    "scalar": (lambda x: jnp.exp(x).sum() * x[0], [0.3, -1.0, 0.7]),
    "large numbers": (lambda x: 1e6 * x**3, [100.0, -250.0]),
    "small numbers": (lambda x: 1e-6 * jnp.tanh(x), [0.1, 0.2]),
    "constant": (lambda x: jnp.zeros(2, x.dtype) + 3, [0.1, 0.2]),
    "one output flat": (lambda x: jnp.stack([x[0] ** 2, jnp.ones_like(x[0])]), [0.4, 2.0]),
    "cancels": (
        lambda x: jnp.stack([jax.nn.softmax(x).sum(), jnp.linalg.norm(x / jnp.linalg.norm(x))]),
        [0.3, 1.2, -0.7],
    ),
    "constant on the way": (lambda x: jnp.sin(x) ** 2 + jnp.cos(x) ** 2, [0.3, 1.2]),
    "large and small": (lambda x: jnp.stack([1e6 * x[0], 1e-8 * jnp.sin(x[1])]), [0.4, 2.0]),
    "fast": (lambda x: jnp.sin(1e3 * x), [0.3, 1.2]),
    "far out": (jnp.sin, [1e3, -2e3]),
    "near an edge": (jnp.log, [0.3, 2.0]),
    "number": (lambda x: x**2 * jnp.log(x), 1.7),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("f, x", RIGHT.values(), ids=RIGHT)
def test_right_derivatives_pass(f, x, dtype):
    """JAX's own derivatives obey the three laws."""
    found = check_derivatives(jax.jit(f), jnp.asarray(x, dtype))
    assert max(found.dot_product, found.linearity) <= float(jnp.finfo(dtype).eps) ** 0.75


def test_pytrees_pass():
    """A dictionary of parameters is as good as an array."""
    parameters = {"W": jnp.asarray(A), "b": jnp.array([0.1, -0.2])}
    found = check_derivatives(lambda p: {"y": jnp.tanh(p["W"] @ jnp.ones(3) + p["b"])}, parameters)
    assert found.finite_difference < 1e-8


WRONG_JVP = {
    "sign": lambda x, t: -jnp.cos(x) * t,
    "factor": lambda x, t: 1.001 * jnp.cos(x) * t,
    "other function": lambda x, t: jnp.sin(x) * t,
    "one component": lambda x, t: jnp.cos(x) * t * jnp.array([1.0, 1.0, 0.0]),
    "swapped": lambda x, t: jnp.cos(x) * t[::-1],
    "tangent ignored": lambda x, t: jnp.cos(x),
    "not a number": lambda x, t: jnp.cos(x) * t * jnp.nan,
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("jvp", WRONG_JVP.values(), ids=WRONG_JVP)
def test_wrong_jvp_is_rejected(jvp, dtype):
    """A planted mistake in the forward rule breaks the law of finite differences."""
    with pytest.raises(AssertionError, match="law of finite differences"):
        check_derivatives(jnp.sin, jnp.array([0.3, 1.1, -2.0], dtype), jvp=jvp)


def test_one_component_among_thousands_that_is_no_number_is_rejected():
    """XLA's maximum over thousands of numbers may lose a NaN; the check does not."""
    x = jnp.linspace(0.0, 1.0, 10_000)
    with pytest.raises(AssertionError, match="law of finite differences"):
        check_derivatives(jnp.sin, x, jvp=lambda x, t: (jnp.cos(x) * t).at[5000].set(jnp.nan))


WRONG_VJP = {
    "sign": lambda x, g: -jnp.asarray(A).T @ g,
    "factor": lambda x, g: (1 + 1e-10) * (jnp.asarray(A).T @ g),
    "cotangent ignored": lambda x, g: jnp.asarray(A).sum(axis=0),
    "one component": lambda x, g: (jnp.asarray(A).T @ g).at[1].set(0.0),
    "squared": lambda x, g: jnp.asarray(A).T @ g**2,
    "not a number": lambda x, g: jnp.asarray(A).T @ g * jnp.nan,
}


@pytest.mark.parametrize("vjp", WRONG_VJP.values(), ids=WRONG_VJP)
def test_wrong_vjp_is_rejected(vjp):
    """A planted mistake in the reverse rule breaks the dot product law."""
    with pytest.raises(AssertionError, match="dot product law"):
        check_derivatives(lambda x: jnp.asarray(A) @ x, jnp.array([1.0, 2.0, 3.0]), vjp=vjp)


def test_wrong_vjp_near_zero_is_rejected():
    """At a tiny x the tolerance does not grow."""
    with pytest.raises(AssertionError, match="dot product law"):
        check_derivatives(jnp.exp, jnp.full(3, 1e-9), vjp=lambda x, g: (1 + 1e-9) * jnp.exp(x) * g)


def test_nonlinear_jvp_is_rejected():
    """A rule that is right along the direction of the other laws, and not linear, breaks the third law."""
    directions = []

    def jvp(x, t):
        directions.append(t)
        return jnp.cos(x) * t * (1.0 if np.array_equal(t, directions[0]) else 1.1)

    with pytest.raises(AssertionError, match="law of linearity"):
        check_derivatives(jnp.sin, jnp.array([0.3, 1.1, -2.0]), jvp=jvp)


def test_small_component_is_not_hidden_by_a_large_one():
    """A derivative that is wrong in a component 14 orders below another is rejected, forward and reverse."""

    def f(x):
        return jnp.stack([1e6 * x[0], 1e-8 * jnp.sin(x[1])])

    def jvp(x, t):
        return jnp.stack([1e6 * t[0], -5e-8 * t[1]])

    def vjp(x, g):
        return jnp.stack([1e6 * g[0], -5e-8 * g[1]])

    x = jnp.array([0.4, 2.0])
    with pytest.raises(AssertionError, match="law of finite differences: component 1"):
        check_derivatives(f, x, jvp=jvp, vjp=vjp)
    with pytest.raises(AssertionError, match="dot product law"):
        check_derivatives(f, x, vjp=vjp)


def test_mixed_precision_passes():
    """Leaves of two precisions are judged by the coarser one."""
    x = {"a": jnp.ones(2, jnp.float32), "b": jnp.full(2, 0.3)}
    check_derivatives(lambda p: jnp.sin(p["a"]) * p["b"], x)


def test_wrong_custom_rule_of_jax_is_rejected():
    """A wrong rule registered with JAX is found without naming it."""

    @jax.custom_jvp
    def f(x):
        return jnp.sin(x)

    f.defjvp(lambda primals, tangents: (f(*primals), -jnp.cos(primals[0]) * tangents[0]))
    with pytest.raises(AssertionError, match="law of finite differences"):
        check_derivatives(f, jnp.array([0.3, 1.1]))


def test_tolerance_can_be_set():
    """A caller's tolerance takes the place of the default."""
    x = jnp.array([0.3, 1.1])

    def almost(x, t):
        return (1 + 1e-6) * jnp.cos(x) * t

    assert check_derivatives(jnp.sin, x, jvp=almost, vjp=almost, rtol=1e-5).finite_difference > 1e-7
    for rtol in (None, 0.0):
        with pytest.raises(AssertionError, match="law of finite differences"):
            check_derivatives(jnp.sin, x, jvp=almost, vjp=almost, rtol=rtol)


BAD_INPUT = {
    "integers": (lambda: check_derivatives(jnp.sin, jnp.arange(3)), TypeError, "should hold floating point numbers"),
    "shape": (
        lambda: check_derivatives(jnp.sin, jnp.ones(3), jvp=lambda x, t: t[:2]),
        ValueError, r"shapes of f\(x\), \(3,\). Got \(2,\)",
    ),
    "structure": (
        lambda: check_derivatives(lambda p: p, {"b": jnp.ones(3)}, jvp=lambda x, t: {"c": t["b"]}),
        ValueError, "should return the structure",
    ),
    "integer output": (lambda: check_derivatives(lambda x: 3, jnp.ones(2)), TypeError, "real floating point numbers"),
    "nothing out": (lambda: check_derivatives(lambda x: x[:0], jnp.ones(2)), ValueError, "2 numbers in, 0 out"),
    "edge of the domain": (
        lambda: check_derivatives(jnp.log, jnp.array([1e-3, 2.0])), ValueError, "around which f is finite",
    ),
    "gap": (
        lambda: check_derivatives(
            lambda x: jnp.sin(x) / x, jnp.zeros(1), jvp=lambda x, t: 0 * t, vjp=lambda x, y_bar: 0 * y_bar
        ),
        ValueError, "a point where f is finite",
    ),
    "mixed leaves": (
        lambda: check_derivatives(lambda p: p[0], (jnp.ones(2), jnp.arange(2))), TypeError, "floating point numbers",
    ),
    "empty": (lambda: check_derivatives(jnp.sin, jnp.ones(0)), ValueError, "should not be empty"),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, message", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(call, kind, message):
    """Bad input raises an error that names the call and the way out."""
    with pytest.raises(kind, match=message) as caught:
        call()
    assert str(caught.value).startswith("`checks.check_derivatives(")
