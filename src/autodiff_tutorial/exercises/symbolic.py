"""The exercises of the chapter on derivatives of expressions."""

import numbers

import numpy as np
import sympy
from sympy.core.function import AppliedUndef

from autodiff_tutorial import symbolic
from autodiff_tutorial.exercises.judge import Case, dictionary, exercise

# What holds several expressions.
SEVERAL = list | tuple | np.ndarray | sympy.NDimArray | sympy.MatrixBase


def one_expression(given, got, known):
    """Return a case that passes for one expression of what is known."""
    expression = isinstance(got, sympy.Expr | numbers.Real) and not isinstance(got, SEVERAL | bool)
    used = got.free_symbols | got.atoms(AppliedUndef) if isinstance(got, sympy.Expr) else set()
    strangers = ", ".join(sorted(str(s) for s in used - known))
    return Case(
        given,
        got,
        "one expression",
        passes=expression and not strangers,
        slips=(
            (isinstance(got, sympy.Eq), "give one side alone, without Eq: the other is zero."),
            (isinstance(got, SEVERAL), "one expression, not a list, an array or a matrix of them."),
            (bool(strangers), f"it holds {strangers} from elsewhere. Use the arguments alone."),
        ),
        hint="return an expression of SymPy.",
    )


@exercise("symbolic.swell")
def _(attempt):
    n = 10
    yield dictionary(attempt, "operations", "terms")
    yield Case(
        f"the operations of the program, n = {n}",
        attempt["operations"],
        2 * n,
        slips=(
            (n, "each pass does two: a square and a sum."),
            (3 * n, "each pass does two: a square is one operation."),
            (2**n, "the program keeps x in each pass, so nothing is computed twice."),
            (2 ** (n + 1), "the program keeps x in each pass, so nothing is computed twice."),
            (2 * (2**n - 1), "the program keeps x in each pass, so nothing is computed twice."),
        ),
        hint="count the operations of one pass. How many passes are there?",
        secret=True,
    )
    terms = 2 ** (n - 1) + 1
    yield Case(
        f"the terms of the polynomial, n = {n}",
        attempt["terms"],
        terms,
        slips=(
            (2**n, "that is the degree. Which powers occur?"),
            (2**n + 1, "the degree is right, but odd powers do not occur."),
            (terms - 1, "all but one. Does your count include the constant?"),
            (2 ** (n - 2) + 1, "that is one pass too few. The first pass gives x^2 + 1, of two terms."),
            (n + 1, "each pass doubles the degree; it does not add one to it."),
            (2 * n, "each pass doubles the degree; it does not add two to it."),
        ),
        hint="write the polynomial out for n = 1, 2 and 3. What is its degree, and which powers occur?",
        secret=True,
    )


@exercise("symbolic.huber")
def _(attempt):
    x = sympy.Symbol("x", real=True)
    try:
        got = symbolic.trace(attempt, x)
    except TypeError as error:
        reason = error.__cause__
        if not isinstance(reason, TypeError | AttributeError):
            raise reason or error from None
        yield Case(
            "a symbol x",
            str(reason),
            "an expression",
            passes=False,
            slips=(
                (
                    "truth value" in str(reason),
                    "Python's 'if', 'and' and chained comparisons ask for a truth value, which a symbol has not. Use "
                    "sympy.Piecewise, and abs(x) <= 1 or sympy.And for the condition.",
                ),
            ),
            hint="use operators and the functions of sympy: those of math and NumPy need numbers.",
        )
    yield one_expression("a symbol x", got, {x})
    random = np.random.default_rng(8)
    inside, outside = random.uniform(-0.9, 0.9, size=3), random.uniform(1.2, 3.0, size=3)

    def f(points, expr=got):
        return np.array([float(expr.subs(x, p)) for p in points])

    yield Case(
        "-1 < x < 1",
        f(inside),
        inside**2 / 2,
        slips=(
            (inside**2, "that is x^2. Half of it makes the slope at 1 that of the line."),
            (abs(inside) - 0.5, "the two branches are swapped."),
        ),
        hint="here the function is x^2 / 2.",
    )
    jump = "the function jumps at 1: there the parabola is at 1/2, and the line should be too."
    yield Case(
        "x > 1",
        f(outside),
        outside - 0.5,
        slips=(
            (outside, jump),
            (outside + 0.5, jump),
            (outside - 1, jump),
            (outside**2 / 2, "that is the parabola still. Beyond 1 the function goes on as a straight line."),
        ),
        hint="here the function is |x| - 1/2.",
    )
    yield Case(
        "x < -1",
        f(-outside),
        outside - 0.5,
        slips=(
            (-outside - 0.5, "that is x - 1/2, which is right on the right side only. The function is even: take |x|."),
            (outside**2 / 2, "that is the parabola still. Does the condition x <= 1 hold for x < -1? Ask for |x|."),
            (0.5 - outside, "the sign is reversed: the function rises on both sides."),
        ),
        hint="here the function is |x| - 1/2. Note that |x| = -x.",
    )
    points = np.concatenate([inside, outside, -outside])
    yield Case(
        "the derivative",
        f(points, got.diff(x)),
        np.clip(points, -1.0, 1.0),
        hint="it should be x inside, and the sign of x outside.",
    )


