"""The exercises of the chapter on derivatives of expressions that deal with motion."""

import numpy as np
import sympy

from autodiff_tutorial import symbolic
from autodiff_tutorial.exercises.judge import Case, exercise
from autodiff_tutorial.exercises.symbolic import SEVERAL, one_expression


@exercise("symbolic.slip")
def _(attempt):
    m, k = sympy.symbols("m k", positive=True)
    t = sympy.Symbol("t")
    x = sympy.Function("x")(t)
    got = attempt(m, k, x, t)
    yield one_expression("the spring", got, {m, k, t, x})
    got = sympy.sympify(got)
    random = np.random.default_rng(7)
    mass, stiffness, at = random.uniform(1.1, 1.9), random.uniform(2.1, 2.9), random.uniform(0.5, 3.0, size=4)

    def along(motion):
        """Return the values along a motion, at a few times."""
        values = got.subs(x, motion).doit().subs({m: mass, k: stiffness})
        return np.array([complex(values.subs(t, s)).real for s in at])

    # Along x = t^2 exp(t), which is no motion of the spring.
    a, v, q = np.exp(at) * np.array([at**2 + 4 * at + 2, at**2 + 2 * at, at**2])
    other = along(t**2 * sympy.exp(t))
    by_time = "there is no second derivative. The momentum m x' is still to be differentiated by t."
    slips = (
        (
            _proportional(other, mass * a - stiffness * q),
            "that is the equation of the notes. L holds -k x^2 / 2, and minus its derivative is subtracted.",
        ),
        (_proportional(other, mass * v + stiffness * q), by_time),
        (_proportional(other, mass * v - stiffness * q), by_time),
        (_proportional(other, q), "the acceleration is missing: where is the momentum, m x', differentiated by t?"),
        (_proportional(other, a), "the spring is missing: it enters by the derivative of L with respect to x."),
        (_proportional(other, a + stiffness * q), "the mass is missing: the momentum is m x'."),
        (_proportional(other, mass * a + stiffness * q / 2), "the derivative of x^2 / 2 is x."),
        (_proportional(other, mass * a / 2 + stiffness * q), "the derivative of x'^2 / 2 is x'."),
        (_proportional(other, mass * a + stiffness), "the force of a spring grows with x."),
    )
    yield Case(
        "x = t^2 exp(t), which is no motion of the spring",
        other,
        "not zero",
        passes=bool(abs(other).max() > 1e-9),
        hint="zero whatever x is. Is x still a function of t? A plain symbol does not change in time.",
    )
    for amplitude, phase in random.uniform(0.5, 3.0, size=(2, 2)).tolist():
        motion = amplitude * sympy.cos(sympy.sqrt(stiffness / mass) * t + phase)
        yield Case(
            f"x = {amplitude:.2f} cos(w t + {phase:.2f}) with w^2 = k/m",
            along(motion),
            np.zeros(4),
            slips=slips,
            hint="differentiate L by x' and then by t, and subtract its derivative by x.",
        )
    order = max((d.derivative_count for d in got.doit().atoms(sympy.Derivative)), default=0)
    yield Case("the highest derivative", order, 2, hint="an equation of motion is of second order.")


def _proportional(values, others):
    """Tell whether two arrays differ by a factor only."""
    return bool(np.ptp(values / others) < 1e-9 * abs(values / others).max())


@exercise("symbolic.lie")
def _(attempt):
    x, y, u, v, w = sympy.symbols("x y u v w")
    s = sympy.Symbol("s")
    random = np.random.default_rng(9)
    for h, field, state, order in (
        (x**2 * y, [y, x * y + 1], [x, y], 1),
        (u**2 * v + w, [w, u, sympy.cos(v)], [u, v, w], 2),
        (x**3 + y, [x * y, y**2 + x], [x, y], 0),
        (x**2 * y, [y, x * y + 1], [x, y], 3),
        (y**2 + x**2, [y, -x], [x, y], 1),
    ):
        given = f"h = {h}, field = {field}, state = {state}, order = {order}"
        alone = "sum over i yourself: one product for each variable, and one expression in all."
        try:
            got = attempt(h, list(field), list(state), order)
        except (TypeError, ValueError, AttributeError) as error:
            if not any(words in str(error) for words in ("scalar expected", "NDimArray", "Matrix")):
                raise
            yield Case(given, str(error), "one expression", passes=False, hint=alone)
        point = dict(zip(state, random.uniform(0.5, 1.5, size=len(state)), strict=True))
        moved = h.subs([(a, a + s * b) for a, b in zip(state, field, strict=True)], simultaneous=True)
        orders = [h]
        for _ in range(order + 1):
            orders.append(_along(orders[-1], field, state))
        truth, first = orders[order], orders[1]
        yield Case(
            given,
            got,
            truth,
            passes=not isinstance(got, SEVERAL),
            slips=((np.shape(got) == (1, 1), "a matrix of one entry. Give the entry itself."),),
            hint=alone,
        )
        yield one_expression(given, got, set(state))

        def same(other, got=got, point=point):
            difference = complex((sympy.sympify(got) - other).subs(point))
            return abs(difference) < 1e-9

        slopes = [h.diff(a) for a in state]
        repeated = [h.diff(a, order) for a in state]
        again = "what order 1 gives is to be differentiated along the motion again."
        slips = (
            (order == 0, "order 0 is h itself."),
            (same(h), "that is h itself, which is order 0."),
            (order > 1 and same(first), "that is order 1, whatever the order. " + again.capitalize()),
            (same(orders[order - 1]), "that is one order too few."),
            (same(orders[order + 1]), "that is one order too many."),
            (
                order > 1
                and any(same(sum(a * b**k for a, b in zip(repeated, field, strict=True))) for k in (0, 1, order)),
                "differentiating h twice by the same variable is not order 2: " + again,
            ),
            (
                order > 1 and same(moved.diff(s, order).subs(s, 0)),
                "the field changes along the motion too: differentiate all that order 1 gives, the field as well.",
            ),
            (order > 1 and same(first**order), "that is a power of order 1. " + again.capitalize()),
            (order > 1 and same(order * first), "that is a multiple of order 1. " + again.capitalize()),
            (same(sum(slopes)), "the field is missing: each variable changes at its own rate."),
            (same(sum(field)), "h is missing: its derivatives weigh the components of the field."),
            (
                any(same(a * b) for a, b in zip(slopes, field, strict=True)),
                "that is one term alone. Every variable that changes adds its own.",
            ),
            (same(-truth), "the sign is reversed."),
            (
                same(sum(h * f.diff(a) for f, a in zip(field, state, strict=True))),
                "h is to be differentiated, not the field.",
            ),
            (same(sum(h * f for f in field)), "h is to be differentiated, by each variable in turn."),
            (
                same(_along(h, field[::-1], state)),
                "the order is mixed up: component i of the field belongs to variable i.",
            ),
        )
        hint = "the chain rule: how fast does h change with each variable, and how fast does that one change?"
        yield Case(given, got, truth, passes=same(truth), slips=slips, hint=again if order > 1 else hint)


