"""What expectations are taken over: distributions, as a sampler and a density."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import stats

from autodiff_tutorial.custom_rules.checking import checked_floats, is_traced
from autodiff_tutorial.linear_maps.checking import kind_of


class Distribution(NamedTuple):
    """What is drawn, and how probable it was.

    Attributes
    ----------
    sample : callable
        `sample(key, params)` draws one x, an array or a pytree.
    log_prob : callable
        `log_prob(x, params)` is the logarithm of the density of that x, or of its probability: one number. Where it
        is finite must not depend on the parameters, or the score estimator misses what crosses the edge.
    reparameterized : bool
        Whether `sample` with a fixed key is a smooth function of the parameters, whose derivative JAX knows.

    Examples
    --------
    >>> from autodiff_tutorial.integrals import expectation_gradient
    >>> categorical = Distribution(
    ...     sample=lambda key, params: jax.random.categorical(key, params["logits"]),
    ...     log_prob=lambda x, params: jax.nn.log_softmax(params["logits"])[x],
    ... )
    >>> prizes, params = jnp.array([0.0, 1.0, 5.0]), {"logits": jnp.zeros(3)}
    >>> found = expectation_gradient(lambda x: prizes[x], categorical, params, jax.random.key(0), 100_000)
    >>> exact = (prizes - 2) / 3
    >>> print(abs(found.gradient["logits"] - exact) < 4 * found.gradient_error["logits"])
    [ True  True  True]
    """

    sample: Callable
    log_prob: Callable
    reparameterized: bool = False


def _independent(draw, log_density, reparameterized=False, **domain):
    """Return a distribution of independent elements, and the open interval of each of its parameters."""

    def sample(key, params):
        leaves = params.values()
        return draw(key, jnp.broadcast_shapes(*(p.shape for p in leaves)), jnp.result_type(*leaves), **params)

    return Distribution(sample, lambda x, params: jnp.sum(log_density(x, **params)), reparameterized), domain


POSITIVE = (0, np.inf)
BUILT_IN = {
    "normal": _independent(
        lambda key, size, dtype, loc, scale: loc + scale * jax.random.normal(key, size, dtype),
        stats.norm.logpdf,
        reparameterized=True,
        loc=(-np.inf, np.inf),
        scale=POSITIVE,
    ),
    "exponential": _independent(
        lambda key, size, dtype, rate: jax.random.exponential(key, size, dtype) / rate,
        lambda x, rate: jnp.log(rate) - rate * x,
        reparameterized=True,
        rate=POSITIVE,
    ),
    "gamma": _independent(
        lambda key, size, dtype, shape, rate: jax.random.gamma(key, shape, size, dtype) / rate,
        lambda x, shape, rate: stats.gamma.logpdf(x * rate, shape) + jnp.log(rate),
        reparameterized=True,
        shape=POSITIVE,
        rate=POSITIVE,
    ),
    "bernoulli": _independent(
        lambda key, size, dtype, p: jax.random.bernoulli(key, p, size, mode="high").astype(dtype),
        lambda x, p: stats.bernoulli.logpmf(x, p),
        p=(0, 1),
    ),
    # JAX draws counts in float32, whatever is asked for: at a rate of 10^6 their variance is off by 2 %.
    "poisson": _independent(
        lambda key, size, dtype, rate: jax.random.poisson(key, rate, size).astype(dtype),
        lambda x, rate: stats.poisson.logpmf(x, rate),
        rate=(0, 1e4),
    ),
}


def checked_distribution(call, distribution, params, estimator) -> tuple[Distribution, Any, Any]:
    """Return a distribution, its parameters as arrays of one dtype, and whether they lie in its domain."""
    name, domain = distribution, None
    if isinstance(name, str) and name in BUILT_IN:
        distribution, domain = BUILT_IN[name]
    if not isinstance(distribution, Distribution):
        names = ", ".join(map(repr, BUILT_IN))
        raise ValueError(f"`{call}(distribution=...)` should be a `Distribution`, or one of {names}. Got {name!r}.")
    if estimator not in ("score", "reparameterized"):
        raise ValueError(f"`{call}(estimator=...)` should be one of 'score', 'reparameterized'. Got {estimator!r}.")
    if estimator == "reparameterized" and not distribution.reparameterized:
        raise ValueError(
            f"`{call}(estimator=...)` should be 'score' for {name if domain else 'a distribution'}, "
            f"which has no reparameterization. Got {estimator!r}."
        )
    if domain and (not isinstance(params, dict) or params.keys() != domain.keys()):
        got = ", ".join(map(str, params)) or "none" if isinstance(params, dict) else kind_of(params)
        raise ValueError(f"`{call}(params=...)` should be a dictionary of {', '.join(domain)}, for {name}. Got {got}.")
    checked = jax.tree.map(lambda leaf: checked_floats(f"{call}(params=...)", leaf), params)
    if sum(leaf.size for leaf in jax.tree.leaves(checked)) == 0:
        raise ValueError(f"`{call}(params=...)` should not be empty. Got no numbers.")
    dtype = jnp.result_type(*jax.tree.leaves(params))
    checked = jax.tree.map(lambda leaf: leaf.astype(dtype), checked)
    return distribution, checked, _in_domain(call, checked, domain) if domain else True


def _in_domain(call, params, domain):
    shapes = {name: leaf.shape for name, leaf in params.items()}
    try:
        jnp.broadcast_shapes(*shapes.values())
    except ValueError as error:
        raise ValueError(f"`{call}(params=...)` should have shapes that broadcast. Got {shapes}.") from error
    valid = True
    for name, (lower, upper) in domain.items():
        inside = (lower < params[name]) & (params[name] < upper)
        if not is_traced(inside) and not np.all(inside):
            first = np.asarray(params[name])[~np.asarray(inside)].flat[0]
            raise ValueError(
                f"`{call}(params=...)` should have {name} between {lower} and {upper}, without these. Got {first}."
            )
        valid &= jnp.all(inside)
    return valid
