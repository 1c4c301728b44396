"""Models of pyhf for tests: workspaces that together have every modifier and setting, and two larger ones."""

import contextlib
import functools
import importlib
import json
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyhf

from autodiff_tutorial.hep_fits import Likelihood, from_pyhf

WORKSPACES = Path(__file__).with_name("workspaces")


def _codes(normsys, histosys):
    return {"modifier_settings": {"normsys": {"interpcode": normsys}, "histosys": {"interpcode": histosys}}}


# Their workspace, and how the model is made of it.
CASES = {name: (name, {}) for name in sorted(path.stem for path in WORKSPACES.glob("*.json"))} | {
    "interpolated by code1 and code0": ("interpolated", _codes("code1", "code0")),
    "interpolated by code4 and code2": ("interpolated", _codes("code4", "code2")),
    "interpolated by code1 and code4p": ("interpolated", _codes("code1", "code4p")),
    "clipped samples": ("negative", {"clip_sample_data": 0.0}),
    "clipped bins": ("negative", {"clip_bin_data": 9.0}),
    "clipped, also where it is not": ("statistical", {"clip_sample_data": 0.5}),
    "many bins": ("many bins", {}),
    "many parameters": ("many parameters", {}),
}


class Case(NamedTuple):
    workspace: pyhf.Workspace
    model: pyhf.Model
    likelihood: Likelihood
    data: np.ndarray


def cached(f):
    """Keep what a function returns, apart for each precision of JAX."""
    keep = functools.cache(lambda x64, *args: f(*args))
    return functools.wraps(f)(lambda *args: keep(jax.config.jax_enable_x64, *args))


@cached
def load(name) -> Case:
    """Return a case, made once, so that it is compiled once."""
    file, options = CASES[name]
    made = {"many bins": many_bins, "many parameters": many_parameters}
    workspace = pyhf.Workspace(made[file]() if file in made else json.loads((WORKSPACES / f"{file}.json").read_text()))
    poi = workspace.get_measurement()["config"]["poi"]
    # An empty name stands for a model without one.
    model = workspace.model(**options) if poi else workspace.model(poi_name=None, **options)
    return Case(workspace, model, from_pyhf(model), np.array(workspace.data(model), float))


def _workspace(channels, observed):
    return {
        "channels": [{"name": name, "samples": samples} for name, samples in channels.items()],
        "observations": [{"name": name, "data": counts} for name, counts in observed.items()],
        "measurements": [{"name": "measurement", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def _sample(name, data, *modifiers):
    return {
        "name": name,
        "data": data,
        "modifiers": [dict(zip(("name", "type", "data"), m, strict=True)) for m in modifiers],
    }


MU = ("mu", "normfactor", None)


def many_bins(n=50):
    """Return a peak on a falling background, uncertain in every bin by itself."""
    x = np.arange(n)
    signal = 30 * np.exp(-(((x - 0.6 * n) / 4) ** 2) / 2)
    background = 200 * np.exp(-1.5 * x / n)
    observed = np.random.default_rng(5).poisson(background + signal)
    uncertain = ("stat", "shapesys", (0.05 * background).tolist())
    samples = [_sample("signal", signal.tolist(), MU), _sample("background", background.tolist(), uncertain)]
    return _workspace({"one": samples}, {"one": observed.tolist()})


def many_parameters(n_channels=6, n_samples=4, n_bins=10):
    """Return channels of samples with shared and with own uncertainties, about one parameter in a bin."""
    rng = np.random.default_rng(7)
    channels, observed = {}, {}
    for c in range(n_channels):
        samples, total = [], 0
        for s in range(n_samples):
            yields = rng.uniform(10, 80, n_bins) * (0.3 if s == 0 else 1)
            tilt = np.linspace(-0.04, 0.05, n_bins) * rng.uniform(0.5, 1)
            modifiers = [
                (f"theory_{s}", "normsys", {"hi": 1 + 0.04 * (s + 1), "lo": 1 - 0.03 * (s + 1)}),
                (f"scale_{c % 3}", "normsys", {"hi": 1.03, "lo": 0.98}),
                (
                    f"tilt_{s}",
                    "histosys",
                    {side: (yields * f).tolist() for side, f in (("hi_data", 1 + tilt), ("lo_data", 1 - tilt))},
                ),
                (f"mc_{c}", "staterror", (0.03 * yields).tolist()),
                *([MU] if s == 0 else []),
            ]
            samples.append(_sample(f"sample_{s}", yields.tolist(), *modifiers))
            total = total + yields
        channels[f"channel_{c}"] = samples
        observed[f"channel_{c}"] = rng.poisson(total).tolist()
    return _workspace(channels, observed)


@cached
def points(name, n=6):
    """Return random parameters, beyond one standard deviation too, and data for each: what is expected, moved."""
    rng = np.random.default_rng(11)
    likelihood = load(name).likelihood
    lower, upper = np.asarray(likelihood.bounds).T
    init = np.asarray(likelihood.init)
    spread = np.where(lower < -1, 1.7, 0.35)
    params = np.clip(init + spread * rng.normal(size=(n, init.size)), lower + 0.02, upper - 0.02)
    params = np.where(lower < upper, params, init)
    counts = np.isfinite(likelihood.data_min)
    means = np.array([likelihood.expected(p) for p in params])
    data = np.where(counts, rng.poisson(np.where(counts, means, 0)), means + 0.1 * rng.normal(size=means.shape))
    return params, data


def quickly(f):
    """Compile a function for few calls, without optimization."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


def free_of(likelihood):
    """Return which parameters have room between their bounds."""
    return np.asarray(likelihood.bounds[:, 0] < likelihood.bounds[:, 1])


@contextlib.contextmanager
def backend(*args, **kwargs):
    """Set pyhf's backend for a while, and leave it, and what it sets in JAX and PyTorch, as they were."""
    before, x64 = pyhf.get_backend(), jax.config.jax_enable_x64
    torch = sys.modules.get("torch") or (importlib.import_module("torch") if "pytorch" in args else None)
    dtype = torch and torch.get_default_dtype()
    try:
        pyhf.set_backend(*args, **kwargs)
        yield
    finally:
        pyhf.set_backend(*before)
        jax.config.update("jax_enable_x64", x64)
        if torch:
            torch.set_default_dtype(dtype)


def two_minima(**options):
    """Return a likelihood whose fit is caught in a local minimum; with mu held at 4 it finds a lower one."""

    def nll(params, data):
        mu, a = params
        return 0.1 * (mu - 1) ** 2 + (a**2 - 1) ** 2 + mu * a / 2 + 0 * data[0]

    bounds = jnp.array([[0.0, 10.0], [-3.0, 3.0]])
    return Likelihood(nll, jnp.array([0.5, 1.0]), bounds, ("mu", "a"), poi=0, **options)
