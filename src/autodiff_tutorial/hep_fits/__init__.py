"""Likelihood fits as in high-energy physics: from pyhf or one's own, with errors, profiles, limits and derivatives."""

from autodiff_tutorial.hep_fits.fits import FitResult, fit
from autodiff_tutorial.hep_fits.histfactory import from_pyhf
from autodiff_tutorial.hep_fits.intervals import Contour, Interval, contour, interval
from autodiff_tutorial.hep_fits.likelihoods import Likelihood
from autodiff_tutorial.hep_fits.limits import HypoTest, UpperLimit, hypotest, upper_limit
from autodiff_tutorial.hep_fits.scans import Impacts, impacts, profile

__all__ = [
    "Contour",
    "FitResult",
    "HypoTest",
    "Impacts",
    "Interval",
    "Likelihood",
    "UpperLimit",
    "contour",
    "fit",
    "from_pyhf",
    "hypotest",
    "impacts",
    "interval",
    "profile",
    "upper_limit",
]
