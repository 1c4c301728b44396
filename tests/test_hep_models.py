"""Likelihoods from pyhf: values, slopes, means and draws are those of its models, whatever its backend."""

import functools
import importlib.util
import re

import hep_models
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from pyhf.interpolators.code2 import _slow_code2
from pyhf.modifiers import histfactory_set, normfactor
from scipy import special, stats

from autodiff_tutorial import finite_differences
from autodiff_tutorial.hep_fits import fit, from_pyhf

BACKENDS = [
    "numpy",
    "jax",
    pytest.param(
        "pytorch", marks=pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is missing")
    ),
]


@functools.cache
def nlls(name):
    """Return a compiled -log L and its gradient, at many parameters and data."""
    return hep_models.quickly(jax.vmap(jax.value_and_grad(hep_models.load(name).likelihood.nll)))


def nll_of_pyhf(model, params, data):
    return np.array([-float(model.logpdf(p, d)[0]) for p, d in zip(params, data, strict=True)])


def within_definition(name, params):
    """Keep from where pyhf departs from code2: its shifts below -1 are off by b - 2a. There the test below looks."""
    if name != "interpolated by code4 and code2":
        return params
    shapes = [hep_models.load(name).model.config.par_slice(shape).start for shape in ("shape", "slope")]
    params = params.copy()
    params[:, shapes] = np.maximum(params[:, shapes], -0.95)
    return params


# First, as a change of backend costs time for each model that there is.
@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy.ndarrays")
@pytest.mark.parametrize("name", BACKENDS)
def test_no_backend_matters_and_none_is_touched(name):
    """Made under any of pyhf's backends, a likelihood is the same; that of the caller, and the precision, stay."""
    case = hep_models.load("statistical")
    params, data = hep_models.points("statistical")
    expected = jax.tree.map(np.asarray, nlls("statistical")(params, data))
    with hep_models.backend(name):
        before, x64 = pyhf.get_backend(), jax.config.jax_enable_x64
        likelihood = from_pyhf(case.workspace.model())
        assert pyhf.get_backend() is before
        assert jax.config.jax_enable_x64 == x64
        found = hep_models.quickly(jax.vmap(jax.value_and_grad(likelihood.nll)))(params, data)
    assert pyhf.get_backend()[0].name == "numpy"
    assert jax.tree.all(jax.tree.map(lambda a, b: np.allclose(a, b, rtol=1e-12, atol=1e-12), found, expected))


def test_a_backend_of_less_precision_will_do():
    """What pyhf knows to seven digits only is taken, and evaluated to sixteen."""
    case = hep_models.load("statistical")
    params, data = hep_models.points("statistical")
    with hep_models.backend("numpy", precision="32b"):
        likelihood = from_pyhf(case.workspace.model())
    found = jax.jit(jax.vmap(likelihood.nll))(params, data)
    assert np.allclose(found, nlls("statistical")(params, data)[0], rtol=1e-6)


def test_the_backend_may_change_afterwards():
    """A likelihood and a limit do not ask pyhf again."""
    case = hep_models.load("statistical")
    params, data = hep_models.points("statistical")
    expected = nlls("statistical")(params, data)[0]
    with hep_models.backend("jax"):
        assert np.allclose(jax.jit(jax.vmap(case.likelihood.nll))(params, data), expected, rtol=1e-12)


@pytest.mark.parametrize("name", hep_models.CASES)
def test_values_means_and_slopes_are_those_of_pyhf(name):
    """At random parameters, beyond one standard deviation too, -log L, its gradient and the mean data agree."""
    case = hep_models.load(name)
    params, data = hep_models.points(name)
    params = within_definition(name, params)
    values, slopes = nlls(name)(params, data)
    theirs = nll_of_pyhf(case.model, params, data)
    assert np.all(abs(values - theirs) <= 1e-10 * np.maximum(1, abs(theirs)))
    means = hep_models.quickly(jax.vmap(case.likelihood.expected))(params)
    assert np.allclose(means, [case.model.expected_data(p) for p in params], rtol=1e-12, atol=1e-12)
    estimate = finite_differences.jacobian(
        lambda step: nll_of_pyhf(case.model, params + step, data), np.zeros(params.shape[1]), accuracy=6, step=5e-4
    )
    assert np.all(abs(slopes - estimate.df) <= 1e-8 * abs(estimate.df).max(axis=1, keepdims=True))


