"""The figures that move: operated by keyboard and pointer in the browser, their numbers against the library's."""

import json
import re
from contextlib import ExitStack
from functools import partial
from itertools import count, pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from conftest_browser import SITE, axe_violations, open_page, overflow, serve
from playwright.sync_api import expect
from scipy.linalg import block_diag
from scipy.optimize import brentq
from test_plotting import FIELDS, graph, number

from autodiff_tutorial import finite_differences as fd
from autodiff_tutorial import hep_fits, linear_maps, plotting, reverse_mode, sparse
from autodiff_tutorial import primitives as ops

SCHEMES = {"forward": 1, "central": 2}
TIMES = np.arange(61) / 20
ANGLES = np.stack([np.sin(2 * TIMES), 2 * np.cos(3 * TIMES)], axis=1)
POINTS = np.cumsum(np.stack([np.sin(ANGLES), -np.cos(ANGLES)], axis=2), axis=1)


def bell(x):
    return 1 / (1 + x * x)


@pytest.fixture
def step_size(show_output):
    """Show the secant and its error."""
    return show_output(FIGURES["step-size"])


def shown(figure):
    """Return the scheme, the step, the estimate and the error that the figure shows."""
    data = figure.evaluate("element => ({...element.dataset})")
    return data["scheme"], float(data["step"]), float(data["estimate"]), float(data["error"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_numbers_are_those_of_the_library(step_size, scheme):
    """At steps over fourteen decades the estimate and its error are the library's."""
    step_size.get_by_role("combobox", name="scheme").select_option(scheme)
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
    scheme, _, estimate, _ = shown(step_size)
    reading = step_size.locator("output").inner_text()
    assert reading.startswith(f"h = 1.0 · 10⁻⁴, {scheme}: slope {estimate:.12f}, error ")


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


SIZE = {"width": 1280, "height": 900}
CELL = '<div class="cell_output docutils container"><div class="output text_html">{}</div></div>'
THEME = """<script>
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
  dark.addEventListener("change", follow);
  follow();
</script>"""


@pytest.fixture(scope="module")
def open_stage(context, tmp_path_factory):
    """Return a function that opens an empty page of the book, once for each set of options."""
    root, pages = tmp_path_factory.mktemp("site"), {}
    for path in SITE.iterdir():
        (root / path.name).symlink_to(path)
    built = (SITE / "book" / "bibliography.html").read_text(encoding="utf-8")
    bare = re.sub("<script(?![^>]*explorables).*?</script>", "", built, flags=re.S)
    bare = bare.replace("</head>", f"{THEME}</head>")
    before, after = re.split('(?<=<article class="bd-article">).*(?=</article>)', bare, flags=re.S)
    (root / "stage").mkdir()

    def open_stage(html="", **options):
        key = (html, *options.items())
        if key not in pages:
            (root / "stage" / f"{len(pages)}.html").write_text(f"{before}{html}{after}", encoding="utf-8")
            own = tabs.enter_context(context.browser.new_context(**options)) if options else context
            page, errors, _ = tabs.enter_context(open_page(own, f"{address}stage/{len(pages)}.html"))
            pages[key] = page, errors
        page, errors = pages[key]
        page.bring_to_front()
        return page, errors

    with serve(root) as address, ExitStack() as tabs:
        yield open_stage


@pytest.fixture
def show_output(open_stage):
    """Return a function that puts HTML on the stage, as a cell's output; it stays until the next."""
    found = []

    def show_output(html, viewport=SIZE, **options):
        page, errors = open_stage(**options)
        found.append(errors)
        page.set_viewport_size(viewport)
        page.emulate_media(media="screen", color_scheme="light", reduced_motion="reduce")
        page.mouse.move(0, 0)
        page.evaluate(
            """html => {
          document.querySelector("article").innerHTML = html;
          scrollTo(0, 0);
          document.dispatchEvent(new Event("DOMContentLoaded"));
        }""",
            CELL.format(html),
        )
        return page.locator("[data-explorable]")

    yield show_output
    assert not any(found)


PHONE = {"width": 390, "height": 900}
PLAIN = '<div class="explorable" data-explorable="{}">Words in its place.</div>'
SWEEPS = {f"computation-graph, {mode}": plotting.steps(graph("product"), mode=mode) for mode in FIELDS}
FIGURES = {
    **{name: PLAIN.format(name) for name in ("step-size", "linear-map", "coloring", "cobweb", "likelihood")},
    "linkage": plotting.linkage(POINTS, TIMES)._repr_html_(),
    **{name: sweep._repr_html_() for name, sweep in SWEEPS.items()},
}
# A key on a control changes what is shown; on paper stands a state that tells something.
ACTS = {
    "step-size": ("slider", "ArrowLeft"),
    "linear-map": ("slider", "ArrowLeft"),
    "coloring": (".column", "ArrowUp"),
    "cobweb": ("slider", "ArrowLeft"),
    "likelihood": ("slider", "ArrowLeft"),
    "linkage": ("slider", "ArrowRight"),
    **dict.fromkeys(SWEEPS, ("button", "ArrowRight")),
}
PAPER = {
    "step-size": {"scheme": "forward", "step": str(10**-0.3)},
    "linear-map": {"map": "general", "x": "1.5,0.5", "y": "0.5,1.5"},
    "coloring": {"colors": "1,2,3,1,2,3,1,2,3,1", "conflicts": "0"},
    "cobweb": {"a": "1", "steps": "6"},
    "likelihood": {"count": "15"},
    "linkage": {"frame": "60", "playing": "false"},
    "computation-graph, reverse": {"step": "10"},
    "computation-graph, forward": {"step": "5"},
}
# What has to stand out, as a line or as words.
LINES = {
    "step-size": (".primal", ".tangent", ".reference"),
    "linear-map": (".tangent", ".cotangent"),
    "coloring": (".cell.clash rect",),
    "cobweb": (".primal", ".tangent", ".reference", ".drop", ".ring"),
    "likelihood": (".primal", ".cotangent", ".reference"),
    "linkage": (".primal", ".tangent"),
    **dict.fromkeys(SWEEPS, (".node rect", ".edge path", ".edge.now path")),
}
LETTERS = {
    **dict.fromkeys(FIGURES, (".tick",)),
    "linear-map": (".tick", ".of-tangent", ".of-cotangent"),
    "cobweb": (".tick", ".of-primal", ".of-reference"),
    **dict.fromkeys(SWEEPS, (".title", ".value", ".derivative", ".edge-label.now .partial")),
}
CONTROLS = ":is(button, input, select, summary, [tabindex='0'])"
standard = pytest.mark.parametrize("name", FIGURES)


@pytest.fixture
def show_pair(show_output):
    """Return a function that shows the figure of a name twice, to those who prefer reduced motion."""

    def show_pair(name, copies=2, viewport=SIZE, **media):
        figures = show_output(copies * FIGURES[name], viewport=viewport)
        figures.page.emulate_media(**media)
        return figures.all()

    return show_pair


def data_of(figure):
    return figure.evaluate("element => ({...element.dataset})")


def act(figure, name):
    """Press a key on the first control of its kind."""
    kind, key = ACTS[name]
    (figure.locator(kind) if kind.startswith(".") else figure.get_by_role(kind)).first.press(key)


@standard
def test_standard_layout(show_pair, name):
    """Controls, panels, key, and a reading that is announced; what is drawn has a name."""
    figure, _ = show_pair(name)
    parts = figure.evaluate("figure => [...figure.children].map((part) => part.className || part.localName)")
    assert parts[:4] == ["controls", "panels", "key", "output"]
    assert parts[4:] == (["details"] if name in SWEEPS else [])
    assert figure.locator("output[aria-live=polite]").inner_text()
    assert all(figure.locator("svg[role]").evaluate_all("all => all.map((svg) => svg.ariaLabel)"))


@standard
def test_standard_keyboard(show_pair, name):
    """The tab key goes through all controls, in the order of the page, and where it is can be seen."""
    figure, _ = show_pair(name)
    number = figure.locator(CONTROLS).count() + (name in SWEEPS)
    figure.evaluate(
        """(figure, name) => {
      const inside = [...document.querySelectorAll(name)].filter((one) => figure.contains(one));
      inside[0].focus();
      figure.inside = inside;
    }""",
        CONTROLS,
    )
    figure.page.keyboard.press("Shift+Tab")
    passed, seen = [], []
    for _ in range(number):
        figure.page.keyboard.press("Tab")
        place, outline = figure.evaluate("""figure => {
          const style = (element) => getComputedStyle(element);
          const active = document.activeElement, shape = active.querySelector(":scope > :is(rect, circle:last-child)");
          const drawn = active instanceof SVGElement ? style(shape).strokeWidth : style(active).outlineWidth;
          return [figure.inside.indexOf(active), drawn];
        }""")
        passed.append(place)
        seen.append(outline)
    assert passed == list(range(number))
    assert set(seen) == {"3px"}


@standard
def test_standard_figures_share_nothing(show_pair, name):
    """What is done to one leaves its twin as it was."""
    first, second = show_pair(name)
    before, other = data_of(first), data_of(second)
    act(first, name)
    assert data_of(first) != before
    assert data_of(second) == other


@standard
def test_standard_paper(show_pair, name):
    """On paper, from a dark page: no controls, a telling state, black on white, in one piece; then all is as before."""
    figure, _ = show_pair(name, color_scheme="dark")
    act(figure, name)
    before = data_of(figure)
    page = figure.page
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert data_of(figure).items() >= PAPER[name].items()
    assert figure.locator(f"{CONTROLS}:not(.column, .handle):visible").count() == 0
    assert figure.locator(".hint:visible").count() == 0
    assert figure.locator("svg:visible").count() == figure.locator("svg").count() > 0
    assert figure.locator("output").inner_text()
    style = figure.evaluate("""figure => {
      const of = (name) => getComputedStyle(figure.querySelector(name));
      const all = getComputedStyle(figure), words = of("output"), letters = of("text:is(.tick, .title)");
      return [all.breakInside, words.position, all.backgroundColor, words.color, letters.fill,
        all.getPropertyValue("--primal")];
    }""")
    assert style == ["avoid", "static", "rgb(255, 255, 255)", "rgb(0, 0, 0)", "rgb(0, 0, 0)", "#1f5fa8"]
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert data_of(figure) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@standard
def test_standard_legible_and_accessible(show_pair, name, scheme):
    """axe-core finds nothing; lines and words stand out from the page."""
    figure, _ = show_pair(name, color_scheme=scheme)
    if name in SWEEPS:
        press(figure, "Last")
        press(figure, "Back")
    assert axe_violations(figure.page, within=".explorable") == []
    assert min(contrast(figure, *LINES[name])) > 3
    assert min(contrast(figure, *LETTERS[name], paint="fill")) > 4.5


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@standard
def test_standard_motion(show_pair, name, motion):
    """A change is at once for those who prefer it so; for others the colors of the graphs fade."""
    figure, _ = show_pair(name, reduced_motion=motion)
    act(figure, name)
    number = figure.evaluate("figure => figure.getAnimations({ subtree: true }).length")
    assert (number > 0) == (motion == "no-preference" and name in SWEEPS)


@standard
def test_standard_phone(show_pair, name):
    """Nothing sticks out; panels side by side on a wide page are one below the other on a phone."""
    figure, _ = show_pair(name)
    boxes = [svg.bounding_box() for svg in figure.locator("svg").all()]
    assert len({box["y"] for box in boxes}) == 1
    figure, _ = show_pair(name, viewport=PHONE)
    assert overflow(figure.page) == []
    boxes = [svg.bounding_box() for svg in figure.locator("svg").all()]
    assert all(below["y"] >= box["y"] + box["height"] for box, below in pairwise(boxes))


def swipe(figure, start, end):
    """Draw a finger over the screen."""
    session = figure.page.context.new_cdp_session(figure.page)
    for i, place in enumerate(np.linspace(start, end, 11)):
        kind = "touchMove" if i else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [dict(zip("xy", place, strict=True))]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


@standard
def test_standard_swipe(show_output, name):
    """A finger that goes up over a panel scrolls the page, and changes nothing."""
    page_below = '<div style="height: 3000px"></div>'
    figure = show_output(FIGURES[name] + page_below, viewport=PHONE, has_touch=True, is_mobile=True)
    before = data_of(figure)
    box = figure.locator("svg").first.bounding_box()
    x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.9 * box["height"]
    swipe(figure, (x, y), (x + 5, y - 200))
    figure.page.wait_for_function("scrollY > 50")
    assert data_of(figure) == before


@standard
def test_standard_words(open_stage, name):
    """Without scripts the words of the container stand, and nothing to press."""
    page, _ = open_stage("".join(CELL.format(html) for html in FIGURES.values()), java_script_enabled=False)
    figure = page.locator(".explorable").nth(list(FIGURES).index(name))
    words = {"linkage": "This is a movie", **dict.fromkeys(SWEEPS, "This is a computation graph")}
    expect(figure).to_contain_text(words.get(name, "Words in its place."))
    expect(figure.locator(CONTROLS)).to_have_count(0)
    if name in SWEEPS:
        expect(figure.get_by_role("row", name=re.compile("x2 4"))).to_be_visible()


PLACES = {
    "step-size": "finite_differences",
    "linear-map": "linear_maps",
    "linkage": "symbolic",
    "computation-graph": "reverse_mode",
    "coloring": "sparse",
    "cobweb": "implicit",
    "likelihood": "hep_fits",
}


@pytest.mark.parametrize("name", PLACES)
def test_standard_chapters(name):
    """The figure stands in its chapter, on words that say more than that it moves."""
    page = (SITE / "book" / f"{PLACES[name]}.html").read_text(encoding="utf-8")
    words = re.findall(f'data-explorable="{name}"[^>]*>(.*?)</div>', page, flags=re.S)
    assert words
    assert min(map(len, words)) > 50


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


def test_movie_plays_at_its_pace_stops_and_begins_again(show_output):
    """By a clock that the test turns, a second is a second; the last frame stays; then comes the first again."""
    # With an option, for a clock once turned stays so for all pages that come after.
    movie = show_output(plotting.linkage(POINTS, TIMES)._repr_html_(), locale="en-US")
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


def go_through(figure, act):
    """Do `act`, in JavaScript, for each step to the end, and return all that is shown on the way."""
    look = f"const look = {SHOWN_IN_BOXES}, act = {act}, states = [look(figure)];"
    steps = "for (let i = 0; i < number; i += 1) { act(figure); states.push(look(figure)); }"
    return figure.evaluate(f"(figure, number) => {{ {look} {steps} return states; }}", last_step(figure))


NEXT = "figure => [...figure.querySelectorAll('button')].find(({ textContent }) => textContent === 'Next').click()"
KEY = "figure => figure.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Arrow{}' }}))"
SHOWN_IN_BOXES = """figure => [
  ["value", "derivative", "sum"].map((line) =>
    [...figure.querySelectorAll(".node")].map((node) => node.querySelector(`.${line}`).textContent)),
  figure.querySelector("output").textContent,
]"""


def shown_in_boxes(figure):
    return figure.evaluate(SHOWN_IN_BOXES)


@pytest.mark.parametrize("program", ["product", "loss", "busy"])
@pytest.mark.parametrize("mode", FIELDS)
def test_steps_lead_to_the_numbers_of_the_record(show_steps, program, mode):
    """From empty boxes, click by click, to the values and derivatives that Python computed; the keys do the same."""
    figure = show_steps(program, mode)
    assert {*boxes(figure, "value"), *boxes(figure, "derivative")} == {""}
    clicked = go_through(figure, NEXT)
    assert at_step(figure) == last_step(figure)
    operations = graph(program).operations
    for line, field in {"value": "value", "derivative": FIELDS[mode]}.items():
        wanted = [getattr(operation, field) for operation in operations]
        texts = boxes(figure, line)
        assert [text == "" for text in texts] == [value is None for value in wanted]
        moving = [value for value in wanted if value is not None]
        assert [number(text) for text in texts if text] == pytest.approx(moving, rel=5e-4)
    press(figure, "First")
    assert go_through(figure, KEY.format("Right")) == clicked
    assert go_through(figure, KEY.format("Left")) == clicked[::-1]


CHAPTER_RECORDS = [
    (0, lambda x1, x2: x1 * x2 + x2, (2.0, 4.0)),
    (1, lambda w, x, b, t: (ops.sigmoid(w * x + b) - t) ** 2 / 2, (1.5, 2.0, -1.0, 1.0)),
]


def test_graphs_of_the_chapter_end_with_the_adjoints_of_its_records(context, site):
    """What readers step through in the chapter on reverse mode is what `record` finds."""
    with open_page(context, f"{site}book/reverse_mode.html") as (page, *_):
        for place, program, args in CHAPTER_RECORDS:
            figure = page.locator("[data-explorable=computation-graph]").nth(place)
            press(figure, "Last")
            operations = reverse_mode.record(program, *args).operations
            for line, field in {"value": "value", "derivative": "adjoint"}.items():
                wanted = [getattr(operation, field) for operation in operations]
                assert [number(text) for text in boxes(figure, line)] == pytest.approx(wanted, rel=5e-4)


def test_contributions_arrive_one_by_one_and_add(product):
    """The box of x2 holds nothing, then 1, then 3 = 1 + 2."""
    seen = [(derivative[1], sums[1]) for (_, derivative, sums), _ in go_through(product, NEXT)]
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


def test_screen_reader_is_told_each_step(product):
    """The sentence is announced, and the picture is named by it; the table holds all numbers."""
    press(product, "Next")
    expect(product.locator("output[aria-live=polite]")).to_have_text("Step 1 of 10. x1 is 2.")
    name = "This is a computation graph of 4 nodes, reverse mode in 10 steps. Step 1 of 10. x1 is 2."
    expect(product.get_by_role("img", name=name)).to_be_visible()
    product.locator("summary").click()
    expect(product.get_by_role("row", name="multiply x1, x2 8 1")).to_be_visible()


@pytest.mark.parametrize("program", ["product", "loss"])
def test_steps_fit_a_phone(show_steps, program):
    """Nothing sticks out, the buttons stand in one row, and the drawing keeps its size of text."""
    figure = show_steps(program, viewport=PHONE)
    assert overflow(figure.page) == []
    assert len({button.bounding_box()["y"] for button in figure.get_by_role("button").all()}) == 1
    assert figure.locator("svg").evaluate("svg => svg.getScreenCTM().a") > 0.8


def test_drawing_turns_to_fit_and_keeps_its_step(show_steps):
    """On a wide page layers go from left to right, on a phone down, at the same step."""
    figure = show_steps("chain")
    press(figure, "Last")
    places = "all => all.map((node) => node.getBoundingClientRect()).map((box) => [box.x, box.y])"
    wide, before = np.array(figure.locator(".node").evaluate_all(places)), shown_in_boxes(figure)
    figure.page.set_viewport_size(PHONE)
    figure.page.wait_for_function("document.querySelector('.explorable svg').viewBox.baseVal.width < 200")
    narrow = np.array(figure.locator(".node").evaluate_all(places))
    assert np.all(np.diff(wide, axis=0) > [90, -1])
    assert np.all(np.diff(narrow, axis=0) > [-1, 90])
    assert shown_in_boxes(figure) == before


BAND = np.tri(10, k=1) * np.tri(10, k=1).T
PAIRS = np.tri(3, k=1) * np.tri(3, k=1).T - np.eye(3)
ARROW = np.eye(10)
ARROW[0] = ARROW[:, 0] = 1
# Each with the fewest colors that there are, and those of first fit.
GAMES = {
    "tridiagonal": (BAND, 3, 3),
    "arrow": (ARROW, 10, 10),
    "periodic stencil": (sum(np.roll(np.eye(10), shift, axis=1) for shift in (-1, 0, 1)), 4, 4),
    "3 by 3 grid": (np.kron(PAIRS, np.eye(3)) + np.kron(np.eye(3), PAIRS) + np.eye(9), 5, 6),
    "block diagonal": (block_diag(np.ones((3, 3)), np.ones((3, 3)), np.ones((4, 4))), 4, 4),
}
games = pytest.mark.parametrize("name", GAMES)


@pytest.fixture
def show_game(show_output):
    """Return a function that shows the coloring game with a pattern."""

    def show_game(name="tridiagonal", **options):
        html = f'<div class="explorable" data-explorable="coloring" data-pattern="{name}">Words in its place.</div>'
        return show_output(html, **options)

    return show_game


def first_fit(P):
    """Return the color, from 1 on, that each column gets if it takes the first that is free."""
    meets, colors = P.T @ P > 0, np.zeros(len(P), dtype=int)
    for j in range(len(P)):
        colors[j] = next(color for color in count(1) if color not in colors[meets[j]])
    return colors


def fewest_colors(P):
    """Return the fewest colors of all, by trying each way to share columns among them."""
    meets = P.T @ P > 0

    def fits(colors, most):
        if len(colors) == len(P):
            return True
        earlier = np.array(colors, dtype=int)[meets[len(colors), : len(colors)]]
        offered = range(min(most, 1 + max(colors, default=-1) + 1))
        return any(fits([*colors, color], most) for color in offered if color not in earlier)

    return next(most for most in count(1) if fits([], most))


def some_colors(P, number, seed=3):
    """Yield colors, each at most one above those before: some at random, then first fit's, then these with one slip."""
    rng = np.random.default_rng(seed)
    for size in range(number):
        colors = [1]
        for _ in P[1:]:
            colors.append(int(rng.integers(1, min(max(colors) + 1, size + 2), endpoint=True)))
        yield colors
    valid = first_fit(P).tolist()
    yield valid
    yield [*valid[:-1], valid[-2]]


def give(game, colors):
    """Click each column in turn until it has its color."""
    game.evaluate(
        """(game, colors) => colors.forEach((color, j) => {
      for (let left = 12; left && game.dataset.colors.split(",")[j] !== String(color); left -= 1) {
        game.querySelectorAll(".column")[j].dispatchEvent(new MouseEvent("click"));
      }
    })""",
        colors,
    )
    assert game.get_attribute("data-colors") == ",".join(map(str, colors))


def squares(game, matrix):
    """Return what stands in the squares of J (0) or B (1) by their row and column numbers, and which are outlined."""
    texts = game.locator("svg").nth(matrix).locator("text")
    found = texts.evaluate_all(
        """all => all.map((text) => [
      text.x.baseVal[0].value, text.y.baseVal[0].value, text.textContent,
      text.matches(".cell text"), text.matches(".clash text"),
    ])"""
    )
    ticks = [(x, y, string) for x, y, string, in_square, _ in found if not in_square]
    left, top = min(x for x, _, _ in ticks), min(y for _, y, _ in ticks)
    rows = {y: int(string) for x, y, string in ticks if x == left and y > top}
    heads = {x: int(string) for x, y, string in ticks if y == top and x > left}
    filled = {(rows[y], heads[x]): (string, clash) for x, y, string, in_square, clash in found if in_square}
    return {place: string for place, (string, _) in filled.items()}, {k for k, (_, clash) in filled.items() if clash}


def spoken_rows(rows):
    """Return the rows in words, as in "row 2", "rows 1 and 3", "rows 2 to 5"."""
    *most, last = [int(i) + 1 for i in rows]
    if len(most) > 1 and last - most[0] == len(most):
        return f"rows {most[0]} to {last}"
    return f"rows {', '.join(map(str, most))} and {last}" if most else f"row {last}"


@games
def test_game_shows_what_products_with_these_colors_give(show_game, name):
    """Squares, outlines, sums, words and labels are those of J times the matrix S of the colors, in NumPy."""
    P, game = GAMES[name][0], show_game(name)
    for colors in some_colors(P, 5):
        give(game, colors)
        used = np.unique(colors)
        S = (np.array(colors)[:, None] == used).astype(int)
        B, origin = P @ S, P * np.arange(1, len(P) + 1) @ S
        J_squares, J_outlined = squares(game, 0)
        B_squares, B_outlined = squares(game, 1)
        torn = P * (B @ S.T) > 1
        assert J_squares == {(i + 1, j + 1): str(colors[j]) for i, j in np.argwhere(P)}
        assert J_outlined == {(i + 1, j + 1) for i, j in np.argwhere(torn)}
        entries = {(i + 1, used[c]): str(int(origin[i, c])) if B[i, c] == 1 else "+" for i, c in np.argwhere(B)}
        assert B_squares == entries
        assert B_outlined == {place for place, text in entries.items() if text == "+"}
        number, clashing = int(np.sum(B > 1)), np.flatnonzero(torn.any(1))
        assert game.get_attribute("data-conflicts") == str(number)
        words = f"{len(used)} color{'s' * (len(used) > 1)}, {number} conflict{'s' * (number != 1)}"
        expect(game.locator("output")).to_contain_text(
            words + (f", in {spoken_rows(clashing)}." if number else ". Valid: ")
        )
        bold = game.locator("svg").first.locator(".torn").all_text_contents()
        assert bold == [str(i + 1) for i in clashing]
        for j, label in enumerate(labels(game)):
            where = f", conflicts in {spoken_rows(np.flatnonzero(torn[:, j]))}" if torn[:, j].any() else ""
            own = spoken_rows(np.flatnonzero(P[:, j]))
            assert label == f"Column {j + 1}, entries in {own}, color {colors[j]}{where}"


def labels(game):
    return game.locator(".column").evaluate_all("all => all.map((column) => column.ariaLabel)")


@games
def test_game_calls_valid_what_the_library_accepts(show_game, name):
    """`sparse.from_colors` can read every entry exactly where the game has no conflict."""
    P, game = GAMES[name][0], show_game(name)
    verdicts = []
    for colors in some_colors(P, 8, seed=8):
        give(game, colors)
        try:
            products = sparse.from_colors(P, column_colors=np.array(colors) - 1).num_colors
        except ValueError:
            products = None
        said = re.search(r"Valid: (\d+) products", game.locator("output").inner_text())
        assert (int(said[1]) if said else None) == products
        verdicts.append(products)
    assert None in verdicts
    assert verdicts[-2:] == [GAMES[name][2], None]


@games
def test_greedy_steps_are_those_of_first_fit(show_game, name):
    """They take all colors away, and give one to each column in turn; at the end nothing is left to do."""
    P, _, number = GAMES[name]
    game, colors = show_game(name), first_fit(P)
    assert colors.max() == number
    greedy = game.get_by_role("button", name="Next greedy step")
    give(game, [1, 2] + [1] * (len(P) - 2))
    for j in range(len(P)):
        expect(greedy).to_have_attribute("aria-disabled", "false")
        greedy.press("Enter")
        assert game.get_attribute("data-colors") == ",".join(map(str, [*colors[: j + 1], *[0] * (len(P) - j - 1)]))
        assert game.get_attribute("data-conflicts") == "0"
        expect(game.locator("output")).to_contain_text(f"Column {j + 1}: color {colors[j]}.")
    expect(greedy).to_have_attribute("aria-disabled", "true")
    greedy.press("Enter")
    expect(greedy).to_be_focused()
    assert game.get_attribute("data-colors") == ",".join(map(str, colors))


def test_columns_without_a_color_are_blank(show_game):
    """After one greedy step one column has a color, and the words say how many have none."""
    game = show_game()
    press(game, "Next greedy step")
    words = "Column 1: color 1. 1 color, 0 conflicts. 9 columns without a color."
    expect(game.locator("output")).to_have_text(words)
    shown, outlined = squares(game, 0)
    assert {text for (_, column), text in shown.items() if column > 1} == {""}
    assert {place[1] for place in squares(game, 1)[0]} == {1}
    assert not outlined
    assert labels(game)[9] == "Column 10, entries in rows 9 and 10, no color"
    game.locator(".column").nth(1).press("ArrowUp")
    assert game.get_attribute("data-colors") == "1,1,0,0,0,0,0,0,0,0"
    press(game, "Next greedy step")
    assert game.get_attribute("data-colors") == "1,1,2,0,0,0,0,0,0,0"


@games
def test_fewest_colors_against_the_bound(show_game, name):
    """A search through all colorings finds as few as the game calls best; the bound alone says so of no other."""
    P, fewest, number = GAMES[name]
    assert fewest_colors(P) == fewest
    game, bound = show_game(name), int(P.sum(1).max())
    give(game, first_fit(P).tolist())
    said = game.locator("output").inner_text()
    assert f"The fullest row has {bound} entries, so no coloring can do with fewer than {bound}: " in said
    assert said.endswith(
        "this is the best possible." if number == bound else "a bound only, which need not be reached."
    )
    assert ("10 products, as many as columns" in said) == (number == 10)


def test_reader_can_do_better_than_first_fit(show_game):
    """On the grid of 3 by 3 points five colors do, where the greedy steps end with six."""
    game = show_game("3 by 3 grid")
    give(game, [1, 2, 3, 4, 5, 1, 2, 3, 4])
    expect(game.locator("output")).to_contain_text("5 colors, 0 conflicts. Valid: 5 products instead of 9.")
    expect(game.locator("output")).to_contain_text("this is the best possible.")


def test_keyboard_plays_the_game(show_game):
    """One tab stop leads to the columns; left and right go through them, up, down, Enter and Space change the color."""
    game = show_game()
    keyboard, columns = game.page.keyboard, game.locator(".column")
    game.get_by_role("button", name="Next greedy step").focus()
    keyboard.press("Tab")
    expect(columns.first).to_be_focused()
    for key, place in {"ArrowLeft": 0, "ArrowRight": 1, "End": 9, "Home": 0}.items():
        keyboard.press(key)
        expect(columns.nth(place)).to_be_focused()
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    label = "Column 3, entries in rows 2 to 4, color 2"
    for key, color in [("ArrowUp", 2), ("ArrowUp", 1), ("ArrowDown", 2), ("ArrowDown", 1), ("Enter", 2), (" ", 1)]:
        keyboard.press(key)
        assert game.get_attribute("data-colors").split(",")[2] == str(color)
        expect(game.locator("output[aria-live=polite]")).to_contain_text(f"Column 3: color {color}.")
    keyboard.press("ArrowUp")
    expect(game.get_by_role("button", name=label, exact=True)).to_be_focused()
    keyboard.press("Control+ArrowUp")
    keyboard.press("Alt+ArrowRight")
    expect(game.get_by_role("button", name=label, exact=True)).to_be_focused()
    keyboard.press("Tab")
    assert game.locator(":focus").count() == 0
    keyboard.press("Shift+Tab")
    expect(columns.nth(2)).to_be_focused()
    assert columns.nth(2).locator("> rect").evaluate("rect => getComputedStyle(rect).strokeWidth") == "3px"


def test_keys_of_the_game_do_not_scroll(show_game):
    """The page stays where it is while arrows and Space change a color."""
    game = show_game(viewport={"width": 390, "height": 500})
    game.locator(".column").first.focus()
    before = game.page.evaluate("scrollY")
    for key in ["ArrowDown", "ArrowUp", " ", "ArrowRight"]:
        game.page.keyboard.press(key)
    assert game.page.evaluate("scrollY") == before


@pytest.mark.parametrize("touch", [False, True])
def test_column_is_taken_anywhere(show_game, touch):
    """A click or a tap on its number, on a square of it or between them gives a column the next color."""
    game = show_game(has_touch=touch)
    column = game.locator(".column").nth(4)
    box, numbers = column.bounding_box(), []
    for part in (0.03, 0.45, 0.95):
        act = column.tap if touch else column.click
        act(position={"x": box["width"] / 2, "y": part * box["height"]})
        numbers.append(game.get_attribute("data-colors").split(",")[4])
    assert numbers == ["2", "1", "2"]


def test_new_color_is_one_more_than_those_in_use(show_game):
    """Clicks go through the colors of the other columns and a new one, then begin again; 10 is the last."""
    game = show_game("arrow")
    give(game, [1, 2, 3, *[1] * 7])
    last = game.locator(".column").nth(9)
    seen = []
    for _ in range(5):
        last.click()
        seen.append(int(game.get_attribute("data-colors").split(",")[9]))
    assert seen == [2, 3, 4, 1, 2]
    give(game, list(range(1, 11)))
    last.click()
    assert game.get_attribute("data-colors") == "1,2,3,4,5,6,7,8,9,1"
    last.press("ArrowDown")
    assert game.get_attribute("data-colors") == "1,2,3,4,5,6,7,8,9,10"


def test_game_begins_again(show_game):
    """A button gives all columns color 1; another pattern does so too."""
    game = show_game("block diagonal")
    again = game.get_by_role("button", name="Start again")
    expect(again).to_have_attribute("aria-disabled", "true")
    give(game, [1, 2, 3, 1, 2, 3, 1, 2, 3, 4])
    again.press("Enter")
    expect(again).to_be_focused()
    expect(game.locator("output")).to_have_text("1 color, 10 conflicts, in rows 1 to 10.")
    give(game, [1, 2, *[1] * 8])
    game.get_by_role("combobox", name="pattern").select_option("3 by 3 grid")
    assert game.get_attribute("data-colors") == ",".join(["1"] * 9)
    assert squares(game, 0)[0].keys() == {(i + 1, j + 1) for i, j in np.argwhere(GAMES["3 by 3 grid"][0])}


def test_game_without_a_pattern_named_begins_with_the_first(show_game):
    """An unknown name, like none, is that of the tridiagonal pattern."""
    game = show_game("none of these")
    assert game.get_attribute("data-pattern") == "tridiagonal"
    options = game.get_by_role("combobox", name="pattern").locator("option")
    assert options.all_text_contents() == list(GAMES)


def test_matrix_of_products_is_named(show_game):
    """Who cannot see B hears its shape, and in which rows it has sums."""
    game = show_game()
    give(game, [1, 2, 3, 1, 2, 3, 1, 2, 3, 3])
    name = "The matrix B, of 10 rows and 3 columns; sums of several entries in rows 9 and 10."
    expect(game.get_by_role("img", name=name, exact=True)).to_be_visible()
    give(game, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1])
    expect(game.get_by_role("img", name="The matrix B, of 10 rows and 3 columns.", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_of_the_game_stand_out(show_game, scheme):
    """Each of ten colors stands out from the page, whose color the numbers in it have; so do blanks and conflicts."""
    game = show_game("arrow")
    game.page.emulate_media(color_scheme=scheme)
    for _ in range(3):
        press(game, "Next greedy step")
    assert min(contrast(game, ".cell.blank rect")) > 3
    give(game, [*range(1, 10), 9])
    assert min(contrast(game, ".cell.clash rect")) > 3
    assert min(contrast(game, ".cell.clash text", paint="fill")) > 4.5
    give(game, list(range(1, 11)))
    fills = [f'[style*="--color-{color})"] rect' for color in range(1, 11)]
    assert min(contrast(game, *fills, paint="fill")) > 4.5
    paint = "(game, name) => getComputedStyle(game.querySelector(name)).fill"
    assert len({game.evaluate(paint, name) for name in fills}) == 10
    assert game.evaluate(paint, ".cell text") == game.evaluate(paint, ".column > rect")


def test_columns_are_wide_enough_for_a_finger(show_game):
    """On a phone a column of ten is 24 pixels wide or more."""
    game = show_game("tridiagonal", viewport=PHONE)
    assert game.locator(".column").first.bounding_box()["width"] >= 24


@pytest.fixture
def show_cobweb(show_output):
    """Return a function that shows the steps to the fixed point of a cos z."""

    def show_cobweb(**options):
        return show_output('<div class="explorable" data-explorable="cobweb">Words in its place.</div>', **options)

    return show_cobweb


def set_cobweb(figure, a, k):
    """Set both sliders, and return the numbers that the figure then has."""
    for name, value in {"a": a, "steps k": k}.items():
        figure.get_by_role("slider", name=name, exact=True).fill(str(value))
    data = figure.evaluate("element => ({...element.dataset})")
    return {name: float(value) for name, value in data.items() if name != "explorable"}


def picard(a, k):
    """Return z_k from z_0 = 0."""
    z = 0 * a
    for _ in range(k):
        z = a * jnp.cos(z)
    return z


def crossing(a):
    return brentq(lambda z: z - a * np.cos(z), 0, 2, xtol=1e-15, rtol=1e-15)


VERDICTS = {
    True: "< 1: the steps converge.",
    False: "> 1: the steps run away from z*, which the theorem does not mind.",
}


def test_cobweb_shows_the_numbers_of_jax_and_scipy(show_cobweb):
    """The theorem's slope is that of the inverse of z / cos z; that of the steps is JAX's; the words say the same."""
    figure = show_cobweb()
    for a, k in [(0.1, 1), (0.5, 2), (1.0, 0), (1.0, 6), (1.31, 40), (1.32, 15), (1.6, 5), (2.0, 15)]:
        fixed = crossing(a)
        slope, rate = 1 / jax.grad(lambda z: z / jnp.cos(z))(fixed), a * np.sin(fixed)
        z, z_slope = jax.jvp(partial(picard, k=k), (a,), (1.0,))
        wanted = {"a": a, "steps": k, "solution": fixed, "slope": slope, "iterate": z, "iterateSlope": z_slope}
        found = set_cobweb(figure, a, k)
        assert found.pop("rate") == pytest.approx(rate, rel=1e-12)
        assert found == pytest.approx({name: float(value) for name, value in wanted.items()}, rel=1e-9)
        assert found["solution"] == pytest.approx(fixed, abs=1e-12)
        name = "z" + "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(k))
        said = (
            f"a = {a:.2f}: z* = {fixed:.4f}, slope by the theorem {slope:.4f}. "
            f"After {k} step{'s' * (k != 1)}: {name} = {z:.4f}, slope {z_slope:.4f}. "
            f"At z*, |∂f/∂z| = {rate:.4f} {VERDICTS[bool(rate < 1)]}"
        )
        expect(figure.locator("output[aria-live=polite]")).to_have_text(said.replace("-", "\N{MINUS SIGN}"))


def axes(figure, panel):
    """Return where a panel's origin is drawn, and how far from there one unit of each axis is."""
    lines = (
        figure.locator("svg")
        .nth(panel)
        .locator(".grid")
        .evaluate_all("""all => all.map((line) => [
      line.nextSibling.textContent, ...["x1", "y1", "x2", "y2"].map((name) => line.getAttribute(name))])""")
    )
    ends = np.array([[number(end) for end in line] for line in lines])
    fits = [np.polyfit(*ends[ends[:, 1 + axis] == ends[:, 3 + axis]][:, [0, 1 + axis]].T, 1) for axis in (0, 1)]
    return np.array(fits).T[::-1]


def drawn(figure, panel):
    """Return class and points of the paths and circles of a panel, in the units of its axes."""
    shapes = (
        figure.locator("svg")
        .nth(panel)
        .locator("path, circle")
        .evaluate_all("""all => all.map((shape) => {
      const of = (name) => shape.getAttribute(name) ?? "";
      return [of("class"), ["d", "cx", "cy"].map(of).join(" ")];
    })""")
    )
    origin, unit = axes(figure, panel)
    numbers = [(name, np.array(re.findall(r"-?[\d.]+", points), dtype=float)) for name, points in shapes]
    return [(name, (points.reshape(-1, 2) - origin) / unit) for name, points in numbers]


def test_cobweb_draws_its_numbers(show_cobweb):
    """The stairs go through the steps; each tangent touches its curve at a with the slope that is named."""
    figure, k = show_cobweb(), 4
    shown = set_cobweb(figure, 1.4, k)
    left, right = (dict(drawn(figure, panel)) for panel in (0, 1))
    a, fixed, z = shown["a"], shown["solution"], shown["iterate"]
    steps = [float(picard(a, i)) for i in range(k + 1)]
    corners = [corner for now, then in pairwise(steps) for corner in ((now, now), (now, then))] + [(z, z)]
    for points, wanted in [
        (left["primal web"], corners),
        (left["primal"], np.stack([left["primal"][:, 0], a * np.cos(left["primal"][:, 0])], axis=1)),
        (left["primal-point"], [(fixed, fixed)]),
        (left["ring"], [(z, z)]),
        (right["primal"], [(at, crossing(at)) for at in right["primal"][:, 0]]),
        (right["primal dashed"], [(at, picard(at, k)) for at in right["primal dashed"][:, 0]]),
        (right["primal-point"], [(a, fixed)]),
        (right["ring"], [(a, z)]),
    ]:
        np.testing.assert_allclose(points, wanted, atol=2e-3)
    for name, height, slope in [("tangent", fixed, shown["slope"]), ("tangent dashed", z, shown["iterateSlope"])]:
        (start, low), (end, high) = right[name]
        assert start < a < end
        assert (high - low) / (end - start) == pytest.approx(slope, abs=2e-3)
        assert low + (a - start) * slope == pytest.approx(height, abs=2e-3)


def test_keyboard_and_pointer_move_the_cobweb(show_cobweb):
    """Keys move both sliders, which say where they are; a drag or a tap in the right panel sets a, within its range."""
    figure = show_cobweb(has_touch=True)
    a, k = (figure.get_by_role("slider", name=name, exact=True) for name in ("a", "steps k"))
    expect(figure).to_have_attribute("data-a", "1")
    for slider, key, name, value, words in [
        (a, "ArrowRight", "data-a", "1.01", "a = 1.01"),
        (a, "Home", "data-a", "0.1", "a = 0.10"),
        (k, "ArrowLeft", "data-steps", "5", "5 steps"),
        (k, "End", "data-steps", "40", "40 steps"),
    ]:
        slider.press(key)
        expect(figure).to_have_attribute(name, value)
        expect(slider).to_have_attribute("aria-valuetext", words)
    a.fill("1")
    mouse, right = figure.page.mouse, figure.locator("svg").nth(1)
    right.scroll_into_view_if_needed()
    dot = right.locator(".primal-point").bounding_box()
    x, y = dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2
    unit = x - right.locator(".grid").first.bounding_box()["x"]
    mouse.move(x, y)
    mouse.down()
    for to, value in [(1.5, 1.5), (3, 2), (-1, 0.1)]:
        mouse.move(x + (to - 1) * unit, y)
        assert float(figure.get_attribute("data-a")) == pytest.approx(value, abs=0.02)
    mouse.up()
    mouse.move(x, y)
    expect(figure).to_have_attribute("data-a", "0.1")
    figure.page.touchscreen.tap(x + 0.5 * unit, y)
    assert float(figure.get_attribute("data-a")) == pytest.approx(1.5, abs=0.02)
    figure.locator("svg").first.click()
    assert float(figure.get_attribute("data-a")) == pytest.approx(1.5, abs=0.02)


CROWDED = """figure => {
  const [a, k] = figure.querySelectorAll("input"), found = [];
  const meet = (p, q) => p.left < q.right && q.left < p.right && p.top + 2 < q.bottom && q.top + 2 < p.bottom;
  for (a.value of [0.1, 0.5, 1, 1.32, 1.5, 2]) for (k.value of [0, 1, 2, 3, 5, 6, 40]) {
    a.dispatchEvent(new Event("input"));
    for (const svg of figure.querySelectorAll("svg")) {
      const room = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll("text")], boxes = texts.map((text) => text.getBoundingClientRect());
      texts.forEach((text, i) => {
        const { left, right, top, bottom } = boxes[i];
        const outside = left < room.left || right > room.right || top < room.top - 1 || bottom > room.bottom;
        const others = texts.filter((_, j) => j > i && meet(boxes[i], boxes[j])).map((other) => other.textContent);
        if (outside || others.length) found.push([a.value, k.value, text.textContent, outside, others]);
      });
    }
  }
  return found;
}"""


def test_labels_of_the_cobweb_stand_apart(show_cobweb):
    """Wherever the sliders are, on a wide page and on a phone, no label sticks out or lies on another."""
    figure = show_cobweb()
    for size in (SIZE, PHONE):
        figure.page.set_viewport_size(size)
        assert figure.evaluate(CROWDED) == []


def test_what_belongs_to_the_steps_is_dashed(show_cobweb):
    """The curve of the last step and its tangent are dashed, those of the solution are not."""
    figure = show_cobweb()
    dashes = "all => all.map((line) => getComputedStyle(line).strokeDasharray !== 'none')"
    assert figure.locator("path.dashed").evaluate_all(dashes) == [True, True]
    assert figure.locator("path:is(.primal, .tangent):not(.dashed)").evaluate_all(dashes) == [False] * 4
    expect(figure.get_by_role("img", name="The fixed point z* against a, a rising curve")).to_be_visible()


@pytest.fixture
def show_likelihood(show_output):
    """Return a function that shows the likelihood of a count."""

    def show_likelihood(copies=1, **options):
        html = '<div class="explorable" data-explorable="likelihood">Words in its place.</div>'
        return show_output(copies * html, **options)

    return show_likelihood


@pytest.fixture(scope="module")
def of_pyhf():
    """Return best fits to 0, ..., 40 events of pyhf's model, their errors, and -log L with its gradient at points."""
    model = pyhf.simplemodels.uncorrelated_background([5.0], [10.0], [3.5])
    likelihood, (tau,) = hep_fits.from_pyhf(model), model.config.auxdata
    found = jax.vmap(lambda n: hep_fits.fit(likelihood, jnp.array([n, tau])))(jnp.arange(41.0))
    assert found.converged.all()
    nll = jax.value_and_grad(lambda params, n: likelihood.nll(params, jnp.array([n, tau])))
    return np.array(found.params), np.array(found.errors), jax.jit(jax.vmap(nll, (0, None)))


def set_count(figure, n):
    """Set the slider, and return the best fit that the figure then has, and its errors."""
    figure.get_by_role("slider").fill(str(n))
    data = figure.evaluate("element => ({...element.dataset})")
    assert data["count"] == str(n)
    return [[float(data[name + kind]) for name in ("mu", "gamma")] for kind in ("", "Error")]


def test_likelihood_shows_the_fits_of_the_library(show_likelihood, of_pyhf):
    """For each count, on the bound and off it, best fit and errors are those of `fit`; the words say the same."""
    figure = show_likelihood()
    for n, best, errors in zip(range(41), *of_pyhf[:2], strict=True):
        np.testing.assert_allclose(set_count(figure, n), [best, errors], rtol=1e-7, atol=1e-9)
        mu, gamma = (f"{value:.3f} ± {error:.3f}" for value, error in zip(best, errors, strict=True))
        words = f"best μ = {mu if n >= 10 else '0, held by its bound'}, best γ = {gamma}."
        expect(figure.locator("output[aria-live=polite]")).to_have_text(f"n = {n}: {words}")
        expect(figure.get_by_role("img", name=f"For n = {n}, {words}")).to_be_visible()


EVENTS = [0, 5, 10, 15, 25, 40]


def test_contours_are_at_their_heights(show_likelihood, of_pyhf):
    """Twice -log L has risen by the level on all of a contour that can be seen, which goes around the best fit once."""
    figure, (best, _, nll) = show_likelihood(), of_pyhf
    for n in EVENTS:
        set_count(figure, n)
        contours = [points for name, points in drawn(figure, 0) if name in ("primal", "primal thin")]
        rises = 2 * (nll(np.concatenate(contours), float(n))[0] - nll(best[[n]], float(n))[0])
        for points, level, rise in zip(contours, [1, 2.3, 4, 9], np.split(rises, 4), strict=True):
            np.testing.assert_allclose(rise[points[:, 0] >= 0], level, atol=0.03)
            steps = np.diff(np.unwrap(np.arctan2(*(points - best[n]).T)))
            assert abs(steps).max() < 0.3
            assert steps.sum() == pytest.approx(-2 * np.pi, abs=0.01)
    clip = figure.locator("clipPath rect").evaluate("rect => Number(rect.getAttribute('x'))")
    assert clip == pytest.approx(axes(figure, 0)[0][0])


def test_arrows_go_downhill(show_likelihood, of_pyhf):
    """Each has the direction of minus the gradient in units of the drawing, and the root of its size for a length."""
    figure, nll = show_likelihood(), of_pyhf[2]
    unit = axes(figure, 0)[1]
    for n in EVENTS:
        set_count(figure, n)
        tails, heads = dict(drawn(figure, 0))["cotangent thin"].reshape(-1, 5, 2)[:, :2].transpose(1, 0, 2)
        slopes = nll(tails, float(n))[1] / unit
        sizes = np.linalg.norm(slopes, axis=1, keepdims=True)
        lengths = np.minimum(30 * np.sqrt(sizes), 24)
        np.testing.assert_allclose((heads - tails) * unit, -slopes / sizes * lengths, atol=0.02)
        assert len(np.unique(tails.round(2), axis=0)) == 77


def test_bars_are_as_long_as_the_errors(show_likelihood, of_pyhf):
    """In both panels a dot is at the best fit, in the middle of its bars."""
    figure = show_likelihood()
    for n in EVENTS:
        set_count(figure, n)
        best, errors = (part[n] for part in of_pyhf[:2])
        left, right = (drawn(figure, panel) for panel in (0, 1))
        bars = [points for name, points in left + right if name == "primal bar"]
        for shift, bar in zip(np.diag(errors), bars[:2], strict=True):
            np.testing.assert_allclose(bar, [best - shift, best + shift], atol=2e-3)
        np.testing.assert_allclose(bars[2], [(n, best[0] - errors[0]), (n, best[0] + errors[0])], atol=2e-3)
        np.testing.assert_allclose(dict(left)["primal-point"], [best], atol=2e-3)
        np.testing.assert_allclose(dict(right)["primal-point"], [(n, best[0])], atol=2e-3)


def test_best_fit_is_drawn_against_the_count(show_likelihood, of_pyhf):
    """On the right the line of best fits bends at the bound; the dashed ones are a standard deviation off."""
    right, best, errors = drawn(show_likelihood(), 1), *(part[:, 0] for part in of_pyhf[:2])
    (line,) = (points for name, points in right if name == "primal")
    np.testing.assert_allclose(np.interp(np.arange(41), *line.T), best, atol=2e-3)
    for points, sign in zip((points for name, points in right if name == "primal thin dashed"), [-1, 1], strict=True):
        assert points[[0, -1], 0] == pytest.approx([10, 40], abs=0.01)
        wanted = (best + sign * errors)[10:]
        np.testing.assert_allclose(np.interp(np.arange(10, 41), *points.T), wanted, atol=2e-3)


def on_screen(figure, panel, x):
    """Return the pixel at x, halfway up a panel."""
    box, (origin, unit) = figure.locator("svg").nth(panel).bounding_box(), axes(figure, panel)
    return box["x"] + (origin[0] + x * unit[0]) * box["width"] / 380, box["y"] + box["height"] / 2


def test_keyboard_and_pointer_move_the_count(show_likelihood):
    """Keys move the slider, which says where it is; a drag or a tap in either panel sets a whole count up to 40."""
    figure = show_likelihood(has_touch=True)
    slider, page = figure.get_by_role("slider", name="observed count n", exact=True), figure.page
    expect(figure).to_have_attribute("data-count", "15")
    for key, n in {"ArrowRight": "16", "Home": "0", "End": "40", "ArrowLeft": "39"}.items():
        slider.press(key)
        expect(figure).to_have_attribute("data-count", n)
        expect(slider).to_have_attribute("aria-valuetext", f"n = {n}")
    for panel, tapped, stops in [
        (0, "20", {3: "25", 0.02: "10", -1: "5", -4: "0", 9: "40"}),
        (1, "2", {25.3: "25", -9: "0", 60: "40"}),
    ]:
        figure.locator("svg").nth(panel).scroll_into_view_if_needed()
        page.touchscreen.tap(*on_screen(figure, panel, 2))
        expect(figure).to_have_attribute("data-count", tapped)
        page.mouse.move(*on_screen(figure, panel, 1))
        page.mouse.down()
        for x, n in stops.items():
            page.mouse.move(*on_screen(figure, panel, x))
            expect(figure).to_have_attribute("data-count", n)
        page.mouse.up()
        page.mouse.move(*on_screen(figure, panel, 1))
        expect(figure).to_have_attribute("data-count", "40")


def test_one_contour_is_thicker(show_likelihood):
    """That of 68 % is thicker than the three others."""
    widths = "all => all.map((line) => parseFloat(getComputedStyle(line).strokeWidth))"
    thin, thick, *others = show_likelihood().locator("[clip-path]").evaluate_all(widths)
    assert thin < thick > max(others)


def test_two_likelihoods_clip_by_their_own_planes(show_likelihood):
    """The names by which contours are cut at the bound differ, and each figure uses its own."""
    first, second = show_likelihood(copies=2).all()
    names = [figure.locator("clipPath").get_attribute("id") for figure in (first, second)]
    assert names[0] != names[1]
    for figure, name in zip((first, second), names, strict=True):
        assert figure.locator(f"[clip-path='url(#{name})']").count() == 4


MAPS = {
    "general": [[0.5, 1], [-0.9, 0.4]],
    "rotation": [[0.8, -0.6], [0.6, 0.8]],
    "shear": [[1, 0.5], [0, 1]],
    "stretch": [[1.5, 0], [0, 0.5]],
    "projection of rank one": [[0.6, 0.8], [0.3, 0.4]],
}


@pytest.fixture
def plane(show_output):
    """Show a linear map and its transpose."""
    return show_output(PLAIN.format("linear-map"))


def vectors(figure):
    """Return the numbers that the figure shows, by name."""
    data = figure.evaluate("element => ({...element.dataset})")
    return {name: np.array(data[name].split(","), float) for name in ("x", "y", "pushed", "pulled", "products")}


def tip(figure, name):
    """Return where on the screen the dot of a vector is."""
    box = figure.get_by_role("slider", name=f"vector {name}").locator("circle").last.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag_to(figure, name, vector):
    """Drag the dot of a vector to a place in its plane."""
    mouse, panel = figure.page.mouse, "xy".index(name)
    figure.scroll_into_view_if_needed()
    mouse.move(*tip(figure, name))
    mouse.down()
    mouse.move(*on_plane(figure, panel, vector))
    mouse.up()


def on_plane(figure, panel, vector):
    """Return the pixel of a point of a panel."""
    box, (origin, unit) = figure.locator("svg").nth(panel).bounding_box(), axes(figure, panel)
    return np.array([box["x"], box["y"]]) + (origin + vector * unit) * box["width"] / 380


@pytest.mark.parametrize("name", MAPS)
def test_products_are_those_of_the_library(plane, name):
    """A x, A^T y and both inner products are those of `linear_maps`, in the data, in the drawing and in words."""
    plane.get_by_role("combobox", name="map A").select_option(name)
    A = linear_maps.from_matrix(MAPS[name])
    for x, y in [((1.5, 0.5), (0.5, 1.5)), ((-0.7, 1.9), (2.0, -2.0)), ((2.0, 2.0), (-1.3, 0.0))]:
        drag_to(plane, "x", np.array(x))
        drag_to(plane, "y", np.array(y))
        wanted = {"x": x, "y": y, "pushed": A @ np.array(x), "pulled": A.T @ np.array(y)}
        wanted["products"] = [np.dot(y, wanted["pushed"]), np.dot(wanted["pulled"], x)]
        found = vectors(plane)
        for key, value in wanted.items():
            np.testing.assert_allclose(found[key], value, atol=1e-12)
        for panel, kinds in enumerate([("tangent", "cotangent"), ("cotangent", "tangent")]):
            paths = dict(drawn(plane, panel))
            for kind, key in zip(kinds, [("x", "pulled"), ("y", "pushed")][panel], strict=True):
                np.testing.assert_allclose(paths[kind][:2], [(0, 0), wanted[key]], atol=2e-3)
            assert all(abs(wanted[key]).max() <= 3.2 for key in ("pushed", "pulled"))
        said = [line.replace("\N{MINUS SIGN}", "-") for line in plane.locator("output .line").all_inner_texts()]
        assert json.loads(said[0].split(" = ")[1]) == MAPS[name]
        in_words = [float(line.split(" = ")[-1]) for line in said[3:]]
        assert in_words == pytest.approx(wanted["products"], abs=5e-4)
        assert in_words[0] == in_words[1]


def test_dots_of_the_plane_are_moved_by_keys(plane):
    """The tab key leads from x to y; arrows move each by a tenth, as far as 2, and say where it is."""
    x, y = (plane.get_by_role("slider", name=f"vector {name}") for name in "xy")
    x.focus()
    for handle, name in ((x, "x"), (y, "y")):
        expect(handle).to_be_focused()
        for key, step in {"Left": (-0.1, 0), "Up": (0, 0.1), "Right": (0.1, 0), "Down": (0, -0.1)}.items():
            before = vectors(plane)[name]
            handle.press(f"Arrow{key}")
            np.testing.assert_allclose(vectors(plane)[name], before + step, atol=1e-12)
        handle.press("Control+ArrowUp")
        for _ in range(16):
            handle.press("ArrowRight")
        assert vectors(plane)[name][0] == 2
        expect(handle).to_have_attribute("aria-valuetext", f"{name} = (2.0, {vectors(plane)[name][1]:.1f})")
        plane.page.keyboard.press("Tab")


def test_finger_drags_a_dot_in_all_directions(show_output):
    """From a dot on, the page does not scroll: the dot goes where the finger goes; a tap elsewhere moves it there."""
    figure = show_output(PLAIN.format("linear-map"), viewport=PHONE, has_touch=True, is_mobile=True)
    figure.scroll_into_view_if_needed()
    before = figure.page.evaluate("scrollY")
    swipe(figure, tip(figure, "x"), on_plane(figure, 0, np.array([1.0, -1.5])))
    np.testing.assert_allclose(vectors(figure)["x"], [1, -1.5], atol=0.11)
    assert figure.page.evaluate("scrollY") == before
    figure.page.touchscreen.tap(*on_plane(figure, 0, np.array([-1.0, 1.0])))
    np.testing.assert_allclose(vectors(figure)["x"], [-1, 1], atol=0.11)
