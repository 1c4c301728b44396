"""Exercises: right answers pass, typical wrong ones are rejected with a hint that fits, and `check` prints one line."""

import math
import re
from functools import partial

import numpy as np
import pytest
import sympy

from autodiff_tutorial import sampled_data, symbolic
from autodiff_tutorial.exercises import check


def differences(f, x, h=1e-5, width=2, one_sided=False):
    """Build a Jacobian as readers do, with the mistakes they make."""
    columns = []
    for k in range(len(x)):
        e = np.zeros(len(x))
        e[k] = h
        columns.append((f(x + e) - f(x)) / h if one_sided else (f(x + e) - f(x - e)) / (width * h))
    return np.array(columns).T


def moves_x(f, x):
    x += 1e-9
    return differences(f, x)


def three_calls(f, x):
    for _ in x:
        f(x)
    return differences(f, x)


def wasteful(f, x):
    differences(f, x)
    return differences(f, x)


def bent(x, second_derivative):
    """Return where the sign of samples changes, as indices."""
    left = np.asarray(second_derivative) > 0
    return np.flatnonzero(left[1:] != left[:-1])


def gradient_twice(y, x):
    return np.gradient(np.gradient(y, x), x)


def by_fft(y, length, m=None, i=1j, turn=2 * np.pi, part=np.real):
    """Differentiate by FFT, with the mistakes that readers make."""
    n = len(y)
    m = np.fft.fftfreq(n, 1 / n) if m is None else m
    return part(np.fft.ifft(i * turn * m / length * np.fft.fft(y)))


def waves(y, length):
    return sampled_data.spectral_derivative(y, length)


def one_sided_slopes(y0, y1, y2, a, b):
    return (y1 - y0) / a, (y2 - y1) / b


def spring(m, k, x, t, sign=1):
    return symbolic.euler_lagrange(m * x.diff(t) ** 2 / 2 - sign * k * x**2 / 2, [x], t)


def branching(x):
    if abs(x) <= 1:
        return x**2 / 2
    return abs(x) - 0.5


def pieces(inside, outside, within=lambda x: abs(x) <= 1):
    return lambda x: sympy.Piecewise((inside(x), within(x)), (outside(x), True))


def chain(h, field, state, order=1, power=1):
    return [h.diff(x, order) * f**power for x, f in zip(state, field, strict=True)]


def lie(h, field, state, order=1):
    return h if order == 0 else lie(sum(chain(h, field, state)), field, state, order - 1)


def held_field(h, field, state, order):
    """Differentiate along a straight line, on which the field stays as it is."""
    still = sympy.symbols(f"f:{len(field)}")
    return lie(h, still, state, order).subs(dict(zip(still, field, strict=True)))


RULES = {
    "number": lambda d, e: 0,
    "x": lambda d, e: 1,
    "+": lambda d, e: ("+", d(e[1]), d(e[2])),
    "*": lambda d, e: ("+", ("*", d(e[1]), e[2]), ("*", e[1], d(e[2]))),
    "sin": lambda d, e: ("*", ("cos", e[1]), d(e[1])),
    "cos": lambda d, e: ("*", -1, ("*", ("sin", e[1]), d(e[1]))),
}


def differentiator(**changed):
    """Build a symbolic differentiator from the rules, some of them changed."""
    names = {"plus": "+", "times": "*"}
    rules = RULES | {names.get(name, name): rule for name, rule in changed.items()}

    def d(e):
        kind = e[0] if isinstance(e, (tuple, list)) else "x" if e == "x" else "number"
        return rules[kind](d, e)

    return d


def swinging(r, theta, t, m, k, l, g, across=2, sign=1, down=1, rest=1, half=2, angle=sympy.cos):
    """Write the Lagrangian of the spring pendulum, with the mistakes that readers make."""
    kinetic = m * (r.diff(t) ** 2 + r**across * theta.diff(t) ** 2) / 2
    return kinetic - sign * (k * (r - rest * l) ** 2 / half - down * m * g * r * angle(theta))


