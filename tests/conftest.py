"""Set up once for all tests, in the open: float64 beside float32, reproducible random programs, and a browser."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from packaging.version import Version

# The tests compile thousands of programs, each for few calls. Before JAX 0.11, XLA has a generator of code that takes
# two thirds of the time. The chapters are run with the one that is used by default, and so are the tests wherever
# XLA_FLAGS is set: the default of JAX 0.7.2 has faults of its own.
if Version(jax.__version__) < Version("0.11"):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

jax.config.update("jax_enable_x64", True)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")


@pytest.fixture
def without_x64():
    """Run a test as a reader does who has not switched JAX to float64."""
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.fixture(scope="session")
def site():
    """Serve the built book, which is built first if it is not there, and yield its address."""
    from conftest_browser import ROOT, SITE, serve

    if not (SITE / "index.html").exists():
        program = Path(sys.executable).with_name("jupyter-book")
        subprocess.run([program, "build", ".", "-W", "-n", "--keep-going"], cwd=ROOT, check=True)
    with serve(SITE) as address:
        yield address


@pytest.fixture(scope="session")
def context():
    """Start Chromium, once, with a fresh profile; where it is missing, skip, or fail under CI=true."""
    from conftest_browser import CHROMIUM, FLAGS
    from playwright.sync_api import sync_playwright

    steered = subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True).returncode == 0
    if CHROMIUM is None or not steered:
        way = "Chromium, or libatomic, is missing. Install them: `apt-get install chromium libatomic1`."
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must look at the pages. {way}")
        pytest.skip(f"NO PAGE WAS LOOKED AT. {way}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context()
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context
        browser.close()
