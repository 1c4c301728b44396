"""P1d: toys on two cores, two devices and two processes."""

import hashlib
import json
import socket
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory

import jax
import numpy as np
import pyhf
from jax.sharding import Mesh

from autodiff_tutorial import hep_fits, toys
from benchmarks.bench_hep_fits import _bins
from benchmarks.bench_toys import KEY, timed
from benchmarks.processes import ask, server, started, two_cores
from benchmarks.timing import QUICK, row, summary

PEERS = ()
# How many toys a file holds where processes are timed: whole chunks, for one and for two.
FILE = 16384


def rows():
    """Time fits on several cores and devices, and tests by several processes."""
    return [*_spread(), *_shared(6 if QUICK else 12)]


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


def _spread():
    """Time the fits of 50 bins on one core, on two, and on two devices with a core each, in processes of their own."""
    cores = two_cores()
    if not cores:
        return
    with ExitStack() as stack:
        servers = {
            "two cores": server(stack, "bench_toys_devices.serve", cores),
            "two devices": server(stack, "bench_toys_devices.serve", cores, devices=2),
            "one core": server(stack, "bench_toys_devices.serve", cores[:1]),
        }
        assert {process.stdout.readline() for process in servers.values()} == {"ready\n"}
        times, digests = timed(
            {name: (6 * FILE, partial(ask, process, "again")) for name, process in servers.items()}, 3 if QUICK else 5
        )
        # A process that answers takes its memory elsewhere.
        times = {name: t | {"bytes": None} for name, t in times.items()}
    assert len(set(digests.values())) == 1, digests
    for ours in ("two cores", "two devices"):
        yield row("P1d", "50 bins, fits of 1000 toys", ours, "one core", times, dict.fromkeys(times, 0.0), 1.6)


def _shared(files):
    """Time the command line alone, in two shards, and shared by two processes, a core each: from file to file."""
    cores = two_cores()
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
        command = ["-m", "autodiff_tutorial.toys", str(workspace), "--mu=1", f"--toys={files * FILE}"]
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
                started([*command, *share], [core], stdout=DEVNULL, stderr=DEVNULL)
                for share, core in zip(shares, cores, strict=False)
            ]
            assert not any(process.wait() for process in running)
            written = sorted(Path(home).glob(f"{name}*/toys-*.npz"), key=lambda file: file.name)
            ends = sorted(file.stat().st_mtime for file in written)
            found[name] = [file.read_bytes() for file in written]
            # Shards end their files together.
            shards = len(list(Path(home).glob(f"{name}*")))
            ends = np.array(ends[shards - 1 :: shards])
            a_thousand = np.diff(ends) * 1000 / (2 * FILE * shards)
            rounds = [float(np.mean(part)) for part in np.array_split(a_thousand, 2)]
            times[name] = {
                "first": float(ends[0]) - start,
                **summary(a_thousand.tolist()),
                "bytes": None,
                "rounds": rounds,
            }
    assert found["one process"] == found["two processes"] == found["two shards"]
    for ours in ("two shards", "two processes"):
        yield row("P1d", "50 bins, tests with 1000 toys", ours, "one process", times, dict.fromkeys(times, 0.0), 1.6)