# Exercise to wrong answers, each with words of the hint that it should get.
WRONG = {
    "finite_differences.digits": [
        ({"float64": 16, "float32": 7}, "how many digits f itself has"),
        ({"float64": 11, "float32": 5}, "central difference"),
        ({"float64": 8, "float32": 7}, "how many digits f itself has"),
        ({"float64": 6, "float32": 3}, "square root of the machine epsilon"),
    ],
    "finite_differences.slip": [
        (lambda f, x, dx: (f(x) - f(x + dx)) / dx, "the sign is reversed"),
        (lambda f, x, dx: (f(x + dx) - f(x - dx)) / dx, "twice of it. How far apart"),
        (lambda f, x, dx: (f(x + dx) - f(x)) / (2 * dx), "half of it. How far apart"),
        (lambda f, x, dx: (f(x + dx) - f(x - dx)) / 2 * dx, "parentheses around 2 * dx"),
        (lambda f, x, dx: f(x + dx) - f(x), "divided by their distance"),
        (lambda f, x, dx: 1.01 * (f(x + dx) - f(x)) / dx, "divided by their distance"),
    ],
    "finite_differences.one_sided": [
        ([-1, 1, 0], "third point is not used"),
        ([-0.5, 0, 0.5], "central weights"),
        ([1.5, -2, 0.5], "the sign is reversed"),
        ([-1, 1], "one weight for each"),
        (np.array([[-1.5], [2.0], [-0.5]]), "Yours has shape (3, 1)"),
        ([-0.5, 2, -1.5], "the order is reversed"),
        ([-3, 4, -1], "Divide by 2 h"),
        ([1, 1, 1], "three equations"),
    ],
    "finite_differences.curvature_step": [
        (lambda eps: eps**0.5, "step for a forward difference"),
        (lambda eps: eps ** (1 / 3), "step for a central difference"),
        (lambda eps: eps, "far wider than eps"),
        (lambda eps: 50 * eps**0.25, "factor in front"),
        (lambda eps: 0.3 * eps**0.25, "factor in front"),
        (lambda eps: 0.0, "a step is positive"),
        (lambda eps: eps**0.1, "set the truncation error"),
    ],
    "finite_differences.jacobian": [
        (lambda f, x: differences(f, x).T, "transpose"),
        (lambda f, x: differences(f, x, one_sided=True), "close, but not as close"),
        (lambda f, x: differences(f, x, h=1e-8, one_sided=True), "close, but not as close"),
        (lambda f, x: differences(f, x, h=1e-3), "close, but not as close"),
        (lambda f, x: differences(f, x, h=0.03), "close, but not as close"),
        (lambda f, x: differences(f, x) + 0j, "component k alone"),
        (lambda f, x: differences(f, x, width=1), "twice too large"),
        (moves_x, "changed its input"),
        (wasteful, "two evaluations an input"),
        (three_calls, "two evaluations an input"),
        (lambda f, x: differences(f, x) * (1 + 1e-8), "close, but not as close"),
        (lambda f, x: differences(f, x)[0], "the shape should be (3, 2)"),
    ],
    "finite_differences.richardson": [
        (lambda D, h: 2 * D(h / 2) - D(h), "This one is in h^2"),
        (lambda D, h: (D(h / 2) + D(h)) / 2, "the mean lies between"),
        (lambda D, h: (4 * D(h) - D(h / 2)) / 3, "swapped"),
        (lambda D, h: 4 * D(h / 2) - D(h), "add to one"),
        (lambda D, h: D(0), "that is a itself"),
        (lambda D, h: (D(h) - 4 * D(h / 2)) / 3, "the sign is reversed"),
        (lambda D, h: D(h / 2), "eliminate b"),
    ],
    "sampled_data.noise": [
        ({"slope": 0.1, "second": 2.449}, "Independent errors add in squares"),
        ({"slope": 0.05, "second": 2.449}, "the share of one value"),
        ({"slope": 0.005, "second": 2.449}, "that is the variance"),
        ({"slope": 0.1414, "second": 2.449}, "How far apart are the two points"),
        ({"slope": 0.0, "second": 2.449}, "the variances of independent errors add"),
        ({"slope": 0.07, "second": 4.0}, "the worst case"),
        ({"slope": 0.07, "second": 2.0}, "they enter squared"),
        ({"slope": 0.07, "second": 1.414}, "the value in the middle errs too"),
        ({"slope": 0.07, "second": 1.732}, "has the weight -2"),
        ({"slope": 0.07, "second": 0.245}, "divided by h^2"),
        ({"slope": 0.07, "second": 6.0}, "that is the variance"),
        ({"slope": 0.07, "second": [2.4, 2.4]}, "the shape should be ()"),
        ({"slope": 0.07}, 'the keys "slope" and "second"'),
        (0.07, 'the keys "slope" and "second"'),
    ],
    "sampled_data.slip": [
        (lambda y, x: waves(y, x[-1] - x[0]), "the slip itself"),
        (lambda y, x: waves(y, x[-1]), "x does not start at 0, and one gap"),
        (lambda y, x: waves(y, x[-1] + x[1] - x[0]), "only where x starts at 0"),
        (lambda y, x: waves(y, len(x)), "right for a gap of 1"),
        (lambda y, x: waves(y, (len(x) + 1) * (x[1] - x[0])), "one gap too many"),
        (lambda y, x: waves(y, x[1] - x[0]), "one gap as the period"),
        (lambda y, x: waves(np.append(y, y[0]), len(x) * (x[1] - x[0])), "the first sample once more"),
        (lambda y, x: waves(np.append(y, y[0]), len(x) * (x[1] - x[0]))[:-1], "the first sample once more"),
        (lambda y, x: waves(y[::-1], len(x) * (x[1] - x[0]))[::-1], "the sign is reversed"),
        (lambda y, x: np.gradient(y, x), "wants the whole period"),
        (lambda y, x: np.gradient(y, x) + 0j, "wants the whole period"),
        (lambda y, x: np.diff(y), "the shape should be (15,), and is (14,)"),
    ],
    "sampled_data.uneven": [
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / (a * b), "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / ((a + b) / 2) ** 2, "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / a**2, "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / b**2, "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: y0 - 2 * y1 + y2, "both gaps as 1"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0] / (values[3] + values[4]), "half of it"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0] / values[3], "How far apart are the two middles?"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0] / values[4], "How far apart are the two middles?"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0], "Over which distance"),
        (lambda *values: -RIGHT["sampled_data.uneven"](*values), "the sign is reversed"),
        (lambda y0, y1, y2, a, b: sampled_data.derivative([y0, y1, y2], [-a, 0, b])[1], "that is a slope"),
        (lambda *values: one_sided_slopes(*values)[0], "that is a slope"),
        (lambda y0, y1, y2, a, b: (y2 - y0) / (a + b), "that is a slope"),
        (lambda y0, y1, y2, a, b: y1, "right answers for f = 1, t and t^2"),
    ],
    "sampled_data.spectral": [
        (partial(by_fft, turn=1), "a factor 2 pi is missing"),
        (lambda y, length: by_fft(y, 1.0), "right for a length of 1"),
        (lambda y, length: by_fft(y, 1.0, turn=1), "right for a length of 2 pi"),
        (lambda y, length: by_fft(y, 1.0, m=np.fft.fftfreq(len(y))), "right for a spacing of 1"),
        (lambda y, length: by_fft(y, 1.0, m=np.fft.fftfreq(len(y), length)), "takes the spacing as d"),
        (partial(by_fft, i=-1j), "the sign is reversed"),
        (partial(by_fft, part=np.array), "their real part"),
        (partial(by_fft, i=1), "Is the i missing"),
        (partial(by_fft, i=1, part=np.array), "Is the i missing"),
        (partial(by_fft, part=np.abs), "Which m belongs to which entry"),
        (lambda y, length: by_fft(y, length, m=abs(np.fft.fftfreq(len(y), 1 / len(y))), i=1), "Is the i missing"),
        (lambda y, length: by_fft(y, length, m=np.arange(len(y))), "the upper half of the frequencies"),
        (lambda y, length: by_fft(y, length, m=np.arange(len(y)), part=np.array), "the upper half of the frequencies"),
        (lambda y, length: np.fft.irfft(np.fft.rfft(y)), "told n if it is odd"),
        (lambda y, length: np.append(by_fft(y, length), 0.0), "the shape should be (15,), and is (16,)"),
        (lambda y, length: y, "is multiplied by 2 pi i m / length"),
    ],
    "sampled_data.window": [
        (lambda sigma, h, M: (150 * (sigma / M) ** 2 / h**6) ** (1 / 7), "makes both terms equal"),
        (lambda sigma, h, M: (84.4 * (sigma / M) ** 2 / h**6) ** (1 / 7), "minimizes bias + standard deviation"),
        (lambda sigma, h, M: (22.5 * sigma**2 / (M * h**4)) ** (1 / 5), "Here it enters squared"),
        (lambda sigma, h, M: (15 * sigma**2 / (M * h**4)) ** (1 / 5), "Here it enters squared"),
        (lambda sigma, h, M: 2 * (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 7) + 1, "the number of points"),
        (lambda sigma, h, M: (112.5 * h * (sigma / M) ** 2) ** (1 / 7), "a length in units of x"),
        (lambda sigma, h, M: 112.5 * (sigma / M) ** 2 / h**6, "that is m^7"),
        (lambda sigma, h, M: ((sigma / M) ** 2 / h**6) ** (1 / 7), "the factor in front is not"),
        (lambda sigma, h, M: (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 6), "and solve for m"),
        (lambda sigma, h, M: (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 5), "and solve for m"),
        (lambda sigma, h, M: [196, 197], "the shape should be ()"),
        (lambda sigma, h, M: 196 + 1j, "and solve for m"),
        (lambda sigma, h, M: math.inf, "and solve for m"),
    ],
    "sampled_data.inflections": [
        (lambda y, x: bent(x, gradient_twice(y, x)), "those are indices"),
        (lambda y, x: x[bent(x, np.gradient(y, x))], "there y is highest or lowest"),
        (lambda y, x: x[1:][np.diff(np.sign(gradient_twice(y, x))) > 0], "half of them"),
        (lambda y, x: x[1:][np.diff(np.sign(gradient_twice(y, x))) < 0], "half of them"),
        (lambda y, x: np.repeat(x[bent(x, gradient_twice(y, x))], 2), "too many"),
        (lambda y, x: x[bent(x, np.diff(y, 2))], "plain differences bend with the gaps"),
        (lambda y, x: x[1:-1][bent(x, np.diff(y, 2))], "plain differences bend with the gaps"),
        (lambda y, x: x[bent(x, np.gradient(np.gradient(y)))], "plain differences bend with the gaps"),
        (lambda y, x: y[bent(x, gradient_twice(y, x))], "the values of y there"),
        (lambda y, x: gradient_twice(y, x) > 0, "one entry for each sample"),
        (lambda y, x: (x[bent(x, gradient_twice(y, x))],), "Yours has shape (1, 3)"),
        (lambda y, x: 3.14, "Yours has shape ()"),
        (lambda y, x: [], "neighbors where it has opposite signs"),
        (lambda y, x: [math.nan], "neighbors where it has opposite signs"),
    ],
    "symbolic.swell": [
        ({"operations": 10, "terms": 513}, "each pass does two"),
        ({"operations": 30, "terms": 513}, "a square is one operation"),
        ({"operations": 1024, "terms": 513}, "nothing is computed twice"),
        ({"operations": 2046, "terms": 513}, "nothing is computed twice"),
        ({"operations": 5, "terms": 513}, "the operations of one pass"),
        ({"operations": 20, "terms": 1024}, "that is the degree"),
        ({"operations": 20, "terms": 1025}, "odd powers do not occur"),
        ({"operations": 20, "terms": 512}, "the constant"),
        ({"operations": 20, "terms": 257}, "one pass too few"),
        ({"operations": 20, "terms": 11}, "doubles the degree"),
        ({"operations": 20, "terms": 100}, "which powers occur"),
        ({"operation": 20, "terms": 513}, 'the keys "operations" and "terms"'),
        ([20, 513], 'the keys "operations" and "terms"'),
    ],
    "symbolic.slip": [
        (lambda m, k, x, t: m * x.diff(t, 2) - k * x, "the equation of the notes"),
        (lambda m, k, x, t: k * x - m * x.diff(t, 2), "the equation of the notes"),
        (lambda m, k, x, t: m * x.diff(t) + k * x, "still to be differentiated by t"),
        (lambda m, k, x, t: m * x.diff(t) - k * x, "still to be differentiated by t"),
        (lambda m, k, x, t: -k * x, "the acceleration is missing"),
        (lambda m, k, x, t: m * x.diff(t, 2), "the spring is missing"),
        (lambda m, k, x, t: x.diff(t, 2) + k * x, "the mass is missing"),
        (lambda m, k, x, t: m * x.diff(t, 2) + k * x / 2, "the derivative of x^2 / 2"),
        (lambda m, k, x, t: m * x.diff(t, 2) / 2 + k * x, "the derivative of x'^2 / 2"),
        (lambda m, k, x, t: m * x.diff(t, 2) + k, "grows with x"),
        (lambda m, k, x, t: 0, "zero whatever x is"),
        (lambda m, k, x, t: m * x.diff(t, 3) + k * x.diff(t), "of second order"),
        (lambda m, k, x, t: m * x.diff(t) ** 2 / 2 + k * x**2 / 2, "differentiate L by x'"),
        (lambda m, k, x, t: sympy.Eq(m * x.diff(t, 2) + k * x, 0), "without Eq"),
        (spring, "one expression, not a list"),
        (lambda m, k, x, t: k * sympy.Symbol("x"), "it holds x from elsewhere"),
        (lambda m, k, x, t: "m x'' + k x", "an expression of SymPy"),
    ],
    "symbolic.huber": [
        (branching, "Use sympy.Piecewise"),
        (lambda x: sympy.Piecewise((x**2 / 2, -1 <= x <= 1), (abs(x) - 0.5, True)), "chained comparisons ask"),
        (lambda x: sympy.Piecewise((x**2 / 2, x >= -1 and x <= 1), (abs(x) - 0.5, True)), "or sympy.And"),
        (lambda x: math.sqrt(x), "math and NumPy need numbers"),
        (pieces(lambda x: x**2 / 2, abs), "the function jumps at 1"),
        (pieces(lambda x: x**2 / 2, lambda x: x - 0.5), "take |x|"),
        (pieces(lambda x: x**2 / 2, lambda x: x - 0.5, lambda x: x <= 1), "the parabola still. Does the condition"),
        (pieces(lambda x: x**2 / 2, lambda x: sympy.sign(x) * (abs(x) - 0.5)), "the sign is reversed"),
        (pieces(lambda x: x**2, lambda x: 2 * abs(x) - 1), "that is x^2"),
        (pieces(lambda x: abs(x) - 0.5, lambda x: x**2 / 2), "the two branches are swapped"),
        (lambda x: x**2 / 2, "goes on as a straight line"),
        (lambda x: [x**2 / 2], "one expression, not a list"),
        (lambda x: sympy.Symbol("z") ** 2, "it holds z from elsewhere"),
        (lambda x: x**4, "here the function is x^2 / 2"),
        (pieces(lambda x: x**2 / 2, lambda x: 2 * abs(x)), "here the function is |x| - 1/2"),
        (
            pieces(lambda x: x**2 / 2, lambda x: abs(x) - sympy.Piecewise((0.5, x > 0), (0.3, True))),
            "Note that |x| = -x",
        ),
        (lambda x: RIGHT["symbolic.huber"](x) + sympy.sin(1e9 * x) / 1e9, "the sign of x outside"),
    ],
    "symbolic.lie": [
        (lambda h, field, state, order: sum(h.diff(x) for x in state), "the field is missing"),
        (lambda h, field, state, order: chain(h, field, state)[0], "one term alone"),
        (lambda h, field, state, order: chain(h, field, state)[-1], "one term alone"),
        (lambda h, field, state, order: chain(h, field, state), "sum over i yourself"),
        (lambda h, field, state, order: sympy.Matrix([lie(h, field, state)]), "a matrix of one entry"),
        (lambda h, field, state, order: sympy.Matrix(chain(h, field, state)), "sum over i yourself"),
        (lambda h, field, state, order: symbolic.gradient(h, state) * field, "sum over i yourself"),
        (lambda h, field, state, order: symbolic.gradient(h, state) @ sympy.Array(field), "sum over i yourself"),
        (lambda h, field, state, order: sympy.Matrix(state) * sympy.Matrix(field), "sum over i yourself"),
        (lambda h, field, state, order: sympy.tensorproduct(symbolic.gradient(h, state), field), "sum over i"),
        (lambda h, field, state, order: lie(h, field, state), "that is order 1, whatever the order"),
        (lambda h, field, state, order: lie(h, field, state) if order < 2 else h, "that is h itself"),
        (lambda h, field, state, order: h, "that is h itself"),
        (lambda h, field, state, order: lie(h, field, state, order + 1), "one order too many"),
        (lambda h, field, state, order: lie(h, field, state, min(order, 2)), "one order too few"),
        (lambda h, field, state, order: lie(h, field, state, max(order, 1)), "order 0 is h itself"),
        (lambda h, field, state, order: sum(chain(h, field, state, order)), "twice by the same variable"),
        (lambda h, field, state, order: sum(chain(h, field, state, order, order)), "twice by the same variable"),
        (held_field, "the field changes along the motion too"),
        (lambda h, field, state, order: lie(h, field, state) ** order, "a power of order 1"),
        (lambda h, field, state, order: order * lie(h, field, state), "a multiple of order 1"),
        (lambda h, field, state, order: lie(h, field, state) + int(order == 2), "along the motion again"),
        (lambda h, field, state, order: -lie(h, field, state), "the sign is reversed"),
        (lambda h, field, state, order: sum(h * f.diff(x) for f, x in zip(field, state, strict=True)), "not the field"),
        (lambda h, field, state, order: h * sum(field), "by each variable in turn"),
        (lambda h, field, state, order: sum(field), "h is missing"),
        (lambda h, field, state, order: lie(h, field[::-1], state), "the order is mixed up"),
        (lambda h, field, state, order: 2 * h, "the chain rule"),
        (lambda h, field, state, order: h * sympy.Symbol("t"), "it holds t from elsewhere"),
        (lambda h, field, state, order: "x", "an expression of SymPy"),
    ],
    "symbolic.differentiator": [
        (differentiator(number=lambda d, e: 1), "a number does not change"),
        (differentiator(number=lambda d, e: e), "a number does not change"),
        (differentiator(x=lambda d, e: "x"), "that is x itself"),
        (differentiator(plus=lambda d, e: d(e[1])), "both terms change"),
        (differentiator(times=lambda d, e: ("*", d(e[1]), e[2])), "The second one changes too"),
        (differentiator(times=lambda d, e: ("*", e[1], d(e[2]))), "The first one changes too"),
        (differentiator(times=lambda d, e: ("*", d(e[1]), d(e[2]))), "not the product of the derivatives"),
        (differentiator(times=lambda d, e: ("-", d(e[1]), d(e[2]))), "'-' is not among the operators"),
        (differentiator(sin=lambda d, e: ("cos", e[1])), "what is inside is missing"),
        (differentiator(sin=lambda d, e: ("cos", d(e[1]))), "not of its derivative"),
        (differentiator(sin=lambda d, e: ("*", -1, ("cos", "x"))), "sin rises at 0"),
        (differentiator(sin=lambda d, e: ("cos",)), "two for + and *"),
        (differentiator(cos=lambda d, e: ("*", ("sin", e[1]), d(e[1]))), "cos falls right of 0"),
        (differentiator(cos=lambda d, e: ("*", -1, ("sin", e[1]))), "what is inside is missing"),
        (differentiator(cos=lambda d, e: ("*", -1, ("sin", d(e[1])))), "not of its derivative"),
        (differentiator(cos=lambda d, e: ("*", ("*", -1, ("sin", "x")), d(e[1]))), "of what is inside cos"),
        (differentiator(sin=lambda d, e: ("*", ("cos", "x"), d(e[1]))), "of what is inside sin"),
        (differentiator(x=lambda d, e: "1"), "is text"),
        (differentiator(x=lambda d, e: sympy.Integer(1) + sympy.Symbol("x")), "a tuple of an operator"),
        (differentiator(number=lambda d, e: False), "a tuple of an operator"),
        (lambda e: (), "a tuple of an operator"),
    ],
    "symbolic.spring_pendulum": [
        (partial(swinging, sign=-1), "minus the potential one"),
        (partial(swinging, across=0), "the speed across is r theta'"),
        (partial(swinging, across=1), "both factors are squared"),
        (partial(swinging, down=-1), "falls upwards"),
        (partial(swinging, rest=0), "stretched by r - l"),
        (partial(swinging, half=1), "a spring has a factor 1/2"),
        (partial(swinging, half=-2), "pushes outwards"),
        (partial(swinging, angle=sympy.sin), "counted from the vertical"),
        (partial(swinging, down=0), "gravity is missing"),
        (lambda *a: swinging(*a) - a[3] * a[6] * a[0], "a lowest point that moves with r"),
        (lambda r, theta, t, m, k, l, g: swinging(r, theta, t, m, 0, l, g), "the spring is missing"),
        (lambda r, theta, t, m, k, l, g: swinging(r, theta, t, m, k, l, g / m), "the weight is m g"),
        (
            lambda *a: swinging(*a) + a[3] * (a[0].diff(a[2]) ** 2 + a[0] ** 2 * a[1].diff(a[2]) ** 2) / 2,
            "kinetic energy has",
        ),
        (lambda *a: swinging(*a).subs(a[1].diff(a[2]), 0), "holds both velocities"),
        (lambda *a: swinging(*a) - a[3] * a[0] ** 3, "along r and across it"),
        (lambda *a: [swinging(*a)], "one expression, not a list"),
        (lambda *a: swinging(*a) + sympy.Symbol("c"), "it holds c from elsewhere"),
    ],
}

