"""What the modifiers of a HistFactory model do to its rates, as arrays."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np


class Tables(NamedTuple):
    """A model as arrays: S samples in C channels of B bins in all, each channel's samples from the top, padded.

    A parameter index of p stands for a parameter that is 1, and so does nothing.
    """

    size: int  # of the data
    nominal: np.ndarray  # (S, B)
    channel_of_bin: np.ndarray  # (B,)
    shift_index: np.ndarray  # (H, S, B), histosys
    shifts: np.ndarray  # (2, H, S, B), up and down
    shift_code: str
    scale_index: np.ndarray  # (N, S, C), normsys
    log_scales: np.ndarray  # (2, N, S, C), up and down
    coefficients: np.ndarray  # (6, N, S, C)
    scale_code: str
    factor_index: np.ndarray  # (F, S, B), all others
    clip_sample: float | None
    clip_bin: float | None
    counts: np.ndarray  # positions in the data of all that is Poisson: main, then auxiliary
    poisson_index: np.ndarray
    poisson_factors: np.ndarray
    normal_data: np.ndarray  # positions in the data
    normal_index: np.ndarray
    normal_sigmas: np.ndarray


# The same with and without JAX's switch for 64 bits.
INDEX = np.int32
FACTORS = ("normfactor", "lumi", "shapefactor", "shapesys", "staterror")


def compiled(call, model) -> Tables:
    """Write a model's specification as arrays."""
    config = model.config
    channels = {channel["name"]: channel["samples"] for channel in model.spec["channels"]}
    n_bins, n = config.nmaindata, len(config.suggested_init())
    clip_sample = model.main_model.clip_sample_data
    # pyhf raises to this rate also the samples that a channel lacks.
    slots = len(config.samples) if clip_sample else max(len(samples) for samples in channels.values())
    nominal = np.zeros((slots, n_bins))
    shifts, scales, factors = (_Stack(n, slots, columns) for columns in (n_bins, len(config.channels), n_bins))
    positions = _positions(config, channels)
    for c, channel in enumerate(config.channels):
        bins = config.channel_slices[channel]
        for slot, sample in enumerate(channels[channel]):
            nominal[slot, bins] = sample["data"]
            for modifier in sample["modifiers"]:
                name, kind, data = (modifier[key] for key in ("name", "type", "data"))
                start = config.par_slice(name).start
                if kind == "histosys":
                    up, down = (np.subtract(data[f"{side}_data"], sample["data"]) for side in ("hi", "lo"))
                    shifts.add(slot, bins, start, up, -down)
                elif kind == "normsys":
                    if not (data["hi"] > 0 and data["lo"] > 0):
                        raise ValueError(
                            f"`{call}(model=...)` should have normsys factors above 0. Got {data['hi']:g} and "
                            f"{data['lo']:g} for {name!r} in {channel!r}."
                        )
                    scales.add(slot, slice(c, c + 1), start, np.log(data["hi"]), np.log(data["lo"]))
                elif kind in FACTORS:
                    factors.add(slot, bins, start + positions(kind, name, channel))
                else:
                    known = ", ".join((*FACTORS, "histosys", "normsys"))
                    raise ValueError(f"`{call}(model=...)` should have modifiers of type {known}. Got {kind!r}.")
    settings = config.modifier_settings
    code = settings.get("normsys", {}).get("interpcode", "code1")
    index, log_scales = scales.arrays(2)
    shift_index, shift_data = shifts.arrays(2)
    return Tables(
        size=n_bins + config.nauxdata,
        nominal=nominal,
        channel_of_bin=np.repeat(np.arange(len(config.channels), dtype=INDEX), list(config.channel_nbins.values())),
        shift_index=shift_index,
        shifts=shift_data,
        shift_code=settings.get("histosys", {}).get("interpcode", "code0"),
        scale_index=index,
        log_scales=log_scales,
        coefficients=_coefficients(*log_scales),
        scale_code=code,
        factor_index=factors.arrays(0)[0],
        clip_sample=clip_sample,
        clip_bin=model.main_model.clip_bin_data,
        **_constraints(config),
    )


