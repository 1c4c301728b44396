"""The environments in which the book and the library must run; `make test-colab` and its like call this.

Each session makes its environment anew under `.nox`. What ran, and how long it took, is gathered in `_build/runs`.
"""

import json
import os
import shutil
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import nox

ROOT = Path(__file__).parent
RUNS = ROOT / "_build" / "runs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
EXTRAS = PROJECT["optional-dependencies"]
CHAPTERS = {path.stem: path for path in sorted((ROOT / "book").glob("*.ipynb"))}
JOBS = os.environ.get("JOBS", "2")
NBVAL = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-n", JOBS, "--dist", "loadfile"]

# Pythons are looked for on the path; those of pyenv need not be on it.
PYTHONS = map(str, Path.home().glob(".pyenv/versions/3.1[123].*/bin"))
os.environ["PATH"] = os.pathsep.join([*PYTHONS, os.environ["PATH"]])

# What Google Colab ships, as far as it concerns the book.
COLAB = [
    "jax==0.7.2",
    "jaxlib==0.7.2",
    "numpy==2.1.3",
    "scipy==1.16.3",
    "matplotlib==3.10.0",
    "sympy==1.14.0",
    "tqdm==4.67.3",
    "ipykernel==6.17.1",
    "ipython==7.34.0",
]
# The rest of what runs the library's tests, where what the project's extra `test` holds for the pages is not wanted.
TOOLS = ["hypothesis", "mpmath", "packaging", "pytest", "pytest-xdist", "pyyaml"]

nox.options.sessions = []
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


def frozen(session):
    """Return the packages that are installed, one line each."""
    return set(session.run("python", "-m", "pip", "list", "--format=freeze", silent=True).split())


def setup(chapter):
    """Return the source of the cell that installs the library on Colab."""
    return "".join(json.loads(CHAPTERS[chapter].read_text())["cells"][1]["source"])


def begin(session, name):
    """Forget what ran in an environment before, and have the table printed at the end, whatever comes."""
    for path in RUNS.glob(f"{name}*.xml"):
        path.unlink()
    session.notify("table")


def results(name):
    """Say where pytest shall write what it ran: a file for each environment, and part of it after ~."""
    RUNS.mkdir(parents=True, exist_ok=True)
    return f"--junitxml={RUNS / name}.xml"


@nox.session(python="3.13")
@nox.parametrize("extra", ["plain", "hep"])
def colab(session, extra):
    """Run the set-up cell beside Colab's versions, then each chapter but that on PyTorch, alone in a directory."""
    begin(session, f"colab~{extra}")
    wanted = [name for name in CHAPTERS if ("[hep]" in setup(name)) == (extra == "hep") and name != "frameworks"]
    session.install(*COLAB, "nbval", "pytest", "pytest-xdist")
    before = frozen(session)
    # The cell installs from the forge; here this repository, as committed, stands for it.
    forge = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }
    for name in wanted:
        session.run("ipython", "--colors=NoColor", "-c", setup(name), env=forge)
    lost = before - frozen(session)
    if lost:
        session.error(f"The set-up cell changed what Colab ships: {', '.join(sorted(lost))}.")
    place = RUNS / "colab" / extra
    shutil.rmtree(place, ignore_errors=True)
    for name in wanted:
        (place / name).mkdir(parents=True)
        shutil.copy(CHAPTERS[name], place / name)
    shutil.copy(ROOT / "conftest.py", place)
    session.chdir(place)
    session.run("python", "-m", "pytest", *NBVAL, results(f"colab~{extra}"), "--rootdir=.", *wanted)


def oldest():
    """Pin everything that the library names to the lowest version that it names."""
    lines = [*PROJECT["dependencies"], *EXTRAS["hep"]]
    return [line.replace(">=", "==").split(",")[0] for line in lines]


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("versions", ["oldest", "newest"])
def matrix(session, versions):
    """Run the library's tests and the chapters with the oldest or the newest packages that the project allows."""
    name = f"{session.python}-{versions}"
    begin(session, name)
    session.install("-e", ".[hep,test]", *(oldest() if versions == "oldest" else []))
    session.log("\n".join(sorted(frozen(session))))
    tests = ["python", "-m", "pytest", "-p", "no:cacheprovider", "-n", JOBS, "--dist", "worksteal"]
    # The code that users run is that of XLA's own choice, as no flag is given.
    session.run(*tests, results(f"{name}~tests"), *session.posargs, env={"XLA_FLAGS": ""})
    session.run("python", "-m", "pytest", *NBVAL, results(name), *map(str, CHAPTERS.values()))


@nox.session
def release(session):
    """Build the library, and run its tests where nothing is installed but what it requires."""
    begin(session, "wheel")
    begin(session, "sdist")
    place = RUNS / "release"
    shutil.rmtree(place, ignore_errors=True)
    session.install("build", *TOOLS)
    session.run("python", "-m", "build", "--outdir", str(place))
    (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
    shutil.unpack_archive(sdist, place)
    session.chdir(place / sdist.name.removesuffix(".tar.gz"))
    tests = ["python", "-m", "pytest", "-p", "no:cacheprovider", "-n", JOBS, "--dist", "worksteal"]
    session.install(str(wheel))
    session.run("python", "-m", "autodiff_tutorial")
    session.run(*tests, results("wheel~tests"), "tests")
    session.install("--force-reinstall", "--no-deps", str(sdist))
    session.run(*tests, results("sdist~tests"), "src")


@nox.session(venv_backend="none")
def table(session):
    """Print what ran in which environment: seconds, summed over processes, and cells or tests, or how many failed."""
    cells = {}
    for path in sorted(RUNS.glob("*.xml")):
        for case in ET.parse(path).iter("testcase"):
            environment, _, part = path.stem.partition("~")
            row = "the library's tests" if part == "tests" else chapter_of(case)
            seconds, ran, failed = cells.get((row, environment), (0.0, 0, 0))
            ran += case.find("skipped") is None
            failed += case.find("failure") is not None or case.find("error") is not None
            cells[row, environment] = seconds + float(case.get("time")), ran, failed
    columns = sorted({environment for _, environment in cells})
    rows = ["the library's tests", *CHAPTERS]
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        found = [cells.get((row, column)) for column in columns]
        lines.append(f"| {row} | " + " | ".join(map(text_of, found)) + " |")
    session.log("\n" + "\n".join(lines))
    (RUNS / "table.md").write_text("\n".join(lines) + "\n")


def text_of(cell):
    """Write what is known of a chapter in an environment."""
    if cell is None:
        return ""
    seconds, ran, failed = cell
    return f"{failed} of {ran} failed" if failed else f"{seconds:.0f} s, {ran}" if ran else "left out"


def chapter_of(case):
    """Return the chapter of which pytest ran a cell."""
    words = (case.get("file") or case.get("classname")).replace("/", ".").split(".")
    return next(word for word in words if word in CHAPTERS)
