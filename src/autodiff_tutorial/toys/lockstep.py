"""Fits side by side: in lockstep on a device, in chunks, over threads or a mesh."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from autodiff_tutorial.devices import describe
from autodiff_tutorial.hep_fits.fits import MAX_STEPS
from autodiff_tutorial.hep_fits.minimum import inverse, minimize
from autodiff_tutorial.hep_fits.structure import structured
from autodiff_tutorial.linear_maps.checking import checked_size, first_line, kind_of
from autodiff_tutorial.solvers.problems import described
from autodiff_tutorial.sparse import hessian_pattern

# Older versions of JAX have it among their experiments.
if hasattr(jax, "enable_x64"):
    enable_x64 = jax.enable_x64
else:
    from jax.experimental import enable_x64  # type: ignore[attr-defined,no-redef]  # unknown to newer versions

# A second, more careful try: how much the Hessian is damped from the start, and how many steps it may take.
_DAMPING, _MANY_STEPS = 1.0, 10 * MAX_STEPS


class ToyFits(NamedTuple):
    """Fits of N toys, as NumPy arrays, one row a toy.

    Attributes
    ----------
    params : array, shape (N, p)
        The best fits.
    nll : array, shape (N,)
        The least negative log-likelihoods.
    covariance : array, shape (N, p, p), or None
        Inverse Hessians of free parameters, if they were asked for.
    converged : array of bool, shape (N,)
        Whether the projected gradient vanishes, at a point that is no saddle. All others are flagged by it.
    n_steps : array of int, shape (N,)
        How many steps were taken.
    gradient_norm : array, shape (N,)
        The largest element of the projected gradient, each times the width of its own parabola.
    free : array of bool, shape (N, p)
        Which parameters are neither fixed nor held by a bound.
    errors : array, shape (N, p)
        Standard deviations, the roots of the diagonal of the covariance: 0 for what is not free, NaN if the Hessian is
        not positive definite.
    retried : array of bool, shape (N,)
        Which toys had a second, more careful try.
    """

    params: np.ndarray
    nll: np.ndarray
    covariance: np.ndarray | None
    converged: np.ndarray
    n_steps: np.ndarray
    gradient_norm: np.ndarray
    free: np.ndarray
    errors: np.ndarray
    retried: np.ndarray


def fitter(call, likelihood, dtype, d, chunk_size, mesh, covariance=False):
    """Return a function that fits toys, compiled once for each likelihood, number of data and chunk size."""
    if mesh is not None and not isinstance(mesh, Mesh):
        raise TypeError(f"`{call}(mesh=...)` should be a jax.sharding.Mesh. Got {kind_of(mesh)}.")
    if chunk_size is not None:
        chunk_size = checked_size("chunk_size", chunk_size, call)
    p, nll, vectorized = np.size(likelihood.init), likelihood.nll, likelihood.vectorized
    if vectorized:
        _check_vectorized(call, nll, dtype, p, d)
    device = next(iter(jnp.zeros(()).devices())) if mesh is None else mesh.devices.flat[0]
    on_cpu = device.platform == "cpu"
    own = None if mesh is None else tuple(d for d in mesh.devices.flat if d.process_index == jax.process_index())
    return _compiled(nll, vectorized, np.dtype(dtype), p, d, chunk_size, own, covariance, on_cpu)


def shared(mesh, n, work):
    """Do work for this process's share of n toys, from one number to another; return what all find, to all."""
    processes = [0] if mesh is None else sorted({device.process_index for device in mesh.devices.flat})
    if len(processes) == 1:
        return work(0, n)
    # All shares are of one size, so that the last ones may overlap.
    size = -(-n // len(processes))
    starts = np.minimum(size * np.arange(len(processes)), n - size)
    first = int(starts[processes.index(jax.process_index())])
    speakers = [next(d for d in mesh.devices.flat if d.process_index == process) for process in processes]
    spread = NamedSharding(Mesh(np.array(speakers), ("processes",)), PartitionSpec("processes"))
    found = jax.tree.map(partial(jax.make_array_from_process_local_data, spread), work(first, first + size))
    toys = np.arange(n)
    places = toys + (size * np.arange(len(processes)) - starts)[toys // size]
    return jax.tree.map(lambda part: part[places], multihost_utils.process_allgather(found, tiled=True))


@lru_cache(maxsize=32)
def _compiled(nll, vectorized, dtype, p, d, chunk_size, devices, covariance, on_cpu):
    structure = structure_of(nll, dtype, p, d)
    values = nll if vectorized else jax.vmap(nll, in_axes=1)
    side_by_side = _side_by_side(structure, d) if on_cpu else 2**15
    # A loop over a single block is compiled to another program, with other rounding.
    blocks = max(2, -(-(chunk_size or (4096 if on_cpu else 2**16)) // side_by_side))
    rows = blocks * side_by_side

    def block(data, starts, max_steps, lower, upper, damping):
        data = data.T
        found = minimize(
            lambda y: values(y, data), starts.T, lower[:, None], upper[:, None], max_steps, structure, damping
        )
        variances = structure.variances(found.hessian, found.free, found.residual)
        full = None
        if covariance:
            full = jax.vmap(inverse, in_axes=-1)(structure.matrix(found.hessian), found.free, found.residual)
        return ToyFits(
            found.y.T, found.value, full, found.converged, found.n_steps, found.residual, found.free.T,
            jnp.sqrt(variances).T, jnp.broadcast_to(damping > 0, found.value.shape),
        )  # fmt: skip

    def run(data, starts, max_steps, lower, upper, damping):
        parts = (part.reshape(-1, side_by_side, *part.shape[1:]) for part in (data, starts, max_steps))
        found = jax.lax.map(lambda part: block(*part, lower, upper, damping), tuple(parts))
        return jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), found)

    # On CPUs threads compute; elsewhere some of them copy what goes in and comes out, while two programs are run.
    size, cores = 1 if devices is None else len(devices), describe().cores
    threads = -(-cores // size) + (size > 1) if on_cpu else min(4, max(2, cores))
    turns = BoundedSemaphore(threads if on_cpu else 2)
    if devices is None:
        return _Fitter(jax.jit(run), rows, 1, None, threads, turns, {})
    toys, all_alike = PartitionSpec("toys"), PartitionSpec()
    mesh = Mesh(np.array(devices), ("toys",))
    specs = (toys, toys, toys, all_alike, all_alike, all_alike)
    spread = jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=toys, check_vma=False)
    return _Fitter(jax.jit(spread), rows * size, size, NamedSharding(mesh, toys), threads, turns, {})


class _Fitter(NamedTuple):
    """A compiled program for a chunk of toys, and how to feed it."""

    program: Any
    rows: int
    devices: int
    sharding: NamedSharding | None
    threads: int
    turns: BoundedSemaphore  # of programs that use memory of the device
    steps: dict  # how many most toys have needed so far
    fields: tuple = ToyFits._fields  # what is brought to the host

    def __call__(self, data, starts, lower, upper):
        """Fit toys from one start, or each from its own; all not done after some steps together, then what failed."""
        found = self._fit(data, starts, lower, upper, MAX_STEPS, 0.0)
        failed = np.flatnonzero(~found.converged)
        if failed.size:
            others = _moved(starts if starts.ndim == 1 else starts[failed], lower, upper)
            again = self._fit(data[failed], others, lower, upper, _MANY_STEPS, _DAMPING)
            better = again.converged | ~(again.nll > found.nll[failed])
            for part, new in zip(found, again, strict=True):
                if part is not None:
                    part[failed[better]] = new[better]
            found.retried[failed] = True
        return found

    def _fit(self, data, starts, lower, upper, max_steps, damping):
        n, p = data.shape[0], starts.shape[-1]
        given = ((self.rows, data.shape[1]), data.dtype), ((self.rows, p), starts.dtype), ((self.rows,), np.int32)
        shapes = (jax.ShapeDtypeStruct(*part) for part in given)
        shapes = jax.eval_shape(self.program, *shapes, lower, upper, data.dtype.type(damping))
        wanted = ToyFits(*(part if name in self.fields else None for name, part in shapes._asdict().items()))
        found = jax.tree.map(lambda part: np.empty((n, *part.shape[1:]), part.dtype), wanted)
        if starts.ndim == 1:
            # The same for each chunk, so that it is moved once.
            alike = jax.device_put(np.broadcast_to(starts, (self.rows, p)), self.sharding)

        def fit(rows, steps):
            own = data[rows]
            places = self._places(own.shape[0])
            inputs = (
                self._filled(own, places),
                alike if starts.ndim == 1 else self._filled(starts[rows], places),
                self._filled(np.full(own.shape[0], steps, np.int32), places, -1),
            )
            inputs = inputs if self.sharding is None else jax.device_put(inputs, self.sharding)
            with self.turns:
                new = jax.block_until_ready(self.program(*inputs, lower, upper, data.dtype.type(damping)))
            for part, values in zip(found, new, strict=True):
                if part is not None:
                    part[rows] = np.asarray(values)[places]

        chunks = [slice(k, k + self.rows) for k in range(0, n, self.rows)]
        if damping not in self.steps:
            # Alone, as it compiles.
            fit(chunks.pop(0), max_steps)
            self.steps[damping] = _most(found.n_steps[: self.rows])
        few = min(max_steps, self.steps[damping])
        self.spread(lambda rows: fit(rows, few), chunks)
        # A search that was stopped is begun anew, and goes the same way.
        slow = np.flatnonzero(~found.converged & (found.n_steps >= few) & (few < max_steps))
        self.spread(
            lambda rows: fit(rows, max_steps), [slow[k : k + self.rows] for k in range(0, len(slow), self.rows)]
        )
        self.steps[damping] = _most(found.n_steps)
        return found

    def spread(self, work, parts):
        """Do work for each part, on several threads."""
        if self.threads == 1 or len(parts) < 2:
            for part in parts:
                work(part)
            return
        # Contexts of JAX are each thread's own.
        x64, device = jnp.result_type(float) == jnp.float64, jax.config.jax_default_device

        def in_context(part):
            with enable_x64(x64), jax.default_device(device):
                work(part)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(in_context, parts))

    def _places(self, n):
        """Return where in a chunk n toys go: as many to each device."""
        if n == self.rows:
            return slice(None)
        device, place = np.divmod(np.arange(n), -(-n // self.devices))
        return device * (self.rows // self.devices) + place

    def _filled(self, part, places, fill=None):
        """Return a full chunk; what fills it up, by default the first row, takes no steps."""
        if part.shape[0] == self.rows:
            return part
        full = np.full((self.rows, *part.shape[1:]), part[0] if fill is None else fill, part.dtype)
        full[places] = part
        return full


def _most(n_steps):
    return int(np.quantile(n_steps, 0.9)) + 1


def _moved(starts, lower, upper):
    """Return other starts, inside the bounds, off what may be a saddle, and not all alike."""
    p = starts.shape[-1]
    step = (0.1 * (1 + np.arange(p) / p) * np.maximum(1, abs(starts))).astype(starts.dtype)
    return np.clip(np.where(starts + step < upper, starts + step, starts - step), lower, upper)


def structure_of(nll, dtype, p, d):
    """Return the structure of the Hessian, whatever the data are."""
    found = []

    def detect(data):
        y = np.zeros(p, dtype)
        found.append(structured(hessian_pattern(lambda y: nll(y, data), y)))

    with warnings.catch_warnings():
        # What is not understood is taken as dense, which is slower, and right.
        warnings.simplefilter("ignore")
        jax.eval_shape(detect, jax.ShapeDtypeStruct((d,), dtype))
    return found[0]


def _side_by_side(structure, d):
    """Return how many fits go side by side on a CPU: so many that they stay in its cache, a power of two."""
    numbers = structure.seeds.size + structure.size * len(structure.border) + d
    return int(2 ** np.clip(np.round(np.log2(2**15 / numbers)), 6, 10))


def _check_vectorized(call, nll, dtype, p, d):
    columns = (jax.ShapeDtypeStruct((size, 3), dtype) for size in (p, d))
    try:
        found = jax.eval_shape(nll, *columns)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"`{call}(likelihood.nll)` should take three columns of parameters and data, as vectorized=True says. Got "
            f"{first_line(error)}."
        ) from error
    wanted = jax.ShapeDtypeStruct((3,), dtype)
    if described(found) != described(wanted):
        raise TypeError(
            f"`{call}(likelihood.nll)` should return {described(wanted)} for three columns of parameters and data, as "
            f"vectorized=True says. Got {described(found)}."
        )
