"""The chapters, read as data: their order, their outputs, their figures and their exercises.

A checker takes a notebook and returns the list of what is wrong with it; each is shown a planted mistake below.
"""

import base64
import copy
import re
import tomllib
from pathlib import Path

import jax
import nbformat
import on_gpu
import pytest
import yaml
from test_exercises import WRONG

from autodiff_tutorial import __main__
from autodiff_tutorial.exercises import judge

ROOT = Path(__file__).parents[1]
CHAPTERS = {path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "book").glob("*.ipynb"))}
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
# The introduction is no chapter: it has aims and figures, but a single exercise, and nothing to recap.
FRONT = "intro"
EXERCISE = re.compile(r"^::::\{exercise\} (?P<title>.+)\n:label: (?P<label>[a-z0-9-]+)\n", re.MULTILINE)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def faults_of_order(notebook):
    """Look for promise, set-up and aims at the beginning; exercises, recap and further reading at the end."""
    cells, titles = notebook.cells, re.findall(r"^## (.+)$", markdown(notebook), re.MULTILINE)
    wanted = {
        "title and promise first": cells[0].source.startswith("# ") and len(cells[0].source.splitlines()) > 2,
        "set-up cell second": cells[1].metadata.get("tags") == ["remove-cell"] and "find_spec" in cells[1].source,
        "set-up from the repository": f'"{REPOSITORY}"' in cells[1].source,
        "aims third": titles[0] == "What you will be able to do" and cells[2].source.startswith("## What you will"),
        "three to five verbs": 3 <= len(re.findall(r"^- \*\*[A-Z][a-z]+\*\* ", cells[2].source, re.MULTILINE)) <= 5,
        "imports fourth": "import " in cells[3].source,
        "last sections": titles[-3:] == ["Exercises", "Recap", "Further reading"],
        "a table in the recap": re.search(r"## Recap\n(?:.*\n)+?\| method \|", markdown(notebook)) is not None,
    }
    return [name for name, found in wanted.items() if not found]


def markdown(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def faults_of_outputs(notebook):
    """Look for cells that were not run in order, that complain, or whose outputs name a machine."""
    faults = []
    for number, cell in enumerate(code(notebook), start=1):
        if cell.execution_count != number:
            faults.append(f"cell {number} was run as {cell.execution_count}")
        if any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs):
            faults.append(f"cell {number} complains")
        texts = [printed(cell), *(str(output.get("data", {}).get("text/plain")) for output in cell.outputs)]
        if any(re.search(r"/(home|root|tmp|usr|work|content)/|site-packages|0x[0-9a-f]{6}", text) for text in texts):
            faults.append(f"cell {number} names a place on a machine")
        if "tags" in cell.metadata and cell.metadata.tags not in (["remove-cell"], ["jax"], ["torch"]):
            faults.append(f"cell {number} has tags {cell.metadata.tags}")
    tags = [next(iter(cell.metadata.get("tags", [])), None) for cell in notebook.cells]
    pairs = [i for i in range(len(tags) - 1) if tags[i : i + 2] == ["jax", "torch"]]
    if not len(pairs) == tags.count("jax") == tags.count("torch"):
        faults.append("a cell tagged jax stands without one tagged torch behind it, or the other way round")
    return faults


def faults_of_code(notebook):
    """Look for cells of more than 25 lines."""
    lengths = {number: len(cell.source.splitlines()) for number, cell in enumerate(code(notebook), start=1)}
    return [f"cell {number} has {length} lines" for number, length in lengths.items() if length > 25]


def faults_of_figures(notebook):
    """Look for figures without a caption, a name, or sentences that tell what is to be seen."""
    faults = []
    for number, cell in enumerate(code(notebook), start=1):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            settings = cell.metadata.get("mystnb", {})
            figure, alt = settings.get("figure", {}), settings.get("image", {}).get("alt", "")
            if not (len(alt) > 60 and alt.endswith(".") and " " in alt and ".png" not in alt):
                faults.append(f"figure in cell {number} has alternative text {alt!r}")
            if not (figure.get("name", "").startswith("fig-") and figure.get("caption", "").endswith(".")):
                faults.append(f"figure in cell {number} has no name or caption")
    return faults


def exercises(notebook):
    """Return the exercises of a chapter: label to the cells from its statement to the next one."""
    found, label = {}, None
    for cell in notebook.cells:
        match = EXERCISE.search(cell.source) if cell.cell_type == "markdown" else None
        if match or cell.source.startswith("## Recap"):
            label = match["label"] if match else None
            found |= {label: []} if match else {}
        if label:
            found[label].append(cell)
    return found


