"""PF: likelihood fits and what follows from them, against pyhf with gradients by JAX, and SciPy or Minuit."""

from contextlib import contextmanager
from functools import partial
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
from pyhf.infer import hypotest
from pyhf.infer.intervals import upper_limits
from scipy.optimize import approx_fprime

from autodiff_tutorial import hep_fits
from benchmarks.timing import compare, row

PEERS = ("pyhf", "iminuit")
# The loosest power of ten with which each gets all fits right to 1e-4 standard deviations.
TOLERANCE = {"SLSQP": 1e-9, "L-BFGS-B": 1e-12, "Minuit": 1e-5}


def rows():
    """Time derivatives, fits, a scan, a test and a limit, for two counting experiments and six channels."""
    found = []
    for problem, make, limit in (
        ("2 bins", lambda: _bins(2), True),
        ("50 bins", lambda: _bins(50), True),
        ("6 channels", _channels, False),
    ):
        with _pyhf("jax", pyhf.optimize.scipy_optimizer(tolerance=TOLERANCE["SLSQP"])):
            model, counts = make()
            data = jnp.array([*counts, *model.config.auxdata], float)
            problem = f"{problem}, {model.config.npars} parameters"
            likelihood = hep_fits.from_pyhf(model)
            found += [*_derivatives(problem, model, likelihood, data), *_fits(problem, model, likelihood, data)]
            found += _tests(problem, model, likelihood, data, limit)
    return found


@contextmanager
def _pyhf(*backend):
    before = pyhf.get_backend()
    pyhf.set_backend(*backend)
    try:
        yield
    finally:
        pyhf.set_backend(*before)


def _bins(n):
    random = np.random.default_rng(n)
    background = random.uniform(20, 100, n)
    model = pyhf.simplemodels.uncorrelated_background([5.0] * n, background.tolist(), (background / 10).tolist())
    return model, random.poisson(background + 5)


def _channels():
    """Return a peak on three backgrounds in six channels of ten bins."""
    random = np.random.default_rng(0)
    x = np.linspace(-0.9, 0.9, 10)

    def factor(name, size):
        return {"name": name, "type": "normsys", "data": {"hi": 1 + size, "lo": 1 - size}}

    def sample(c, name, rates):
        tilt = random.uniform(0.02, 0.06) * x
        sides = {"hi_data": list(rates * (1 + tilt)), "lo_data": list(rates * (1 - tilt))}
        modifiers = [
            {"name": "lumi", "type": "lumi", "data": None},
            {"name": "energy scale", "type": "histosys", "data": sides},
            factor(f"efficiency {c % 3}", random.uniform(0.02, 0.06)),
        ]
        if name == "signal":
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        else:
            modifiers.append(factor(f"{name} rate", 0.1))
            modifiers.append({"name": f"simulated {c}", "type": "staterror", "data": list(0.05 * rates)})
        return {"name": name, "data": list(rates), "modifiers": modifiers}

    def channel(c):
        shapes = {
            "signal": 8 * np.exp(-8 * (x - 0.2) ** 2),
            **{f"background {k}": size * np.exp(-(k + c / 3) * (x + 1) / 2) for k, size in enumerate((25, 60, 90))},
        }
        return {"name": f"channel {c}", "samples": [sample(c, *shape) for shape in shapes.items()]}

    lumi = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.017], "bounds": [[0.5, 1.5]], "inits": [1.0]}
    model = pyhf.Model({"channels": [channel(c) for c in range(6)], "parameters": [lumi]}, poi_name="mu")
    return model, random.poisson(model.expected_actualdata(jnp.array(model.config.suggested_init())))


def _derivatives(problem, model, likelihood, data):
    # Near the start, where no derivative vanishes.
    params = likelihood.init + 0.02
    on_host = np.asarray(params), np.asarray(data)

    def theirs(params, data=data):
        return -model.logpdf(params, data)[0]

    hessian = {"jax.hessian": jax.jit(jax.hessian(likelihood.nll)), "pyhf, jax.hessian": jax.jit(jax.hessian(theirs))}
    gradient = {"jax.grad": jax.jit(jax.grad(likelihood.nll)), "pyhf, jax.grad": jax.jit(jax.grad(theirs))}
    for name, derivatives in {"Hessian": hessian, "gradient": gradient}.items():
        contenders = {who: lambda f=derivative: f(params, data) for who, derivative in derivatives.items()}
        yield from _compared(f"{problem}, {name}", contenders, None, 1e-10)
    truth = contenders.pop("pyhf, jax.grad")()
    contenders["pyhf, NumPy, differences"] = lambda: approx_fprime(on_host[0], lambda p: theirs(p, on_host[1]))
    with _pyhf("numpy"):
        yield from _compared(f"{problem}, {name}", contenders, lambda found: _off(found, truth), 1e-4)