# Exercise that asks for a prediction to the numbers that no verdict may show.
SECRET = {
    "finite_differences.digits": (8, 3),
    "sampled_data.noise": (0.0707, 2.449),
    "symbolic.swell": (20, 513),
}

# Right answers in other forms than those of the chapters' solutions.
RIGHT = {
    "finite_differences.digits": {"float64": 7.8, "float32": 4},
    "finite_differences.slip": lambda f, x, dx: (f(x + dx / 2) - f(x - dx / 2)) / dx,
    "finite_differences.one_sided": np.array([-3, 4, -1]) / 2,
    "finite_differences.curvature_step": lambda eps: eps ** (1 / 4),
    "finite_differences.jacobian": lambda f, x: differences(f, x).tolist(),
    "finite_differences.richardson": lambda D, h: D(h / 2) + (D(h / 2) - D(h)) / 3,
    "sampled_data.noise": {"slope": 0.07, "second": 2.4},
    "sampled_data.slip": lambda y, x: waves(y, np.ptp(x) * len(x) / (len(x) - 1)).tolist(),
    "sampled_data.uneven": lambda y0, y1, y2, a, b: 2 * (y0 / a - y1 * (1 / a + 1 / b) + y2 / b) / (a + b),
    "sampled_data.spectral": sampled_data.spectral_derivative,
    "sampled_data.window": lambda sigma, h, M: round((112.5 * (sigma / M) ** 2 / h**6) ** (1 / 7)),
    "sampled_data.inflections": lambda y, x: x[bent(x, gradient_twice(y, x))].tolist(),
    "symbolic.swell": {"operations": 20.0, "terms": np.int64(513)},
    "symbolic.slip": lambda m, k, x, t: -x.diff(t, 2) - k / m * x,
    "symbolic.huber": lambda x: sympy.Min(abs(x), 1) * (abs(x) - sympy.Min(abs(x), 1) / 2),
    "symbolic.lie": symbolic.lie_derivative,
    "symbolic.differentiator": differentiator(cos=lambda d, e: ["*", ["*", d(e[1]), -1.0], ["sin", e[1]]]),
    "symbolic.spring_pendulum": lambda *a: 3 * swinging(*a) + (a[0] * a[1]).diff(a[2]) - a[5],
}


