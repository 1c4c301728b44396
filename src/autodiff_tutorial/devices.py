"""Which machine this is, and in which precision it computes.

Benchmarks store what `describe` returns beside every figure.
"""

import os
import platform
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Machine(NamedTuple):
    """What a timing or an error depends on.

    Attributes
    ----------
    device : str
        What JAX computes on, such as "cpu" or "NVIDIA H200".
    devices : int
        How many of them.
    processor : str
        The host's processor.
    cores : int
        How many of its cores this process may use.
    precision : str
        The floating point type that JAX gives to a Python float.
    python, jax, numpy : str
        Versions.
    """

    device: str
    devices: int
    processor: str
    cores: int
    precision: str
    python: str
    jax: str
    numpy: str


def describe() -> Machine:
    """Describe the machine as it is set up now; nothing is changed.

    Returns
    -------
    Machine
        A NamedTuple of strings and integers; ``describe()._asdict()`` is ready for JSON.

    Examples
    --------
    >>> describe().precision in ("float32", "float64")
    True
    """
    devices = jax.devices()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        device=devices[0].device_kind,
        devices=len(devices),
        processor=_processor(),
        cores=cores,
        precision=str(jnp.asarray(1.0).dtype),
        python=platform.python_version(),
        jax=jax.__version__,
        numpy=np.__version__,
    )


def _processor():
    """Return the processor's name; only Linux tells it in a file."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
