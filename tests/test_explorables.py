"""The figures that move: operated by keyboard and pointer in the browser, their numbers against the library's."""

import pytest
from conftest_browser import look, open_page

from autodiff_tutorial import finite_differences as fd

SCHEMES = {"forward": 1, "central": 2}


def bell(x):
    return 1 / (1 + x * x)


@pytest.fixture
def step_size(context, site):
    """Open the chapter on finite differences, and yield its figure."""
    page = open_page(context, f"{site}book/finite_differences.html")[0]
    yield page.locator("[data-explorable=step-size]")
    page.close()


def shown(figure):
    """Return the scheme, the step, the estimate and the error that the figure shows."""
    data = figure.evaluate("element => ({...element.dataset})")
    return data["scheme"], float(data["step"]), float(data["estimate"]), float(data["error"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_numbers_are_those_of_the_library(step_size, scheme):
    """At steps over fourteen decades the estimate and its error are the library's."""
    step_size.get_by_role("radio", name=scheme).check()
    slider = step_size.get_by_role("slider")
    for exponent in range(-14, 1):
        slider.fill(str(exponent))
        name, step, estimate, error = shown(step_size)
        found = float(fd.derivative(bell, -0.5, scheme=scheme, accuracy=SCHEMES[scheme], step=step).df)
        assert (name, estimate) == (scheme, pytest.approx(found, rel=1e-12))
        assert error == pytest.approx(abs(found - 0.64), rel=1e-9, abs=1e-15)


def test_reading_is_the_numbers(step_size):
    """The line below the figure says in words what it shows."""
    step_size.get_by_role("slider").fill("-4")
    _, _, estimate, _ = shown(step_size)
    reading = step_size.locator("output").inner_text()
    assert reading.startswith(f"h = 1.0 · 10⁻⁴: slope {estimate:.12f}, error ")


def test_keyboard_moves_the_step(step_size):
    """Arrow keys on the slider make the step shorter and longer again."""
    slider = step_size.get_by_role("slider")
    slider.focus()
    before = shown(step_size)[1]
    slider.press("ArrowLeft")
    shorter = shown(step_size)[1]
    slider.press("ArrowRight")
    assert shorter == pytest.approx(before / 10**0.1)
    assert shown(step_size)[1] == pytest.approx(before)


@pytest.mark.parametrize("panel, at, step", [(1, 0.5, 10**-8.4), (0, 0.98, 1.0)])
def test_pointer_moves_the_step(step_size, panel, at, step):
    """A drag in either panel sets the step: along the axis of steps, or to the other end of the secant."""
    mouse = step_size.page.mouse
    step_size.scroll_into_view_if_needed()
    box = step_size.locator("svg").nth(panel).bounding_box()
    y = box["y"] + box["height"] / 2
    mouse.move(box["x"] + 0.6 * box["width"], y)
    mouse.down()
    mouse.move(box["x"] + at * box["width"], y)
    mouse.up()
    assert shown(step_size)[1] == pytest.approx(step, rel=0.3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_curve_and_point_stand_out(step_size, scheme):
    """The color of the curve and that of the page differ enough to be seen, in both themes."""
    page = look(step_size.page, scheme=scheme)
    contrast = page.evaluate("""() => {
      const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = light(getComputedStyle(document.body).backgroundColor);
      return [".primal", ".tangent", ".reference"].map((name) => {
        const line = light(getComputedStyle(document.querySelector(`.explorable ${name}`)).stroke);
        return (Math.max(line, ground) + 0.05) / (Math.min(line, ground) + 0.05);
      });
    }""")
    assert min(contrast) > 3
