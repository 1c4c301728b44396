"""Derivatives of expectations, from samples; it knows nothing of how they are drawn."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from autodiff_tutorial.custom_rules import safe_norm
from autodiff_tutorial.integrals.distributions import Distribution, checked_distribution
from autodiff_tutorial.integrals.quadrature import check_float
from autodiff_tutorial.linear_maps.checking import checked_size, kind_of

CALL = "integrals.expectation_gradient"
# How many numbers, of samples and of their gradients, are held at a time.
CHUNK = 2**17


class ExpectationGradient(NamedTuple):
    """An expectation and its gradient, estimated, each with its standard error.

    Attributes
    ----------
    value : array of float, shape ()
        The mean of f.
    value_error : array of float, shape ()
        Its standard error.
    gradient : pytree
        The gradient, structured as the parameters.
    gradient_error : pytree
        Its standard errors, element by element.
    """

    value: jax.Array
    value_error: jax.Array
    gradient: Any
    gradient_error: Any


def expectation_gradient(
    f: Callable,
    distribution: str | Distribution,
    params: Any,
    key: jax.Array,
    n: int,
    *,
    estimator: str = "score",
    baseline: bool = True,
) -> ExpectationGradient:
    r"""Estimate an expectation, and its gradient with respect to the parameters of the distribution.

    .. math:: \frac{\partial}{\partial \theta} \operatorname{E}[f(x)], \ x \sim p_\theta \quad \approx \quad
              \frac1n \sum_i (f(x_i) - b_i) \frac{\partial \log p_\theta(x_i)}{\partial \theta} \ \text{ (score)}, \quad
              \frac1n \sum_i \frac{\partial f(g(u_i, \theta))}{\partial \theta} \ \text{ (reparameterized)} .

    The baseline :math:`b_i` is the mean of f over the other samples. Both estimates are unbiased. The score asks
    nothing of f. The other, mostly more precise, needs a continuous f: it does not see what crosses a step, and is
    silently wrong there; for a hard cut it returns zero. Outcomes too rare to be drawn are missing from the estimates
    and from their errors alike.

    It costs n samples, and n gradients of f or of :math:`\log p`; with a baseline, n more samples and values of f. They
    are worked off in chunks. Sample i depends on the key and on i alone.

    Derivatives of what is returned are estimates, too: that of `value` with respect to the parameters is `gradient`,
    and with respect to what f closes over, the mean of the derivative of f. That of a reparameterized `gradient` needs
    a continuous slope of f; take the score where f has kinks. The standard errors count as constants, and tell of
    sampling, not of rounding.

    Parameters
    ----------
    f : callable
        Takes one x, and returns one float; traceable.
    distribution : str or Distribution
        'normal' (loc, scale), 'exponential' (rate), 'gamma' (shape, rate), 'bernoulli' (p), 'poisson' (rate, below
        10^4), or one's own.
    params : dict or pytree of floats
        The parameters. A distribution with a name takes a dictionary of numbers, or of arrays that broadcast: then x
        has that shape, and its elements are independent.
    key : array
        From `jax.random.key`.
    n : int
        How many samples, at least 2.
    estimator : {'score', 'reparameterized'}
        Discrete distributions have the score only.
    baseline : bool
        Whether to subtract the baseline from f, which the other estimator does not need.

    Returns
    -------
    ExpectationGradient
        NaN where a traced parameter lies outside of its domain; and, by the score, where a sample of 'gamma' is so
        small that it is rounded to 0. For shapes below 0.05, or 0.4 in float32, some are: take 'reparameterized'.

    Raises
    ------
    TypeError, ValueError
        If an option is unknown, f or `log_prob` does not return one float, or the parameters are not those of the
        distribution, lie outside of its domain, or are no floats.

    References
    ----------
    Williams (1992), Machine Learning 8, for the score; Kingma and Welling (2014), ICLR, and Figurnov, Mohamed and Mnih
    (2018), NeurIPS 31, for the other; Mnih and Rezende (2016), ICML, and Kool, van Hoof and Welling (2019), ICLR
    workshop on structured prediction, for the baseline; Foerster and others (2018), ICML, for derivatives of it all.

    Examples
    --------
    >>> params = {"loc": 1.0, "scale": 2.0}
    >>> found = expectation_gradient(lambda x: x**2, "normal", params, jax.random.key(0), 100_000)
    >>> print(abs(found.gradient["loc"] - 2) < 4 * found.gradient_error["loc"])
    True
    """
    distribution, params, valid = checked_distribution(CALL, distribution, params, estimator)
    n = _checked_options(key, n, baseline)
    flat, unravel = ravel_pytree(params)
    x_like = jax.eval_shape(distribution.sample, key, params)
    check_float(CALL, "f", f, x_like)
    check_float(CALL, "distribution.log_prob", distribution.log_prob, x_like, params)
    if estimator == "reparameterized" and not all(leaf.dtype.kind == "f" for leaf in jax.tree.leaves(x_like)):
        raise TypeError(
            f"`{CALL}(distribution=...)` should draw floats, to be reparameterized. "
            f"Got {', '.join(str(leaf.dtype) for leaf in jax.tree.leaves(x_like))}."
        )
    size = flat.size + sum(leaf.size for leaf in jax.tree.leaves(x_like))
    chunk = max(1, CHUNK // size)

    def drawn(i, params):
        return distribution.sample(jax.random.fold_in(key, i), params)

    def drawn_fixed(i):
        return jax.lax.stop_gradient(drawn(i, jax.lax.stop_gradient(params)))

    def value_at(x):
        return jnp.asarray(f(x), flat.dtype)

    # The mean of the others is (sum f - f_i) / (n - 1), so f_i - b_i = (f_i - mean f) n / (n - 1), and the estimate is
    # the sample covariance G of f and the score, the mean of n terms. Let v be their variance over n, as if they were
    # independent. As the score has mean zero, the variance of a sample covariance gives E v = var G - (c g)^2 with
    # g = E G and c = 1 / (n - 1). As E G^2 = var G + g^2, the variance (v + (c G)^2) / (1 + c^2) is unbiased.
    center, scale, c = 0.0, 1.0, 0.0
    if estimator == "score" and baseline:
        (center,), (value_error,) = _mean_and_error(lambda i: value_at(drawn_fixed(i))[None], n, chunk)
        scale, c = n / (n - 1), 1 / (n - 1)

    def term(flat, i):
        params = unravel(flat)
        if estimator == "reparameterized":
            return value_at(drawn(i, params))
        x = drawn_fixed(i)
        log_p = distribution.log_prob(x, params)
        # The factor is 1, and carries all derivatives of p.
        return (value_at(x) - center) * scale * jnp.exp(log_p - jax.lax.stop_gradient(log_p)).astype(flat.dtype)

    mean, error = _mean_and_error(lambda i: jnp.append(*jax.value_and_grad(term)(flat, i)), n, chunk)
    if c:
        # Zero but for rounding, and for its derivative.
        value = center + (mean[0] - jax.lax.stop_gradient(mean[0]))
    else:
        value, value_error = mean[0], error[0]
    gradient_error = jnp.hypot(error[1:], jax.lax.stop_gradient(c * mean[1:])) / (1 + c**2) ** 0.5
    found = ExpectationGradient(value, value_error, unravel(mean[1:]), unravel(gradient_error))
    return jax.tree.map(lambda a: jnp.where(valid, a, jnp.nan), found)


def _mean_and_error(term, n, chunk):
    """Return the mean of the vectors term(i) for i below n, and its standard error."""
    count = -(-n // chunk)
    chunk = -(-n // count)

    def step(state, start):
        """Merge a chunk into the mean and the root of the squared deviations (Chan, Golub and LeVeque, 1983)."""
        mean, spread = state
        i = start + jnp.arange(chunk)
        inside = (i < n)[:, None]
        terms = jax.vmap(term)(jnp.minimum(i, n - 1))
        before = start.astype(terms.dtype)
        own = jnp.sum(inside, dtype=terms.dtype)
        # Sums of what is left above one term lose no digits to a large mean.
        local = terms[0] + jnp.sum(jnp.where(inside, terms - terms[0], 0), axis=0) / own
        gap = local - mean
        deviations, apart = jax.lax.stop_gradient((jnp.where(inside, terms - local, 0), gap))
        merged = jnp.hypot(safe_norm(deviations, axis=0), apart * jnp.sqrt(before * own / (before + own)))
        return (mean + gap * (own / (before + own)), jnp.hypot(spread, merged)), None

    zero = jnp.zeros_like(jax.eval_shape(term, 0))
    # The checkpoint keeps the chunks of a reverse pass from being held all at once.
    (mean, spread), _ = jax.lax.scan(jax.checkpoint(step, prevent_cse=False), (zero, zero), chunk * jnp.arange(count))
    return mean, spread / (n * (n - 1.0)) ** 0.5


def _checked_options(key, n, baseline):
    try:
        jax.eval_shape(jax.random.bits, key)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{CALL}(key=...)` should be one key, from `jax.random.key`. Got {kind_of(key)}.") from error
    if not 2 <= checked_size("n", n, CALL) <= 10**9:
        raise ValueError(f"`{CALL}(n=...)` should be at least 2 and at most 10^9. Got {n}.")
    if not isinstance(baseline, bool | np.bool_):
        raise TypeError(f"`{CALL}(baseline=...)` should be True or False. Got {baseline!r}.")
    return int(n)
