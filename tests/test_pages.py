"""The pages that lead through the book: the recaps in one place, the summary on one sheet, the reading paths.

Like the tests in `test_browser`, these look at the pages in `_build/html`, which are built first if there are none.
"""

import copy
import re
import struct
from html.parser import HTMLParser
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
import yaml
from conftest_browser import CHAPTERS, ROOT, SITE, open_page
from playwright.sync_api import BrowserContext
from test_book import CHAPTERS as NOTEBOOKS
from test_book import markdown

# A short word for each chapter, in the order of the contents.
# The introduction has nothing to recap.
NAMES = [name.removeprefix("book/") for name in CHAPTERS if name != "book/intro"]
PATHS = yaml.safe_load((ROOT / "book" / "paths.yml").read_text(encoding="utf-8"))
SUMMARY = (ROOT / "book" / "summary.md").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The rows of each table of a built page, below the headings that link to another page; and the links of navs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows, self.foot, self.heading, self.cell = {}, [], None, None
        self.where, self.link = None, None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a heading, a row, a cell or a foot begins."""
        given = dict(attrs)
        if tag in ("h2", "nav"):
            self.where = given.get("class") or tag
        elif tag == "a" and self.where == "h2" and "headerlink" not in given.get("class", ""):
            self.heading = given["href"].removesuffix(".html")
            self.rows[self.heading] = []
        elif tag == "a" and self.where == "reading-paths":
            self.foot.append((given["rel"], given["href"].removesuffix(".html")))
        elif tag == "tr" and self.heading:
            self.rows[self.heading].append([])
        elif tag in ("td", "th") and self.heading:
            self.cell = ""

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        if tag in ("h2", "nav"):
            self.where = None
        elif tag in ("td", "th") and self.heading:
            self.rows[self.heading][-1].append(plain(self.cell))
            self.cell = None

    def handle_data(self, data: str) -> None:
        """Collect the text of a cell."""
        if self.cell is not None:
            self.cell += data


def plain(text: str) -> str:
    """Return a cell's text without its markup, as Markdown or as a page has it."""
    return re.sub(r"[`*$\s]|\\[()]", "", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def faults_of_recap(page: Page, notebooks: dict) -> list[str]:
    """Look for chapters out of order, and for rows that only the page has, or only the chapter."""
    faults = [] if list(page.rows) == NAMES else [f"the order is {', '.join(page.rows)}"]
    for name in NAMES:
        recap = markdown(notebooks[name]).split("## Recap\n")[1].split("\n## ")[0]
        lines = [line.strip()[1:-1].split("|") for line in recap.splitlines() if line.startswith("|")]
        wanted, found = [list(map(plain, line)) for line in lines[:1] + lines[2:]], page.rows.get(name, [])
        faults += [f"{name} lacks {row}" for row in wanted if row not in found]
        faults += [f"{name} has no {row}" for row in found if row not in wanted]
    return faults


@pytest.fixture(scope="module")
def recap(site) -> Page:
    """Read the built page."""
    return Page((SITE / "book" / "recap.html").read_text(encoding="utf-8"))


def test_recap_holds_the_rows_of_every_chapter(recap: Page) -> None:
    """The page says what the chapters say, in their order."""
    assert faults_of_recap(recap, NOTEBOOKS) == []


@pytest.mark.parametrize(
    "old, new, fault",
    [
        ("| the rule |", "| never |", "lacks ['central,"),
        ("| the rule |", "| the rule |\n| a | b |", "lacks ['a', 'b']"),
    ],
    ids=["other words", "one row more"],
)
def test_recap_checker_rejects_planted_mistake(recap: Page, old: str, new: str, fault: str) -> None:
    """A row that was changed or added after the page was built is found."""
    notebooks = copy.deepcopy(NOTEBOOKS)
    for cell in notebooks["finite_differences"].cells:
        cell.source = cell.source.replace(old, new)
    assert any(fault in found for found in faults_of_recap(recap, notebooks))


# A function of three numbers with two values, one with one value, and what the calls of the summary give for them.
X, V = jnp.array([2.0, 3.0, 0.5]), jnp.array([1.0, -1.0, 2.0])


def two(x):
    return jnp.array([x[0] * x[1], jnp.sin(x[2])])


def one(x):
    return x[0] ** 2 * x[1] + x[2] ** 3


J = np.array([[3.0, 2.0, 0.0], [0.0, 0.0, np.cos(0.5)]])
G, H = np.array([12.0, 4.0, 0.75]), np.array([[6.0, 4.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
GRID = np.linspace(0.0, 3.0, 31)
A, B = sympy.symbols("a b")
ROTATION = jnp.array([[0.0, 1.0], [-1.0, 0.0]])
TIMES = jnp.array([1.0, 2.0, 4.0, 5.0])


def decays():
    from autodiff_tutorial.hep_fits import Likelihood

    def nll(params, t):
        return jnp.sum(jnp.log(params[0]) + t / params[0])

    return Likelihood(nll, jnp.array([1.0]), jnp.array([[0.01, 100.0]]), ["lifetime"])


# What each call of the summary needs, what to look at in its result, and what is to be seen there.
CALLS = {
    "fd.jacobian(f, x).df": ({"f": two, "x": X}, None, J),
    'fd.jacobian(f, x, scheme="complex").df': ({"f": two, "x": X}, None, J),
    "sd.derivative(y, x)": ({"y": GRID**2, "x": GRID}, None, 2 * GRID),
    "sd.smooth_derivative(y, x, w, 2)": ({"y": GRID**2, "x": GRID, "w": 7}, None, 2 * GRID),
    "symbolic.gradient(e, [a, b])": ({"e": A**2 * B, "a": A, "b": B}, list, [2 * A * B, A**2]),
    'symbolic.compile(e, [a, b], backend="jax")': ({"e": A**2 * B, "a": A, "b": B}, lambda f: f(3.0, 2.0), 18.0),
    "jax.jvp(f, (x,), (x_dot,))": ({"f": two, "x": X, "x_dot": V}, lambda pair: pair[1], J @ V),
    "jax.vjp(f, x)[1](y_bar)": ({"f": two, "x": X, "y_bar": V[:2]}, lambda one: one[0], J.T @ V[:2]),
    "jax.grad(f)(x)": ({"f": one, "x": X}, None, G),
    "reverse_mode.grad(f)(x)": ({"f": one, "x": np.asarray(X)}, None, G),
    "ho.jacobian(f)(x)": ({"f": two, "x": X}, None, J),
    "sparse.jacobian(f, x)(x)": ({"f": two, "x": X}, lambda found: found.todense(), J),
    "lm.jacobian(f, x) @ v": ({"f": two, "x": X, "v": V}, None, J @ V),
    "ho.hvp(f, (x,), (v,))": ({"f": one, "x": X, "v": V}, None, H @ V),
    "jax.hessian(f)(x)": ({"f": one, "x": X}, None, H),
    "sparse.hessian(f, x)(x)": ({"f": one, "x": X}, lambda found: found.todense(), H),
    "ho.taylor(f, x, v, K)": (
        {"f": one, "x": np.asarray(X), "v": np.asarray(V), "K": 2},
        None,
        [12.125, G @ V, V @ H @ V / 2],
    ),
    "implicit.root(F, y0, a).y": ({"F": lambda y, a: y**2 - a, "y0": 1.0, "a": 2.0}, None, 2**0.5),
    "implicit.fixed_point(f, z0, a).y": ({"f": lambda z, a: (z + a / z) / 2, "z0": 1.0, "a": 2.0}, None, 2**0.5),
    "implicit.argmin(f, y0, a).y": ({"f": lambda y, a: (y - a) ** 4 + (y - a) ** 2, "y0": 1.0, "a": 2.0}, None, 2.0),
    "integrals.integrate(f, a, b, (theta,)).value": (
        {"f": lambda x, theta: theta * x**2, "a": 0.0, "b": 3.0, "theta": 2.0},
        None,
        18.0,
    ),
    'integrals.expectation_gradient(f, "normal", params, key, n)': (
        {"f": lambda x: x**2, "params": {"loc": 1.0, "scale": 2.0}, "key": jax.random.key(0), "n": 10**5},
        lambda found: abs(found.gradient["loc"] - 2) < 4 * found.gradient_error["loc"],
        True,
    ),
    "cr.matrix_function(expm)(A)": (
        {"A": ROTATION},
        None,
        [[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]],
    ),
    "cr.straight_through(jnp.round)(x)": ({"x": X}, None, [2.0, 3.0, 0.0]),
    "cr.smooth(f, w)(x)": ({"f": jnp.sign, "w": 0.1, "x": X}, None, np.ones(3)),
    "hep_fits.fit(likelihood, data)": (
        {"likelihood": decays(), "data": TIMES},
        lambda found: [found.params[0], found.errors[0]],
        [3.0, 1.5],
    ),
    "toys.fit_toys(likelihood, toy_data)": (
        {"likelihood": decays(), "toy_data": jnp.stack([TIMES, 2 * TIMES])},
        lambda found: found.params[:, 0],
        [3.0, 6.0],
    ),
    "checks.check_derivatives(f, x)": ({"f": two, "x": X}, lambda found: max(found) < 1e-9, True),
}


def test_every_call_of_the_summary_is_tried() -> None:
    """The table below the imports holds the calls above, and no others."""
    assert re.findall(r"^\|(?:[^|]+\|){3} `([^`]+)` \|", SUMMARY, re.MULTILINE) == list(CALLS)


@pytest.mark.parametrize("call", CALLS)
def test_call_of_the_summary_works(call: str) -> None:
    """After the imports that the page names, the call gives what it should."""
    needs, look, expected = CALLS[call]
    space = dict(needs)
    exec(re.search(r"```python\n(.*?)```", SUMMARY, re.DOTALL)[1], space)
    found = eval(call, space)
    found = found if look is None else look(found)
    if call.startswith("symbolic.gradient"):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def step(formula):
    """Return the printed step, in float64 and in float32, of a power of the machine epsilon."""
    values = [np.finfo(dtype).eps.astype(float) ** formula for dtype in (np.float64, np.float32)]
    digits = [f"{value:.1e}".split("e") for value in values]
    return " | ".join(rf"${mantissa} \cdot 10^{{{int(power)}}}$" for mantissa, power in digits)


@pytest.mark.parametrize("power, name", [(1 / 2, "1/2"), (1 / 3, "1/3"), (1 / 5, "1/5"), (1 / 4, "1/4"), (2, "2")])
def test_steps_of_the_summary(power: float, name: str) -> None:
    """The numbers are the powers of the machine epsilon that stand beside them."""
    exponent = name if len(name) == 1 else f"{{{name}}}"
    assert re.search(rf"\\varepsilon\^{exponent}\$ \| {re.escape(step(power))} \|", SUMMARY)


def test_summary_prints_on_one_sheet(context: BrowserContext, site: str) -> None:
    """On A4 there is one page, whose smallest text has 7.5 points."""
    with open_page(context, f"{site}book/summary.html") as (page, *_):
        sheets = page.pdf(prefer_css_page_size=True)
        page.emulate_media(media="print")
        points = page.evaluate("""() => {
          const walker = document.createTreeWalker(document.querySelector(".one-page"), NodeFilter.SHOW_TEXT);
          const sizes = [];
          while (walker.nextNode()) {
            const parent = walker.currentNode.parentElement;
            if (!walker.currentNode.textContent.trim() || parent.closest("script, mjx-container")) continue;
            sizes.push(0.75 * parseFloat(getComputedStyle(parent).fontSize));
          }
          return Math.min(...sizes);
        }""")
    assert len(re.findall(rb"/Type ?/Page\b(?!s)", sheets)) == 1
    assert points >= 7.5


def faults_of_paths(paths: dict) -> list[str]:
    """Look for pages that are missing from the book, or named twice."""
    faults = []
    for name, path in paths.items():
        pages = NAMES if path["pages"] == "contents" else [page for entry in path["pages"] for page in entry]
        faults += [f"{name} names {page}, which is no chapter" for page in pages if page not in NAMES]
        faults += [f"{name} names {page} twice" for page in set(pages) if pages.count(page) > 1]
    return faults


def test_paths_name_chapters_once() -> None:
    """Each path leads through chapters of the book."""
    assert faults_of_paths(PATHS) == []


@pytest.mark.parametrize("page, fault", [("nowhere", "no chapter"), ("sparse", "twice")])
def test_checker_of_paths_rejects_planted_mistake(page: str, fault: str) -> None:
    """A page that does not exist, and one that is there already, are found."""
    paths = copy.deepcopy(PATHS)
    paths["economist"]["pages"].append({page: "words"})
    assert any(fault in found for found in faults_of_paths(paths))


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", NAMES)
def test_foot_leads_along_the_paths(name: str) -> None:
    """Below a chapter stand the neighbors on each path where they are not those of the contents."""
    usual, wanted = list(pairwise(["intro", *NAMES])), []
    for path in PATHS.values():
        pages = [] if path["pages"] == "contents" else [page for entry in path["pages"] for page in entry]
        steps = [pair for pair in pairwise(pages) if name in pair]
        if not set(steps) <= set(usual):
            wanted += [("next", b) if a == name else ("prev", a) for a, b in steps]
    assert Page((SITE / "book" / f"{name}.html").read_text(encoding="utf-8")).foot == wanted


def test_card_of_the_book() -> None:
    """What other sites show with a link is small, and has the size that the pages promise."""
    png = (ROOT / "book" / "_static" / "social.png").read_bytes()
    page = (SITE / "book" / "intro.html").read_text(encoding="utf-8")
    assert struct.unpack(">2I", png[16:24]) == (1200, 630)
    assert len(png) < 150_000
    assert re.search(r'<meta property="og:image" content="https://[^"]+/_static/social.png"', page)
    assert '<meta name="twitter:card" content="summary_large_image"' in page


def test_printed_book_begins_with_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    """The title page takes the heading that stands before the contents; where there is none, that is said."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from make_pdf import with_title

    start = '<div id="jb-print-docs-body"><h1>{}</h1><h2> Contents </h2>'
    page = with_title(start.format("Differentiation, by machine"))
    assert 'src="_static/cover.png"' in page.split("<h1>Differentiation, by machine</h1>")[0]
    with pytest.raises(ValueError, match="has no"):
        with_title(start.format("Another"))
