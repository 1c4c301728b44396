"""Rules of operations that read and write at indices, known or not.

Where the indices are the same for all x, pointers are moved by the very operation that moves the numbers. Where they
are not, an axis that is read at an unknown place is united: what comes out may depend on any place of it.
"""

import jax
import numpy as np

from autodiff_tutorial.sparse.dependence import merged, scattered, union, united


def gather(eqn, ins, shapes, known):
    if ins[1] is not None:
        return [merged(ins, shapes[0])]
    numbers, sizes, indices = eqn.params["dimension_numbers"], eqn.params["slice_sizes"], known[1]()
    if indices is not None:
        return [ins[0].moved(lambda layer: _read(layer, indices, numbers, sizes, eqn.params["mode"], 0))]
    return [_placed(ins[0], _axes(numbers, ins[0].shape, sizes, len(shapes[0])), shapes[0])]


def dynamic_slice(eqn, ins, shapes, known):
    if any(d is not None for d in ins[1:]):
        return [merged(ins, shapes[0])]
    sizes, full = eqn.params["slice_sizes"], ins[0].shape
    starts = [_start(k(), size, length) for k, size, length in zip(known[1:], sizes, full, strict=True)]
    d = united(ins[0], [axis for axis, start in enumerate(starts) if start is None])
    place = tuple(slice(s, None if s is None else s + size) for s, size in zip(starts, sizes, strict=True))
    return [d.moved(lambda layer: np.broadcast_to(layer[place], shapes[0]))]


def dynamic_update_slice(eqn, ins, shapes, known):
    if any(d is not None for d in ins[2:]):
        return [merged(ins, shapes[0])]
    sizes, full = eqn.invars[1].aval.shape, shapes[0]
    starts = [_start(k(), size, length) for k, size, length in zip(known[2:], sizes, full, strict=True)]
    place = tuple(slice(s, None if s is None else s + size) for s, size in zip(starts, sizes, strict=True))

    def written(layer, into):
        out = np.array(np.broadcast_to(into, full))
        out[place] = layer
        return out

    update = united(ins[1], [axis for axis, start in enumerate(starts) if start is None])
    update = update if update is None else update.moved(lambda layer: written(layer, np.int32(0)))
    operand = ins[0]
    if operand is not None and None not in starts:
        operand = operand.moved(lambda layer: written(0, layer))
    return [union([operand, update], full)]


def scatter(eqn, ins, shapes, known):
    return _scattered(eqn, ins, shapes, known, replace=True)


def scatter_add(eqn, ins, shapes, known):
    return _scattered(eqn, ins, shapes, known, replace=False)


def _scattered(eqn, ins, shapes, known, replace):
    operand, _, updates = ins
    if ins[1] is not None:
        return [merged(ins, shapes[0])]
    s, full, shape = eqn.params["dimension_numbers"], shapes[0], eqn.invars[2].aval.shape
    outer = (*s.inserted_window_dims, *s.operand_batching_dims)
    windows = iter(s.update_window_dims)
    sizes = tuple(1 if axis in outer else shape[next(windows)] for axis in range(len(full)))
    # A scatter writes where the gather with the same numbers reads.
    numbers = jax.lax.GatherDimensionNumbers(
        offset_dims=s.update_window_dims,
        collapsed_slice_dims=s.inserted_window_dims,
        start_index_map=s.scatter_dims_to_operand_dims,
        operand_batching_dims=s.operand_batching_dims,
        start_indices_batching_dims=s.scatter_indices_batching_dims,
    )
    indices = known[1]()
    if indices is None:
        if updates is not None:
            pairs = _axes(numbers, full, sizes, len(shape))
            updates = _placed(updates, [(out, axis) for axis, out in pairs], full)
        return [union([operand, updates], full)]
    places = np.arange(int(np.prod(full)), dtype=np.int32).reshape(full)
    targets = _read(places, indices, numbers, sizes, eqn.params["mode"], -1).ravel()
    inside = np.flatnonzero(targets >= 0)
    if replace and operand is not None:
        kept = np.ones(places.size, bool)
        kept[targets[inside]] = False
        operand = operand.moved(lambda layer: np.where(kept.reshape(full), layer, 0))
    if updates is not None:
        updates = scattered(updates, targets[inside], inside, full)
    return [union([operand, updates], full)]


def _read(layer, indices, numbers, sizes, mode, fill):
    """Gather on the host; the layer keeps its type."""
    with jax.ensure_compile_time_eval():
        found = jax.lax.gather(layer, indices, numbers, sizes, mode=mode, fill_value=fill)
    return np.asarray(found)


def _axes(numbers, full, sizes, rank):
    """Return pairs of axes, of the operand and of what is gathered, that run in step whatever the indices are."""
    hidden = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    shown = [axis for axis in range(len(full)) if axis not in hidden]
    pairs = [(a, out) for a, out in zip(shown, numbers.offset_dims, strict=True) if sizes[a] == full[a]]
    batch = [axis for axis in range(rank) if axis not in numbers.offset_dims]
    pairs += [
        (a, batch[at]) for a, at in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
    ]
    return pairs


def _placed(dependence, pairs, shape):
    """Keep the first axis of each pair, as the second of the result; unite the others, and broadcast."""
    kept = sorted(pairs, key=lambda pair: pair[1])
    others = [axis for axis in range(len(dependence.shape)) if axis not in [a for a, _ in kept]]
    sizes = [1] * len(shape)
    for a, out in kept:
        sizes[out] = dependence.shape[a]
    order = (*(a for a, _ in kept), *others)
    return united(dependence, others).moved(lambda layer: np.broadcast_to(layer.transpose(order).reshape(sizes), shape))


def _start(value, size, length):
    """Return where a slice begins: inside, as JAX has it; None if unknown."""
    if size == length:
        return 0
    return None if value is None else int(np.clip(value, 0, length - size))
