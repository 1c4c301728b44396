"""Print the whole book to `_build/autodiff-tutorial.pdf`: one page of HTML, printed by Chromium.

Run `python book/_ext/make_pdf.py`. The page is Jupyter Book's `singlehtml` builder's.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "_build" / "singlehtml"
PDF = ROOT / "_build" / "autodiff-tutorial.pdf"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Solutions, hints and hidden code are closed on the screen; paper has nothing to click.
OPEN_ALL = """() => {
  document.querySelectorAll("details").forEach((element) => { element.open = true; });
  document.querySelectorAll(".toggle-hidden").forEach((element) => element.classList.remove("toggle-hidden"));
}"""
# Resolves when every image has arrived and every formula is set; Playwright waits for the promise.
READY = """async () => {
  document.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  await MathJax.startup.promise;
  await document.fonts.ready;
}"""
FOOTER = '<div style="width: 100%; font-size: 8px; text-align: center"><span class="pageNumber"></span></div>'


def build_page() -> Path:
    """Build the book as one page, and put it where its style sheets are."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    program = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([program, "build", ".", "-W", "-n", "--keep-going", "--builder", "singlehtml"], cwd=ROOT, check=True)
    page = (FOLDER / "book" / "intro.html").read_text(encoding="utf-8")
    copy = FOLDER / "book.html"
    copy.write_text(with_title(page.replace('href="book/intro.html#', 'href="#')), encoding="utf-8")
    return copy


def with_title(page: str) -> str:
    """Put a title page before the contents."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    heading = f"<h1>{config['title']}</h1>"
    title = (
        f'<div class="title-page"><img src="_static/cover.png" alt="">\n{heading}\n'
        f"<p>{config['author']}, {config['copyright']}</p>\n<p>{config['repository']['url']}</p></div>"
    )
    start = page.index('id="jb-print-docs-body"')
    if heading not in page[start:]:
        raise ValueError(f"The page of the whole book has no {heading!r} before its contents.")
    return page[:start] + page[start:].replace(heading, title, 1)


def print_page(page_path: Path, pdf: Path) -> None:
    """Print one HTML page, with all of it open, to a PDF with an outline."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        sys.exit("Chromium is missing. On Debian: apt-get install chromium libatomic1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(600_000)  # thousands of formulas are set while the page loads
        page.goto(page_path.as_uri())
        page.emulate_media(media="print")
        page.evaluate(OPEN_ALL)
        page.evaluate(READY)
        page.pdf(
            path=pdf,
            format="A4",
            scale=0.85,
            margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        browser.close()


if __name__ == "__main__":
    print_page(build_page(), PDF)
    print(f"{PDF.relative_to(ROOT)}: {PDF.stat().st_size / 1e6:.1f} MB")