def faults_of_exercises(notebook):
    """Look for exercises without a blank, a check, a hint, or a solution that was run and passed."""
    faults, found = [], exercises(notebook)
    if len(found) < 4:
        faults.append(f"only {len(found)} exercises")
    for label, cells in found.items():
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        attempts = [cell for cell in cells if cell.cell_type == "code"]
        id = None
        ids = [re.findall(r'^check\("([a-z_.]+)", \w+\)$', cell.source, re.MULTILINE) for cell in attempts]
        if len(attempts) == 2 and len(ids[0]) == 1 and ids[0] == ids[1]:
            id = ids[0][0]
        wanted = {
            "one blank and one solution that check the same exercise": id is not None,
            "a label like its id": id is not None and label == re.sub(r"[_.]", "-", id),
            "an exercise of the library": id in judge._EXERCISES,
            "a hint": "<details>\n<summary>Hint</summary>\n\n" in text and "\n\n</details>" in text,
            "a solution that is folded away": f"::::{{solution-start}} {label}\n:class: dropdown\n::::" in text
            and text.rstrip().endswith("::::{solution-end}\n::::"),
            "a blank": id is not None and "..." in attempts[0].source,
            "a blank that is told from an answer": id is not None
            and printed(attempts[0]) == f"{id}: not attempted yet.\n",
            "a hidden solution": id is not None
            and attempts[1].metadata.get("cellView") == "form"
            and attempts[1].metadata.get("jupyter", {}).get("source_hidden")
            and attempts[1].source.startswith("# @title Solution\n"),
            "a solution that passes": id is not None and printed(attempts[1]) == f"{id}: passed.\n",
            "two wrong answers that are rejected": len(WRONG.get(id, [])) >= 2,
        }
        faults += [f"{label} lacks {name}" for name, present in wanted.items() if not present]
    return faults


CHECKERS = (faults_of_order, faults_of_outputs, faults_of_code, faults_of_figures, faults_of_exercises)


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_is_without_faults(name, checker):
    """A chapter is as the book's rules want it."""
    allowed = ["last sections", "a table in the recap", "only 1 exercises"] if name == FRONT else []
    assert [fault for fault in checker(CHAPTERS[name]) if fault not in allowed] == []


def test_every_exercise_of_the_library_is_in_the_book():
    """No exercise is registered, or has wrong answers listed, that no chapter states."""
    stated = {label for notebook in CHAPTERS.values() for label in exercises(notebook)}
    assert {re.sub(r"[_.]", "-", id) for id in judge._EXERCISES} == stated
    assert set(WRONG) == set(judge._EXERCISES)


def test_readme_shows_the_figure_of_the_chapter():
    """The picture in README.md is the one that the chapter drew."""
    named = re.search(r"!\[[^]]+\.\]\((book/_static/(fig-[a-z]+)\.png)\)", (ROOT / "README.md").read_text())
    drawn = [
        output.data["image/png"]
        for notebook in CHAPTERS.values()
        for cell in code(notebook)
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == named[2]
        for output in cell.outputs
    ]
    assert [base64.b64decode(png) for png in drawn] == [(ROOT / named[1]).read_bytes()]


