"""How everything here is timed: side by side, interleaved, first calls apart, medians."""

import statistics
import time

import jax


def compare(contenders, repetitions=7):
    """Time functions of no argument against each other.

    Each is called once to warm up (for JAX that compiles). Then all are called in turn, `repetitions` times, so that
    a slow moment of the machine hits all alike, and every other time in the opposite order, so that what one leaves
    behind in the caches does too; quick ones are called many times in a turn, about 20 ms in all.

    Parameters
    ----------
    contenders : dict of str to callable
        What to time.
    repetitions : int
        How many turns.

    Returns
    -------
    dict of str to dict
        For each: seconds of the first call, and median, minimum and maximum seconds of the others.
    """
    first, calls = {}, {}
    for name, function in contenders.items():
        first[name] = _seconds(function, 1)
        calls[name] = max(1, min(1000, int(0.02 / _seconds(function, 1))))
    turns = {name: [] for name in contenders}
    for turn in range(repetitions):
        for name, function in list(contenders.items())[:: -1 if turn % 2 else 1]:
            turns[name].append(_seconds(function, calls[name]) / calls[name])
    return {
        name: {"first": first[name], "median": statistics.median(t), "min": min(t), "max": max(t)}
        for name, t in turns.items()
    }


def _seconds(function, calls):
    start = time.perf_counter()
    for _ in range(calls):
        result = function()
    jax.block_until_ready(result)
    return time.perf_counter() - start


def row(id, problem, ours, peer, times, errors, target=None):
    """Put one comparison into one row of the table: how many times as long the peer takes; a target is optional."""
    ratio = times[peer]["median"] / times[ours]["median"]
    return {
        "id": id,
        "problem": problem,
        "ours": {"name": ours, "error": errors[ours], **times[ours]},
        "peer": {"name": peer, "error": errors[peer], **times[peer]},
        "ratio": ratio,
        "target": target,
        "met": None if target is None else ratio >= target,
    }
