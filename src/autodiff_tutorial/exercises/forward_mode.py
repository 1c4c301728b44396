"""The exercises of the chapter on forward mode."""

import numpy as np

from autodiff_tutorial.exercises.judge import Case, dictionary, exercise

_STEP = 1e-30


def moved(f, *pairs):
    """Return f of values, and its change along their tangents, by a step along the imaginary axis: no roundoff."""
    y = f(*(x + 1j * _STEP * np.asarray(x_dot) for x, x_dot in pairs))
    return np.real(y), np.imag(y) / _STEP


def several(given, got, *names):
    """Return a case that passes for one result of each name."""
    count = len(got) if isinstance(got, tuple | list) or getattr(got, "ndim", 0) else 1
    wanted = f"{', '.join(names[:-1])} and {names[-1]}"
    return Case(
        given, got, wanted, passes=count == len(names), hint=f"return {len(names)} results, in this order: {wanted}."
    )


@exercise("forward_mode.passes")
def _(attempt):
    n, m = 5, 1000
    yield dictionary(attempt, "jacobian", "product", "column")
    outputs = "that is the number of outputs. A call of jvp moves the inputs, and gives the change of every output."
    entries = "that is the number of entries of J. How many of them does a call give?"
    yield Case(
        "the whole Jacobian",
        attempt["jacobian"],
        n,
        slips=(
            (m, outputs),
            (n * m, entries),
            (n + 1, "finite differences need that many values of f. A call of jvp needs no other one to compare with."),
            (1, "a call gives J v for the v that it is given. Which v picks out a column of J?"),
        ),
        hint="a call gives J v. Which v picks out a column, and how many columns has J?",
        secret=True,
    )
    yield Case(
        "the product J v",
        attempt["product"],
        1,
        slips=(
            (n, "that is for all of J. Is J itself needed here?"),
            (m, outputs),
            (n * m, entries),
            (0, "the value of f says nothing of its change along v."),
        ),
        hint="what does jvp(f, (x,), (v,)) return?",
        secret=True,
    )
    yield Case(
        "the derivatives with respect to the first input",
        attempt["column"],
        1,
        slips=((n, "that is for the derivatives with respect to every input."), (m, outputs), (n * m, entries)),
        hint="they are a column of J. Which v picks it out?",
        secret=True,
    )


@exercise("forward_mode.quotient")
def _(attempt):
    random = np.random.default_rng(12)
    for shape in (), (), (3,):
        x1, x1_dot, x2, x2_dot = np.round(random.uniform(0.5, 3.0, size=(4, *shape)), 2)
        given = f"x1 = {x1}, x1_dot = {x1_dot}, x2 = {x2}, x2_dot = {x2_dot}"
        got = attempt(x1, x1_dot, x2, x2_dot)
        yield several(given, got, "y", "y_dot")
        y, truth = moved(np.divide, (x1, x1_dot), (x2, x2_dot))
        first, second = (moved(np.divide, (x1, a), (x2, b))[1] for a, b in ((x1_dot, 0), (0, x2_dot)))
        yield Case(f"y, at {given}", got[0], y, hint="the value is the quotient itself.")
        yield Case(
            f"y_dot, at {given}",
            got[1],
            truth,
            slips=(
                (first - second, "the quotient falls where its denominator rises. Which sign has that term?"),
                (first, "only the numerator moves. The denominator has a tangent too."),
                (second, "only the denominator moves. The numerator has a tangent too."),
                (-truth, "the sign is reversed. Where the numerator alone rises, the quotient rises."),
                (x1_dot / x2_dot, "the tangent of a quotient is not the quotient of the tangents."),
                (moved(np.multiply, (x1, x1_dot), (x2, x2_dot))[1], "that is the rule of a product."),
                (truth * x2, "a factor 1 / x2 is missing."),
                (truth * x2**2, "that is the numerator alone. Divide it by x2^2."),
                (first + second * x2, "the second term needs another factor 1 / x2: how fast does 1 / x2 change?"),
            ),
            hint="y is the product of x1 and 1 / x2. Take the product rule, with how fast each of the two changes.",
        )