def verdict(capsys, id, attempt):
    check(id, attempt)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "id, attempt, words",
    [(id, *case) for id, cases in WRONG.items() for case in cases],
    ids=lambda value: str(value)[:40],
)
def test_wrong_answer_gets_its_hint(capsys, id, attempt, words):
    """A typical mistake is rejected, with the input, both values (but no secret one) and the hint that fits."""
    line = verdict(capsys, id, attempt)
    assert line.startswith(f"{id}: not yet. For ")
    assert "yours" in line
    assert ("expected" in line) == (id not in SECRET)
    assert words in line.split("Hint: ")[1]
    assert line.count("\n") == 1


@pytest.mark.parametrize("id, answers", SECRET.items(), ids=SECRET)
def test_prediction_is_not_given_away(capsys, id, answers):
    """A wrong prediction is told what is wrong with it, without the right number."""
    for attempt, _ in WRONG[id]:
        before, after = re.split("yours .* Hint: ", verdict(capsys, id, attempt))
        shown = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", before + after)]
        assert not any(math.isclose(number, answer, rel_tol=0.05) for number in shown for answer in answers)


@pytest.mark.parametrize("id, attempt", RIGHT.items(), ids=RIGHT)
def test_right_answer_passes(capsys, id, attempt):
    """An answer is judged by what it does, not by how it is written."""
    assert verdict(capsys, id, attempt) == f"{id}: passed.\n"


