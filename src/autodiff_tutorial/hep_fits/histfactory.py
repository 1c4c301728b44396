"""Models of pyhf as likelihoods in JAX: the HistFactory density, compiled into a few arrays."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from autodiff_tutorial.custom_rules.checking import is_traced
from autodiff_tutorial.hep_fits.likelihoods import Likelihood
from autodiff_tutorial.hep_fits.modifiers import SCALES, SHIFTS, compiled
from autodiff_tutorial.linear_maps.checking import kind_of


def from_pyhf(model) -> Likelihood:
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
        rates, (means, sigmas) = _rates(tables, params), _means(tables, params)
        if data.shape != (tables.size,):
            raise ValueError(
                f"`Likelihood.nll(data=...)` should have shape ({tables.size},): main counts, then auxiliary data. "
                f"Got shape {data.shape}."
            )
        # Where nothing is expected and nothing came, the logarithm does not matter.
        counts = data[tables.counts]
        log_rates = jnp.log(jnp.where((rates == 0) & (counts == 0), 1, rates))
        pulls = (data[tables.normal_data] - means) / sigmas
        poisson = jnp.sum(rates - counts * log_rates + gammaln(counts + 1))
        return poisson + jnp.sum(pulls**2 / 2 + jnp.log(sigmas) + np.log(2 * np.pi) / 2)

    @jax.jit
    def expected(params):
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
    )
    _check_density(call, model, likelihood)
    return likelihood


def _rates(tables, params):
    """Return the rates of all counts, in the main data and in the auxiliary ones."""
    dtype = params.dtype
    padded = jnp.append(params, jnp.ones(1, dtype))
    rates = jnp.asarray(tables.nominal, dtype)
    if tables.shift_index.size:
        up, down = (jnp.asarray(part, dtype) for part in tables.shifts)
        rates += jnp.sum(SHIFTS[tables.shift_code](padded[tables.shift_index], up, down), axis=0)
    if tables.scale_index.size:
        logs, coefficients = (jnp.asarray(part, dtype) for part in (tables.log_scales, tables.coefficients))
        scales = SCALES[tables.scale_code](padded[tables.scale_index], logs, coefficients)
        rates *= jnp.prod(scales, axis=0)[:, tables.channel_of_bin]
    by_sample = rates * jnp.prod(padded[tables.factor_index], axis=0)
    if tables.clip_sample is not None:
        by_sample = jnp.maximum(by_sample, tables.clip_sample)
    rates = jnp.sum(by_sample, axis=0)
    if tables.clip_bin is not None:
        rates = jnp.maximum(rates, tables.clip_bin)
    return jnp.append(rates, params[tables.poisson_index] * jnp.asarray(tables.poisson_factors, dtype))


def _means(tables, params):
    return params[tables.normal_index], jnp.asarray(tables.normal_sigmas, params.dtype)


# JAX draws Poisson counts in float32, which is too coarse for large rates.
_LARGE = 4000


def _poisson(key, rates):
    r"""Draw counts, by the waiting times of their process where rates are large.

    The m-th event comes after a time with a gamma distribution; what comes between that and the time :math:`\nu` is
    Poisson again. With m seven standard deviations below :math:`\nu`, it comes too late once in :math:`10^{12}`.
    After Ahrens and Dieter (1974), Computing 12, 223.
    """
    for_counts, *keys = jax.random.split(key, 3)

    def shorten(state, key):
        rates, skipped = state
        large = rates > _LARGE
        m = jnp.where(large, jnp.floor(rates - 7 * jnp.sqrt(rates)), 1)
        passed = jax.random.gamma(key, m, dtype=rates.dtype)
        return (jnp.where(large, jnp.maximum(rates - passed, 0), rates), skipped + jnp.where(large, m, 0)), None

    rest, skipped = start = rates, jnp.zeros_like(rates)
    if is_traced(rates) or np.any(rates > _LARGE):
        rest, skipped = jax.lax.cond(
            jnp.any(rates > _LARGE), lambda: jax.lax.scan(shorten, start, jnp.stack(keys))[0], lambda: start
        )
    return skipped + jax.random.poisson(for_counts, rest).astype(rates.dtype)


def _check_density(call, model, likelihood):
    """Compare with pyhf at two points, so that no model is taken for another."""
    import pyhf

    lower, upper = np.asarray(likelihood.bounds, float).T
    init = np.asarray(likelihood.init, float)
    steps = np.where(np.arange(init.size) % 2, 0.0625, -0.03125)
    exact = jnp.result_type(float) == jnp.float64 and pyhf.tensorlib.precision == "64b"
    for params in (init, np.clip(init + steps, lower, upper)):
        params = np.asarray(jnp.asarray(params), float)
        data = np.asarray(likelihood.expected(params), float)
        theirs = -float(np.squeeze(pyhf.tensorlib.tolist(model.logpdf(params.tolist(), data.tolist()))))
        ours = float(likelihood.nll(params, data))
        if not abs(ours - theirs) <= (1e-9 if exact else 1e-3) * max(1, abs(theirs)):
            raise ValueError(
                f"`{call}(model=...)` should be a HistFactory model with a finite density. Got one whose -log L at "
                f"the start is {theirs:.6g} in pyhf and {ours:.6g} here."
            )