def _along(h, field, state):
    return sum(h.diff(a) * f for a, f in zip(state, field, strict=True))


@exercise("symbolic.spring_pendulum")
def _(attempt):
    t, m, k, l, g = sympy.symbols("t m k l g")
    r, theta = (sympy.Function(name)(t) for name in ("r", "theta"))
    L = attempt(r, theta, t, m, k, l, g)
    yield one_expression("the Lagrangian", L, {t, m, k, l, g, r, theta})
    L = sympy.sympify(L).doit()
    for q in (r, theta):
        yield Case(
            f"the velocity of {q} in L",
            L,
            f"an expression with {q.diff(t)}",
            passes=L.has(q.diff(t)),
            hint=f"the kinetic energy holds both velocities. This one is written {q.func}.diff(t).",
        )
    rhs = symbolic.first_order_system(L, [r, theta], t, parameters=[m, k, l, g])
    random = np.random.default_rng(11)
    for _ in range(2):
        r, theta, v, w = random.uniform([0.7, 0.3, 0.2, 0.5], [1.6, 1.2, 1.0, 1.5]).round(2)
        m, k, l, g = random.uniform([1.2, 2.0, 0.3, 3.0], [2.0, 5.0, 0.6, 9.0]).round(2)
        got = np.asarray(rhs(0.0, np.array([r, theta, v, w]), m, k, l, g), dtype=float)[2:]
        down, side = g * np.cos(theta), g * np.sin(theta)
        pull, spin, coriolis = k * (r - l) / m, r * w**2, 2 * v * w
        yield Case(
            f"r'' and theta'', at r = {r}, theta = {theta}, r' = {v}, theta' = {w}, with m = {m}, k = {k}, l = {l}, "
            f"g = {g}",
            got,
            [spin + down - pull, -(coriolis + side) / r],
            rtol=1e-4,
            slips=(
                (
                    [spin - down + pull, -(coriolis - side) / r],
                    "that is the energy. The Lagrangian is the kinetic energy minus the potential one.",
                ),
                (
                    [spin - down - pull, -(coriolis - side) / r],
                    "the mass falls upwards. It hangs at the height -r cos(theta).",
                ),
                ([spin + down + pull, -(coriolis + side) / r], "the spring pushes outwards. What sign has its energy?"),
                (
                    [down - pull, -r * side],
                    "the speed across is r theta', not theta': its square has the factor r^2.",
                ),
                (
                    [w**2 / 2 + down - pull, -(v * w + r * side) / r],
                    "the speed across is r theta', and both factors are squared.",
                ),
                (
                    [spin + down - k * r / m, -(coriolis + side) / r],
                    "the spring is stretched by r - l, not by r.",
                ),
                (
                    [spin + side - pull, -(coriolis - down) / r],
                    "the angle is counted from the vertical: for theta = 0 the mass hangs lowest.",
                ),
                ([spin + down - 2 * pull, -(coriolis + side) / r], "the energy of a spring has a factor 1/2."),
                ([spin + (down - pull) / 2, -(coriolis + side / 2) / r], "the kinetic energy has a factor 1/2."),
                (
                    [spin + down - g - pull, -(coriolis + side) / r],
                    "r (1 - cos(theta)) is the height above a lowest point that moves with r. Count from a fixed one.",
                ),
                ([spin - pull, -coriolis / r], "gravity is missing."),
                ([spin + down, -(coriolis + side) / r], "the spring is missing."),
                ([spin + down / m - pull, -(coriolis + side / m) / r], "the weight is m g, not g."),
            ),
            hint="write down the two parts of the speed, along r and across it, then the height and the stretch.",
        )
