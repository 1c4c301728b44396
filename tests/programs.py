"""Programs that tests differentiate, written once: `xp` is the library's primitives, `jax.numpy`, or NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial import primitives


class Functions:
    """Array functions by name: those of a module, and stand-ins for the names that it lacks."""

    def __init__(self, module, **others):
        self.module, self.others = module, others

    def __getattr__(self, name):
        return self.others[name] if name in self.others else getattr(self.module, name)


def _jax_scan(step, carry, xs=None, params=(), *, length=None, reverse=False):
    return jax.lax.scan(lambda c, x: step(c, x, *params), carry, xs, length, reverse)


OURS = primitives
JAX = Functions(
    jnp,
    erf=jax.scipy.special.erf,
    index=lambda x, index: x[index],
    logsumexp=jax.scipy.special.logsumexp,
    replace=lambda x, index, y: x.at[index].set(y),
    scan=_jax_scan,
    sigmoid=jax.nn.sigmoid,
    solve=jnp.linalg.solve,
)
_MISSING = ("erf", "index", "logsumexp", "replace", "scan", "sigmoid")
NUMPY = Functions(np, solve=np.linalg.solve, **{name: getattr(primitives, name) for name in _MISSING})


def on(module, tree):
    """Return a pytree of numbers as arrays of NumPy or of JAX."""
    return jax.tree.map(lambda leaf: module.asarray(leaf)[()], tree)


def values(*shape, seed=0):
    """Return numbers between 0.3 and 0.9, all different."""
    return np.random.default_rng(seed).uniform(0.3, 0.9, shape)[()]


def close(found, expected, rtol=1e-10):
    """Assert the same structure and shapes, and entries that agree relative to the largest of their array."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        b = np.asarray(b)
        assert np.shape(a) == b.shape
        assert np.asarray(a).dtype == b.dtype
        scale = abs(b[np.isfinite(b)]).max(initial=0.0) or 1.0
        np.testing.assert_allclose(np.asarray(a) / scale, b / scale, rtol=0, atol=rtol)


# Compilation is most of the time of a small program, and optimization most of compilation.
LITTLE_EFFORT = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
quick_jit = functools.partial(jax.jit, compiler_options=LITTLE_EFFORT)


def compiled(f, x):
    """Evaluate f under jax.jit, compiled with little effort."""
    return quick_jit(f)(x)


PROGRAMS = {}


def program(**points):
    """Enter a program in the table, with the point at which it is differentiated."""

    def enter(f):
        PROGRAMS[f.__name__] = (f, points["x"])
        return f

    return enter


SYMMETRIC = np.array([[2.0, 0.5, 0.1], [0.5, 3.0, 0.4], [0.1, 0.4, 1.5]])
LABELS = np.array([0.0, 1.0, 1.0, 0.0])
ROWS = np.array([2, 0, 2, 1])
MASK = np.array([True, False, True, True])


@program(x=np.float64(0.7))
def elementary_functions(xp, x):
    return xp.sin(x) * xp.exp(-x) + xp.log(1 + x**2) / xp.sqrt(x) - xp.cos(x) ** 3


@program(x=values(4))
def trigonometry_and_inverses(xp, x):
    return xp.arcsin(x) + xp.arccos(x) * xp.arctan(x) + xp.tan(x) * xp.arctan2(x, 1 + x)


@program(x=values(4))
def hyperbolic_functions(xp, x):
    return xp.sinh(x) * xp.cosh(2 * x) - xp.tanh(x) + xp.expm1(x) * xp.log1p(x)


@program(x=values(3))
def special_functions(xp, x):
    return xp.erf(x) * xp.sigmoid(3 * x) + xp.logaddexp(x, 1 - x)


@program(x=values(3))
def powers(xp, x):
    return x**3 + x**-1 + x**0.5 + 2.0**x + x**x + xp.power(x, np.array([0.0, 1.0, 2.5]))


