"""The figures that move: operated by keyboard and pointer in the browser, their numbers against the library's."""

import re
from itertools import pairwise

import numpy as np
import pytest
from conftest_browser import SITE, axe_violations, look, open_page, overflow
from playwright.sync_api import expect
from test_plotting import FIELDS, graph, number

from autodiff_tutorial import finite_differences as fd
from autodiff_tutorial import plotting, reverse_mode
from autodiff_tutorial import primitives as ops

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


def contrast(figure, *names, paint="stroke"):
    """Return by how much each line differs in lightness from the ground that the figure stands on."""
    return figure.evaluate(
        """(figure, [names, paint]) => {
      const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      let element = figure;
      while (getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)") element = element.parentElement;
      const ground = light(getComputedStyle(element).backgroundColor);
      return names.map((name) => {
        const line = light(getComputedStyle(figure.querySelector(name))[paint]);
        return (Math.max(line, ground) + 0.05) / (Math.min(line, ground) + 0.05);
      });
    }""",
        [names, paint],
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_curve_and_point_stand_out(step_size, scheme):
    """The color of the curve and that of the page differ enough to be seen, in both themes."""
    look(step_size.page, scheme=scheme)
    assert min(contrast(step_size, ".primal", ".tangent", ".reference")) > 3


@pytest.fixture
def show_output(context, site):
    """Return a function that puts HTML into a page, as a cell's output, and opens it; its options are the browser's."""
    opened, address = [], f"{site}book/output.html"
    built = (SITE / "book" / "bibliography.html").read_text(encoding="utf-8")

    def show_output(html, **options):
        opened.append(context.browser.new_context(**options))
        output = f'<div class="cell_output docutils container"><div class="output text_html">{html}</div></div>'
        body = re.sub("<article[^>]*>", lambda tag: tag[0] + output, built)
        opened[-1].route(address, lambda route: route.fulfill(body=body, content_type="text/html"))
        page, errors, _ = open_page(opened[-1], address)
        assert errors == []
        return page.locator("[data-explorable]")

    yield show_output
    for own in opened:
        own.close()


@pytest.fixture
def show_movie(show_output):
    """Return a function that shows a movie."""
    return lambda *args, **options: show_output(plotting.linkage(*args, **options)._repr_html_())


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


@pytest.fixture
def show_steps(show_output):
    """Return a function that shows the steps of a sweep over the record of a program."""

    def show_steps(program, mode="reverse", **options):
        return show_output(plotting.steps(graph(program), mode=mode)._repr_html_(), **options)

    return show_steps


@pytest.fixture
def product(show_steps):
    """Show reverse mode on x1 x2 + x2."""
    return show_steps("product")


def boxes(figure, line):
    """Return what stands on a line of each box."""
    return figure.locator(".node").evaluate_all(
        "(all, line) => all.map((node) => node.querySelector(`.${line}`).textContent)", line
    )


def press(figure, name):
    figure.get_by_role("button", name=name, exact=True).click()


def at_step(figure):
    return int(figure.get_attribute("data-step"))


def last_step(figure):
    return int(re.match(r"Step \d+ of (\d+)\.", figure.locator("output").inner_text())[1])


def go_through(figure, forth):
    """Go to the end, calling `forth` for each step, and return all that is shown on the way."""
    states = [shown_in_boxes(figure)]
    for _ in range(last_step(figure)):
        forth()
        states.append(shown_in_boxes(figure))
    return states


def shown_in_boxes(figure):
    return [boxes(figure, line) for line in ("value", "derivative", "sum")], figure.locator("output").inner_text()


@pytest.mark.parametrize("program", ["product", "loss", "busy"])
@pytest.mark.parametrize("mode", FIELDS)
def test_steps_lead_to_the_numbers_of_the_record(show_steps, program, mode):
    """From empty boxes, click by click, to the values and derivatives that Python computed; the keys do the same."""
    figure = show_steps(program, mode)
    assert {*boxes(figure, "value"), *boxes(figure, "derivative")} == {""}
    clicked = go_through(figure, lambda: press(figure, "Next"))
    assert at_step(figure) == last_step(figure)
    operations = graph(program).operations
    for line, field in {"value": "value", "derivative": FIELDS[mode]}.items():
        wanted = [getattr(operation, field) for operation in operations]
        texts = boxes(figure, line)
        assert [text == "" for text in texts] == [value is None for value in wanted]
        moving = [value for value in wanted if value is not None]
        assert [number(text) for text in texts if text] == pytest.approx(moving, rel=5e-4)
    press(figure, "First")
    figure.focus()
    assert go_through(figure, lambda: figure.page.keyboard.press("ArrowRight")) == clicked
    for state in reversed(clicked[:-1]):
        figure.page.keyboard.press("ArrowLeft")
        assert shown_in_boxes(figure) == state


CHAPTER_RECORDS = {
    "x1 x2 + x2": (0, lambda x1, x2: x1 * x2 + x2, (2.0, 4.0)),
    "neuron": (1, lambda w, x, b, t: (ops.sigmoid(w * x + b) - t) ** 2 / 2, (1.5, 2.0, -1.0, 1.0)),
}


@pytest.mark.parametrize("case", CHAPTER_RECORDS)
def test_graph_of_the_chapter_ends_with_the_adjoints_of_its_record(context, site, case):
    """What readers step through in the chapter on reverse mode is what `record` finds."""
    place, program, args = CHAPTER_RECORDS[case]
    page = open_page(context, f"{site}book/reverse_mode.html")[0]
    figure = page.locator("[data-explorable=computation-graph]").nth(place)
    press(figure, "Last")
    operations = reverse_mode.record(program, *args).operations
    for line, field in {"value": "value", "derivative": "adjoint"}.items():
        wanted = [getattr(operation, field) for operation in operations]
        assert [number(text) for text in boxes(figure, line)] == pytest.approx(wanted, rel=5e-4)
    page.close()


def test_contributions_arrive_one_by_one_and_add(product):
    """The box of x2 holds nothing, then 1, then 3 = 1 + 2."""
    seen = [
        (derivative[1], sums[1]) for (_, derivative, sums), _ in go_through(product, lambda: press(product, "Next"))
    ]
    assert list(dict.fromkeys(seen)) == [("", ""), ("1", ""), ("3", "= 1 + 2")]


def test_edge_in_use_stands_out_with_its_partial(product):
    """While multiply passes 1 × 4 to x1, that edge alone is thick, and says 4; both boxes stand out."""
    for _ in range(8):
        press(product, "Next")
    expect(product.locator("output")).to_have_text("Step 8 of 10. multiply passes 1 × 4 = 4 to x1.")
    assert product.locator(".edge-label.now").all_text_contents() == ["4"]
    assert product.locator(".edge.now").count() == 1
    active = product.locator(".node[data-role=cotangent]").evaluate_all("all => all.map((n) => n.dataset.operation)")
    assert active == ["0", "2"]
    shown = product.locator(".edge-label text").evaluate_all(
        "all => all.filter((text) => getComputedStyle(text).visibility === 'visible').map((text) => text.textContent)"
    )
    assert shown == ["4", "1", "1"]
    press(product, "First")
    assert product.locator(".now, .edge[data-role], .node[data-role]").count() == 0
    for _ in range(5):
        press(product, "Next")
    assert product.locator(".edge[data-role]").count() == 0


def test_buttons_stop_at_the_ends_and_keep_the_focus(product):
    """First and last step stay where they are, and whoever presses on loses nothing."""
    first, back, forth, last = (product.get_by_role("button", name=name) for name in ("First", "Back", "Next", "Last"))
    for button, ended in {first: "true", back: "true", forth: "false", last: "false"}.items():
        expect(button).to_have_attribute("aria-disabled", ended)
    back.click(force=True)
    assert at_step(product) == 0
    last.press("Enter")
    forth.focus()
    forth.press("Enter")
    forth.press("ArrowRight")
    assert at_step(product) == 10
    expect(forth).to_have_attribute("aria-disabled", "true")
    expect(forth).to_be_focused()
    forth.press("ArrowLeft")
    forth.press("Control+ArrowLeft")
    assert at_step(product) == 9


def test_focus_is_seen(product):
    """Figure and buttons carry an outline while they have the keyboard."""
    product.page.keyboard.press("Tab")
    product.focus()
    outline = "element => [getComputedStyle(element).outlineStyle, getComputedStyle(element).outlineWidth]"
    assert product.evaluate(outline) == ["solid", "3px"]
    product.page.keyboard.press("Tab")
    button = product.get_by_role("button", name="First")
    expect(button).to_be_focused()
    assert button.evaluate(outline) == ["solid", "3px"]


def test_screen_reader_is_told_each_step(product):
    """The sentence is announced, and the picture is named by it; the table holds all numbers."""
    press(product, "Next")
    expect(product.locator("output[aria-live=polite]")).to_have_text("Step 1 of 10. x1 is 2.")
    name = "This is a computation graph of 4 nodes, reverse mode in 10 steps. Step 1 of 10. x1 is 2."
    expect(product.get_by_role("img", name=name)).to_be_visible()
    product.locator("summary").click()
    expect(product.get_by_role("row", name="multiply x1, x2 8 1")).to_be_visible()


def test_table_stands_where_no_script_runs(show_steps):
    """Without scripts the reader sees operations, values and adjoints, and nothing to press."""
    figure = show_steps("product", java_script_enabled=False)
    expect(figure.get_by_role("row", name="x2 4 3", exact=True)).to_be_visible()
    expect(figure.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("mode", FIELDS)
def test_steps_are_legible_and_accessible(show_steps, mode, scheme):
    """axe-core finds nothing, and numbers and edges stand out from the page, at the end of a sweep."""
    figure = show_steps("product", mode)
    press(figure, "Last")
    press(figure, "Back")
    look(figure.page, scheme=scheme)
    assert axe_violations(figure.page) == []
    assert min(contrast(figure, ".title", ".value", ".derivative", ".edge-label.now .partial", paint="fill")) > 4.5
    assert min(contrast(figure, ".node rect", ".edge path", ".edge.now path")) > 3


@pytest.mark.parametrize("program", ["product", "loss"])
def test_steps_fit_a_phone(show_steps, program):
    """Nothing sticks out, the buttons stand in one row, and the drawing keeps its size of text."""
    figure = show_steps(program)
    press(figure, "Last")
    assert overflow(look(figure.page, width=390)) == []
    assert len({button.bounding_box()["y"] for button in figure.get_by_role("button").all()}) == 1
    assert figure.locator("svg").evaluate("svg => svg.getScreenCTM().a") > 0.8


def test_drawing_turns_to_fit_and_keeps_its_step(show_steps):
    """On a wide page layers go from left to right, on a phone down, at the same step."""
    figure = show_steps("chain", viewport={"width": 1280, "height": 900})
    press(figure, "Last")
    places = "all => all.map((node) => node.getBoundingClientRect()).map((box) => [box.x, box.y])"
    wide, before = np.array(figure.locator(".node").evaluate_all(places)), shown_in_boxes(figure)
    figure.page.set_viewport_size({"width": 390, "height": 900})
    figure.page.wait_for_function("document.querySelector('.explorable svg').viewBox.baseVal.width < 200")
    narrow = np.array(figure.locator(".node").evaluate_all(places))
    assert np.all(np.diff(wide, axis=0) > [90, -1])
    assert np.all(np.diff(narrow, axis=0) > [-1, 90])
    assert shown_in_boxes(figure) == before


def test_paper_shows_the_last_step(product):
    """Who prints gets all numbers; the screen goes back to where it was."""
    press(product, "Next")
    seen = product.evaluate("""figure => ["beforeprint", "afterprint"].map((name) => {
      window.dispatchEvent(new Event(name));
      return figure.dataset.step;
    })""")
    assert seen == ["10", "1"]


@pytest.mark.parametrize("motion, duration", {"reduce": "0s", "no-preference": "0.2s"}.items())
def test_nothing_moves_for_those_who_ask(show_steps, motion, duration):
    """Colors change at once where less motion is asked for."""
    figure = show_steps("product", reduced_motion=motion)
    assert figure.locator(".node rect").first.evaluate("rect => getComputedStyle(rect).transitionDuration") == duration
