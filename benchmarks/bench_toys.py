"""P1: fits and tests of many toys, against pyhf and everwillow."""

import time
from copy import deepcopy
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pyhf

from autodiff_tutorial import hep_fits, toys
from benchmarks.bench_hep_fits import _bins, _pyhf
from benchmarks.bench_hep_fits import _channels as _six_channels
from benchmarks.timing import QUICK, compare, row

PEERS = ("pyhf", "everwillow")
# The loosest power of ten with which each gets all toys right to 1e-4 standard deviations.
TOLERANCE = {"SLSQP": 1e-10, "L-BFGS-B": 1e-12, "everwillow": 1e-7}
KEY = jax.random.key(0)


def rows():
    """Time fits and tests of toys, for two counting experiments and three channels."""
    found = []
    # Toys are fitted by so many: ours, pyhf, everwillow; each with as many as it is quickest with, if it is batched.
    for problem, make, sizes, target, others in (
        ("2 bins", partial(_bins, 2), (200_000, 20, 1000), 1000, {}),
        ("50 bins", partial(_bins, 50), (20_000, 20, 100), 1000, {} if QUICK else {"pyhf, L-BFGS-B": "L-BFGS-B"}),
        ("3 channels", _channels, (4096, 10, 64), 300, {}),
    ):
        with _pyhf("jax", pyhf.optimize.scipy_optimizer(tolerance=TOLERANCE["SLSQP"])):
            model, counts = make()
            data = np.array([*counts, *model.config.auxdata], float)
            problem, likelihood = f"{problem}, {model.config.npars} parameters", hep_fits.from_pyhf(model)
            found += _fits(problem, model, likelihood, sizes, target, others)
            found += _tests(problem, model, likelihood, data, sizes, target)
    return found


def _channels():
    """Return a peak on three backgrounds in three channels of ten bins; one background is uncertain in each bin."""
    spec = deepcopy(dict(_six_channels()[0].spec))
    spec["channels"] = spec["channels"][:3]
    for c, channel in enumerate(spec["channels"]):
        sample = channel["samples"][-1]
        sizes = [0.1 * rate for rate in sample["data"]]
        sample["modifiers"].append({"name": f"shape {c}", "type": "shapesys", "data": sizes})
    model = pyhf.Model(spec, poi_name="mu")
    expected = model.expected_actualdata(jnp.array(model.config.suggested_init()))
    return model, np.random.default_rng(0).poisson(expected)


def _fits(problem, model, likelihood, sizes, target, others):
    many, few, some = sizes
    data = np.asarray(toys.generate(likelihood, likelihood.init, KEY, many))
    start = time.perf_counter()
    toys.fit_toys(likelihood, data[:1])
    first = time.perf_counter() - start

    def one_by_one(**options):
        return np.array([pyhf.infer.mle.fit(toy, model, **options) for toy in jnp.asarray(data[:few])])

    contenders = {
        "fit_toys": (many, lambda: toys.fit_toys(likelihood, data)),
        "pyhf, SLSQP": (few, one_by_one),
        **{
            name: (few, partial(one_by_one, method=method, tolerance=TOLERANCE[method]))
            for name, method in others.items()
        },
        "everwillow, L-BFGS": (some, partial(_everwillow(model, likelihood), jnp.asarray(data[:some]))),
    }
    times, found = timed(contenders)
    times["fit_toys"]["first"] = first
    ours = found.pop("fit_toys")
    assert np.sum(~ours.converged) <= many / 1e4, (problem, np.sum(~ours.converged))
    sigmas = np.where(ours.errors > 0, ours.errors, 1)
    errors = {name: float(np.max(abs(p - ours.params[: len(p)]) / sigmas[: len(p)])) for name, p in found.items()}
    errors["fit_toys"] = _missing(model, likelihood, jax.tree.map(lambda part: part[:few], ours), data[:few])
    assert max(errors.values()) <= 1e-4, (problem, errors)
    targets = {"pyhf, SLSQP": target, "everwillow, L-BFGS": 10}
    for peer in found:
        told = f"{problem}, fits of 1000 toys"
        yield row("P1", told, "fit_toys", peer, times, errors, targets.get(peer)) | _toys(many, contenders[peer][0])


