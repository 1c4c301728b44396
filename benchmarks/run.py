"""Run all benchmarks, print their table, and store it: ``python -m benchmarks.run``."""

import datetime
import importlib
import json
import re
from importlib.metadata import version
from pathlib import Path

import jax

from autodiff_tutorial import devices

HERE = Path(__file__).parent


def main():
    """Run every `bench_<module>.py` in this folder; write `results/<machine>.json` and its table."""
    jax.config.update("jax_enable_x64", True)
    machine = devices.describe()
    modules = [importlib.import_module(f"benchmarks.{path.stem}") for path in sorted(HERE.glob("bench_*.py"))]
    rows = [row for module in modules for row in module.rows()]
    name = machine.processor if machine.device == "cpu" else machine.device
    target = HERE / "results" / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{machine.cores}-cores.json"
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine._asdict(),
        "peers": {peer: version(peer) for module in modules for peer in module.PEERS},
        "rows": rows,
    }
    target.write_text(json.dumps(result, indent=1) + "\n")
    target.with_suffix(".md").write_text(f"# {name}, {machine.cores} cores\n\n{table(rows)}\n")
    print(table(rows))
    print(f"stored in {target.relative_to(HERE.parent)}")


def table(rows):
    """Return the rows as a table in Markdown."""
    lines = ["| id | ours | ms | peer | ms | peer / ours | target | |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        met = {True: "met", False: "missed", None: ""}[row["met"]]
        ratio = f"{row['ratio']:.1f}" if row["ratio"] >= 0.95 else f"{row['ratio']:.2g}"
        target = "" if row["target"] is None else f"{row['target']:.3g}"
        ours, peer = (f"{row[side]['name']} | {1e3 * row[side]['median']:.3f}" for side in ("ours", "peer"))
        lines.append(f"| {row['id']} | {ours} | {peer} | {ratio} | {target} | {met} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
