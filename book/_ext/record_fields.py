"""List a named tuple's fields once: where its docstring describes them."""

from sphinx.application import Sphinx


def skip_field(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Skip the members that a named tuple makes by itself, whose docstring says only their number."""
    automatic = str(getattr(obj, "__doc__", "")).startswith("Alias for field number")
    return True if automatic else None


def setup(app: Sphinx) -> dict:
    """Register the hook."""
    app.connect("autodoc-skip-member", skip_field)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