@exercise("forward_mode.slip")
def _(attempt):
    random = np.random.default_rng(13)
    for number in 1, 0.5, -2:
        x, x_dot = np.round(random.uniform(0.6, 3.0, size=2), 2).tolist()
        given = f"{number} - a with a = ({x}, {x_dot})"
        got = attempt(number, (x, x_dot))
        yield several(given, got, "the value", "the tangent")
        value, tangent = moved(lambda t, number=number: np.subtract(number, t), (x, x_dot))
        yield Case(
            f"the value of {given}",
            got[0],
            value,
            slips=((-value, "that is a - number. The number comes first."),),
            hint="the value of a is subtracted from the number.",
        )
        yield Case(
            f"the tangent of {given}",
            got[1],
            tangent,
            slips=(
                (-tangent, "that is the slip itself. Does number - a rise or fall where a rises?"),
                (number + tangent, "the number does not move: its tangent is not the number, but 0."),
                (number - tangent, "the number does not move: its tangent is not the number, but 0."),
                (0.0, "a moves, and number - a with it."),
            ),
            hint="write the number as a pair. What is its tangent, and what does subtract make of it?",
        )


_LAYERS = ((np.tanh, lambda u: 1 / np.cosh(u) ** 2), (np.sin, np.cos), (np.arctan, lambda u: 1 / (1 + u**2)))


def _pushed(layers, points, v):
    """Multiply a vector by the Jacobians of layers, each at its point."""
    for (W, _, slope), point in zip(layers, points, strict=False):
        v = np.diag(slope(W @ point)) @ W @ v
    return v


def _values(layers, x):
    points = [x]
    for W, g, _ in layers:
        points.append(g(W @ points[-1]))
    return points


def _counted(layer, calls):
    """Return the JVP of a layer, which notes its calls."""
    W, g, slope = layer

    def jvp(x, x_dot):
        calls.append(g)
        return g(W @ x), slope(W @ x) * (W @ x_dot)

    return jvp


@exercise("forward_mode.chain")
def _(attempt):
    random = np.random.default_rng(14)
    for n in 3, 4:
        layers = [(random.normal(size=(n, n)), *layer) for layer in _LAYERS]
        x, v = random.normal(size=(2, n))
        calls = []
        got = attempt(*(_counted(layer, calls) for layer in layers), x.copy(), v.copy())
        given = f"random functions of R^{n}"
        yield several(given, got, "the value", "the tangent")
        points = _values(layers, x)
        yield Case(
            f"the value, {given}",
            got[0],
            points[-1],
            slips=(
                (_values(layers[::-1], x)[-1], "that is a(b(c(x))). In c(b(a(x))) the first function to run is a."),
                (points[1], "that is a(x) alone."),
                (points[2], "that is b(a(x)). c is still to come."),
            ),
            hint="each function gets the value that the one before it returned.",
        )
        yield Case(
            f"the tangent, {given}",
            got[1],
            _pushed(layers, points, v),
            slips=(
                (
                    _pushed(layers, [x] * 3, v),
                    "all three are linearized at x. b does not run at x: where does it run?",
                ),
                (_pushed(layers, points[1:], v), "each is linearized at its result. It belongs to its argument."),
                (_pushed(layers[2:], points[2:], v), "c is given v. Its argument moves as b's result does."),
                (_pushed(layers[1:], points[1:], v), "the tangent of a is left out: b is given v."),
                (_pushed(layers[:2], points, v), "that is the tangent of b(a(x)). c is still to come."),
                (_pushed(layers[:1], points, v), "that is the tangent of a(x) alone."),
                (_pushed(layers[::-1], points[2::-1], v), "the tangent takes the order of the values: first a."),
            ),
            hint="each function gets the value and the tangent that the one before it returned.",
        )
        yield Case(
            "the number of calls of a, b and c",
            len(calls),
            3,
            hint="a call returns value and tangent. Keep both: one call of each function is enough.",
        )
