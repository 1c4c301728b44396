"""The exercises of the chapter on frameworks: a training loop, many examples, and trees of parameters."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.judge import Case, exercise


def _accumulated(x, t, w, rate, steps):
    total = 0.0
    for _ in range(steps):
        total += (w * x - t) * x
        w -= rate * total
    return w


@exercise("frameworks.slip")
def _(attempt):
    random = np.random.default_rng(22)
    for steps in 3, 1, 8:
        x, t, w, rate = np.round(random.uniform([1.2, 2.0, -1.0, 0.06], [1.9, 4.0, -0.3, 0.14]), 2).tolist()

        def end(rate, steps=steps, x=x, t=t, w=w):
            """Return w after so many steps: each one shrinks its distance from t / x by the same factor."""
            return t / x + (w - t / x) * (1 - rate * x**2) ** steps

        got = attempt(x, t, w, rate, steps)
        got = np.asarray(got.detach() if hasattr(got, "detach") else got)  # a tensor of PyTorch
        yield Case(
            f"x = {x}, t = {t}, w = {w}, rate = {rate}, steps = {steps}",
            got.reshape(()) if got.size == 1 else got,
            end(rate),
            rtol=1e-4,
            slips=(
                (
                    steps > 1 and _same(got, _accumulated(x, t, w, rate, steps)),
                    "that is the slip itself. What does `.grad` hold when the second step is taken?",
                ),
                (w, "w has not moved. Is the gradient cleared after backward, and before it is used?"),
                (end(-rate), "the sign is reversed: that climbs. L falls against the gradient."),
                (end(2 * rate), "each step is twice too long. The 2 of the square cancels the 1/2."),
                (end(rate / 2), "each step is half as long as it should be. L has its 1/2 already."),
                (end(rate, steps + 1), "one step too many."),
                (end(rate, steps - 1), "one step too few."),
                (end(1.0), "the rate is left out: a step is rate times the gradient."),
                (end(rate / x), "a factor x is missing: L changes with w by way of w x."),
                ((w * x - t) ** 2 / 2, "that is L at the start. Return w at the end."),
                ((end(rate) * x - t) ** 2 / 2, "that is L at the end. Return w."),
            ),
            hint="in each step w changes by -rate (w x - t) x, with the w of that step alone.",
        )


def _same(got, expected):
    return got.size == 1 and bool(np.isclose(float(got.reshape(())), expected, rtol=1e-4, atol=0.0))


# A loss for one example, and its slope over z = w . x.
_LOSSES = {
    "loss = log(1 + exp(-t w.x))": (
        lambda w, x, t: jnp.log1p(jnp.exp(-t * (x @ w))),
        lambda z, t: -t / (1 + np.exp(t * z)),
    ),
    "loss = (tanh(w.x) - t)^2 / 2": (
        lambda w, x, t: (jnp.tanh(x @ w) - t) ** 2 / 2,
        lambda z, t: (np.tanh(z) - t) / np.cosh(z) ** 2,
    ),
}


@exercise("frameworks.per_example")
def _(attempt):
    random = np.random.default_rng(23)
    for (name, (loss, slope)), (N, n) in zip(_LOSSES.items(), ((3, 2), (2, 4)), strict=True):
        w, X, t = random.normal(size=n), random.normal(size=(N, n)), random.uniform(0.3, 2.0, size=N)
        given = f"{name}, N = {N}, n = {n}"
        try:
            got = attempt(loss, w.copy(), X.copy(), t.copy())
        except (TypeError, ValueError) as error:
            text = " ".join(str(error).split())
            if "scalar-output" not in text and "inconsistent sizes" not in text:
                raise
            yield Case(
                given,
                text,
                f"an array of shape ({N}, {n})",
                passes=False,
                slips=(("scalar-output" in text, "loss takes one example: a row of X, and an entry of t."),),
                hint="X and t have a row for each example, and w has not. Does vmap know?",
            )
        slopes = slope(X @ w, t)[:, None]
        truth = slopes * X
        yield Case(
            given,
            got,
            truth,
            rtol=1e-4,
            slips=(
                (truth.sum(axis=0), "that is the gradient of the sum. Each example has a gradient of its own."),
                (truth.mean(axis=0), "that is the gradient of the mean. Each example has a gradient of its own."),
                (np.asarray(loss(w, X, t)), "those are the losses. Their gradients are asked for."),
                (truth.T, "that is the transpose. Row i belongs to example i: shape (N, n)."),
                (slopes * w, "that is the gradient with respect to x. The first argument of loss is w."),
                (np.tile(truth[0], (N, 1)), "every row is the gradient of the first example."),
                (slope(X @ w, t[0])[:, None] * X, "every row has the target of the first example: t has one for each."),
                (truth / N, "divided by N. The gradient of one example knows nothing of the others."),
                (-truth, "the sign is reversed. The gradient itself is asked for, not a step."),
            ),
            hint="row i is what jax.grad gives for example i alone, X[i] and t[i].",
        )


def _trees(random):
    """Yield names and parameters, from flat to nested."""
    yield "a dictionary of two arrays", {"W": random.normal(size=(2, 3)), "b": random.normal(size=2)}
    layers = [(random.normal(size=(2, 3)), random.normal(size=2)), (random.normal(size=(1, 2)), random.normal(size=1))]
    yield "a list of pairs", layers
    yield (
        "a dictionary of dictionaries, lists and tuples",
        {"body": layers, "head": {"scale": random.normal(size=3), "more": ([random.normal(size=2)],)}},
    )


@exercise("frameworks.tree")
def _(attempt):
    random = np.random.default_rng(24)
    for i, (name, params) in enumerate(_trees(random)):
        leaves, structure = jax.tree.flatten(params)
        grads = structure.unflatten([random.normal(size=p.shape) for p in leaves])
        rate = round(random.uniform(0.1, 0.4), 2)
        given = f"{name}, rate = {rate}"
        lent = jax.tree.map(np.copy, (params, grads))
        try:
            got = attempt(*lent, rate)
        except (TypeError, AttributeError, KeyError, IndexError) as error:
            if i == 0:
                raise
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            hint = "containers may lie in each other, at any depth. Which function of JAX reaches every leaf?"
            yield Case(given, text, "a tree like params", passes=False, hint=hint)
        inputs = {"params": params, "grads": grads}
        changed = [name for name, tree in zip(inputs, lent, strict=True) if not _equal(tree, inputs[name])]
        yield Case(
            f"the inputs that the call has changed, {given}",
            " and ".join(changed),
            "none",
            passes=not changed,
            hint="leave the inputs as they were. Make new arrays and containers: `p -= ...` works in place.",
        )
        own, kept = jax.tree.flatten(got)
        p, g, values = _row(leaves), _row(jax.tree.leaves(grads)), _row(own)
        truth = p - rate * g
        right = values.shape == truth.shape and np.allclose(values, truth, rtol=1e-4, atol=1e-5)
        lost = "the numbers are right, and the structure is lost: a tuple stays a tuple, a dictionary a dictionary."
        yield Case(
            f"the structure, {given}",
            str(kept),
            str(structure),
            passes=kept == structure,
            slips=((bool(right), lost),),
            hint="what you return should be built like params, with an array for each array.",
        )
        shapes = [np.shape(leaf) for leaf in leaves]
        yield Case(
            f"the shapes, {given}",
            str([np.shape(leaf) for leaf in own]),
            str(shapes),
            passes=[np.shape(leaf) for leaf in own] == shapes,
            hint="each array keeps its shape.",
        )
        yield Case(
            f"all numbers in one row, {given}",
            values,
            truth,
            rtol=1e-5,
            slips=(
                (p + rate * g, "the sign is reversed: a descent goes against the gradient."),
                (p - g, "the rate is not used."),
                (p, "those are the parameters as they were."),
                (g, "those are the gradients. Return the new parameters."),
                (rate * g, "that is the step alone. It starts at the parameters."),
                (-rate * g, "that is the step alone. It starts at the parameters."),
                (rate * p - g, "the rate belongs to the gradient."),
                (g - rate * p, "parameters and gradients are swapped."),
            ),
            hint="at each leaf: the parameter, minus rate times its gradient.",
        )


def _row(leaves):
    return np.concatenate([np.ravel(leaf) for leaf in leaves] or [[]])


def _equal(tree, other):
    same = jax.tree.structure(tree) == jax.tree.structure(other)
    return same and all(map(np.array_equal, jax.tree.leaves(tree), jax.tree.leaves(other)))
