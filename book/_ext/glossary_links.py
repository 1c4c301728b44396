"""Link each page's first use of a word to the glossary, and list all these places in the index.

A word is linked where it is bold, which is where it is defined; else where it first stands in the page's running text.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

GLOSSARY = "glossary"
# Words that also have an everyday sense, or another one in this book: they are linked where they are bold only.
COMMON = {"accuracy", "adjoint", "baseline", "primal", "pull", "roof"}
COMMON |= {"score", "seed", "stiff", "tangent", "toy", "tracing"}
LEFT_ALONE = (
    *(nodes.title, nodes.caption, nodes.reference, nodes.literal, nodes.literal_block, nodes.math, nodes.table),
    *(nodes.strong, nodes.rubric, addnodes.pending_xref, addnodes.glossary),
)


def words_of(glossary: str) -> list[str]:
    """Return the words that the source of a glossary defines: its lines that are not indented."""
    body = re.search(r"^:::\{glossary\}\n(.*?)^:::$", glossary, re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"^\S.*$", body, re.MULTILINE)


def uses_of(words: list[str]) -> re.Pattern:
    """Return a regular expression for the words and their plurals, also at the beginning of a sentence.

    The number of its group that matches is that of the word, from 1.
    """
    forms = (f"([{word[0].upper()}{word[0].lower()}]{re.escape(word[1:])})" for word in words)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?:s|es)?(?![\w-])")


class LinkWords(SphinxTransform):
    """Put a link and an index entry where a page first uses a word."""

    default_priority = 450

    def apply(self, **_) -> None:
        """Link the words in bold, then those in running text."""
        folder, _, page = self.env.docname.rpartition("/")
        if folder != "book" or page == GLOSSARY:
            return
        glossary = self.env.srcdir / folder / f"{GLOSSARY}.md"
        self.env.note_dependency(str(glossary))
        # Longer words first: "adjoint method" is not an "adjoint".
        words = sorted(words_of(glossary.read_text(encoding="utf-8")), key=len, reverse=True)
        pattern = uses_of(words)
        free = set(words)  # not linked so far
        for bold in list(self.document.findall(nodes.strong)):
            match = pattern.fullmatch(bold.astext())
            word = match and words[match.lastindex - 1]
            if word in free and not any(map(left_alone, ancestors(bold))):
                free.remove(word)
                bold.replace_self(self.link(word, bold.deepcopy(), "main"))
        free -= COMMON
        for text in list(self.document.findall(nodes.Text)):
            matches = list(pattern.finditer(text))
            if not matches or any(map(left_alone, ancestors(text))):
                continue
            pieces, end = [], 0
            for match in matches:
                word = words[match.lastindex - 1]
                if word in free:
                    free.remove(word)
                    pieces += [nodes.Text(text[end : match.start()]), *self.link(word, nodes.inline("", match[0]), "")]
                    end = match.end()
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])

    def link(self, word: str, content: nodes.Node, main: str) -> list[nodes.Node]:
        """Return a place to which the index leads, and the link to the glossary."""
        place = nodes.make_id(f"use-{word}")
        link = addnodes.pending_xref(
            *("", content),
            **{"refdomain": "std", "reftype": "term", "reftarget": word, "refexplicit": True, "refwarn": True},
            **{"refdoc": self.env.docname, "classes": ["word"]},
        )
        index = addnodes.index(entries=[("single", word, place, main, None)])
        return [index, nodes.target("", "", ids=[place]), link]


def left_alone(node: nodes.Node) -> bool:
    """Tell whether words in this node are not running text; the aims begin with verbs in bold."""
    aims = isinstance(node, nodes.section) and node[0].astext() == "What you will be able to do"
    return aims or isinstance(node, LEFT_ALONE) or "cell_output" in node.get("classes", [])


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    """Return the nodes around a node, up to the document."""
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def setup(app: Sphinx) -> dict:
    """Register the transform."""
    app.add_transform(LinkWords)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
