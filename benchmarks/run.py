"""Time the library beside its peers, print the table and store it: ``python -m benchmarks.run``, or with ``--quick``.

Each file of benchmarks runs in a process of its own, so that none finds what another has left behind, and one that
cannot run does not stop the others. Where a ratio differs by more than 20 % from the stored one of this machine, or
from the run before if none is stored, the file runs again, up to three times in all, and in a quick run as long as
there is time.
"""

import argparse
import datetime
import importlib
import json
import math
import os
import re
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import jax

from autodiff_tutorial import devices
from benchmarks.timing import AGREEMENT, roof

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BENCHES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
# Rows without a target, which take long: how costs grow, and what pyhf and JAX do where no bound is set.
FULL = ("custom_rules", "hep_fits", "methods", "modes", "sparse_growth")
# What runs on a GPU with nothing but this package and what it requires; pyhf for the toys, if it is there.
GPU = ("gpu", "higher_order", "reverse_mode")
# Peers of these need another Python and JAX: they run in an environment of their own, which `make bench` makes.
APART = ("sparse", "sparse_growth")
ELSEWHERE = HERE.parent / ".venv-asdex" / "bin" / "python"
MOST_RUNS = 3
# After so many, a quick run repeats nothing.
SECONDS = 100


def main(names, quick, gpu=False):
    """Run every `bench_<name>.py` named; put the rows into `results/<machine>.json` and its table.

    Returns
    -------
    int
        How many files found a wrong answer: a missed target is no failure.
    """
    machine, roof = _machine()
    if gpu and machine.device == "cpu":
        print("JAX finds no GPU here: nothing is timed.")
        return 0
    title = machine.processor if machine.device == "cpu" else machine.device
    title = f"{re.sub(r'[(](R|TM)[)]|Processor', '', title).strip()}, {machine.cores} cores"
    full = RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', title.lower())}.json"
    target = full.with_stem(f"{full.stem}-quick") if quick else full
    stored, known = _stored(target), _stored(full)["rows"] + (_stored(target)["rows"] if quick else [])
    runs, rows, failed = {}, [], 0
    until = time.monotonic() + SECONDS if quick else math.inf
    for number, name in enumerate(names, start=1):
        print(f"[{number}/{len(names)}] {name}: ", end="", flush=True)
        before = [row for row in known if row["bench"] == name]
        run, problem = agreed(lambda name=name: measured(name, quick), before, not quick, until)
        if problem:
            print(problem)
            failed += "AssertionError" in problem
        if run:
            runs[name], rows = run["run"], rows + run["rows"]
            # A run that is stopped has stored what it has found.
            result = {"roof": roof, **merged(stored, {"runs": runs, "rows": rows})}
            target.write_text(json.dumps(result, indent=1) + "\n")
            target.with_suffix(".md").write_text(f"# {title}\n\n{table(result['rows'])}\n")
    print(f"\n{table(rows)}\n")
    if runs:
        print(f"stored in {target.relative_to(HERE.parent)}")
    return failed


def agreed(measure, before, twice, until=math.inf):
    """Run a file of benchmarks until each ratio agrees to 20 % with an earlier run, and say how often that took.

    `measure` returns a run and what went wrong, one of them None; `before` are the rows stored. Without any, one run
    has to do, whose rounds agree among themselves, or two if `twice`. A row that agrees with none tells so. None is
    begun after a time `until`.
    """
    ratios = {}
    for row in before:
        ratios.setdefault(key(row), []).append(row["ratio"])
    for number in range(1, MOST_RUNS + 1):
        start = time.monotonic()
        run, problem = measure()
        if problem:
            return None, problem
        alone = []
        for row in run["rows"]:
            known = ratios.setdefault(key(row), [])
            close = [1 / AGREEMENT <= row["ratio"] / ratio <= AGREEMENT for ratio in known]
            row["agrees"] = any(close) if close else None
            alone += [row["problem"]] if not any(close) and (close or twice) else []
            known.append(row["ratio"])
        run["run"]["runs"] = number
        print(f"run {number} took {time.monotonic() - start:.0f} s", end="", flush=True)
        if not alone or time.monotonic() > until:
            break
        print(f", {len(alone)} of {len(run['rows'])} ratios to be seen again; ", end="", flush=True)
    print(f", {len(alone)} agree with no other run to 20 %: {'; '.join(alone)}" if alone else "")
    return run, None


