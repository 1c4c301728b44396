"""The exercises of the chapter on slips."""

import jax
import jax.numpy as jnp
import numpy as np

from autodiff_tutorial.exercises.judge import Case, dictionary, exercise


@exercise("errata.units")
def _(attempt):
    yield dictionary(attempt, "s = 0.1", "s = 4")
    for spacing in 0.1, 4.0:
        x = spacing * np.arange(11.0)
        yield Case(
            f"s = {spacing:g}",
            attempt[f"s = {spacing:g}"],
            np.gradient(np.gradient(3 * x**2), x)[5],
            slips=(
                (6 / spacing, "the other way round. The inner call should have divided by s, and divides by 1."),
                (6 * spacing**2, "that would be so if the outer call did not know the grid either."),
                (6.0, "that is the true one. The inner call is not told the grid."),
                (spacing, "that is a factor. Of what?"),
            ),
            hint="the inner call returns differences of y over one point, not over s. The outer call knows the grid.",
            secret=True,
        )


@exercise("errata.shapes")
def _(attempt):
    for n, m in ((3, 2), (4, 1), (1, 5)):
        got = attempt(n, m)
        yield dictionary(got, "J", "x_dot", "x_bar", "y_dot", "y_bar", secret=False)
        at_input, at_output = (n,), (m,)
        rows = {"J": (m, n), "x_dot": at_input, "x_bar": at_input, "y_dot": at_output, "y_bar": at_output}
        for key, shape in rows.items():
            read = tuple(got[key]) if isinstance(got[key], list | tuple) else got[key]
            other = at_output if shape == at_input else at_input
            slips = [(other, "that is the shape at the other end of the function.")]
            if key == "J":
                slips = [((n, m), "that is its transpose: J takes a change of the input to one of the output.")]
            yield Case(
                f"n = {n}, m = {m}, the shape of {key}",
                got[key],
                shape,
                passes=read == shape,
                slips=[(read == wrong, words) for wrong, words in slips],
                hint="a tuple: tangents and cotangents are shaped like what they belong to, and J x_dot = y_dot.",
            )


@exercise("errata.budget")
def _(attempt):
    for n in 4, 12:
        got = attempt(n)
        yield dictionary(got, "value", "reverse", "forward")
        products = n - 1
        own = {
            "value": (products, ((n, "n factors need one product fewer."),)),
            "reverse": (
                2 * products,
                (
                    (products, "each product hands a share to both of its factors."),
                    (3 * products, "that is with the value. The statement asks for the sweep alone."),
                    (n * products, "all n derivatives come out of one sweep."),
                ),
            ),
            "forward": (
                2 * products * n,
                (
                    (2 * products, "that is one direction. There are n."),
                    (products * n, "the tangent of a product has two terms."),
                    (3 * products * n, "that counts the value, and n times."),
                    (2 * products * n + products, "that is with the value."),
                ),
            ),
        }
        for key, (count, slips) in own.items():
            hint = "how many products are there, and how many multiplications does each of them cost here?"
            yield Case(f"n = {n}, {key}", got[key], count, slips=slips, hint=hint, secret=True)


def _maps():
    """Return functions with their cotangents by hand, right and wrong: name to f, vjp, length of x, verdict."""

    def chain(x):
        return jnp.sin(x[:-1]) * x[1:]

    def right(x, y_bar, first=1.0, second=1.0, swap=False, only=None):
        shares = y_bar * jnp.cos(x[:-1]) * x[1:], y_bar * jnp.sin(x[:-1])
        shares = shares[::-1] if swap else shares
        if only is not None:
            shares = (shares[0].at[only].multiply(1.02), shares[1])
        x_bar = jnp.zeros_like(x)
        return x_bar.at[:-1].add(first * shares[0]).at[1:].add(second * shares[1])

    weights = jnp.asarray(np.random.default_rng(3).normal(size=(3, 6)))
    return {
        "a right one": (chain, right, 6, False),
        "one with the shares of two inputs exchanged": (chain, lambda x, y: right(x, y, swap=True), 6, True),
        "one without the second share": (chain, lambda x, y: right(x, y, second=0.0), 6, True),
        "one of the wrong sign": (chain, lambda x, y: -right(x, y), 6, True),
        "one that is 2 % off in one place": (chain, lambda x, y: right(x, y, only=4), 11, True),
        "one that is 2 % off in the first place": (chain, lambda x, y: right(x, y, only=0), 11, True),
        "one that is 2 % off in the last place": (chain, lambda x, y: right(x, y, only=-1), 11, True),
        "a right one of a matrix": (lambda x: weights @ x, lambda x, y: weights.T @ y, 6, False),
        "a right one of a matrix, a million times as large": (
            lambda x: 1e6 * weights @ x,
            lambda x, y: weights.T @ (1e6 * y),
            6,
            False,
        ),
        "one that adds up all shares in each place": (
            lambda x: weights @ x,
            lambda x, y: jnp.full(x.shape, (weights.T @ y).sum()),
            6,
            True,
        ),
    }


