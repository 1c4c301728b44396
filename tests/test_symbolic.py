"""Symbolic differentiation against JAX, NumPy and textbooks; programs on three backends; mechanics and stability."""

import itertools
import math
import sys
import threading
import types
from functools import cache, partial, reduce, wraps

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Function, Piecewise, Rational, Symbol, cos, exp, oo, sin, sqrt, symbols
from sympy.calculus.euler import euler_equations

from autodiff_tutorial import symbolic

X, Y = symbols("x y", real=True)
T, Z = Symbol("t"), Symbol("z")
THETA, PHI = Function("theta")(T), Function("phi")(T)
POINTS = np.array([[0.3, 0.9], [0.7, 0.2], [0.45, 0.6]])
BACKENDS = ["numpy", "jax", "torch"]

# Written once, run with SymPy's functions and with JAX's; x and y lie between 0 and 1.
EXPRESSIONS = {
    "polynomial": lambda m, x, y: 3 * x**4 - x * y**2 + y / 7 - 2,
    "quotient": lambda m, x, y: (x - y) / (1 + x**2 * y) - 1 / (x * y),
    "negative power": lambda m, x, y: (x + 2 * y) ** -3,
    "roots": lambda m, x, y: m.sqrt(x * y) / m.sqrt(1 + y),
    "real powers": lambda m, x, y: x**y + 2**x - (x + y) ** 1.5,
    "exponentials": lambda m, x, y: m.exp(-x / 2) * m.log(y + 3),
    "trigonometric": lambda m, x, y: m.sin(x) * m.cos(y) + m.tan(x - y),
    "inverse trigonometric": lambda m, x, y: m.asin(x) + m.acos(y) * m.atan(x / y),
    "angle": lambda m, x, y: m.atan2(y, x) + m.atan2(x, y) ** 2,
    "hyperbolic": lambda m, x, y: m.sinh(x) / m.cosh(y) + m.tanh(x * y),
    "inverse hyperbolic": lambda m, x, y: m.asinh(x) + m.acosh(1 + y) + m.atanh(x * y),
    "composition": lambda m, x, y: m.cos(m.sin(m.exp(x**2)) + y),
    "logistic": lambda m, x, y: 1 / (1 + m.exp(-5 * (x - y))),
    "softplus": lambda m, x, y: m.log(1 + m.exp(x * y)),
    "normal density": lambda m, x, y: m.exp(-(((x - y) / m.sqrt(2)) ** 2) / 2) / m.sqrt(2 * math.pi),
    "normal integral": lambda m, x, y: m.erf(x / y) - m.erfc(x),
    "gamma function": lambda m, x, y: m.loggamma(1 + x) * y,
    "sum of logarithms": lambda m, x, y: m.log(x / (1 - x)) * m.log(1 + y) ** 2,
    "radius": lambda m, x, y: (x**2 + y**2) ** 0.5 * m.sin(3 * x * y),
    "product of many": lambda m, x, y: math.prod(x + k * y for k in range(1, 6)),
}
JAX_NAMES = types.SimpleNamespace(
    **{name: getattr(jnp, name) for name in dir(jnp) if not name.startswith("_")},
    erf=jax.scipy.special.erf,
    erfc=jax.scipy.special.erfc,
    loggamma=jax.scipy.special.gammaln,
)


def needs(backend):
    """Skip a case, visibly, where its backend is not installed."""
    if backend == "torch":
        pytest.importorskip("torch")


def close(got, expected, rtol=1e-12):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * max(1.0, abs(expected).max(initial=0.0)))


@cache
def derivatives_in_jax(f):
    """Return value, gradient and Hessian at each point, in a row."""

    def row(p):
        return f(JAX_NAMES, *p)

    def rows(p):
        return jnp.concatenate([row(p)[None], jax.grad(row)(p), jax.hessian(row)(p).ravel()])

    return np.asarray(jax.jit(jax.vmap(rows))(POINTS))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_derivatives_agree_with_jax(f, backend):
    """Value, gradient and Hessian, compiled for each backend, are those of JAX on the same function."""
    needs(backend)

    expr = f(sympy, X, Y)
    parts = [expr, *symbolic.gradient(expr, [X, Y]), *symbolic.hessian(expr, [X, Y])]
    compiled = symbolic.compile(parts, [X, Y], backend=backend)
    close(compiled(*POINTS.T), derivatives_in_jax(f), rtol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["quotient", "composition", "roots"])
def test_shared_subexpressions_change_nothing(name, backend):
    """A program with common subexpressions gives what one without gives."""
    needs(backend)
    H = symbolic.hessian(EXPRESSIONS[name](sympy, X, Y), [X, Y])
    with_, without = (symbolic.compile(H, [X, Y], backend=backend, cse=cse) for cse in (True, False))
    close(with_(*POINTS.T), without(*POINTS.T))


# Expression, arguments, and what a call with x = [0.5, -1, 3] and y = 2 gives.
MEANINGS = {
    "branches": (Piecewise((X**2, X > 2), (X**3, True)), [0.125, -1, 9]),
    "three branches": (Piecewise((1, X > 2), (Y, X > 0), (X, True)), [2, -1, 1]),
    "no branch": (Piecewise((1, X > 2)), [np.nan, np.nan, 1]),
    "and, or, not": (Piecewise((1, (X > 0) & (X < 2) & (Y > 1)), (2, (X < -5) | ~(X < 2)), (3, True)), [1, 3, 2]),
    "equal": (Piecewise((7, sympy.Eq(X, 3)), (X, sympy.Ne(X, -1)), (Y, True)), [0.5, 2, 7]),
    "at most, at least": (Piecewise((1, X <= -1), (2, X >= 3), (3, True)), [3, 1, 2]),
    "largest": (sympy.Max(X, Y, 1), [2, 2, 3]),
    "smallest": (sympy.Min(X, Y, -X), [-0.5, -1, -3]),
    "remainder": (sympy.Mod(X, 2), [0.5, 1, 1]),
    "rounding": (sympy.floor(X) + 10 * sympy.ceiling(X), [10, -11, 33]),
    "sign": (sympy.sign(X) * sympy.Abs(X), [0.5, -1, 3]),
    "step": (sympy.Heaviside(X) + sympy.Heaviside(X + 1), [2, 0.5, 2]),
    "step with its value": (sympy.Heaviside(X - 3, 1), [0, 0, 1]),
    "secant": (sympy.sec(X) * cos(X) + sympy.csc(X) * sin(X) + sympy.cot(X) * sympy.tan(X), [3, 3, 3]),
    "hyperbolic secant": (sympy.sech(X) * sympy.cosh(X) / sympy.csch(X) / sympy.sinh(X), [1, 1, 1]),
    "gamma function": (sympy.loggamma(X**2 + 3), [math.lgamma(3.25), math.lgamma(4), math.lgamma(12)]),
    "minus a sum": (-(X + Y) - (X - Y), [-1, 2, -6]),
    "minus a power": (-(X**2) - (-X) ** 2, [-0.5, -2, -18]),
    "power of a negative": ((-2) ** Y * X, [2, -4, 12]),
    "power of a power": ((X**2) ** Y / (Y**X) ** 2, [0.03125, 4, 1.265625]),
    "quotients": (X / (Y * (X + Y)) - Rational(3, 2) / Y, [-0.65, -1.25, -0.45]),
    "product of quotients": (Rational(-2, 5) * (-3 * X) / (4 * Y**2), [0.0375, -0.075, 0.225]),
    "fraction of a power": (Rational(1, 3) ** Y * 9 * X, [0.5, -1, 3]),
    "power of a root": ((Y ** Rational(3, 2)) ** X, [2**0.75, 2**-1.5, 2**4.5]),
    "negative bases": (Rational(-1, 2) ** Y + sympy.Float(-2.5) ** Y * X, [3.375, -6, 19]),
    "hyperbolic cotangent": (sympy.coth(X) * sympy.tanh(X) / sympy.cot(X) / sympy.tan(X), [1, 1, 1]),
    "large denominator": (X * 10**13 / (10**13 + 1), [0.5, -1, 3]),
    "infinite limits": (Piecewise((X, oo > X), (0, True)) + Piecewise((1, -oo < X), (0, True)), [1.5, 0, 4]),
    "constant": (sympy.pi * sqrt(2), [4.442882938158366] * 3),
    "one argument only": (Y * 1, [2, 2, 2]),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("expr, expected", MEANINGS.values(), ids=MEANINGS)
def test_program_means_what_the_expression_says(expr, expected, backend):
    """Branches, comparisons, rounding and the order of operations come out as they were written."""
    needs(backend)
    f = symbolic.compile(expr, [X, Y], backend=backend)
    close(f(np.array([0.5, -1.0, 3.0]), 2.0), np.array(expected, dtype=float))


leaves = st.one_of(st.sampled_from([X, Y]), st.integers(-5, 5).map(sympy.Integer))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
        inner.map(lambda e: e / 3),
        inner.map(lambda e: 1 / (1 + e**2)),
        inner.map(lambda e: -(e**2)),
    ),
    max_leaves=8,
)


