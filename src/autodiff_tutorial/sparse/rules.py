"""What comes out of single operations: for each, what its outputs depend on, from what its inputs depend on.

A program of tangents is linear, so that operations meet a tangent among numbers that are no tangents: 2 x_dot, or
y x_dot with y an unknown. Where an operation joins two tangents against expectation, each is followed, and united.

A rule takes the equation, the dependences of its inputs (None for those on nothing), the shapes of its outputs, and
functions that return the inputs' values, or None where those are not the same for all x.
"""

import numpy as np

from autodiff_tutorial.sparse.dependence import ENTRIES, Dependence, aligned, merged, scattered, union, united
from autodiff_tutorial.sparse.indexing import (
    dynamic_slice,
    dynamic_update_slice,
    gather,
    scatter,
    scatter_add,
)
from autodiff_tutorial.sparse.windows import convolution, cumulative, pooled, pooled_back, windowed

# Operations element by element; those that are not linear come up in rules of readers' own.
_ELEMENTWISE = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp complex conj
    convert_element_type copy cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt
    igamma igammac imag integer_pow is_finite le lgamma log log1p log2 logistic lt max min ne neg nextafter not
    one_minus_square or polygamma pow real reduce_precision regularized_incomplete_beta rem round rsqrt
    sharding_constraint sign sin sinh sqrt square stop_gradient sub tan tanh xor
