"""The exercises of the chapter on reverse mode."""

import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved, several
from autodiff_tutorial.exercises.judge import Case, dictionary, exercise


def _program(a=0.0, b=0.0, c=0.0):
    """Run the program of the statement, with a shift of each value; it returns d."""
    a = 3.0 + a
    b = a * a + b
    c = a + b + c
    return b * c


@exercise("reverse_mode.adjoints")
def _(attempt):
    yield dictionary(attempt, "c_bar", "b_bar", "a_bar")
    # An adjoint is the slope of the result over a shift of the value.
    c, b, a = (float(moved(lambda t, k=k: _program(**{k: t}), (0.0, 1.0))[1]) for k in "cba")
    slips = {
        "c_bar": (
            (12, "that is the value of c. d = b * c passes the other factor on to c."),
            (1, "d_bar passes through the product: times which factor?"),
            (108, "that is the value of d. How fast does d change with c?"),
        ),
        "b_bar": (
            (12, "b is used twice: in d = b * c, and in c = a + b. Add both shares."),
            (c, "b is used twice: in d = b * c, and in c = a + b. Add both shares."),
            (13, "the share by way of c = a + b is c_bar, which is not d_bar."),
            (108, "the shares of two uses are added, not multiplied."),
        ),
        "a_bar": (
            (a - c, "a is used in c = a + b too. Add that share."),
            (c, "a is used in b = a * a too. Add those shares."),
            (72, "b = a * a uses a twice: each of the two factors gets a share."),
            (63, "b = a * a uses a twice, and c = a + b uses it too."),
            (81, "b_bar is complete only when c has given its share."),
        ),
    }
    for name, truth in {"c_bar": c, "b_bar": b, "a_bar": a}.items():
        yield Case(
            name,
            attempt[name],
            truth,
            slips=slips[name],
            hint="add a share for each use of the value: the adjoint of what uses it, times the local derivative.",
            secret=True,
        )


@exercise("reverse_mode.slip")
def _(attempt):
    random = np.random.default_rng(17)
    for _ in range(2):
        w, x, b, t = np.round(random.uniform([0.3, 0.4, -1.0, 0.05], [0.9, 1.8, -0.2, 0.25]), 2).tolist()
        given = f"w = {w}, x = {x}, b = {b}, t = {t}"
        got = attempt(w, x, b, t)
        yield several(given, got, "w_bar", "x_bar", "b_bar")

        def loss(w=w, x=x, b=b, t=t):
            return (1 / (1 + np.exp(-(w * x + b))) - t) ** 2 / 2

        y = 1 / (1 + np.exp(-(w * x + b)))
        bars = [
            moved(lambda s, name=name: loss(**{name: s}), (value, 1))[1]
            for name, value in {"w": w, "x": x, "b": b}.items()
        ]
        own = (
            ((bars[1], "that is x_bar."), (x, "that is dz/dw alone. L changes by way of z.")),
            ((bars[0], "that is w_bar."), (w, "that is dz/dx alone. L changes by way of z.")),
            (
                (0.0, "that is the slip itself. z changes with b, and L with z."),
                (1.0, "that is dz/db alone. L changes by way of z."),
            ),
        )
        for name, bar, answer, slips in zip(("w_bar", "x_bar", "b_bar"), got, bars, own, strict=True):
            yield Case(
                f"{name}, at {given}",
                bar,
                answer,
                slips=(
                    *slips,
                    (-answer, "the sign is reversed: L falls where y comes closer to t."),
                    (answer / (y * (1 - y)), "the slope of the sigmoid is missing."),
                    (answer / (y - t), "the derivative of L with respect to y is missing."),
                    (2 * answer, "twice of it. The 2 of the square cancels the 1/2."),
                ),
                hint="multiply the local derivatives along the way from L to y to z, and from z on.",
            )


def _adjoints(steps):
    """Solve for all adjoints at once: each is the sum over what uses it, and that of the result is 1."""
    n = len(steps)
    passed = np.zeros((n, n))
    for i, (parents, partials) in enumerate(steps):
        np.add.at(passed[i], list(parents), partials)
    return np.linalg.solve(np.eye(n) - passed.T, np.eye(n)[-1])


def _watched_steps(steps):
    """Return the steps, and a list that grows whenever one of them is looked into."""
    looks = []

    class Step(tuple):
        __slots__ = ()

        def __iter__(self):
            looks.append(None)
            return super().__iter__()

        def __getitem__(self, i):
            looks.append(None)
            return super().__getitem__(i)

    return [Step(step) for step in steps], looks