@given(trees, st.booleans())
def test_program_of_random_expression(expr, cse):
    """Any rational expression, shared or not, evaluates to its exact value."""
    point = {X: Rational(3, 8), Y: Rational(-5, 4)}
    f = symbolic.compile(expr, [X, Y], cse=cse)
    size = max(abs(float(e.subs(point))) for e in sympy.preorder_traversal(expr))
    assert abs(f(0.375, -1.25) - float(expr.subs(point))) <= 1e-13 * max(1.0, size) ** 2


def test_unevaluated_expression_keeps_its_value():
    """A product that was written with evaluate=False means the same as the evaluated one."""
    a, b = symbols("a b")
    expr = sympy.Mul(sympy.Mul(-1, b, b, evaluate=False) + 2 * a, 2 * b + a, evaluate=False)
    assert symbolic.compile(expr, [a, b])(1.0, 5.0) == (2 - 25) * (10 + 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "expr, shape",
    [
        (X + Y, ()),
        ([X, Y, 1], (3,)),
        (sympy.Matrix([[X, 0], [Y, 2], [1, X * Y]]), (3, 2)),
        (sympy.Array([[[X], [Y]]]), (1, 2, 1)),
        (np.array([[X, Y]], dtype=object), (1, 2)),
        ((X,), (1,)),
        (symbolic.gradient(X * Y, [X, Y]), (2,)),
    ],
)
def test_shape_is_that_of_the_arguments_and_of_the_expression(expr, shape, backend):
    """Arguments broadcast; the axes of the expression come last, also for entries that are constant."""
    needs(backend)
    f = symbolic.compile(expr, [X, Y], backend=backend)
    assert tuple(f(1.0, 2).shape) == shape
    assert tuple(f(np.ones((4, 1)), np.ones(3)).shape) == (4, 3, *shape)


@pytest.mark.parametrize("backend", BACKENDS)
def test_dtype_is_that_of_the_arguments(backend):
    """float32 stays float32 whatever the constants; a Python number takes the type of the others; integers float."""
    needs(backend)
    f = symbolic.compile([X * sqrt(2), Piecewise((0.1, X > Y), (0.3, True)), 1], [X, Y], backend=backend)
    single, double = np.float32([1, 2]), np.float64([1, 2])
    found = [
        str(f(*args).dtype).removeprefix("torch.") for args in ((single, 0.5), (double, 3), (np.int64([1, 2]), 0.5))
    ]
    default = "float32" if backend == "torch" else "float64"
    assert found == ["float32", "float64", default]


@pytest.mark.parametrize("backend", BACKENDS)
def test_constants_keep_all_digits(backend):
    """Irrational constants are right to the last digit, also as branches and inside functions."""
    needs(backend)
    expr = [sqrt(2) * X, Piecewise((sympy.pi, X > 0), (Rational(1, 10), True)), sympy.atan2(sqrt(3), X), X ** sqrt(2)]
    expr += [sympy.Max(X, sympy.gamma(Rational(1, 3))), X * 10**30 / 3, exp(sympy.E) / X]
    f = symbolic.compile(expr, [X], backend=backend)
    truth = [float(e.subs(X, Rational(3, 4)).evalf(30)) for e in expr]
    np.testing.assert_array_max_ulp(np.asarray(f(np.float64(0.75))), np.array(truth), maxulp=2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_complex_arguments(backend):
    """Complex numbers go through, and the imaginary unit is one of the constants."""
    needs(backend)
    z = Symbol("z")
    expr = [z**2 * sympy.I, sympy.re(z), sympy.im(z), sympy.arg(z), sympy.conjugate(z), sympy.I, sympy.Abs(z)]
    expr += [exp(sympy.I * sympy.pi / 3) * z]
    w = 1 + 2j
    truth = [w**2 * 1j, 1, 2, np.angle(w), 1 - 2j, 1j, abs(w), w * np.exp(1j * np.pi / 3)]
    close(symbolic.compile(expr, [z], backend=backend)(np.array(w)), np.array(truth))


@pytest.mark.parametrize("backend", BACKENDS)
def test_constants_are_the_nearest_floats(backend):
    """A constant alone is the float next to it, to the last bit."""
    needs(backend)
    constants = [sympy.pi, sqrt(2), exp(10), sympy.gamma(Rational(1, 3)), sqrt(3) / 10**7, sympy.EulerGamma]
    found = symbolic.compile(constants, [X], backend=backend)(np.float64(1.0))
    assert np.asarray(found).tolist() == [float(c.evalf(40)) for c in constants]


@pytest.mark.parametrize("backend", BACKENDS)
def test_condition_is_a_program_too(backend):
    """A comparison compiles to truth values."""
    needs(backend)
    f = symbolic.compile((X > 0) & (X < Y), [X, Y], backend=backend)
    assert np.asarray(f(np.array([-1.0, 1.0, 3.0]), 2.0)).tolist() == [False, True, False]


def test_overflow_is_infinite():
    """A constant beyond the range of floats is infinite, and still a program."""
    assert symbolic.compile(sympy.Min(X, sympy.sinh(10**25)) + 1, [X])(2.0) == 3.0


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("expr", [X, sympy.re(Z), sympy.conjugate(Z), Piecewise((X, True), evaluate=False)], ids=str)
def test_argument_is_not_handed_back(expr, backend):
    """The result is a new array: writing into it leaves the argument as it was."""
    needs(backend)
    symbol = next(iter(expr.free_symbols))
    x = symbolic.compile(symbol, [symbol], backend=backend)(np.ones(3))
    symbolic.compile(expr, [symbol], backend=backend)(x)[0] = 5.0
    symbolic.compile(expr, [symbol, Y], backend=backend)(x, np.ones((2, 3)))[0] = 5.0
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("n", [1, 3, 5])
def test_half_integer_powers_have_slopes_at_zero(n):
    """JAX differentiates x^(n/2) at 0 as calculus does."""
    slope = jax.grad(symbolic.compile(X ** Rational(n, 2), [X], backend="jax"))(0.0)
    assert float(slope) == (math.inf if n == 1 else 0.0)


def test_half_precision():
    """Fractions of large numbers are right in float16."""
    f = symbolic.compile(X * Rational(123457, 1000003), [X])
    np.testing.assert_allclose(f(np.float16([1, 2])), np.float16([0.12345, 0.2469]), rtol=1e-3)


def test_roots_of_a_cubic_are_real():
    """A constant that is real, but written with complex numbers, stays real."""
    roots = sympy.solve(Z**3 - 3 * Z + 1, Z)
    found = symbolic.compile([r * X for r in roots], [X])(1.0)
    assert found.dtype == np.float64
    close(np.sort(found), np.sort(np.roots([1, 0, -3, 1]).real))


@pytest.mark.parametrize(
    "constant, value",
    [
        (sympy.besselj(0, 1), 0.7651976865579666),
        (sympy.Si(1), 0.9460830703671830),
        (sympy.Sum(1 / Z**2, (Z, 1, oo)), math.pi**2 / 6),
        (sympy.Integral(exp(-(Z**2)), (Z, 0, 1)), math.erf(1) * math.sqrt(math.pi) / 2),
    ],
)
def test_constants_of_any_kind(constant, value):
    """What is a number for SymPy is one for a program, whatever function it comes from."""
    close(symbolic.compile(constant * X, [X])(1.0), value)


def test_swollen_expression_compiles():
    """Twenty passes of a quadratic map, which printed would fill libraries, compile to a short program."""

    def f(x):
        for _ in range(20):
            x = x**2 / 4 + x / 2 + 1 / sympy.Integer(8)
        return x

    program = symbolic.compile(symbolic.trace(f, X), [X])
    assert len(program.__doc__.splitlines()) < 50
    assert program(0.5) == pytest.approx(float(f(0.5)), rel=1e-12)


def test_derivative_to_be_carried_out():
    """An unevaluated derivative is carried out, if that leaves arguments only."""
    f = symbolic.compile(sympy.Derivative(THETA**2, T), [THETA, THETA.diff(T)])
    assert f(2.0, 3.0) == 12


def test_real_functions_of_time_are_real():
    """The absolute value of a coordinate has a slope, which a program and an equation of motion can hold."""
    x = Function("x", real=True)(T)
    close(symbolic.compile(abs(x).diff(x), [x])(-2.0), -1.0)
    close(symbolic.first_order_system(x.diff(T) ** 2 / 2 - abs(x), [x], T)(0.0, [-2.0, 0.0]), [0.0, 1.0])


def test_jax_program_can_be_transformed():
    """jit, vmap, grad and jacfwd apply to a compiled function, and give what SymPy's derivatives give."""
    expr = EXPRESSIONS["composition"](sympy, X, Y)
    f = symbolic.compile(expr, [X, Y], backend="jax")
    df = symbolic.compile(symbolic.gradient(expr, [X, Y]), [X, Y], backend="jax")
    x, y = jnp.asarray(POINTS.T)
    close(jnp.stack(jax.jit(jax.vmap(jax.grad(f, argnums=(0, 1))))(x, y), axis=1), df(x, y))
    close(jnp.stack(jax.jacfwd(f, argnums=(0, 1))(x[0], y[0])), df(x[0], y[0]))


def test_jax_program_in_float32(without_x64):
    """Without x64, constants beyond 32 bits are no obstacle, and results are float32."""
    f = symbolic.compile([X * 10**12 / 7 + sympy.pi, X / (3 * 10**12)], [X], backend="jax")
    result = f(2.0)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, [2e12 / 7, 2e-12 / 3], rtol=1e-6)


