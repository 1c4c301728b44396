"""The drawings that chapters share: they draw what they are given, where they are told to."""

import json
import re
import runpy
import sys
from functools import cache
from html.parser import HTMLParser
from itertools import combinations, pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from autodiff_tutorial import linear_maps, plotting, sparse
from autodiff_tutorial.plotting.layout import layout


@pytest.fixture(autouse=True)
def no_window():
    """Draw into memory, and leave neither figures nor settings behind."""
    plt.switch_backend("agg")
    with mpl.rc_context():
        yield
    plt.close("all")


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def test_module_says_what_it_needs(monkeypatch):
    """Without matplotlib the import fails with the way out."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'needs matplotlib. Install it: pip install "autodiff-tutorial\[hep\]"'):
        runpy.run_path(plotting.figures.__file__)


def test_import_leaves_the_style_alone():
    """Only the call sets the style."""
    before = plt.rcParams["axes.spines.top"]
    plotting.use_style()
    assert (before, plt.rcParams["axes.spines.top"]) == (True, False)


def test_error_curves_are_the_errors():
    """Steps and errors are drawn as given, zero at the lower edge, and the star sits on its curve."""
    steps, errors = np.logspace(-6, -1, 11), np.logspace(-12, -2, 11)
    ax = plotting.error_curves({"a": (steps, errors), "b": (steps, 0 * errors)}, marks={"a": 1e-3, "b": 1.0})
    np.testing.assert_array_equal(line(ax, "a").get_ydata(), errors)
    np.testing.assert_array_equal(line(ax, "b").get_ydata(), 1e-17)
    stars = [star.get_xydata()[0] for star in ax.lines if star.get_marker() == "*"]
    np.testing.assert_allclose(stars, [[1e-3, 1e-6]], rtol=1e-9)


def test_curves_differ_by_more_than_color():
    """Six methods have six colors and six markers."""
    ax = plotting.error_curves({str(i): ([0.1, 1.0], [0.1, 1.0]) for i in range(6)})
    assert len({curve.get_marker() for curve in ax.lines}) == len({curve.get_color() for curve in ax.lines}) == 6


@pytest.mark.parametrize("power", [-1, 1, 4])
def test_slope_reference_has_its_slope(power):
    """On logarithmic axes the line rises with the power that is written on it."""
    ax = plotting.slope_reference(power, (1e-4, 1e-6), span=10)
    (x0, y0), (x1, y1) = ax.lines[0].get_xydata()
    assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(power)
    assert ax.texts[0].get_text().replace("\N{MINUS SIGN}", "-") == f"slope {power}"


def test_step_reference_is_at_the_step():
    """The vertical line stands at h."""
    ax = plotting.step_reference(1e-3, "here")
    assert ax.lines[0].get_xdata()[0] == 1e-3
    assert ax.texts[0].get_text() == "here"


def test_slopes_on_grid_shows_estimate_and_truth():
    """The estimates are at the grid points, the exact derivative between them."""
    x = np.linspace(-1, 1, 5)
    ax = plotting.slopes_on_grid(x, 3 * x, np.cos)
    np.testing.assert_array_equal(line(ax, "estimated slopes").get_xydata(), np.stack([x, 3 * x], axis=1))
    exact = line(ax, "exact derivative").get_xydata()
    np.testing.assert_allclose(exact[:, 1], np.cos(exact[:, 0]))


def test_secant_goes_through_both_points():
    """The orange line has the slope of the forward difference; the dashed one that of the curve."""
    ax = plotting.secant(np.exp, 0.0, 0.5)
    slopes = {}
    for label in ("secant through x and x + h", "tangent at x"):
        (x0, y0), (x1, y1) = line(ax, label).get_xydata()[[0, -1]]
        slopes[label] = (y1 - y0) / (x1 - x0)
    assert list(slopes.values()) == [pytest.approx((np.exp(0.5) - 1) / 0.5), pytest.approx(1.0)]


@pytest.fixture
def swing():
    """Three bobs at 301 times."""
    times = np.linspace(0, 10, 301)
    angles = np.stack([np.sin(times), np.sin(1.3 * times), np.cos(times)], axis=1)
    return np.cumsum(np.stack([np.sin(angles), -np.cos(angles)], axis=-1), axis=1), times


def numbers(html, name):
    """Return the list that an attribute holds, in units of one."""
    written = re.search(rf'data-{name}="([^"]*)"', html)[1]
    assert re.fullmatch(r"(0|-?[1-9]\d*)(,(0|-?[1-9]\d*))*", written)
    return np.array(written.split(","), dtype=int) / 1000


def test_linkage_holds_its_numbers(swing):
    """Points and times come back from the page, to three decimals, and are written without a negative zero."""
    points, times = swing
    points[3] = -1e-9
    html = plotting.linkage(points, times)._repr_html_()
    np.testing.assert_allclose(numbers(html, "points").reshape(points.shape), points, rtol=0, atol=0.000501)
    np.testing.assert_allclose(numbers(html, "times"), times, rtol=0, atol=0.000501)


def test_linkage_is_the_same_every_time(swing):
    """A stored output compares equal to a new one, and tells a reader without scripts where the movie is."""
    movie, again = plotting.linkage(*swing), plotting.linkage(*swing)
    assert repr(movie) == "a movie of 301 frames, 10.0 s"
    assert movie._repr_html_() == again._repr_html_()
    assert "This is a movie of 301 frames, 10.0 s: it plays on the book's page." in movie._repr_html_()


def test_linkage_is_small(swing):
    """Two bobs at 301 times take fewer than 15 kB."""
    points, times = swing
    assert len(plotting.linkage(-points[:, :2], times)._repr_html_()) < 15_000


@pytest.mark.parametrize("trail", [True, False])
def test_linkage_leaves_a_trail_if_it_should(swing, trail):
    """The page is told whether to draw the trail."""
    assert ("data-trail" in plotting.linkage(*swing, trail=trail)._repr_html_()) == trail


@pytest.mark.parametrize(
    "points, times, words",
    [
        (np.zeros((3, 2)), np.arange(3), r"`plotting.linkage\(points=...\)` should have shape .* Got \(3, 2\)."),
        (np.zeros((3, 2, 3)), np.arange(3), r"points=.* Got \(3, 2, 3\)."),
        (np.zeros((3, 0, 2)), np.arange(3), r"points=.* Got \(3, 0, 2\)."),
        (np.zeros((1, 2, 2)), np.arange(1), r"points=.* Got \(1, 2, 2\)."),
        (np.zeros((3, 2, 2)), np.arange(4), r"times=.* should have shape \(3,\). Got \(4,\)."),
        (np.full((3, 2, 2), np.inf), np.arange(3), r"points=.* should be finite."),
        (np.zeros((3, 2, 2)), [0, 1, np.nan], r"times=.* should be finite."),
        (np.zeros((3, 2, 2)), [0, 1, 0.5], r"times=.* should ascend. Got a step of -0.5."),
        (np.zeros((3, 2, 2)), [0, 1, 1], r"times=.* should ascend. Got a step of 0."),
    ],
)
def test_linkage_rejects_what_is_no_movie(points, times, words):
    """The error names the argument, and says what it should be and is."""
    with pytest.raises(ValueError, match=words):
        plotting.linkage(points, times)


class Operation(NamedTuple):
    """One operation of a record."""

    name: str
    parents: tuple = ()
    value: object = 0.0
    tangent: object = None
    adjoint: object = None
    partials: tuple = ()


class Record(NamedTuple):
    """A record of a program."""

    operations: tuple


RULES = {"add": jnp.add, "subtract": jnp.subtract, "multiply": jnp.multiply, "divide": jnp.divide, "sin": jnp.sin}
RULES |= {"sigmoid": jax.nn.sigmoid, "square": jnp.square, "exp": jnp.exp}


def record(*rows):
    """Record a program: a row is a name with a number and a tangent, if it is no constant, or with its parents.

    The adjoint of an operation is what JAX says of the output if that operation's value alone is shifted.
    """
    leaves = [i for i, row in enumerate(rows) if row[0] not in RULES]
    moving = [i for i in leaves if len(rows[i]) == 3]

    def run(numbers, shifts):
        values = []
        for i, (name, *rest) in enumerate(rows):
            value = numbers[leaves.index(i)] if i in leaves else RULES[name](*(values[j] for j in rest))
            values.append(value + shifts[i])
        return jnp.stack(values)

    numbers, still = jnp.array([rows[i][1] for i in leaves], dtype=float), jnp.zeros(len(rows))
    directions = jnp.array([rows[i][2] if i in moving else 0.0 for i in leaves], dtype=float)
    values, tangents = jax.jvp(lambda numbers: run(numbers, still), (numbers,), (directions,))
    adjoints = jax.grad(lambda shifts: run(numbers, shifts)[-1])(still)
    operations, moves = [], set(moving)
    for i, (name, *rest) in enumerate(rows):
        parents = () if i in leaves else tuple(rest)
        arguments = [values[j] for j in parents]
        partials = jax.grad(RULES[name], argnums=tuple(range(len(parents))))(*arguments) if parents else ()
        moves |= {i} if moves & set(parents) else set()
        both = (float(tangents[i]), float(adjoints[i])) if i in moves else (None, None)
        operations.append(Operation(name, parents, float(values[i]), *both, tuple(map(float, partials))))
    return Record(tuple(operations))


PROGRAMS = {
    "product": [("x1", 2, 1), ("x2", 4, 0), ("multiply", 0, 1), ("add", 2, 1)],
    "loss": [
        *[("w", 1.5, 1), ("x", 2, 0), ("b", -1, 0), ("multiply", 0, 1), ("add", 3, 2), ("sigmoid", 4)],
        *[("t", 1, 0), ("subtract", 5, 6), ("square", 7), ("2", 2), ("divide", 8, 9)],
    ],
    "busy": [
        *[("a", 1.2, 1), ("b", 2, -1), ("c", 3, 0), ("multiply", 0, 0), ("sin", 1), ("multiply", 3, 4), ("exp", 0)],
        *[("add", 6, 2), ("multiply", 5, 7), ("divide", 8, 0), ("subtract", 9, 4), ("sin", 10)],
    ],
    "unused": [("x", 3, 1), ("y", 5, 1), ("sin", 1), ("exp", 0)],
    "chain": [("x", 0.5, 1), ("sin", 0), ("exp", 1), ("sin", 2), ("square", 3)],
    "input": [("x", 3, 1)],
}
FIELDS = {"reverse": "adjoint", "forward": "tangent"}
programs = pytest.mark.parametrize("program", PROGRAMS)
modes = pytest.mark.parametrize("mode", FIELDS)


@cache
def graph(program):
    """Return the record of one of the programs above."""
    return record(*PROGRAMS[program])


def number(text):
    """Return a number as the figures write it."""
    mantissa, _, power = text.replace("\N{MINUS SIGN}", "-").partition(" · 10")
    return float(mantissa) * 10.0 ** int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)


class Attributes(HTMLParser):
    """Collect the attributes of elements, and the texts of the cells of tables, as a browser reads them."""

    def __init__(self, html):
        super().__init__()
        self.data, self.cells = {}, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Note what an element carries."""
        self.data |= dict(attrs)
        self.cells += [""] * (tag in ("td", "th"))

    def handle_data(self, data):
        """Add to the last cell."""
        if self.cells:
            self.cells[-1] += data


