"""Let the one-page builder, from which the PDF is printed, write every node that the page builder can."""

from sphinx.application import Sphinx


def share_visitors(app: Sphinx) -> None:
    """Copy the visitors that extensions registered for `html` alone to `singlehtml`."""
    handlers = app.registry.translation_handlers
    handlers.setdefault("singlehtml", {})
    for node, visitors in handlers.get("html", {}).items():
        handlers["singlehtml"].setdefault(node, visitors)


def setup(app: Sphinx) -> dict:
    """Register the hook, before the builder makes its translator."""
    app.connect("builder-inited", share_visitors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
