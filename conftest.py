"""What is left out on a machine without PyTorch, in the open: the module and the cells that need it."""

from importlib.util import find_spec

import pytest

WITHOUT = "PyTorch is missing, and nothing that needs it was run. Install it with `make .venv/with-torch`."
HAS_TORCH = find_spec("torch") is not None
collect_ignore = [] if HAS_TORCH else ["src/autodiff_tutorial/frameworks.py"]


def pytest_report_header():
    """Say at the top what is missing."""
    return None if HAS_TORCH else WITHOUT


def pytest_collection_modifyitems(items):
    """Skip the cells of the chapter on PyTorch, and the one of another that registers a rule there."""
    for item in items:
        cell = getattr(item, "cell", None)
        alone = cell is not None and "torch" in cell.metadata.get("tags", ())
        if not HAS_TORCH and (item.path.name == "frameworks.ipynb" or alone):
            item.add_marker(pytest.mark.skip(reason=WITHOUT))
