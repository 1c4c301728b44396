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


_CLEARED = "Is the gradient cleared after backward, and before it is used?"
_BY_TORCH = {
    "leaf Variable": "the step itself is not to be recorded. Keep torch.no_grad() around it.",
    "does not require grad": "`w = w - ...` makes a new tensor, which records nothing. Change w in place, with -=.",
    "no attribute 'zero_'": "before the first backward `.grad` is None, and there is nothing to fill with zeros.",
    "'NoneType'": f"`.grad` is None. {_CLEARED} Or did `w = w - ...` make a new tensor?",
}


@exercise("frameworks.slip")
def _(attempt):
    random = np.random.default_rng(22)
    for steps in 3, 1, 8:
        x, t, w, rate = np.round(random.uniform([1.2, 2.0, -1.0, 0.06], [1.9, 4.0, -0.3, 0.14]), 2).tolist()

        def end(rate, steps=steps, x=x, t=t, w=w):
            """Return w after so many steps: each one shrinks its distance from t / x by the same factor."""
            return t / x + (w - t / x) * (1 - rate * x**2) ** steps

        given = f"x = {x}, t = {t}, w = {w}, rate = {rate}, steps = {steps}"
        try:
            got = attempt(x, t, w, rate, steps)
        except (AttributeError, RuntimeError, TypeError) as error:
            yield _refused(given, error, "a number", _BY_TORCH)
        got = np.asarray(got.detach() if hasattr(got, "detach") else got)  # a tensor of PyTorch
        yield Case(
            given,
            got.reshape(()) if got.size == 1 else got,
            end(rate),
            rtol=1e-4,
            slips=(
                (
                    steps > 1 and _same(got, _accumulated(x, t, w, rate, steps)),
                    "that is the slip itself. What does `.grad` hold when the second step is taken?",
                ),
                (w, f"w has not moved. {_CLEARED}"),
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

_UNCALLED = "that is a function; call it with w, X and t."
_TWO_RESULTS = "one array is asked for. Is that a tuple, as of value_and_grad? Its second part is the gradient."
_BY_JAX = {
    "traced array": "under vmap a number has no value yet: jnp.minimum, not min or `if`, and jnp, not np.",
    "scalar-output": "loss takes one example, and grad wants one number: take the gradient first, then map it.",
    "inconsistent sizes": "X and t have a row for each example, and w has not. Does vmap know?",
    "'function'": _UNCALLED,
    "'tuple'": _TWO_RESULTS,
    "broadcast": "one length for each row: with keepdims=True the lengths are a column.",
}


@exercise("frameworks.per_example")
def _(attempt):
    random = np.random.default_rng(27)
    for (name, (loss, slope)), (N, n) in zip(_LOSSES.items(), ((4, 2), (3, 5)), strict=True):
        w, X, t = random.normal(size=n), random.normal(size=(N, n)), random.uniform(0.3, 2.0, size=N)
        slopes = slope(X @ w, t)[:, None]
        rows = slopes * X
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        limit = round(float(np.sort(lengths, axis=None)[:2].mean()), 3)  # all but the shortest are longer
        given, wanted = f"{name}, N = {N}, n = {n}, limit = {limit}", f"an array of shape ({n},)"
        try:
            got = attempt(loss, w.copy(), X.copy(), t.copy(), limit)
        except (TypeError, ValueError) as error:
            yield _refused(given, error, wanted, _BY_JAX)
        yield Case(given, "a function", wanted, passes=not callable(got), hint=_UNCALLED)
        yield Case(given, got, wanted, passes=_one_array(got), hint=_TWO_RESULTS)
        truth = _clipped(rows, limit).sum(axis=0)
        together = "that clips the gradient of all examples together. Clip each one, and then add."
        yield Case(
            given,
            got,
            truth,
            rtol=1e-4,
            slips=(
                (rows.sum(axis=0), "none was clipped: that is the gradient of the sum."),
                (_clipped(rows.sum(axis=0), limit), together),
                (_clipped(rows.mean(axis=0), limit), together),
                (np.clip(rows, -limit, limit).sum(axis=0), "clipped entry by entry. Scale each gradient as a whole."),
                ((limit / lengths * rows).sum(axis=0), "all have the length limit. A shorter one stays as it is."),
                ((np.maximum(1, limit / lengths) * rows).sum(axis=0), "the short ones are stretched. Is max for min?"),
                (
                    (np.minimum(1, limit / np.linalg.norm(rows)) * rows).sum(axis=0),
                    "one length for all gradients together. Each has a length of its own: axis=1.",
                ),
                (truth / N, "that is the mean of the clipped gradients. Add them up."),
                (_clipped(rows, limit), "those are the clipped gradients, one a row. Add them up."),
                (rows, "those are the gradients, one a row. Clip each, and add them up."),
                (_clipped(slopes * w, limit).sum(axis=0), "by x. The first argument of loss is w."),
                (
                    _clipped(slope(X @ w, t[0])[:, None] * X, limit).sum(axis=0),
                    "every example has the target of the first one: t has one for each.",
                ),
                (-truth, "the sign is reversed. The gradients themselves are added, not steps."),
            ),
            hint="for each example: its gradient g, times the smaller of 1 and limit / |g|. Then the sum.",
        )


def _clipped(rows, limit):
    return rows * np.minimum(1, limit / np.linalg.norm(rows, axis=-1, keepdims=True))


def _one_array(got):
    try:
        np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        return False
    return True


def _refused(given, error, wanted, hints):
    """Return the case of an attempt that raised a typical error, told by its words, or raise any other one."""
    for words, hint in hints.items():
        if words in str(error):
            return Case(given, str(error).splitlines()[0], wanted, passes=False, hint=hint)
    raise error


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
