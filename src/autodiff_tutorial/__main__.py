"""What a bug report needs and a newcomer wonders: ``python -m autodiff_tutorial``."""

import platform
import re
import shutil
from collections.abc import Iterator
from importlib import metadata

import jax

from autodiff_tutorial.devices import describe

PACKAGE = "autodiff-tutorial"
CHAPTERS = {
    "intro": "Differentiation, by machine",
    "finite_differences": "Finite differences",
    "sampled_data": "Sampled data",
    "symbolic": "Symbolic differentiation",
    "linear_maps": "Linear maps",
    "forward_mode": "Forward mode",
    "reverse_mode": "Reverse mode",
    "frameworks": "JAX and PyTorch",
    "higher_order": "Higher orders",
    "sparse": "Sparse derivatives",
    "custom_rules": "Custom rules",
    "implicit": "Implicit differentiation",
    "integrals": "Integrals",
    "hep_fits": "High-energy physics fits",
    "toys": "Toys",
    "benchmarks": "Benchmarks",
    "gpu": "GPUs",
    "errata": "Where well-known sources slip",
}


def report() -> list[str]:
    """Return the lines that are printed: versions, devices, precision, extras and chapters."""
    machine = describe()
    found = [f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "numpy", "scipy", "sympy")]
    address = dict(line.split(", ") for line in metadata.metadata(PACKAGE).get_all("Project-URL") or ())
    lines = [
        f"{PACKAGE} {metadata.version(PACKAGE)}",
        f"Python {platform.python_version()} on {platform.platform()}",
        ", ".join(found),
        "",
        f"JAX computes on {machine.devices} x {machine.device}; the processor is {machine.processor}, "
        f"with {machine.cores} cores for this process.",
    ]
    if jax.default_backend() == "cpu" and shutil.which("nvidia-smi"):
        lines.append("There is an NVIDIA GPU that JAX does not see: https://docs.jax.dev/en/latest/installation.html")
    lines.append(f"Its numbers are {machine.precision}.")
    if machine.precision == "float32":
        lines[-1] += ' For float64, begin with: import jax; jax.config.update("jax_enable_x64", True)'
    width = max(map(len, CHAPTERS))
    chapters = [f"  {name:{width}}  {title}" for name, title in CHAPTERS.items()]
    pages = f"Chapters, which stand at {address['Documentation']}book/intro.html:"
    return [*lines, "", *_extras(address["Repository"]), "", pages, *chapters]


def _extras(address: str) -> Iterator[str]:
    """Say what is missing of each extra, and how to get it."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires(PACKAGE) or []:
        if match := re.match(r"""([\w.-]+).*extra == ["']([\w-]+)["']""", line):
            wanted.setdefault(match[2], []).append(match[1])
    missing = {extra: [name for name in names if not _installed(name)] for extra, names in wanted.items()}
    for extra, names in missing.items():
        yield f"Extra {extra}: " + (f"without {', '.join(names)}" if names else "complete")
    if any(missing.values()):
        yield f'To get an extra, such as hep: pip install "{PACKAGE}[hep] @ git+{address}"'


def _installed(name):
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


if __name__ == "__main__":
    print("\n".join(report()))
