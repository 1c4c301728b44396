"""The chapters in the order of the table of contents; other extensions ask here."""

from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]


def chapters() -> list[str]:
    """Return the name of every notebook of the contents, such as `book/sparse`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [name for name in files if notebook(name).exists()]


def notebook(name: str) -> Path:
    """Return the path of a chapter's notebook."""
    return ROOT / f"{name}.ipynb"


def words(name: str) -> str:
    """Return the Markdown of a chapter."""
    cells = nbformat.read(notebook(name), as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
