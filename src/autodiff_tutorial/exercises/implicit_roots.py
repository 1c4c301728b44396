"""The exercises of the chapter on implicit differentiation that deal with roots."""

import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved, several
from autodiff_tutorial.exercises.implicit import settled
from autodiff_tutorial.exercises.judge import Case, exercise


def _anomaly(e, M):
    return settled(lambda E: M + e * np.sin(E), M)


@exercise("implicit.kepler")
def _(attempt):
    for e, M in (0.6, 1.0), (0.2, 2.5), (0.8, 0.5):
        E, (by_e, by_M) = moved(_anomaly, (e, np.array([1, 0])), (M, np.array([0, 1])))
        E = float(E[0])
        got = attempt(E, e)
        given = f"E = {E:.4f}, e = {e}"
        yield several(given, got, "dE/de", "dE/dM")
        s, c = np.sin(E), np.cos(E)
        plus = "that has 1 + e cos E below. Differentiate E - e sin E by E."
        below = "that has e sin E below. Differentiate E - e sin E by E."
        yield Case(
            f"dE/de, {given}",
            got[0],
            by_e,
            slips=(
                (-by_e, "the sign is reversed: F = E - e sin E - M, F_e = -sin E, and the theorem has another minus."),
                (by_M, "that is dE/dM. dE/de comes first."),
                (s, "that is -F_e. E moves too, and changes F by F_E: divide by that."),
                (-s, "that is F_e. Divide -F_e by F_E."),
                (s / by_M, "that multiplies by F_E. Divide by it."),
                (s / (1 + e * c), plus),
                (s / (1 - e * s), below),
                (c * by_M, "differentiate e sin E by e, not by E."),
                (e * s * by_M, "the derivative of e sin E by e has no e left."),
                (e * c * by_M, "differentiate e sin E by e, not by E."),
            ),
            hint="differentiate both sides of E - e sin E = M by e. E depends on e.",
        )
        yield Case(
            f"dE/dM, {given}",
            got[1],
            by_M,
            slips=(
                (by_e, "that is dE/de."),
                (1 / by_M, "that is dM/dE."),
                (1 / (1 + e * c), plus),
                (1 / (1 - e * s), below),
                (-by_M, "the sign is reversed: E grows with M."),
                (1.0, "M is alone on its side, but E is there twice."),
                (by_M * e, "M enters without a factor e."),
            ),
            hint="differentiate both sides of E - e sin E = M by M. E depends on M.",
        )


def _zero(A, B, a):
    return settled(lambda y: y - 0.3 * (y @ A.T + y**3 / 5 - np.sin(a) @ B.T), np.zeros(len(A)))


@exercise("implicit.dense")
def _(attempt):
    random = np.random.default_rng(44)
    for m, p in (3, 2), (2, 3), (3, 3):
        A = np.round(2 * np.eye(m) + random.uniform(-0.7, 0.7, size=(m, m)), 1)
        B, a = np.round(random.uniform(-1, 1, size=(m, p)), 1), np.round(random.uniform(0.3, 1, size=p), 1)

        def F(y, a, A=A, B=B):
            return A @ y + y**3 / 5 - B @ jnp.sin(a)

        y, moves = moved(lambda a, A=A, B=B: _zero(A, B, a), (a, np.eye(p)))
        y, truth = y[0], moves.T
        F_y, F_a = A + np.diag(0.6 * y**2), -B * np.cos(a)
        got = attempt(F, y.copy(), a.copy())
        turned = "that is the transpose. Row i belongs to y_i, column k to a_k."
        other = "that solves with F_a. The unknown is y_dot: solve with F_y."
        yield Case(
            f"F(y, a) = A y + y^3/5 - B sin(a), A = {A.tolist()}, B = {B.tolist()}, a = {a.tolist()}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (-truth, "the sign is reversed: F stays 0, so F_y y_dot = -F_a a_dot."),
                (np.linalg.solve(F_y.T, -F_a), "F_y is transposed. That is for cotangents."),
                (np.linalg.solve(F_y.T, F_a), "F_y is transposed, and the sign is reversed."),
                (-F_y @ F_a, "that multiplies by F_y. Solve with it."),
                (F_y @ F_a, "that multiplies by F_y. Solve with it, and mind the sign."),
                (np.linalg.solve(np.eye(m) - F_y, F_a), "that is right for a fixed point y = F(y, a). Here F = 0."),
                (F_a, "that is F_a alone. y moves too, and F with it by F_y."),
                (-F_a, "that is -F_a alone. y moves too, and F with it by F_y."),
                (-F_a / F_y.diagonal()[:, None], "that divides by the diagonal of F_y. Its other entries count too."),
                (-np.linalg.pinv(F_a) @ F_y, other),
                (np.linalg.pinv(F_a) @ F_y, other),
                (truth.T, turned),
                (-truth.T, f"the sign is reversed, and {turned}"),
                (-F_a.T @ np.linalg.inv(F_y), "solve from the left with F_y. Which of the two has the rows of y?"),
                (np.shape(got) == (m, m) != (m, p), "that is F_y, or its inverse. Multiply it with F_a."),
            ),
            hint="F_y has shape (m, m) and F_a has shape (m, p). F stays 0 when a and y move together.",
        )