@program(x=values(3) - 0.6)
def powers_of_negative_numbers(xp, x):
    return x**2 + x**3 - 1 / x**2


@program(x=(values(3), values(2, 1, seed=1), values(seed=2)))
def broadcasting(xp, x):
    row, column, number = x
    return row * column / (1 + number) - (column - number) ** 2 + number / row


@program(x=values(2, 3))
def operators_with_constants(xp, x):
    a = np.array([[1.0, -2.0, 3.0]])
    return (a - x) / (a * a + 1) + (+x) - (-x) * 2 + 3 / x + abs(a * x - 1) + (1 + x) ** a


@program(x=values(2, 3, 4))
def sums_along_axes(xp, x):
    return xp.sum(x**2, axis=1) * xp.sum(x, axis=(1,)) + xp.sum(x, axis=(0, 1)) + xp.sum(x, axis=-2, keepdims=True)[0]


@program(x=values(2, 3))
def means_and_variance(xp, x):
    deviation = x - xp.mean(x, axis=1, keepdims=True)
    return xp.mean(deviation**2, axis=1) / xp.mean(x) ** 2


@program(x=values(2, 3))
def extremes(xp, x):
    return xp.max(x, axis=1) * xp.min(x) + xp.max(x**2, axis=0, keepdims=True)[0, :2] - xp.min(-x, axis=(0, 1))


@program(x=np.array([0.5, 0.0, 2.0, 0.0, 1.5]))
def product_with_two_zeros(xp, x):
    return xp.prod(x) + xp.prod(x[:2]) + xp.prod(x[:1])


@program(x=values(3, 2))
def product_along_axis(xp, x):
    return xp.prod(x, axis=0) * xp.prod(x, axis=1)[:2]


@program(x=values(2, 3))
def running_sums(xp, x):
    return xp.cumsum(x**2, axis=0) * xp.cumsum(x, axis=-1)


@program(x=4 * values(2, 3) - 2)
def logsumexp_along_axis(xp, x):
    return xp.logsumexp(x, axis=1) * xp.logsumexp(500 * x) + xp.sum(xp.logsumexp(x, axis=0, keepdims=True))


@program(x=(values(2, 3), values(3, 2, seed=1), values(3, seed=2)))
def matrix_products(xp, x):
    a, b, v = x
    return xp.matmul(a @ b, a @ v) + xp.sin(v @ b) + xp.dot(v, v)


@program(x=(values(2, 2, 3), values(3, 2, seed=1)))
def stacked_matrix_products(xp, x):
    a, b = x
    return (a @ b) @ (b.T @ np.array([1.0, -1.0, 2.0]))


@program(x=(values(3, 3) + 2 * np.eye(3), values(3, seed=1)))
def linear_solve(xp, x):
    a, b = x
    return xp.solve(a, b) * b + xp.solve(a.T @ a, a)[0]


@program(x=values(2, 2, 2) + np.eye(2))
def stacked_linear_solve(xp, x):
    return xp.solve(x, x[0] ** 2) + xp.solve(x[1], np.array([1.0, 2.0]))


@program(x=values(3))
def rayleigh_quotient(xp, x):
    return (x @ SYMMETRIC @ x) / (x @ x)


@program(x=values(3))
def power_iteration(xp, x):
    matrix = SYMMETRIC + xp.reshape(x, (3, 1)) * xp.reshape(x, (1, 3))
    v = np.ones(3)
    for _ in range(5):
        v = matrix @ v
        v = v / xp.sqrt(xp.sum(v * v))
    return v @ matrix @ v


@program(x=np.float64(1.7))
def newton_loop(xp, x):
    y = 1.0
    for _ in range(6):
        y = y - (y * y - x) / (2 * y)
    return y


@program(x=np.float64(0.3))
def python_loop(xp, x):
    y = x
    for i in range(10):
        y = xp.sin(y + i) * x
    return y


@program(x=values(2))
def horner(xp, x):
    y = 0.0
    for c in (1.0, -2.0, 0.5, 3.0):
        y = y * x + c
    return y


