"""Set up once for all tests, in the open: float64 beside float32, and reproducible random programs."""

import jax
from hypothesis import settings

jax.config.update("jax_enable_x64", True)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")