def script(program, mode="reverse", **options):
    """Return what the page is told to draw."""
    shown = plotting.steps(graph(program) if isinstance(program, str) else program, mode=mode, **options)
    return json.loads(Attributes(shown._repr_html_()).data["data-graph"])


def sentences(*args, **options):
    return [step["text"] for step in script(*args, **options)["steps"]]


@programs
@modes
def test_steps_end_with_the_numbers_of_the_record(program, mode):
    """What stands in the boxes at the end are the values, and the derivatives that JAX gives, to four digits."""
    operations, boxes = graph(program).operations, {}
    for step in script(program, mode)["steps"]:
        boxes |= {(node, line): text for node, line, text in step["write"]}
    for i, operation in enumerate(operations):
        assert number(boxes[i, "value"]) == pytest.approx(operation.value, rel=5e-4)
        moving = getattr(operation, FIELDS[mode])
        if moving is None or (i, "derivative") not in boxes:
            assert not moving
        else:
            assert number(boxes[i, "derivative"]) == pytest.approx(moving, rel=5e-4)


@programs
def test_reverse_steps_are_one_an_operation_and_one_an_edge(program):
    """Values come in order; then the output's adjoint; then one contribution an edge, children before parents."""
    data, operations = script(program), graph(program).operations
    steps = data["steps"][1:-1]
    filled, passed = steps[: len(operations)], steps[len(operations) + 1 :]
    assert [step["write"][0][:2] for step in filled] == [[i, "value"] for i in range(len(operations))]
    assert steps[len(operations)]["write"] == [[len(operations) - 1, "derivative", "1"]]
    links = [(i, parent) for i, operation in enumerate(operations) for parent in operation.parents]
    reached, wanted = {len(operations) - 1}, []
    for i in reversed(range(len(operations))):
        targets = [p for p in operations[i].parents if i in reached and operations[p].adjoint is not None]
        reached |= set(targets)
        wanted += [(i, p) for p in targets]
    assert [tuple(step["nodes"]) for step in passed] == wanted
    assert [links[step["edges"][0]] for step in passed] == wanted


