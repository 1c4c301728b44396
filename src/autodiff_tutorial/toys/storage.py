"""Toys in files: a directory with a manifest and one file for each so many toys, written once and for all."""

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from autodiff_tutorial.toys.testing import Statistics

MANIFEST, REPORT, PLOT = "manifest.json", "report.json", "toys.png"
_HYPOTHESES = ("signal", "background")


class StorageError(Exception):
    """Why a directory cannot be used; nothing in it was changed."""


class Store:
    """A directory of toys.

    Parameters
    ----------
    path : str or Path
        The directory.
    manifest : dict
        What determines the toys: the model's digest, seed, number of toys, versions and others. `shard` is (k, n): of
        the files, this directory holds each n-th from the k-th on, counted from 1.
    """

    def __init__(self, path, manifest):
        self.path, self.manifest = Path(path), manifest

    @classmethod
    def create(cls, path, manifest):
        """Make a directory for a run, or return one that was begun by the very same run."""
        path = Path(path)
        manifest = json.loads(json.dumps(manifest))
        with _explained(path):
            path.mkdir(parents=True, exist_ok=True)
            names = [p.name for p in path.iterdir() if not _is_leftover(p)]
            if MANIFEST in names:
                check_same(path, read_manifest(path), manifest)
            elif names:
                raise StorageError(
                    f"{path} holds files that are no toys, such as {min(names)!r}. Choose an empty or a new directory."
                )
            else:
                write(path / MANIFEST, _as_json(manifest))
            for leftover in filter(_is_leftover, path.iterdir()):
                leftover.unlink()
        return cls(path, manifest)

    @classmethod
    def open(cls, path):
        return cls(path, read_manifest(Path(path)))

    @property
    def files(self):
        """The numbers of the files that belong here."""
        k, n = self.manifest["shard"]
        return range(k - 1, -(-self.manifest["toys"] // self.manifest["toys_a_file"]), n)

    def toys(self, number):
        """Return the first toy of a file, and how many it holds."""
        size = self.manifest["toys_a_file"]
        first = number * size
        return first, min(size, self.manifest["toys"] - first)

    def missing(self):
        """Return the numbers of files still to be made; those that exist are read, to be sure that they are whole."""
        missing = []
        for number in self.files:
            if self._file(number).exists():
                self.read(number)
            else:
                missing.append(number)
        return missing

    def save(self, number, signal, background):
        arrays = {
            f"{name}_{field}": part
            for name, toys in zip(_HYPOTHESES, (signal, background), strict=True)
            for field, part in toys._asdict().items()
        }
        write(self._file(number), lambda file: np.savez(file, number=number, run=self._run, **arrays))

    def read(self, number):
        """Return the toys of a file, with signal and without."""
        path, (_, size) = self._file(number), self.toys(number)
        try:
            with np.load(path) as file:
                found = [Statistics(*(file[f"{name}_{f}"] for f in Statistics._fields)) for name in _HYPOTHESES]
                own = (int(file["number"]), str(file["run"])) == (number, self._run)
            if not own or any(part.shape != (size,) for toys in found for part in toys):
                raise ValueError("it belongs elsewhere")
        except Exception as error:
            raise StorageError(
                f"{path} cannot be read as {size} toys of this run: {error}. Delete it and run again: it is made anew."
            ) from error
        return found

    def save_report(self, report):
        write(self.path / REPORT, _as_json(report))

    def read_report(self):
        try:
            return json.loads((self.path / REPORT).read_text())
        except (OSError, ValueError) as error:
            raise StorageError(f"{self.path} has no report ({_reason(error)}). Run it again to its end.") from error

    def read_all(self):
        """Return all toys that there are, with signal and without."""
        parts = zip(*(self.read(number) for number in self.files if self._file(number).exists()), strict=True)
        return [Statistics(*map(np.concatenate, zip(*toys, strict=True))) for toys in parts]

    @property
    def _run(self):
        """A digest of all that determines the toys."""
        return hashlib.sha256(_as_json(self.manifest | {"shard": [1, 1]}).encode()).hexdigest()

    def _file(self, number):
        return self.path / f"toys-{number:06d}.npz"


def merge(paths, output):
    """Join the parts of a run in one directory, which is then that of the whole run."""
    parts = [Store.open(path) for path in paths]
    whole = parts[0].manifest | {"shard": [1, 1]}
    owner = {}
    for part in parts:
        check_same(part.path, part.manifest | {"shard": [1, 1]}, whole, f"{parts[0].path} is part of another run")
        for number in part.files:
            if number in owner:
                raise StorageError(
                    f"{owner[number].path} and {part.path} both hold file {number}. Give each part once."
                )
            owner[number] = part
    everything = Store(Path(output), whole)
    absent = [number for number in everything.files if number not in owner]
    if absent:
        raise StorageError(
            f"Parts are missing: none of the directories holds file {absent[0]} of {len(everything.files)}."
        )
    for part in parts:
        unfinished = part.missing()
        if unfinished:
            raise StorageError(
                f"{part.path} is not finished: {len(unfinished)} of its files are missing. Run it again."
            )
    everything = Store.create(output, whole)
    for number in everything.missing():
        everything.save(number, *owner[number].read(number))
    return everything


def read_manifest(path):
    try:
        manifest = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} holds no toys: its {MANIFEST} cannot be read ({_reason(error)}).") from error
    if not isinstance(manifest, dict) or not {"toys", "toys_a_file", "shard"} <= manifest.keys():
        raise StorageError(f"{path} holds no toys: its {MANIFEST} is that of something else.")
    return manifest


def write(path, content):
    """Write a file so that it is there as a whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with _explained(path):
        try:
            with open(draft, "wb") as file:
                if callable(content):
                    content(file)
                else:
                    file.write(content.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _as_json(value):
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


class _explained:
    """Tells what the operating system refuses, and that what is finished is kept."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, OSError):
            raise StorageError(
                f"{self.path} cannot be written: {_reason(error)}. Finished toys are kept; mend this and run the same "
                "command again."
            ) from error


def _reason(error):
    return getattr(error, "strerror", None) or str(error)


def _is_leftover(path):
    """Tell whether a file is the draft of a run that was killed."""
    return re.fullmatch(rf"\.(toys-\d+\.npz|{MANIFEST}|{REPORT}|{PLOT})\.\d+", path.name) is not None


def check_same(path, found, wanted, reason="it was begun otherwise", ignored=()):
    """Refuse a directory whose manifest is not the one that is wanted."""
    keys = sorted((found.keys() | wanted.keys()) - set(ignored))
    different = [key for key in keys if found.get(key) != wanted.get(key)]
    if different:
        told = "; ".join(f"{key} is {found.get(key)!r} there and {wanted.get(key)!r} here" for key in different)
        raise StorageError(f"{path} cannot be used, {reason}: {told}. Choose another directory.")
