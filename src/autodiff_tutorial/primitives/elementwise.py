"""Elementwise operations: functions of one number, and arithmetic with broadcasting.

A function of one number has a diagonal Jacobian, so both modes multiply by its derivative. An operation on two spreads
the smaller argument over the larger one; the transpose of spreading is summing.
"""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from autodiff_tutorial.primitives.arrays import spread_like, sum_like
from autodiff_tutorial.primitives.rules import Primitive, define
from autodiff_tutorial.primitives.tracing import NUMPY, Traced, dtype_of, on_jax, plain, zeros_like


def _value(on_host, on_device):
    return lambda *args: (on_device if on_jax(*args) else on_host)(*args)


def _elementwise(name, on_host, on_device, derivative):
    """Define y = f(x), from its derivative as a function of y and x."""
    return define(
        name,
        _value(on_host, on_device),
        jvp=lambda x_dot, y, x: x_dot * derivative(y, x),
        vjp=lambda y_bar, y, x: y_bar * derivative(y, x),
        numpy=on_host,
    )


negative = define(
    "negative",
    operator.neg,
    jvp=lambda x_dot, y, x: -x_dot,
    vjp=lambda y_bar, y, x: -y_bar,
    numpy=np.negative,
    linear=True,
)
exp = _elementwise("exp", np.exp, jnp.exp, lambda y, x: y)
expm1 = _elementwise("expm1", np.expm1, jnp.expm1, lambda y, x: y + 1)
log = _elementwise("log", np.log, jnp.log, lambda y, x: 1 / x)
log1p = _elementwise("log1p", np.log1p, jnp.log1p, lambda y, x: 1 / (1 + x))
sqrt = _elementwise("sqrt", np.sqrt, jnp.sqrt, lambda y, x: 0.5 / y)
sin = _elementwise("sin", np.sin, jnp.sin, lambda y, x: cos(x))
cos: Primitive = _elementwise("cos", np.cos, jnp.cos, lambda y, x: -sin(x))
tan = _elementwise("tan", np.tan, jnp.tan, lambda y, x: 1 + y * y)
arcsin = _elementwise("arcsin", np.arcsin, jnp.arcsin, lambda y, x: 1 / sqrt((1 - x) * (1 + x)))
arccos = _elementwise("arccos", np.arccos, jnp.arccos, lambda y, x: -1 / sqrt((1 - x) * (1 + x)))
arctan = _elementwise("arctan", np.arctan, jnp.arctan, lambda y, x: 1 / (1 + x * x))
sinh = _elementwise("sinh", np.sinh, jnp.sinh, lambda y, x: cosh(x))
cosh: Primitive = _elementwise("cosh", np.cosh, jnp.cosh, lambda y, x: sinh(x))
tanh = _elementwise("tanh", np.tanh, jnp.tanh, lambda y, x: 1 - y * y)
sigmoid = _elementwise("sigmoid", scipy.special.expit, jax.nn.sigmoid, lambda y, x: y * (1 - y))
erf = _elementwise(
    "erf", scipy.special.erf, jax.scipy.special.erf, lambda y, x: 2 / np.sqrt(np.pi).item() * exp(-x * x)
)
# At the kink of |x| the derivative is taken as 0, the middle of what the two sides say.
absolute = _elementwise("absolute", np.absolute, jnp.abs, lambda y, x: sign(x))


def _sides(derivatives):
    """Return the rules of y = f(x0, x1), from its two partial derivatives as functions of y, x0 and x1."""
    return {
        "jvp": [lambda x_dot, y, *x, d=d: spread_like(x_dot * d(y, *x), y) for d in derivatives],
        "vjp": [lambda y_bar, y, *x, d=d, i=i: sum_like(y_bar * d(y, *x), x[i]) for i, d in enumerate(derivatives)],
    }


add = define(
    "add",
    operator.add,
    jvp=(lambda x_dot, y, x0, x1: spread_like(x_dot, y), lambda x_dot, y, x0, x1: spread_like(x_dot, y)),
    vjp=(lambda y_bar, y, x0, x1: sum_like(y_bar, x0), lambda y_bar, y, x0, x1: sum_like(y_bar, x1)),
    numpy=np.add,
    linear=True,
)
subtract = define(
    "subtract",
    operator.sub,
    jvp=(lambda x_dot, y, x0, x1: spread_like(x_dot, y), lambda x_dot, y, x0, x1: spread_like(-x_dot, y)),
    vjp=(lambda y_bar, y, x0, x1: sum_like(y_bar, x0), lambda y_bar, y, x0, x1: sum_like(-y_bar, x1)),
    numpy=np.subtract,
    linear=True,
)
multiply = define(
    "multiply",
    operator.mul,
    jvp=(lambda x_dot, y, x0, x1: x_dot * x1, lambda x_dot, y, x0, x1: x0 * x_dot),
    vjp=(lambda y_bar, y, x0, x1: sum_like(y_bar * x1, x0), lambda y_bar, y, x0, x1: sum_like(x0 * y_bar, x1)),
    numpy=np.multiply,
)
divide = define(
    "divide",
    operator.truediv,
    jvp=(lambda x_dot, y, x0, x1: x_dot / x1, lambda x_dot, y, x0, x1: -x_dot * (y / x1)),
    vjp=(lambda y_bar, y, x0, x1: sum_like(y_bar / x1, x0), lambda y_bar, y, x0, x1: sum_like(-y_bar * (y / x1), x1)),
    numpy=np.divide,
)