def _stored(file):
    return json.loads(file.read_text()) if file.exists() else {"runs": {}, "rows": []}


def key(row):
    """Return what tells a row from others."""
    return row["bench"], row["id"], row["problem"], row["ours"]["name"], row["peer"]["name"]


def measured(name, quick):
    """Run one file in a process of its own, which sees only this repository's packages; return a run, or why not."""
    python = ELSEWHERE if name in APART else Path(sys.executable)
    if not python.exists():
        return None, "not run: asdex needs Python 3.12 or 3.13. Say which: make bench PYTHON312=python3.12"
    with TemporaryDirectory() as home:
        target = Path(home, "run.json")
        command = [python, "-m", "benchmarks.run", "--only", name, "--into", target]
        environment = os.environ | ({"BENCHMARKS_QUICK": "1"} if quick else {})
        done = subprocess.run(command, cwd=HERE.parent, env=environment, stderr=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return json.loads(target.read_text()), None
    last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    missing = last.startswith("ModuleNotFoundError")
    return None, f"not run: {last}" + (". Its peers: pip install -e '.[bench,hep,test]'" if missing else "")


def run_one(name, target):
    """Run one file here, and write its rows, versions and date; without a file, write what the machine is."""
    jax.config.update("jax_enable_x64", True)
    if name is None:
        target.write_text(json.dumps([devices.describe(), roof()]))
        return
    module = importlib.import_module(f"benchmarks.bench_{name}")
    rows = [{"bench": name, **row} for row in module.rows()]
    run = {
        "date": datetime.date.today().isoformat(),
        "machine": devices.describe()._asdict(),
        "peers": {peer: _version(peer) for peer in module.PEERS},
    }
    target.write_text(json.dumps({"run": run, "rows": rows}))


def _machine():
    """Describe the machine and its roof, asking a process that leaves the GPU free for those that follow."""
    with TemporaryDirectory() as home:
        target = Path(home, "machine.json")
        subprocess.run([sys.executable, "-m", "benchmarks.run", "--into", target], cwd=HERE.parent, check=True)
        machine, roof = json.loads(target.read_text())
    return devices.Machine(*machine), roof


def _version(peer):
    try:
        return version(peer)
    except PackageNotFoundError:
        return None


def merged(stored, new):
    """Return stored results with those of now in their place, and without those of benchmarks that are gone."""
    runs = {name: run for name, run in (stored["runs"] | new["runs"]).items() if name in BENCHES}
    kept = [row for row in stored["rows"] if row["bench"] in runs and row["bench"] not in new["runs"]]
    return {
        "runs": dict(sorted(runs.items())),
        "rows": sorted(kept + new["rows"], key=lambda row: row["bench"]),
    }


def table(rows):
    """Return the rows as a table in Markdown."""
    lines = [
        "| id | problem | ours | ms | MB | peer | ms | MB | peer / ours | spread | target | |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row["id"]):
        met = {True: "met", False: "missed", None: ""}[row["met"]]
        target = "" if row["target"] is None else f"{row['target']:.3g}"
        spread = "" if row["spread"] is None else f"{100 * (row['spread'] - 1):.0f} %"
        sides = " | ".join(_side(row[side]) for side in ("ours", "peer"))
        lines.append(
            f"| {row['id']} | {row['problem']} | {sides} | {_short(row['ratio'])} | {spread} | {target} | {met} |"
        )
    return "\n".join(lines)


def _side(side):
    memory = "" if side["bytes"] is None else f"{side['bytes'] / 1e6:.1f}"
    return f"{side['name']} | {1e3 * side['median']:.3f} | {memory}"


def _short(ratio):
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2g}"


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="every kind of row that has a target, in about ten minutes")
    how.add_argument("--full", action="store_true", help="all there is, until two runs agree (the default)")
    how.add_argument("--gpu", action="store_true", help="what needs nothing but JAX, on the device that JAX finds")
    parser.add_argument("--only", nargs="+", choices=BENCHES, help="some files")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    if arguments.into:
        run_one(arguments.only and arguments.only[0], arguments.into)
    else:
        quick = arguments.quick
        names = [name for name in BENCHES if name != "gpu" and not (quick and name in FULL)]
        sys.exit(main(arguments.only or (GPU if arguments.gpu else names), quick, arguments.gpu) > 0)
