"""Rules of operations with a window that moves over an array: convolutions, pooling, cumulative sums."""

import numpy as np

from autodiff_tutorial.sparse.dependence import ENTRIES, gathered, merged, scattered, union, united


def windowed(eqn, ins, shapes, known):
    """Sum over windows, one axis after the other."""
    found, options = ins[0], _window(eqn.params)
    trivial, rank = {"window": 1, "strides": 1, "padding": (0, 0), "base": 1, "dilation": 1}, len(shapes[0])
    for axis in range(rank):
        along = {name: [options[name][axis] if a == axis else trivial[name] for a in range(rank)] for name in options}
        shape = list(found.shape)
        shape[axis] = shapes[0][axis]
        found = gathered(found, _places(found.shape, **along), tuple(shape))
    return [found]


def pooled(eqn, ins, shapes, known):
    """Read the tangent at the place of the largest number in a window: any place of it."""
    if ins[0] is None or ins[1] is not None:
        return [merged(ins, shapes[0])]
    return windowed(eqn, ins, shapes, known)


def pooled_back(eqn, ins, shapes, known):
    """Put a number back to the place in its window that it came from: any place of it."""
    if any(d is not None for d in ins[1:]):
        return [merged(ins, shapes[0])]
    places = _places(shapes[0], **_window(eqn.params))
    source, at = np.nonzero(places >= 0)
    return [scattered(ins[0], places[source, at], source, shapes[0])]


def cumulative(dependence, axis, reverse):
    """Return the dependence of a cumulative sum: every place on the places up to it, or from it on.

    After k unions with itself, shifted by 1, 2, 4, ..., each place holds the 2^k places before it.
    """
    shape, shift = dependence.shape, 1
    while shift < shape[axis]:

        def moved(layer, shift=shift):
            ends = [slice(None)] * len(shape), [slice(None)] * len(shape)
            ends[reverse][axis], ends[not reverse][axis] = slice(shift, None), slice(None, -shift)
            out = np.zeros_like(layer)
            out[tuple(ends[0])] = layer[tuple(ends[1])]
            return out

        dependence = union([dependence, dependence.moved(moved)], shape)
        shift *= 2
    return dependence


def convolution(eqn, ins, shapes, known):
    """Sum over a window, and over the features of a group; a kernel with zeros is followed zero by zero."""
    params, (image, kernel) = eqn.params, ins
    lhs, rhs, out = params["dimension_numbers"]
    if params["batch_group_count"] > 1:
        return [merged(ins, shapes[0])]
    back, parts = np.argsort(out), []
    inner = tuple(shapes[0][axis] for axis in out)
    if image is not None:
        image = image.moved(lambda layer: layer.transpose(lhs))
        weights = None if kernel is not None else known[1]()
        size = tuple(eqn.invars[1].aval.shape[axis] for axis in rhs)
        window = {
            "window": size[2:],
            "strides": params["window_strides"],
            "padding": params["padding"],
            "base": params["lhs_dilation"],
            "dilation": params["rhs_dilation"],
        }
        weights = None if weights is None else weights.transpose(rhs)
        groups = params["feature_group_count"]
        parts.append(_convolved(image, weights, size, window, groups, inner).moved(lambda layer: layer.transpose(back)))
    if kernel is not None:
        # An output feature depends on its own part of the kernel.
        kernel = united(kernel.moved(lambda layer: layer.transpose(rhs)), range(1, len(rhs)))
        kernel = kernel.moved(lambda layer: layer.reshape(1, -1, *[1] * (len(rhs) - 2)))
        parts.append(kernel.moved(lambda layer: np.broadcast_to(layer, inner).transpose(back)))
    return [union(parts, shapes[0])]


def _convolved(image, weights, size, window, groups, shape):
    """Return what (batch, features, space...) becomes, by a kernel of given size (out, in, space...)."""
    (n, features, *space), (_, per_group, *_) = image.shape, size
    out_features, out_space = shape[1], shape[2:]
    places = _places(tuple(space), **window)
    if weights is not None and not np.all(weights):
        o, c, k = np.nonzero(weights.reshape(out_features, per_group, -1))
        if len(o) * n * len(places) <= ENTRIES:
            c = c + o // (out_features // groups) * per_group
            batch, out = np.arange(n)[:, None, None], np.arange(len(places))[:, None]
            sources = (batch * features + c) * int(np.prod(space)) + places[:, k]
            targets = np.broadcast_to((batch * out_features + o) * len(places) + out, sources.shape)
            inside = np.broadcast_to(places[:, k] >= 0, sources.shape)
            return scattered(image, targets[inside], sources[inside], shape)
    image = united(image.moved(lambda layer: layer.reshape(n, groups, per_group, *space)), [2])
    first = np.arange(n * groups)[:, None, None] * int(np.prod(space))
    all_places = np.where(places >= 0, first + places, -1).reshape(-1, places.shape[1])
    found = gathered(image, all_places, (n, groups, 1, *out_space))
    wide = (n, groups, out_features // groups, *out_space)
    return found.moved(lambda layer: np.broadcast_to(layer, wide).reshape(shape))


def _window(params):
    rank = len(params["window_dimensions"])
    return {
        "window": params["window_dimensions"],
        "strides": params["window_strides"],
        "padding": params["padding"],
        "base": params.get("base_dilation", (1,) * rank),
        "dilation": params.get("window_dilation", (1,) * rank),
    }


def _places(shape, window, strides, padding, base, dilation):
    """Return the raveled places that each window sees, (windows, size of a window), -1 for those outside or between."""
    flat, inside, rank = 0, True, len(shape)
    lengths = []
    for axis in range(rank):
        low, high = padding[axis]
        reach = (window[axis] - 1) * dilation[axis] + 1
        spread = (shape[axis] - 1) * base[axis] + 1
        count = max(0, (spread + low + high - reach) // strides[axis] + 1)
        at = np.arange(count)[:, None] * strides[axis] + np.arange(window[axis]) * dilation[axis] - low
        valid = (at >= 0) & (at < spread) & (at % base[axis] == 0)
        ones = [1] * (2 * rank)
        ones[axis], ones[rank + axis] = at.shape
        flat = flat * shape[axis] + (at // base[axis]).reshape(ones)
        inside = inside & valid.reshape(ones)
        lengths.append(count)
    return np.where(inside, flat, -1).reshape(int(np.prod(lengths)), int(np.prod(window)))
