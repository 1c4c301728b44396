"""Write Sphinx inventories of NumPy's and JAX's public names, so that links to their manuals need no network.

Run `python book/_ext/make_inventories.py` after raising the version of either; nothing is fetched.
"""

import inspect
import warnings
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "inventories"
# Where each manual documents a name: `{}` is the full name, `$` stands for it as an anchor.
NUMPY = dict.fromkeys(["numpy", "numpy.fft", "numpy.linalg"], "reference/generated/{}.html#$")
JAX_MODULES = ["jax", "jax.lax", "jax.nn", "jax.numpy", "jax.numpy.linalg", "jax.random", "jax.scipy.linalg"]
JAX_MODULES += ["jax.scipy.special", "jax.tree_util"]
JAX = dict.fromkeys(JAX_MODULES, "_autosummary/{}.html#$") | {"jax.sharding": "jax.sharding.html#$"}
TYPES = ["ArrayLike", "DTypeLike"]
ALIASES = {
    "numpy": {f"numpy.typing.{name}": ("py:data", "reference/typing.html#$") for name in TYPES},
    "jax": {f"jax.typing.{name}": ("py:data", f"_autosummary/jax.typing.{name}.html#$") for name in TYPES},
}


def entries(modules: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return `{full name: (role, place)}` of the public functions and classes of `modules`."""
    found = {}
    for module_name, place in modules.items():
        module = import_module(module_name)
        for name in (name for name in dir(module) if not name.startswith("_")):
            value = getattr(module, name, None)
            if not callable(value):
                continue
            is_class = inspect.isclass(value)
            is_scalar = is_class and issubclass(value, np.generic)
            address = "reference/arrays.scalars.html#$" if is_scalar else place.format(f"{module_name}.{name}")
            found[f"{module_name}.{name}"] = ("py:class" if is_class else "py:function", address)
    return found


def write(path: Path, project: str, version: str, names: dict[str, tuple[str, str]]) -> None:
    """Write version 2 of the format: four plain lines, then compressed rows."""
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: {version}\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    rows = "".join(f"{name} {role} 1 {place} -\n" for name, (role, place) in sorted(names.items()))
    path.write_bytes(head.encode() + zlib.compress(rows.encode(), 9))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # names on their way out
    for project, modules in {"numpy": NUMPY, "jax": JAX}.items():
        names = entries(modules) | ALIASES[project]
        write(FOLDER / f"{project}.inv", project, import_module(project).__version__, names)
        print(f"{project}: {len(names)} names")
