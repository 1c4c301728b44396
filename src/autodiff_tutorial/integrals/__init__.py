"""Integrals with moving bounds, and derivatives of expectations."""

from autodiff_tutorial.integrals.cumulative_integral import Cumulative, cumulative
from autodiff_tutorial.integrals.distributions import Distribution
from autodiff_tutorial.integrals.expectations import ExpectationGradient, expectation_gradient
from autodiff_tutorial.integrals.marcum import log_marcum_q, marcum_q
from autodiff_tutorial.integrals.quadrature import Integral, integrate

__all__ = [
    "Cumulative",
    "Distribution",
    "ExpectationGradient",
    "Integral",
    "cumulative",
    "expectation_gradient",
    "integrate",
    "log_marcum_q",
    "marcum_q",
]
