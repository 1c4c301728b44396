"""Models of pyhf as likelihoods in JAX: the HistFactory density, compiled into a few arrays."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from autodiff_tutorial.custom_rules.checking import is_traced
from autodiff_tutorial.hep_fits.likelihoods import Likelihood
from autodiff_tutorial.hep_fits.modifiers import SCALES, SHIFTS, compiled
from autodiff_tutorial.linear_maps.checking import kind_of


def from_pyhf(model: Any) -> Likelihood:
    r"""Turn a model of pyhf into a likelihood in JAX.

    With rates :math:`\nu_b`, sums over samples of nominal rates that are shifted and scaled by parameters
    :math:`\theta`, main counts :math:`n_b` and auxiliary data :math:`a`,

    .. math:: -\ln L = \sum_b \left(\nu_b - n_b \ln \nu_b + \ln \Gamma(n_b + 1)\right) - \sum_k \ln c_k(a_k | \theta_k)

    with normal and Poisson constraints :math:`c_k`. This is -`model.logpdf`, evaluated without pyhf: afterwards
    neither its backend nor the model matters. Nothing is set: neither pyhf's backend nor the precision of JAX.

    Parameters
    ----------
    model : pyhf.Model
        All types of modifiers, interpolation codes and clipping; not batched. Its backend may be any.

    Returns
    -------
    Likelihood
        Parameters in pyhf's order, with its starts and bounds; those that the model fixes have equal bounds. In
        float64 if JAX is set to it, else in float32, which is poor for fits: ``jax.config.update("jax_enable_x64",
        True)`` first.

    Raises
    ------
    TypeError, ValueError
        If it is no model, is batched, has modifiers of one's own, a `normsys` with a factor that is not positive, or
        a density that is found to differ from pyhf's.

    Notes
    -----
    `histosys` with code2 jumps at one standard deviation, as its definition does; below -1, pyhf 0.7.6 departs from
    that definition, and this function does not. With code0, and `normsys` with code1, slopes jump at 0, and a fit
    that ends there has not converged. The codes that pyhf takes by default are smooth.

    References
    ----------
    Cranmer and others (2012), HistFactory, CERN-OPEN-2012-016; Heinrich and others (2021), pyhf, Journal of Open
    Source Software 6, 2823.

    Examples
    --------
    >>> import pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([5.0], [10.0], [3.5])
    >>> likelihood = from_pyhf(model)
    >>> print(f"{likelihood.nll(likelihood.init, jnp.array([15.0] + model.config.auxdata)):.4f}")
    4.2575
    """
    call = "hep_fits.from_pyhf"
    if not hasattr(model, "logpdf") or not hasattr(model, "main_model"):
        raise TypeError(
            f"`{call}(model=...)` should be a pyhf.Model. Got {kind_of(model)}. From a workspace: "
            "pyhf.Workspace(spec).model()."
        )
    if model.batch_size is not None:
        raise ValueError(
            f"`{call}(model=...)` should not be batched. Got batch_size={model.batch_size}. Use jax.vmap on the result."
        )
    config = model.config
    tables = compiled(call, model)
    init = np.array(config.suggested_init(), float)
    bounds = np.array(config.suggested_bounds(), float)
    bounds = np.where(np.array(config.suggested_fixed())[:, None], init[:, None], bounds)
    least = np.where(np.isin(np.arange(tables.size), tables.counts), 0.0, -np.inf)

    @jax.jit
    def nll(params, data):
        params, data = _floats(params), _floats(data)
        rates, (means, sigmas) = _rates(tables, params), _means(tables, params)
        if data.shape != (tables.size, *params.shape[1:]):
            raise ValueError(
                f"`Likelihood.nll(data=...)` should have shape {(tables.size, *params.shape[1:])}: main counts, then "
                f"auxiliary data. Got shape {data.shape}."
            )
        # Where nothing came, the logarithm does not matter: what is expected may be nothing, or less by interpolation.
        counts = data[tables.counts]
        log_rates = jnp.log(jnp.where((rates <= 0) & (counts == 0), 1, rates))
        pulls = (data[tables.normal_data] - means) / sigmas
        poisson = jnp.sum(rates - counts * log_rates + gammaln(counts + 1), axis=0)
        return poisson + jnp.sum(pulls**2 / 2 + jnp.log(sigmas) + math.log(2 * math.pi) / 2, axis=0)

    @jax.jit
    def expected(params):
        params = _floats(params)
        data = jnp.zeros(tables.size, params.dtype).at[tables.counts].set(_rates(tables, params))
        return data.at[tables.normal_data].set(_means(tables, params)[0])

    def sample(params, key):
        for_counts, for_normal = jax.random.split(key)
        means = expected(params)
        counts = _poisson(for_counts, means[tables.counts])
        noise = jax.random.normal(for_normal, tables.normal_sigmas.shape, means.dtype)
        noise *= jnp.asarray(tables.normal_sigmas, means.dtype)
        return means.at[tables.counts].set(counts).at[tables.normal_data].add(noise)

    likelihood = Likelihood(
        nll=nll,
        init=jnp.asarray(init),
        bounds=jnp.asarray(bounds),
        names=tuple(config.par_names),
        poi=config.poi_index,
        sample=sample,
        expected=expected,
        data_min=least,
        vectorized=True,
    )
    _check_density(call, model, likelihood)
    return likelihood


def _floats(x):
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def _rates(tables, params):
    """Return the rates of all counts, in the main data and in the auxiliary ones; axes after the first are lanes."""
    padded = jnp.concatenate([params, jnp.ones((1, *params.shape[1:]), params.dtype)])
    rates = _like(tables.nominal, params)
    if tables.shift_index.size:
        up, down = (_like(part, params) for part in tables.shifts)
        rates += jnp.sum(SHIFTS[tables.shift_code](padded[tables.shift_index], up, down), axis=0)
    if tables.scale_index.size:
        logs, coefficients = (_like(part, params) for part in (tables.log_scales, tables.coefficients))
        scales = SCALES[tables.scale_code](padded[tables.scale_index], logs, coefficients)
        rates *= jnp.prod(scales, axis=0)[:, tables.channel_of_bin]
    by_sample = rates * jnp.prod(padded[tables.factor_index], axis=0)
    if tables.clip_sample is not None:
        by_sample = jnp.maximum(by_sample, tables.clip_sample)
    rates = jnp.sum(by_sample, axis=0)
    if tables.clip_bin is not None:
        rates = jnp.maximum(rates, tables.clip_bin)
    return jnp.concatenate([rates, params[tables.poisson_index] * _like(tables.poisson_factors, params)])


def _means(tables, params):
    return params[tables.normal_index], _like(tables.normal_sigmas, params)


def _like(table, params):
    """Return a table in the dtype of parameters, with an axis of length 1 for each axis of lanes."""
    return jnp.asarray(table, params.dtype).reshape(table.shape + (1,) * (params.ndim - 1))


# JAX draws Poisson counts in float32, which is too coarse for large rates.
_LARGE = 4000


def _poisson(key, rates):
    """Draw counts; NaN where a rate is none."""
    for_small, for_large = jax.random.split(key)
    valid = (rates >= 0) & (rates < jnp.inf)
    rates = jnp.where(valid, rates, 0)
    large = rates > _LARGE
    counts = _by_inversion(for_small, jnp.where(large, 0, rates))
    if is_traced(large) or np.any(large):
        safe = jnp.where(large, rates, _LARGE)
        counts += jax.lax.cond(
            jnp.any(large), lambda: _by_rejection(for_large, safe, large), lambda: jnp.zeros_like(rates)
        )
    return jnp.where(valid, counts, jnp.nan)


def _by_inversion(key, rates):
    """Draw how many counts have a cumulative probability up to a uniform number.

    For many draws from the same rates, a step takes one comparison each; all else is shared.
    """
    u = jax.random.uniform(key, rates.shape, rates.dtype)
    # Beyond nine standard deviations is less than rounding can tell from nothing.
    width = 9 * jnp.sqrt(rates) + 10
    first = jnp.maximum(jnp.floor(rates - width), 0)
    steps = jnp.ceil(jnp.max(rates + width - first)).astype(int)
    log_p = first * jnp.log(jnp.where(rates > 0, rates, 1)) - rates - gammaln(first + 1)
    # Only ratios count, and this does not underflow in float32.
    p = jnp.exp(jnp.maximum(log_p, -80))
    zero = jnp.zeros_like(p)

    def following(k, p):
        return p * rates / (first + k + 1)

    _, total = jax.lax.fori_loop(0, steps, lambda k, state: (following(k, state[0]), state[1] + state[0]), (p, zero))

    u *= total

    def step(k, state):
        p, below, count = state
        # What rounding has left of the upper tail is not counted.
        over = (first + k > rates) & (p < total * jnp.finfo(p.dtype).eps / 4)
        below = jnp.where(over, jnp.inf, below + p)
        return following(k, p), below, count + (u >= below)

    return jax.lax.fori_loop(0, steps, step, (p, zero, first + jnp.zeros_like(u)))[2]


def _by_rejection(key, rates, wanted):
    """Draw counts of large rates, by transformed rejection, in the precision of the rates.

    After Hörmann (1993), Insurance: Mathematics and Economics 12, 39, with the probability from Stirling's series.
    """
    b = 0.931 + 2.53 * jnp.sqrt(rates)
    a = -0.059 + 0.02483 * b
    inverse_alpha, v_r = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)

    def propose(state):
        key, counts, done = state
        key, for_u, for_v = jax.random.split(key, 3)
        u, v = (jax.random.uniform(part, rates.shape, rates.dtype) for part in (for_u, for_v))
        u -= 0.5
        edge = 0.5 - abs(u)
        k = jnp.maximum(jnp.floor((2 * a / edge + b) * u + rates + 0.43), 1)
        x = (rates - k) / k
        log_p = k * (jnp.log1p(x) - x) - jnp.log(2 * np.pi * k) / 2 - 1 / (12 * k)
        inside = (edge >= 0.013) | (v <= edge)
        below = jnp.log(v * inverse_alpha / (a / edge**2 + b)) <= log_p
        accepted = (edge >= 0.07) & (v <= v_r) | inside & below
        return key, jnp.where(done, counts, k), done | accepted

    return jax.lax.while_loop(lambda state: ~jnp.all(state[2]), propose, (key, jnp.zeros_like(rates), ~wanted))[1]


def _check_density(call, model, likelihood):
    """Compare with pyhf at two points, so that no model is taken for another."""
    import pyhf

    lower, upper = np.asarray(likelihood.bounds, float).T
    init = np.asarray(likelihood.init, float)
    steps = np.where(np.arange(init.size) % 2, 0.0625, -0.03125)
    exact = jnp.result_type(float) == jnp.float64 and pyhf.tensorlib.precision == "64b"
    tolerance, eps = (1e-9, 2e-16) if exact else (1e-3, 1e-7)
    for place, params in ("at", init), ("near", init + steps), ("near", init - steps):
        params = np.asarray(jnp.asarray(np.clip(params, lower, upper)), float)
        data = np.asarray(likelihood.expected(params), float)
        if place == "near" and (data < np.asarray(likelihood.data_min)).any():
            continue  # by interpolation, less than nothing is expected
        theirs = -float(np.squeeze(pyhf.tensorlib.tolist(model.logpdf(params.tolist(), data.tolist()))))
        ours = float(likelihood.nll(params, data))
        # Of large counts, terms as large as log n! cancel.
        rounding = 20 * eps * float(np.sum(gammaln(np.maximum(data, 0) + 1)))
        if not abs(ours - theirs) <= tolerance * max(1, abs(theirs)) + rounding:
            raise ValueError(
                f"`{call}(model=...)` should be a HistFactory model with a finite density. Got one whose "
                f"-log L {place} the start is {theirs:.12g} in pyhf and {ours:.12g} here."
            )
