"""What is fitted: a negative log-likelihood with what a fit needs to know of its parameters and data."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_floats, is_traced
from autodiff_tutorial.linear_maps.checking import kind_of
from autodiff_tutorial.solvers.problems import described, tracing


class Likelihood(NamedTuple):
    r"""A negative log-likelihood, and what a fit needs to know of it.

    Attributes
    ----------
    nll : callable
        ``nll(params, data)`` is :math:`-\ln L`, one number, for `params` of shape (p,) and `data` of shape (d,);
        traceable and twice differentiable in both. Programs are compiled once for each function: define it once.
    init : array, shape (p,)
        Where fits start.
    bounds : array, shape (p, 2)
        Lower and upper bounds, infinite where there are none. Where they are equal, the parameter is fixed.
    names : sequence of str
        The names of the parameters, all different.
    poi : int, optional
        The index of the parameter of interest.
    sample : callable, optional
        ``sample(params, key)`` draws data.
    expected : callable, optional
        ``expected(params)`` is the mean of the data, the "Asimov data"; `hypotest` and `upper_limit` need it.
    data_min : array, shape (d,), optional
        The least value of each number in the data: 0 for counts, minus infinity for what may be negative.
    vectorized : bool
        Whether `nll` takes many at once as well: for `params` of shape (p, n) and `data` of shape (d, n), one a
        column, it returns n numbers. Many fits side by side, as in `toys`, are faster so.

    Examples
    --------
    An unbinned likelihood: decay times with an unknown mean. The best fit is their average, known to one part in
    the root of their number.

    >>> times = jnp.array([1.0, 2.0, 4.0, 5.0])
    >>> decays = Likelihood(
    ...     nll=lambda params, t: jnp.sum(jnp.log(params[0]) + t / params[0]),
    ...     init=jnp.array([1.0]),
    ...     bounds=jnp.array([[0.01, 100.0]]),
    ...     names=["lifetime"],
    ... )
    >>> from autodiff_tutorial.hep_fits import fit
    >>> found = fit(decays, times)
    >>> print(f"{found.params[0]:.2f} +- {found.errors[0]:.2f}")
    3.00 +- 1.50
    """

    nll: Callable
    init: jax.Array
    bounds: jax.Array
    names: Sequence[str]
    poi: int | None = None
    sample: Callable | None = None
    expected: Callable | None = None
    data_min: ArrayLike | None = None
    vectorized: bool = False


def checked_likelihood(call, likelihood, data):
    """Return start, lower and upper bounds, and the data, as arrays of one dtype, after a look at all of them."""
    if not isinstance(likelihood, Likelihood):
        raise TypeError(f"`{call}(likelihood=...)` should be a `Likelihood`. Got {kind_of(likelihood)}.")
    init = checked_floats(f"{call}(likelihood.init)", likelihood.init)
    n = init.size
    if init.ndim != 1 or n == 0:
        raise ValueError(f"`{call}(likelihood.init)` should have shape (p,), p at least 1. Got shape {init.shape}.")
    bounds = jnp.asarray(likelihood.bounds, init.dtype)
    if bounds.shape != (n, 2):
        raise ValueError(f"`{call}(likelihood.bounds)` should have shape ({n}, 2). Got shape {bounds.shape}.")
    names = list(likelihood.names)
    if len(names) != n or len(set(names)) != n:
        raise ValueError(f"`{call}(likelihood.names)` should be {n} different names. Got {names}.")
    poi = likelihood.poi
    if poi is not None and (not isinstance(poi, int | np.integer) or not 0 <= poi < n):
        raise ValueError(f"`{call}(likelihood.poi)` should be an index below {n}, or None. Got {poi!r}.")
    lower, upper = bounds.T
    _check_start(call, init, lower, upper, names)
    data = _checked_data(call, likelihood, data, init.dtype)
    _check_nll(call, likelihood.nll, jax.ShapeDtypeStruct(init.shape, init.dtype), data.shape)
    return init, lower, upper, data


@functools.lru_cache(maxsize=256)
def _check_nll(call, nll, params, data_shape):
    """Look at what a function returns, once for each shape of the data."""
    with tracing(call, "likelihood.nll"):
        found = jax.eval_shape(nll, params, jax.ShapeDtypeStruct(data_shape, params.dtype))
    wanted = jax.ShapeDtypeStruct((), params.dtype)
    if described(found) != described(wanted):
        raise TypeError(
            f"`{call}(likelihood.nll)` should return one number in the dtype of the parameters, {described(wanted)}. "
            f"Got {described(found)}."
        )


def _check_start(call, init, lower, upper, names):
    if is_traced(init) or is_traced(lower):
        return
    init, lower, upper = (np.asarray(part) for part in (init, lower, upper))
    outside = ~((lower <= init) & (init <= upper))
    if np.any(outside):
        k = int(np.argmax(outside))
        raise ValueError(
            f"`{call}(likelihood.init)` should lie within the bounds. Got {float(init[k]):g} for {names[k]}, bounded "
            f"by {float(lower[k]):g} and {float(upper[k]):g}."
        )


def _checked_data(call, likelihood, data, dtype):
    """Return the data in the dtype of the parameters; counts may be integers."""
    data = data if hasattr(data, "dtype") else np.asarray(data)
    if data.dtype.kind in "iu":
        data = data.astype(dtype)
    data = checked_floats(f"{call}(data=...)", data).astype(dtype)
    least = likelihood.data_min
    if data.ndim != 1 or data.size == 0 or (least is not None and data.shape != np.shape(least)):
        wanted = "(d,), d at least 1" if least is None else f"{np.shape(least)}: main counts, then auxiliary data"
        raise ValueError(f"`{call}(data=...)` should have shape {wanted}. Got shape {data.shape}.")
    if not is_traced(data):
        # A comparison with NaN is false.
        values = np.asarray(data)
        wrong = ~(np.isfinite(values) & (values >= (-np.inf if least is None else np.asarray(least))))
        if np.any(wrong):
            k = int(np.argmax(wrong))
            text = "be finite" if least is None else "be finite, with counts of 0 or more"
            raise ValueError(f"`{call}(data=...)` should {text}. Got {float(data[k])} at position {k}.")
    return data


def checked_index(call, likelihood, index, name="index"):
    """Return the index of a parameter that is given by its index or its name."""
    names = list(likelihood.names)
    if isinstance(index, str) and index in names:
        return names.index(index)
    if isinstance(index, int | np.integer) and not isinstance(index, bool) and 0 <= index < len(names):
        return int(index)
    shown = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
    raise ValueError(
        f"`{call}({name}=...)` should be the name of a parameter, one of {shown}, or an index below {len(names)}. "
        f"Got {index!r}."
    )


def checked_poi(call, likelihood):
    """Return the index of the parameter of interest."""
    if likelihood.poi is None:
        raise ValueError(
            f"`{call}` needs a parameter of interest. Got a likelihood without one. Name it: "
            "likelihood._replace(poi=0)."
        )
    return int(likelihood.poi)
