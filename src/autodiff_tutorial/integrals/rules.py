"""Quadrature rules on (-1, 1): nodes, weights, and the weights of a coarser rule at the same nodes."""

import functools
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre


class Rule(NamedTuple):
    """A rule on (-1, 1), its nodes given by their distances from both ends, which stay exact where a node is near one.

    Attributes
    ----------
    left, right : array, shape (n,)
        Distances of the nodes from -1 and from 1; they add up to 2.
    weights, coarse : array, shape (n,)
        Weights of the rule, and of a coarser one, whose difference tells the error.
    """

    left: np.ndarray
    right: np.ndarray
    weights: np.ndarray
    coarse: np.ndarray


@functools.cache
def gauss_legendre(n: int) -> Rule:
    """Return the rule of n nodes that is exact to degree 2n - 1; the coarser one is so to degree n - 3."""
    nodes, weights = legendre.leggauss(n)
    # The last two coefficients of a Legendre series, in the place of what a coarser rule would miss.
    last = legendre.legvander(nodes, n - 1)[:, -2:] @ np.array([n - 1.5, n - 0.5])
    return Rule(1 + nodes, 1 - nodes, weights, weights * (1 - last))


@functools.cache
def gauss_kronrod(n: int) -> Rule:
    """Return the Gauss rule of (n - 1) / 2 nodes with Kronrod's (n + 1) / 2 between them."""
    k = n // 2
    gauss, gauss_weights = legendre.leggauss(k)
    # Kronrod's nodes are the roots of the polynomial E of degree k + 1 with integral E P_k P_i = 0 for i <= k
    # (Stieltjes). In a Legendre series of its parity, that is a system of equations, and odd i say it all.
    x, w = legendre.leggauss(2 * k + 2)
    P = legendre.legvander(x, k + 1)
    known, degrees = P[:, k + 1], np.arange(k - 1, -1, -2)
    tests = (w * P[:, k])[:, None] * P[:, 1 : k + 1 : 2]
    series = np.zeros(k + 2)
    series[k + 1] = 1
    series[degrees] = np.linalg.solve(tests.T @ P[:, degrees], -tests.T @ known)
    between = legendre.legroots(series).real
    slope = legendre.legder(series)
    between -= legendre.legval(between, series) / legendre.legval(between, slope)
    nodes = np.sort(np.concatenate([gauss, between]))
    nodes = (nodes - nodes[::-1]) / 2
    # The weights integrate all polynomials up to degree n - 1.
    weights = np.linalg.solve(legendre.legvander(nodes, n - 1).T, 2.0 * (np.arange(n) == 0))
    coarse = np.zeros(n)
    coarse[1::2] = gauss_weights
    return Rule(1 + nodes, 1 - nodes, (weights + weights[::-1]) / 2, coarse)


@functools.cache
def tanh_sinh(n: int, nearest: float) -> Rule:
    """Return the trapezoidal rule after x = tanh(pi/2 sinh s), out to a distance from the ends; half the step is finer.

    Takahasi and Mori (1974), Double exponential formulas for numerical integration, Publ. RIMS 9, 721-741.
    """
    reach = np.arcsinh(np.log(2 / nearest) / np.pi)
    s, step = np.linspace(-reach, reach, n, retstep=True)
    left, right = 2 / (1 + np.exp(-np.pi * np.sinh(s))), 2 / (1 + np.exp(np.pi * np.sinh(s)))
    weights = step * np.pi / 2 * np.cosh(s) * left * right
    every_second = np.where((np.arange(n) - n // 2) % 2 == 0, 2.0, 0.0)
    return Rule(left, right, weights, every_second * weights)
