"""The built pages in a real browser: quiet, self-contained, legible, and doing what they offer.

The pages are those in `_build/html`; they are built first if there are none. Chromium is Debian's `chromium`, or
the program that the environment variable CHROMIUM names.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest_browser import (
    CHAPTERS,
    FIGURES,
    PAGES,
    SITE,
    axe_violations,
    broken_links,
    doubtful_links,
    figure_faults,
    links_out,
    look,
    open_page,
    overflow,
    raw_math,
    serve,
)
from playwright.sync_api import BrowserContext, Page, expect
from test_book import REPOSITORY


@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, context: BrowserContext, site: str) -> Iterator[tuple]:
    """Open each page in turn; yield it with its errors and its requests to other hosts."""
    with open_page(context, f"{site}{request.param}.html") as visit:
        yield visit


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(request: pytest.FixtureRequest, context: BrowserContext, site: str) -> Iterator[Page]:
    """Open each chapter in turn, with what can be opened in it closed."""
    with open_page(context, f"{site}{request.param}.html") as (page, *_):
        yield page


def test_page_asks_no_other_host(visit: tuple) -> None:
    """A page is complete without a network."""
    assert visit[2] == []


def test_page_shows_no_raw_math(visit: tuple) -> None:
    """Every formula is set."""
    assert raw_math(visit[0]) == []


def test_page_is_accessible(visit: tuple) -> None:
    """axe-core has nothing to say against the light page, with all of it open."""
    assert axe_violations(look(visit[0])) == []


def test_page_suits_a_phone_in_the_dark(visit: tuple) -> None:
    """Nothing sticks out of a window 390 pixels wide, text keeps its contrast, and a finger hits what can be tapped."""
    page = look(visit[0], scheme="dark", width=390)
    assert overflow(page) == []
    assert axe_violations(page, "color-contrast", "target-size") == []


def test_figures_are_legible_in_the_dark(visit: tuple) -> None:
    """On the dark page every figure is dark, and its lines and text stand out."""
    page = look(visit[0], scheme="dark")
    faults = {}
    for figure in page.locator(FIGURES).all():
        figure.scroll_into_view_if_needed()
        figure.evaluate("image => image.decode()")
        faults[figure.get_attribute("alt")] = figure_faults(figure.screenshot())
    assert {alt: found for alt, found in faults.items() if found} == {}


def test_page_raises_no_error(visit: tuple) -> None:
    """The console stays empty, through all that was done to the page above."""
    assert visit[1] == []


def test_sidebars_are_legible_in_the_dark(context: BrowserContext, site: str) -> None:
    """What stands beside the text, on a wide window alone and on every chapter alike, keeps its contrast."""
    with open_page(context, f"{site}{CHAPTERS[0]}.html") as (page, *_):
        assert axe_violations(look(page, scheme="dark"), "color-contrast") == []


def test_source_listings_are_quiet_and_fit_a_phone(context: BrowserContext, site: str) -> None:
    """The pages that list the library's source raise no error, ask no other host and stay in the window.

    They are alike but for their lines: those with the longest lines stand for all.
    """
    faults, listings = {}, SITE.glob("_modules/**/*.html")
    for path in sorted(listings, key=lambda path: max(map(len, path.read_text().splitlines())))[-4:]:
        with open_page(context, site + path.relative_to(SITE).as_posix()) as (page, errors, foreign):
            faults[path.name] = errors + foreign + overflow(look(page, width=390))
    assert [fault for fault in faults.items() if fault[1]] == []


@pytest.mark.usefixtures("site")
def test_every_page_was_visited() -> None:
    """The lists above name all that was built."""
    built = {path.relative_to(SITE).with_suffix("").as_posix() for path in SITE.rglob("*.html")}
    built = {name for name in built if not name.startswith(("_static/", "_modules/autodiff"))}
    assert built == {*PAGES, "index"}


def test_address_of_the_site_leads_to_the_introduction(context: BrowserContext, site: str) -> None:
    """The bare address forwards to the first page."""
    page = context.new_page()
    page.goto(site)
    page.wait_for_url(f"{site}{PAGES[0]}.html")
    page.close()


def test_buttons_open_the_chapter_on_colab_and_binder(chapter: Page, site: str) -> None:
    """The rocket offers the very notebook on Colab and on Binder."""
    links = chapter.locator(".dropdown-launch-buttons a").evaluate_all("all => all.map((a) => a.href)")
    name = REPOSITORY.removeprefix("https://github.com/")
    path = chapter.url.removeprefix(site).removesuffix(".html")
    assert f"https://colab.research.google.com/github/{name}/blob/main/{path}.ipynb" in links
    assert any(link.startswith(f"https://mybinder.org/v2/gh/{name}/main") and path in link for link in links)


def test_chapter_sets_its_formulas(chapter: Page) -> None:
    """There are formulas, and MathJax set them."""
    assert chapter.locator(".bd-article mjx-container").count() > 0


def test_copy_button_copies_the_cell(chapter: Page) -> None:
    """What lands in the clipboard is the code of the cell."""
    cell = chapter.locator(".bd-article .cell_input:visible").first
    cell.hover()
    cell.locator("button.copybtn").click()
    expect(cell.locator("button.copybtn.success")).to_be_attached()
    assert chapter.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()


def test_solutions_open_on_click(chapter: Page) -> None:
    """A solution is closed at first; a click on its title shows it."""
    solution = chapter.locator(".solution.dropdown").first
    content = solution.locator(".cell_output, p:not(.admonition-title)").last
    expect(content).to_be_hidden()
    solution.locator("button.toggle-button").click()
    expect(content).to_be_visible()


def test_hints_open_on_click(chapter: Page) -> None:
    """A hint is closed at first; a click on the word shows it."""
    hint = chapter.locator("details:has(> summary:text-is('Hint'))").first
    expect(hint).not_to_have_attribute("open", "")
    hint.locator("summary").click()
    expect(hint).to_have_attribute("open", "")


def test_search_finds_a_word(context: BrowserContext, site: str) -> None:
    """A name that the chapter cites leads from the search page to the chapter."""
    with open_page(context, f"{site}search.html") as (page, *_):
        field = page.locator("#search-input, main input[type=search]").first
        field.fill("Fornberg")
        field.press("Enter")
        expect(page.locator("ul.search a[href*='book/finite_differences.html']").first).to_be_visible()


@pytest.mark.usefixtures("site")
def test_internal_links_lead_somewhere() -> None:
    """Every file and every anchor that a page points to is there."""
    assert broken_links(SITE) == []


@pytest.mark.usefixtures("site")
def test_external_links_are_well_formed() -> None:
    """Links to other sites are https addresses; `_build/external_links.txt` lists them for who can follow them."""
    (SITE.parent / "external_links.txt").write_text("".join(f"{link}\n" for link in links_out(SITE)))
    assert doubtful_links(SITE) == []


# Each page below has one mistake; the checker named must see it.
PLANTED = {
    "image from another host": ('<img alt="" src="https://example.org/a.png">', "foreign", "https://example.org/a.png"),
    "font from another host": ("<style>@import url(//example.org/a.css);</style>", "foreign", "example.org/a.css"),
    "script error": ("<script>throw new Error('planted')</script>", "errors", "planted"),
    "missing file": ('<img alt="" src="nowhere.png">', "errors", "404"),
    "too wide": ('<div style="width: 800px">wide</div>', "overflow", "DIV"),
    "pale text": ('<p style="color: #aaa; background: #fff">pale</p>', "contrast", "color-contrast"),
    "pale token": (
        '<pre><span class="k">if</span> <span class="n" style="color: #aaa">name</span></pre>',
        "contrast",
        ".n",
    ),
    "target too small": (
        '<a href="#a" style="display: block; width: 9px; height: 9px"></a>' * 2,
        "phone",
        "target-size",
    ),
    "picture without words": ('<img src="data:,">', "axe", "image-alt"),
    "dollar signs": ("<p>$$ x^2 $$</p>", "math", "$$"),
    "formula in brackets": (r"<p>\( x^2 \)</p>", "math", r"\("),
}


@pytest.mark.parametrize("html, checker, expected", PLANTED.values(), ids=PLANTED)
def test_checker_rejects_planted_page(context, tmp_path: Path, html: str, checker: str, expected: str) -> None:
    """A checker that never complains would prove nothing."""
    (tmp_path / "bad.html").write_text(f"<!doctype html><title>Bad</title>{html}", encoding="utf-8")
    with serve(tmp_path) as address, open_page(context, f"{address}bad.html") as (page, errors, foreign):
        found = {
            "foreign": lambda: foreign,
            "errors": lambda: errors,
            "overflow": lambda: overflow(look(page, width=390)),
            "contrast": lambda: axe_violations(look(page, scheme="dark"), "color-contrast"),
            "phone": lambda: axe_violations(look(page, scheme="dark", width=390), "target-size"),
            "axe": lambda: axe_violations(look(page)),
            "math": lambda: raw_math(page),
        }[checker]()
    assert any(expected in fault for fault in found)


@pytest.mark.parametrize(
    "style, fault",
    {"background: #fff": "bright on average", "background: #121212": "little contrast"}.items(),
    ids=["white", "empty"],
)
def test_figure_checker_rejects_planted_figure(context: BrowserContext, style: str, fault: str) -> None:
    """A white figure glares on a dark page, and an empty one shows nothing."""
    page = context.new_page()
    page.set_content(f'<div style="width: 200px; height: 100px; {style}"></div>')
    png = page.locator("div").screenshot()
    page.close()
    assert fault in figure_faults(png)


@pytest.mark.parametrize("target", ["nowhere.html", "#nowhere", "good.html#nowhere", "nowhere.js"])
def test_link_checker_rejects_planted_link(tmp_path: Path, target: str) -> None:
    """A link to a missing file, or to a missing anchor of a file, is found."""
    (tmp_path / "good.html").write_text('<p id="here"></p><a href="bad.html"></a><a href="#here"></a>')
    (tmp_path / "bad.html").write_text(f'<a href="good.html#here"></a><a href="{target}"></a>')
    assert broken_links(tmp_path) == [f"bad.html: {target}"]


@pytest.mark.parametrize(
    "target", ["http://example.org/", "https://example", "https://example.org/a b", "ftp://a.org/"]
)
def test_link_checker_rejects_planted_address(tmp_path: Path, target: str) -> None:
    """An address that is insecure or malformed is found."""
    (tmp_path / "bad.html").write_text(f'<a href="https://example.org/a"></a><a href="{target}"></a>')
    assert doubtful_links(tmp_path) == [target]


def test_tabs_change_together_and_paper_shows_all(context: BrowserContext, site: str) -> None:
    """A framework chosen in one pair of cells, by mouse or keys, is chosen in all; in print both are there."""
    with open_page(context, f"{site}book/frameworks.html") as (page, *_):
        sets = page.locator(".sd-tab-set")
        assert sets.count() > 10
        assert sets.locator("> label").all_inner_texts() == ["JAX", "PyTorch"] * sets.count()

        def shown():
            panels = sets.locator("> .sd-tab-content").all()
            return [panel.is_visible() for panel in panels]

        assert shown() == [True, False] * sets.count()
        sets.nth(3).locator("> label", has_text="PyTorch").click()
        assert shown() == [False, True] * sets.count()
        expect(sets.nth(0)).to_contain_text("tensor(0.0707)")
        sets.nth(1).locator("> input").nth(1).focus()
        page.keyboard.press("ArrowLeft")
        assert sets.nth(1).locator("> .sd-tab-content").first.is_visible()
        page.emulate_media(media="print")
        assert shown() == [True, True] * sets.count()
