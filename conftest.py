"""What is left out on a machine that lacks a package, in the open: modules, tests and cells that need it."""

from importlib.util import find_spec
from pathlib import Path

import pytest

# An optional package, the extra that brings it, and what cannot even be imported without it.
NEEDED = {
    "torch": ("torch", ["frameworks.py"]),
    "pyhf": (
        "hep",
        ["hep_models.py", "test_hep_*.py", "test_toys*.py", "test_explorables.py", "hep_fits/*.py", "toys/*.py"],
    ),
    "matplotlib": ("hep", ["test_plotting.py", "test_explorables.py", "plotting/*.py"]),
    "sphinx": ("book", ["test_browser.py", "test_explorables.py", "test_glossary.py", "test_pages.py"]),
}
MISSING = {package: extra for package, (extra, _) in NEEDED.items() if find_spec(package) is None}


def pytest_report_header():
    """Say at the top what is missing."""
    return [
        f"{package} is missing, and nothing that needs it is run. Install it with `make .venv/with-{extra}`."
        for package, extra in MISSING.items()
    ]


def pytest_ignore_collect(collection_path: Path):
    """Leave out the files that import what is missing."""
    left_out = [pattern for package in MISSING for pattern in NEEDED[package][1]]
    return any(map(collection_path.match, left_out)) or None


def pytest_collection_modifyitems(items):
    """Skip the cells of the chapter on PyTorch, and the one of another that registers a rule there."""
    for item in items:
        cell = getattr(item, "cell", None)
        alone = cell is not None and "torch" in cell.metadata.get("tags", ())
        if "torch" in MISSING and (item.path.name == "frameworks.ipynb" or alone):
            item.add_marker(pytest.mark.skip(reason="PyTorch is missing."))
