"""What `devices.describe` says is what JAX and the machine say."""

import json
import os

import jax
import numpy as np
import pytest

from autodiff_tutorial import devices


def test_description_is_true_and_can_be_stored():
    """Versions, device and precision are those in force, and all of it goes into JSON."""
    machine = devices.describe()
    assert (machine.jax, machine.numpy) == (jax.__version__, np.__version__)
    assert (machine.device, machine.devices) == (jax.devices()[0].device_kind, len(jax.devices()))
    assert 1 <= machine.cores <= os.cpu_count()
    assert json.loads(json.dumps(machine._asdict()))["processor"] == machine.processor != ""


def test_precision_is_that_of_a_float():
    """With the switch thrown, as here, it is float64."""
    assert devices.describe().precision == "float64"


@pytest.mark.usefixtures("without_x64")
def test_precision_without_the_switch():
    """JAX's own default is float32."""
    assert devices.describe().precision == "float32"
