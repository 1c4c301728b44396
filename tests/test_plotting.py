"""The drawings that chapters share: they draw what they are given, where they are told to."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from autodiff_tutorial import plotting


@pytest.fixture(autouse=True)
def no_window():
    """Draw into memory, and leave neither figures nor settings behind."""
    plt.switch_backend("agg")
    with mpl.rc_context():
        yield
    plt.close("all")


def line(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


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
