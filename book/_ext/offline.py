"""Keep the built pages free of external requests: silence the default extension that reaches for a CDN."""

from sphinx.application import Sphinx

UNWANTED = "sphinx_thebe"  # Jupyter Book always loads it; it offers a kernel client from a CDN on every page.


def setup(app: Sphinx) -> dict:
    """Disconnect every hook of the unwanted extension, and drop its style sheet."""
    for event, listeners in app.events.listeners.items():
        app.events.listeners[event] = [item for item in listeners if item.handler.__module__ != UNWANTED]
    app.registry.css_files = [item for item in app.registry.css_files if "thebe" not in str(item[0])]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
