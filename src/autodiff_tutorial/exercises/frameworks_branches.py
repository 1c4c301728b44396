"""The exercises of the chapter on frameworks that deal with what a framework makes of a branch."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved
from autodiff_tutorial.exercises.judge import Case, dictionary, exercise


@exercise("frameworks.jump")
def _(attempt):
    yield dictionary(attempt, "slope", "integral", "rise")
    lower, upper = (lambda x: 6 * x), (lambda x: x**2 + 10)
    (below, left), (above, right) = (moved(branch, (2.0, 1.0)) for branch in (lower, upper))
    start, end = lower(1.0), upper(3.0)
    one_branch = "that takes one branch all the way. Which one runs where?"
    rise, integral = end - start, (below - start) + (end - above)
    slope = float(attempt["slope"])
    jump = "AD does not see the jump. It sees the branch that runs at 2."
    yield Case(
        "jax.grad(f)(2.0)",
        slope,
        left,
        slips=(
            (right, "that is the slope of the other branch. Is 2 > 2?"),
            ((left + right) / 2, "AD takes no mean of the two slopes. It differentiates the branch that runs at 2."),
            (not np.isfinite(slope), jump),
            (above - below, "that is the jump of f. " + jump),
            (0.0, "both branches rise at 2."),
        ),
        hint="which of the two branches runs at 2, and how steep is it there?",
        secret=True,
    )
    got = float(attempt["integral"])
    yield Case(
        "the integral of the derivative that AD returns",
        got,
        integral,
        slips=(
            (rise, "so the fundamental theorem would have it, for an f that is continuous. Add up the two pieces."),
            (below - start, "that is the piece left of the jump. There is one right of it."),
            (end - above, "that is the piece right of the jump. There is one left of it."),
            (above - below, "that is the jump, of which AD knows nothing."),
            (below - above, "that is the jump, of which AD knows nothing."),
            (integral - above + below, "the jump has the other sign, and AD knows nothing of it."),
            (lower(3.0) - start, one_branch),
            (end - upper(1.0), one_branch),
            (not np.isfinite(got), "the derivative that AD returns is finite everywhere, and so is its integral."),
        ),
        hint="another branch runs on either side of 2. Integrate each piece.",
        secret=True,
    )
    got = float(attempt["rise"])
    yield Case(
        "f(3) - f(1)",
        got,
        rise,
        slips=(
            (integral, "that is the integral. Put 3 and 1 into f: it jumps at 2, and AD does not see that."),
            (lower(3.0) - start, one_branch),
            (end - upper(1.0), one_branch),
            (above - below, "that is the jump. Put 3 and 1 into f."),
            (below - above, "that is the jump. Put 3 and 1 into f."),
            (-rise, "the sign is reversed: f(3) comes first."),
            (end, "that is f(3) alone."),
        ),
        hint="put 3 and 1 into f, each into its branch.",
        secret=True,
    )


def _asks(given, error):
    """Return the case of an attempt that asks a traced value for a number."""
    boolean, array = jax.errors.TracerBoolConversionError, jax.errors.TracerArrayConversionError
    return Case(
        given,
        type(error).__name__,
        "a number",
        passes=False,
        slips=(
            (
                isinstance(error, boolean),
                "under jit x has no value yet, so Python cannot choose a branch: `if`, `and`, `or` and chained "
                "comparisons ask for one.",
            ),
            (isinstance(error, array), "NumPy needs numbers, and under jit x has none yet. Use jnp."),
        ),
        hint="under jit x has no value yet. What asks for one: math, float(), or an index?",
    )


@exercise("frameworks.safe")
def _(attempt):
    for x in ([3.0, -4.0], [0.0, 2.0, 0.0], [3e-17, 4e-17], [0.0, 0.0]):
        x = np.array(x)
        norm = np.hypot.reduce(x)
        given = f"x = {x.tolist()}"
        try:
            value, gradient = jax.jit(jax.value_and_grad(attempt))(jnp.asarray(x))
        except jax.errors.JAXTypeError as error:
            yield _asks(f"{given}, under jit", error)
        value, gradient = float(value), np.asarray(gradient)
        added = "a number added under the root, or put in its place, shows where x is small."
        yield Case(
            f"the norm, {given}",
            value,
            norm,
            rtol=1e-4 if norm else 0.0,
            slips=(
                (abs(x).sum() if norm else False, "that is the sum of the absolute values. Take squares and a root."),
                (norm**2 if norm else False, "that is the square of the norm."),
                (abs(x).max() if norm else False, "that is the largest entry."),
                (bool(norm and value == 0), "x is small here, but not 0. Compare with 0 itself."),
                (np.isnan(value), "0 divided by 0 is not a number."),
                (
                    not norm and value == 1,
                    "that is the number that keeps the root safe. Where x is 0, it is not the answer.",
                ),
                (abs(value - norm) < 0.1, added),
            ),
            hint="the root of the sum of the squares.",
        )
        selects = "select_n" in str(jax.make_jaxpr(attempt)(jnp.asarray(x)))
        yield Case(
            f"the gradient, {given}",
            gradient,
            x / norm if norm else x,
            rtol=1e-4,
            slips=(
                (
                    bool(np.isnan(gradient).any()) and selects,
                    "the branch that is not taken is differentiated too, and 0 times infinity is not a number. "
                    "What does it get to see?",
                ),
                (bool(np.isnan(gradient).any()), "the root has an infinite slope at 0, and 0 times it is no number."),
            ),
            hint="the gradient is x / norm, and 0 where x is 0.",
        )


@exercise("frameworks.branch")
def _(attempt):
    x = np.array([-3.0, -1.7, -1.0, -0.4, 0.0, 0.5, 1.0, 2.0, 3.0])
    inside, size = abs(x) <= 1, abs(x)
    truth = np.where(inside, x**2 / 2, size - 0.5)
    given = f"x = {x.tolist()}"
    try:
        values = np.array([jax.jit(attempt)(float(a)) for a in x], dtype=float)
        mapped = np.asarray(jax.vmap(attempt)(jnp.asarray(x)))
        slopes = np.asarray(jax.vmap(jax.grad(attempt))(jnp.asarray(x)))
    except jax.errors.JAXTypeError as error:
        yield _asks("a traced x", error)
    slips = (
        (x**2 / 2, "beyond 1 the parabola goes on. There the function is |x| - 1/2."),
        (size - 0.5, "within 1 the function is x^2 / 2."),
        (np.where(inside, x**2 / 2, size), "the function jumps at 1: beyond it, 1/2 is to be subtracted."),
        (np.where(inside, x**2, size - 0.5), "within 1 a factor 1/2 is missing."),
        (np.where(inside, x**2, 2 * size - 1), "twice of it: within 1 the function is x^2 / 2."),
        (np.where(inside, x**2 / 2, x - 0.5), "where x < -1 the function is positive too: take |x|."),
        (np.where(x <= 1, x**2 / 2, x - 0.5), "where x < -1 that is the parabola. The condition is on |x|."),
        (np.where(inside, size - 0.5, x**2 / 2), "the two branches are swapped."),
        (np.where(inside, x**2 / 2, 0.5), "beyond 1 the function goes on to rise."),
        (np.sqrt(1 + x**2) - 1, "that is a smooth relative of it: close near 0, but its slope never quite reaches 1."),
    )
    hint = "x^2 / 2 where |x| <= 1, and |x| - 1/2 elsewhere."
    yield Case(f"{given}, under jit", values, truth, rtol=1e-5, slips=slips, hint=hint)
    yield Case(f"{given}, under vmap", mapped, truth, rtol=1e-5, slips=slips, hint=hint)
    yield Case(
        f"the slope, {given}",
        slopes,
        np.clip(x, -1, 1),
        rtol=1e-5,
        slips=(
            (
                bool(np.isnan(slopes[x == 0]).any()),
                "at 0 it is not a number. The branch that is not taken is differentiated too: how steep is it there?",
            ),
            (np.where(inside, x, 0.0), "beyond 1 the slope is that of |x|."),
            (np.where(inside, 0.0, np.sign(x)), "within 1 the slope is that of x^2 / 2."),
        ),
        hint="the slope is x where |x| <= 1, and the sign of x elsewhere.",
    )
