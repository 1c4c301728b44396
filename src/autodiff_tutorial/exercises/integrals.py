"""The exercises of the chapter on integrals that deal with ends, parameters and substitutions."""

import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved
from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("integrals.ends")
def _(attempt):
    three = np.shape(attempt) == (3,)
    yield Case("the answer", attempt, "three numbers", passes=three, hint="fill in three numbers.", secret=True)

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