def test_torch_program_can_be_differentiated():
    """`backward`, and the transforms of torch.func, give what SymPy's derivatives give."""
    torch = pytest.importorskip("torch")
    expr = EXPRESSIONS["composition"](sympy, X, Y)
    f = symbolic.compile(expr, [X, Y], backend="torch")
    df = symbolic.compile(symbolic.gradient(expr, [X, Y]), [X, Y])(*POINTS.T)
    x, y = torch.tensor(POINTS[:, 0], requires_grad=True), torch.tensor(POINTS[:, 1])
    f(x, y).sum().backward()
    close(x.grad, df[:, 0])
    close(torch.func.vmap(torch.func.grad(f, argnums=1))(x.detach(), y), df[:, 1])


def test_backend_says_what_it_needs(monkeypatch):
    """Without torch, a program for it is refused with the way out."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'needs PyTorch. Install it: pip install "autodiff-tutorial\[torch\]"'):
        symbolic.compile(X, [X], backend="torch")


def test_derivative_through_a_singular_branch():
    """Differentiated first, sin(x)/x has its slope at 0; through the program it is nan, as documented."""
    sinc = Piecewise((sin(X) / X, sympy.Ne(X, 0)), (1, True))
    slope = Piecewise((sympy.diff(sin(X) / X, X), sympy.Ne(X, 0)), (0, True))
    assert float(symbolic.compile(slope, [X], backend="jax")(0.0)) == 0
    assert math.isnan(jax.grad(symbolic.compile(sinc, [X], backend="jax"))(0.0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_absolute_value_has_a_slope_and_no_curvature(backend):
    """The slope of |x - y| is the sign of x - y; its second derivative, a spike, is refused."""
    needs(backend)
    slope = symbolic.compile(symbolic.gradient(abs(X - Y), [X, Y]), [X, Y], backend=backend)
    close(slope(np.array([1.0, 3.0]), 2.0), [[-1.0, 1.0], [1.0, -1.0]])
    with pytest.raises(ValueError, match="derivative of a jump"):
        symbolic.compile(symbolic.hessian(abs(X - Y), [X, Y]), [X, Y], backend=backend)


def test_program_is_in_the_docstring():
    """A compiled function tells what it computes, with the names of its arguments, and each shared part once."""
    velocity = THETA.diff(T)
    f = symbolic.compile([sin(THETA) * velocity, sin(THETA)], [THETA, velocity, T, Symbol("lambda")])
    lines = ["def program(theta, theta_t, t, arg_3):", "    t0 = sin(theta)", "    return (theta_t*t0, t0,)"]
    assert f.__doc__.replace("t0*theta_t", "theta_t*t0").replace("+t0", "t0").splitlines() == lines


@pytest.mark.parametrize(
    "names", [["sin", "x"], ["number", "float"], ["lambda", "x y"], ["x", "x"], ["arg_1", "1"], ["t0", "t1"]]
)
def test_any_name_may_be_an_argument(names):
    """Names that are functions, words of Python, no identifiers, or equal to a temporary do not confuse a program."""
    a, b = Symbol(names[0]), Symbol(names[1], positive=True)
    f = symbolic.compile([sin(a + b) * (a + b) ** 2, a - b], [a, b])
    close(f(0.5, 0.25), [np.sin(0.75) * 0.75**2, 0.25])


def quadratic_map(n):
    def f(x):
        for _ in range(n):
            x = x**2 + 3 * x + 4
        return x

    return f


def count_by_hand(e):
    """Count as a person would who reads the printed expression of a polynomial with positive terms."""
    if e.is_Atom:
        return 0
    return sum(map(count_by_hand, e.args)) + (1 if e.is_Pow else len(e.args) - 1)


@pytest.mark.parametrize("n, swollen, shared", [(1, 4, 4), (2, 11, 10), (6, 221, 54)])
def test_operations_of_the_quadratic_map(n, swollen, shared):
    """The count before sharing is that of a person who reads the expression; sharing leaves a fraction of it."""
    expr = symbolic.trace(quadratic_map(n), X)
    assert symbolic.operation_count(expr) == count_by_hand(expr) == swollen
    assert symbolic.operation_count(expr, cse=True) == shared


def test_operations_of_the_derivative_of_the_quadratic_map():
    """Six iterations differentiated swell to several hundred operations, of which sharing leaves 86."""
    d = symbolic.trace(quadratic_map(6), X).diff(X)
    assert (symbolic.operation_count(d), symbolic.operation_count(d, cse=True)) == (623, 86)
    assert symbolic.operation_count([d, d]) == 2 * 623
    assert symbolic.operation_count([d, d], cse=True) == 86


def test_functions_of_time_cost_no_operations():
    """What will be an argument counts as a symbol does."""
    v = THETA.diff(T)
    assert symbolic.operation_count(THETA) == symbolic.operation_count(v) == 0
    as_symbols = symbolic.operation_count([X * Y + sin(X), Y**2 + X], cse=True)
    assert symbolic.operation_count([THETA * v + sin(THETA), v**2 + THETA], cse=True) == as_symbols


def test_program_holds_the_operations_that_were_counted():
    """JAX's own listing of a compiled program has as many operations as `operation_count` says, give or take signs."""
    d = symbolic.trace(quadratic_map(6), X).diff(X)
    jaxpr = jax.make_jaxpr(symbolic.compile(d, [X], backend="jax"))(1.0)
    inner = next(e for e in jaxpr.eqns if "jaxpr" in e.params).params["jaxpr"]
    arithmetic = [e for e in inner.eqns if str(e.primitive) in ("add", "sub", "mul", "div", "integer_pow", "square")]
    assert abs(len(arithmetic) - symbolic.operation_count(d, cse=True)) <= 3