def _fifth(a):
    return settled(lambda y: y - (y**5 + y - a) / (5 * y**4 + 1), a, 100)


@exercise("implicit.second")
def _(attempt):
    for a in 2.0, -3.0, 0.5, 40.0:
        circle = np.exp(2j * np.pi * np.arange(64) / 64)
        y, slope, bend = (np.fft.fft(_fifth(a + 0.2 * circle))[:3] / 64).real / [1, 0.2, 0.02]
        got = attempt(a)
        yield several(f"a = {a:g}", got, "y", "y'", "y''")
        yield Case(
            f"y, a = {a:g}",
            got[0],
            y,
            slips=(
                (np.iscomplexobj(got[0]), "one of the five roots is real. Return that one, as a float."),
                (np.sign(a) * abs(a) ** 0.2, "that is the root of y^5 = a."),
                (a**5 + a, "that puts a into the equation. y is to be found."),
            ),
            hint="does y^5 + y give a again? Are there enough steps?",
        )
        yield Case(
            f"y', a = {a:g}",
            got[1],
            slope,
            slips=(
                (5 * y**4 + 1, "that is da/dy."),
                (1 / (5 * y**4), "the y in y^5 + y moves too."),
                (1 / (5 * a**4 + 1), "y, not a, belongs into the derivative of y^5 + y."),
                (-slope, "the sign is reversed: y grows with a."),
                (1 / (y**4 + 1), "the derivative of y^5 is 5 y^4."),
                (bend, "that is y''. y' comes before it."),
            ),
            hint="differentiate both sides of y^5 + y = a.",
        )
        yield Case(
            f"y'', a = {a:g}",
            got[2],
            bend,
            slips=(
                (-bend, "the sign is reversed: where y > 0, the slope falls as y grows."),
                (bend / slope, "y' is missing once: in 1 / (5 y^4 + 1), y depends on a."),
                (bend / slope**2, "y' enters more than once. Differentiate (5 y^4 + 1) y' = 1 as a product."),
                (bend / slope**3, "so y^5 bends, but for the sign, as y moves. Here a moves."),
                (-bend / slope, "y' is missing once, and the sign is reversed."),
                (bend / 2, "half of it. A Taylor coefficient?"),
                (bend / 4, "the derivative of 5 y^4 is 20 y^3."),
                (bend / 5, "the derivative of 5 y^4 is 20 y^3."),
                (slope**2, "that is the square of y'."),
                (1 / (20 * y**3), "that is not how an inverse function bends. Differentiate (5 y^4 + 1) y' = 1."),
                (0.0, "y' is not the same for all a."),
            ),
            hint="differentiate (5 y^4 + 1) y' = 1 once more: both factors depend on a.",
        )