@exercise("errata.catch")
def _(attempt):
    random = np.random.default_rng(5)
    for name, (f, vjp, n, wrong) in _maps().items():
        x = jnp.asarray(random.normal(size=n))
        y_bar = jnp.asarray(random.normal(size=jax.eval_shape(f, x).shape))
        got = attempt(f, vjp, x, y_bar)
        hint = "an honest vjp was called wrong. Roundoff is in proportion to the numbers that are compared."
        if wrong:
            hint = "it got through. Is every entry of your direction different from the others, and none of them zero?"
        flag = np.ndim(got) == 0 and np.asarray(got).dtype == np.bool_
        if not flag:
            hint = "it should return True or False."
        yield Case(name, got, wrong, passes=flag and bool(got) == wrong, hint=hint)


@exercise("errata.slip")
def _(attempt):
    random = np.random.default_rng(11)
    for dtype in (np.float32, np.float64):
        for n in 2, 5, 20:
            x, v = random.uniform(-1, 1, size=n), random.normal(size=n)
            weights = random.uniform(0.5, 1.5, size=n) / np.sqrt(n)
            # A direction along the gradient at least in part, so that 2 % of the slope are 2 % of something.
            gradient = weights * np.cos(x)
            v = gradient / np.linalg.norm(gradient) + 0.3 * v / np.linalg.norm(v)
            x, v, weights = (part.astype(dtype) for part in (x, v / np.linalg.norm(v), weights))
            gradient = weights * np.cos(x)

            def f(x, weights=weights):
                return (weights * np.sin(x)).sum(dtype=x.dtype)

            for factor in 1.0, 1.02, 0.98, -1.0:
                got = attempt(f, (factor * gradient).astype(dtype), x, v)
                name = f"{np.dtype(dtype).name}, {n} variables, the gradient times {factor:g}"
                hint = "it was trusted. What is the error of the difference, and how wide is the tolerance?"
                if factor == 1.0:
                    hint = "it was not trusted. Does the step suit the format, and is there room for its error?"
                yield Case(name, bool(got), factor == 1.0, passes=bool(got) == (factor == 1.0), hint=hint)


@exercise("errata.name")
def _(attempt):
    x = np.linspace(0.0, 9.0, 60)
    curves = {
        "a parabola": x**2,
        "a straight line, from 300,000 to 1,200,000": 1e5 * x + 3e5,
        "a straight line, from -300,000 to -1,200,000": -1e5 * x - 3e5,
        "a sine": np.sin(x),
        "minus a sine, a million times as large": -1e6 * np.sin(x),
        "five points, 0 0 1 0 0": np.array([0.0, 0.0, 1.0, 0.0, 0.0]),
    }
    for name, y in curves.items():
        second = np.diff(y, 2)
        places = 1 + np.flatnonzero(second > 1e-12 * np.abs(y).max())
        right = 1 + np.flatnonzero(second < -1e-12 * np.abs(y).max())
        yield Case(
            name,
            attempt(y),
            places,
            slips=(
                (places - 1, "each is one too small: the second difference of three points belongs to the middle one."),
                (right, "that is where it bends to the right."),
                (1 + np.flatnonzero(second >= 0), "a straight piece bends neither way."),
                (1 + np.flatnonzero(second > 0), "roundoff bends as well. Ask for more than 1e-12 of the largest |y|."),
            ),
            hint="the indices i, as integers, where y[i - 1] - 2 y[i] + y[i + 1] is larger than 1e-12 times max |y|.",
        )
