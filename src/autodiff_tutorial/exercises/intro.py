"""The exercise of the introduction."""

import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("intro.elasticity")
def _(attempt):
    cases = {
        "f(x) = 40 x^-1.5, at 2": (lambda x: 40 * x**-1.5, 2.0, -1.5, -60 * 2**-2.5),
        "f(x) = x^3, at 5": (lambda x: x**3, 5.0, 3.0, 75.0),
        "f(x) = exp(-2 x), at 0.7": (lambda x: jnp.exp(-2 * x), 0.7, -1.4, -2 * np.exp(-1.4)),
        "f(x) = 3 + x, at 1": (lambda x: 3 + x, 1.0, 0.25, 1.0),
    }
    for name, (f, x, truth, slope) in cases.items():
        got = attempt(f, x)
        yield Case(
            name,
            got,
            truth,
            slips=(
                (slope, "that is the slope. Percent of f per percent of x: multiply by x, divide by f."),
                (slope / f(x), "that is for x that rises by 0.01, not by a hundredth of itself. Multiply by x."),
                (slope * x, "divide by f(x)."),
                (1 / truth, "the other way round: x f'(x) / f(x)."),
                (-truth, "the sign is reversed: it is negative where f falls."),
                (np.allclose(got, truth, rtol=0.03), "nearly. A step suits the digits that are asked for."),
            ),
            hint="take the slope f'(x), times x, divided by f(x).",
        )