def test_steps_say_what_is_passed_and_that_contributions_add():
    """The way back through x1 x2 + x2, word for word."""
    assert sentences("product")[3:] == [
        "multiply: 2 × 4 = 8.",
        "add: 8 + 4 = 12.",
        "The way back begins at the output: the adjoint of add is 1.",
        "add passes 1 × 1 = 1 to multiply.",
        "add passes 1 × 1 = 1 to x2.",
        "multiply passes 1 × 4 = 4 to x1.",
        "multiply passes 1 × 2 = 2 to x2, whose adjoint is now 1 + 2 = 3.",
        "The sweep ends. Adjoints of the inputs: x1 4, x2 3.",
    ]


def test_steps_say_how_tangents_arise():
    """The way forward through the loss names every product; a constant has none."""
    found = sentences("loss", "forward")
    assert found[4] == "multiply: 1.5 × 2 = 3. Its tangent is 2 × 1 + 1.5 × 0 = 2."
    assert found[6] == "sigmoid(2) = 0.8808. Its tangent is 0.105 × 2 = 0.21."
    assert found[8].endswith("Its tangent is 1 × 0.21 + (\N{MINUS SIGN}1) × 0 = 0.21.")
    assert found[10] == "A constant: 2."


def test_steps_tell_repeated_names_apart():
    """Operations of one name are numbered, in sentences and in boxes, and a label takes the place of a name."""
    data = script("busy", labels={5: "p", 0: "alpha"})
    assert [data["titles"][i] for i in (0, 3, 5)] == ["alpha", "×₁", "p: ×"]
    texts = [step["text"] for step in data["steps"]]
    assert "multiply₁: 1.2 × 1.2 = 1.44." in texts
    assert any(text.startswith("p passes ") for text in texts)


