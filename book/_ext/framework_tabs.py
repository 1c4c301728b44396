"""Show a cell tagged `jax` and the next one, tagged `torch`, as two tabs; a notebook shows one below the other."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_design.shared import create_component

FRAMEWORKS = {"tag_jax": "JAX", "tag_torch": "PyTorch"}


def _framework(cell: nodes.Node) -> str | None:
    found = [tag for tag in FRAMEWORKS if isinstance(cell, nodes.container) and tag in cell["classes"]]
    return found[0] if found else None


class PairCells(SphinxPostTransform):
    """Put each pair of cells into one set of tabs. Choosing a framework in one set chooses it in all."""

    default_priority = 190  # right before sphinx_design makes HTML of its sets

    def run(self, **_) -> None:
        """Replace each pair in the document."""
        for first in list(self.document.findall(lambda node: _framework(node) == "tag_jax")):
            second = first.next_node(nodes.container, descend=False, siblings=True)
            if second is None or _framework(second) != "tag_torch":
                raise ValueError(f"{first.source}: a cell tagged jax is not followed by one tagged torch.")
            tabs = create_component("tab-set", classes=["sd-tab-set"])
            first.replace_self(tabs)
            second.parent.remove(second)
            for cell in (first, second):
                name = FRAMEWORKS[_framework(cell)]
                label = nodes.rubric(name, nodes.Text(name), classes=["sd-tab-label"])
                label["sync_group"], label["sync_id"] = "framework", name
                content = create_component("tab-content", classes=["sd-tab-content"], children=[cell])
                tabs += create_component("tab-item", classes=["sd-tab-item"], children=[label, content])


def setup(app: Sphinx) -> dict:
    """Register the transform."""
    app.add_post_transform(PairCells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