@pytest.mark.parametrize("name", hep_models.CASES)
def test_parameters_are_those_of_pyhf(name):
    """Names, starts, bounds and what is fixed are in pyhf's order; counts are told from what may be negative."""
    case = hep_models.load(name)
    likelihood, config = case.likelihood, case.model.config
    assert list(likelihood.names) == config.par_names
    assert likelihood.poi == config.poi_index
    assert np.array_equal(likelihood.init, config.suggested_init())
    lower, upper = np.asarray(likelihood.bounds).T
    fixed = np.array(config.suggested_fixed())
    assert np.array_equal(lower == upper, fixed)
    assert np.array_equal(likelihood.init[fixed], lower[fixed])
    assert np.array_equal(np.asarray(likelihood.bounds)[~fixed], np.array(config.suggested_bounds())[~fixed])
    poisson = {k for k, name in enumerate(config.auxdata_order) if config.param_set(name).pdf_type == "poisson"}
    sizes = [config.param_set(name).n_parameters for name in config.auxdata_order]
    of_aux = np.repeat([k in poisson for k in range(len(sizes))], sizes).astype(bool)
    assert np.array_equal(likelihood.data_min == 0, np.append(np.ones(config.nmaindata, bool), of_aux))


def test_the_cases_have_every_modifier_and_every_code():
    """What is tested covers all seven modifiers, all five codes, fixed parameters, and a model without a POI."""
    models = [hep_models.load(name).model for name in hep_models.CASES]
    kinds = {kind for model in models for _, kind in model.config.modifiers}
    assert kinds == set(histfactory_set)
    codes = {(kind, own["interpcode"]) for model in models for kind, own in model.config.modifier_settings.items()}
    assert codes == {("normsys", f"code{k}") for k in (1, 4)} | {("histosys", f"code{k}") for k in ("0", "2", "4p")}
    assert any(any(model.config.suggested_fixed()) for model in models)
    assert any(model.config.poi_index is None for model in models)


def test_code2_is_as_defined():
    """Below -1 pyhf's own slow version of code2, which is its definition, is met; above, and between, both are."""
    case = hep_models.load("interpolated by code4 and code2")
    samples = {s["name"]: s for s in case.workspace["channels"][0]["samples"]}
    found = samples["background"]["modifiers"][1]["data"]
    nominal = samples["background"]["data"]
    alphas = np.array([-2.7, -1.5, -1.01, -0.99, -0.4, 0.3, 0.98, 1.02, 2.6])
    slow = _slow_code2([[[found["lo_data"], nominal, found["hi_data"]]]], subscribe=False)(np.array([alphas]))[0, 0]
    params = np.tile(np.where(np.array(case.model.config.par_names) == "mu", 0.0, 0.0), (alphas.size, 1))
    params[:, case.model.config.par_slice("shape").start] = alphas
    rates = np.array([case.likelihood.expected(p) for p in params])[:, :2]
    assert np.allclose(rates - nominal, slow, rtol=1e-12, atol=1e-12)


def test_nothing_expected_and_nothing_seen_is_certain():
    """An empty bin adds nothing to -log L; a count there is impossible."""
    case = hep_models.load("empty_bin")
    alone = [k for k in range(case.data.size) if k != 1]
    rates = np.asarray(case.likelihood.expected(case.likelihood.init))
    normal = np.flatnonzero(np.isneginf(case.likelihood.data_min))
    counts = np.setdiff1d(alone, normal)
    n, rates = case.data[counts], rates[counts]
    # pyhf's auxiliary counts are no integers.
    known = np.sum(rates - n * np.log(rates) + special.gammaln(n + 1)) - stats.norm.logpdf(case.data[normal]).sum()
    assert np.isclose(case.likelihood.nll(case.likelihood.init, jnp.asarray(case.data)), known, rtol=1e-12)
    impossible = jnp.asarray(case.data).at[1].set(1.0)
    assert case.likelihood.nll(case.likelihood.init, impossible) == np.inf


RATES = [0.3, 4.0, 60.0, 3999.0, 4500.0, 1e5, 1e7]
AGAIN = 8  # more bins with 4500, where one count too few would be seen


