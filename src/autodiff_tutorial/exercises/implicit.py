"""The exercises of the chapter on implicit differentiation that deal with fixed points."""

import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved
from autodiff_tutorial.exercises.judge import Case, exercise, numbers


def settled(step, z, steps=200):
    """Repeat a step, on complex numbers too: tangents come with it, and no theorem takes part."""
    for _ in range(steps):
        z = step(z)
    return z


@exercise("implicit.unrolled")
def _(attempt):
    yield numbers(attempt, 4)

    def slope(steps):
        return moved(lambda a: settled(lambda z: a / 2 + z / 2, 0 * a, steps), (0.7, 1.0))[1]

    halves = "a step halves what it is handed, and adds the same share of its own."
    one_step = "that is the slope of one step alone. The z that enters it depends on a as well."
    f_a = "that is f_a alone. Which inverse stands in front of it?"
    cases = (
        (
            "dz/da after one step",
            slope(1),
            (
                (slope(99), "that is the slope of the solution. One step does not lead so far."),
                (0.0, "z_0 does not depend on a, but the step itself does."),
                (slope(2), "that is one step too many."),
            ),
            "z_0 does not depend on a. How does a enter the step?",
        ),
        (
            "dz/da after two steps",
            slope(2),
            (
                (slope(99), "the second step adds as much as the first, but it also halves what the first has given."),
                (slope(1), one_step),
                (0.25, "that is what is handed on from the first step. The second has a share of its own."),
                (slope(3), "that is one step too many."),
            ),
            halves,
        ),
        (
            "dz/da after ten steps",
            slope(10),
            (
                (slope(99), "close. What is missing is halved in each step, and is not zero yet."),
                (slope(99) - slope(10), "that is what is missing."),
                (slope(9), "that is one step too few."),
                (slope(11), "that is one step too many."),
                (slope(1), one_step),
            ),
            halves,
        ),
        (
            "the theorem, at the z of the first step",
            slope(99),
            (
                (slope(1), f_a),
                (2.0, "that is the inverse alone. What does it multiply?"),
                (1 / 3, "the sign of f_z is reversed: the matrix is I - f_z."),
                (0.25, "that multiplies by I - f_z, or by f_z. It is to be divided by I - f_z."),
                (slope(2), "those are two terms of a series that goes on. The inverse sums it."),
                (slope(10), "that is what ten steps give. The theorem does not count steps."),
            ),
            "put f_z and f_a into the formula. Do they depend on z here?",
        ),
    )
    for got, (given, truth, slips, hint) in zip(attempt, cases, strict=True):
        yield Case(given, float(got), truth, rtol=2e-4, slips=slips, hint=hint, secret=True)


def _fixed(A, B, a):
    return settled(lambda z: np.tanh(z @ A.T + a @ B.T), np.zeros(len(A)))


@exercise("implicit.slip")
def _(attempt):
    random = np.random.default_rng(41)
    for m, p in (2, 3), (3, 2), (2, 2):
        A, B = np.round(random.uniform(-0.5, 0.5, size=(m, m)), 1), np.round(random.uniform(-1, 1, size=(m, p)), 1)
        a, z_bar = np.round(random.uniform(0.3, 1, size=p), 1), np.round(random.uniform(0.5, 2, size=m), 1)

        def f(z, a, A=A, B=B):
            return jnp.tanh(A @ z + B @ a)

        z, z_dot = moved(lambda a, A=A, B=B: _fixed(A, B, a), (a, np.eye(p)))
        z, truth, eye = z[0], z_dot @ z_bar, np.eye(m)
        f_z, f_a = (1 - z**2)[:, None] * A, (1 - z**2)[:, None] * B
        got = attempt(f, z.copy(), a.copy(), z_bar.copy())
        shape = np.shape(got)
        matrix = "that is a matrix. Its product with z_bar is asked for."
        yield Case(
            f"f(z, a) = tanh(A z + B a), A = {A.tolist()}, B = {B.tolist()}, a = {a.tolist()}, "
            f"z_bar = {z_bar.tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (
                    f_a.T @ np.linalg.solve(eye - f_z, z_bar),
                    "that is the slip itself: z_bar meets the inverse from the other side than a tangent does.",
                ),
                (
                    f_a.T @ np.linalg.solve(eye + f_z.T, z_bar),
                    "the sign of f_z is reversed: z = f(z, a), so z_dot - f_z z_dot = f_a a_dot.",
                ),
                (
                    f_a.T @ np.linalg.solve(eye + f_z, z_bar),
                    "the sign of f_z is reversed, and the transpose is still missing.",
                ),
                (-truth, "the sign is reversed. That of a root has a minus, that of a fixed point has none."),
                (f_a.T @ z_bar, "that pulls back through one step of f. It takes a solve first."),
                (f_a.T @ (z_bar + f_z.T @ z_bar), "those are two terms of a series that goes on. Solve instead."),
                (f_a.T @ ((eye - f_z).T @ z_bar), "that multiplies by the transpose of I - f_z. Solve with it."),
                (f_a.T @ np.linalg.solve(f_z.T, z_bar), "the matrix is I - f_z: z is on both sides of z = f(z, a)."),
                (np.linalg.solve(eye - f_z.T, z_bar), "that is right so far. Pull it back through f_a."),
                (shape in ((m, p), (p, m)), matrix),
                (shape == (m,) != (p,), "that has the shape of z. Pull it back through f_a."),
            ),
            hint="write z_bar^T (I - f_z)^{-1} f_a, and transpose it. What is the inverse's transpose?",
        )