def _power_by_base(y, x, p):
    # p x^(p-1), which is 0 where p = 0, even where x = 0.
    if isinstance(p, int | float):
        return p * x ** (p - 1) if p else zeros_like(x)
    flat = plain(p) == 0
    if isinstance(p, Traced):
        flat = flat & (plain(x) == 0)
    return p * where(flat, 1.0, x) ** (p - 1)


def _power_by_exponent(y, x, p):
    # log(x) x^p, which is 0 where x = 0.
    return log(where(x == 0, 1.0, x)) * y


power = define(
    "power",
    _value(np.power, jnp.power),
    **_sides((_power_by_base, _power_by_exponent)),
    numpy=np.power,
)
arctan2 = define(
    "arctan2",
    _value(np.arctan2, jnp.arctan2),
    **_sides((lambda y, x0, x1: x1 / (x0 * x0 + x1 * x1), lambda y, x0, x1: -x0 / (x0 * x0 + x1 * x1))),
    numpy=np.arctan2,
)
logaddexp = define(
    "logaddexp",
    _value(np.logaddexp, jnp.logaddexp),
    **_sides((lambda y, x0, x1: sigmoid(x0 - x1), lambda y, x0, x1: sigmoid(x1 - x0))),
    numpy=np.logaddexp,
)


def _share(taken, y, x, other):
    """Return 1 where x was taken, 1/2 where both are equal, 0 elsewhere: a constant, for no small move changes it."""
    x, other = plain(x), plain(other)
    return (taken(x, other) + 0.5 * (x == other)).astype(dtype_of(plain(y)))


maximum = define(
    "maximum",
    _value(np.maximum, jnp.maximum),
    **_sides((lambda y, x0, x1: _share(operator.gt, y, x0, x1), lambda y, x0, x1: _share(operator.gt, y, x1, x0))),
    numpy=np.maximum,
)
minimum = define(
    "minimum",
    _value(np.minimum, jnp.minimum),
    **_sides((lambda y, x0, x1: _share(operator.lt, y, x0, x1), lambda y, x0, x1: _share(operator.lt, y, x1, x0))),
    numpy=np.minimum,
)

_where = define(
    "where",
    _value(np.where, jnp.where),
    jvp=(
        None,
        lambda x_dot, y, condition, x0, x1: spread_like(where(condition, x_dot, 0.0), y),
        lambda x_dot, y, condition, x0, x1: spread_like(where(condition, 0.0, x_dot), y),
    ),
    vjp=(
        None,
        lambda y_bar, y, condition, x0, x1: sum_like(where(condition, y_bar, 0.0), x0),
        lambda y_bar, y, condition, x0, x1: sum_like(where(condition, 0.0, y_bar), x1),
    ),
    linear=True,
)


def where(condition: Any, x: Any, y: Any) -> Any:
    """Take entries of `x` where the condition holds, of `y` elsewhere; both are computed everywhere."""
    return _where(plain(condition), x, y)


NUMPY[np.where] = where


def square(x: Any) -> Any:
    """Return x times x."""
    return x * x


NUMPY[np.square] = square


def _constant(name, on_host, on_device):
    """Make a function that is constant between its jumps: it takes traced values, and returns plain ones."""

    def function(*args: Any, **options: Any) -> Any:
        args = [plain(arg) for arg in args]
        return (on_device if on_jax(*args) else on_host)(*args, **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return `np.{name}` of the values. Its derivative is zero between jumps, so it is not traced."
    NUMPY[on_host] = function
    return function


sign: Callable = _constant("sign", np.sign, jnp.sign)
floor = _constant("floor", np.floor, jnp.floor)
ceil = _constant("ceil", np.ceil, jnp.ceil)
round = _constant("round", np.round, jnp.round)
greater = _constant("greater", np.greater, jnp.greater)
greater_equal = _constant("greater_equal", np.greater_equal, jnp.greater_equal)
less = _constant("less", np.less, jnp.less)
less_equal = _constant("less_equal", np.less_equal, jnp.less_equal)
equal = _constant("equal", np.equal, jnp.equal)
not_equal = _constant("not_equal", np.not_equal, jnp.not_equal)
isfinite = _constant("isfinite", np.isfinite, jnp.isfinite)
isnan = _constant("isnan", np.isnan, jnp.isnan)
argmax = _constant("argmax", np.argmax, jnp.argmax)
argmin = _constant("argmin", np.argmin, jnp.argmin)
argsort = _constant("argsort", np.argsort, jnp.argsort)
