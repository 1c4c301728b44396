"""The benchmarks' own arithmetic, when they repeat, how runs are merged, and that tables show the stored figures."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import timing
from benchmarks.run import BENCHES, FULL, GPU, agreed, key, merged, table
from benchmarks.timing import compare, peak, row

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
# The rows of the table of targets, but for the one that needs a GPU.
IDS = {"P1", "P1d", "P2", "P2e", "P3d", "P3c", "P3e", "P4", "P4s", "P5", "P6", "P7", "P8"}


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


def scripted(monkeypatch, rounds):
    """Let the first contender take a second always, the second one so long in each round."""
    calls = {"a": itertools.repeat(1.0), "b": itertools.chain([0.5, 0.5], rounds, itertools.repeat(rounds[-1]))}
    monkeypatch.setattr(timing, "_seconds", lambda function, calls_: next(calls[function]))
    monkeypatch.setattr(timing, "peak", lambda function: (0, next(calls[function])))
    return compare({"a": "a", "b": "b"}, repetitions=1)


def test_rounds_go_on_until_two_agree(monkeypatch):
    """Rounds are repeated while a ratio moves by more than 20 %, and the last two count."""
    found = scripted(monkeypatch, [1.0, 2.0, 3.0, 3.3])
    assert found["b"]["rounds"] == [1.0, 2.0, 3.0, 3.3]
    assert found["b"]["median"] == pytest.approx(3.15)
    line = row("P0", "", "a", "b", found, {"a": 0.0, "b": 0.0})
    assert line["spread"] == pytest.approx(1.1)
    assert "| 10 % |" in table([line])


def test_rounds_end(monkeypatch):
    """A machine that never agrees with itself does not keep the benchmark for ever."""
    found = scripted(monkeypatch, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    assert len(found["a"]["rounds"]) == timing.MOST_ROUNDS


def test_memory_of_a_call_is_seen():
    """The peak of a call holds what it returns and what it needs on the way."""
    needed, _ = peak(lambda: [np.ones(10**7), np.ones(10**7)][0])
    assert needed is None or 1.5e8 < needed < 2e8


def fake_run(*ratios):
    side = {"name": "x"}
    rows = [
        {"bench": "b", "id": "P0", "problem": f"problem {k}", "ours": side, "peer": side, "ratio": ratio}
        for k, ratio in enumerate(ratios)
    ]
    return {"run": {}, "rows": rows}


def repeated(stored, runs, twice=False):
    runs = iter(runs)
    found, problem = agreed(lambda: (next(runs), None), fake_run(*stored)["rows"], twice)
    assert problem is None
    return found["run"]["runs"], [(row["ratio"], row["agrees"]) for row in found["rows"]]


def test_run_that_agrees_with_the_stored_one_is_not_repeated():
    """Ratios within 20 % of those stored are taken as they are."""
    assert repeated([1.0, 5.0], [fake_run(1.19, 4.5)]) == (1, [(1.19, True), (4.5, True)])


def test_run_that_differs_is_repeated():
    """A file runs again until each ratio agrees with an earlier one, that of another run or the stored one."""
    runs = [fake_run(2.0, 5.0), fake_run(2.1, 7.0), fake_run(1.0, 7.5)]
    assert repeated([1.0, 5.0], runs) == (3, [(1.0, True), (7.5, True)])


def test_run_that_never_agrees_says_so(capsys):
    """After three runs the last one is taken, and the problem is named."""
    assert repeated([1.0], [fake_run(2.0), fake_run(4.0), fake_run(8.0)]) == (3, [(8.0, False)])
    assert "problem 0" in capsys.readouterr().out


def test_first_run_is_repeated_only_where_asked():
    """Without a stored result, a quick run has to do; a full one is done twice."""
    assert repeated([], [fake_run(2.0)]) == (1, [(2.0, None)])
    assert repeated([], [fake_run(2.0), fake_run(2.1)], twice=True) == (2, [(2.1, True)])


def test_no_run_is_begun_when_time_is_up():
    """A quick run that is late takes what it has, and names what did not agree."""
    found, _ = agreed(lambda: (fake_run(2.0), None), fake_run(1.0)["rows"], False, until=0.0)
    assert (found["run"]["runs"], found["rows"][0]["agrees"]) == (1, False)


def test_what_cannot_run_is_told():
    """A missing peer stops its own file alone."""
    assert agreed(lambda: (None, "not run"), [], False) == (None, "not run")


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


def test_lists_name_files():
    """What only a full run holds, and what runs on a GPU, exists."""
    assert {*FULL, *GPU} <= set(BENCHES)


def test_results_hold_every_row_of_the_table():
    """On some machine each row was measured, and not only in a full run."""
    quick = [
        {row["id"] for row in json.loads(path.read_text())["rows"] if row["bench"] not in FULL} for path in RESULTS
    ]
    assert any(ids >= IDS for ids in quick)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_tables_show_the_stored_figures(path):
    """Beside each stored result stands its table."""
    assert table(json.loads(path.read_text())["rows"]) in path.with_suffix(".md").read_text()


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_stored_rows_name_their_run(path):
    """Each row is told from all others, and belongs to a benchmark that still exists, with its versions and date."""
    stored = json.loads(path.read_text())
    assert {row["bench"] for row in stored["rows"]} == stored["runs"].keys() <= set(BENCHES)
    assert all({"date", "machine", "peers", "runs"} == run.keys() for run in stored["runs"].values())
    assert stored["roof"] is None or all(stored["roof"][kind] > 0 for kind in ("operations", "bytes"))
    keys = [key(row) for row in stored["rows"]]
    assert len(keys) == len(set(keys))


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
