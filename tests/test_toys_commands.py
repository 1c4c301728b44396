"""The command line: the same bytes whatever happens on the way, and clear words where it cannot go on."""

import errno
import functools
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import hep_models
import numpy as np
import pyhf
import pytest

from autodiff_tutorial import hep_fits
from autodiff_tutorial.devices import describe
from autodiff_tutorial.toys import commands, storage
from autodiff_tutorial.toys.commands import main

ROOT = Path(__file__).parents[1]
WORKSPACE = hep_models.WORKSPACES / "uncorrelated.json"
N = 10_000
FILES = 40


@functools.cache
def likelihood_of(spec):
    return hep_fits.from_pyhf(pyhf.Model(json.loads(spec), validate=False, poi_name="mu"))


@pytest.fixture(autouse=True, scope="module")
def compiled_once():
    """Let runs of one model within a process share what is compiled for it."""
    with mock.patch.object(commands, "from_pyhf", lambda model: likelihood_of(json.dumps(model.spec))):
        yield


def arguments(output, *more, workspace=WORKSPACE, n=N):
    words = [workspace, "--mu", 2.0, "--toys", n, "--seed", 1, "--toys-a-file", N // FILES, "--output", output, *more]
    return list(map(str, words))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory of a run that nothing has disturbed."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    assert main(arguments(path)) == 0
    return path


def content(path):
    return {file.name: file.read_bytes() for file in sorted(Path(path).iterdir())}


def refused(capsys, words):
    """Return what a command says that ends with an error."""
    assert main(list(map(str, words))) == 1
    return capsys.readouterr().err


def start(words):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "")}
    command = [sys.executable, "-m", "autodiff_tutorial.toys", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# A run and its results.


def test_every_toy_is_reported(whole):
    report = json.loads((whole / "report.json").read_text())
    for counts in report["toys"].values():
        assert counts["attempted"] == N == counts["converged"] + counts["flagged"]
    found = [np.load(file) for file in sorted(whole.glob("toys-*.npz"))]
    assert len(found) == FILES
    q = np.concatenate([file["signal_q"] for file in found])
    assert len(q) == N
    assert np.isclose(report["cl_sb"], np.mean(q >= report["q"]))
    assert (whole / "toys.png").read_bytes().startswith(b"\x89PNG")


def test_the_outcome_is_that_of_the_library(whole):
    import jax

    from autodiff_tutorial import toys

    case = hep_models.load("uncorrelated")
    found = toys.hypotest(2.0, case.data, case.likelihood, jax.random.key(1), N)
    report = json.loads((whole / "report.json").read_text())
    for name in ("cls", "cls_error", "cl_sb", "cl_b", "q"):
        assert report[name] == getattr(found, name)
    assert report["expected"] == found.expected.tolist()
    formula = hep_fits.hypotest(2.0, case.data, case.likelihood)
    assert np.isclose(report["asymptotic"], formula.cls, rtol=1e-7)


def test_a_report_in_words(whole, capsys):
    before = content(whole)
    assert main(arguments(whole)) == 0
    said = capsys.readouterr().out
    assert "signal:     10,000 toys attempted, 10,000 converged, none flagged (0 tried twice)" in said
    assert re.search(r"CLs at mu = 2: 0\.\d+ \+- 0\.00\d \(asymptotic formula: 0\.\d+\)", said)
    assert content(whole) == before


def test_a_run_killed_twice_ends_with_the_same_bytes(whole, tmp_path):
    path, random_moments = tmp_path / "killed", random.Random(int.from_bytes(os.urandom(4)))
    for kill in range(2):
        process = start(arguments(path))
        goal = random_moments.randrange(1 + 15 * kill, 15 + 15 * kill)
        while process.poll() is None and len(list(path.glob("toys-*.npz"))) < goal:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        said = process.communicate()
        done = len(list(path.glob("toys-*.npz")))
        assert goal <= done < FILES, (goal, done, said)
    (path / ".toys-000039.npz.1234").write_bytes(b"half of it")
    assert main(arguments(path)) == 0
    assert content(path) == content(whole)


def test_two_processes_give_the_bytes_that_one_gives(tmp_path):
    """Files of odd numbers of toys, and one of very few, are shared as well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    one, two = tmp_path / "one", tmp_path / "two"
    odd, together = ["--toys-a-file", 3333], ["--coordinator", address, "--processes", "2", "--process"]
    processes = [start(arguments(two, *odd, *together, k)) for k in range(2)]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert main(arguments(one, *odd)) == 0
    assert [len(np.load(file)["signal_q"]) for file in sorted(two.glob("toys-*.npz"))] == [3333, 3333, 3333, 1]
    assert content(two) == content(one)


# Shards.


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return the directories of three shards, run as batch systems would run them."""
    path = tmp_path_factory.mktemp("parts")
    for k in range(1, 4):
        assert main(arguments(path / f"part-{k}", "--shard", f"{k}/3")) == 0
    return [path / f"part-{k}" for k in range(1, 4)]


def test_shards_merge_to_the_whole(whole, parts, tmp_path):
    assert main(["merge", *map(str, parts[::-1]), "--output", str(tmp_path / "all")]) == 0
    assert content(tmp_path / "all") == content(whole)
    for k, part in enumerate(parts, 1):
        assert len(list(part.glob("toys-*.npz"))) == len(range(k - 1, FILES, 3))


def test_shards_that_do_not_make_a_whole_are_refused(parts, tmp_path, capsys):
    output = ["--output", tmp_path / "all"]
    assert "both hold file 0. Give each part once" in refused(capsys, ["merge", *parts, parts[0], *output])
    assert "Parts are missing: none of the directories holds file 1" in refused(
        capsys, ["merge", parts[0], parts[2], *output]
    )
    other = tmp_path / "other"
    shutil.copytree(parts[1], other)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"digest": "0" * 64}))
    said = refused(capsys, ["merge", parts[0], other, parts[2], *output])
    assert "is part of another run: digest is '000" in said
    (other / "manifest.json").write_text(json.dumps(manifest))
    (other / "toys-000004.npz").unlink()
    said = refused(capsys, ["merge", parts[0], other, parts[2], *output])
    assert f"{other} is not finished: 1 of its files are missing" in said
    assert "holds no toys" in refused(capsys, ["merge", tmp_path, *output])
    assert not (tmp_path / "all").exists()