@program(x=(values(2, 3), values(2, seed=1)))
def two_layer_network(xp, x):
    weights, bias = x
    hidden = xp.tanh(weights @ np.array([0.1, -0.4, 0.8]) + bias)
    return xp.sigmoid(xp.sum(hidden * bias))


@program(
    x={
        "layers": [(values(3, 2), values(3, seed=1)), (values(1, 3, seed=2), values(1, seed=3))],
        "scale": np.float64(1.3),
    }
)
def network_of_named_parameters(xp, x):
    y = np.array([0.5, -1.0])
    for weights, bias in x["layers"]:
        y = xp.tanh(weights @ y + bias)
    return {"output": y * x["scale"], "norm": [xp.sum(y**2)]}


@program(x=values(3))
def logistic_regression(xp, x):
    features = np.array([[1.0, 0.2, -0.3], [1.0, -1.0, 0.4], [1.0, 0.7, 0.9], [1.0, 0.1, -0.8]])
    z = features @ x
    return xp.mean(xp.logaddexp(0.0, z) - LABELS * z) + 0.05 * xp.sum(x[1:] ** 2)


@program(x=4 * values(4, 3) - 2)
def softmax_cross_entropy(xp, x):
    log_probabilities = x - xp.logsumexp(x, axis=1, keepdims=True)
    return -xp.mean(log_probabilities[np.arange(4), np.array([0, 2, 1, 1])])


@program(x=values(4))
def gaussian_log_likelihood(xp, x):
    mean, log_width = x[0], x[1]
    return -xp.sum(((LABELS - mean) / xp.exp(log_width)) ** 2 / 2 + log_width) + x[2] * x[3]


