"""The figures that move: operated by keyboard and pointer in the browser, their numbers against the library's."""

import re
from itertools import pairwise

import numpy as np
import pytest
from conftest_browser import SITE, look, open_page, overflow
from playwright.sync_api import expect

from autodiff_tutorial import finite_differences as fd
from autodiff_tutorial import plotting

SCHEMES = {"forward": 1, "central": 2}
TIMES = np.arange(61) / 20
ANGLES = np.stack([np.sin(2 * TIMES), 2 * np.cos(3 * TIMES)], axis=1)
POINTS = np.cumsum(np.stack([np.sin(ANGLES), -np.cos(ANGLES)], axis=2), axis=1)


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


def contrast(figure, *names):
    """Return by how much each line differs in lightness from the ground that the figure stands on."""
    return figure.evaluate(
        """(figure, names) => {
      const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      let element = figure;
      while (getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)") element = element.parentElement;
      const ground = light(getComputedStyle(element).backgroundColor);
      return names.map((name) => {
        const line = light(getComputedStyle(figure.querySelector(name)).stroke);
        return (Math.max(line, ground) + 0.05) / (Math.min(line, ground) + 0.05);
      });
    }""",
        names,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_curve_and_point_stand_out(step_size, scheme):
    """The color of the curve and that of the page differ enough to be seen, in both themes."""
    look(step_size.page, scheme=scheme)
    assert min(contrast(step_size, ".primal", ".tangent", ".reference")) > 3


@pytest.fixture
def show_movie(context, site):
    """Return a function that puts a movie into a page, as a cell's output, and opens it."""
    own, address = context.browser.new_context(), f"{site}book/movie.html"
    built = (SITE / "book" / "bibliography.html").read_text(encoding="utf-8")

    def show_movie(points, times, **options):
        html = plotting.linkage(points, times, **options)._repr_html_()
        output = f'<div class="cell_output docutils container"><div class="output text_html">{html}</div></div>'
        body = re.sub("<article[^>]*>", rf"\g<0>{output}", built)
        own.route(address, lambda route: route.fulfill(body=body, content_type="text/html"))
        page, errors, _ = open_page(own, address)
        assert errors == []
        return page.locator("[data-explorable=linkage]")

    yield show_movie
    own.close()


@pytest.fixture
def movie(show_movie):
    """Show two bobs that swing for three seconds."""
    return show_movie(POINTS, TIMES)


def bobs_of_all_frames(movie):
    """Return where every bob is drawn, frame by frame, in units of the drawing; the last frame remains."""
    return np.array(
        movie.evaluate("""movie => {
      const slider = movie.querySelector("input");
      return Array.from({ length: Number(slider.max) + 1 }, (_, frame) => {
        slider.value = frame;
        slider.dispatchEvent(new Event("input"));
        return [...movie.querySelectorAll(".primal-point")].map((bob) => [bob.cx.baseVal.value, bob.cy.baseVal.value]);
      });
    }""")
    )


def at_rest(movie, frame):
    expect(movie).to_have_attribute("data-playing", "false")
    expect(movie).to_have_attribute("data-frame", str(frame))


@pytest.mark.parametrize("frame", [0, 1, 30, 60])
def test_movie_shows_the_numbers_of_the_cell(movie, frame):
    """Time and coordinates of a frame are those that Python computed, rounded, in the data and in words."""
    movie.get_by_role("slider").fill(str(frame))
    at_rest(movie, frame)
    data = movie.evaluate("element => ({...element.dataset})")
    assert float(data["time"]) == TIMES[frame]
    shown = np.array(data["shown"].split(","), dtype=float).reshape(2, 2)
    np.testing.assert_array_equal(shown, np.round(POINTS[frame], 3))
    x, y = POINTS[frame, -1]
    words = f"At {TIMES[frame]:.2f} s the last bob is at x = {x:.3f}, y = {y:.3f}.".replace("-", "\N{MINUS SIGN}")
    expect(movie.locator("output")).to_have_text(words)
    expect(movie.get_by_role("img", name=words)).to_be_visible()


def test_movie_is_to_scale(movie):
    """The bobs are drawn where they are, on axes of one scale, y upward."""
    drawn = bobs_of_all_frames(movie)
    scale, _ = np.polyfit(POINTS[..., 0].ravel(), drawn[..., 0].ravel(), 1)
    for axis, sign in enumerate([1, -1]):
        expected = sign * scale * (POINTS[..., axis] - POINTS[0, 0, axis])
        np.testing.assert_allclose(drawn[..., axis] - drawn[0, 0, axis], expected, atol=0.002 * scale)
    assert scale > 50


def test_trail_is_the_path_of_two_seconds(movie):
    """At the end, after three seconds, the trail goes through the places of the last bob since the first second."""
    passed = bobs_of_all_frames(movie)[20:, -1]
    paths = movie.locator("path.tangent").evaluate_all("all => all.map((path) => path.getAttribute('d'))")
    trail = [np.array(re.findall(r"[\d.]+", path), dtype=float).reshape(-1, 2) for path in paths]
    assert all(np.allclose(one[-1], next[0]) for one, next in pairwise(trail))
    steps = np.concatenate([trail[0][:1], *(one[1:] for one in trail)])
    np.testing.assert_allclose(steps, passed, atol=0.01)


def test_single_bob_without_trail(show_movie):
    """A pendulum of one bob may leave none."""
    movie = show_movie(POINTS[:, :1], TIMES, trail=False)
    assert movie.locator("path.tangent").count() == 0
    assert movie.locator(".primal-point").count() == 1
    expect(movie.locator("output")).to_contain_text("the bob is at")


def test_keyboard_moves_the_time(movie):
    """Keys on the slider go to the next frame, to the last and to the first."""
    slider = movie.get_by_role("slider", name="time")
    slider.focus()
    for key, frame in {"ArrowRight": 1, "End": 60, "ArrowLeft": 59, "Home": 0}.items():
        slider.press(key)
        at_rest(movie, frame)
        expect(slider).to_have_attribute("aria-valuetext", f"{TIMES[frame]:.2f} s")


def test_movie_stands_still_until_it_is_played(movie):
    """No frame passes before the button is pressed, and none after it is pressed again."""
    number = "element => Number(element.dataset.frame)"
    number_after_a_while = """element => new Promise((resolve) => {
      const end = () => resolve(Number(element.dataset.frame));
      const wait = (left) => (left ? requestAnimationFrame(() => wait(left - 1)) : end());
      wait(10);
    })"""
    assert movie.evaluate(number_after_a_while) == 0
    movie.get_by_role("button", name="play").press("Enter")
    movie.page.wait_for_function("document.querySelector('[data-explorable=linkage]').dataset.frame > 2")
    expect(movie.locator("output")).to_have_attribute("aria-live", "off")
    movie.get_by_role("button", name="pause").press("Enter")
    stopped = movie.evaluate(number)
    assert 2 < movie.evaluate(number_after_a_while) == stopped < 60
    expect(movie.locator("output")).to_have_attribute("aria-live", "polite")


def test_slider_stops_the_movie(movie):
    """Whoever takes the slider has the movie in hand."""
    movie.get_by_role("button", name="play").click()
    movie.get_by_role("slider").fill("7")
    at_rest(movie, 7)


def test_movie_plays_at_its_pace_stops_and_begins_again(movie):
    """By a clock that the test turns, a second is a second; the last frame stays; then comes the first again."""
    clock, button = movie.page.clock, movie.get_by_role("button")
    clock.install(time=0)
    clock.pause_at(1000)
    button.click()
    clock.run_for(1000)
    assert float(movie.get_attribute("data-time")) == pytest.approx(1, abs=0.06)
    clock.run_for(2100)
    at_rest(movie, 60)
    button.click()
    clock.run_for(500)
    assert float(movie.get_attribute("data-time")) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_movie_stands_out(movie, scheme):
    """Chain and trail can be seen on what a cell's output stands on, in both themes."""
    look(movie.page, scheme=scheme)
    assert min(contrast(movie, ".primal", ".tangent")) > 3


def test_movie_fits_a_phone(movie):
    """Nothing sticks out, and button and slider stand side by side."""
    assert overflow(look(movie.page, width=390)) == []
    button, slider = movie.get_by_role("button").bounding_box(), movie.get_by_role("slider").bounding_box()
    assert button["y"] < slider["y"] + slider["height"] / 2 < button["y"] + button["height"]