def test_trace_unrolls_and_substitutes():
    """A loop becomes one expression; arrays of symbols go in, arrays of expressions come out."""
    a = symbols("a:3")
    assert symbolic.trace(quadratic_map(2), X) == (X**2 + 3 * X + 4) ** 2 + 3 * (X**2 + 3 * X + 4) + 4
    assert symbolic.trace(lambda v, s: s * (v @ v), a, X) == X * (a[0] ** 2 + a[1] ** 2 + a[2] ** 2)
    assert symbolic.trace(lambda v: 2 * v, a) == sympy.Array([2 * s for s in a])
    assert symbolic.trace(lambda x: [[x, 1], [2, x]], X).shape == (2, 2)
    assert symbolic.trace(lambda x: sympy.Matrix([x, 1]), X) == sympy.Matrix([X, 1])
    assert symbolic.trace(lambda x: 3, X) == sympy.Integer(3)
    assert symbolic.trace(lambda x: np.array(x), X) == X


def test_chain_rule():
    """A composition of Python functions is differentiated as calculus says."""
    composition = symbolic.trace(lambda x: (lambda u: cos(u))(x**2), X)
    assert composition == cos(X**2)
    assert composition.diff(X) == -2 * X * sin(X**2)


def branches(x):
    y = 2 * x
    if y > 2:
        return x**2
    return x**3


def loops(x):
    while x < 3:
        x = 2 * x
    return x


def matches(x):
    match x:
        case 2:
            return 1
    return x


def factorial(n):
    return 1 if n == 0 else n * factorial(n - 1)


@wraps(branches)
def decorated(x):
    return branches(x)


def calls_math(x):
    return math.sin(x)


# A function that cannot be traced, and the words that say where, why, and what to do.
UNTRACEABLE = {
    "branch": (
        branches,
        ["line 3 of `branches`, `if y > 2:`", "whether 2*x > 2", "sympy.Piecewise((VALUE_IF_TRUE, 2*x > 2)"],
    ),
    "loop": (loops, ["line 2 of `loops`, `while x < 3:`", "whether x < 3"]),
    "inner": (lambda x: branches(x) + 1, ["`if y > 2:`", "whether 2*x > 2"]),
    "equal": (lambda x: 1 if x == 2 else x, ["whether Eq(x, 2)", "(VALUE_IF_TRUE, sympy.Eq(x, 2))"]),
    "number first": (lambda x: 1 if x**2 == 2 else x, ["whether Eq(x**2, 2)"]),
    "not equal": (lambda x: 1 if x != 2 else x, ["whether Ne(x, 2)", "(VALUE_IF_TRUE, sympy.Ne(x, 2))"]),
    "truth": (lambda x: 1 if x else 2, ["whether Ne(x, 0)"]),
    "or": (lambda x: x or 3, ["whether Ne(x, 0)"]),
    "in": (lambda x: 1 if x in (1, 2) else x, ["whether Eq(x, 1)"]),
    "both": (lambda x: 1 if (x > 0) & (x < 5) else x, ["whether (x > 0) & (x < 5)"]),
    "either": (lambda x: 1 if (x > 5) | (x < 0) else x, ["whether (x > 5) | (x < 0)"]),
    "match": (matches, ["line 3 of `matches`, `case 2:`", "whether Eq(x, 2)"]),
    "recursion": (factorial, ["line 2 of `factorial`", "whether Eq(x, 0)"]),
    "where": (lambda x: np.where(np.array([x]) == 0, 1, x), ["whether Eq(x, 0)"]),
    "decorated": (decorated, ["line 3 of `branches`, `if y > 2:`"]),
    "partial": (partial(lambda a, x: 1 if x == a else x, 2), ["line 1 of `<lambda>`", "whether Eq(x, 2)"]),
    "index": (lambda x: np.arange(3)[x], ["should run on symbols", "IndexError"]),
    "ragged": (lambda x: [x, [x]], ["should return an expression"]),
    "text in a list": (lambda x: [x, "y"], ["should return an expression"]),
    "max": (lambda x: max(x, 1), ["whether x < 1"]),
    "math": (calls_math, ["line 2 of `calls_math`, `return math.sin(x)`", "use those of sympy"]),
    "numpy": (lambda x: np.sin(x), ["should run on symbols", "use those of sympy"]),
    "jax": (lambda x: jnp.sin(x), ["should run on symbols", "use those of sympy"]),
    "method": (lambda x: x.sin(), ["should run on symbols", "has no attribute 'sin'"]),
    "range": (lambda x: sum(range(x)), ["should run on symbols"]),
    "nothing": (lambda x: None, ["should return an expression", "Got None"]),
    "text": (lambda x: "x", ["should return an expression", "Got 'x'"]),
    "no function": (3, ["should be a function", "Got 3"]),
}


@pytest.mark.parametrize("f, words", UNTRACEABLE.values(), ids=UNTRACEABLE)
def test_trace_explains_what_stops_it(f, words):
    """The error names the line, the reason and the way out."""
    with pytest.raises(TypeError, match=r"`symbolic.trace\(f=...\)` should") as caught:
        symbolic.trace(f, X)
    message = str(caught.value)
    assert [w for w in words if w not in message] == []
    assert "\n" not in message


def test_trace_leaves_sympy_as_it_was():
    """After a run, and after one that failed, expressions compare by how they are written, as SymPy has it."""
    before = {name: vars(sympy.Expr).get(name) for name in ("__eq__", "__ne__", "__bool__", "__hash__")}
    symbolic.trace(quadratic_map(2), X)
    with pytest.raises(TypeError):
        symbolic.trace(lambda x: x == 2, X)
    assert {name: vars(sympy.Expr).get(name) for name in before} == before
    assert (X == 2, X != 2, bool(X), bool((X > 0) & (X < 5))) == (False, True, True, True)


def test_trace_in_one_thread_leaves_the_others_alone():
    """While a function is traced, another thread compares expressions as ever."""
    started, done, answers = threading.Event(), threading.Event(), []

    def other():
        started.wait()
        answers.append((X == 2, bool(X)))
        done.set()

    def slow(x):
        started.set()
        assert done.wait(timeout=30)
        return x + 1

    thread = threading.Thread(target=other)
    thread.start()
    found = symbolic.trace(slow, X)
    thread.join()
    assert (found, answers) == (X + 1, [(False, True)])


