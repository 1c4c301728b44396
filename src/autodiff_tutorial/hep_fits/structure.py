"""Hessians that are block diagonal but for a border: their products with few vectors, and systems with them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from autodiff_tutorial.hep_fits.modifiers import INDEX
from autodiff_tutorial.sparse import color
from autodiff_tutorial.sparse.compression import unfused

# As many products are written out one by one; more of them take long to compile.
_WRITTEN_OUT = 16


class Structure:
    r"""Where a Hessian of p by p has entries, and how systems with it are solved.

    The parameters of one bin meet those of others only through a few that all bins share. With these last,

    .. math:: H = \begin{pmatrix} D & B \\ B^T & C \end{pmatrix},

    where D falls into blocks, and the Schur complement :math:`C - B^T D^{-1} B` is small. A Hessian is kept as its
    products with seeds, one below the other: shape (seeds p, ...). All further axes are lanes, one Hessian each.

    Parameters
    ----------
    seeds : array, shape (seeds, p)
        What the Hessian is multiplied by.
    places : array of int, shape (p, p)
        Where among the products an entry stands; seeds p where there is none.
    """

    def __init__(self, seeds, places):
        self.seeds, self.size = np.asarray(seeds, float), len(places)
        pattern = places < self.seeds.size
        self._upper = tuple(index.astype(INDEX) for index in np.nonzero(np.triu(pattern)))
        self.places = np.pad(places, (0, 1), constant_values=self.seeds.size).astype(INDEX)
        self.border, self.blocks = (index.astype(INDEX) for index in _parted(pattern))
        self._position = np.argsort(np.append(self.blocks, self.border))[: self.size].astype(INDEX)

    def products(self, hvp, y):
        """Return a Hessian, from a function that multiplies with it."""
        seeds = jnp.asarray(self.seeds, y.dtype).reshape(self.seeds.shape + (1,) * (y.ndim - 1))
        seeds = unfused(jnp.broadcast_to(seeds, (len(seeds), *y.shape)))
        # One after the other, what lanes need stays in the processor's cache.
        if y.ndim > 1 and len(seeds) <= _WRITTEN_OUT:
            return jnp.concatenate([hvp(seed) for seed in seeds])
        return jax.vmap(hvp)(seeds).reshape(self.seeds.size, *y.shape[1:])

    def diagonal(self, hessian):
        return hessian[np.diagonal(self.places)[:-1]]

    def matrix(self, hessian):
        """Write a Hessian out: shape (p, p, ...)."""
        return self._read(hessian, self.places[:-1, :-1])

    def quadratic(self, hessian, x):
        """Return x^T H x."""
        rows, cols = self._upper
        weighted = hessian[self.places[self._upper]] * _like(np.where(rows == cols, 1, 2), hessian)
        return jnp.sum(weighted * x[rows] * x[cols], axis=0)

    def solve(self, hessian, free, right, damping=0.0):
        """Solve for the free parameters with a Hessian damped on its diagonal; return the least scaled pivot as well.

        There are as many solutions as columns on the right: shape (p, columns, ...).
        """
        scales = self._scales(hessian, free)
        right = scales[:, None] * right
        of_blocks = jnp.swapaxes(_padded(right, 0)[self.blocks], 1, 2)
        B, X, X_right, S, least = self._reduced(hessian, free, scales, damping, of_blocks)
        right = right[self.border] - jnp.sum(B[:, :, None] * X_right[:, None], axis=(0, 3))
        found, of_border = eliminate(S, right)
        inner = X_right - jnp.sum(X[:, :, None] * found[:, :, None], axis=1)
        inner = jnp.moveaxis(inner, 1, 2).reshape(-1, *found.shape[1:])
        found = jnp.concatenate([inner, found])[self._position]
        return scales[:, None] * found, jnp.minimum(least, of_border)

    def variances(self, hessian, free, slope):
        """Return the diagonal of the inverse, with zeros for what is not free; NaN if it is singular."""
        scales = self._scales(hessian, free)
        s, m = len(self.blocks), len(self.border)
        ones = jnp.broadcast_to(_eye(s, hessian)[:, :, None], (s, s, self.blocks.shape[1], *hessian.shape[1:]))
        _, X, inner, S, least = self._reduced(hessian, free, scales, 0.0, ones)
        found, of_border = eliminate(S, jnp.broadcast_to(_eye(m, hessian), (m, m, *hessian.shape[1:])))
        through = jnp.sum(X[:, :, None] * found[:, :, None] * X[:, None], axis=(1, 2))
        inner, border = (jnp.moveaxis(jnp.diagonal(part), -1, 0) for part in (inner, found))
        inner = (inner + through).reshape(-1, *border.shape[1:])
        found = jnp.concatenate([inner, border])[self._position]
        sound = jnp.minimum(least, of_border) > flat(hessian, self.size, slope)
        return jnp.where(sound, scales**2 * found, jnp.nan)

    def _read(self, hessian, places):
        """Return the entries at places, 0 where there are none."""
        here = places < len(hessian)
        found = hessian[np.minimum(places, len(hessian) - 1)]
        return found if here.all() else found * _like(here, hessian)

    def _scales(self, hessian, free):
        """Return what makes the diagonal 1 for what is free, and leaves out the others."""
        return jnp.where(free, 1 / jnp.sqrt(curvatures(self.diagonal(hessian))), 0)

    def _reduced(self, hessian, free, scales, damping, right):
        """Eliminate the blocks; return B, D^-1 B, D^-1 right, the Schur complement, and the least pivot."""
        # What is positive semidefinite stays so under rounding.
        damping = damping + 10 * self.size * jnp.finfo(hessian.dtype).eps
        diagonal = _padded(jnp.where(free, damping, 1).astype(hessian.dtype), 1)
        inner, outer = _padded(scales, 0)[self.blocks], scales[self.border]
        own = self.places[self.blocks[:, None], self.blocks]
        cross = self.places[self.blocks[:, None], self.border[:, None]]
        D = (
            self._read(hessian, own) * inner[:, None] * inner
            + _eye(len(own), hessian)[:, :, None] * diagonal[self.blocks]
        )
        B = self._read(hessian, cross) * inner[:, None] * outer[:, None]
        C = self._read(hessian, self.places[np.ix_(self.border, self.border)]) * outer[:, None] * outer
        C += _eye(len(C), hessian) * diagonal[self.border]
        found, least = eliminate(D, jnp.concatenate([B, right], axis=1))
        X = found[:, : len(C)]
        S = C - jnp.sum(B[:, :, None] * X[:, None], axis=(0, 3))
        return B, X, found[:, len(C) :], S, jnp.min(least, axis=0, initial=jnp.inf)


@functools.lru_cache(maxsize=64)
def dense(size) -> Structure:
    """Return the structure of a Hessian of which nothing is known."""
    return Structure(np.eye(size), np.arange(size**2).reshape(size, size))


def structured(pattern) -> Structure:
    """Return the structure of Hessians with a pattern, with as few seeds as `sparse.color` finds."""
    # A parameter that is linear has a diagonal all the same, of zero.
    coloring = color(sp.csr_array(pattern, dtype=bool) + sp.eye_array(pattern.shape[0], dtype=bool), mode="symmetric")
    seeds = np.asarray(coloring.column_colors) == np.arange(coloring.num_colors)[:, None]
    places = np.full(coloring.shape, seeds.size)
    places[coloring.rows, coloring.cols] = coloring.color * len(places) + coloring.position
    return Structure(seeds, places)


def flat(hessian, size, slope):
    """Return the scaled pivot up to which a direction counts as open: from rounding, or from a slope that is left."""
    return jnp.maximum(100 * size * jnp.finfo(hessian.dtype).eps, jnp.minimum(slope, 1e-6))


def curvatures(diagonal):
    """Return the scale of each row of a Hessian: its diagonal, where that is no number to scale with, 1."""
    diagonal = abs(diagonal)
    return jnp.where(diagonal > 0, diagonal, 1)


def eliminate(A, B):
    """Solve A X = B without exchanging rows, as a positive definite A allows; return X and the least pivot.

    In place of LAPACK, whose calls for batches can wait for each other forever where JAX runs several at once on few
    cores. All axes but the first two are lanes.
    """
    n = len(A)
    rows = np.arange(n).reshape(n, *(1,) * (A.ndim - 1))

    def step(k, state):
        M, least = state
        pivot = M[k, k]
        row = M[k] / pivot
        return jnp.where(rows == k, row, M - M[:, k, None] * row), jnp.minimum(least, pivot)

    state = jnp.concatenate([A, B], axis=1), jnp.full(A.shape[2:], jnp.inf, A.dtype)
    if n <= 3:
        for k in range(n):
            state = step(k, state)
    else:
        state = jax.lax.fori_loop(0, n, step, state)
    return state[0][:, n:], state[1]


def _parted(pattern):
    """Return the parameters of the border, and those of the blocks, (largest block, blocks), padded with p.

    Those that meet most others go to the border, as many as make the arithmetic least.
    """
    n = len(pattern)
    by_degree = np.argsort(-np.sum(pattern, axis=1), kind="stable")

    def parts(m):
        rest = np.sort(by_degree[m:])
        count, label = connected_components(pattern[np.ix_(rest, rest)], directed=False)
        return [rest[label == k] for k in range(count)]

    def cost(m):
        sizes = np.array([len(part) for part in parts(m)])
        largest = np.max(sizes, initial=0)
        return m**3 / 3 + len(sizes) * largest * (largest + m) ** 2

    m = n if pattern.all() else min(range(n + 1), key=cost)
    found = parts(m)
    blocks = np.full((max(map(len, found), default=0), len(found)), n)
    for k, part in enumerate(found):
        blocks[: len(part), k] = part
    return np.sort(by_degree[:m]), blocks


def _padded(a, value):
    return jnp.concatenate([a, jnp.full((1, *a.shape[1:]), value, a.dtype)])


def _like(table, hessian):
    """Return a table in the dtype of a Hessian, with an axis of length 1 for each axis of lanes."""
    return jnp.asarray(table, hessian.dtype).reshape(table.shape + (1,) * (hessian.ndim - 1))


def _eye(n, hessian):
    return _like(np.eye(n), hessian)