""".split()  # noqa: SIM905
_REDUCTIONS = "reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor argmax argmin".split()  # noqa: SIM905


def _elementwise(eqn, ins, shapes, known):
    return [union(ins, shapes[0])]


def _product(eqn, ins, shapes, known):
    """Follow x y; where a factor is known to be zero, nothing comes out."""
    shape = shapes[0]
    left, right = (d if d is None else _masked(d, known[1 - i], shape) for i, d in enumerate(ins))
    return [union([left, right], shape)]


def _masked(dependence, known, shape):
    value = known()
    if value is None or np.all(value):
        return dependence
    return dependence.moved(
        lambda layer: np.where(np.broadcast_to(value == 0, shape), 0, np.broadcast_to(layer, shape))
    )


def _select(eqn, ins, shapes, known):
    """Element by element one of several cases; all, where the choice is unknown."""
    which = None if ins[0] is not None else known[0]()
    if which is None:
        return [union(ins, shapes[0])]
    cases = [
        d if d is None else d.moved(lambda layer, i=i: np.where(np.broadcast_to(which == i, shapes[0]), layer, 0))
        for i, d in enumerate(ins[1:])
    ]
    return [union(cases, shapes[0])]


def _moves(move):
    """Make the rule of an operation that moves elements of one array, as a function of a layer and the parameters."""

    def rule(eqn, ins, shapes, known):
        return [ins[0].moved(lambda layer: move(layer, eqn.params))]

    return rule


def _broadcast(layer, params):
    shape, axes = params["shape"], params["broadcast_dimensions"]
    sizes = [1] * len(shape)
    for axis, size in zip(axes, layer.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(layer.reshape(sizes), shape)


def _reshape(layer, params):
    order = params.get("dimensions")
    return (layer if order is None else layer.transpose(order)).reshape(params["new_sizes"])


def _slice(layer, params):
    strides = params["strides"] or (1,) * layer.ndim
    return layer[tuple(map(slice, params["start_indices"], params["limit_indices"], strides))]


def _pad(eqn, ins, shapes, known):
    """Put numbers between and around, or cut off ends; the number that is put in may depend on something too."""
    into, out_of = [], []
    config, sizes = eqn.params["padding_config"], eqn.invars[0].aval.shape
    for (low, _, between), size, length in zip(config, sizes, shapes[0], strict=True):
        places = low + np.arange(size) * (between + 1)
        inside = (places >= 0) & (places < length)
        into.append(places[inside])
        out_of.append(np.flatnonzero(inside))
    into, out_of = np.ix_(*into), np.ix_(*out_of)

    def padded(layer):
        out = np.zeros(shapes[0], layer.dtype)
        out[into] = layer[out_of]
        return out

    def around(layer):
        out = np.array(np.broadcast_to(layer, shapes[0]))
        out[into] = 0
        return out

    moved = [None if d is None else d.moved(move) for d, move in zip(ins, (padded, around), strict=True)]
    return [union(moved, shapes[0])]


def _concatenate(eqn, ins, shapes, known):
    return [_joined(ins, [v.aval.shape for v in eqn.invars], eqn.params["dimension"])]


def _joined(ins, shapes, axis):
    present = iter(aligned([d for d in ins if d is not None]))
    parts = [None if d is None else next(present) for d in ins]
    depth = max(len(d.layers) for d in parts if d is not None)

    def layer_of(d, i, shape):
        return np.zeros(shape, np.int32) if d is None or i >= len(d.layers) else d.layers[i]

    rows = [[layer_of(d, i, shape) for d, shape in zip(parts, shapes, strict=True)] for i in range(depth)]
    sets = next(d.sets for d in parts if d is not None)
    return Dependence(sets, tuple(np.concatenate(row, axis=axis) for row in rows))


def _stack(eqn, ins, shapes, known):
    axis = eqn.params["axis"]
    rows = [None if d is None else d.moved(lambda layer: np.expand_dims(layer, axis)) for d in ins]
    shape = list(shapes[0])
    shape[axis] = 1
    return [_joined(rows, [tuple(shape)] * len(ins), axis)]


def _unstack(eqn, ins, shapes, known):
    axis = eqn.params["axis"]
    return [ins[0].moved(lambda layer, i=i: layer.take(i, axis)) for i in range(len(shapes))]


def _split(eqn, ins, shapes, known):
    cuts, axis = np.cumsum(eqn.params["sizes"])[:-1], eqn.params["axis"]
    return [ins[0].moved(lambda layer, i=i: np.split(layer, cuts, axis=axis)[i]) for i in range(len(shapes))]


def _reduction(eqn, ins, shapes, known):
    axes = eqn.params["axes"]
    return [united(ins[0], axes).moved(lambda layer: layer.reshape(shapes[0]))]


def _identity(eqn, ins, shapes, known):
    return ins


def _dense_along(axes_of):
    """Make the rule of an operation that mixes all places along some axes."""

    def rule(eqn, ins, shapes, known):
        axes = axes_of(eqn.params, len(shapes[0]))
        whole = [united(d, axes) for d in ins]
        return [union(whole, shape) for shape in shapes]

    return rule


def _dot(eqn, ins, shapes, known):
    """Sum over common axes. A zero in a matrix that is the same for all x cuts what would come through it."""
    contract, batch = eqn.params["dimension_numbers"]
    parts = []
    for i, d in enumerate(ins[:2]):
        if d is None:
            continue
        found = _contracted(d, contract[i], batch[i], known[1 - i](), contract[1 - i], batch[1 - i], eqn, 1 - i)
        if i == 1:
            # (batch, free of the right, free of the left) to (batch, left, right).
            first = len(batch[0])
            right = len(d.shape) - first - len(contract[1])
            left = len(shapes[0]) - first - right
            order = (*range(first), *range(first + right, first + right + left), *range(first, first + right))
            found = found.moved(lambda layer, order=order: layer.transpose(order))
        parts.append(found)
    return [union(parts, shapes[0])]


def _contracted(d, contract, batch, matrix, their_contract, their_batch, eqn, other):
    """Return the product of a tangent with a matrix, with axes (batch, free ones, free ones of the matrix)."""
    free = [axis for axis in range(len(d.shape)) if axis not in (*contract, *batch)]
    theirs = eqn.invars[other].aval.shape
    their_free = [axis for axis in range(len(theirs)) if axis not in (*their_contract, *their_batch)]
    lead, rows = [d.shape[axis] for axis in batch], [d.shape[axis] for axis in free]
    columns = [theirs[axis] for axis in their_free]
    shape = (*lead, *rows, *columns)
    d = d.moved(lambda layer: layer.transpose(*batch, *free, *contract))
    if matrix is not None and not np.all(matrix) and (matrix != 0).sum() * int(np.prod(rows)) <= ENTRIES:
        b, i, j = (int(np.prod(part)) for part in (lead, rows, columns))
        k = d.layers[0].size // (b * i)
        matrix = matrix.transpose(*their_batch, *their_contract, *their_free).reshape(b, k, j)
        at, over, out = np.nonzero(matrix)
        row = np.arange(i)[:, None]
        targets, sources = ((at * i + row) * j + out).ravel(), ((at * i + row) * k + over).ravel()
        return scattered(d, targets, sources, shape)
    last = len(lead) + len(rows)
    whole = united(d, range(last, last + len(contract)))
    narrow = (*lead, *rows, *[1] * len(columns))
    return whole.moved(lambda layer: np.broadcast_to(layer.reshape(narrow), shape))


def _triangular_solve(eqn, ins, shapes, known):
    """Forward or backward substitution: an unknown depends on the right-hand sides up to its own, from one end."""
    if ins[0] is not None:
        return [merged(ins, shapes[0])]
    left, lower = eqn.params["left_side"], eqn.params["lower"] != eqn.params["transpose_a"]
    # X A = B is A^T X^T = B^T.
    return [cumulative(ins[1], len(shapes[0]) - (2 if left else 1), reverse=lower != left)]


def _cumulative(eqn, ins, shapes, known):
    return [cumulative(ins[0], eqn.params["axis"], eqn.params["reverse"])]


def _tridiagonal_solve(eqn, ins, shapes, known):
    if any(d is not None for d in ins[:3]):
        return [merged(ins, shapes[0])]
    return [union([united(ins[3], [len(shapes[0]) - 2])], shapes[0])]


def _fft(params, rank):
    return range(rank - len(params["fft_lengths"]), rank)


RULES = dict.fromkeys(_ELEMENTWISE, _elementwise) | dict.fromkeys(_REDUCTIONS, _reduction)
RULES |= {
    "mul": _product,
    "select_n": _select,
    "broadcast_in_dim": _moves(_broadcast),
    "reshape": _moves(_reshape),
    "squeeze": _moves(lambda layer, params: layer.squeeze(params["dimensions"])),
    "expand_dims": _moves(lambda layer, params: np.expand_dims(layer, params["dimensions"])),
    "transpose": _moves(lambda layer, params: layer.transpose(params["permutation"])),
    "rev": _moves(lambda layer, params: np.flip(layer, params["dimensions"])),
    "tile": _moves(lambda layer, params: np.tile(layer, params["reps"])),
    "slice": _moves(_slice),
    "pad": _pad,
    "concatenate": _concatenate,
    "split": _split,
    "stack": _stack,
    "unstack": _unstack,
    "name": _identity,
    "device_put": _identity,
    "optimization_barrier": _identity,
    "dot_general": _dot,
    "conv_general_dilated": convolution,
    "reduce_window_sum": windowed,
    "reduce_window_max": windowed,
    "reduce_window_min": windowed,
    "select_and_gather_add": pooled,
    "select_and_scatter_add": pooled_back,
    "cumsum": _cumulative,
    "cumprod": _cumulative,
    "cummax": _cumulative,
    "cummin": _cumulative,
    "cumlogsumexp": _cumulative,
    "fft": _dense_along(_fft),
    "sort": _dense_along(lambda params, rank: [params["dimension"]]),
    "triangular_solve": _triangular_solve,
    "tridiagonal_solve": _tridiagonal_solve,
    "gather": gather,
    "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice,
    "scatter": scatter,
    "scatter_add": scatter_add,
    "scatter-add": scatter_add,
    "scatter-mul": scatter_add,
    "scatter_mul": scatter_add,
    "scatter-sub": scatter_add,
    "scatter-max": scatter_add,
    "scatter-min": scatter_add,
    "scatter_sub": scatter_add,
}