@functools.cache
def submitted(name):
    """Return the command of a submit file, with the variables of the first of 16 jobs filled in."""
    text = (ROOT / "book" / "_static" / name).read_text().replace("\\\n", " ")
    if name.endswith(".slurm"):
        command = next(line for line in text.splitlines() if line.startswith("python -m"))
        return command.replace("$SLURM_ARRAY_TASK_ID", "1")
    (line,) = (line.partition("=")[2] for line in text.splitlines() if line.startswith("arguments"))
    return "python " + line.strip().replace("$(part)", "1")


@pytest.mark.parametrize("name", ["toys.slurm", "toys.condor"])
def test_submit_files_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(WORKSPACE, "workspace.json")
    python, m, module, *words = shlex.split(submitted(name))
    assert (python, m, module) == ("python", "-m", "autodiff_tutorial.toys")
    words[words.index("--toys") + 1] = "64000"
    assert main([*words, "--toys-a-file", "4000"]) == 0
    assert [file.name for file in Path("part-1").glob("toys-*")] == ["toys-000000.npz"]
    assert json.loads(Path("part-1/manifest.json").read_text())["shard"] == [1, 16]


# Checks.


def test_verification_finds_a_wrong_toy(whole, tmp_path, capsys):
    assert main(arguments(whole, "--verify")) == 0
    assert "800 toys made anew: all as in" in capsys.readouterr().out
    with mock.patch.object(commands, "describe", return_value=describe()._replace(device="another", jax="0.0")):
        assert main(arguments(whole, "--verify")) == 0
        assert "device is" in refused(capsys, arguments(whole))
    capsys.readouterr()
    changed = tmp_path / "changed"
    shutil.copytree(whole, changed)
    for file in changed.glob("toys-*.npz"):
        arrays = dict(np.load(file))
        arrays["background_q"] = arrays["background_q"] + 1e-4
        np.savez(file, **arrays)
    before = content(changed)
    assert re.search(
        r"\d+ of 800 toys in .* are not what they should be", refused(capsys, arguments(changed, "--verify"))
    )
    assert content(changed) == before
    assert "holds no toys" in refused(capsys, arguments(tmp_path / "nothing", "--verify"))
    assert "seed" in refused(capsys, [*arguments(whole, "--verify"), "--seed", 7])