@program(x=values(3))
def rosenbrock(xp, x):
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@program(x=values(2))
def runge_kutta_step(xp, x):
    def slope(y):
        return xp.stack([y[1], -xp.sin(y[0]) - 0.1 * y[1]])

    h = 0.2
    k1 = slope(x)
    k2 = slope(x + h / 2 * k1)
    k3 = slope(x + h / 2 * k2)
    k4 = slope(x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@program(x=values(5))
def heat_step(xp, x):
    return x + 0.2 * (xp.roll(x, 1) - 2 * x + xp.roll(x, -1)) * x


@program(x=values(2, 3))
def rolled_axes(xp, x):
    return xp.roll(x, 2, axis=1) * xp.roll(x, 1, axis=0) + xp.roll(x, -1) ** 2


@program(x=values(4, 3))
def indexing_by_numbers_and_slices(xp, x):
    return x[1] * x[-1, ::-1] + x[::2, 1:].sum(axis=1)[0] + x[3:0:-2, -2] @ x[..., 0][1:3] + x[-2:, -1][0] * x[0, 2]


@program(x=values(4, 3))
def indexing_by_arrays(xp, x):
    return x[ROWS] * x[ROWS, 1][:, None] + x[np.array([0, 0, 3])].sum() + x[:, np.array([2, 2])][ROWS, 1][..., None]


@program(x=values(4, 3))
def indexing_by_masks(xp, x):
    return x[MASK] * x[MASK, None, 0] + x[None, ~MASK][0] ** 2


@program(x=values(4))
def replaced_entries(xp, x):
    y = xp.replace(x**2, slice(1, 3), xp.sin(x[:2]))
    return xp.replace(y, 0, 5.0) * x + xp.replace(y, np.array([3, 0]), x[1])


@program(x=(values(2), values(3, seed=1)))
def concatenated_arrays(xp, x):
    a, b = x
    return xp.concatenate([a, b * a[0], np.ones(1), a]) ** 2


@program(x=values(2, 3))
def stacked_arrays(xp, x):
    return xp.stack([x[0], x[1] ** 2, x[0] * x[1]], axis=1) * xp.concatenate([x, x[:1] ** 3]).T


@program(x=values(2, 3, 2))
def changed_shapes(xp, x):
    y = xp.reshape(x, (3, 4)) * xp.ravel(x)[::3]
    z = xp.transpose(x, (2, 0, 1)) * xp.moveaxis(x, 0, 1)[0, 0, 0]
    w = xp.swapaxes(x, 0, 2) + xp.squeeze(xp.expand_dims(x, 1), 1)[1, 2, 0] + x.T
    return (xp.sum(y**2), z**2 + 0.0, w * xp.broadcast_to(x[0, 0], (2, 3, 2)).T[:, :, :] ** 2)


@program(x=values(5) - 0.6)
def choice_where(xp, x):
    return xp.where(x > 0, xp.exp(x), x**2) + xp.where(np.array([True, False, True, False, True]), x, 0.5) * x


@program(x=values(5) - 0.6)
def rectifiers(xp, x):
    return xp.maximum(x, 0) ** 2 + xp.minimum(x, 0.1) * x + xp.absolute(x) * xp.maximum(x, x[::-1] / 2)


@program(x=values(3))
def steps_that_are_constant(xp, x):
    return xp.floor(10 * x) * x + xp.sign(x - 0.6) * x**2 + xp.ceil(x) + xp.round(x)


@program(x=values(4))
def sorted_by_index(xp, x):
    return x[xp.argsort(x)] ** 2 * np.arange(4.0) + x[xp.argmax(x)] * x[xp.argmin(x)]


@program(x=values(4))
def loop_as_scan(xp, x):
    def step(carry, t, scale):
        return carry * t + xp.sin(scale * carry), carry * scale

    last, outputs = xp.scan(step, x[0], x[1:] ** 2, (x[1],))
    return outputs * last


@program(x=values(3))
def scan_over_pytrees(xp, x):
    def step(carry, t, params):
        count, (y, z) = carry
        y = y + t["a"] * z
        return (count + 1, (y, xp.tanh(z * params["w"]))), {"y": y, "yz": [y * z]}

    start = (0, (x[0], x[1] ** 2))
    (_, ends), outputs = xp.scan(step, start, {"a": x * x[::-1]}, ({"w": x[2]},), reverse=True)
    return ends, outputs


# Programs that ask for values while they run: jax.jit cannot trace them, and neither can it ours.
@program(x=np.float64(0.8))
def while_loop(xp, x):
    y = x
    while y < 10:
        y = y * y + x
    return y


@program(x=values(3))
def branches(xp, x):
    y = xp.sum(x)
    return xp.sin(y) * x if (y > 1 and x[0] < x[1]) or x[2] != 0.5 else xp.cos(y) + x


@program(x=np.float64(0.6))
def recursion(xp, x):
    def power(x, n):
        if n == 0:
            return 1.0
        half = power(x, n // 2)
        return half * half * (x if n % 2 else 1.0)

    return power(xp.sin(x), 13)


def _four_squares(x):
    y = x
    for _ in range(4):
        y = y * y + x
    return y


# What those programs do at their points, without asking.
STRAIGHT = {"while_loop": _four_squares, "branches": lambda x: jnp.sin(jnp.sum(x)) * x}


def program_on(xp, name):
    """Return a program as a function of its point only."""
    return functools.partial(PROGRAMS[name][0], xp)


def summed(f):
    """Return f as a function to R: its results weighed by different numbers, so that all count."""

    def scalar(x):
        total = 0.0
        for leaf in jax.tree.leaves(f(x)):
            total = total + primitives.sum(leaf * np.cos(1.0 + np.arange(leaf.size).reshape(leaf.shape)))
        return total

    return scalar


@functools.cache
def reference(name):
    """Return value, Jacobian and, of the weighed sum, gradient and Hessian, all by JAX."""
    f, x = STRAIGHT.get(name, program_on(JAX, name)), PROGRAMS[name][1]

    def derivatives(x):
        return f(x), jax.jacrev(f)(x), jax.grad(summed(f))(x), jax.hessian(summed(f))(x)

    return compiled(derivatives, x)
