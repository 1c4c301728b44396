"""The glossary: sorted, used, and linked from the chapters that define its words, as is the index."""

import re
import sys

import pytest
from conftest_browser import ROOT, SITE
from docutils.nodes import make_id

sys.path.append(str(ROOT / "book" / "_ext"))
import glossary_links

SOURCE = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = re.search(r"^:::\{glossary\}\n(.*?)^:::$", SOURCE, re.DOTALL | re.MULTILINE)[1].split("\n\n")
WORDS = glossary_links.words_of(SOURCE)


def test_glossary_is_sorted():
    """Each entry begins with a word, in the order of the alphabet."""
    first = [entry.strip().splitlines()[0].lower().replace("é", "e") for entry in ENTRIES]
    assert first == sorted(first)
    assert len(WORDS) == len(set(WORDS)) > 80


def anchor(word):
    """Return what Sphinx makes of a word: its letters and digits, joined by hyphens."""
    return "term-" + "-".join(re.findall(r"[A-Za-z0-9]+", word.replace("é", "e")))


@pytest.mark.usefixtures("site")
def test_chapters_link_the_words_that_they_define():
    """The chapter that an entry names links its word to it, and is listed under it in the index."""
    index = (SITE / "genindex.html").read_text(encoding="utf-8")
    missing = []
    for entry in ENTRIES:
        word, *_ = entry.strip().splitlines()
        for chapter in re.findall(r"See \[[^]]+\]\((\w+)\)", entry):
            page = (SITE / "book" / f"{chapter}.html").read_text(encoding="utf-8")
            place = f"use-{make_id(word)}"
            linked = f'href="glossary.html#{anchor(word)}"' in page and f'id="{place}"' in page
            listed = f'href="book/{chapter}.html#{place}"' in index
            missing += [] if linked and listed else [(chapter, word)]
    assert missing == []


@pytest.mark.parametrize(
    "text, word, found",
    [
        ("Dual numbers do", "dual number", "Dual numbers"),
        ("of the Jacobians.", "Jacobian", "Jacobians"),
        ("a Jacobian-vector product", "Jacobian", None),
        ("a semi-tape", "tape", None),
        ("tapered", "tape", None),
        ("two losses, a loss", "loss", "losses"),
    ],
)
def test_word_is_found_in_its_forms_only(text, word, found):
    """A plural and a capital are found; a part of another word is not."""
    match = glossary_links.uses_of([word]).search(text)
    assert (match and match[0]) == found
