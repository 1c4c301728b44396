"""The benchmarks' own arithmetic, and that their tables show the figures that are stored."""

import json
from pathlib import Path

from benchmarks.run import table
from benchmarks.timing import compare, row

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_slower_function_takes_longer():
    """A function that does a hundred times as much is seen to take longer, and the row says how much."""
    times = compare({"short": lambda: sum(range(1000)), "long": lambda: sum(range(100_000))}, repetitions=3)
    errors = {"short": 0.0, "long": 0.0}
    found = row("P0", "sums", "short", "long", times, errors, target=1)
    assert found["ratio"] == times["long"]["median"] / times["short"]["median"] > 1
    assert found["met"]
    assert not row("P0", "sums", "long", "short", times, errors, target=1)["met"]
    assert table([row("P0", "sums", "long", "short", times, errors)]).endswith("|  |  |")
    assert all(t["min"] <= t["median"] <= t["max"] for t in times.values())


def test_tables_show_the_stored_figures():
    """Beside each stored result stands its table."""
    stored = list((BENCHMARKS / "results").glob("*.json"))
    assert stored
    for path in stored:
        assert table(json.loads(path.read_text())["rows"]) in path.with_suffix(".md").read_text()