class WithConstants(NamedTuple):
    """An operation as a record lists it that keeps constants beside parents, at their places among the operands."""

    name: str
    parents: tuple
    constants: tuple
    value: float
    tangent: float
    adjoint: float
    partials: tuple


def test_constants_beside_parents_are_shown_in_their_places():
    """2 - x / 4 at x = 3: the constants stand in the boxes and in the sentences, and nothing is passed to them."""
    rows = [
        WithConstants("x", (), (), 3.0, 1.0, -0.25, ()),
        WithConstants("divide", (0,), ((1, 4),), 0.75, 0.25, -1.0, (0.25,)),
        WithConstants("subtract", (1,), ((0, 2.0),), 1.25, -0.25, 1.0, (-1.0,)),
    ]
    data = script(Record(tuple(rows)))
    assert data["titles"] == ["x", "( ) ÷ 4", "2 \N{MINUS SIGN} ( )"]
    assert [step["text"] for step in data["steps"][2:4]] == [
        "divide: 3 ÷ 4 = 0.75.",
        "subtract: 2 \N{MINUS SIGN} 0.75 = 1.25.",
    ]
    assert len(data["partials"]) == 2


def test_steps_of_an_input_that_is_not_used():
    """Nothing is passed to it, and its adjoint is zero in the end."""
    data = script("unused")
    assert not any("passes" in step["text"] and " y" in step["text"] for step in data["steps"])
    assert data["steps"][-1]["text"] == "The sweep ends. Adjoints of the inputs: x 20.09, y 0."


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1 / 3, "0.3333"),
        (-2, "\N{MINUS SIGN}2"),
        (np.float32(0.5), "0.5"),
        (jnp.asarray(7), "7"),
        (True, "1"),
        (123456.0, "1.235 · 10⁵"),
        (-1e-7, "\N{MINUS SIGN}1 · 10⁻⁷"),
        (np.nan, "NaN"),
        (-np.inf, "\N{MINUS SIGN}∞"),
    ],
)
def test_numbers_have_four_digits(value, text):
    """Whatever kind of number a record holds, it is written short and with a real minus sign."""
    one = Record((Operation("x", value=value, tangent=1.0, adjoint=1.0),))
    assert sentences(one)[1] == f"x is {text}."


@programs
@modes
def test_steps_are_the_same_every_time(program, mode):
    """A stored output compares equal to a new one, and both ways to show it name what it is, in one line."""
    shown, again = (plotting.steps(graph(program), mode=mode) for _ in range(2))
    count = len(script(program, mode)["steps"]) - 1
    size = len(graph(program).operations)
    assert repr(shown) == f"a computation graph of {size} node{'s' * (size > 1)}, {mode} mode in {count} steps"
    assert shown._repr_html_() == again._repr_html_()
    assert f"<p>This is {shown!r}: the book's page goes through it step by step.</p>" in shown._repr_html_()
    assert len(shown._repr_html_()) < 9000


