"""Processes that run programs on chosen cores when asked, for timings of more or fewer cores than this one has."""

import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen


def two_cores():
    """Return two cores to pin processes to, or nothing where that cannot be done."""
    cores = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_setaffinity") else []
    return cores if len(cores) == 2 else []


def started(command, cores, devices=1, **pipes):
    """Start Python on the given cores, with so many devices of JAX's on them."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    before = os.sched_getaffinity(0)
    # What is started runs on the same cores.
    os.sched_setaffinity(0, cores)
    try:
        return Popen([sys.executable, *command], cwd=Path(__file__).parents[1], env=environment, **pipes)
    finally:
        os.sched_setaffinity(0, before)


def server(stack, function, cores, devices=1):
    """Start `function` of a file of benchmarks, such as "bench_gpu.serve", which answers each line with a line.

    Its first line says that it is ready; it ends with the `ExitStack`.
    """
    module, _, name = function.partition(".")
    program = f"from benchmarks.{module} import {name}; {name}()"
    process = stack.enter_context(started(["-c", program], cores, devices, stdin=PIPE, stdout=PIPE, text=True))
    stack.callback(process.stdin.close)
    return process


def ask(process, line):
    """Return the answer to one line."""
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, f"the process has ended while it was asked: {line}"
    return answer.strip()
