"""Pseudo-experiments by the hundred thousand: drawn, fitted and tested on every device there is."""

from autodiff_tutorial.toys.fitting import fit_toys
from autodiff_tutorial.toys.generation import generate
from autodiff_tutorial.toys.lockstep import ToyFits
from autodiff_tutorial.toys.testing import Statistics, ToyTest, hypotest

__all__ = ["Statistics", "ToyFits", "ToyTest", "fit_toys", "generate", "hypotest"]
