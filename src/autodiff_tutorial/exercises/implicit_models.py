"""The exercises of the chapter on implicit differentiation that deal with models: a fit, a market and a layer."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.forward_mode import moved
from autodiff_tutorial.exercises.implicit import settled
from autodiff_tutorial.exercises.judge import Case, exercise


@exercise("implicit.ridge")
def _(attempt):
    random = np.random.default_rng(45)
    for m, n, lam in (5, 2, 0.7), (4, 3, 1.8), (3, 5, 1.5):
        X, t = np.round(random.uniform(-2, 2, size=(m, n)), 1), np.round(random.uniform(-3, 3, size=m), 1)
        gram = X.T @ X
        w, truth = moved(lambda lam, G=gram, r=X.T @ t: np.linalg.solve(G + lam * np.eye(len(G)), r), (lam, 1.0))
        H = gram + lam * np.eye(n)
        got = attempt(X.copy(), t.copy(), lam)
        factor = "both derivatives of the gradient by w and by lam have a factor 2. It cancels, or is in neither."
        yield Case(
            f"X = {X.tolist()}, t = {t.tolist()}, lam = {lam}",
            got,
            truth,
            rtol=1e-5,
            slips=(
                (-truth, "the sign is reversed: the gradient stays 0, so that H w_dot = -(what lam changes in it)."),
                (2 * truth, factor),
                (truth / 2, factor),
                (w, "that is w itself."),
                (-w, "the derivative of an inverse has the inverse twice, on either side. One is left out."),
                (np.linalg.solve(H, truth), "that has one inverse too many: w holds one already."),
                (-w / lam, "that treats X^T X as if it were not there."),
                (-np.linalg.lstsq(gram, w)[0], "the Hessian holds the penalty too: X^T X + lam I."),
                (-H @ w, "that multiplies by the Hessian. Solve with it."),
                (lam * truth, "the derivative of lam w by lam is w."),
                (-w / H.diagonal(), "that divides by the diagonal. The other entries of X^T X count too."),
                (-np.linalg.solve(H, np.ones(n)), "the derivative of lam w by lam is w, not a vector of ones."),
                (-np.linalg.inv(H), "that is a matrix. What does it multiply?"),
            ),
            hint="at the least value, X^T (X w - t) + lam w = 0. Let lam and w move together.",
        )


def _excess(p, t):
    first, second = p
    taxed = np.exp(2 - first + 0.4 * second) - 2 * (first - t)
    return np.array([taxed, np.exp(1.5 + 0.3 * first - second) - 3 * second])


def _prices(t):
    """Let prices rise where more is asked for than offered, until they settle."""
    return settled(lambda p: p + 0.15 * _excess(p, t), np.ones(2) + 0 * t)


def _slopes(p, t):
    """Return the derivatives of the excess by the prices and by the tax."""
    F_p = np.stack([moved(_excess, (p, e), (t, 0.0))[1] for e in np.eye(2)], axis=1)
    return F_p, moved(_excess, (p, np.zeros(2)), (t, 1.0))[1]


@exercise("implicit.market")
def _(attempt):
    for t in 0.5, 0.0, 2.0, 1.2:
        p, truth = moved(_prices, (t, 1.0))
        F_p, F_t = _slopes(p, t)
        start, untaxed = (-np.linalg.solve(*_slopes(q, s)) for q, s in ((np.ones(2), t), (_prices(0.0), 0.0)))
        got = attempt(t)
        pair = np.shape(got) == (2,) and np.isrealobj(got)
        taxed, other = np.asarray(got, dtype=float) if pair else (np.nan, np.nan)
        yield Case(
            f"t = {t}",
            got,
            truth,
            rtol=1e-6,
            slips=(
                (p, "those are the prices. How do they change with t?"),
                (-truth, "the sign is reversed: a tax makes good 1 dearer."),
                (truth - [1, 0], "the first is the change of what the sellers get. Give that of what the buyers pay."),
                (
                    [-F_t[0] / F_p[0, 0], 0],
                    "that is good 1 by itself. Buyers turn to good 2, and its price changes that of good 1 again.",
                ),
                (-np.linalg.solve(F_p.T, F_t), "F_p is transposed."),
                (np.linalg.solve(np.eye(2) - F_p, F_t), "that is right for a fixed point. Here the excess is 0."),
                (F_t, "that is F_t, the change of the excess with prices held. The prices answer to it."),
                (-F_t, "that is -F_t, with prices held. The prices answer: solve with F_p."),
                (start, "that is taken where the search begins, not at the equilibrium."),
                (untaxed if t else False, "that is taken at the equilibrium without tax. Find that of t."),
                (pair and bool(taxed < 0), "a tax makes good 1 dearer. Check the signs."),
                (
                    pair and bool(taxed > 1),
                    "buyers do not pay more than the whole tax here: part of it is borne by the sellers.",
                ),
                (pair and bool(other < 0), "buyers turn to good 2, and make it dearer. Check the signs."),
                (
                    pair and bool(abs(np.array([taxed, other]) - truth).max() < 1e-2),
                    "close. Are there enough steps, and are the derivatives exact?",
                ),
            ),
            hint="the excess stays 0 when t and the prices move together: F_p p_dot = -F_t t_dot.",
        )


# Words of the errors by which JAX refuses a rule, and what they come to.
_REFUSALS = {
    "Reverse-mode differentiation does not work": "JAX tries to reverse the loop. Put jax.custom_vjp around it.",
    "fwd rule": "the forward rule returns a pair: z, and what is kept for the way back.",
    "must produce a tuple": "the backward rule returns a tuple of two: W_bar and x_bar.",
    "corresponding to an input": "W_bar has the shape of W and x_bar that of x, and W_bar comes first.",
    "positional argument": "layer takes W and x, and the backward rule takes what was kept, in one, and z_bar.",
    "traced": "here the numbers have no values yet. Use jax.numpy, and neither NumPy nor float().",
}


def _refused(given, error):
    words = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for part, hint in _REFUSALS.items():
        if part in words:
            return Case(f"the derivative, {given}", words[:160], "two cotangents", passes=False, hint=hint)
    raise error


def _layers(W, X):
    """Return z for a stack of W and of x, by as many steps as it takes to settle."""
    return settled(lambda z: np.tanh((W @ z[..., None])[..., 0] + X), 0 * X)


def _pulled(W, X, z_bar):
    """Return z and both cotangents, for each x: entry by entry, by moving it."""
    (k, n), each = X.shape, X[:, None]
    z, by_x = moved(_layers, (W, 0 * W), (each, np.eye(n)))
    by_W = moved(_layers, (W, np.eye(n * n).reshape(n * n, n, n)), (each, 0 * each))[1]
    return z[:, 0], (by_W @ z_bar).reshape(k, n, n), by_x @ z_bar


@exercise("implicit.layer")
def _(attempt):
    random = np.random.default_rng(48)
    for n in 3, 6:
        W = random.uniform(-1, 1, size=(n, n))
        W = np.round(0.7 * W / np.linalg.norm(W, 2), 2)
        x, z_bar = np.round(random.uniform(0.3, 0.9, size=(2, n)) * random.choice([-1, 1], size=(2, n)), 1)
        X = np.stack([x, -x / 2, x**2])
        Z, W_bars, x_bars = _pulled(W, X, z_bar)
        given = f"W = {W.tolist()}, x = {x.tolist()}, z_bar = {z_bar.tolist()}" if n < 5 else f"n = {n}"
        yield Case(
            f"z, {given}",
            attempt(jnp.asarray(W), jnp.asarray(x)),
            Z[0],
            rtol=1e-5,
            slips=((np.tanh(x), "that is the first step. Repeat it."), (W @ Z[0] + x, "the tanh is missing.")),
            hint="start from zeros, and repeat z = tanh(W z + x).",
        )
        try:
            value, pullback = jax.vjp(attempt, jnp.asarray(W), jnp.asarray(x))
            kept = sum(np.size(leaf) for leaf in jax.tree.leaves(pullback))
            bars = pullback(jnp.asarray(z_bar, value.dtype))
        except Exception as error:
            yield _refused(given, error)
        yield from _cotangents(given, W, x, Z[0], z_bar, bars, (W_bars[0], x_bars[0]))
        most = 4 * n * n + 50 * n  # a hundred z are more, a few matrices are less
        yield Case(
            f"n = {n}: how many numbers are kept for the way back",
            kept,
            f"at most {most}",
            passes=kept <= most,
            hint="JAX reverses the loop step by step. The rule needs W and the last z only.",
        )
        given = f"three x, under jit and vmap, n = {n}"
        try:
            gradient = jax.grad(lambda W, x, z_bar=z_bar: attempt(W, x) @ z_bar, (0, 1))
            many = jax.jit(jax.vmap(gradient, (None, 0)))(W, X)
        except Exception as error:
            yield _refused(given, error)
        hint = "each x has a z of its own. Use jax.numpy, and no number that is fixed at the first call."
        for name, got, truth in zip(("W_bar", "x_bar"), many, (W_bars, x_bars), strict=True):
            yield Case(f"{name} for {given}", got, truth, rtol=1e-5, hint=hint)


def _cotangents(given, W, x, z, z_bar, bars, truths):
    n, d, (W_bar, x_bar) = len(x), 1 - z**2, truths
    f_z, eye = d[:, None] * W, np.eye(n)
    pulls = (
        (d * z_bar, "that pulls back through the last step alone. Solve with the transpose of I - f_z first."),
        (d * np.linalg.solve(eye - f_z, z_bar), "the transpose is missing: that solves with I - f_z itself."),
        (np.linalg.solve(eye - f_z.T, z_bar), "the slope of tanh is missing behind the solve: x is inside of it."),
        (d * np.linalg.solve(eye + f_z.T, z_bar), "the sign of f_z is reversed."),
        (d * np.linalg.solve(eye - W.T, z_bar), "f_z is not W: the slope of tanh, 1 - z^2, belongs to it."),
        (
            d * np.linalg.solve(eye - d[:, None] * W.T, z_bar),
            "the slope of tanh multiplies the rows of W in f_z, hence the columns of its transpose.",
        ),
        (
            d * np.linalg.solve(eye - d * W, z_bar),
            "the slope of tanh multiplies the rows of W in f_z, and then comes the transpose.",
        ),
        (-x_bar, "the sign is reversed."),
        (z_bar, "that is z_bar itself. x acts through tanh, and again and again through W."),
    )
    hint = "solve (I - f_z)^T u = z_bar, then pull u back through one step."
    yield Case(f"x_bar, {given}", bars[1], x_bar, rtol=1e-5, slips=pulls, hint=hint)
    yield Case(
        f"W_bar, {given}",
        bars[0],
        W_bar,
        rtol=1e-5,
        slips=(
            (W_bar.T, "that is the transpose. Row i of W belongs to entry i of W z."),
            (np.outer(x_bar, x), "W multiplies z, not x."),
            (np.outer(x_bar / d, z), "the slope of tanh is missing: W is inside of it."),
            *((np.outer(wrong, z), words) for wrong, words in pulls),
        ),
        hint="a change dW of W acts as a change dW z of x. What does x_bar say of it?",
    )
