"""Run benchmarks, print their table, and store it: ``python -m benchmarks.run``, or some, as ``--only symbolic``."""

import argparse
import datetime
import importlib
import json
import re
from importlib.metadata import version
from pathlib import Path

import jax

from autodiff_tutorial import devices

HERE = Path(__file__).parent
BENCHES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
# Peers of these need another Python and JAX: `make bench` runs them by name, in an environment of their own.
APART = ("sparse",)


def main(names):
    """Run every `bench_<name>.py` named; put the rows into `results/<machine>.json` and its table."""
    jax.config.update("jax_enable_x64", True)
    machine = devices.describe()
    runs, rows = {}, []
    for name in names:
        module = importlib.import_module(f"benchmarks.bench_{name}")
        rows += [{"bench": name, **row} for row in module.rows()]
        runs[name] = {
            "date": datetime.date.today().isoformat(),
            "machine": machine._asdict(),
            "peers": {peer: version(peer) for peer in module.PEERS},
        }
    print(table(rows))
    title = machine.processor if machine.device == "cpu" else machine.device
    target = HERE / "results" / f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}-{machine.cores}-cores.json"
    stored = json.loads(target.read_text()) if target.exists() else {"runs": {}, "rows": []}
    result = merged(stored, {"runs": runs, "rows": rows})
    target.write_text(json.dumps(result, indent=1) + "\n")
    target.with_suffix(".md").write_text(f"# {title}, {machine.cores} cores\n\n{table(result['rows'])}\n")
    print(f"stored in {target.relative_to(HERE.parent)}")


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
        "| id | problem | ours | ms | peer | ms | peer / ours | target | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        met = {True: "met", False: "missed", None: ""}[row["met"]]
        ratio = f"{row['ratio']:.1f}" if row["ratio"] >= 0.95 else f"{row['ratio']:.2g}"
        target = "" if row["target"] is None else f"{row['target']:.3g}"
        ours, peer = (f"{row[side]['name']} | {1e3 * row[side]['median']:.3f}" for side in ("ours", "peer"))
        lines.append(f"| {row['id']} | {row['problem']} | {ours} | {peer} | {ratio} | {target} | {met} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=[name for name in BENCHES if name not in APART])
    main(parser.parse_args().only)