# Trees to be differentiated, and what typical mistakes give for them at x.
_TREES = (
    (3, ((1.0, "a number does not change: its derivative is 0."), (3.0, "a number does not change."))),
    ("x", ((0.0, "x changes at the rate 1."), (lambda x: x, "that is x itself. It changes at the rate 1."))),
    (("+", "x", ("+", 2, "x")), ((1.0, "both terms change: add the derivatives of both."),)),
    (
        ("*", "x", ("+", "x", 5)),
        (
            (1.0, "the derivative of a product is not the product of the derivatives."),
            (2.0, "the derivative of a product is not the sum of the derivatives."),
            (lambda x: x, "only the second factor was differentiated. The first one changes too."),
            (lambda x: x + 5, "only the first factor was differentiated. The second one changes too."),
            (lambda x: 5, "a product of two changes has a sum of two terms, not a difference."),
        ),
    ),
    (
        ("sin", "x"),
        (
            (lambda x: -np.cos(x), "the sign is reversed: sin rises at 0."),
            (np.cos(1.0), "cos is to be taken of what is inside, not of its derivative."),
        ),
    ),
    (
        ("cos", "x"),
        (
            (np.sin, "the sign is reversed: cos falls right of 0."),
            (-np.sin(1.0), "sin is to be taken of what is inside, not of its derivative."),
        ),
    ),
    (
        ("sin", ("*", 2, "x")),
        (
            (lambda x: np.cos(2 * x), "the derivative of what is inside is missing, as a factor."),
            (lambda x: 2 * np.cos(x), "cos is to be taken of what is inside sin."),
        ),
    ),
    (
        ("cos", ("*", "x", "x")),
        (
            (lambda x: -np.sin(x**2), "the derivative of what is inside is missing, as a factor."),
            (lambda x: -2 * x * np.sin(x), "sin is to be taken of what is inside cos."),
        ),
    ),
    (("*", ("sin", ("*", "x", "x")), ("+", ("cos", "x"), -3)), ()),
    (("cos", ("+", ("sin", ("*", 0.5, "x")), ("*", "x", ("cos", "x")))), ()),
)


@exercise("symbolic.differentiator")
def _(attempt):
    x = np.random.default_rng(10).uniform(-1.5, 1.5, size=3)
    for tree, slips in _TREES:
        given, got = f"e = {tree!r}", attempt(tree)
        wrong = _wrong_part(got)
        operator = wrong[0] if isinstance(wrong, list | tuple) and wrong else None
        missing = isinstance(operator, str) and operator in ("-", "/", "^", "**")
        yield Case(
            given,
            got,
            "an expression of the same form",
            passes=wrong is _NOTHING,
            slips=(
                (missing, f"{operator!r} is not among the operators. A product with a number, such as -1, may help."),
                (
                    isinstance(operator, str),
                    f"{wrong!r} should be an operator and its arguments: two for + and *, one for sin and cos.",
                ),
                (isinstance(wrong, str), f"{wrong!r} is text. An expression is a number, 'x' or a tuple."),
            ),
            hint="an expression is a number, 'x', or a tuple of an operator and its one or two arguments.",
        )
        step = 1e-30  # along the imaginary axis: no roundoff
        truth = np.imag(_value(tree, x + 1j * step)) / step
        at = ", ".join(f"{a:.2f}" for a in x)
        yield Case(
            f"{given} at x = {at}",
            _value(got, x) + 0 * x,
            truth + 0 * x,
            rtol=1e-9,
            slips=tuple(((wrong(x) if callable(wrong) else wrong) + 0 * x, hint) for wrong, hint in slips),
            hint="take the rules one by one. What is inside sin and cos has a derivative too.",
        )


_NOTHING = object()


def _wrong_part(tree):
    """Return a part of a tree that is no expression, or `_NOTHING`."""
    match tree:
        case bool():
            return tree
        case numbers.Real() | "x":
            return _NOTHING
        case ["+" | "*", _, _] | ["sin" | "cos", _]:
            wrong = (_wrong_part(part) for part in tree[1:])
            return next((part for part in wrong if part is not _NOTHING), _NOTHING)
    return tree


def _value(tree, x):
    match tree:
        case "x":
            return x
        case ["+", a, b]:
            return _value(a, x) + _value(b, x)
        case ["*", a, b]:
            return _value(a, x) * _value(b, x)
        case ["sin", a]:
            return np.sin(_value(a, x))
        case ["cos", a]:
            return np.cos(_value(a, x))
    return tree