def test_trace_allows_what_does_not_depend_on_values():
    """Simplification, solving, equal expressions, memories and `None` inside a function are no branches."""

    def f(x, y=None):
        seen = {}
        for _ in range(2):
            seen[x**2 + 1] = seen.get(x * x + 1, 0) + 1
        root = sympy.solve(Symbol("u") ** 2 - x**2, Symbol("u"))[0]
        same = 1 if x + x == 2 * x and y is None else 0
        return seen[x * x + 1] * same + root**2 + sympy.simplify(sin(x) ** 2 + cos(x) ** 2)

    assert symbolic.trace(f, X) == X**2 + 3


def test_error_of_the_function_itself_is_not_hidden():
    """An exception that has nothing to do with symbols arrives as it is."""
    with pytest.raises(KeyError):
        symbolic.trace(lambda x: {}[x], X)


def test_piecewise_is_the_way_out():
    """A branch written as Piecewise is traced, differentiated and compiled; away from the jump it agrees with JAX."""

    def in_sympy(x):
        return Piecewise((x**2, x > 2), (x**3, True))

    def in_jax(x):
        return jnp.where(x > 2, x**2, x**3)

    x = jnp.linspace(-1.9, 4.9, 18)
    slope = symbolic.compile(symbolic.trace(in_sympy, X).diff(X), [X], backend="jax")
    close(slope(x), jax.vmap(jax.grad(in_jax))(x))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_jacobian_and_hessian_have_rows_for_outputs(n):
    """J[i, j] is the derivative of output i with respect to input j; H is symmetric."""
    s = symbols(f"s:{n}")
    outputs = [sin(sum((k + 1) * a for k, a in enumerate(s)) * i) for i in (1, 2, 3)]
    J = symbolic.jacobian(outputs, s)
    assert J.shape == (3, n)
    assert all(J[i, j] == sympy.diff(outputs[i], s[j]) for i, j in itertools.product(range(3), range(n)))
    H = symbolic.hessian(outputs[1], s)
    assert sympy.hessian(outputs[1], s) == H
    assert list(symbolic.gradient(outputs[1], s)) == list(J[1, :])


def test_jacobian_takes_what_holds_a_list():
    """Lists, tuples, arrays and matrices of one row or column are lists of expressions."""
    outputs = [X * Y, X + Y]
    forms = [
        outputs,
        tuple(outputs),
        sympy.Array(outputs),
        sympy.Matrix(outputs),
        sympy.Matrix([outputs]),
        np.array(outputs),
    ]
    assert {sympy.ImmutableMatrix(symbolic.jacobian(form, [X, Y])) for form in forms} == {
        sympy.ImmutableMatrix([[Y, X], [1, 1]])
    }


def test_functions_of_time_are_variables_of_their_own():
    """Derivatives with respect to x(t), x'(t) and x''(t) are those with respect to three symbols."""
    x, y = Function("x")(T), Function("y")(T)
    functions = [x, x.diff(T), x.diff(T, 2), y]
    a, b, c, d = symbols("a b c d")
    exprs = [a**2 * b + sin(c) * T, exp(a * d) / b, (a * b).diff(a) * c]
    as_functions = [e.xreplace(dict(zip((a, b, c, d), functions, strict=True))) for e in exprs]
    expected = symbolic.jacobian(exprs, [a, b, c, d]).xreplace(dict(zip((a, b, c, d), functions, strict=True)))
    assert symbolic.jacobian_wrt_functions(as_functions, functions) == expected


def test_derivative_in_time_is_carried_out_first():
    """d/dt of x y, still to be carried out, depends on x, y and their derivatives."""
    x, y = Function("x")(T), Function("y")(T)
    J = symbolic.jacobian_wrt_functions([sympy.Derivative(x * y, T)], [x, x.diff(T)])
    assert sympy.Matrix([[y.diff(T), y]]) == J


def double_pendulum():
    """Return the Lagrangian of a double pendulum, its parameters, and its energy."""
    m1, m2, l1, l2, g = parameters = symbols("m1 m2 l1 l2 g", positive=True)
    x1, y1 = l1 * sin(THETA), -l1 * cos(THETA)
    x2, y2 = x1 + l2 * sin(PHI), y1 - l2 * cos(PHI)
    kinetic = sum(m * (a.diff(T) ** 2 + b.diff(T) ** 2) / 2 for m, a, b in ((m1, x1, y1), (m2, x2, y2)))
    potential = g * (m1 * y1 + m2 * y2)
    return kinetic - potential, list(parameters), kinetic + potential


def textbook(state, m1, m2, l1, l2, g):
    """Return the accelerations of a double pendulum solved for by hand, as textbooks print them."""
    a, b, u, v = state
    below = 2 * m1 + m2 - m2 * np.cos(2 * a - 2 * b)
    first = -g * (2 * m1 + m2) * np.sin(a) - m2 * g * np.sin(a - 2 * b)
    first -= 2 * np.sin(a - b) * m2 * (v**2 * l2 + u**2 * l1 * np.cos(a - b))
    second = u**2 * l1 * (m1 + m2) + g * (m1 + m2) * np.cos(a) + v**2 * l2 * m2 * np.cos(a - b)
    return np.array([u, v, first / (l1 * below), 2 * np.sin(a - b) * second / (l2 * below)])


@pytest.mark.parametrize("solve", ["numeric", "symbolic"])
def test_double_pendulum_against_a_textbook(solve):
    """The right-hand side derived from the Lagrangian is the one derived by hand, to twelve digits."""
    L, parameters, _ = double_pendulum()
    rhs = symbolic.first_order_system(L, [THETA, PHI], T, parameters=parameters, solve=solve)
    random = np.random.default_rng(0)
    for _ in range(20):
        state, values = random.normal(size=4) * 2, random.uniform(0.5, 2, size=5)
        expected = textbook(state, *values)
        assert abs(rhs(0.0, state, *values) - expected).max() <= 1e-12 * abs(expected).max()


def test_energy_is_conserved_to_the_order_of_the_integrator():
    """Half the step of the classical Runge-Kutta method, and the energy strays a sixteenth as far."""
    L, parameters, energy = double_pendulum()
    values = [1.0, 1.0, 1.0, 1.0, 9.81]
    rhs = symbolic.first_order_system(L, [THETA, PHI], T, parameters=parameters)
    E = symbolic.compile(energy.doit(), [THETA, PHI, THETA.diff(T), PHI.diff(T), *parameters], backend="jax")

    def stray(h):
        def step(s, _):
            k1 = rhs(0.0, s, *values)
            k2 = rhs(0.0, s + h / 2 * k1, *values)
            k3 = rhs(0.0, s + h / 2 * k2, *values)
            k4 = rhs(0.0, s + h * k3, *values)
            return (s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4),) * 2

        start = jnp.array([2.0, 2.5, 0.0, 0.0])
        _, path = jax.lax.scan(step, start, None, length=round(1 / h))
        return float(abs(E(*path.T, *values) - E(*start, *values)).max())

    errors = np.array([stray(h) for h in (1 / 200, 1 / 400, 1 / 800)])
    assert abs(np.log2(errors[:-1] / errors[1:]) - 4).max() < 0.1


def test_right_hand_side_can_be_transformed():
    """jit, vmap and jacfwd apply; the Jacobian of a pendulum at rest is that of an oscillator."""
    g, l = symbols("g l", positive=True)
    L = l**2 * THETA.diff(T) ** 2 / 2 + g * l * cos(THETA)
    rhs = symbolic.first_order_system(L, [THETA], T, parameters=[g, l])
    states = jnp.array([[0.0, 0.0], [np.pi, 0.0]])
    J = jax.vmap(jax.jacfwd(rhs, argnums=1), in_axes=(None, 0, None, None))(0.0, states, 9.0, 2.0)
    close(J, np.array([[[0, 1], [-4.5, 0]], [[0, 1], [4.5, 0]]]))


