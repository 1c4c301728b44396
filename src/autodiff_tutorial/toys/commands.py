"""The command line: toys for a workspace of pyhf, in a directory of files, to be resumed, shared out and joined."""

import argparse
import importlib.metadata
import json
import sys
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from autodiff_tutorial.devices import describe
from autodiff_tutorial.hep_fits import from_pyhf
from autodiff_tutorial.toys import reports
from autodiff_tutorial.toys.storage import StorageError, Store, check_same, merge
from autodiff_tutorial.toys.testing import Statistics, Trial, checked_test, compared

PROGRAM = "python -m autodiff_tutorial.toys"
# How many toys `--verify` makes anew, in how many places.
_VERIFIED, _PLACES = 400, 8


def main(arguments=None) -> int:
    """Run the command line; return the exit status: 0, or 1 with a message of what is wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["merge"]:
            return _merge(_merging().parse_args(arguments[1:]))
        return _run(_running().parse_args(arguments))
    except (StorageError, _UsageError) as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130


class _UsageError(Exception):
    """What is wrong with the input."""


def _running():
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Test a signal strength by toys: CLs, its expected band, and the distributions of the statistic. "
        "A run that was stopped is resumed by the same command.",
        epilog=f"To join the directories of shards: {PROGRAM} merge DIR... --output DIR",
    )
    parser.add_argument("workspace", help="a workspace of pyhf, JSON")
    parser.add_argument("--mu", type=float, required=True, help="the signal strength to test")
    parser.add_argument("--toys", type=int, required=True, help="how many, with signal and as many without")
    parser.add_argument("--seed", type=int, default=0, help="toy k of a seed is always the same toy (default 0)")
    parser.add_argument("--output", required=True, help="the directory for results, new or to be resumed")
    parser.add_argument("--patchset", help="a patchset of pyhf, JSON")
    parser.add_argument("--patch", help="the name of a patch in it")
    parser.add_argument("--measurement", help="the name of a measurement (default: the first)")
    parser.add_argument("--toys-a-file", type=int, default=10_000, help="how often results are saved (default 10000)")
    parser.add_argument("--chunk-size", type=int, help="how many toys are on a device at a time")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="K/N", help="make part K of N alone")
    parser.add_argument("--verify", action="store_true", help="make some of the toys anew and compare; change nothing")
    parser.add_argument("--coordinator", metavar="HOST:PORT", help="for several processes: where the first one listens")
    parser.add_argument("--processes", type=int, help="how many processes work together")
    parser.add_argument("--process", type=int, help="which one this is, from 0")
    return parser


def _merging():
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} merge", description="Join the directories of all shards of a run."
    )
    parser.add_argument("parts", nargs="+", help="directories, one a shard")
    parser.add_argument("--output", required=True, help="the directory for the whole")
    return parser


def _shard(text):
    k, _, n = text.partition("/")
    if not (k.isdigit() and n.isdigit() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"should be K/N with K from 1 to N. Got {text!r}")
    return int(k), int(n)


def _run(options):
    jax.config.update("jax_enable_x64", True)
    for name in ("toys", "toys_a_file", "chunk_size"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise _UsageError(f"--{name.replace('_', '-')} should be at least 1. Got {value}.")
    if not 0 <= options.seed < 2**32:
        raise _UsageError(f"--seed should be from 0 to 2**32 - 1. Got {options.seed}.")
    if options.toys > 2**32:
        raise _UsageError(f"--toys should be at most 2**32, as they are numbered. Got {options.toys}.")
    if options.shard[0] > -(-options.toys // options.toys_a_file):
        raise _UsageError(f"--shard {options.shard[0]}/{options.shard[1]} has no toys. Use a smaller --toys-a-file.")
    _join(options)
    mesh = Mesh(np.array(jax.devices()), ("toys",)) if len(jax.devices()) > 1 else None
    model, data, digest = _read(options)
    key = jax.random.key(options.seed)
    try:
        likelihood = from_pyhf(model)
        checked_test(PROGRAM, options.mu, data, likelihood, key)
    except (TypeError, ValueError) as error:
        raise _UsageError(str(error)) from error
    store, missing = _prepared(options, digest)
    trial = Trial(PROGRAM, options.mu, data, likelihood, key, options.chunk_size, mesh)
    if options.verify:
        return _verify(store, trial)
    _make(store, missing, trial)
    if jax.process_index() == 0:
        _report(store, trial.q, trial.converged, trial.asymptotic(likelihood.expected))
    return 0


def _report(store, q, converged, asymptotic):
    found, mu = compared(q, converged, *store.read_all()), store.manifest["mu"]
    report = reports.report(found, mu, asymptotic)
    store.save_report(report)
    reports.plot(found, mu, store.path)
    print(reports.text(report))
    print(f"All is in {store.path}")


def _join(options):
    """Join the other processes, if there are any."""
    given = options.coordinator, options.processes, options.process
    if all(option is None for option in given):
        return
    if any(option is None for option in given):
        raise _UsageError("--coordinator, --processes and --process belong together. Got some of them.")
    host, _, port = options.coordinator.rpartition(":")
    if not (host and port.isdigit() and 0 <= options.process < options.processes):
        raise _UsageError(
            "--coordinator should be HOST:PORT, and --process from 0 to --processes - 1. Got "
            f"{options.coordinator}, {options.process} of {options.processes}."
        )
    try:
        jax.distributed.initialize(*given)
    except (RuntimeError, ValueError) as error:
        raise _UsageError(f"the processes cannot be joined: {error}") from error


def _read(options):
    """Return the model, its data, and a digest of both."""
    try:
        import pyhf
    except ImportError as error:
        raise _UsageError('pyhf is needed. Install it: pip install "autodiff-tutorial[hep]"') from error

    spec = _json(options.workspace)
    if bool(options.patchset) != bool(options.patch):
        raise _UsageError("--patchset and --patch belong together. Got one of them.")
    try:
        if options.patchset:
            spec = pyhf.PatchSet(_json(options.patchset)).apply(spec, options.patch)
        workspace = pyhf.Workspace(spec)
        model = workspace.model(measurement_name=options.measurement)
        data = np.array(workspace.data(model), float)
    except Exception as error:
        raise _UsageError(f"{options.workspace} is no workspace that pyhf can read: {error}") from error
    measurement = workspace.get_measurement(measurement_name=options.measurement)["name"]
    return model, data, pyhf.utils.digest({"workspace": workspace, "measurement": measurement})


def _json(path):
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise _UsageError(f"{path} cannot be read: {error}") from error


def _prepared(options, digest):
    """Return the store and the files that are missing in it; of several processes, the first one looks."""
    machine = describe()
    manifest = {
        "mu": options.mu,
        "toys": options.toys,
        "seed": options.seed,
        "toys_a_file": options.toys_a_file,
        "shard": list(options.shard),
        "digest": digest,
        "device": machine.device,
        "versions": {
            "autodiff_tutorial": importlib.metadata.version("autodiff-tutorial"),
            "jax": machine.jax,
            "numpy": machine.numpy,
            "pyhf": importlib.metadata.version("pyhf"),
        },
    }
    store, missing, error = Store(options.output, manifest), [], None
    if jax.process_index() == 0:
        try:
            if options.verify:
                # To verify on another machine is worth as much.
                found = Store.open(options.output)
                check_same(found.path, found.manifest, store.manifest, ignored=("device", "versions"))
                store = found
            else:
                Store.create(options.output, manifest)
            missing = store.missing()
        except StorageError as caught:
            error = caught
    if jax.process_count() > 1:
        told = np.array(error is not None), np.isin(np.array(store.files), missing)
        failed, wanted = multihost_utils.broadcast_one_to_all(told)
        if failed and error is None:
            error = StorageError("the first process has stopped, and says why")
        missing = [number for number, want in zip(store.files, wanted, strict=True) if want]
    if error is not None:
        raise error
    return store, missing


def _make(store, missing, trial):
    """Make the missing files, with a bar that shows the rate and the time left."""
    from tqdm import tqdm

    sizes = {number: store.toys(number)[1] for number in store.files}
    total, left = sum(sizes.values()), sum(sizes[number] for number in missing)
    bar = tqdm(
        total=2 * total, initial=2 * (total - left), unit=" toys", unit_scale=True, disable=jax.process_index() > 0
    )
    with bar:
        for number in missing:
            first, n = store.toys(number)
            found = []
            for hypothesis in (0, 1):
                found.append(trial.toys(hypothesis, first, n))
                bar.update(n)
            if jax.process_index() == 0:
                store.save(number, *found)


def _verify(store, trial):
    """Make some toys anew, anywhere in the files that exist; compare."""
    missing = set(store.missing())
    there = [number for number in store.files if number not in missing]
    if not there:
        raise StorageError(f"{store.path} holds no toys yet.")
    random = np.random.default_rng(store.manifest["seed"])
    checked = wrong = 0
    for _ in range(_PLACES):
        number = int(random.choice(there))
        first, size = store.toys(number)
        n = min(size, _VERIFIED // _PLACES)
        start = int(random.integers(size - n + 1))
        for hypothesis, stored in enumerate(store.read(number)):
            anew = trial.toys(hypothesis, first + start, n)
            part = Statistics(*(field[start : start + n] for field in stored))
            same = np.isclose(part.q, anew.q, rtol=1e-6, atol=1e-6, equal_nan=True) & (part.converged == anew.converged)
            same &= np.isclose(part.best, anew.best, rtol=1e-5, atol=1e-5, equal_nan=True)
            checked, wrong = checked + n, wrong + int(np.sum(~same))
    if wrong:
        raise StorageError(f"{wrong} of {checked} toys in {store.path} are not what they should be.")
    print(f"{checked} toys made anew: all as in {store.path}")
    return 0


def _merge(options):
    report = Store.open(options.parts[0]).read_report()
    store = merge(options.parts, options.output)
    q, asymptotic = (np.nan if report[key] is None else report[key] for key in ("q", "asymptotic"))
    _report(store, q, report["data converged"], asymptotic)
    return 0
