"""The benchmarks' own arithmetic, how runs are merged, and that their tables show the figures that are stored."""

import json
from pathlib import Path

import pytest

from benchmarks.run import BENCHES, merged, table
from benchmarks.timing import compare, row

RESULTS = sorted((Path(__file__).parents[1] / "benchmarks" / "results").glob("*.json"))


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


def test_run_of_some_leaves_the_others():
    """New rows replace those of their own benchmark; others stay, and those of a benchmark that is gone do not."""
    first, second, third = BENCHES[:3]
    stored = {
        "runs": {"gone": 0, first: 1, third: 3},
        "rows": [{"bench": name, "id": "old"} for name in ("gone", first, first, third)],
    }
    found = merged(
        stored, {"runs": {first: 5, second: 6}, "rows": [{"bench": b, "id": "new"} for b in (second, first)]}
    )
    assert list(found["runs"].items()) == [(first, 5), (second, 6), (third, 3)]
    assert [(r["bench"], r["id"]) for r in found["rows"]] == [(first, "new"), (second, "new"), (third, "old")]


def test_results_are_stored():
    """There are results of at least one machine, for the tests below and for the book."""
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_tables_show_the_stored_figures(path):
    """Beside each stored result stands its table."""
    assert table(json.loads(path.read_text())["rows"]) in path.with_suffix(".md").read_text()


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_stored_rows_name_their_run(path):
    """Each row belongs to a benchmark that still exists, and whose versions and date are stored."""
    stored = json.loads(path.read_text())
    assert {row["bench"] for row in stored["rows"]} == stored["runs"].keys() <= set(BENCHES)
    assert all({"date", "machine", "peers"} == run.keys() for run in stored["runs"].values())


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_no_target_is_met_with_more_colors(path):
    """What a row calls met follows from its ratio, and for a coloring also from the numbers of colors."""
    for stored in json.loads(path.read_text())["rows"]:
        colors = stored.get("colors", {"ours": 0, "peer": 0})
        met = (
            None
            if stored["target"] is None
            else stored["ratio"] >= stored["target"] and colors["ours"] <= colors["peer"]
        )
        assert stored["met"] == met, stored
