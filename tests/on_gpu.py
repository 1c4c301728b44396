"""Run the library's tests and the chapters on a GPU, and say how long each took there and on the CPU: `make test-gpu`.

The tests compare with answers in float64, or in float32 to its roundoff. So they multiply matrices in full, where a
GPU would take TF32 by default; the chapters run as a reader runs them. Of a chapter only two things are asked: that
every cell runs, and that every solution passes its check. Their outputs are compared on the CPU, by `make test`.
"""

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import jax
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).parents[1]


def main(tests):
    """Run the tests in these files, and all chapters; return the exit status."""
    if jax.default_backend() != "gpu":
        print(f"JAX sees no GPU here, only {jax.devices()[0].device_kind}: nothing was run.")
        print("With one, JAX for CUDA is needed: https://docs.jax.dev/en/latest/installation.html")
        return 0
    print(f"{len(jax.devices())} x {jax.devices()[0].device_kind}, JAX {jax.__version__}")
    failed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", os.environ.get("JOBS", "2"), *tests],
        cwd=ROOT,
        env=os.environ | {"JAX_DEFAULT_MATMUL_PRECISION": "highest"},
    ).returncode
    rows = {}
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        if path.stem == "frameworks" and not find_spec("torch"):
            print("frameworks           left out, as PyTorch is missing", flush=True)
            continue
        rows[path.stem] = [run(path, platform) for platform in ("cpu", "gpu")]
        print(table({path.stem: rows[path.stem]}), flush=True)
    print("\n" + table(rows))
    return int(failed or any(isinstance(found, str) for row in rows.values() for found in row))


def run(path, platform):
    """Run a chapter on the CPU, or on the GPU that JAX takes by itself; return its seconds, or what went wrong."""
    notebook = nbformat.read(path, as_version=4)
    if not find_spec("torch"):
        notebook.cells = [cell for cell in notebook.cells if "torch" not in cell.metadata.get("tags", ())]
    resources = {"metadata": {"path": str(path.parent)}}
    environment = os.environ | ({"JAX_PLATFORMS": "cpu"} if platform == "cpu" else {})
    start = time.perf_counter()
    try:
        NotebookClient(notebook, timeout=600, resources=resources).execute(env=environment)
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}".splitlines()[0]
    except (CellTimeoutError, DeadKernelError) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return refused(notebook) or time.perf_counter() - start


def refused(notebook):
    """Return what a check says of a solution that does not pass, if there is one."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "# @title Solution" in cell.source:
            said = "".join(output.get("text", "") for output in cell.outputs)
            if "passed" not in said:
                return f"a solution is refused: {said.strip().splitlines()[-1]}"
    return None


def table(rows):
    """Write seconds on the CPU and on the GPU, chapter by chapter, and what went wrong."""
    texts = {
        name: [f"{found:.0f} s" if isinstance(found, float) else found for found in row] for name, row in rows.items()
    }
    return "\n".join(f"{name:20} {cpu:>8} on the CPU {gpu:>8} on the GPU" for name, (cpu, gpu) in texts.items())


if __name__ == "__main__":
    # This process only asks for the GPU, and two that test share it: none may take most of its memory in advance.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    sys.exit(main(sys.argv[1:]))
