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
    """Run every `bench_<module>.py` in this folder; write `results/<machine>.json`."""
    jax.config.update("jax_enable_x64", True)
    machine = devices.describe()
    modules = [importlib.import_module(f"benchmarks.{path.stem}") for path in sorted(HERE.glob("bench_*.py"))]
    rows = [row for module in modules for row in module.rows()]
    name = machine.processor if machine.device == "cpu" else machine.device
    target = HERE / "results" / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{machine.cores}-cores.json"
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine._asdict(),
        "peers": {peer: version(peer) for peer in ("numdifftools", "scipy")},
        "rows": rows,
    }
    target.write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        print(
            f"{row['id']:4} {row['ours']['name']:30} {1e3 * row['ours']['median']:9.3f} ms   {row['peer']['name']:24} "
            f"{1e3 * row['peer']['median']:9.3f} ms   ratio {row['ratio']:8.1f}   target {row['target']:4} "
            f"{'met' if row['met'] else 'MISSED'}"
        )
    print(f"stored in {target.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
