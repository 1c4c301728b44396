"""The exercises of the chapter on finite differences."""

import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise

_FUNCTIONS = {
    "f = sin, x = 1": (np.sin, 1.0, np.cos(1.0)),
    "f = exp, x = -0.5": (np.exp, -0.5, np.exp(-0.5)),
    "f = 1/t, x = 2": (lambda t: 1 / t, 2.0, -0.25),
}


@exercise("finite_differences.digits")
def _(attempt):
    for dtype in ("float64", "float32"):
        eps, answer = float(np.finfo(dtype).eps), float(attempt[dtype])
        digits = -np.log10(np.sqrt(eps))
        yield Case(
            f"the forward difference in {dtype}",
            answer,
            round(digits),
            passes=abs(answer - digits) <= 1,
            slips=(
                (
                    abs(answer + np.log10(eps)) <= 1,
                    "that is how many digits f itself has. The difference loses some of them to cancellation.",
                ),
                (
                    abs(answer + np.log10(eps) * 2 / 3) <= 1,
                    "that is how many the central difference has; its truncation error is of second order.",
                ),
            ),
            hint="the error at the best step is about the square root of the machine epsilon. How many digits is that?",
            secret=True,
        )


@exercise("finite_differences.slip")
def _(attempt):
    for given, (f, x, df) in _FUNCTIONS.items():
        yield Case(
            f"{given}, dx = 1e-06",
            attempt(f, x, 1e-6),
            df,
            rtol=1e-5,
            slips=(
                (-df, "the sign is reversed. Where f rises, f(x + dx) is the larger: which value comes first?"),
                (df / 2, "half of it. How far apart are the two points?"),
                (2 * df, "twice of it. How far apart are the two points?"),
                (df * 1e-12, "Python divides by 2 and then multiplies by dx. Put parentheses around 2 * dx."),
                (-df / 2, "the sign is reversed, and how far apart are the two points?"),
            ),
            hint="the slope is the rise of f between the two points, divided by their distance.",
        )


@exercise("finite_differences.one_sided")
def _(attempt):
    w = np.asarray(attempt, dtype=float)
    hint = f"one weight for each of x, x + h and x + 2h: an array of shape (3,). Yours has shape {w.shape}."
    yield Case("the number of weights", w.size, 3, passes=w.shape == (3,), hint=hint)
    nodes = np.array([0.0, 1.0, 2.0])
    for power, name in enumerate(("1", "t", "t^2")):
        yield Case(
            f"f(t) = {name}, x = 0, h = 1",
            w @ nodes**power,
            float(power == 1),
            slips=(
                (
                    power == 1 and bool(np.allclose(w, [-0.5, 2, -1.5])),
                    "the order is reversed: the weight of f(x) comes first.",
                ),
                (power == 1 and bool(np.allclose(w, [-3, 4, -1])), "twice too large. Divide by 2 h."),
                (power == 1 and w @ nodes < 0, "the sign is reversed: a rising function has a positive slope."),
                (
                    power == 2 and w[2] == 0,
                    "the third point is not used, so only straight lines come out right. Ask for t^2 as well.",
                ),
                (
                    power == 2 and w[1] == 0,
                    "these are the central weights: they give the slope in the middle, at x + h. Ask for it at x.",
                ),
            ),
            hint="write down the three equations for f = 1, t and t^2, and solve them.",
        )


@exercise("finite_differences.curvature_step")
def _(attempt):
    small, large = 2.0**-52, 2.0**-23
    h = np.array([attempt(small), attempt(large)], dtype=float)
    yield Case(
        "both eps, the smaller step", h.min(), (24 * small) ** 0.25, passes=h.min() > 0, hint="a step is positive."
    )
    slope = float(np.log(h[1] / h[0]) / np.log(large / small))
    yield Case(
        "the power of eps",
        slope,
        0.25,
        rtol=0.02,
        slips=(
            (0.5, "that is the step for a forward difference of a first derivative. Here roundoff is divided by h^2."),
            (
                1 / 3,
                "that is the step for a central difference of a first derivative. Here roundoff is divided by h^2.",
            ),
            (1.0, "the step should be far wider than eps: roundoff would swamp the answer."),
        ),
        hint="set the truncation error, C h^2, equal to the roundoff, c eps / h^2.",
    )
    for eps, step in zip((small, large), h, strict=True):
        best = (24 * eps) ** 0.25
        yield Case(
            f"eps = {eps:.2g}",
            step,
            best,
            passes=bool(best / 5 < step < best * 5),
            hint="the power is right, the factor in front is too far off. Keep the 12 and the 4 u.",
        )


@exercise("finite_differences.jacobian")
def _(attempt):
    random = np.random.default_rng(1)
    for m, n in ((3, 2), (2, 4)):
        A, x = random.normal(size=(m, n)), random.normal(size=n)
        calls = []

        def f(p, A=A, calls=calls):
            calls.append(np.array(p))
            return np.sin(A @ p)

        before, J = x.copy(), np.cos(A @ x)[:, None] * A
        got = attempt(f, x)
        yield Case(
            f"x itself, after the call, with n = {n}",
            x,
            before,
            rtol=0.0,
            hint="your function has changed its input. Work on a copy of x.",
        )
        yield Case(
            "the points at which f is called",
            "complex",
            "real",
            passes=not any(map(np.iscomplexobj, calls)),
            hint="the complex step is another method. A central difference takes two real points for each input.",
        )
        yield Case(
            f"f(x) = sin(A x), m = {m}, n = {n}",
            got,
            J,
            rtol=1e-9,
            slips=(
                (J.T, "that is the transpose. Row i holds the derivatives of output i: shape (m, n)."),
                (
                    _close(got, J, 1e-2),
                    "close, but not as close as central differences come with a step near the cube root of eps.",
                ),
                (_close(got, 2 * J, 1e-2), "twice too large. The two points are 2 h apart."),
            ),
            hint="column k comes from moving component k alone, up and down by h.",
        )
        yield Case(
            f"the number of evaluations of f, n = {n}",
            len(calls),
            2 * n,
            passes=len(calls) <= 2 * n + 1,
            hint="two evaluations an input are enough.",
        )


def _close(got, expected, rtol):
    real = np.isrealobj(got) and np.shape(got) == expected.shape
    return real and bool(np.allclose(got, expected, rtol=0, atol=rtol * abs(expected).max()))


@exercise("finite_differences.richardson")
def _(attempt):
    random = np.random.default_rng(2)
    for _ in range(3):
        a, b, c = random.normal(size=3)
        h = random.uniform(0.1, 0.5)

        def central(step, a=a, b=b, c=c):
            return a + b * step**2 + c * step**4

        fine, coarse = central(h / 2), central(h)
        yield Case(
            f"D(h) = {a:.3f} {b:+.3f} h^2 {c:+.3f} h^4, h = {h:.3f}",
            attempt(central, h),
            a - c * h**4 / 4,
            rtol=1e-9,
            slips=(
                (2 * fine - coarse, "that removes an error term in h. This one is in h^2: halving h divides it by 4."),
                ((fine + coarse) / 2, "the mean lies between the two; the limit lies beyond the finer one."),
                ((4 * coarse - fine) / 3, "the two are swapped: the finer value deserves the larger weight."),
                (a, "that is a itself. Combine only D(h) and D(h/2); what is left of c stays."),
                ((coarse - 4 * fine) / 3, "the sign is reversed."),
                (4 * fine - coarse, "the weights should add to one, or a constant would come out wrong."),
            ),
            hint="eliminate b from D(h) = a + b h^2 and D(h/2) = a + b h^2 / 4.",
        )
