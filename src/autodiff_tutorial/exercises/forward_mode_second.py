"""The exercises of the chapter on forward mode that deal with second derivatives."""

import numpy as np

from autodiff_tutorial import forward_mode as fm
from autodiff_tutorial import primitives as ops
from autodiff_tutorial.exercises.forward_mode import several
from autodiff_tutorial.exercises.judge import Case, exercise


def _derivatives(f, x):
    """Return f, f' and f'' at x, from values on a circle around it in the complex plane."""
    turns = np.exp(2j * np.pi * np.arange(64) / 64)
    radius = 0.5
    coefficients = np.fft.fft(f(x + radius * turns)).real / 64
    return coefficients[:3] * [1, 1 / radius, 2 / radius**2]


# What the reader's function is given, and the same for complex numbers.
_SCALARS = {
    "f(x) = x exp(x)": (lambda x: x * ops.exp(x), lambda x: x * np.exp(x)),
    "f(x) = sin(x)^2": (lambda x: ops.sin(x) * ops.sin(x), lambda x: np.sin(x) ** 2),
    "f(x) = x / (1 + x^2)": (lambda x: x / (1 + x * x), lambda x: x / (1 + x * x)),
    "f(x) = x g(x), where g(x) is the slope of x y over y, by fm.jvp": (
        lambda x: x * fm.jvp(lambda y: x * y, (2.0,), (1.0,))[1],
        lambda x: x * x,
    ),
}


@exercise("forward_mode.second")
def _(attempt):
    x = round(np.random.default_rng(15).uniform(0.6, 0.8), 2)
    for name, (f, twin) in _SCALARS.items():
        got = attempt(f, x)
        value, slope, truth = _derivatives(twin, x)
        number = np.shape(got) == () and np.isrealobj(got)
        yield Case(
            f"{name}, x = {x}",
            got,
            truth,
            rtol=1e-9,
            slips=(
                (np.shape(got) == (2,), "jvp returns the value and the tangent. Give the tangent alone."),
                (slope, "that is f'. It is a function of x too: push a tangent through it."),
                (value, "that is f itself."),
                (slope**2, "that is the square of f'. The second derivative is the slope of f'."),
                (truth / 2, "that is the coefficient of a Taylor series. Multiply by 2."),
                (slope + x * truth, "that is the slope of x f'(x). The tangent of the inner call is 1, a constant."),
                (-truth, "the sign is reversed."),
                (
                    number and bool(abs(float(got) - truth) < 1e-2 * abs(truth)),
                    "close, but not to roundoff, as nested calls of jvp come.",
                ),
            ),
            hint="f' is a function: given x, it calls jvp and returns the tangent. Apply jvp to that function.",
        )


@exercise("forward_mode.taylor")
def _(attempt):
    random = np.random.default_rng(16)
    for _ in range(2):
        a, b = np.round(random.uniform(0.5, 2.0, size=(2, 3)), 1)
        got = attempt(tuple(a.tolist()), tuple(b.tolist()))
        yield several(f"a = {a.tolist()}, b = {b.tolist()}", got, "the product", "the sine")
        f, g = (np.polynomial.Polynomial(c / [1, 1, 2]) for c in (a, b))
        truth = _derivatives(f * g, 0)
        given = f"a = {a.tolist()}, b = {b.tolist()}: the product"
        yield from _entries(
            given,
            got[0],
            truth,
            (
                (a[1] * b[1], "the derivative of a product is not the product of the derivatives."),
                (truth[1] - a[0] * b[1], "the second factor moves too."),
                (truth[1] - b[0] * a[1], "the first factor moves too."),
            ),
            (
                (truth[2] - a[1] * b[1], "f' g' comes twice: once from f' g and once from f g'."),
                (truth[2] - 2 * a[1] * b[1], "f' g' is missing: f' g and f g' are products too."),
                (a[2] * b[2], "the second derivative of a product is not the product of the second derivatives."),
                (truth[2] / 2, "half of it. The triple holds f'', not the coefficient f'' / 2 of a series."),
                (2 * a[1] * b[1], "that is one term. Where are f'' and g''?"),
            ),
            "differentiate f g, and differentiate what comes out once more.",
        )
        truth = _derivatives(lambda t, f=f: np.sin(f(t)), 0)
        straight = _derivatives(lambda t, a=a: np.sin(a[0] + a[1] * t), 0)[2]
        unsquared = _derivatives(lambda t, a=a: np.sin(a[0] + np.sqrt(a[1]) * t), 0)[2]
        bent = truth[2] - straight
        yield from _entries(
            f"a = {a.tolist()}: the sine",
            got[1],
            truth,
            (
                (truth[1] / a[1], "the derivative of what is inside is missing, as a factor."),
                (np.cos(a[1]), "cos is to be taken of f, not of f'."),
                (-truth[1], "the sign is reversed: sin rises at 0."),
            ),
            (
                (bent, "cos f moves too: its own derivative is missing, times f'."),
                (straight, "f' moves too: cos f is to be multiplied by f''."),
                (bent + unsquared, "f' comes from sin and from cos: it enters squared."),
                (bent - straight, "the sign of one term is reversed: the derivative of cos is -sin."),
                (straight / a[1] ** 2, "that is the second derivative of sin alone. f moves, and f' does."),
                (truth[2] / 2, "half of it. The triple holds f'', not the coefficient f'' / 2 of a series."),
            ),
            "the first derivative of sin f is a product: differentiate both of its factors.",
        )


def _entries(given, got, truth, first, second, hint):
    """Yield a case for each entry of a triple, with the slips of the two derivatives."""
    shape = np.shape(got)
    yield Case(given, got, "three numbers", passes=shape == (3,), hint=f"a triple. Yours has shape {shape}.")
    names, slips = ("the value", "the first derivative", "the second derivative"), ((), first, second)
    for k in range(3):
        yield Case(
            f"{given}, {names[k]}",
            got[k],
            truth[k],
            slips=slips[k],
            hint=hint if k else "no rule: the value itself.",
        )
