"""The exercises of the chapter on integrals that deal with ends, parameters and substitutions."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved, several
from autodiff_tutorial.exercises.judge import Case, exercise, numbers
from autodiff_tutorial.integrals import Integral


@exercise("integrals.ends")
def _(attempt):
    yield numbers(attempt, 3)

    def whole(b, a):
        return a * b**2 / 2

    a = 2.0
    end, parameter, both = (moved(whole, (a, b_dot), (a, a_dot))[1] for b_dot, a_dot in ((1, 0), (0, 1), (1, 1)))
    cases = (
        (
            "what the moving end contributes",
            end,
            (
                (a, "the height at the end is that of the whole integrand, its factor a included."),
                (both, "that lets both move. Hold the a of the integrand, and move the end alone."),
                (0.0, "the end moves, and a strip is gained."),
                (-end, "the sign is reversed: an upper end gains what it passes over."),
                (a * end, "that has a factor too many. How fast does the end move when a does?"),
                (1.0, "that is how fast the end moves. How high is the integrand there?"),
            ),
            "hold the a of the integrand. How high is the strip that the end gains?",
        ),
        (
            "what the moving parameter contributes",
            parameter,
            (
                (end, "what the end contributes is right. Now hold the end, and let the integrand answer to a."),
                (both, "that lets the end move as well. Hold it."),
                (0.0, "what the end contributes is right. But also when the end is held, the line gets steeper."),
                (-parameter, "the sign is reversed: the line gets steeper as a grows."),
                (a**3 / 3, "that integrates the square of x. What is the derivative of a x by its parameter?"),
                (a * end, "that has an a too many: differentiating a x by its parameter takes it away."),
            ),
            "what the end contributes is right. Now differentiate a x by its parameter, and integrate that.",
        ),
        (
            "dI/da",
            both,
            (
                (end, "both contributions are right. That is one of them alone, or I itself."),
                (parameter, "both contributions are right. That is one of them alone, or their difference."),
                (end * parameter, "both contributions are right. They add up; that is their product."),
                (2 * both, "I is half of the cube of a. Where is the half?"),
                (-both, "the sign is reversed: I grows with a."),
            ),
            "both contributions are right. To first order, the changes of an integral add up.",
        ),
    )
    for got, (given, truth, slips, hint) in zip(attempt, cases, strict=True):
        yield Case(given, float(got), truth, slips=slips, hint=hint, secret=True)


@exercise("integrals.slip")
def _(attempt):
    for words, f, F, t in (
        ("3 x^2", lambda x: 3 * x**2, lambda x: x**3, 0.8),
        ("cos(x)", jnp.cos, np.sin, 2.5),
        ("e^x", jnp.exp, np.exp, -0.7),
    ):
        value, truth = moved(lambda t, F=F: F(t**2) - F(np.cos(t)), (t, 1.0))
        (upper, bent), (lower, _) = (moved(f, (end, 1.0)) for end in (t**2, np.cos(t)))
        s, c = np.sin(t), np.cos(t)
        strip = 2 * t * upper
        yield Case(
            f"f(x) = {words}, t = {t}",
            attempt(f, t),
            truth,
            rtol=1e-5,
            slips=(
                (
                    strip - s * lower,
                    "that is the slip itself. Two minus signs meet in the second term: where does each come from?",
                ),
                (strip, "the first term is right. The lower end moves too."),
                (upper - lower, "that is the height at each end. How fast does each end move?"),
                (strip - lower, "the first term is right. The lower end has a speed, too."),
                (strip + lower, "the first term is right. The lower end has a speed, and not only a sign."),
                (upper + s * lower, "the second term is right. The upper end has a speed, too."),
                (t * upper + s * lower, "the second term is right. How fast does t^2 move?"),
                (t**2 * upper + s * lower, "the second term is right. The speed of t^2 is not t^2."),
                (strip - c * lower, "the first term is right. The second has cos t itself in the place of its speed."),
                (strip + c * lower, "the first term is right. The second has cos t itself in the place of its speed."),
                (-truth, "the sign of both terms is reversed: the upper end gains, and the lower end loses."),
                (s * lower - strip, "the second term is right. The upper end gains what it passes over."),
                (value, "that is the integral. Its slope needs f at the two ends only."),
                (2 * t * bent + s * lower, "the second term is right. The first needs f itself, not its derivative."),
                (
                    f(2 * t) - f(-s),
                    "f is to be taken where the ends are. Their speeds multiply it.",
                ),
            ),
            hint="each term is the height of f at an end times the speed of that end. Which of them is subtracted?",
        )


@exercise("integrals.half_line")
def _(attempt):
    for words, f, n, truth in (
        ("1 / (1 + x)^5", lambda x: 1 / (1 + x) ** 5, 4, 1 / 4),
        ("x / (1 + x)^4", lambda x: x / (1 + x) ** 4, 6, 1 / 6),
        ("e^-x", lambda x: jnp.exp(-x), 1, 4 / np.e),  # the node 0, so 2 f(1) times the weight 2
        ("e^-x", lambda x: jnp.exp(-x), 80, 1.0),
    ):
        t, weights = np.polynomial.legendre.leggauss(n)
        x, dx = (1 + t) / (1 - t), 2 / (1 - t) ** 2
        got = attempt(f, t.copy(), weights.copy())
        slips = (
            (np.shape(got) == t.shape, "that is one term a node. Add them up."),
            (weights @ f(x), "x is right, but dx is not dt: its factor is missing."),
            (truth / 2, "half of it. What is the derivative of (1 + t) / (1 - t)? Both parts depend on t."),
            (2 * truth, "twice of it. The interval (-1, 1) has the length 2, and the weights know that."),
            (-truth, "the sign is reversed: x grows with t."),
            (n > 1 and (f(x) * dx).sum(), "x and dx are right. Where are the weights?"),
            (n > 1 and (f(x) * dx).mean(), "x and dx are right. That gives all nodes the same weight."),
        )
        if n in (4, 6):
            slips += (
                (weights @ (f(t) * dx), "dx is right. f is to be taken at x, not at t."),
                (weights @ f(t), "that is the integral from -1 to 1. Where does x stand?"),
                (
                    weights @ (f(1 / x) * dx),
                    "x and dx do not belong together: one has 1 - t below, and the other 1 + t.",
                ),
                (weights @ (f((t - 1) / (t + 1)) * dx), "that is t as a function of x. x as one of t is asked for."),
                (
                    weights @ (f(t / (1 - t)) / (1 - t) ** 2),
                    "that is the substitution for t between 0 and 1. Here t begins at -1.",
                ),
                (weights @ f((1 + t) / 2) / 2, "that is the integral from 0 to 1. x goes on without an end."),
                (weights @ (f(x) / (1 - t)) * 2, "x is right. In dx, the denominator comes squared."),
                (weights @ (f(x) / (1 - t**2)) * 2, "x is right. In dx, the denominator is (1 - t)^2."),
                (
                    weights @ (f(x) * -2 * t / (1 - t) ** 2),
                    "x is right. In dx, mind that the derivative of 1 - t is -1.",
                ),
                (weights @ (f(x) * 2 / (1 - x) ** 2), "x is right. dx is a factor of t, not of x."),
            )
        else:
            slips += ((n == 1 and 1.0, "that is the integral itself. Give the estimate of the nodes handed over."),)
        yield Case(
            f"f(x) = {words}, {n} node{'s' * (n > 1)}",
            got,
            truth,
            rtol=1e-5,
            slips=slips,
            hint="put x and dx into the integral, then add up weight times integrand, node by node.",
        )


@exercise("integrals.leibniz")
def _(attempt):
    for words, f, whole, at in (
        ("e^(t x)", lambda x, t: jnp.exp(t * x), lambda a, b, t: (np.exp(t * b) - np.exp(t * a)) / t, (-0.5, 1.2, 0.7)),
        ("x^t", lambda x, t: x**t, lambda a, b, t: (b ** (t + 1) - a ** (t + 1)) / (t + 1), (2.0, 0.5, 1.3)),
        ("1 / (t + x^2)", lambda x, t: 1 / (t + x**2), lambda a, b, t: _arc(b, t) - _arc(a, t), (-1.0, 3.0, 2.0)),
    ):
        a, b, t = at
        value, truths = moved(whole, *((p, e) for p, e in zip(at, np.eye(3), strict=True)))
        value, (by_a, by_b, by_t) = value[0], truths
        (f_x_a, f_t_a), (f_x_b, f_t_b) = (jax.grad(f, (0, 1))(end, t) for end in (a, b))
        got = attempt(f, a, b, t)
        given = f"f(x, t) = {words}, a = {a:g}, b = {b:g}, t = {t:g}"
        whole_result = "that is all that integrate returns. Take its value."
        yield Case(given, got, "three results", passes=not isinstance(got, Integral), hint=whole_result)
        yield several(given, got, "dI/da", "dI/db", "dI/dt")
        held = "that is the change from one end to the other. What does this end alone do, with the other held?"
        steep = "that is the slope of f at the end. The strip has the height of f itself."
        zero = "that is 0. Move this end a little, and hold the other: what is gained or lost?"
        yield Case(
            f"dI/da, {given}",
            got[0],
            by_a,
            rtol=1e-5,
            slips=(
                (-by_a, "the sign is reversed: moving the lower end up loses a strip."),
                (by_b, "that is dI/db. dI/da comes first."),
                (by_t, "that is dI/dt. It comes last."),
                (-f_x_a, steep),
                (f_x_a, steep),
                (by_a + by_b, held),
                (0.0, zero),
            ),
            hint="the lower end loses a strip as it moves up. How high is the strip?",
        )
        yield Case(
            f"dI/db, {given}",
            got[1],
            by_b,
            rtol=1e-5,
            slips=(
                (-by_b, "the sign is reversed: moving the upper end up gains a strip."),
                (by_t, "that is dI/dt. It comes last."),
                (by_a, "that is dI/da. This is the other end."),
                (f_x_b, steep),
                (by_a + by_b, held),
                (0.0, zero),
            ),
            hint="dI/da is right. The upper end gains a strip as it moves up. How high is the strip?",
        )
        ends = "the ends are right. "
        yield Case(
            f"dI/dt, {given}",
            got[2],
            by_t,
            rtol=1e-5,
            slips=(
                (isinstance(got[2], Integral), ends + "The third is all that integrate returns. Take its value."),
                (value, ends + "The third is I itself. Integrate the derivative of f by t."),
                (by_a + by_b, ends + "The third integrates the derivative of f by x. t is the other argument."),
                (-by_t, ends + "The sign of the third is reversed. Do a and b stand in their order?"),
                (f_t_b - f_t_a, ends + "The third takes f_t at the ends only. Integrate it."),
                (f_t_b, ends + "The third takes f_t at an end. Integrate it."),
                (by_a + by_b + by_t, ends + "The third lets the ends move as well. Hold them."),
                (0.0, ends + "The third is 0. Does the t that moves stand in args, and is it the t that f sees?"),
            ),
            hint=ends + "The third is an integral from a to b, of the derivative of f by t, with t in args.",
        )


def _arc(x, t):
    return np.arctan(x / np.sqrt(t)) / np.sqrt(t)
