"""Fits of many toys."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from autodiff_tutorial.hep_fits import Likelihood
from autodiff_tutorial.hep_fits.fits import hold, warn_of
from autodiff_tutorial.hep_fits.likelihoods import checked_likelihood
from autodiff_tutorial.linear_maps.checking import kind_of
from autodiff_tutorial.toys.lockstep import ToyFits, fitter, shared


def fit_toys(
    likelihood: Likelihood,
    data: ArrayLike,
    *,
    fixed: dict | None = None,
    covariance: bool = False,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> ToyFits:
    r"""Fit many toys, each as `hep_fits.fit` would.

    Newton's method with exact derivatives, in lockstep. The pattern of the Hessian is detected: where bins meet only
    through m shared parameters, a step costs about as many Hessian-vector products as colors, and
    :math:`O(p m^2 + m^3)`. Toys that take more steps than most are set aside and finished together; those that fail
    are tried once more, from another start, with a damped Hessian and more steps, and if they fail again are flagged.
    None stops the others.

    On CPUs of one kind results are the same, bit by bit, whatever the chunk size and the number of devices. GPUs add in
    any order, so that there they are the same to rounding.

    Parameters
    ----------
    likelihood : Likelihood
        What to fit. One program is compiled for each `nll` and `chunk_size`.
    data : array_like, shape (N, d)
        One toy a row.
    fixed : dict, optional
        Values for parameters that do not move, by name or index.
    covariance : bool
        Whether covariances are returned: N p^2 numbers.
    chunk_size : int, optional
        How many toys go to a device at a time, which bounds its memory, as few are there at once; rounded up to what
        is fitted side by side. By default 4096 on CPUs, 65536 on others.
    mesh : jax.sharding.Mesh, optional
        Devices over which toys are spread, those of other processes included: each process fits its share, and all
        return all. By default the first device; its cores are all used.

    Returns
    -------
    ToyFits
        With a warning if toys are flagged.

    Raises
    ------
    TypeError, ValueError
        If the data or the likelihood are not as said there, the start is outside the bounds, a name in `fixed` does
        not exist, or no parameter is free.

    References
    ----------
    Curtis, Powell and Reid (1974), IMA Journal of Applied Mathematics 13, 117, for few products; Cowan, Cranmer, Gross
    and Vitells (2011), European Physical Journal C 71, 1554, for toys.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> from autodiff_tutorial.toys import generate
    >>> likelihood = from_pyhf(pyhf.simplemodels.uncorrelated_background([50.0], [100.0], [10.0]))
    >>> toys = generate(likelihood, likelihood.init, jax.random.key(1), 2000)
    >>> found = fit_toys(likelihood, toys)
    >>> off, errors = (part[found.free[:, 0], 0] for part in (found.params - 1, found.errors))
    >>> print(found.converged.sum(), bool(abs((off / errors).std() - 1) < 0.1))
    2000 True
    """
    call = "toys.fit_toys"
    data = checked_toys(call, likelihood, data)
    y, lower, upper, _ = checked_likelihood(call, likelihood, data[0])
    y, lower, upper = (np.asarray(part) for part in hold(call, likelihood, fixed or {}, y, lower, upper))
    if np.all(lower == upper):
        raise ValueError(f"`{call}` should have a parameter that is free. Got all of them fixed.")
    fit = fitter(call, likelihood, y.dtype, data.shape[1], chunk_size, mesh, covariance)
    found = shared(mesh, len(data), lambda first, end: fit(data[first:end], y, lower, upper))
    warn_of(call, found.converged, "they are flagged")
    return found


def checked_toys(call, likelihood, data):
    """Return the data in the dtype of the likelihood's parameters."""
    if not isinstance(likelihood, Likelihood):
        raise TypeError(f"`{call}(likelihood=...)` should be a `Likelihood`. Got {kind_of(likelihood)}.")
    if isinstance(data, jax.core.Tracer):
        raise TypeError(f"`{call}` runs on the host, outside of jax.jit, vmap and grad. `hep_fits.fit` runs inside.")
    try:
        data = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"`{call}(data=...)` should have shape (N, d), rows of one length. Got {error}.") from error
    if data.dtype.kind not in "iuf":
        raise TypeError(f"`{call}(data=...)` should hold numbers. Got dtype {data.dtype}.")
    data = data.astype(jnp.asarray(likelihood.init).dtype, copy=False)
    if data.ndim != 2 or data.size == 0:
        raise ValueError(f"`{call}(data=...)` should have shape (N, d), one toy a row. Got shape {data.shape}.")
    least = -np.inf if likelihood.data_min is None else np.asarray(likelihood.data_min)
    if np.size(least) not in (1, data.shape[1]):
        raise ValueError(f"`{call}(data=...)` should have shape (N, {np.size(least)}). Got shape {data.shape}.")
    least = np.maximum(least, np.finfo(data.dtype).min)
    # So many at a time stay in the cache.
    for first in range(0, len(data), 1024):
        part = data[first : first + 1024]
        wrong = ~((part >= least) & (part < np.inf))
        if np.any(wrong):
            row, k = (int(index[0]) for index in np.nonzero(wrong))
            raise ValueError(
                f"`{call}(data=...)` should be finite, with counts of 0 or more. Got {float(part[row, k])} at position "
                f"{k} of toy {first + row}."
            )
    return data
