"""The exercises of the chapter on custom rules that deal with steps and corners: rounding, and the norm at 0."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise, numbers


@exercise("custom_rules.rounds")
def _(attempt):
    yield numbers(attempt, 4)
    x, width = 3.3, 0.5
    rounded = round(x)
    smooth = "that is the slope of x squared."
    for given, got, answer, slips, hint in (
        (
            "round(x), squared",
            attempt[0],
            0.0,
            (
                (2 * rounded, "so it is with the straight-through rounding. This one is jnp.round as it stands."),
                (2 * x, f"{smooth} How steep is jnp.round around x?"),
                (rounded, "that is the rounded number. How steep is jnp.round around x?"),
                (rounded**2, "that is the value. How steep is jnp.round around x?"),
                (not np.isfinite(attempt[0]), "x is not at a jump, and JAX would report a finite slope even there."),
            ),
            "the chain rule multiplies by the slope of jnp.round at x.",
        ),
        (
            "q(x), squared",
            attempt[1],
            2 * rounded,
            (
                (2 * x, f"{smooth} Only the slope of q is that of x. Its value is rounded."),
                (0.0, "so it is with jnp.round. q lets the tangent pass."),
                (1.0, "that is the slope of q. The square adds a factor."),
                (rounded, "a square has twice its argument as its slope."),
                (rounded**2, "that is the value."),
            ),
            "the slope of the square, taken at the value of q, times the slope of q.",
        ),
        (
            "x times q(x)",
            attempt[2],
            rounded + x,
            (
                (rounded, "that is the term in which the first factor moves. q has a slope too."),
                (x, "that is the term in which q moves. The first factor moves too."),
                (2 * x, f"{smooth} The value of q is rounded."),
                (2 * rounded, "that is the slope of q squared. The first factor is not rounded."),
                (x * rounded, "that is the value."),
                (1.0, "that is the slope of each factor. The product rule takes the other factor with it."),
            ),
            "the product rule: each factor times the slope of the other.",
        ),
        (
            "the rounding with ramps",
            attempt[3],
            1 / width,
            (
                (0.0, "half of the ramp lies on each side of its middle. Is x not on it?"),
                (1.0, "that is its mean slope from one middle to the next. On the ramp it is steeper."),
                (width, "that is the width. A slope is the rise over the width."),
                (2 / width, "the width is that of the whole ramp, not of a half of it."),
                (rounded + (x - rounded - 0.5) / width + 0.5, "that is the value."),
                (2 * x, smooth),
            ),
            "is x on the ramp? How far does it rise, over which width?",
        ),
    ):
        yield Case(given, got, answer, slips=slips, hint=hint, secret=True)


_NO_VALUE = "under jit and vmap x has no value yet: no `if` on it, no float() and no NumPy. Choose with jnp.where."


def _asks(given, error):
    return Case(given, type(error).__name__, "a number", passes=False, hint=_NO_VALUE)


@exercise("custom_rules.norm")
def _(attempt):
    rows = np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [6e-13, 8e-13, 0.0], [1.0, 2.0, 2.0]])
    directions = np.array([[0.5, 2.0, 0.3], [-0.6, 0.8, 0.0], [1.5, -0.5, 0.2], [1.0, 1.0, 1.0], [1.0, 0.0, -2.0]])
    norms = np.linalg.norm(rows, axis=1)
    rtol = float(jnp.finfo(jnp.asarray(rows).dtype).eps) ** 0.5
    gradients = rows / np.where(norms > 0, norms, 1.0)[:, None]
    try:
        for x, x_dot, norm, gradient in zip(rows, directions, norms, gradients, strict=True):
            value, slope = jax.jvp(attempt, (jnp.asarray(x),), (jnp.asarray(x_dot),))
            number = np.shape(value) == ()
            yield Case(f"x = {x.tolist()}", value, "one number", passes=number, hint="the norm is one number.")
            yield _norm_case(x, value, norm, rtol)
            yield _slope_case(x, x_dot, slope, gradient, rtol)
        late = (
            "forward your rule gives 0 there, but in reverse the division still takes place: 0 / 0, behind a "
            "jnp.where. Choose the number to divide by, not the quotient."
        )
        for x, gradient in zip(rows, gradients, strict=True):
            got = jax.grad(attempt)(jnp.asarray(x))
            slips = ((bool(np.isnan(got).any()), late),)
            hint = "the JVP is right, and reverse mode transposes it. Is your rule linear in x_dot?"
            yield Case(f"the gradient, x = {x.tolist()}", got, gradient, rtol=rtol, slips=slips, hint=hint)
        values, slopes = jax.jit(jax.vmap(jax.value_and_grad(attempt)))(jnp.asarray(rows))
        summed = jax.grad(lambda rows: jnp.sum(jax.vmap(attempt)(rows)))(jnp.asarray(rows))
    except jax.errors.JAXTypeError as error:
        yield _asks("a traced x", error)
    except NotImplementedError as error:
        hint = "JAX cannot transpose that. Is the rule linear in x_dot, with jnp.where in the place of lax.cond?"
        yield Case("reverse mode", f"{type(error).__name__}: {error}", "a gradient", passes=False, hint=hint)
    given = f"the rows {rows.tolist()}"
    hint = "the rows are right one by one. Under vmap, lax.cond computes both sides, and Python decides nothing."
    yield Case(f"{given}, jit and vmap", values, norms, rtol=rtol, hint=hint)
    for words, got in ("jit and vmap of the gradient", slopes), ("the gradient of the sum", summed):
        yield Case(f"{given}, {words}", got, gradients, rtol=rtol, hint=hint)


def _norm_case(x, value, norm, rtol):
    added = "a number added under the root, or put in its place, shows where x is small."
    return Case(
        f"the norm, x = {x.tolist()}",
        value,
        norm,
        rtol=rtol if norm else 0.0,
        slips=(
            (bool(np.isnan(value)), "the norm of 0 is 0. The value needs no division."),
            (abs(x).sum() if norm else False, "that is the sum of the absolute values. Take squares and a root."),
            (norm**2 if norm else False, "that is the square of the norm."),
            (abs(x).max() if norm else False, "that is the largest entry."),
            (bool(norm and value == 0), "x is small here, but not 0. Compare with 0 itself."),
            (bool(norm < 1e-3 and abs(value) < 1e-2), added),
            (not norm, "the norm of 0 is 0."),
        ),
        hint="the root of the sum of the squares.",
    )


def _slope_case(x, x_dot, slope, gradient, rtol):
    truth, norm, length = gradient @ x_dot, np.linalg.norm(x), np.linalg.norm(x_dot)
    return Case(
        f"the JVP, x = {x.tolist()}, x_dot = {x_dot.tolist()}",
        slope,
        truth,
        rtol=rtol,
        slips=(
            (bool(np.isnan(slope)), "0 / 0 is not a number. What should the rule divide by where x is 0?"),
            (
                length if not norm else False,
                "so the norm grows along x_dot, but along -x_dot too: that is no linear map. The rule is asked for 0.",
            ),
            (length, "that is the norm of x_dot. How fast does |x| grow, as x moves along x_dot?"),
            (x @ x_dot, "the division by the norm is missing."),
            (2 * x @ x_dot, "that is the slope of the square of the norm."),
            (truth / (norm or 1.0), "divided by the norm twice."),
            (-truth, "the sign is reversed."),
            (norm, "that is the norm itself."),
            (bool(not norm and slope != 0), "the rule is asked for 0 where x is 0."),
            (bool(norm and norm < 1e-3 and slope == 0), "x is small here, but not 0. Compare with 0 itself."),
            (bool(0 < norm < 1e-3 and abs(slope) < abs(truth)), "a number added to |x| shows where x is small."),
        ),
        hint="the product of x and x_dot, divided by |x|.",
    )


@exercise("custom_rules.through")
def _(attempt):
    x = np.array([-1.3, -0.2, 0.04, 0.2, 0.45, 0.55, 0.8, 0.97, 1.1, 2.6])
    clipped, inside = np.clip(x, 0, 1), (x > 0) & (x < 1)
    for n in 5, 2, 4:
        f = attempt(n)
        given = f"n = {n}, x = {x.tolist()}"
        yield Case(f"n = {n}", f, "a function", passes=callable(f), hint="levels(n) returns a function of x.")
        gaps = n - 1
        truth = np.round(clipped * gaps) / gaps
        try:
            values = jax.jit(f)(jnp.asarray(x))
            slopes = jax.vmap(jax.grad(f))(jnp.asarray(x))
            shared = jax.grad(lambda x, f=f: jnp.sum(jnp.arange(1.0, x.size + 1) * f(x)))(jnp.asarray(x))
        except jax.errors.JAXTypeError as error:
            yield _asks(given, error)
        yield Case(
            given,
            values,
            truth,
            slips=(
                (clipped, "x is clipped, but not rounded."),
                (np.round(x * gaps) / gaps, "x is rounded, but not clipped to [0, 1]."),
                (np.round(clipped * n) / n, "n levels have n - 1 gaps between them. Yours are n + 1."),
                (np.floor(clipped * n) / n, "the levels go from 0 to 1, both included, with n - 1 gaps."),
                (np.floor(clipped * gaps) / gaps, "that rounds down. The nearest level is asked for."),
                (np.ceil(clipped * gaps) / gaps, "that rounds up. The nearest level is asked for."),
                (np.round(clipped * gaps), "that is the number of the level. Scale it back to [0, 1]."),
                (np.round(clipped), "the levels are 0 and 1 for every n. Scale before you round."),
                (np.clip(np.round(x * gaps), 0, 1), "clip before the scale, or to its end, n - 1."),
            ),
            hint="clip to [0, 1], scale to n - 1 gaps, round, and scale back.",
        )
        slips = (
            (np.zeros(x.size), "jnp.round is flat, and so is the whole. Where is its tangent to pass?"),
            (np.ones(x.size), "outside of [0, 1] the slope is 0: the clip is part of the derivative."),
            (inside * gaps, "the scale comes into the slope and goes out of it again: 1 inside."),
            (inside / gaps, "the scale comes into the slope and goes out of it again: 1 inside."),
            (~inside * 1.0, "inside and outside are swapped."),
            (inside & (truth > 0) & (truth < 1), "whether x is inside is to be told by x, not by its level."),
        )
        hint = "1 where 0 < x < 1, and 0 where x < 0 or x > 1."
        yield Case(f"the slope, {given}", slopes, inside, slips=slips, hint=hint)
        yield Case(
            f"the gradient of the sum of (i + 1) f(x)[i], {given}",
            shared,
            inside * np.arange(1.0, x.size + 1),
            hint="for single numbers the slope is right. Does your rule multiply by the tangent, entry by entry?",
        )