def test_right_hand_side_with_explicit_time():
    """A bead on a wire that turns at a growing rate: x'' = (d alpha / dt)^2 x, with alpha = t^3."""
    r = Function("r")(T)
    x, y = r * cos(T**3), r * sin(T**3)
    L = (x.diff(T) ** 2 + y.diff(T) ** 2) / 2
    rhs = symbolic.first_order_system(L, [r], T)
    close(rhs(2.0, np.array([0.5, -1.0])), [-1.0, 144 * 0.5])


def test_right_hand_side_with_growing_mass():
    """A free body whose mass grows like exp(t) slows down: the momentum exp(t) x' stays, so x'' = -x'."""
    x = Function("x")(T)
    rhs = symbolic.first_order_system(exp(T) * x.diff(T) ** 2 / 2, [x], T)
    close(rhs(0.7, [1.0, 3.0]), [3.0, -3.0])


def test_right_hand_side_with_velocity_dependent_forces():
    """A charge in a magnetic field, L = v^2 / 2 + (x y' - y x') B / 2, moves on a circle: v' = B (y', -x')."""
    x, y = Function("x")(T), Function("y")(T)
    B = Symbol("B")
    L = (x.diff(T) ** 2 + y.diff(T) ** 2) / 2 + B * (x * y.diff(T) - y * x.diff(T)) / 2
    rhs = symbolic.first_order_system(L, [x, y], T, parameters=[B])
    close(rhs(0.0, [1, 2, 3, 4], 0.5), [3, 4, 2, -1.5])


def test_five_coordinates():
    """A chain of five masses on springs has the accelerations of its stiffness matrix, solved either way."""
    q = [Function(f"q{i}")(T) for i in range(5)]
    chain = [0, *q, 0]
    L = sum((i + 1) * f.diff(T) ** 2 for i, f in enumerate(q)) / 2
    L -= sum((b - a) ** 2 for a, b in itertools.pairwise(chain)) / 2
    x, v = np.arange(5.0) ** 2, np.ones(5)
    K = 2 * np.eye(5) - np.eye(5, k=1) - np.eye(5, k=-1)
    for solve in ("numeric", "symbolic"):
        close(
            symbolic.first_order_system(L, q, T, solve=solve)(0.0, np.append(x, v)), [*v, *(-K @ x / np.arange(1, 6))]
        )


@pytest.mark.parametrize(
    "L",
    [
        THETA.diff(T) ** 2 / 2 + cos(THETA),
        double_pendulum()[0],
        T * THETA.diff(T) ** 2 * PHI + sin(T * PHI.diff(T)),
        sympy.Derivative(THETA * PHI, T) ** 2,
    ],
)
def test_euler_lagrange_agrees_with_sympy(L):
    """The equations are those of SymPy's own routine, which has the other sign."""
    ours = symbolic.euler_lagrange(L, [THETA, PHI], T)
    theirs = [sum(e.lhs for e in euler_equations(L.doit(), [q], [T])) for q in (THETA, PHI)]
    assert [sympy.expand(a + b) for a, b in zip(ours, theirs, strict=True)] == [0, 0]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_lie_derivatives_of_a_linear_system(order):
    """Along x' = A x the derivative of order k of c x is c A^k x."""
    s = sympy.Matrix(symbols("s:3"))
    A, c = sympy.Matrix([[0, 1, 2], [-1, 3, 0], [2, 0, -1]]), sympy.Matrix([[1, -2, 1]])
    found = symbolic.lie_derivative((c * s)[0], A * s, s, order=order)
    assert sympy.expand(found - (c * A**order * s)[0]) == 0


def test_lie_derivatives_are_derivatives_in_time():
    """Along a motion, the k-th Lie derivative is the k-th derivative of the quantity in time."""
    x, v = THETA, THETA.diff(T)
    h, field = x**2 * v, [v, -sin(x) - v / 10]
    along = h
    for order in (1, 2, 3):
        along = along.diff(T).subs(THETA.diff(T, 2), field[1])
        assert sympy.simplify(along - symbolic.lie_derivative(h, field, [x, v], order=order)) == 0


K, B = symbols("k b", positive=True)
V, W = THETA.diff(T), Symbol("w", real=True)
# Field, state, and (values of the state, stable) of each equilibrium.
EQUILIBRIA = {
    "oscillator": ([Y, -K * X], [X, Y], {(0, 0): None}),
    "damped oscillator": ([Y, -K * X - B * Y], [X, Y], {(0, 0): True}),
    "driven outward": ([Y, K * X - B * Y], [X, Y], {(0, 0): False}),
    "negative damping": ([Y, -K * X + B * Y], [X, Y], {(0, 0): False}),
    "damped pendulum": ([V, -K * sin(THETA) - B * V], [THETA, V], {(0, 0): True, (sympy.pi, 0): False}),
    "logistic growth": ([K * X * (1 - X)], [X], {(0,): False, (1,): True}),
    "real ones only": ([X**3 - 1 - Y, Y], [X, Y], {(1, 0): False}),
    "saddle node": ([X**2, -Y], [X, Y], {(0, 0): None}),
    "line of equilibria": ([Y, -Y], [X, Y], {(X, 0): None}),
    "spirals out and in": (
        list(
            sympy.diag(sympy.Matrix([[1, 2], [-2, 1]]), sympy.Matrix([[-1, 2], [-2, -1]]))
            * sympy.Matrix(symbols("s:4"))
        ),
        symbols("s:4"),
        {(0, 0, 0, 0): False},
    ),
    "none": ([1 + X**2], [X], {}),
    "singular, irrational": ([Y - sqrt(2) * X, 2 * X - sqrt(2) * Y], [X, Y], {(sqrt(2) * Y / 2, Y): None}),
    "center, irrational": ([Y, -sqrt(2) * X], [X, Y], {(0, 0): None}),
    "no slope": ([-sqrt(abs(X))], [X], {(0,): None}),
    "undefined at zero": ([X * sympy.log(X)], [X], {(1,): False}),
    "quotient": ([X / (1 + X**2) - X / 5], [X], {(-2,): True, (0,): False, (2,): True}),
    "one period": (
        [sin(X) + sin(2 * X)],
        [X],
        {(0,): False, (sympy.pi,): False, (2 * sympy.pi / 3,): True, (4 * sympy.pi / 3,): True},
    ),
    "zero by an identity": ([sin(X) ** 2 + cos(X) ** 2 - 1], [X], {(X,): None}),
    "third order, stable": ([Y, W, -K * X - (K + 1) * Y - (K + 1) * W], [X, Y, W], {(0, 0, 0): True}),
    "third order, unstable": ([Y, W, -(K + 2) * X - Y - W], [X, Y, W], {(0, 0, 0): False}),
    "third order, either": ([Y, W, -K * X - B * Y - W], [X, Y, W], {(0, 0, 0): None}),
}


@pytest.mark.parametrize("field, state, expected", EQUILIBRIA.values(), ids=EQUILIBRIA)
def test_equilibria(field, state, expected):
    """Every real equilibrium is found, with the verdict of the linearization."""
    found = symbolic.equilibria(field, state)
    assert {tuple(e.point[s] for s in state): e.stable for e in found} == expected


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=6).filter(lambda c: c[0] != 0))
def test_equilibria_of_any_polynomial(coefficients):
    """Every real root of a polynomial is found, and no other; it is stable where the polynomial falls."""
    p = sympy.Poly(coefficients, X)
    found = symbolic.equilibria([p.as_expr()], [X])
    intervals = p.sqf_part().count_roots()  # Sturm's theorem
    places = [float(e.point[X]) for e in found]
    assert len(set(places)) == len(places) == intervals
    slopes = [float(p.diff().as_expr().subs(X, e.point[X]).evalf(30)) for e in found]
    expected = [None if abs(s) < 1e-20 else s < 0 for s in slopes]
    assert [e.stable for e in found] == expected


