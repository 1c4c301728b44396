"""Primitives: values against NumPy, rules against three laws of derivatives, and loops written out in JAX."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from programs import JAX, OURS, Functions, close, compiled, on, values

from autodiff_tutorial import primitives
from autodiff_tutorial.checks import check_derivatives
from autodiff_tutorial.forward_mode import jacfwd, jvp
from autodiff_tutorial.primitives import define, scan
from autodiff_tutorial.primitives.tracing import NUMPY
from autodiff_tutorial.reverse_mode import grad, jacrev, vjp


def _replaced(x, index, y):
    x = np.array(x)
    x[index] = y
    return x


# What NumPy and SciPy say of the same operations.
PLAIN = Functions(
    np,
    erf=scipy.special.erf,
    index=lambda x, index: x[index],
    logsumexp=scipy.special.logsumexp,
    replace=_replaced,
    sigmoid=scipy.special.expit,
    solve=np.linalg.solve,
)

COMPARISONS = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
CONSTANT = [*COMPARISONS, "argmax", "argmin", "argsort", "ceil", "floor", "isfinite", "isnan", "round", "sign"]
NO_PRIMITIVE = ["Primitive", "Traced", "define", "plain", "scan"]

UNARY = [
    "absolute",
    "arccos",
    "arcsin",
    "arctan",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "log",
    "log1p",
    "negative",
    "sigmoid",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
]
BINARY = ["add", "arctan2", "divide", "logaddexp", "maximum", "minimum", "multiply", "power", "subtract"]
PAIRS = [
    ((), ()),
    ((2, 3), (2, 3)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((3,), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((1, 3), (2, 1)),
    ((1,), (2, 3)),
    ((1, 1), ()),
    ((1, 1), (2, 4, 1)),
]
PRODUCTS = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((2, 3), (4, 3, 2)),
    ((4, 2, 3), (3, 2)),
    ((4, 2, 3), (4, 3, 2)),
    ((1, 2, 3), (4, 3, 2)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((5, 2, 3), (4, 1, 3, 1)),
    ((3,), (2, 1, 3, 2)),
]
SYSTEMS = [
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((2, 3, 3), (3,)),
    ((2, 3, 3), (3, 2)),
    ((3, 3), (2, 3, 2)),
    ((2, 3, 3), (2, 3, 2)),
    ((2, 1, 3, 3), (4, 3, 2)),
    ((1, 1), (1,)),
]
REDUCTIONS = [
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 2)},
    {"keepdims": True},
    {"axis": (-1, 1), "keepdims": True},
]
ROWS = np.array([2, 0, 2, 1])
INDICES = {
    "number": 1,
    "negative": -1,
    "numpy number": np.int64(2),
    "slice": slice(1, 3),
    "steps": slice(None, None, 2),
    "backward": slice(None, None, -1),
    "backward in steps": (slice(-1, None, -3), slice(None, 0, -2)),
    "nothing": slice(2, 2),
    "both": (slice(1, None), -1),
    "dots": (..., 0),
    "dots between": (0, ..., 1),
    "new axes": (None, 1, ..., None, slice(0, 2)),
    "everything": (),
    "array": ROWS,
    "two arrays": (ROWS, np.array([0, 1, 0, 1])),
    "array of two axes": ROWS.reshape(2, 2),
    "array after slice": (slice(None), np.array([1, -1])),
    "mask": np.array([True, False, True, True]),
    "mask of all": np.arange(12).reshape(4, 3) % 2 == 0,
}


def case(name, *shapes, key="", call=None, f=None):
    """Return a case of the table: a primitive's name, a program of it, and its arguments."""
    if f is None:
        f = lambda xp, *args: getattr(xp, name)(*args, **(call or {}))  # noqa: E731
    args = [values(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    return pytest.param(f, args, id=" ".join([name, key or ",".join(map(str, shapes))]))


def solvable(xp, a, b):
    """Solve with a matrix that is far from singular."""
    return xp.solve(a + 2 * np.eye(a.shape[-1]), b)


CASES = [
    *(case(name, shape) for name in UNARY for shape in [(), (2, 3)]),
    *(case(name, *pair) for name in BINARY for pair in PAIRS),
    *(
        case("where", *pair, f=lambda xp, x, y, c=c: xp.where(c, x, y), key=f"{c.shape} {pair}")
        for pair in [*PAIRS[:5], PAIRS[6]]
        for c in [np.bool_(True), np.array([True, False, True]), np.array([[True], [False]])]
    ),
    *(case("matmul", *pair) for pair in PRODUCTS),
    *(case("matmul", *pair, key=f"operator {pair}", f=lambda xp, a, b: a @ b) for pair in PRODUCTS[:4]),
    *(case("dot", *pair) for pair in PRODUCTS[:4]),
    *(case("solve", *pair, f=solvable) for pair in SYSTEMS),
    *(
        case(name, (2, 3, 4), call=call, key=str(call))
        for name in ["sum", "mean", "max", "min", "logsumexp"]
        for call in REDUCTIONS
    ),
    *(case(name, ()) for name in ["sum", "mean", "max", "min", "logsumexp", "prod"]),
    *(case("prod", (2, 5), call=call, key=str(call)) for call in [{}, {"axis": 0}, {"axis": -1}]),
    *(case("cumsum", (2, 3), call={"axis": axis}, key=str(axis)) for axis in [0, 1, -1]),
    *(case("cumsum", shape, key=f"without axis {shape}") for shape in [(3,), (2, 3)]),
    *(
        case("index", (4, 3), key=key, f=lambda xp, x, index=index: xp.index(x, index))
        for key, index in INDICES.items()
        if key != "nothing"
    ),
    *(
        case("replace", (4, 3), shape, key=f"{key} {shape}", f=lambda xp, x, y, i=index: xp.replace(x, i, y))
        for key, index, shape in [
            ("number", 1, (3,)),
            ("number", 1, ()),
            ("slice", slice(0, 3, 2), (2, 3)),
            ("slice", slice(0, 3, 2), (3,)),
            ("slice", slice(None, None, -1), (4, 1)),
            ("array", np.array([3, 0]), (2, 3)),
            ("mask", np.array([True, False, True, True]), (3, 3)),
            ("entry", (2, -1), ()),
        ]
    ),
    *(
        case("reshape", (2, 6), key=str(to), f=lambda xp, x, to=to: xp.reshape(x, to))
        for to in [(3, 4), -1, (2, -1, 3)]
    ),
    case("reshape", (2, 6), key="method", f=lambda xp, x: x.reshape(4, 3) * x.reshape((4, -1))),
    case("ravel", (2, 3)),
    case("astype", (2, 3), f=lambda xp, x: xp.astype(x, np.float64) * x.astype(float)),
    *(
        case("squeeze", (1, 3, 1), call=call, key=str(call))
        for call in [{}, {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}]
    ),
    *(case("expand_dims", (2, 3), call={"axis": axis}, key=str(axis)) for axis in [0, 1, -1, (0, 2)]),
    *(
        case("transpose", (2, 3, 4), call=call, key=str(call))
        for call in [{}, {"axes": (1, 2, 0)}, {"axes": (0, -1, 1)}]
    ),
    case("transpose", (2, 3), key="method", f=lambda xp, x: x.T @ x.transpose()[::-1].T),
    *(
        case("swapaxes", (2, 3, 4), key=str(pair), f=lambda xp, x, p=pair: xp.swapaxes(x, *p))
        for pair in [(0, 1), (-1, 0)]
    ),
    *(
        case("moveaxis", (2, 3, 4), key=str(pair), f=lambda xp, x, p=pair: xp.moveaxis(x, *p))
        for pair in [(0, 1), (0, -1), (-1, 0), (2, 1)]
    ),
    *(
        case("roll", (3, 4), key=f"{shift} {axis}", f=lambda xp, x, s=shift, a=axis: xp.roll(x, s, a))
        for shift, axis in [(1, None), (-2, 0), (5, 1), ((1, 2), (0, 1))]
    ),
    *(
        case("broadcast_to", shape, key=f"{shape}", f=lambda xp, x: xp.broadcast_to(x, (2, 4, 3)))
        for shape in [(), (3,), (4, 1), (2, 4, 3), (2, 1, 1)]
    ),
    *(
        case("concatenate", *shapes, key=f"{shapes} {axis}", f=lambda xp, *x, a=axis: xp.concatenate(x, axis=a))
        for axis, shapes in [
            (0, [(2,), (3,), (1,)]),
            (1, [(2, 1), (2, 3)]),
            (-1, [(2, 1, 1), (2, 1, 2)]),
            (0, [(2, 3)]),
        ]
    ),
    case("concatenate", (2,), key="the same twice", f=lambda xp, x: xp.concatenate([x, np.ones(1), x**2])),
    *(
        case("stack", *shapes, key=f"{shapes} {axis}", f=lambda xp, *x, a=axis: xp.stack(x, axis=a))
        for axis, shapes in [(0, [(), ()]), (1, [(3,), (3,)]), (-1, [(2, 3)] * 3)]
    ),
]


NAMES = sorted({param.id.split()[0] for param in CASES})


def as_function_of(f, args, positions):
    """Return f as a function of the arguments at these positions, a list."""

    def function(xp, chosen):
        full = list(args)
        for i, arg in zip(positions, chosen, strict=True):
            full[i] = arg
        return f(xp, *full)

    return function


def test_no_primitive_is_left_out():
    """Whatever `primitives` offers is in the table of cases, or said to have no derivative."""
    shown = set(NAMES)
    assert shown.isdisjoint(CONSTANT)
    assert shown | set(CONSTANT) | set(NO_PRIMITIVE) == set(primitives.__all__)
    assert len({param.id for param in CASES}) == len(CASES)


@pytest.mark.parametrize("f, args", CASES)
def test_value_is_that_of_numpy(f, args):
    """Primitives on NumPy's arrays agree with NumPy and SciPy."""
    close(f(OURS, *args), f(PLAIN, *args))


def push(f, x, x_dot):
    """Return the derivative of f(xp, x) in one direction, by the rules of forward mode."""
    return jvp(functools.partial(f, OURS), (x,), (x_dot,))[1]


def pull(f, x, y_bar):
    """Return the derivative of <y_bar, f(xp, x)>, by the rules of reverse mode."""
    return vjp(functools.partial(f, OURS), x)[1](y_bar)[0]


def waves(tree):
    """Return a direction of the shape of a pytree."""
    return jax.tree.map(lambda leaf: np.cos(1.0 + np.arange(np.size(leaf)).reshape(np.shape(leaf)))[()], tree)


def side_by_side(name, size=700):
    """Return the cases of a primitive as one function of a vector, padded to one size so that JAX compiles once."""
    cases = [param.values for param in CASES if param.id.split()[0] == name]
    point = np.concatenate([np.ravel(arg) for _, args in cases for arg in args])

    def f(xp, x):
        parts, start = [], 0
        for program, args in cases:
            cut = []
            for arg in args:
                cut.append(xp.reshape(x[start : start + np.size(arg)], np.shape(arg)))
                start += np.size(arg)
            parts.append(xp.ravel(program(xp, *cut)))
        rest = size - sum(part.size for part in parts)
        return xp.concatenate([*parts, xp.broadcast_to(x[-1:], (rest,))])

    return f, np.concatenate([point, values(size - point.size)])


@pytest.mark.parametrize("name", NAMES)
def test_rules_obey_the_laws(name):
    """The rules of all arguments, in all cases of a primitive side by side, pass the check of derivatives."""
    f, x = side_by_side(name)
    check_derivatives(
        lambda x: f(OURS, np.asarray(x)),
        x,
        jvp=lambda x, x_dot: push(f, np.asarray(x), np.asarray(x_dot)),
        vjp=lambda x, y_bar: pull(f, np.asarray(x), np.asarray(y_bar)),
    )


# An elementwise operation on JAX meets nothing new in every other shape.
ON_JAX = [
    param
    for param in CASES
    if param.id.split()[0] not in [*UNARY, *BINARY, "where"] or param.id.endswith(("(2, 3)", "(2, 1),(1, 3)"))
]


@pytest.mark.parametrize("f, args", ON_JAX)
def test_rules_on_jax_and_of_each_argument_alone(f, args):
    """On JAX's arrays, and with the other arguments as constants of NumPy, values and rules give the same."""
    everything = as_function_of(f, args, range(len(args)))
    x_dots, y_bar = waves(args), waves(f(OURS, *args))
    x_bars = pull(everything, args, y_bar)
    pushed = []
    for i, x_dot in enumerate(x_dots):
        alone = as_function_of(f, args, [i])
        pushed.append(push(alone, [args[i]], [x_dot]))
        close(pull(alone, [args[i]], y_bar), [x_bars[i]])
    close(sum(pushed), push(everything, args, x_dots))
    found = jvp(functools.partial(everything, OURS), (on(jnp, args),), (on(jnp, x_dots),))
    assert all(isinstance(part, jax.Array) for part in found)
    close(found, (f(OURS, *args), sum(pushed)))
    close(pull(everything, *on(jnp, (args, y_bar))), x_bars)


@pytest.mark.parametrize("name", [*BINARY, "matmul", "solve"])
def test_numpy_and_jax_may_be_mixed(name):
    """A traced array of JAX takes constants of NumPy on either side, and the other way round."""
    f, (a, b) = getattr(primitives, name), (values(2, 2) + np.eye(2), values(2, 2, seed=1))
    for mixed in ((jnp.asarray(a), b), (a, jnp.asarray(b))):
        for i, j in ((0, 1), (1, 0)):
            g = lambda x, i=i, j=j, mixed=mixed: f(*([x, mixed[j]] if i == 0 else [mixed[j], x]))  # noqa: E731
            plainly = lambda x, i=i, j=j: f(*([x, (a, b)[j]] if i == 0 else [(a, b)[j], x]))  # noqa: E731
            found, expected = (jvp(g, (mixed[i],), (a,)), jvp(plainly, ((a, b)[i],), (a,)))
            close(found, expected)
            close(vjp(g, mixed[i])[1](b), vjp(plainly, (a, b)[i])[1](b))


WRONG = {
    "jvp": ({"jvp": lambda x_dot, y, x: x_dot * y, "vjp": lambda y_bar, y, x: y_bar * np.cos(x)}, "finite differences"),
    "vjp": ({"jvp": lambda x_dot, y, x: x_dot * np.cos(x), "vjp": lambda y_bar, y, x: y_bar * x}, "dot product law"),
}


@pytest.mark.parametrize("rules, law", WRONG.values(), ids=WRONG)
def test_planted_wrong_rule_is_rejected(rules, law):
    """A new primitive with one wrong rule fails the law that this rule has to obey."""
    planted = define("planted", np.sin, **rules)
    with pytest.raises(AssertionError, match=law):
        check_derivatives(
            lambda x: np.sin(np.asarray(x)),
            values(3),
            jvp=lambda x, x_dot: jvp(planted, (on(np, x),), (on(np, x_dot),))[1],
            vjp=lambda x, y_bar: vjp(planted, on(np, x))[1](on(np, y_bar))[0],
        )


def test_new_primitive_takes_part_in_everything(monkeypatch):
    """A primitive with right rules, tied to a function of NumPy, has derivatives of any order in both modes."""
    monkeypatch.setitem(NUMPY, np.cbrt, None)  # and taken away after the test
    cbrt = define(
        "cbrt",
        lambda x: np.cbrt(x),
        jvp=lambda x_dot, y, x: x_dot / (3 * y * y),
        vjp=lambda y_bar, y, x: y_bar / (3 * y * y),
        numpy=np.cbrt,
    )
    assert repr(cbrt) == "primitives.cbrt"
    assert cbrt(8.0) == pytest.approx(2)
    for f in (cbrt, np.cbrt):
        assert grad(f)(8.0) == pytest.approx(1 / 12)
        assert grad(grad(f))(8.0) == pytest.approx(-2 / 9 / 32)
        assert jvp(grad(f), (8.0,), (1.0,))[1] == pytest.approx(-2 / 9 / 32)


def test_parameters_of_a_primitive_reach_value_and_rules():
    """Keyword arguments of a primitive are handed to its value and to both rules."""
    scale = define(
        "scale",
        lambda x, *, by: by * x,
        jvp=lambda x_dot, y, x, *, by: by * x_dot,
        vjp=(lambda y_bar, y, x, *, by: by * y_bar,),
    )
    assert scale([1.0, 2.0], by=2).tolist() == [2, 4]
    assert grad(lambda x: scale(x, by=3.0))(1.0) == jvp(lambda x: scale(x, by=3.0), (1.0,), (1.0,))[1] == 3


@pytest.mark.parametrize("name", CONSTANT)
@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_piecewise_constant_functions_are_not_traced(name, module):
    """Roundings, comparisons and positions are those of NumPy, as plain values, and contribute no derivative."""
    x, y = module.asarray(values(5) - 0.6), module.asarray(values(5, seed=1) - 0.6)
    args = (x, y) if name in COMPARISONS else (x,)
    expected = getattr(np, name)(*map(np.asarray, args))

    def f(*args):
        for function in (getattr(primitives, name), getattr(np, name)):
            found = function(*args)
            assert not isinstance(found, primitives.Traced)
            np.testing.assert_array_equal(found, expected)
        return (args[0] * found).sum()

    for differentiated in (vjp(f, *args)[1](1.0), [jvp(f, args, args)[1]]):
        assert all(np.isfinite(part).all() for part in differentiated)
    close(grad(f)(*args), (expected * np.ones(5)).astype(float))


def test_plain_values_cut_derivatives():
    """`plain` returns the value of a traced value, of any depth, and what it returns counts as a constant."""
    f = lambda x: primitives.plain(x) * x  # noqa: E731
    assert grad(f)(3.0) == 3
    assert grad(grad(f))(3.0) == 0
    assert jvp(grad(f), (3.0,), (1.0,)) == (3, 0)
    assert primitives.plain(2.5) == 2.5


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_conversion_of_dtype_converts_back(module):
    """A conversion between floats is linear, and its transpose returns the dtype of the argument."""
    x = module.asarray(values(3).astype(np.float32))
    f = lambda x: primitives.astype(x, np.float64) ** 2  # noqa: E731
    value, tangent = jvp(f, (x,), (x,))
    assert value.dtype == tangent.dtype == np.float64
    gradient = grad(lambda x: f(x).sum())(x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 2 * np.asarray(x), rtol=1e-6)
    assert grad(lambda x: (primitives.astype(x, int) * x).sum())(np.array([2.5])) == [2.0]


CONVENTIONS = {
    "abs at 0": (primitives.absolute, [0.0, -1.0], [0, -1]),
    "maximum of equals": (lambda x: primitives.maximum(x, 1.0), [1.0, 2.0], [0.5, 1]),
    "minimum of equals": (lambda x: primitives.minimum(1.0, x), [1.0, 2.0], [0.5, 0]),
    "maximum of the same": (lambda x: primitives.maximum(x, x), [1.0, 2.0], [1, 1]),
    "max with ties": (primitives.max, [3.0, 1.0, 3.0, 3.0], [1 / 3, 0, 1 / 3, 1 / 3]),
    "min with ties": (primitives.min, [1.0, 1.0], [0.5, 0.5]),
    "0 to the 0": (lambda x: x**0, [0.0, 1.0], [0, 0]),
    "0 to the 1": (lambda x: x**1, [0.0], [1]),
    "0 to an array": (lambda x: x ** np.array([0.0, 1.0, 2.0]), [0.0, 0.0, 0.0], [0, 1, 0]),
    "exponent at base 0": (lambda x: 0.0**x, [1.0, 2.0], [0, 0]),
    "a branch that is not taken": (lambda x: primitives.where(x > 0, x, primitives.exp(700 - x)), [2.0, 3.0], [1, 1]),
    "logsumexp of large numbers": (primitives.logsumexp, [1000.0, 1000.0], [0.5, 0.5]),
    "logsumexp with an impossible one": (primitives.logsumexp, [0.0, -np.inf], [1, 0]),
    "product with one zero": (primitives.prod, [2.0, 0.0, 3.0], [0, 6, 0]),
    "product with two zeros": (primitives.prod, [2.0, 0.0, 0.0], [0, 0, 0]),
}


@pytest.mark.parametrize("f, x, expected", CONVENTIONS.values(), ids=CONVENTIONS)
def test_derivative_at_special_points(f, x, expected):
    """Kinks, ties, zeros and large numbers have the derivative that is documented, in both modes."""
    x = np.array(x)
    with np.errstate(over="ignore"):
        close(grad(lambda x: primitives.sum(f(x)))(x), np.array(expected, float))
        pushed = [jvp(lambda x: primitives.sum(f(x)), (x,), (x_dot,))[1] for x_dot in np.eye(len(x))]
    close(np.array(pushed), np.array(expected, float))


@pytest.mark.parametrize("x, p", [(2.0, 0.0), (2.0, 1.0), (2.0, -1.5), (0.5, 2.0)])
def test_mixed_derivative_of_a_power(x, p):
    """The derivative of x^p by x and then p is x^(p-1) (1 + p log x), also where p is 0."""
    expected = x ** (p - 1) * (1 + p * math.log(x))
    assert jvp(lambda p: grad(lambda x: x**p)(x), (p,), (1.0,))[1] == pytest.approx(expected, rel=1e-14)
    assert grad(lambda x: grad(lambda p: x**p)(p))(x) == pytest.approx(expected, rel=1e-14)


def test_power_at_zero_with_an_exponent_that_is_traced():
    """The derivative of x^p by x is p x^(p-1), which is 0 where p is 0, at x = 0 as well."""
    assert jvp(lambda x, p: x**p, (0.0, 0.0), (1.0, 0.0))[1] == 0
    assert grad(lambda x: jvp(lambda p: x**p, (0.0,), (0.0,))[0])(0.0) == 0
    assert jvp(lambda p: grad(lambda x: x**p)(0.0), (0.0,), (0.0,))[0] == 0


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_running_sum_without_axis_is_that_of_numpy(shape):
    """The function, NumPy's own and the method of traced arrays all flatten if they are given no axis."""
    x = values(*shape)
    for f in (primitives.cumsum, np.cumsum, lambda x: x.cumsum()):
        close(vjp(f, x)[0], np.cumsum(x))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_traced_array_can_be_iterated_and_unpacked(module):
    """Loops over a traced array end, and give traced entries."""
    x = module.asarray(values(3))

    def f(x):
        a, b, c = x
        assert len(list(x)) == len(x) == 3
        return a * b * c + sum(v * v for v in x)

    n = np.asarray(x)
    close(grad(f)(x), n.prod() / n + 2 * n)


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize("index", [5, -4, (0, 0)])
def test_index_out_of_range_is_an_error(module, index):
    """An entry that is not there is refused, also where JAX would take another one."""
    with pytest.raises(IndexError):
        grad(lambda x: x[index])(module.ones(3))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize("numbers", [np.array([0, 5]), jnp.array([0, -4]), [3], (slice(None), np.array([0]))])
def test_indices_out_of_range_are_an_error(module, numbers):
    """So are arrays of them, and where entries are replaced."""
    for f in (lambda x: primitives.sum(x[numbers]), lambda x: primitives.sum(primitives.replace(x, numbers, 1.0))):
        with pytest.raises(IndexError):
            grad(f)(module.ones(3))


def test_traced_indices_are_taken_as_they_are():
    """What `jax.jit` traces shows no numbers."""
    found = jax.jit(lambda x, i: grad(lambda x: primitives.sum(x[i] ** 2))(x))(jnp.arange(3.0), jnp.array([1, 2, 2]))
    assert found.tolist() == [0, 2, 8]


def test_empty_index_has_empty_derivative():
    """Taking nothing gives an empty result and a gradient of zeros."""
    for module in (np, jnp):
        close(grad(lambda x: primitives.sum(x[2:2]) + x[0])(module.asarray(values(4))), np.array([1.0, 0, 0, 0]))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_reductions_of_nothing_are_those_of_numpy(module):
    """The empty product is 1, with a slope of zero, and a mean over rows that there are not is empty."""
    assert primitives.prod(module.zeros(0)) == 1
    close(primitives.prod(module.zeros((0, 2)), axis=0), np.ones(2))
    close(grad(lambda x: primitives.prod(x[:0]) * x[0])(module.ones(3)), np.array([1.0, 0, 0]))
    assert primitives.mean(module.zeros((0, 3)), axis=1).shape == (0,)


def test_conversion_takes_a_float():
    assert primitives.astype(2.5, np.float32).dtype == np.float32
    assert primitives.astype(2.5, int) == 2
    assert grad(lambda x: primitives.astype(x, np.float32) ** 2)(3.0) == 6.0


ATTRIBUTES = {
    "shape": (2, 3),
    "ndim": 2,
    "size": 6,
    "dtype": np.float64,
}


def test_traced_value_looks_like_an_array():
    """A traced value has the attributes, the methods and the truth of an array, and shows its value."""

    def f(x):
        for name, expected in ATTRIBUTES.items():
            assert getattr(x, name) == expected
        a = np.asarray(primitives.plain(x))
        for method, call in {
            "sum": {"axis": 0},
            "mean": {},
            "max": {"axis": 1},
            "min": {},
            "prod": {"axis": 0},
        }.items():
            close(primitives.plain(getattr(x, method)(**call)), getattr(a, method)(**call))
        for method, call in {"reshape": (3, 2), "ravel": (), "transpose": (1, 0), "swapaxes": (0, 1)}.items():
            close(primitives.plain(getattr(x, method)(*call)), getattr(a, method)(*call))
        assert x[0, 0] > 0
        assert x[0, 0]
        assert hash(x) == hash(x)
        assert str(a[0, 0]) in repr(x[0, 0])
        return x.sum()

    grad(f)(values(2, 3))
    jvp(f, (values(2, 3),), (values(2, 3),))


def sine_step(c, t, a):
    """Return sin(c t) a, and c twice."""
    return primitives.sin(c * t) * a, c * 2


def unrolled(c, xs, a, reverse=False):
    """Write sine_step's loop out in jax.numpy."""
    ys = []
    for t in xs[::-1] if reverse else xs:
        ys.append(c * 2)
        c = jnp.sin(c * t) * a
    return c, jnp.stack(ys[::-1] if reverse else ys)


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_the_loop(module, reverse):
    """Values and derivatives by the first carry, the inputs and the parameters are those of the loop, in both modes."""
    point = (values(), values(4, seed=1), values(seed=2))
    f = lambda x: scan(sine_step, x[0], x[1], (x[2],), reverse=reverse)  # noqa: E731
    twin = lambda x: unrolled(*x, reverse)  # noqa: E731
    expected = compiled(lambda x: (twin(x), jax.jacrev(twin)(x), jax.jacrev(twin)(x)), point)
    ours = lambda x: (f(x), jacrev(f)(x), jacfwd(f)(x))  # noqa: E731
    close(ours(point) if module is np else compiled(ours, point), expected)


NESTED = {
    "forward over reverse": lambda f: jacfwd(grad(f)),
    "reverse over reverse": lambda f: jacrev(grad(f)),
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_scan_nests(nested):
    """Second derivatives by carry, inputs and parameters of a scan on JAX agree with those of the loop, under jit."""
    point = values(6)

    def f(x, loop):
        c, ys = loop(x[0], x[1:5], x[5])
        return c + (ys**2).sum()

    ours = nested(lambda x: f(x, lambda c, xs, a: scan(sine_step, c, xs, (a,))))
    close(compiled(ours, point), compiled(jax.hessian(lambda x: f(x, unrolled)), point))


def test_scan_of_a_thousand_steps_is_compiled_once():
    """The step's Python body runs a few times, not a thousand, and the result is that of the loop on NumPy."""
    calls = []

    def f(x):
        def step(c, _, x):
            calls.append(1)
            return c + 0.001 * primitives.sin(c * x), None

        return scan(step, x, None, (x,), length=1000)[0]

    expected = vjp(f, 1.1)
    assert len(calls) == 1000
    calls.clear()
    value, slope = jax.jit(lambda x: (f(x), grad(f)(x)))(1.1)
    assert len(calls) < 10
    close((value, slope), (expected[0], np.float64(expected[1](1.0)[0])))
    close(jax.jit(lambda x: jvp(f, (x,), (1.0,))[1])(1.1), np.asarray(slope))


@pytest.mark.parametrize("module", [np, jnp], ids=["numpy", "jax"])
def test_scan_carries_pytrees_and_counters(module):
    """Carries, inputs, parameters and outputs may be pytrees, with whole numbers in them, and an output may be None."""

    def step(carry, t, params):
        count, (y, z) = carry
        return (count + 1, (y + t["a"] * params["w"], z * y)), {"count": count, "out": [y, z * params["w"]]}

    def f(x):
        (count, ends), outputs = scan(step, (0, (x["y"], 1.0)), {"a": x["a"]}, ({"w": x["w"]},))
        counts.append((outputs.pop("count"), count))
        return ends, outputs

    def loop(x):
        y, z, ys, zs = x["y"], 1.0, [], []
        for t in range(3):
            ys.append(y)
            zs.append(z * x["w"])
            y, z = y + x["a"][t] * x["w"], z * y
        return (y, z), {"out": [jnp.stack(ys), jnp.stack(zs)]}

    counts, point = [], {"a": values(3), "w": values(seed=1), "y": values(seed=2)}
    expected = compiled(jax.jacrev(loop), point)
    for jacobian in (jacrev, jacfwd):
        close(jacobian(f)(point) if module is np else compiled(jacobian(f), point), expected)
    f(on(module, point))
    np.testing.assert_array_equal(counts[-1][0], np.arange(3))
    assert counts[-1][1] == 3


def test_scan_maps_over_a_batch():
    """Gradients of scans, also with closed-over JAX values, pass through jax.vmap."""

    def f(x, w):
        return scan(lambda c, _, a: (primitives.sin(c * a) * w, None), x, None, (x,), length=3)[0]

    def loop(x, w):
        c = x
        for _ in range(3):
            c = jnp.sin(c * x) * w
        return c

    x, w = values(2, 4)
    ours = lambda x, w: (grad(f)(x, w), jvp(grad(lambda x: f(x, w)), (x,), (1.0,))[1])  # noqa: E731
    twin = lambda x, w: (jax.grad(loop)(x, w), jax.hessian(loop)(x, w))  # noqa: E731
    close(
        compiled(lambda point: jax.vmap(ours)(*point), (x, w)), compiled(lambda point: jax.vmap(twin)(*point), (x, w))
    )


def test_scan_in_scan_with_a_gradient_inside():
    """Loops in loops, and steps that differentiate, are differentiated again."""

    def f(x):
        inner = lambda c, _, a: (c - 0.1 * grad(lambda z: z**4 * a)(c), None)  # noqa: E731
        outer = lambda c, _, a: (scan(inner, c, None, (a,), length=2)[0], c)  # noqa: E731
        return scan(outer, x, None, (x**2,), length=3)[0]

    def loop(x):
        c = x
        for _ in range(6):
            c = c - 0.4 * c**3 * x**2
        return c

    x = jnp.asarray(0.7)
    ours = lambda x: (f(x), grad(f)(x), jvp(grad(f), (x,), (1.0,))[1])  # noqa: E731
    close(compiled(ours, x), compiled(lambda x: (loop(x), jax.grad(loop)(x), jax.hessian(loop)(x)), x))


@pytest.mark.parametrize("pulled", [1.0, np.float64(1.0), jnp.float32(1.0)])
def test_scan_keeps_float32(pulled):
    """In float32 the loop and its derivatives are float32, whatever the dtype of constants and cotangents."""
    xs = jnp.asarray(values(3).astype(np.float32))
    f = lambda c, a: scan(lambda c, x, a: (c * x + a, c), c, xs, (a,))  # noqa: E731
    c, a = jnp.float32(0.5), jnp.float32(0.25)
    (value, _), pullback = vjp(lambda c, a: f(c, a), c, a)
    bars = pullback((pulled, np.ones(3)))
    assert {value.dtype, bars[0].dtype, bars[1].dtype} == {np.dtype(np.float32)}
    expected = jax.grad(lambda c, a: (lambda c, y: c + y.sum())(*f(c, a)), argnums=(0, 1))(c, a)
    close(bars, expected, rtol=1e-6)
    wide = grad(lambda c: scan(lambda c, x: (c * x, c * np.ones(2)), c, xs)[1].sum())(c)
    np.testing.assert_allclose(wide, 2 * (1 + xs[0] + xs[0] * xs[1]), rtol=1e-6)


def test_scan_takes_wider_cotangents():
    """What comes after a loop may be wider than its carry; the derivative has the dtype of the carry all the same."""
    x, w = jnp.asarray([1.0, 2.0], jnp.float16), jnp.asarray([3.0, 5.0], jnp.float32)
    gradient = grad(lambda x: primitives.sum(scan(lambda c, _: (c * c, None), x, length=2)[0] * w))(x)
    close(gradient, np.array([12.0, 160.0], np.float16))


def test_scan_from_a_float_keeps_float32():
    """A carry that starts as a float of Python takes the dtype of the inputs, and so does its derivative."""
    xs = jnp.asarray(values(3).astype(np.float32))
    f = lambda xs: scan(lambda c, x: (c + x * x, None), 0.0, xs)[0]  # noqa: E731
    value, tangent = jvp(f, (xs,), (xs,))
    assert {value.dtype, tangent.dtype, grad(f)(xs).dtype} == {np.dtype(np.float32)}


def leaking_step(x):
    """Return a step that uses x, which it is not given."""
    return lambda c, _: (c * x, None)


WRONG_SCANS = {
    "no function": (
        lambda: scan(1, 0.0, np.ones(3)),
        TypeError,
        r"scan\(step=\.\.\., params=\.\.\.\)` should be given",
    ),
    "no tuple": (lambda: scan(sine_step, 0.0, np.ones(3), 2.0), TypeError, "a function and a tuple"),
    "no length": (lambda: scan(sine_step, 0.0), ValueError, "should tell one number of steps"),
    "no steps": (lambda: scan(sine_step, 0.0, np.ones(0)), ValueError, "at least 1"),
    "negative": (lambda: scan(sine_step, 0.0, length=-2), (TypeError, ValueError), "`primitives.scan"),
    "fraction": (lambda: scan(sine_step, 0.0, length=2.5), (TypeError, ValueError), "`primitives.scan"),
    "two lengths": (lambda: scan(sine_step, 0.0, (np.ones(2), np.ones(3))), ValueError, "one number of steps"),
    "a number": (lambda: scan(sine_step, 0.0, (np.ones(2), 1.0)), ValueError, "one number of steps"),
    "other carry": (
        lambda: scan(lambda c, x: ((c, c), x), 0.0, np.ones(2)),
        TypeError,
        "a carry of the same structure",
    ),
}


@pytest.mark.parametrize("call, error, words", WRONG_SCANS.values(), ids=WRONG_SCANS)
def test_scan_refuses(call, error, words):
    """Loops without a number of steps, with another carry, or without functions are refused by name."""
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("derivative", [grad, lambda f: lambda x: jvp(f, (x,), (x,))], ids=["reverse", "forward"])
def test_scan_refuses_values_from_outside(derivative):
    """A step on JAX that uses a traced value it is not given is refused by both modes, with the way out."""
    with pytest.raises(ValueError, match=r"from outside of the function that `primitives\.scan` is given.* argument"):
        derivative(lambda x: scan(leaking_step(x), x, length=3)[0])(jnp.ones(()))


WRONG_DEFINITIONS = {
    "value": ({"value": 3}, "value"),
    "jvp": ({"value": np.sin, "jvp": 3}, "jvp"),
    "vjp": ({"value": np.sin, "vjp": None}, "vjp"),
    "jvp entry": ({"value": np.sin, "jvp": (np.cos, 3)}, "jvp"),
    "vjp entry": ({"value": np.sin, "vjp": ["cos"]}, "vjp"),
}


@pytest.mark.parametrize("arguments, word", WRONG_DEFINITIONS.values(), ids=WRONG_DEFINITIONS)
def test_define_refuses(arguments, word):
    """A primitive whose value or rules are not callable is refused when it is defined."""
    with pytest.raises(TypeError, match=rf"`primitives\.define\({word}=\.\.\.\)` should .* Got"):
        define("new", **arguments)


@pytest.mark.parametrize("mode, i", [("jvp", 0), ("vjp", 1)])
def test_missing_rule_is_named(mode, i):
    """A mode that lacks the rule of an argument says which one, and how to give it; the other mode works."""
    ours = {"jvp": lambda f, x: jvp(f, (x,), (1.0,))[1], "vjp": lambda f, x: grad(f)(x)}
    rules = {"jvp": [lambda d, y, *x: d] * 2, "vjp": [lambda d, y, *x: d] * 2} | {mode: [lambda d, y, *x: d, None]}
    rules[mode] = rules[mode][::-1] if i == 0 else rules[mode]
    tilted = define("tilted", lambda a, b: a + b, **rules)
    f = lambda x: tilted(x, 1.0) if i == 0 else tilted(1.0, x)  # noqa: E731
    with pytest.raises(TypeError, match=rf"`primitives\.tilted` has no {mode.upper()} rule for argument {i}.*define"):
        ours.pop(mode)(f, 2.0)
    assert ours.popitem()[1](f, 2.0) == 1


def test_dot_refuses_numbers_and_stacks():
    """`dot` is for vectors and matrices, and says what to use for others."""
    for a in (2.0, np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match=r"`primitives\.dot\(a, b\)` should be given vectors or matrices.*matmul"):
            grad(lambda x, a=a: primitives.dot(a, x).sum())(np.ones(2))


def test_twin_of_the_programs_is_independent():
    """The functions that programs are compared with are none of ours, but the loop of NumPy."""
    for name in set(primitives.__all__) - set(NO_PRIMITIVE):
        assert getattr(JAX, name) is not getattr(OURS, name)