def _missing(model, likelihood, found, data):
    """Return how many standard deviations it is to the minimum, by a step of Newton's method on pyhf's density."""

    def theirs(params, data):
        return -model.logpdf(params, data)[0]

    gradient, hessian = (np.asarray(jax.jit(jax.vmap(d(theirs)))(found.params, data)) for d in (jax.grad, jax.hessian))
    # What a bound holds has to be pushed against it.
    outward = np.where(found.params <= np.asarray(likelihood.bounds)[:, 0], gradient > 0, gradient < 0)
    gradient = np.where(found.free | ~outward, gradient, 0)
    both_free = found.free[:, :, None] & found.free[:, None]
    covariance = np.linalg.inv(np.where(both_free, hessian, np.eye(gradient.shape[1])))
    steps = np.einsum("nij,nj->ni", covariance, gradient)
    return float(np.max(abs(steps) / np.sqrt(np.einsum("nii->ni", covariance))))


def _everwillow(model, likelihood):
    """Return fits by everwillow of many toys, of the same function, with as many arrays as pyhf has parameter sets."""
    import everwillow
    import optimistix
    from everwillow.parameters import MinuitTransform
    from everwillow.statelib import State

    parts = sorted(((of["slice"], name) for name, of in model.config.par_map.items()), key=lambda part: part[0].start)
    state = State.from_pytree({name: likelihood.init[part] for part, name in parts})
    bounds = State.from_pytree({name: MinuitTransform(*map(float, likelihood.bounds[part][0])) for part, name in parts})
    solver = optimistix.LBFGS(rtol=TOLERANCE["everwillow"], atol=TOLERANCE["everwillow"])

    def flat(params):
        return jnp.concatenate([params[name] for _, name in parts])

    @jax.jit
    @jax.vmap
    def fits(data):
        def nll(params, observation):
            return likelihood.nll(flat(params), observation)

        return flat(everwillow.fit(nll, state, data, bounds=bounds, solver=solver, max_steps=1000).params.to_pytree())

    return lambda data: np.asarray(fits(data))


def _tests(problem, model, likelihood, data, sizes, target):
    many, few = sizes[0], sizes[1] // (4 if QUICK else 2)
    calculator = pyhf.infer.calculators.ToyCalculator(data.tolist(), model, ntoys=few, track_progress=False)
    contenders = {
        "hypotest": (2 * many, lambda: toys.hypotest(1.0, data, likelihood, KEY, many)),
        "pyhf, ToyCalculator": (2 * few, lambda: calculator.distributions(1.0)),
    }
    times, found = timed(contenders)
    signal, background = found["hypotest"].signal, found["hypotest"].background
    assert np.sum(~signal.converged) + np.sum(~background.converged) <= 2 * many / 1e4
    # The same toys again, for pyhf.
    truth = hep_fits.fit(likelihood, data, fixed={likelihood.poi: 1.0}).params
    again = toys.generate(likelihood, truth, jax.random.fold_in(KEY, 0), few)
    config = model.config
    options = config.suggested_init(), config.suggested_bounds(), config.suggested_fixed()
    theirs = [float(pyhf.infer.test_statistics.qmu_tilde(1.0, toy, model, *options)) for toy in again]
    off = float(np.max(abs(signal.q[:few] - theirs)))
    assert off <= 1e-5, (problem, off)
    told, peer = f"{problem}, tests with 1000 toys", "pyhf, ToyCalculator"
    errors = dict.fromkeys(contenders, off)
    yield row("P1", told, "hypotest", peer, times, errors, target) | _toys(2 * many, 2 * few)


def _toys(ours, peer):
    """Return how many toys were timed, to be stored in a row."""
    return {"toys": {"ours": ours, "peer": peer}}


def timed(contenders, repetitions=3):
    """Return times, for 1000 toys (those of first calls and the memory for all), and what was found last."""
    last = {}

    def kept(name, contender):
        last[name] = contender()
        return jax.tree.leaves(last[name])

    times = compare({name: partial(kept, name, contender) for name, (_, contender) in contenders.items()}, repetitions)
    for name, (n, _) in contenders.items():
        scaled = {kind: 1000 * times[name][kind] / n for kind in ("median", "min", "max")}
        times[name] |= scaled | {"rounds": [1000 * t / n for t in times[name]["rounds"]]}
    return times, last