# What cannot be done, and what is kept.


def changed_workspace(path):
    spec = json.loads(WORKSPACE.read_text())
    spec["observations"][0]["data"][0] += 1
    path.write_text(json.dumps(spec))
    return path


def test_a_run_is_resumed_by_the_same_run_only(whole, tmp_path, capsys):
    before = content(whole)
    said = refused(capsys, arguments(whole, workspace=changed_workspace(tmp_path / "changed.json")))
    assert f"{whole} cannot be used, it was begun otherwise: digest is " in said
    assert "Choose another directory" in said
    assert "seed is 1 there and 2 here" in refused(capsys, [*arguments(whole), "--seed", 2])
    assert f"toys is {N} there and {2 * N} here" in refused(capsys, arguments(whole, n=2 * N))
    assert content(whole) == before


def test_a_directory_of_others_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "holds files that are no toys, such as 'thesis.tex'" in refused(capsys, arguments(tmp_path))
    assert content(tmp_path) == {"thesis.tex": b"years of work"}
    assert "cannot be written: File exists" in refused(capsys, arguments(tmp_path / "thesis.tex"))
    assert "cannot be written: Not a directory" in refused(capsys, arguments(tmp_path / "thesis.tex" / "toys"))


def test_a_full_disk_loses_nothing(whole, tmp_path, capsys, monkeypatch):
    path, save = tmp_path / "full", np.savez
    left = iter(range(10))

    def until_full(file, **arrays):
        if next(left, None) is None:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(file, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(storage.np, "savez", until_full)
        said = refused(capsys, arguments(path))
    assert "toys-000010.npz cannot be written: No space left on device. Finished toys are kept" in said
    assert sorted(content(path)) == ["manifest.json", *(f"toys-{k:06d}.npz" for k in range(10))]
    assert main(arguments(path)) == 0
    assert content(path) == content(whole)


def test_a_broken_file_is_named(whole, tmp_path, capsys):
    path = tmp_path / "broken"
    shutil.copytree(whole, path)
    (path / "toys-000003.npz").write_bytes(b"PK broken")
    before = content(path)
    said = refused(capsys, arguments(path))
    assert "toys-000003.npz cannot be read as 250 toys" in said
    assert "Delete it and run again" in said
    assert content(path) == before
    (path / "toys-000003.npz").unlink()
    assert main(arguments(path)) == 0
    assert content(path) == content(whole)


def test_a_file_of_another_place_is_not_taken(whole, tmp_path, capsys):
    path = tmp_path / "swapped"
    shutil.copytree(whole, path)
    shutil.copy(path / "toys-000004.npz", path / "toys-000003.npz")
    assert "toys-000003.npz cannot be read as 250 toys of this run: it belongs elsewhere" in refused(
        capsys, arguments(path)
    )


@pytest.mark.parametrize("manifest", ["[1, 2]", "{}", "{", '{"toys": 3}'])
def test_a_manifest_of_others_is_left_alone(manifest, tmp_path, capsys):
    (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / ".toys-precious").write_text("mine")
    before = content(tmp_path)
    assert "holds no toys: its manifest.json" in refused(capsys, arguments(tmp_path))
    assert "holds no toys: its manifest.json" in refused(capsys, ["merge", tmp_path, "--output", tmp_path / "all"])
    assert content(tmp_path) == before
    (tmp_path / "manifest.json").unlink()
    assert "holds files that are no toys, such as '.toys-precious'" in refused(capsys, arguments(tmp_path))


WRONG = {
    "too many": (["--toys", 2**33], "--toys should be at most 2**32, as they are numbered"),
    "an empty shard": (["--shard", "50/50"], "--shard 50/50 has no toys. Use a smaller --toys-a-file"),
    "half of several": (["--processes", 2], "--coordinator, --processes and --process belong together"),
    "no address": (
        ["--coordinator", "nonsense", "--processes", 2, "--process", 0],
        "--coordinator should be HOST:PORT, and --process from 0 to --processes - 1. Got nonsense, 0 of 2",
    ),
    "no such process": (["--coordinator", "a:1", "--processes", 2, "--process", 2], "Got a:1, 2 of 2"),
    "mu": (["--mu", 99.0], "`python -m autodiff_tutorial.toys(mu=...)` should be a number above 0 and at most"),
    "no toys": (["--toys", 0], "--toys should be at least 1. Got 0"),
    "no toys a file": (["--toys-a-file", 0], "--toys-a-file should be at least 1. Got 0"),
    "no chunk": (["--chunk-size", 0], "--chunk-size should be at least 1. Got 0"),
    "a seed": (["--seed", -1], "--seed should be from 0 to 2**32 - 1. Got -1"),
    "a measurement": (["--measurement", "none"], "no workspace that pyhf can read"),
    "half a patch": (["--patch", "one"], "--patchset and --patch belong together"),
    "no file": (["--patchset", "nowhere.json", "--patch", "one"], "nowhere.json cannot be read: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_refused_before_anything_is_written(case, tmp_path, capsys):
    more, message = WRONG[case]
    assert message in refused(capsys, arguments(tmp_path / "new", *more))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ["{", json.dumps({"channels": []})])
def test_what_is_no_workspace_is_refused(text, tmp_path, capsys):
    (tmp_path / "spec.json").write_text(text)
    said = refused(capsys, arguments(tmp_path / "new", workspace=tmp_path / "spec.json"))
    assert "spec.json" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0"])
def test_a_shard_is_one_of_several(shard, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(arguments(tmp_path / "new", "--shard", shard))
    assert f"should be K/N with K from 1 to N. Got '{shard}'" in capsys.readouterr().err


def test_command_says_what_it_needs(tmp_path, capsys, monkeypatch):
    """Without pyhf, nothing is written, and the message tells the way out."""
    monkeypatch.setitem(sys.modules, "pyhf", None)
    assert main(["none.json", "--mu", "1", "--toys", "10", "--output", str(tmp_path / "out")]) == 1
    assert 'pyhf is needed. Install it: pip install "autodiff-tutorial[hep]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_patches_are_applied(tmp_path):
    patch = [{"op": "replace", "path": "/observations/0/data/0", "value": 60.0}]
    digest = pyhf.utils.digest(json.loads(WORKSPACE.read_text()))
    metadata = {"name": "p", "references": {"hepdata": "ins1234567"}, "description": "d", "digests": {"sha256": digest}}
    patches = [{"metadata": {"name": "sixty", "values": [60]}, "patch": patch}]
    patchset = {"metadata": metadata | {"labels": ["x"]}, "patches": patches, "version": "1.0.0"}
    (tmp_path / "patchset.json").write_text(json.dumps(patchset))
    more = ["--patchset", tmp_path / "patchset.json", "--patch", "sixty"]
    assert main(arguments(tmp_path / "patched", *more, n=500)) == 0
    spec = json.loads(WORKSPACE.read_text())
    spec["observations"][0]["data"][0] = 60.0
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert main(arguments(tmp_path / "plain", workspace=tmp_path / "spec.json", n=500)) == 0
    assert content(tmp_path / "patched") == content(tmp_path / "plain")
