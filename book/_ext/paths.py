"""Reading paths through the book: links at the foot of their pages, and the directive `reading-paths`.

`book/paths.yml` lists each path's pages, with a few words on what a reader finds there.
"""

from html import escape

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from contents import ROOT, chapters

FILE = ROOT / "book" / "paths.yml"
TEXTS = {"previous": '<span aria-hidden="true">←</span> {}', "next": '{} <span aria-hidden="true">→</span>'}


def paths() -> dict[str, dict[str, str]]:
    """Return each path: its pages in order, and the words that go with each."""
    found = {}
    for name, path in yaml.safe_load(FILE.read_text(encoding="utf-8")).items():
        pages = dict.fromkeys(chapters(), "") if path["pages"] == "contents" else {}
        if not pages:
            for entry in path["pages"]:
                pages |= {f"book/{page}": words for page, words in entry.items()}
        found[name] = pages
    return found


def neighbors(page: str, pages: list[str]) -> dict[str, str]:
    """Return what comes before and after a page of a path; nothing at its ends."""
    place = list(pages).index(page)
    found = {"previous": pages[place - 1] if place else None, "next": dict(enumerate(pages)).get(place + 1)}
    return {side: other for side, other in found.items() if other}


def add_foot(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Add the neighbors on each path that leaves the order of the contents here."""
    if app.builder.name != "html" or doctree is None:
        return
    usual = dict(zip(("previous", "next"), app.builder.relations.get(page, [None] * 3)[1:], strict=True))
    items = []
    for name, pages in paths().items():
        others = neighbors(page, list(pages)) if page in pages else {}
        if any(usual[side] != other for side, other in others.items()):
            links = []
            for side, other in others.items():
                text = TEXTS[side].format(escape(app.env.titles[other].astext()))
                rel, address = side.removesuffix("ious"), context["pathto"](other)
                told = f'<span class="visually-hidden">{side}: </span>{text}'
                links.append(f'<a rel="{rel}" href="{address}">{told}</a>')
            items.append(f"<li><span>{name.capitalize()}</span> {' '.join(links)}</li>")
    if items:
        context["body"] += (
            f'<nav class="reading-paths" aria-label="Reading paths"><ul>\n{chr(10).join(items)}\n</ul></nav>\n'
        )


class ReadingPaths(SphinxDirective):
    """The paths that the argument names, or all: who for, and which pages."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Write the lists as Markdown, and parse them."""
        self.env.note_dependency(str(FILE))
        about = yaml.safe_load(FILE.read_text(encoding="utf-8"))
        lines = []
        for name in (self.arguments or [" ".join(about)])[0].split():
            lines += [f"**{name.capitalize()}**: {about[name]['about']}.", ""]
            lines += [f"1. {{doc}}`/{page}`" + (f": {words}" if words else "") for page, words in paths()[name].items()]
            lines += [""]
        parent = nodes.container(classes=["reading-path-lists"])
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), 0, parent)
        return [parent]


def setup(app: Sphinx) -> dict:
    """Register the directive and the hook."""
    app.add_directive("reading-paths", ReadingPaths)
    app.connect("html-page-context", add_foot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