@modes
def test_table_stands_in_for_the_steps(mode):
    """Where no script runs there is a table of operations, values and derivatives."""
    cells = Attributes(plotting.steps(graph("product"), mode=mode)._repr_html_()).cells
    assert cells[:8] == [
        "operation",
        "of",
        "value",
        FIELDS[mode],
        "x1",
        "",
        "2",
        {"reverse": "4", "forward": "1"}[mode],
    ]
    assert cells[12:15] == ["multiply", "x1, x2", "8"]


def test_names_cannot_break_the_page():
    """A name with the signs of HTML arrives as it is."""
    name = '<b>"it\'s" &amp;'
    shown = plotting.steps(graph("input"), labels={0: name})._repr_html_()
    assert "<b>" not in shown
    assert script("input", labels={0: name})["titles"] == [name]
    assert Attributes(shown).cells[4] == name


ONE = Operation("x", value=1.0, tangent=1.0, adjoint=1.0)
SINE = Operation("sin", (0,), 0.8, 0.5, 1.0, (0.5,))
REJECTED = {
    "empty": ([], "should have from 1 to 40 operations. Got 0."),
    "long": ([ONE] * 41, "should have from 1 to 40 operations. Got 41."),
    "vector": ([ONE._replace(value=np.ones(3))], r"should have scalars. Got shape (3,) as value of operation 0."),
    "matrix": ([ONE, SINE._replace(partials=(np.eye(2),))], "Got shape (2, 2) as partials of operation 1."),
    "complex": ([ONE._replace(value=1j)], "should have real numbers. Got a complex as value of operation 0."),
    "no value": ([ONE._replace(value=None)], "Got a NoneType as value of operation 0."),
    "late parent": ([SINE, ONE], "should have operations after their parents. Got (0,) as parents of operation 0."),
    "negative parent": ([ONE, SINE._replace(parents=(-1,))], "Got (-1,) as parents of operation 1."),
    "few partials": (
        [ONE, SINE._replace(partials=())],
        "should have one partial a parent. Got 0 for 1 at operation 1.",
    ),
}


@pytest.mark.parametrize("call", [plotting.steps, plotting.computation_graph], ids=lambda call: call.__name__)
@pytest.mark.parametrize("operations, words", REJECTED.values(), ids=REJECTED)
def test_graph_that_cannot_be_drawn_is_rejected(call, operations, words):
    """The error names the call, says what the record should have, and what it has."""
    with pytest.raises(ValueError, match=rf"^`plotting.{call.__name__}\(graph=...\)` .*{re.escape(words)}"):
        call(Record(tuple(operations)))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"mode": "back"}, "`plotting.steps(mode=...)` should be one of reverse, forward. Got 'back'."),
        ({"labels": {4: "y"}}, "`plotting.steps(labels=...)` should name operations by their numbers, 0 to 1. Got 4."),
    ],
)
def test_steps_reject_unknown_options(options, words):
    """A mode or a label that means nothing is an error."""
    with pytest.raises(ValueError, match=re.escape(words)):
        plotting.steps(Record((ONE._replace(adjoint=0.5), SINE)), **options)


@modes
def test_steps_reject_a_record_without_derivatives(mode):
    """The error says which are missing."""
    bare = Record((ONE._replace(tangent=None, adjoint=None),))
    with pytest.raises(ValueError, match=f"should have the {FIELDS[mode]} of the output. Got None."):
        plotting.steps(bare, mode=mode)


@modes
def test_steps_reject_derivatives_that_contradict_the_partials(mode):
    """A figure does not show numbers of which one must be wrong."""
    operations = [ONE._replace(adjoint=0.5), SINE]
    plotting.steps(Record(tuple(operations)), mode=mode)
    wrong = {"reverse": 0, "forward": 1}[mode]
    operations[wrong] = operations[wrong]._replace(tangent=0.4, adjoint=0.4)
    with pytest.raises(ValueError, match=f"the {FIELDS[mode]} 0.5 at operation {wrong}, as its partials say. Got 0.4."):
        plotting.steps(Record(tuple(operations)), mode=mode)


