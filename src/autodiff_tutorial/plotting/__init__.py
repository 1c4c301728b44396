"""The look of the figures, and the drawings that chapters share.

One visual grammar: values (primals) are blue, tangents and forward mode orange, cotangents and reverse mode green;
dashed gray lines are references. Figures are drawn on white; in dark mode the pages invert them.
"""

from autodiff_tutorial.plotting.figures import (
    COTANGENT,
    PRIMAL,
    REFERENCE,
    TANGENT,
    error_curves,
    secant,
    slope_reference,
    slopes_on_grid,
    step_reference,
    use_style,
)
from autodiff_tutorial.plotting.graphs import computation_graph
from autodiff_tutorial.plotting.movies import linkage
from autodiff_tutorial.plotting.sparsity import spy, spy_products
from autodiff_tutorial.plotting.sweeps import steps
from autodiff_tutorial.plotting.timings import growth, stored_timings, timings
from autodiff_tutorial.plotting.weighted import weighted_graph

__all__ = [
    "COTANGENT",
    "PRIMAL",
    "REFERENCE",
    "TANGENT",
    "computation_graph",
    "error_curves",
    "growth",
    "linkage",
    "secant",
    "slope_reference",
    "slopes_on_grid",
    "spy",
    "spy_products",
    "step_reference",
    "steps",
    "stored_timings",
    "timings",
    "use_style",
    "weighted_graph",
]
