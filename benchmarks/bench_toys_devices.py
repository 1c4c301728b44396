"""P1d: toys on two cores, two devices and two processes; P1g: run alone, this times one device, of any kind."""

import hashlib
import json
import os
import socket
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryDirectory

import jax
import numpy as np
import pyhf
from jax.sharding import Mesh

from autodiff_tutorial import hep_fits, toys
from benchmarks.bench_hep_fits import _bins
from benchmarks.bench_toys import KEY, timed
from benchmarks.timing import row

PEERS = ()
# How many toys a file holds where processes are timed: whole chunks, for one and for two.
FILE = 16384


def rows():
    """Time fits on several cores and devices, and tests by several processes; or a GPU, where JAX finds one."""
    return [*_spread(), *_shared()] if jax.devices()[0].platform == "cpu" else [*_on_device()]


def _on_device(n=1_000_000):
    """Time fits of 50 bins on one device, from and to the host's memory, and on two of the host's cores."""
    likelihood = _likelihood()
    data = np.concatenate(
        [toys.generate(likelihood, likelihood.init, KEY, n // 10, first=k * n // 10) for k in range(10)]
    )
    with ExitStack() as stack:
        process = _server(stack, 1, _two_cores())
        assert process.stdout.readline() == "ready\n"
        contenders = {
            "fit_toys": (n, lambda: toys.fit_toys(likelihood, data)),
            "fit_toys, two cores": (6 * FILE, partial(_again, process)),
        }
        times, found = timed(contenders, 3)
        process.stdin.close()
    errors = {"fit_toys": float(np.mean(~found["fit_toys"].converged)), "fit_toys, two cores": 0.0}
    told = f"50 bins, fits of 1000 toys (timed: {n} and {6 * FILE})"
    yield row("P1g", told, "fit_toys", "fit_toys, two cores", times, errors, 20)


def serve():
    """Fit the same toys each time that a line comes in, on all devices, and answer with a digest of what is found."""
    likelihood = _likelihood()
    data = np.asarray(toys.generate(likelihood, likelihood.init, KEY, 6 * FILE))
    mesh = Mesh(np.array(jax.devices()), ("toys",)) if len(jax.devices()) > 1 else None
    print("ready", flush=True)
    for _ in sys.stdin:
        found = toys.fit_toys(likelihood, data, mesh=mesh)
        print(hashlib.sha256(b"".join(part.tobytes() for part in jax.tree.leaves(found))).hexdigest(), flush=True)


def _likelihood():
    return hep_fits.from_pyhf(_bins(50)[0])


def _server(stack, devices, cores):
    """Start a process that fits toys on command."""
    command = [sys.executable, "-c", "from benchmarks.bench_toys_devices import serve; serve()"]
    return stack.enter_context(_started(command, cores, devices, stdin=PIPE, stdout=PIPE, text=True))


def _again(process):
    process.stdin.write("again\n")
    process.stdin.flush()
    return process.stdout.readline()


def _spread():
    """Time the fits of 50 bins on one core, on two, and on two devices with a core each, in processes of their own."""
    cores = _two_cores()
    if not cores:
        return
    with ExitStack() as stack:
        started = {
            "two cores": _server(stack, 1, cores),
            "two devices": _server(stack, 2, cores),
            "one core": _server(stack, 1, cores[:1]),
        }
        assert {process.stdout.readline() for process in started.values()} == {"ready\n"}
        times, digests = timed({name: (6 * FILE, partial(_again, process)) for name, process in started.items()}, 5)
    assert len(set(digests.values())) == 1, digests
    told = f"50 bins, fits of 1000 toys (timed: {6 * FILE})"
    for ours in ("two cores", "two devices"):
        yield row("P1d", told, ours, "one core", times, dict.fromkeys(times, 0.0), 1.6)


def _shared(files=12):
    """Time the command line alone, in two shards, and shared by two processes, a core each: from file to file."""
    cores = _two_cores()
    if not cores:
        return
    model, counts = _bins(50)
    times, found = {}, {}
    with TemporaryDirectory() as home, socket.socket() as free:
        workspace = Path(home, "workspace.json")
        workspace.write_text(json.dumps(pyhf.Workspace.build(model, [*map(float, counts), *model.config.auxdata])))
        free.bind(("127.0.0.1", 0))
        where = f"--coordinator=127.0.0.1:{free.getsockname()[1]}"
        free.close()
        command = [sys.executable, "-m", "autodiff_tutorial.toys", str(workspace), "--mu=1", f"--toys={files * FILE}"]
        command.append(f"--toys-a-file={FILE}")
        for name, shares in {
            "two shards": [[f"--shard={k}/2", f"--output={home}/two shards {k}"] for k in (1, 2)],
            "two processes": [
                [where, "--processes=2", f"--process={k}", f"--output={home}/two processes"] for k in range(2)
            ],
            "one process": [[f"--output={home}/one process"]],
        }.items():
            start = time.time()
            running = [
                _started([*command, *share], [core], 1, stdout=DEVNULL, stderr=DEVNULL)
                for share, core in zip(shares, cores, strict=False)
            ]
            assert not any(process.wait() for process in running)
            written = sorted(Path(home).glob(f"{name}*/toys-*.npz"), key=lambda file: file.name)
            ends = sorted(file.stat().st_mtime for file in written)
            found[name] = [file.read_bytes() for file in written]
            # Two shards end their first files together.
            between = (ends[-1] - ends[0]) / (files - len(list(Path(home).glob(f"{name}*"))))
            a_thousand = 1000 / (2 * FILE) * between
            times[name] = {"first": ends[0] - start, **dict.fromkeys(("median", "min", "max"), a_thousand)}
    assert found["one process"] == found["two processes"] == found["two shards"]
    for ours in ("two shards", "two processes"):
        yield row("P1d", "50 bins, tests with 1000 toys", ours, "one process", times, dict.fromkeys(times, 0.0), 1.6)


def _two_cores():
    """Return two cores to pin processes to, or nothing where that cannot be done."""
    cores = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_setaffinity") else []
    return cores if len(cores) == 2 else []


def _started(command, cores, devices, **pipes):
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    before = os.sched_getaffinity(0)
    # What is started runs on the same cores.
    os.sched_setaffinity(0, cores)
    try:
        return Popen(command, cwd=Path(__file__).parents[1], env=environment, **pipes)
    finally:
        os.sched_setaffinity(0, before)
