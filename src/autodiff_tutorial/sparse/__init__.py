"""Sparse derivatives: which entries there are, which columns may share a product, and the matrix from few products.

Detection, coloring, evaluation and decompression are stages, each of which can be called alone. The module knows JAX's
programs only as lists of operations, and matrices only by their patterns; it differentiates nothing by itself.
"""

from autodiff_tutorial.sparse.coloring import Coloring, from_colors
from autodiff_tutorial.sparse.compression import compress, decompress
from autodiff_tutorial.sparse.detection import hessian_pattern, pattern
from autodiff_tutorial.sparse.evaluation import hessian, jacobian
from autodiff_tutorial.sparse.search import color

__all__ = [
    "Coloring",
    "color",
    "compress",
    "decompress",
    "from_colors",
    "hessian",
    "hessian_pattern",
    "jacobian",
    "pattern",
]