@functools.cache
def draws(n=20_000):
    """Draw counts at rates small and large, with one auxiliary count and two normal numbers, all from one model."""
    background = np.array(RATES + [4500.0] * AGAIN)
    modifiers = [
        {"name": "mc", "type": "staterror", "data": np.where(background == 3999, 40.0, 0.0).tolist()},
        {"name": "stat", "type": "shapesys", "data": np.where(background == 60, 10.0, 0.0).tolist()},
        {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
    ]
    samples = [{"name": "background", "data": background.tolist(), "modifiers": modifiers}]
    model = pyhf.Model({"channels": [{"name": "one", "samples": samples}]}, poi_name=None)
    likelihood = from_pyhf(model)
    keys = jax.random.split(jax.random.key(3), n)
    sample = hep_models.quickly(jax.vmap(likelihood.sample, (None, 0)))
    return model, likelihood, np.asarray(sample(likelihood.init, keys))


def test_draws_have_the_mean_and_variance_of_the_model():
    """Poisson counts, main and auxiliary, up to rates of 1e7, and normal numbers: both moments, and whole counts."""
    model, likelihood, data = draws()
    means = model.expected_data(model.config.suggested_init())
    counts = np.isfinite(likelihood.data_min)
    sigmas = np.concatenate(
        [
            model.config.param_set(name).width()
            if model.config.param_set(name).pdf_type == "normal"
            else np.zeros(model.config.param_set(name).n_parameters)
            for name in model.config.auxdata_order
        ]
    )
    sigmas = np.append(np.zeros(model.config.nmaindata), sigmas)
    variances = np.where(counts, means, sigmas**2)
    kurtosis = np.where(counts, 1 / np.where(counts, means, 1), 0)
    n = len(data)
    pooled = data[:, len(RATES) : len(RATES) + AGAIN]
    assert abs(pooled.mean() - 4500) <= 4 * np.sqrt(4500 / pooled.size)
    random = variances > 0
    data, means, variances, kurtosis = data[:, random], means[random], variances[random], kurtosis[random]
    assert np.all(abs(data.mean(axis=0) - means) <= 4 * np.sqrt(variances / n))
    assert np.all(abs(data.var(axis=0) / variances - 1) <= 4 * np.sqrt((2 + kurtosis) / n))
    assert np.array_equal(data[:, counts[random]], np.round(data[:, counts[random]]))
    assert data[:, counts[random]].min() >= 0
    assert np.all(abs(np.corrcoef(data.T) - np.eye(data.shape[1])) <= 5 / np.sqrt(n))


@pytest.mark.parametrize("rate", RATES)
def test_draws_follow_the_law_of_poisson(rate):
    """By a chi-square of their numbers in bins of nearly equal probability."""
    _, _, data = draws()
    counts = data[:, RATES.index(rate)]
    edges = np.unique(stats.poisson.ppf(np.linspace(0, 1, 21)[1:-1], rate))
    expected = np.diff(stats.poisson.cdf(np.concatenate([[-1], edges, [np.inf]]), rate)) * len(counts)
    observed = np.histogram(counts, np.concatenate([[-1], edges + 0.5, [np.inf]]))[0]
    keep = expected > 0
    assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-3
    # The same test tells a rate that is off by five standard errors.
    wrong = rate + 10 * np.sqrt(rate / len(counts))
    shifted = np.diff(stats.poisson.cdf(np.concatenate([[-1], edges, [np.inf]]), wrong)) * len(counts)
    assert stats.chisquare(observed[keep], shifted[keep]).pvalue < 1e-4


@pytest.mark.usefixtures("without_x64")
def test_likelihoods_in_float32():
    """Without float64, all is float32, right to its precision, and the flag stays off."""
    case = hep_models.load("statistical")
    params, data = hep_models.points("statistical")
    likelihood = case.likelihood
    assert not jax.config.jax_enable_x64
    assert likelihood.init.dtype == likelihood.bounds.dtype == jnp.float32
    params, data = jnp.asarray(params, jnp.float32), jnp.asarray(data, jnp.float32)
    values, slopes = hep_models.quickly(jax.vmap(jax.value_and_grad(likelihood.nll)))(params, data)
    assert values.dtype == slopes.dtype == jnp.float32
    theirs = nll_of_pyhf(case.model, np.asarray(params, float), np.asarray(data, float))
    assert np.allclose(values, theirs, rtol=1e-4)
    keys = jax.random.split(jax.random.key(0), 2000)
    drawn = hep_models.quickly(jax.vmap(likelihood.sample, (None, 0)))(likelihood.init, keys)
    assert drawn.dtype == likelihood.expected(likelihood.init).dtype == jnp.float32
    means = np.asarray(likelihood.expected(likelihood.init), float)
    assert np.all(abs(drawn.mean(axis=0) - means) <= 4 * np.asarray(drawn).std(axis=0) / np.sqrt(2000) + 1e-6)


def model_of(*modifiers, data=(10.0, 12.0), **options):
    samples = [
        {
            "name": "signal",
            "data": list(data),
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}, *modifiers],
        }
    ]
    return pyhf.Model({"channels": [{"name": "one", "samples": samples}]}, **options)