def test_missing_return_is_named(capsys):
    """A function that returns nothing is told so."""
    line = verdict(capsys, "finite_differences.slip", lambda f, x, dx: None)
    assert "your function returned None. Is a return missing?" in line


def test_difference_too_small_to_be_shown_is_named(capsys):
    """Where four digits look alike, the verdict says by how much the numbers differ."""
    line = verdict(capsys, "finite_differences.jacobian", lambda f, x: differences(f, x) * (1 + 1e-8))
    assert "(off by " in line


@pytest.mark.parametrize("blank", [..., None, lambda *args: ..., {"a": ...}, [1.0, ...], (..., 1.0)])
def test_blank_is_not_an_answer(capsys, blank):
    """A blank, or a function that returns one, is told from a wrong answer."""
    id = "finite_differences.slip"
    assert verdict(capsys, id, blank) == f"{id}: not attempted yet.\n"


def test_error_of_the_attempt_is_shown(capsys):
    """An attempt that raises is reported in the same one line."""
    line = verdict(capsys, "finite_differences.slip", lambda f, x, dx: undefined_name)  # noqa: F821
    assert line == "finite_differences.slip: not yet. It raised NameError: name 'undefined_name' is not defined\n"


def test_unknown_exercise_is_refused():
    """A wrong id raises an error that lists the right ones."""
    with pytest.raises(ValueError, match=r"`exercises.check\(id=...\)` should be one of 'finite_differences.curv"):
        check("finite_differences.sli", ...)