@settings(max_examples=12)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=4).filter(lambda c: c[0] != 0))
@example([-8, 0, 8, 1])  # three real roots, whose closed forms are complex
def test_equilibria_of_a_polynomial_with_floats(coefficients):
    """Floats in a field lose no equilibrium, alone or in a system, and make floats of those that there are."""
    exact = {float(e.point[X]): e.stable for e in symbolic.equilibria([sympy.Poly(coefficients, X).as_expr()], [X])}
    p = sum(c / 8 * X**k for k, c in enumerate(coefficients[::-1]))
    for field, state in ([p], [X]), ([Y, p - Y], [X, Y]):
        found = sorted(symbolic.equilibria(field, state), key=lambda e: e.point[X])
        assert all(e.point[X].is_Float or e.point[X] == 0 for e in found)
        assert [float(e.point[X]) for e in found] == pytest.approx(sorted(exact), rel=1e-14, abs=1e-14)
        assert [e.stable for e in found] == [exact[x] for x in sorted(exact)]


@pytest.mark.parametrize(
    "field, state, stable",
    [
        ([-((X**2 - 2.0) ** 2)], [X], [None, None]),
        ([-((X**2 - 2 * X - 1) ** 2)], [X], [None, None]),
        ([(X**5 - X - 1) ** 2], [X], [None]),
        ([-((X**2 - 2.0) ** 2), -((Y**2 - 3.0) ** 2)], [X, Y], [None] * 4),
        ([0.3 * X + 0.1 * Y, -0.9 * X - 0.3 * Y], [X, Y], [None]),
        ([sqrt(2) * X + Y, -2 * X - sqrt(2) * Y], [X, Y], [None]),
        ([Y, -1.0 * X - 1e-9 * Y], [X, Y], [True]),
        ([Y, -sqrt(2) * X + Y / 10**9], [X, Y], [False]),
    ],
    ids=["roots twice", "exact", "without a closed form", "two of them", "nilpotent", "irrational", "damped", "driven"],
)
def test_roundoff_decides_no_stability(field, state, stable):
    """An eigenvalue of 0 decides nothing, however it is rounded; one that is small, but not 0, does."""
    assert [e.stable for e in symbolic.equilibria(field, state)] == stable


@pytest.mark.parametrize(
    "field, state",
    [
        ([-X + 2 * sympy.Abs(X)], [X]),
        ([-X + 2 * sqrt(X**2), -Y], [X, Y]),
        ([-2 * X + sympy.Max(0, 3 * X)], [X]),
        ([sympy.Piecewise((X, X > 0), (-X, True))], [X]),
        ([sympy.Piecewise((sympy.exp(X) - 1, X > 0), (-X, True))], [X]),
    ],
    ids=["abs", "root of a square", "max", "cases", "curved cases"],
)
def test_at_a_kink_stability_is_not_decided(field, state):
    """Each of these drives away on one side of 0, where a slope from the other side, or between, would be negative."""
    (rest,) = symbolic.equilibria(field, state)
    assert set(rest.point.values()) == {0}
    assert rest.stable is None
    assert rest.eigenvalues == ()


def test_beside_a_kink_stability_is_decided():
    """Away from its kinks a field is as smooth as any."""
    found = symbolic.equilibria([sympy.Abs(X) - 1], [X])
    assert [(e.point[X], e.eigenvalues, e.stable) for e in found] == [(-1, (-1,), True), (1, (1,), False)]


U = Symbol("u", positive=True)
S, C = symbols("s c")


@pytest.mark.parametrize(
    "field, state, expected",
    [
        ([0], [S], [(S,)]),
        ([0, C], [S, C], [(S, 0)]),
        ([U - U**3], [U], [(1,)]),
        ([sqrt(S) - S], [S], [(0,), (1,)]),
        ([S**3 / 2 - 3 * S - 3 - C, -C], [S, C], [(2 ** Rational(1, 3) + 2 ** Rational(2, 3), 0)]),
    ],
    ids=["zero field", "one zero component", "declared positive", "root", "one real of three"],
)
def test_which_points_are_equilibria(field, state, expected):
    """Free variables stand for themselves; complex points, and those of a sign that is excluded, are left out."""
    found = [tuple(e.point[s] for s in state) for e in symbolic.equilibria(field, state)]
    assert [tuple(map(sympy.nsimplify, p)) for p in found] == [tuple(map(sympy.sympify, p)) for p in expected]


@pytest.mark.parametrize("rho, stable", [(Rational(1, 2), None), (10, True), (30, False)])
def test_lorenz_equilibria(rho, stable):
    """The two wings of the Lorenz system exist from rho = 1 on, and lose their stability near rho = 24.7."""
    x, y, z = symbols("x y z")
    found = symbolic.equilibria([10 * (y - x), x * (rho - z) - y, x * y - Rational(8, 3) * z], [x, y, z])
    wings = [e for e in found if e.point[x] != 0]
    assert [e.stable for e in wings] == ([] if stable is None else [stable, stable])
    assert [e.stable for e in found if e.point[x] == 0] == [rho < 1]


def test_circle_of_equilibria():
    """Where a whole circle is at rest, the free variable stands for itself, and the linearization decides nothing."""
    found = symbolic.equilibria([X**2 + Y**2 - 1, 0], [X, Y])
    assert [(sympy.expand(e.point[X] ** 2 + Y**2), e.point[Y], e.stable) for e in found] == [(1, Y, None)] * 2


def test_eigenvalues_come_with_their_multiplicities():
    """Three equal eigenvalues are three."""
    (rest,) = symbolic.equilibria([-X, -Y, -W], [X, Y, W])
    assert rest.eigenvalues == (-1, -1, -1)


def test_eigenvalues_are_those_of_the_jacobian():
    """The eigenvalues at each equilibrium are those that NumPy finds for the Jacobian there."""
    x, y = symbols("x y", real=True)
    field = [y, x - x**3 - y / 2]
    for point, eigenvalues, _ in symbolic.equilibria(field, [x, y]):
        J = np.array(symbolic.jacobian(field, [x, y]).subs(point), dtype=float)
        close(np.sort_complex([complex(e) for e in eigenvalues]), np.sort_complex(np.linalg.eigvals(J)))


