"""The drawings that chapters share: they draw what they are given, where they are told to."""

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
