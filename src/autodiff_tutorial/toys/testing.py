"""Hypothesis tests by toys: distributions of the test statistic as they are, however few the events."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import ArrayLike
from scipy.special import ndtr

from autodiff_tutorial.hep_fits import Likelihood
from autodiff_tutorial.hep_fits.fits import hold, warn_of
from autodiff_tutorial.hep_fits.likelihoods import checked_likelihood, checked_poi
from autodiff_tutorial.hep_fits.limits import N_SIGMA, tails
from autodiff_tutorial.hep_fits.minimum import no_lower
from autodiff_tutorial.linear_maps.checking import checked_size
from autodiff_tutorial.solvers.problems import is_number
from autodiff_tutorial.toys.generation import checked_sampling, drawn
from autodiff_tutorial.toys.lockstep import fitter, shared


class Statistics(NamedTuple):
    """The test statistic of n toys of one hypothesis, as NumPy arrays.

    Attributes
    ----------
    q : array, shape (n,)
        The test statistic.
    best : array, shape (n,)
        The best fit of the parameter of interest.
    converged : array of bool, shape (n,)
        Whether both fits have converged. The others are flagged, and not counted in p-values.
    retried : array of bool, shape (n,)
        Whether one of the fits had a second try.
    """

    q: np.ndarray
    best: np.ndarray
    converged: np.ndarray
    retried: np.ndarray


class ToyTest(NamedTuple):
    """A test of one signal strength by toys.

    Attributes
    ----------
    cls : float
        Observed CLs: `cl_sb` / `cl_b`.
    expected : array, shape (5,)
        CLs for background alone, at -2, -1, 0, 1 and 2 standard deviations: from data that exclude best to those that
        exclude least.
    cl_sb, cl_b : float
        The fractions of toys at least as unlike the signal as the data, with signal and without it.
    cls_error, cl_sb_error, cl_b_error : float
        Their standard deviations, as those of binomial fractions.
    q : float
        The test statistic of the data.
    signal, background : Statistics
        The toys, with signal and without it.
    converged : bool
        Whether the fits of the data have converged.
    """

    cls: float
    expected: np.ndarray
    cl_sb: float
    cl_b: float
    cls_error: float
    cl_sb_error: float
    cl_b_error: float
    q: float
    signal: Statistics
    background: Statistics
    converged: bool


def hypotest(
    mu: ArrayLike,
    data: ArrayLike,
    likelihood: Likelihood,
    key: jax.Array,
    n: int,
    *,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> ToyTest:
    r"""Test a signal strength by the CLs of its profile likelihood ratio, with toys.

    The statistic is that of `hep_fits.hypotest`, :math:`\tilde q_\mu`. Its distributions are found by n toys with
    signal and n without, drawn with all other parameters as they fit the data best under each hypothesis, each fitted
    twice. An observed p-value is the fraction of toys with at least the observed statistic, k of n, with the standard
    deviation :math:`\sqrt{p(1 - p)/n}` taken at p = (k + 1)/(n + 2), so that none is called exact.

    Parameters
    ----------
    mu : float
        The value of the parameter of interest, above 0 and at most its upper bound.
    data : array_like, shape (d,)
        Main counts, then auxiliary data.
    likelihood : Likelihood
        With a parameter of interest that multiplies a signal, and `sample`. Whatever its lower bound, 0 is used.
    key : jax.random.key
        One key. Toy k is the same whatever n, `chunk_size` and `mesh` are.
    n : int
        How many toys of each hypothesis.
    chunk_size, mesh
        As in `fit_toys`.

    Returns
    -------
    ToyTest
        `cls`, `expected`, the fractions and their errors, and all toys. With a warning if toys are flagged.

    Raises
    ------
    TypeError, ValueError
        As `fit_toys` and `generate`, or if `mu` is no such number, or there is no parameter of interest.

    References
    ----------
    Cowan, Cranmer, Gross and Vitells (2011), European Physical Journal C 71, 1554; Read (2002), Journal of Physics G
    28, 2693.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> model = pyhf.simplemodels.uncorrelated_background([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
    >>> data = jnp.array([51.0, 48.0] + model.config.auxdata)
    >>> found = hypotest(1.0, data, from_pyhf(model), jax.random.key(0), 5000)
    >>> print(len(found.signal.q), bool(abs(found.cls - 0.0536) < 4 * found.cls_error))
    5000 True
    """
    call = "toys.hypotest"
    n = checked_size("n", n, call)
    if n > 2**32:
        raise ValueError(f"`{call}(n=...)` should be at most 2**32, as toys are numbered. Got {n}.")
    trial = Trial(call, mu, data, likelihood, key, chunk_size, mesh)
    signal, background = (trial.toys(hypothesis, 0, n) for hypothesis in (0, 1))
    warn_of(call, trial.converged, "the fits of the data, so that no CLs is to be trusted")
    warn_of(call, np.append(signal.converged, background.converged), "flagged toys are not counted")
    return compared(trial.q, trial.converged, signal, background)


class _Chunks:
    """Toys that stay on their device: whole chunks are as they are there, all others are copied to the host."""

    def __init__(self, parts, n):
        self.parts, self.shape, self.dtype = parts, (n, parts[0].shape[1]), parts[0].dtype

    def __getitem__(self, rows):
        size = self.parts[0].shape[0]
        if isinstance(rows, slice):
            part, n = self.parts[rows.start // size], self.shape[0] - rows.start
            return part if n >= size else np.asarray(part)[:n]
        found, (which, places) = np.empty((len(rows), self.shape[1]), self.dtype), np.divmod(rows, size)
        for k in np.unique(which):
            found[which == k] = np.asarray(self.parts[k])[places[which == k]]
        return found


class Trial:
    """All that toys of a test share: the parameters to draw from, and the fits of the data."""

    def __init__(self, call, mu, data, likelihood, key, chunk_size=None, mesh=None):
        y, lower, upper, data, self.poi = checked_test(call, mu, data, likelihood, key)
        self.mu, self.key, self.sample, self.mesh = float(mu), key, likelihood.sample, mesh
        fit = fitter(call, likelihood, y.dtype, data.size, chunk_size, mesh)
        self.fit = fit._replace(fields=("params", "nll", "converged", "n_steps", "retried"))
        free = y.at[self.poi].max(0), lower.at[self.poi].set(0), upper
        held = [hold(call, likelihood, {self.poi: value}, *free) for value in (self.mu, 0.0)]
        self.bounds, self.held, _ = (tuple(map(np.asarray, case[1:])) for case in (free, *held))
        observed = np.asarray(data)[None]
        cases = [tuple(map(np.asarray, case)) for case in held]
        fits = [shared(mesh, 1, lambda *_, case=case: self.fit(observed, *case)) for case in cases]
        # With signal, and without it.
        self.truth = [fitted.params[0] for fitted in fits]
        found = shared(mesh, 1, lambda *_: self.statistics(observed, self.truth[0]))
        self.q, self.converged = found.q[0], bool(found.converged[0] and all(fitted.converged[0] for fitted in fits))

    def toys(self, hypothesis, first, n) -> Statistics:
        """Return toys first, ... of a hypothesis: 0 with signal, 1 without it. Each process makes its share of them."""
        return shared(self.mesh, n, lambda a, b: self._own(hypothesis, first + a, b - a))

    def _own(self, hypothesis, first, n):
        key, truth = jax.random.fold_in(self.key, hypothesis), self.truth[hypothesis]
        if self.fit.sharding is not None:
            # Wherever it was made, all devices draw from it.
            key = jax.device_put(key, NamedSharding(self.fit.sharding.mesh, PartitionSpec()))
        rows, parts = self.fit.rows, []
        # No more are held at once than keep all threads busy for a while.
        size = max(8, 2 * self.fit.threads) * rows
        for start in range(first, first + n, size):
            numbers = range(start, min(start + size, first + n), rows)
            chunks = [None] * len(numbers)

            def draw(k, numbers=numbers, chunks=chunks):
                number = jnp.uint32(numbers[k])
                more = drawn(self.sample, rows, jnp.asarray(truth), key, number, self.fit.sharding)
                chunks[k] = jax.block_until_ready(more.astype(truth.dtype))

            draw(0)
            self.fit.spread(draw, range(1, len(chunks)))
            parts.append(self.statistics(_Chunks(chunks, min(size, first + n - start)), truth))
        return Statistics(*map(np.concatenate, zip(*parts, strict=True)))

    def asymptotic(self, expected) -> float:
        """Return the CLs of the formula for large samples, from the mean of the data as a function of parameters."""
        asimov = np.asarray(expected(jnp.asarray(self.truth[1])))[None]
        cl_sb, cl_b = tails(jnp.asarray(self.q), jnp.asarray(self.statistics(asimov, self.truth[1]).q[0]))
        return float(cl_sb / cl_b)

    def statistics(self, data, start):
        best = self.fit(data, start, *self.bounds)
        starts = best.params.copy()
        starts[:, self.poi] = self.mu
        held = self.fit(data, starts, *self.held)
        mu = best.params[:, self.poi]
        # Flagged toys may hold anything.
        with np.errstate(invalid="ignore"):
            q = np.where(mu > self.mu, 0, np.maximum(2 * (held.nll - best.nll), 0))
            converged = best.converged & held.converged & np.asarray(no_lower(held.nll, best.nll))
        return Statistics(q, mu, converged, best.retried | held.retried)


def checked_test(call, mu, data, likelihood, key):
    """Return start, bounds, data and the index of the parameter of interest, after a look at all arguments."""
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    checked_sampling(call, likelihood, y, key)
    poi = checked_poi(call, likelihood)
    if not is_number(mu) or np.ndim(mu) or not 0 < mu <= upper[poi]:
        raise ValueError(
            f"`{call}(mu=...)` should be a number above 0 and at most the upper bound of the parameter, "
            f"{float(upper[poi]):g}. Got {mu!r}."
        )
    if lower[poi] == upper[poi]:
        raise ValueError(f"`{call}(likelihood.poi)` should be a parameter that is free. Got one with equal bounds.")
    return y, lower, upper, data, poi


def compared(q, converged, signal, background) -> ToyTest:
    """Return the test, from all its toys."""
    slack = np.finfo(signal.q.dtype).eps ** 0.5
    sorted_toys = [np.sort(toys.q[toys.converged]) for toys in (signal, background)]

    def beyond(q):
        """Return how many toys are at least as far out; those with the very same data are, whatever rounding says."""
        least = q - slack * (1 + q)
        return [(len(toys) - np.searchsorted(toys, least), len(toys)) for toys in sorted_toys]

    def ratios(q):
        (k_sb, n_sb), (k_b, n_b) = beyond(q)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.true_divide(k_sb, n_sb), np.true_divide(k_b, n_b), np.true_divide(k_sb * n_b, n_sb * k_b)

    cl_sb, cl_b, cls = ratios(q)
    cl_sb_error, cl_b_error = (_binomial_error(k, n) for k, n in beyond(q))
    with np.errstate(invalid="ignore", divide="ignore"):
        cls_error = np.hypot(cl_sb_error, cls * cl_b_error) / cl_b
    of_background = ratios(sorted_toys[1])[2]
    expected = np.quantile(of_background, ndtr(N_SIGMA)) if of_background.size else np.full(5, np.nan)
    return ToyTest(
        float(cls), expected, float(cl_sb), float(cl_b), float(cls_error), cl_sb_error, cl_b_error, float(q), signal,
        background, bool(converged),
    )  # fmt: skip


def _binomial_error(k, n):
    p = (k + 1) / (n + 2)
    return float(np.sqrt(p * (1 - p) / max(n, 1)))