Q = Function("q")(T)
# Call, type of the error, and what its message has to say.
BAD_INPUT = {
    "unbound symbol": (lambda: symbolic.compile(X * Y, [X]), ValueError, r"Got \[x\], without y. Add them"),
    "unbound function": (lambda: symbolic.compile(Q + T, [T]), ValueError, r"without q\(t\)\. Add"),
    "two symbols x": (lambda: symbolic.compile(X, [Symbol("x")]), ValueError, "use one x throughout"),
    "unbound derivative": (lambda: symbolic.compile(Q.diff(T, 2), [Q]), ValueError, r"without Deriv.*\(t, 2"),
    "function of a function": (lambda: symbolic.compile(Function("g")(Q), [Q]), ValueError, r"without g\(q\(t\)\)"),
    "complex abs": (lambda: symbolic.compile(abs(Z).diff(), [Z]), ValueError, "real=True"),
    "unknown function": (lambda: symbolic.compile(sympy.zeta(X), [X]), ValueError, "backend 'numpy' knows. Got zeta"),
    "no gamma in torch": (lambda: symbolic.compile(sympy.gamma(X), [X], backend="torch"), ValueError, "Got gamma"),
    "integral": (lambda: symbolic.compile(sympy.Integral(exp(X * Y**2), (Y, 0, 1)), [X]), ValueError, "Got Integral"),
    "spike": (lambda: symbolic.compile(sympy.Heaviside(X).diff(X), [X]), ValueError, "derivative of a jump"),
    "text": (lambda: symbolic.compile("x", [X]), TypeError, "should be an expression, or a list.*Got 'x'"),
    "ragged": (lambda: symbolic.compile([[X, 1], [2]], [X]), TypeError, "should be an expression, or a list"),
    "empty": (lambda: symbolic.compile([], [X]), TypeError, r"should be an expression, or a list.*Got \[\]"),
    "nan": (lambda: symbolic.compile(X * sympy.nan, [X]), ValueError, "Got NaN; the expression has no value"),
    "zero division": (lambda: symbolic.compile(X + sympy.zoo, [X]), ValueError, "divides by zero"),
    "symbol as text": (lambda: symbolic.compile(X, ["x"]), TypeError, "symbols=...*should be symbols. Got 'x'"),
    "symbols are a set": (lambda: symbolic.compile(X - Y, {X, Y}), TypeError, "should be a list of symbols, in order"),
    "symbols are a number": (lambda: symbolic.compile(X, 3), TypeError, "should be symbols. Got 3"),
    "no symbols": (lambda: symbolic.compile(X, []), ValueError, "should be symbols. Got none"),
    "repeated symbol": (lambda: symbolic.compile(X, [X, X]), ValueError, "should be distinct. Got x, x"),
    "unknown backend": (lambda: symbolic.compile(X, [X], backend="tf"), ValueError, "'torch'. Got 'tf'"),
    "too many arguments": (lambda: symbolic.compile(X, [X])(1, 2), TypeError, "takes 1 arguments: x. Got 2"),
    "too few arguments": (lambda: symbolic.compile(X * Y, [X, Y])(1), TypeError, "takes 2 arguments: x, y. Got 1"),
    "count of text": (lambda: symbolic.operation_count("x"), TypeError, r"operation_count\(expr=...\)` should be"),
    "gradient of a list": (lambda: symbolic.gradient([X], [X]), ValueError, r"one expression. Got .* \(1,\)"),
    "gradient in a function": (lambda: symbolic.gradient(Q, [Q]), TypeError, "should be symbols, not functions"),
    "jacobian of a scalar": (lambda: symbolic.jacobian(X, [X]), ValueError, "should be a list of expressions. Got x"),
    "jacobian of a matrix": (lambda: symbolic.jacobian(sympy.eye(2), [X]), ValueError, r"Got .* \(2, 2\)"),
    "hessian in an expression": (lambda: symbolic.hessian(X, [2 * X]), TypeError, r"should be symbols.*Got 2\*x"),
    "symbols": (lambda: symbolic.jacobian_wrt_functions([X], [X]), TypeError, r"functions such as x\(t\)"),
    "coordinate": (lambda: symbolic.euler_lagrange(X, [X], T), TypeError, r"'q'\)\(t\). Got x"),
    "other time": (lambda: symbolic.euler_lagrange(Q, [Q], X), TypeError, r"functions of x.*Got q\(t\)"),
    "time is a number": (lambda: symbolic.euler_lagrange(Q, [Q], 0), TypeError, "t=...*should be a symbol. Got 0"),
    "second derivative": (lambda: symbolic.euler_lagrange(Q.diff(T, 2), [Q], T), ValueError, "no higher derivatives"),
    "unnamed parameter": (
        lambda: symbolic.first_order_system(X * Q.diff(T) ** 2, [Q], T),
        ValueError,
        r"parameters=.*Got \[\], without x",
    ),
    "no velocity": (lambda: symbolic.first_order_system(Q**2, [Q], T), ValueError, "rank 0 for 1 coord.*velocity"),
    "velocities tied": (
        lambda: symbolic.first_order_system((Q.diff(T) / 10 + 3 * THETA.diff(T) / 10) ** 2, [Q, THETA], T),
        ValueError,
        "rank 1 for 2",
    ),
    "time as a parameter": (
        lambda: symbolic.first_order_system(T * Q.diff(T) ** 2, [Q], T, parameters=[T]),
        ValueError,
        "should not hold the time",
    ),
    "too deep": (
        lambda: symbolic.compile(reduce(lambda e, _: sin(e), range(250), X), [X]),
        ValueError,
        "of less depth.*Compile parts",
    ),
    "matrix symbol": (lambda: symbolic.gradient(sympy.MatrixSymbol("A", 2, 2), [X]), TypeError, "should be an expr"),
    "gradient of a condition": (lambda: symbolic.gradient(X > 0, [X]), TypeError, "should be an expr.*Got x > 0"),
    "equation": (lambda: symbolic.equilibria([sympy.Eq(X, 1)], [X]), TypeError, "should be an expr"),
    "text in a list": (lambda: symbolic.compile(["x*y"], [X, Y]), TypeError, "should be an expr"),
    "velocity not in the state": (
        lambda: symbolic.lie_derivative(Q.diff(T), [-Q], [Q]),
        ValueError,
        r"that changes in time. Got \[q\(t\)\], without Derivative",
    ),
    "factor without radicals": (
        lambda: symbolic.equilibria([X * Y, W**5 - W - 1, 0], [X, Y, W]),
        ValueError,
        "without a closed form",
    ),
    "imaginary state": (
        lambda: symbolic.equilibria([Symbol("i", imaginary=True)], [Symbol("i", imaginary=True)]),
        ValueError,
        "should be real",
    ),
    "unknown way to solve": (
        lambda: symbolic.first_order_system(Q.diff(T) ** 2, [Q], T, solve="lu"),
        ValueError,
        "'numeric', 'symbolic'. Got 'lu'",
    ),
    "wrong state": (
        lambda: symbolic.first_order_system(Q.diff(T) ** 2, [Q], T)(0.0, [1.0]),
        ValueError,
        r"state of shape \(2,\).*Got a state of shape \(1,\)",
    ),
    "wrong parameters": (
        lambda: symbolic.first_order_system(X * Q.diff(T) ** 2, [Q], T, parameters=[X])(0.0, [1.0, 1.0]),
        ValueError,
        r"parameters \[x\]. Got .* 0 parameters",
    ),
    "order is no integer": (lambda: symbolic.lie_derivative(X, [X], [X], order=1.5), TypeError, "an integer. Got 1.5"),
    "negative order": (lambda: symbolic.lie_derivative(X, [X], [X], order=-1), ValueError, "at least 0. Got -1"),
    "field too short": (lambda: symbolic.lie_derivative(X, [X], [X, Y]), ValueError, "Got 1 for 2"),
    "explicit time": (lambda: symbolic.equilibria([Q - T], [Q]), ValueError, "state and on parameters only. Got t"),
    "hidden derivative": (lambda: symbolic.equilibria([Q.diff(T, 2) + Q], [Q]), ValueError, r"only. Got Deriv.*\(t, 2"),
    "hidden function": (lambda: symbolic.equilibria([Q - THETA], [Q]), ValueError, r"parameters only. Got theta\(t\)"),
    "no radicals": (lambda: symbolic.equilibria([Y, X**5 - X - 1 - Y], [X, Y]), ValueError, "without a closed form"),
    "quintic with a parameter": (
        lambda: symbolic.equilibria([1 - K * X - X**5], [X]),
        ValueError,
        "without a closed form",
    ),
    "no closed form": (lambda: symbolic.equilibria([cos(X) - X], [X]), ValueError, "SymPy can solve.*nsolve"),
}  # fmt: skip


@pytest.mark.parametrize("call, error, words", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_gets_a_clear_error(call, error, words):
    """The call, what it should be, what it got, and the way out."""
    if words == "Got gamma":
        needs("torch")
    with pytest.raises(error, match=words):
        call()