_INPUT = ((), ())
_PRODUCT = [_INPUT, _INPUT, ((0, 1), (4.0, 2.0))]
_SWEEPS = {
    "x1 x2 at (2, 4)": (
        _PRODUCT,
        (
            ([2.0, 4.0, 1.0], "each parent gets the partial at its own place in the tuple."),
            ([1.0, 2.0, 4.0], "the order is reversed: the adjoint of step 0 comes first."),
            ([0.0, 0.0, 0.0], "nothing was passed on. The output's own adjoint is 1: begin with it."),
            ([0.0, 0.0, 1.0], "the output passes nothing on to its parents."),
            ([1.0, 1.0, 1.0], "every adjoint is 1. Multiply by the partials."),
            ([5.0, 3.0, 1.0], "every adjoint began with 1. Only that of the output does."),
            ([4.0, 2.0, 0.0], "the adjoint of the output itself is 1."),
        ),
    ),
    "a + a": (
        [_INPUT, ((0, 0), (1.0, 1.0))],
        (([1.0, 1.0], "a is used twice, and the second share took the place of the first. Add them."),),
    ),
    "x1 x2 + x2 at (2, 4)": (
        [*_PRODUCT, ((2, 1), (1.0, 1.0))],
        (
            ([4.0, 2.0, 1.0, 1.0], "x2 is used twice, and one share took the place of the other. Add them."),
            ([4.0, 1.0, 1.0, 1.0], "x2 is used twice, and one share took the place of the other. Add them."),
            ([0.0, 1.0, 1.0, 1.0], "step 2 had passed its adjoint on before it got it. Begin at the end."),
        ),
    ),
    "2 a, after a step 3 a that is not used": (
        [_INPUT, ((0,), (3.0,)), ((0,), (2.0,))],
        (
            ([5.0, 1.0, 1.0], "the output does not depend on step 1, though no other step uses it: its adjoint is 0."),
            ([2.0, 1.0, 1.0], "the output does not depend on step 1: its adjoint is 0."),
        ),
    ),
}


@exercise("reverse_mode.tape")
def _(attempt):
    hint = "from the last step to the first: add the step's adjoint times the partial to the adjoint of each parent."
    for name, (steps, slips) in _SWEEPS.items():
        got = attempt(list(steps))
        inputs = sum(step == _INPUT for step in steps)
        few = np.shape(got) == (inputs,) and inputs < len(steps), "the adjoints of all steps, not of the inputs alone."
        yield Case(name, got, _adjoints(steps), slips=(*slips, few), hint=hint)
    random = np.random.default_rng(19)
    steps = [_INPUT, _INPUT]
    for i in range(2, 10):
        count = random.integers(1, 3)
        parents = tuple(random.integers(0, i, size=count).tolist())
        steps.append((parents, tuple(np.round(random.uniform(-2, 2, size=count), 1).tolist())))
    yield Case(f"steps = {steps}", attempt(list(steps)), _adjoints(steps), hint=hint)
    doubled = [_INPUT, *(((i, i), (1.0, 1.0)) for i in range(16))]
    doubled += [((i,), (1.0,)) for i in range(16, 100)]
    watched, looks = _watched_steps(doubled)
    yield Case("x + x, 16 times, and a chain of 84 steps", attempt(watched), _adjoints(doubled), hint=hint)
    yield Case(
        f"how often it looks at one of the {len(doubled)} steps",
        len(looks),
        len(doubled),
        passes=len(looks) <= 20 * len(doubled),
        hint="visit a step once. When its turn comes, all that use it have given their shares.",
    )
    n = 100_000
    partials = random.uniform(0.9, 1.1, size=n)
    chain = [_INPUT, *(((i,), (float(partial),)) for i, partial in enumerate(partials))]
    try:
        got = attempt(chain)
    except RecursionError as error:
        loop = "Python allows about 1000 calls inside each other. Go through the list in a loop."
        yield Case(f"a chain of {n} steps", str(error), "the adjoints", passes=False, hint=loop)
    yield Case(f"a chain of {n} steps", got, np.cumprod([1.0, *partials[::-1]])[::-1], hint=hint)


@exercise("reverse_mode.checkpoints")
def _(attempt):
    for T in 10_000, 2_000_000:
        every = np.geomspace(1, T, 1_000_001)
        kept = T / every + every
        best, peak = float(every[kept.argmin()]), float(kept.min())
        got = attempt(T)
        yield several(f"T = {T}", got, "k", "peak")
        yield Case(
            f"k, T = {T}",
            got[0],
            best,
            rtol=1e-3,
            slips=(
                (peak, "that is the peak. k comes first."),
                (1.0, "with a checkpoint at every step all T values are kept."),
                (T, "with no checkpoint but the start, T values are kept at the end."),
                (T / 2, "T / k is small then, but k is not. Make the sum small."),
                (np.log2(T), "that many checkpoints are enough only where steps are run again and again."),
                (T ** (1 / 3), "with that k, the checkpoints are many more than the steps between them."),
            ),
            hint="as k grows, T/k falls and k rises. The sum is least where its derivative vanishes.",
        )
        yield Case(
            f"the peak, T = {T}",
            got[1],
            peak,
            rtol=1e-3,
            slips=(
                (best, "that is one of the two terms. Add the other."),
                (T, "that is without checkpoints."),
                (T / 2, "put the best k into T/k + k."),
            ),
            hint="put the best k into T/k + k.",
        )