def custom():
    """Return a model with a modifier that pyhf does not have."""

    class Builder(normfactor.normfactor_builder):
        pass

    class Combined(normfactor.normfactor_combined):
        name = "own"

        def __init__(self, modifiers, pdfconfig, builder_data, batch_size=None):
            super().__init__(modifiers, pdfconfig, builder_data, batch_size)

    modifier = {"name": "extra", "type": "own", "data": None}
    return model_of(modifier, modifier_set={**histfactory_set, "own": (Builder, Combined)}, validate=False)


REFUSED = {
    "a dictionary": (
        lambda: hep_models.load("counter").workspace,
        TypeError,
        "`hep_fits.from_pyhf(model=...)` should be a pyhf.Model. Got Workspace. From a workspace: "
        "pyhf.Workspace(spec).model().",
    ),
    "a batched model": (
        lambda: model_of(batch_size=3),
        ValueError,
        "`hep_fits.from_pyhf(model=...)` should not be batched. Got batch_size=3. Use jax.vmap on the result.",
    ),
    "a custom modifier": (
        custom,
        ValueError,
        "`hep_fits.from_pyhf(model=...)` should have modifiers of type normfactor, lumi, shapefactor, shapesys, "
        "staterror, histosys, normsys. Got 'own'.",
    ),
    "a factor of zero": (
        lambda: model_of({"name": "rate", "type": "normsys", "data": {"hi": 1.5, "lo": 0.0}}),
        ValueError,
        "`hep_fits.from_pyhf(model=...)` should have normsys factors above 0. Got 1.5 and 0 for 'rate' in 'one'.",
    ),
    "a density that is none": (
        lambda: model_of(data=(10.0, -3.0)),
        ValueError,
        "`hep_fits.from_pyhf(model=...)` should be a HistFactory model with a finite density. Got one whose -log L at "
        "the start is nan in pyhf and ",
    ),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:divide by zero")
@pytest.mark.parametrize("make, error, text", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(make, error, text):
    """Each with its message."""
    with pytest.raises(error, match=re.escape(text)):
        from_pyhf(make())


def test_whole_numbers_and_lists_are_numbers():
    """Neither the tables of a model nor its means are cut to whole numbers."""
    model = pyhf.simplemodels.uncorrelated_background([5.5], [10.7], [3.5])
    likelihood, data = from_pyhf(model), [15, *model.config.auxdata]
    whole, floats, key = jnp.array([1, 1]), jnp.ones(2), jax.random.key(0)
    assert np.allclose(likelihood.expected(whole), likelihood.expected(floats), rtol=1e-15)
    assert np.array_equal(likelihood.sample(whole, key), likelihood.sample(floats, key))
    for params in whole, [1, 1], floats:
        assert np.isclose(likelihood.nll(params, data), -model.logpdf([1, 1], data)[0], rtol=1e-14)


@pytest.mark.parametrize("bins, rate", [(1, 1e7), (50, 3e6), (1, 1e9)])
def test_models_of_large_counts(bins, rate):
    """Terms as large as log n! cancel; what is left of them is no reason to refuse a model, but a hundredth is."""
    model = pyhf.simplemodels.uncorrelated_background([rate**0.5] * bins, [rate] * bins, [0.5 * rate**0.5] * bins)
    from_pyhf(model)
    theirs = model.logpdf
    model.logpdf = lambda pars, data: theirs(pars, data) + 0.01
    with pytest.raises(ValueError, match="Got one whose -log L at the start is"):
        from_pyhf(model)


def test_where_nothing_came_less_than_nothing_may_be_expected():
    """Shapes may be shifted below zero; pyhf takes such rates, where no counts are, as they are."""

    def sample(name, data, modifier, kind, values):
        return {"name": name, "data": data, "modifiers": [{"name": modifier, "type": kind, "data": values}]}

    signal = sample("signal", [3.0, 5.0], "mu", "normfactor", None)
    up, down = ([52.0, 0.4], [0.3, 110.0]), ([49.0, 0.0], [0.0, 90.0])
    one, two = (
        sample("background", nominal, "shape", "histosys", {"hi_data": high, "lo_data": low})
        for nominal, high, low in zip(([50.0, 0.0], [0.0, 100.0]), up, down, strict=True)
    )
    channels = [{"name": "one", "samples": [signal, one]}, {"name": "two", "samples": [two]}]
    model = pyhf.Model({"channels": channels}, poi_name="mu")
    likelihood, data = from_pyhf(model), np.array([52.0, 4, 0, 97, *model.config.auxdata])
    found = fit(likelihood, data)
    params, twice = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    assert likelihood.nll(jnp.asarray(params), data) == pytest.approx(twice / 2, rel=1e-12)
    assert bool(found.converged)
    assert -1e-12 < twice / 2 - found.nll < 1e-6
    below = jnp.array([-0.3, 0.5])
    assert likelihood.expected(below)[2] < 0
    assert likelihood.nll(below, data) == pytest.approx(-model.logpdf(below, data)[0], rel=1e-12)


def test_a_density_that_is_not_pyhfs_is_refused():
    """A model whose density is changed behind its specification is not taken for another."""

    class Other(pyhf.Model):
        def logpdf(self, pars, data):
            return super().logpdf(pars, data) + 0.01

    spec = {"channels": hep_models.load("counter").workspace["channels"]}
    with pytest.raises(ValueError, match=r"Got one whose -log L at the start is \d\.\d+ in pyhf and \d\.\d+ here\."):
        from_pyhf(Other(spec))


def test_a_workspace_that_is_none_is_left_to_pyhf():
    """Its own error says what is wrong."""
    with pytest.raises(pyhf.exceptions.InvalidSpecification):
        pyhf.Workspace({"channels": []})


def test_data_of_another_length_are_refused_by_the_likelihood():
    """Also without a fit around it."""
    likelihood = hep_models.load("counter").likelihood
    text = "`Likelihood.nll(data=...)` should have shape (1,): main counts, then auxiliary data. Got shape (2,)."
    with pytest.raises(ValueError, match=re.escape(text)):
        likelihood.nll(likelihood.init, jnp.ones(2))


def test_a_rate_that_is_none_spoils_no_other():
    from autodiff_tutorial.hep_fits.histfactory import _poisson

    rates = jnp.array([100.0, -1.0, 7.0, jnp.nan, 1e5, jnp.inf])
    counts = jax.vmap(lambda key: _poisson(key, rates))(jax.random.split(jax.random.key(0), 400))
    assert np.array_equal(np.isnan(counts).all(axis=0), [False, True, False, True, False, True])
    mean, rate = np.asarray(counts).mean(axis=0)[[0, 2, 4]], np.array([100, 7, 1e5])
    assert np.all(abs(mean - rate) < 4 * np.sqrt(rate / 400))


def test_many_at_once_are_as_one_by_one():
    """Columns of parameters and of data belong together; one without the other is refused."""
    likelihood, (params, data) = hep_models.load("statistical").likelihood, hep_models.points("statistical")
    alone = hep_models.quickly(jax.vmap(likelihood.nll))(params, data)
    assert np.allclose(likelihood.nll(jnp.asarray(params).T, jnp.asarray(data).T), alone, rtol=1e-13)
    for few, many in ((params[0], data.T), (params.T, data[0])):
        with pytest.raises(ValueError, match="should have shape"):
            likelihood.nll(jnp.asarray(few), jnp.asarray(many))
