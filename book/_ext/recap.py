"""The directive `recap`: what the chapters recapitulate, read from the notebooks whenever the book is built."""

import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from contents import chapters, notebook, words

SECTION = re.compile(r"^## Recap\n(.+?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


class Recap(SphinxDirective):
    """The section Recap of every chapter, below a heading that leads to the chapter."""

    def run(self) -> list[nodes.Node]:
        """Parse the sections as if they stood on this page."""
        lines = []
        for name in chapters():
            self.env.note_dependency(str(notebook(name)))
            text = words(name)
            section = SECTION.search(text)
            if section is None:
                raise self.error(f"{name} has no section `## Recap`.")
            lines += [f"## [{text.splitlines()[0].removeprefix('# ')}](/{name})", "", *section[1].splitlines(), ""]
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList(lines, source=source), 0, nodes.Element(), match_titles=True)
        return []  # each section is part of the page's own by now


def setup(app: Sphinx) -> dict:
    """Register the directive."""
    app.add_directive("recap", Recap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
