"""How everything here is timed: side by side, interleaved, first calls apart, until two rounds agree."""

import ctypes
import math
import os
import statistics
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp

# A run that has little time sets this: half the time for each turn, fewer turns and rounds.
QUICK = bool(os.environ.get("BENCHMARKS_QUICK"))
# Two rounds agree if no ratio of two medians moves by more.
AGREEMENT = 1.2
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt") else None
MOST_ROUNDS = 3 if QUICK else 6


def compare(contenders, repetitions=7):
    """Time functions of no argument against each other.

    Each is called once to warm up (for JAX that compiles), and once more to see how long it takes and how much memory.
    Then come rounds. In a round all are called in turn, `repetitions` times, so that a slow moment of the machine hits
    all alike, and every other time in the opposite order, so that what one leaves behind in the caches does too; quick
    ones are called many times in a turn, about 20 ms in all, and slow ones in fewer turns, about 3 s in all. Rounds
    are repeated until the last two agree on every ratio to 20 %, and those two count.

    Parameters
    ----------
    contenders : dict of str to callable
        What to time.
    repetitions : int
        How many turns to a round.

    Returns
    -------
    dict of str to dict
        For each: seconds of the first call; median, minimum and maximum seconds of the others; the bytes that a call
        takes at its peak, beyond what was there before (None where that cannot be seen); the median of each round.
    """
    first, memory, seconds = {}, {}, {}
    for name, function in contenders.items():
        _give_back_from(2**16)
        first[name] = _seconds(function, 1)
        memory[name], seconds[name] = peak(function)
        _give_back_from(2**25)
    a_turn, a_round = (0.01, 1.0) if QUICK else (0.02, 3.0)
    calls = {name: max(1, min(1000, int(a_turn / s))) for name, s in seconds.items()}
    turns = {name: max(1, min(repetitions, int(a_round / s))) for name, s in seconds.items()}
    rounds = []
    while len(rounds) < MOST_ROUNDS and not (len(rounds) > 1 and _disagreement(*rounds[-2:]) <= AGREEMENT):
        rounds.append({name: [] for name in contenders})
        for turn in range(repetitions):
            for name, function in list(contenders.items())[:: -1 if turn % 2 else 1]:
                if turn < turns[name]:
                    rounds[-1][name].append(_seconds(function, calls[name]) / calls[name])
    return {
        name: {
            "first": first[name],
            **summary([t for found in rounds[-2:] for t in found[name]]),
            "bytes": memory[name],
            "rounds": [statistics.median(found[name]) for found in rounds],
        }
        for name in contenders
    }


def summary(seconds):
    """Return median, minimum and maximum."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def _disagreement(one, other):
    """Return the factor by which the ratio of some two medians differs between two rounds."""
    moved = [statistics.median(one[name]) / statistics.median(other[name]) for name in one]
    return max(moved) / min(moved)


def _seconds(function, calls):
    start = time.perf_counter()
    for _ in range(calls):
        result = function()
    jax.block_until_ready(result)
    return time.perf_counter() - start


def peak(function):
    """Return how many bytes one call takes at its peak, what it returns included, and its seconds.

    On Linux the kernel keeps the highest mark of a process's memory, and sets it back when asked. Elsewhere, and for
    what lies on a GPU, the bytes are None.
    """
    if _LIBC is None or jax.default_backend() != "cpu":
        return None, _seconds(function, 1)
    # What was freed before and not given back would hide what is taken now.
    _LIBC.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None, _seconds(function, 1)
    before = _kilobytes("VmRSS")
    seconds = _seconds(function, 1)
    return 1024 * max(0, _kilobytes("VmHWM") - before), seconds


def _give_back_from(size):
    """Let memory of so many bytes go back to the system when it is freed, as the C library does by itself.

    It begins with 128 KB, and ends with 32 MB in a process that has freed that much. All is timed in this last state,
    and memory is looked at in one in which little is kept.
    """
    if _LIBC is not None:
        _LIBC.mallopt(-3, size)  # M_MMAP_THRESHOLD
        _LIBC.mallopt(-1, 2 * size)  # M_TRIM_THRESHOLD


def _kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def roof():
    """Return how many operations and how many bytes a second this machine does at best, in float64.

    Operations are those of a product of matrices, bytes those that go in and out for x + 2 y, of a million numbers.
    """
    n = 1500
    A, x, y = jnp.ones((n, n)), jnp.ones(10**6), jnp.ones(10**6)
    product, triad = jax.jit(jnp.matmul), jax.jit(lambda x, y: x + 2 * y)
    times = compare({"product": lambda: product(A, A), "triad": lambda: triad(x, y)}, 3)
    return {"operations": 2 * n**3 / times["product"]["min"], "bytes": 24 * x.size / times["triad"]["min"]}


def row(id, problem, ours, peer, times, errors, target=None):
    """Put one comparison into one row of the table: how many times as long the peer takes; a target is optional.

    Behind the ratio stands its spread: how far it lies apart in the last two rounds, as a factor.
    """
    one, other = (times[name] for name in (ours, peer))
    ratio = other["median"] / one["median"]
    ratios = [b / a for a, b in zip(one.get("rounds", [])[-2:], other.get("rounds", [])[-2:], strict=True)]
    return {
        "id": id,
        "problem": problem,
        "ours": {"name": ours, "error": errors[ours], **one},
        "peer": {"name": peer, "error": errors[peer], **other},
        "ratio": ratio,
        "spread": math.exp(abs(math.log(ratios[1] / ratios[0]))) if ratios else None,
        "target": target,
        "met": None if target is None else ratio >= target,
    }
