"""What the tests of the built pages share: a server, a browser tab that keeps records, and the checkers.

A checker looks at a page, or at a folder of pages, and returns the list of what is wrong: empty if all is well.
"""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import yaml
from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
# The last flag leaves the browser nowhere to go but the test's own server.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
]
AXE = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
GENERATED = ["genindex", "py-modindex", "search", "_modules/index"]
FIGURES = ".bd-content .cell_output img"


def pages_of_toc() -> list[str]:
    """Return every page that the table of contents names, the root first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def files(entries: list[dict]) -> Iterator[str]:
        for entry in entries:
            yield entry["file"]
            yield from files(entry.get("sections", []))

    return [toc["root"], *(name for part in toc["parts"] for name in files(part["chapters"]))]


PAGES = pages_of_toc() + GENERATED
CHAPTERS = [name for name in PAGES if (ROOT / f"{name}.ipynb").exists()]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files without a line on the terminal for each."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of 127.0.0.1, and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def open_page(context: BrowserContext, address: str) -> Iterator[tuple[Page, list[str], list[str]]]:
    """Show an address in a tab; yield the page, its errors, and its requests to other hosts, so far and to come.

    The tab is left blank and as it came, for the next page: to open another takes longer than most pages do.
    """
    page = next((page for page in context.pages if page.url == "about:blank"), None) or context.new_page()
    size, errors, foreign = page.viewport_size, [], []
    listeners = {
        "console": lambda message: errors.append(message.text) if message.type == "error" else None,
        "pageerror": lambda error: errors.append(str(error)),
        "request": lambda request: foreign.append(request.url) if is_foreign(request.url) else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.bring_to_front()
    page.goto(address)
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => null)")
    yield page, errors, foreign
    page.goto("about:blank")
    page.mouse.move(-1, -1)
    page.set_viewport_size(size)
    page.emulate_media(media="null", color_scheme="light", reduced_motion="no-preference")
    for event, listener in listeners.items():
        page.remove_listener(event, listener)


def is_foreign(address: str) -> bool:
    """Tell whether fetching this address leaves the machine."""
    parts = urlsplit(address)
    return parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1"


def look(page: Page, *, scheme: str = "light", width: int = 1280) -> Page:
    """Show the page in a color scheme and a width, with every hint, solution and hidden cell open."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_function("scheme => [scheme, undefined].includes(document.documentElement.dataset.theme)", arg=scheme)
    page.add_style_tag(content="* { animation: none !important; transition: none !important; }")
    page.evaluate("""() => {
      document.querySelectorAll(".bd-article details").forEach((element) => { element.open = true; });
      document.querySelectorAll(".toggle-hidden").forEach((element) => element.classList.remove("toggle-hidden"));
    }""")
    return page


def axe_violations(page: Page, *rules: str, within: str = "html") -> list[str]:
    """Run axe-core, all of it or the rules named, on a part of the page; return a line for every element at fault.

    Of the tokens of code, one of each style in each setting stays on the page: the others could say nothing new, and
    take most of the time. axe-core does not judge the contrast of single characters, so those go too. Its
    selectors take time as well, so it makes them only where there is something to report.
    """
    page.evaluate("""() => {
      const seen = new Set();
      const spare = [...document.querySelectorAll("pre span[class]")].filter((token) => {
        const setting = token.closest(".cell_input, .cell_output, .highlight")?.className;
        const ground = getComputedStyle(token.closest("pre")).backgroundColor;
        const style = [setting, ground, token.className].join();
        const judged = token.textContent.trim().length > 1 && !seen.has(style);
        if (judged) seen.add(style);
        return !judged;
      });
      spare.forEach((token) => token.remove());
    }""")
    if not page.evaluate("() => Boolean(window.axe)"):
        page.add_script_tag(path=AXE)
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": list(rules)} if rules else {})
    found = page.evaluate(
        """async ([within, options]) => {
      const quick = await axe.run(within, { ...options, selectors: false });
      return quick.violations.length ? (await axe.run(within, options)).violations : [];
    }""",
        [within, options],
    )
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def overflow(page: Page) -> list[str]:
    """Return what sticks out of the window to the right, if the page can be scrolled sideways."""
    return page.evaluate("""() => {
      const width = document.documentElement.clientWidth;
      if (document.scrollingElement.scrollWidth <= width) return [];
      const outside = [...document.querySelectorAll("body *")]
        .filter((element) => element.getBoundingClientRect().right > width)
        .map((element) => `${element.tagName}.${element.className}`);
      return ["the page can be scrolled sideways", ...outside];
    }""")


def raw_math(page: Page) -> list[str]:
    """Return the formulas that the reader sees as source, and those that MathJax could not set."""
    text = page.evaluate("""() => {
      const copy = document.body.cloneNode(true);
      copy.querySelectorAll("pre, code, script, mjx-container").forEach((element) => element.remove());
      return copy.textContent;
    }""")
    broken = page.locator("mjx-merror, [data-mjx-error]").evaluate_all("all => all.map((one) => one.outerHTML)")
    return re.findall(r"\$\$|\\[(\[]|\\begin\{[^}]*\}", text) + broken


def figure_faults(png: bytes) -> list[str]:
    """Return why a figure, as photographed on a dark page, glares or cannot be read."""
    from matplotlib.image import imread

    luminance = imread(BytesIO(png))[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    faults = {"bright on average": luminance.mean() > 0.2, "little contrast": np.ptp(luminance) < 0.7}
    return [name for name, found in faults.items() if found]


class Links(HTMLParser):
    """Collect the anchors that a page offers and the addresses that it points to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.targets = {""}, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element offers and points to."""
        for key, value in attrs:
            if key == "id" or (key == "name" and tag == "a"):
                self.anchors.add(value)
            elif key in ("href", "src"):
                self.targets.append(value or "")


def broken_links(folder: Path) -> list[str]:
    """Return every link inside a folder of pages that leads to no file or to no anchor of it."""
    pages = read_links(folder)
    broken = []
    for path, links in pages.items():
        for target in filter(lambda target: not urlsplit(target).scheme, links.targets):
            parts = urlsplit(target)
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[file].anchors if file in pages else {unquote(parts.fragment)}
            if not file.is_file() or unquote(parts.fragment) not in anchors:
                broken.append(f"{path.relative_to(folder)}: {target}")
    return broken


def links_out(folder: Path) -> list[str]:
    """Return every address to which a folder of pages points outside of it."""
    targets = {target for links in read_links(folder).values() for target in links.targets if urlsplit(target).scheme}
    return sorted(target for target in targets if not target.startswith("data:"))


def doubtful_links(folder: Path) -> list[str]:
    """Return every link out of a folder of pages that is not a well-formed https address."""
    form = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[^\s<>\"{}|\\^`]*)?")
    return [target for target in links_out(folder) if not form.fullmatch(target)]


def read_links(folder: Path) -> dict[Path, Links]:
    """Read every page of a folder; `_static` holds templates, not pages."""
    paths = [path.resolve() for path in folder.rglob("*.html") if "_static" not in path.parts]
    return {path: Links(path) for path in paths}