def drawn(stops, down):
    """Return points along an edge: in turn a curve that leaves and arrives along the layers' direction, and a line."""
    t, pieces = np.linspace(0, 1, 41)[:, None], []
    for i, (start, end) in enumerate(pairwise(np.array(stops, dtype=float))):
        middle = (start + end) / 2
        bend, bent = (
            ([start[0], middle[1]], [end[0], middle[1]]) if down else ([middle[0], start[1]], [middle[0], end[1]])
        )
        curve = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * bend + 3 * t * t * (1 - t) * bent + t**3 * end
        pieces.append(curve if i % 2 == 0 else start + t * (end - start))
    return np.concatenate(pieces)


programs_at_random = st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=12)


@given(programs_at_random, st.booleans())
def test_layout_keeps_everything_apart(rows, down):
    """Boxes are apart and inside the drawing, no edge runs through a box, and children come after parents."""
    parents = [tuple(number % i for number in row) if i else () for i, row in enumerate(rows)]
    count = sum(map(len, parents))
    placed = layout(parents, (80, 60), [40] * count, down=down)
    half, nodes = np.array(placed.box) / 2, np.array(placed.nodes)
    assert np.all((nodes - half >= 0) & (nodes + half <= placed.size))
    for one, other in combinations(nodes, 2):
        assert np.any(np.abs(one - other) >= 2 * half + 10)
    links = [(parent, i) for i, own in enumerate(parents) for parent in own]
    assert len(placed.edges) == len(placed.labels) == count
    for (parent, child), stops in zip(links, placed.edges, strict=True):
        assert nodes[child][int(down)] - nodes[parent][int(down)] > 2 * half[int(down)]
        path = drawn(stops, down)
        assert not np.any(np.all(np.abs(path[:, None] - nodes) < half - 1, axis=2))
        for box, end, side in ((parent, path[0], 1), (child, path[-1], -1)):
            assert end[int(down)] == pytest.approx(nodes[box][int(down)] + side * half[int(down)], abs=1)
            assert abs(end - nodes[box])[1 - int(down)] < half[1 - int(down)]


@pytest.mark.parametrize("down", [False, True])
def test_edges_of_one_box_are_attached_apart(down):
    """An operand that is taken twice has two edges to be seen, apart at both ends."""
    placed = layout([(), (0, 0)], (80, 60), [20, 20], down=down)
    first, second = (np.array(stops) for stops in placed.edges)
    assert np.all(np.abs(first - second)[:, 1 - int(down)] >= 15)


@pytest.mark.parametrize("program", ["loss", "busy"])
def test_inputs_stand_right_before_their_first_use(program):
    """An input or a constant that comes into play late stands there, not at the beginning."""
    parents = [operation.parents for operation in graph(program).operations]
    across = [x for x, _ in layout(parents, (80, 60), [40] * sum(map(len, parents))).nodes]
    layer = [sorted(set(across)).index(x) for x in across]
    for i, own in enumerate(parents):
        children = [layer[child] for child, taken in enumerate(parents) if i in taken]
        assert layer[i] == (1 + max(layer[parent] for parent in own) if own else min(children) - 1)


