"""Run chapters and store them with their outputs: ``python book/_ext/execute.py book/*.ipynb``.

Each notebook is formatted by ruff, run from its own directory, and freed of what differs from run to run.
The figure that README.md shows is taken from its chapter.
"""

import base64
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SHOWN_IN_README = "fig-schemes"


def execute(path):
    """Run one notebook in place."""
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=True)
    notebook = nbformat.read(path, as_version=4)
    here = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=600, coalesce_streams=True, resources=here).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == SHOWN_IN_README:
            picture = next(output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {}))
            (path.parent / "_static" / f"{SHOWN_IN_README}.png").write_bytes(base64.b64decode(picture))
    nbformat.write(notebook, path)
    subprocess.run([sys.executable, "-m", "nbstripout", "--keep-output", "--keep-count", "--keep-id", path], check=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name))
        print(f"{name}: run and stored")