class _Stack:
    """Layers of a parameter's index and its numbers, as many as the fullest place needs."""

    def __init__(self, n, *shape):
        self.n, self.shape, self.depth, self.layers = n, shape, np.zeros(shape, int), []

    def add(self, slot, columns, index, *numbers):
        k = self.depth[slot, columns].max()
        if k == len(self.layers):
            self.layers.append((np.full(self.shape, self.n), np.zeros((len(numbers), *self.shape))))
        self.layers[k][0][slot, columns] = index
        for row, number in zip(self.layers[k][1], numbers, strict=True):
            row[slot, columns] = number
        self.depth[slot, columns] = k + 1

    def arrays(self, count):
        """Return the indices, (layers, *shape), and the numbers, (count, layers, *shape)."""
        indices = np.array([index for index, _ in self.layers], INDEX).reshape(-1, *self.shape)
        numbers = np.array([numbers for _, numbers in self.layers]).reshape(len(indices), count, *self.shape)
        return indices, np.swapaxes(numbers, 0, 1)


def _positions(config, channels):
    """Return a function that tells which of its parameters a modifier uses in a channel, one a bin."""

    def uses(kind, name, channel):
        found = (m for sample in channels[channel] for m in sample["modifiers"])
        return any(m["type"] == kind and m["name"] == name for m in found)

    def positions(kind, name, channel):
        if kind in ("normfactor", "lumi"):
            return 0
        # Those of shapefactor count from 0 in each channel, the others through all channels that use them.
        earlier = config.channels[: config.channels.index(channel)] if kind != "shapefactor" else ()
        start = sum(config.channel_nbins[other] for other in earlier if uses(kind, name, other))
        return start + np.arange(config.channel_nbins[channel])

    return positions


def _constraints(config):
    """Return which numbers of the data constrain which parameters, and how."""
    parts = {"poisson": ([], [], []), "normal": ([], [], [])}
    position = config.nmaindata
    for name in config.auxdata_order:
        parameters, own = config.par_slice(name), config.param_set(name)
        widths = own.factors if own.pdf_type == "poisson" else own.width()
        data, index, numbers = parts[own.pdf_type]
        data.extend(range(position, position + own.n_parameters))
        index.extend(range(parameters.start, parameters.stop))
        numbers.extend(widths)
        position += own.n_parameters
    (counts, poisson_index, factors), (normal_data, normal_index, sigmas) = parts["poisson"], parts["normal"]
    return {
        "counts": np.array([*range(config.nmaindata), *counts], INDEX),
        "poisson_index": np.array(poisson_index, INDEX),
        "poisson_factors": np.array(factors, float),
        "normal_data": np.array(normal_data, INDEX),
        "normal_index": np.array(normal_index, INDEX),
        "normal_sigmas": np.array(sigmas, float),
    }


def _coefficients(log_up, log_down):
    """Return a_1 to a_6 of 1 + sum a_i x^i that meets up^x at 1 and down^-x at -1, with two derivatives."""
    powers = np.arange(1, 7)
    rows = []
    for order in range(3):
        falling = np.prod([powers - k for k in range(order)], axis=0) * np.ones(6)
        rows += [falling, falling * (-1.0) ** (powers - order)]
    up, down = np.exp(log_up), np.exp(log_down)
    sides = [up - 1, down - 1, log_up * up, -log_down * down, log_up**2 * up, log_down**2 * down]
    return np.tensordot(np.linalg.inv(rows), np.array(sides), axes=1)


def _piecewise_linear(x, up, down):
    return x * jnp.where(x > 0, up, down)


def _quadratic(x, up, down):
    a, b = (up - down) / 2, (up + down) / 2
    outside = jnp.where(x > 0, (b + 2 * a) * (x - 1), (b - 2 * a) * (x + 1))
    return jnp.where(abs(x) <= 1, a * x**2 + b * x, outside)


def _polynomial(x, up, down):
    inside = x * (up + down) / 2 + x**2 * (15 + x**2 * (3 * x**2 - 10)) * (up - down) / 16
    return jnp.where(abs(x) <= 1, inside, _piecewise_linear(x, up, down))


def _exponential(x, logs, coefficients):
    return jnp.exp(_piecewise_linear(x, logs[0], -logs[1]))


def _polynomial_exponential(x, logs, coefficients):
    inside = 0
    for a in coefficients[::-1]:
        inside = x * (a + inside)
    return jnp.where(abs(x) < 1, 1 + inside, _exponential(x, logs, coefficients))


# By the names that pyhf gives them: shifts of histosys, factors of normsys.
SHIFTS = {"code0": _piecewise_linear, "code2": _quadratic, "code4p": _polynomial}
SCALES = {"code1": _exponential, "code4": _polynomial_exponential}