def crossings(edges, down):
    """Count the pairs of edges that cross where they are drawn."""
    paths, count = [drawn(stops, down) for stops in edges], 0
    for one, other in combinations(paths, 2):
        a, b, c, d = one[:-1, None], one[1:, None], other[None, :-1], other[None, 1:]

        def side(p, q, r):
            return np.sign(
                (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
            )

        count += bool(np.any((side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)))
    return count


@pytest.mark.parametrize("program", ["product", "loss", "busy"])
@pytest.mark.parametrize("down", [False, True])
def test_edges_do_not_cross(program, down):
    """Programs that can be drawn without crossings are."""
    parents = [operation.parents for operation in graph(program).operations]
    placed = layout(parents, (80, 60), [40] * sum(map(len, parents)), down=down)
    assert crossings(placed.edges, down) == 0


@programs
@pytest.mark.parametrize("down", [False, True])
def test_labels_cover_neither_boxes_nor_each_other(program, down):
    """A local derivative can be read where it stands."""
    data = script(program)
    placed = data["drawings"][down]
    extents = [np.array([8 * len(text), 16]) for text in data["partials"]]
    labels = list(zip(np.array(placed["labels"]), extents, strict=True))
    for (one, extent), (other, its) in combinations(labels, 2):
        assert np.any(2 * np.abs(one - other) >= extent + its)
    for (one, extent), node in ((label, node) for label in labels for node in placed["nodes"]):
        assert np.any(2 * np.abs(one - node) >= extent + placed["box"])


def texts(ax, color):
    """Return the texts of a color."""
    return [text.get_text() for text in ax.texts if to_hex(text.get_color()) == color]


@programs
@pytest.mark.parametrize("show", ["values", "tangents", "adjoints"])
def test_computation_graph_shows_its_numbers(program, show):
    """Values are blue; tangents orange or adjoints green, as the local derivatives that they are multiplied by."""
    ax = plotting.computation_graph(graph(program), show=show)
    operations = graph(program).operations
    values = [number(text) for text in texts(ax, plotting.PRIMAL)]
    assert values == pytest.approx([operation.value for operation in operations], rel=5e-4)
    moving = {
        "tangents": lambda operation: operation.tangent,
        "adjoints": lambda operation: operation.adjoint,
        "values": lambda operation: None,
    }[show]
    partials = [
        partial
        for operation in operations
        for parent, partial in zip(operation.parents, operation.partials, strict=True)
        if moving(operation) is not None and moving(operations[parent]) is not None
    ]
    wanted = partials + [moving(operation) for operation in operations if moving(operation) is not None]
    color = {"adjoints": plotting.COTANGENT}.get(show, plotting.TANGENT)
    assert [number(text) for text in texts(ax, color)] == pytest.approx(wanted, rel=5e-4)


@pytest.mark.parametrize("show, style", {"values": "-|>", "tangents": "-|>", "adjoints": "<|-"}.items())
def test_arrows_point_where_the_numbers_go(show, style):
    """Adjoints travel against the direction of the program; an arrow from a constant does not turn."""
    ax = plotting.computation_graph(graph("loss"), show=show)
    arrows = [patch for patch in ax.patches if isinstance(patch, mpl.patches.FancyArrowPatch)]
    ends = [type(arrow.get_arrowstyle()) for arrow in arrows]
    known = mpl.patches.ArrowStyle.get_styles()
    assert ends == [known[style]] * 9 + [known["-|>"]]


@programs
@pytest.mark.parametrize("width", [None, 4.0])
def test_text_stays_in_its_box(program, width):
    """Names and numbers fit, on a figure of its own and on one that is too small for their usual size."""
    ax = None if width is None else plt.subplots(figsize=(width, width))[1]
    found = plotting.computation_graph(graph(program), show="adjoints", ax=ax)
    assert ax in (None, found)
    found.figure.canvas.draw()
    boxes = [patch.get_window_extent() for patch in found.patches if isinstance(patch, mpl.patches.FancyBboxPatch)]
    inside = [text for text in found.texts if text.get_bbox_patch() is None]
    assert len(boxes) == len(graph(program).operations)
    for text in inside:
        extent = text.get_window_extent()
        assert any(box.x0 < extent.x0 and extent.x1 < box.x1 and box.y0 < extent.y1 < box.y1 for box in boxes)


def test_computation_graph_rejects_what_it_cannot_show():
    """A word that is unknown, and derivatives that are not there."""
    with pytest.raises(ValueError, match=r"`plotting.computation_graph\(show=...\)` should be one of values, .*'all'"):
        plotting.computation_graph(graph("product"), show="all")
    bare = Record((ONE._replace(tangent=None),))
    with pytest.raises(ValueError, match=r"should have the tangent of the output. Got None."):
        plotting.computation_graph(bare, show="tangents")


EDGES = [("x1", "y1", 2), ("x2", "y1", 1), ("y1", "z1", 1), ("x3", "z1", 2), ("y1", "z2", -1), ("x3", "z2", 1)]


def test_weighted_graph_shows_nodes_and_weights():
    """Each node and each weight is written once, arrows run to the right, and no two nodes are in one place."""
    ax = plotting.weighted_graph(EDGES)
    written = sorted(text.get_text() for text in ax.texts if text.get_text())
    weights = [str(weight).replace("-", "\N{MINUS SIGN}") for _, _, weight in EDGES]
    assert written == sorted([*weights, "x1", "x2", "x3", "y1", "z1", "z2"])
    arrows = [text for text in ax.texts if not text.get_text()]
    assert len(arrows) == len(EDGES)
    assert all(arrow.xy[0] > arrow.xyann[0] for arrow in arrows)
    places = {text.get_text(): text.get_position() for text in ax.texts if text.get_text()[:1] in {"x", "y", "z"}}
    assert [places[node][0] for node in ("x3", "y1", "z2")] == [0, 1, 2]
    assert min(abs(a[1] - b[1]) for a, b in combinations(places.values(), 2) if a[0] == b[0]) > 0.99


def test_weighted_graph_of_the_library_is_drawn():
    """A graph of linear_maps is drawn by its edges, where it is told to."""
    ax = plt.subplots()[1]
    assert plotting.weighted_graph(linear_maps.Graph(EDGES), ax=ax) is ax
    assert len(ax.texts) == 2 * len(EDGES) + 6


@pytest.mark.parametrize("edges, words", [([], "at least one edge"), ([("a", "b", 1), ("b", "a", 1)], "no cycle")])
def test_graph_that_cannot_be_drawn_is_refused(edges, words):
    """Neither nothing nor a cycle has a layout."""
    with pytest.raises(ValueError, match=words):
        plotting.weighted_graph(edges)


def test_spy_draws_a_box_an_entry_with_the_number_of_its_color():
    """Each entry stands at its place, with its color's number from 1 on, as a text and not by color alone."""
    coloring = sparse.color(np.eye(4) + np.eye(4, k=1))
    ax = plotting.spy(np.eye(4) + np.eye(4, k=1), coloring=coloring)
    drawn = {(int(text.get_position()[1]), int(text.get_position()[0])): int(text.get_text()) for text in ax.texts}
    assert drawn == {(i, j): j % 2 + 1 for i, j in zip(coloring.rows, coloring.cols, strict=True)}
    assert len(ax.patches) == 7


def test_spy_draws_rows_of_a_bidirectional_coloring_in_green():
    """Entries that are read from products with rows are green, and numbered after the colors of columns."""
    arrow = np.eye(5)
    arrow[0] = arrow[:, 0] = 1
    coloring = sparse.color(arrow, mode="bi")
    ax = plotting.spy(arrow, coloring=coloring)
    green = {text.get_text() for text in ax.texts if to_hex(text.get_color()) == plotting.COTANGENT}
    assert green == {str(coloring.num_colors)}


def test_spy_of_a_large_pattern_is_a_dot_an_entry():
    """Beyond sixteen rows or columns entries are dots."""
    ax = plotting.spy(np.eye(30))
    assert (ax.lines[0].get_xdata() == np.arange(30)).all()
    assert not ax.patches


def test_spy_products_shows_which_entry_stands_where():
    """Column c of the products holds, at row i, the number of the column that entry comes from."""
    coloring = sparse.color(np.eye(6) + np.eye(6, k=1) + np.eye(6, k=-1))
    ax = plotting.spy_products(coloring)
    assert len(ax.texts) == 16
    for text in ax.texts:
        c, i = text.get_position()
        assert coloring.column_colors[int(text.get_text()) - 1] == c
        assert abs(int(text.get_text()) - 1 - i) <= 1
    with pytest.raises(ValueError, match="color columns alone"):
        plotting.spy_products(sparse.color(np.eye(6), mode="rev"))


def comparison(problem="f", ours=1.0, peer=4.0, target=2.0, n=10):
    sides = {"ours": {"name": "a", "median": ours, "first": 9.0}, "peer": {"name": "b", "median": peer, "first": 9.0}}
    met = None if target is None else peer / ours >= target
    return {"problem": problem, **sides, "ratio": peer / ours, "target": target, "met": met, "n": n}


def test_a_missed_target_is_hollow_and_said():
    """Each line has our dot, the peer's, the bar between them where the target is; a miss is hollow and named."""
    rows = [comparison(), comparison(ours=3.0), comparison("g, n = 10^6", target=None)]
    ax = plotting.timings(rows)
    drawn = {marker: [line for line in ax.lines if line.get_marker() == marker] for marker in "os|"}
    assert [len(lines) for lines in drawn.values()] == [3, 3, 2]
    assert [line.get_xdata()[0] for line in drawn["|"]] == [2000.0, 2000.0]
    assert [line.get_markerfacecolor() == "white" for line in drawn["o"]] == [False, True, False]
    words = [text.get_text() for text in ax.texts]
    assert words.count("a  |  b") == 3
    assert "× 1.33 missed" in words
    assert "g, n = 10$^{6}$" in words
    left, right = ax.get_xlim()
    assert right / left > 29.999


def test_growth_joins_the_times_of_one_name():
    """A curve a contender, in ascending order of n, in milliseconds."""
    ax = plotting.growth([comparison(n=100, ours=2.0), comparison(n=10)])
    curves = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert curves == {"a": [[10, 1000.0], [100, 2000.0]], "b": [[10, 4000.0], [100, 4000.0]]}


def test_unknown_machine_is_refused():
    """The error names the results that are stored."""
    with pytest.raises(ValueError, match=r"`plotting.stored_timings\(machine=...\)` should be one of .*intel-xeon"):
        plotting.stored_timings("abacus")
