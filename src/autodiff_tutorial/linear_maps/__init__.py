"""Linear maps without matrices: apply, transpose, compose, and write out as a matrix only if asked to.

A map is a program that takes a vector and returns one. It comes from a matrix, a linear function, the derivative of
any function at a point, or a graph with weights on its edges. Knows nothing of how derivatives are found: JAX does.
"""

from autodiff_tutorial.linear_maps.graphs import Graph
from autodiff_tutorial.linear_maps.maps import LinearMap
from autodiff_tutorial.linear_maps.sources import from_function, from_matrix, hessian, jacobian

__all__ = ["Graph", "LinearMap", "from_function", "from_matrix", "hessian", "jacobian"]