def test_readme_program_runs(capsys):
    """The tour of the library in README.md prints what it says."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    promised = re.findall(r"^print\(.*#\s(.+)$", blocks[0], re.MULTILINE)
    exec(blocks[0], {})
    assert capsys.readouterr().out.splitlines() == promised


def test_every_chapter_is_in_the_contents():
    """The table of contents names each notebook, and the page of the library for one that has a module."""
    contents = (ROOT / "_toc.yml").read_text()
    modules = {path.stem for path in (ROOT / "src" / "autodiff_tutorial").iterdir()}
    pages = [*CHAPTERS, *(f"api/{name}" for name in CHAPTERS if name in modules)]
    assert [page for page in pages if f"book/{page}\n" not in contents] == []


def solution(notebook):
    return next(cell for cell in code(notebook) if "# @title Solution" in cell.source)


def figure(notebook):
    return next(cell for cell in code(notebook) if "mystnb" in cell.metadata)


def drop(text):
    """Return a planting that takes a text out of every cell."""
    return lambda nb: [cell.update(source=cell.source.replace(text, "")) for cell in nb.cells]


def drop_exercises(nb):
    nb.cells = [cell for cell in nb.cells if not EXERCISE.search(cell.source)]


# Checker, mistake, and words of the fault that it has to find.
PLANTED = {
    "no promise": (faults_of_order, lambda nb: nb.cells[0].update(source="# Title"), "title and promise"),
    "no set-up": (faults_of_order, lambda nb: nb.cells.pop(1), "set-up cell second"),
    "other address": (faults_of_order, drop(REPOSITORY), "set-up from the repository"),
    "no aims": (faults_of_order, drop("## What you will be able to do"), "aims third"),
    "one aim": (faults_of_order, lambda nb: nb.cells[2].update(source="- **Do** it"), "three to five verbs"),
    "no recap": (faults_of_order, drop("## Recap"), "last sections"),
    "no table": (faults_of_order, drop("| method |"), "a table in the recap"),
    "cell not run": (faults_of_outputs, lambda nb: code(nb)[4].update(execution_count=None), "was run as None"),
    "path": (faults_of_outputs, lambda nb: code(nb)[2].outputs[0].update(text="/home/me/x.py"), "names a place"),
    "address of an object": (
        faults_of_outputs,
        lambda nb: figure(nb).outputs[0].data.update({"text/plain": "<f at 0x7f00112233>"}),
        "names a place",
    ),
    "warning": (faults_of_outputs, lambda nb: code(nb)[2].outputs[0].update(name="stderr"), "complains"),
    "ignored output": (
        faults_of_outputs,
        lambda nb: code(nb)[2].metadata.update(tags=["nbval-ignore-output"]),
        "has tags",
    ),
    "half a pair of tabs": (
        faults_of_outputs,
        lambda nb: code(nb)[2].metadata.update(tags=["jax"]),
        "stands without one tagged torch",
    ),
    "long cell": (faults_of_code, lambda nb: code(nb)[2].update(source="1\n" * 26), "26 lines"),
    "file name for a text": (
        faults_of_figures,
        lambda nb: figure(nb).metadata.mystnb.update(image={"alt": "a.png"}),
        "alternative text",
    ),
    "no caption": (faults_of_figures, lambda nb: figure(nb).metadata.mystnb.pop("figure"), "no name or caption"),
    "few exercises": (faults_of_exercises, drop_exercises, "only 0 exercises"),
    "solution that fails": (
        faults_of_exercises,
        lambda nb: solution(nb).outputs[0].update(text="not yet."),
        "a solution that passes",
    ),
    "solution in view": (faults_of_exercises, lambda nb: solution(nb).metadata.pop("jupyter"), "a hidden solution"),
    "solution not folded": (faults_of_exercises, drop(":class: dropdown"), "folded away"),
    "no hint": (faults_of_exercises, drop("<summary>Hint</summary>"), "a hint"),
    "no blank": (faults_of_exercises, drop("..."), "a blank"),
    "no check": (faults_of_exercises, drop("check("), "check the same exercise"),
    "other exercise": (faults_of_exercises, drop("ces.slip"), "an exercise of the library"),
    "other label": (faults_of_exercises, drop("-slip"), "a label like its id"),
}


@pytest.mark.parametrize("checker, plant, words", PLANTED.values(), ids=PLANTED)
def test_checker_rejects_planted_mistake(checker, plant, words):
    """A checker that never complains would prove nothing."""
    notebook = copy.deepcopy(CHAPTERS["finite_differences"])
    plant(notebook)
    assert any(words in fault for fault in checker(notebook))


def test_command_lists_the_chapters():
    """`python -m autodiff_tutorial` lists names and titles of the notebooks, in the order of the contents."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    names = [contents["root"], *(chapter["file"] for chapter in contents["parts"][0]["chapters"])]
    titles = {name: CHAPTERS[name].cells[0].source.splitlines()[0] for name in (Path(path).name for path in names)}
    assert [(name, f"# {title}") for name, title in __main__.CHAPTERS.items()] == list(titles.items())


def test_gpu_run_asks_that_solutions_pass():
    """A run of a chapter on a GPU finds the solution that its check refuses, and no other fault."""
    notebook = copy.deepcopy(CHAPTERS["gpu"])
    assert on_gpu.refused(notebook) is None
    solution = next(cell for cell in code(notebook) if "# @title Solution" in cell.source)
    solution.outputs[0].text = "gpu.rounding: not yet.\nYours is 2050.\n"
    assert on_gpu.refused(notebook) == "a solution is refused: Yours is 2050."


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="There is a GPU, and everything would be run.")
def test_gpu_run_needs_a_gpu(capsys):
    """Without a GPU nothing is run, which is said and is no failure."""
    assert on_gpu.main([]) == 0
    assert "JAX sees no GPU here, only cpu: nothing was run." in capsys.readouterr().out


@pytest.mark.parametrize(
    "source, found",
    [
        ("import os; assert os.environ['JAX_PLATFORMS'] == 'cpu'", None),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "DeadKernelError: Kernel died"),
        ("print('Not yet.')  # @title Solution", "a solution is refused: Not yet."),
    ],
)
def test_gpu_run_outlives_its_chapters(source, found, tmp_path):
    """What ends a cell or its kernel ends no run: seconds are the answer, or what went wrong."""
    path = tmp_path / "chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    answer = on_gpu.run(path, "cpu")
    assert isinstance(answer, float) if found is None else answer == found


def test_gpu_run_tells_times_and_faults():
    """Seconds are rounded; what went wrong is told in words."""
    lines = on_gpu.table({"gpu": [12.3, 4.6], "toys": [60.0, "ValueError: no"]}).splitlines()
    assert [line.split() for line in lines] == [
        ["gpu", "12", "s", "on", "the", "CPU", "5", "s", "on", "the", "GPU"],
        ["toys", "60", "s", "on", "the", "CPU", "ValueError:", "no", "on", "the", "GPU"],
    ]
