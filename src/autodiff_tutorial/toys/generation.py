"""Pseudo-experiments: data drawn from a likelihood, each toy from its own random numbers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from numpy.typing import ArrayLike

from autodiff_tutorial.custom_rules.checking import checked_floats, is_traced
from autodiff_tutorial.hep_fits import Likelihood
from autodiff_tutorial.linear_maps.checking import checked_size, kind_of


def generate(likelihood: Likelihood, params: ArrayLike, key: jax.Array, n: int, *, first: int = 0) -> jax.Array:
    """Draw toys first, ..., first + n - 1 of a key.

    Toy k is ``likelihood.sample(params, jax.random.fold_in(key, k))``, so that it is the same whatever else is drawn
    beside it, before it, or elsewhere.

    Parameters
    ----------
    likelihood : Likelihood
        With `sample`.
    params : array_like, shape (p,)
        The parameters to draw from.
    key : jax.random.key
        One key.
    n : int
        How many; a program is compiled for each n.
    first : int
        The number of the first toy.

    Returns
    -------
    array, shape (n, d)
        One toy a row.

    Raises
    ------
    TypeError, ValueError
        If the likelihood cannot be sampled, or an argument is not as said there.

    Examples
    --------
    >>> import pyhf
    >>> from autodiff_tutorial.hep_fits import from_pyhf
    >>> likelihood = from_pyhf(pyhf.simplemodels.uncorrelated_background([5.0], [10.0], [3.5]))
    >>> toys = generate(likelihood, likelihood.init, jax.random.key(1), 1000)
    >>> print(toys.shape, bool(abs(toys[:, 0].mean() - 15) < 1))
    (1000, 2) True
    >>> later = generate(likelihood, likelihood.init, jax.random.key(1), 1000, first=990)
    >>> print(bool(jnp.all(later[:10] == toys[990:])))
    True
    """
    call = "toys.generate"
    params = checked_sampling(call, likelihood, params, key)
    n = checked_size("n", n, call)
    if not isinstance(first, int | np.integer) or isinstance(first, bool) or not 0 <= first <= 2**32 - n:
        raise ValueError(f"`{call}(first=...)` should be an integer from 0 to 2**32 - n. Got {first!r}.")
    return drawn(likelihood.sample, n, params, key, jnp.uint32(first))


@partial(jax.jit, static_argnames=("sample", "n", "sharding"))
def drawn(sample, n, params, key, first, sharding=None):
    def draw(params, key, numbers):
        return jax.vmap(lambda k: sample(params, jax.random.fold_in(key, k)))(numbers)

    if sharding is not None:
        # Each device draws its own toys, and waits for no other.
        toys, all_alike = sharding.spec, PartitionSpec()
        specs = (all_alike, all_alike, toys)
        draw = jax.shard_map(draw, mesh=sharding.mesh, in_specs=specs, out_specs=toys, check_vma=False)
    return draw(params, key, first + jnp.arange(n, dtype=jnp.uint32))


def checked_sampling(call, likelihood, params, key):
    """Return the parameters to draw from, after a look at all that drawing needs."""
    if not isinstance(likelihood, Likelihood):
        raise TypeError(f"`{call}(likelihood=...)` should be a `Likelihood`. Got {kind_of(likelihood)}.")
    if likelihood.sample is None:
        raise ValueError(f"`{call}(likelihood=...)` should know how to draw data, `sample`. Got None.")
    params = checked_floats(f"{call}(params=...)", params)
    wanted = np.shape(likelihood.init)
    if params.shape != wanted:
        raise ValueError(f"`{call}(params=...)` should have shape {wanted}. Got shape {params.shape}.")
    if not is_traced(params) and not np.all(np.isfinite(params)):
        raise ValueError(f"`{call}(params=...)` should be finite. Got {np.asarray(params)}.")
    checked_key(call, key)
    return params


def checked_key(call, key):
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed and getattr(key, "dtype", None) != np.uint32:
        raise TypeError(f"`{call}(key=...)` should be a key, such as jax.random.key(0). Got {kind_of(key)}.")
    if key.shape != (() if typed else (2,)):
        raise ValueError(f"`{call}(key=...)` should be one key, jax.random.key(0). Got shape {key.shape}.")
    if typed and jax.random.key_impl(key) != "threefry2x32":
        # Others draw other numbers in a batch.
        raise ValueError(f"`{call}(key=...)` should be of the kind threefry2x32. Got {jax.random.key_impl(key)}.")