def _fits(problem, model, likelihood, data):
    def theirs(params):
        return -model.logpdf(params, data)[0]

    nll, gradient, hessian = jax.jit(theirs), jax.jit(jax.grad(theirs)), jax.jit(jax.hessian(theirs))

    def missing(params):
        """Return how many standard deviations it is to the minimum, by a step of Newton's method on pyhf's density."""
        covariance = jnp.linalg.inv(hessian(params))
        return float(jnp.max(abs(covariance @ gradient(params)) / jnp.sqrt(jnp.diagonal(covariance))))

    other = {"method": "L-BFGS-B", "tolerance": TOLERANCE["L-BFGS-B"]}
    contenders = {
        "fit": lambda: hep_fits.fit(likelihood, data).params,
        "pyhf, SLSQP": lambda: pyhf.infer.mle.fit(data, model),
        "pyhf, L-BFGS-B": lambda: pyhf.infer.mle.fit(data, model, **other),
    }
    yield from _compared(f"{problem}, fit", contenders, missing, 1e-4)
    ours, *peers = (nll(contender()) for contender in contenders.values())
    assert ours <= min(peers) + 1e-9, (problem, ours, peers)

    best = contenders["fit"]()
    truth = jnp.linalg.inv(hessian(best))
    sigmas = jnp.sqrt(jnp.diagonal(truth))

    def minuit():
        found, correlations = pyhf.infer.mle.fit(data, model, return_uncertainties=True, return_correlations=True)
        params, errors = found.T
        return params, jnp.array(correlations) * errors * errors[:, None]

    def off(found):
        """Return the largest error of a covariance, in units of both standard deviations, where the fit is right."""
        params, covariance = found
        assert missing(params) <= 1e-4, (problem, missing(params))
        return float(jnp.max(abs(covariance - truth) / (sigmas * sigmas[:, None])))

    contenders = {"fit": lambda: hep_fits.fit(likelihood, data)[:3:2], "pyhf, Minuit": minuit}
    with _pyhf("jax", pyhf.optimize.minuit_optimizer(tolerance=TOLERANCE["Minuit"])):
        yield from _compared(f"{problem}, fit with covariance", contenders, off, 0.05)


def _tests(problem, model, likelihood, data, limit):
    best = hep_fits.fit(likelihood, data)
    mu, sigma = (float(part[likelihood.poi]) for part in (best.params, best.errors))
    grid = np.linspace(max(0.01, mu - 3 * sigma), mu + 3 * sigma, 50)
    tested = mu + 1.5 * sigma

    def scan():
        fits = (pyhf.infer.mle.fixed_poi_fit(v, data, model, return_fitted_val=True) for v in grid.tolist())
        return np.array([float(twice_nll) for _, twice_nll in fits]) / 2

    contenders = {"profile": lambda: hep_fits.profile(likelihood, data, likelihood.poi, grid).nll, "pyhf, SLSQP": scan}
    yield from _compared(f"{problem}, profile, 50 points", contenders, None, 1e-6, 3)

    contenders = {
        "hypotest": lambda: hep_fits.hypotest(tested, data, likelihood)[:2],
        "pyhf, SLSQP": lambda: _as_floats(tested, data, model, return_expected_set=True),
    }
    yield from _compared(f"{problem}, test", contenders, None, 1e-5, 3)

    contenders = {
        "upper_limit": lambda: hep_fits.upper_limit(data, likelihood)[:2],
        "pyhf, SLSQP": lambda: upper_limits.upper_limit(data, model),
    }
    if limit:
        with mock.patch.object(upper_limits, "hypotest", _as_floats):
            yield from _compared(f"{problem}, upper limits", contenders, None, 1e-3, 1)


def _as_floats(*args, **options):
    """Test as pyhf does; its search for limits cannot go on from arrays of JAX, which have no hash."""
    return jax.tree.map(float, hypotest(*args, **options))


def _compared(problem, contenders, error, wanted, repetitions=7):
    """Yield a row for each peer; without another truth, two contenders are held against each other."""
    last = {}

    def kept(name, contender):
        last[name] = contender()
        return last[name]

    calls = {name: partial(kept, name, contender) for name, contender in contenders.items()}
    times = compare(calls, repetitions)
    errors = {name: error(found) if error else _off(*last.values()) for name, found in last.items()}
    assert max(errors.values()) <= wanted, (problem, errors)
    ours, *peers = contenders
    for peer in peers:
        yield row("PF", problem, ours, peer, times, errors)


def _off(found, truth):
    found, truth = (np.hstack([np.ravel(part) for part in jax.tree.leaves(tree)]) for tree in (found, truth))
    return float(np.max(abs(found - truth)))
