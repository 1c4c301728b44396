"""Exercises: right answers pass, typical wrong ones are rejected with a hint that fits, and `check` prints one line."""

import numpy as np
import pytest

from autodiff_tutorial.exercises import check


def differences(f, x, h=1e-5, width=2, one_sided=False):
    """Build a Jacobian as readers do, with the mistakes they make."""
    columns = []
    for k in range(len(x)):
        e = np.zeros(len(x))
        e[k] = h
        columns.append((f(x + e) - f(x)) / h if one_sided else (f(x + e) - f(x - e)) / (width * h))
    return np.array(columns).T


def moves_x(f, x):
    x += 1e-9
    return differences(f, x)


def three_calls(f, x):
    for _ in x:
        f(x)
    return differences(f, x)


def wasteful(f, x):
    differences(f, x)
    return differences(f, x)


# Exercise to wrong answers, each with words of the hint that it should get.
WRONG = {
    "finite_differences.digits": [
        ({"float64": 16, "float32": 7}, "how many digits f itself has"),
        ({"float64": 11, "float32": 5}, "central difference"),
        ({"float64": 8, "float32": 7}, "how many digits f itself has"),
        ({"float64": 6, "float32": 3}, "square root of the machine epsilon"),
    ],
    "finite_differences.slip": [
        (lambda f, x, dx: (f(x) - f(x + dx)) / dx, "the sign is reversed"),
        (lambda f, x, dx: (f(x + dx) - f(x - dx)) / dx, "twice of it. How far apart"),
        (lambda f, x, dx: (f(x + dx) - f(x)) / (2 * dx), "half of it. How far apart"),
        (lambda f, x, dx: (f(x + dx) - f(x - dx)) / 2 * dx, "parentheses around 2 * dx"),
        (lambda f, x, dx: f(x + dx) - f(x), "divided by their distance"),
        (lambda f, x, dx: 1.01 * (f(x + dx) - f(x)) / dx, "divided by their distance"),
    ],
    "finite_differences.one_sided": [
        ([-1, 1, 0], "third point is not used"),
        ([-0.5, 0, 0.5], "central weights"),
        ([1.5, -2, 0.5], "the sign is reversed"),
        ([-1, 1], "one weight for each"),
        (np.array([[-1.5], [2.0], [-0.5]]), "Yours has shape (3, 1)"),
        ([-0.5, 2, -1.5], "the order is reversed"),
        ([-3, 4, -1], "Divide by 2 h"),
        ([1, 1, 1], "three equations"),
    ],
    "finite_differences.curvature_step": [
        (lambda eps: eps**0.5, "step for a forward difference"),
        (lambda eps: eps ** (1 / 3), "step for a central difference"),
        (lambda eps: eps, "far wider than eps"),
        (lambda eps: 50 * eps**0.25, "factor in front"),
        (lambda eps: 0.3 * eps**0.25, "factor in front"),
        (lambda eps: 0.0, "a step is positive"),
        (lambda eps: eps**0.1, "set the truncation error"),
    ],
    "finite_differences.jacobian": [
        (lambda f, x: differences(f, x).T, "transpose"),
        (lambda f, x: differences(f, x, one_sided=True), "close, but not as close"),
        (lambda f, x: differences(f, x, h=1e-8, one_sided=True), "close, but not as close"),
        (lambda f, x: differences(f, x, h=1e-3), "close, but not as close"),
        (lambda f, x: differences(f, x, h=0.03), "close, but not as close"),
        (lambda f, x: differences(f, x) + 0j, "component k alone"),
        (lambda f, x: differences(f, x, width=1), "twice too large"),
        (moves_x, "changed its input"),
        (wasteful, "two evaluations an input"),
        (three_calls, "two evaluations an input"),
        (lambda f, x: differences(f, x) * (1 + 1e-8), "close, but not as close"),
        (lambda f, x: differences(f, x)[0], "the shape should be (3, 2)"),
    ],
    "finite_differences.richardson": [
        (lambda D, h: 2 * D(h / 2) - D(h), "This one is in h^2"),
        (lambda D, h: (D(h / 2) + D(h)) / 2, "the mean lies between"),
        (lambda D, h: (4 * D(h) - D(h / 2)) / 3, "swapped"),
        (lambda D, h: 4 * D(h / 2) - D(h), "add to one"),
        (lambda D, h: D(0), "that is a itself"),
        (lambda D, h: (D(h) - 4 * D(h / 2)) / 3, "the sign is reversed"),
        (lambda D, h: D(h / 2), "eliminate b"),
    ],
}

# Right answers in other forms than those of the chapters' solutions.
RIGHT = {
    "finite_differences.digits": {"float64": 7.8, "float32": 4},
    "finite_differences.slip": lambda f, x, dx: (f(x + dx / 2) - f(x - dx / 2)) / dx,
    "finite_differences.one_sided": np.array([-3, 4, -1]) / 2,
    "finite_differences.curvature_step": lambda eps: eps ** (1 / 4),
    "finite_differences.jacobian": lambda f, x: differences(f, x).tolist(),
    "finite_differences.richardson": lambda D, h: D(h / 2) + (D(h / 2) - D(h)) / 3,
}


def verdict(capsys, id, attempt):
    check(id, attempt)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "id, attempt, words",
    [(id, *case) for id, cases in WRONG.items() for case in cases],
    ids=lambda value: str(value)[:40],
)
def test_wrong_answer_gets_its_hint(capsys, id, attempt, words):
    """A typical mistake is rejected, with the input, both values and the hint that fits."""
    line = verdict(capsys, id, attempt)
    assert line.startswith(f"{id}: not yet. For ")
    assert "yours" in line
    assert "expected" in line
    assert words in line.split("Hint: ")[1]
    assert line.count("\n") == 1


@pytest.mark.parametrize("id, attempt", RIGHT.items(), ids=RIGHT)
def test_right_answer_passes(capsys, id, attempt):
    """An answer is judged by what it does, not by how it is written."""
    assert verdict(capsys, id, attempt) == f"{id}: passed.\n"


def test_missing_return_is_named(capsys):
    """A function that returns nothing is told so."""
    line = verdict(capsys, "finite_differences.slip", lambda f, x, dx: None)
    assert "your function returned None. Is a return missing?" in line


def test_difference_too_small_to_be_shown_is_named(capsys):
    """Where four digits look alike, the verdict says by how much the numbers differ."""
    line = verdict(capsys, "finite_differences.jacobian", lambda f, x: differences(f, x) * (1 + 1e-8))
    assert "(off by " in line


@pytest.mark.parametrize("blank", [..., None, lambda *args: ..., {"a": ...}, [1.0, ...], (..., 1.0)])
def test_blank_is_not_an_answer(capsys, blank):
    """A blank, or a function that returns one, is told from a wrong answer."""
    id = "finite_differences.slip"
    assert verdict(capsys, id, blank) == f"{id}: not attempted yet.\n"


def test_error_of_the_attempt_is_shown(capsys):
    """An attempt that raises is reported in the same one line."""
    line = verdict(capsys, "finite_differences.slip", lambda f, x, dx: undefined_name)  # noqa: F821
    assert line == "finite_differences.slip: not yet. It raised NameError: name 'undefined_name' is not defined\n"


def test_unknown_exercise_is_refused():
    """A wrong id raises an error that lists the right ones."""
    with pytest.raises(ValueError, match=r"`exercises.check\(id=...\)` should be one of 'finite_differences.curv"):
        check("finite_differences.sli", ...)
