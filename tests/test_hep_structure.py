"""Hessians with a structure: products, systems and variances are those of the matrix, in each lane by itself."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from programs import quick_jit

from autodiff_tutorial.hep_fits.structure import dense, structured

LANES = 3


def problem(n, density, seed):
    """Return a pattern, positive definite matrices with it, one a lane, which parameters are free, and right sides."""
    rng = np.random.default_rng(seed)
    pattern = rng.random((n, n)) < density
    pattern |= pattern.T | np.eye(n, dtype=bool)
    A = np.where(pattern, rng.normal(size=(n, n)), 0)
    A += A.T
    A += np.diag(abs(A).sum(axis=1) + 0.1)
    scale = 10.0 ** rng.integers(-3, 4, n)
    matrices = (A * scale * scale[:, None])[..., None] * np.arange(1, LANES + 1)
    return pattern, matrices, rng.random((n, LANES)) < 0.7, rng.normal(size=(n, 2, LANES))


def compressed(structure, matrices):
    lanes = jnp.moveaxis(matrices, -1, 0)
    return jnp.stack([structure.products(lambda v, A=A: A @ v, jnp.zeros(len(A))) for A in lanes], axis=-1)


@functools.cache
def everything(structure):
    """Return all that a structure does as one program of matrices, what is free, and right sides."""

    def program(matrices, free, right):
        H = compressed(structure, matrices)
        of_matrix = structure.matrix(H), structure.diagonal(H), structure.quadratic(H, right[:, 0])
        return *of_matrix, *structure.solve(H, free, right), structure.variances(H, free, 0.0)

    return quick_jit(program)


@settings(max_examples=12)
@given(st.sampled_from([1, 4, 9]), st.sampled_from([0.0, 0.05, 0.2, 1.0]), st.integers(0, 999), st.booleans())
@example(9, 0.05, 0, True)  # a border of two
@example(9, 0.05, 1, True)  # a border of one, and blocks of two
def test_all_is_as_with_the_matrix(n, density, seed, known):
    pattern, matrices, free, right = problem(n, density, seed)
    structure = structured(sp.csr_array(pattern)) if known else dense(n)
    H, diagonal, quadratic, found, least, variances = everything(structure)(matrices, free, right)
    x = right[:, 0]
    assert np.allclose(H, matrices, rtol=1e-12)
    assert np.allclose(diagonal, np.einsum("iik->ik", matrices))
    assert np.allclose(quadratic, np.einsum("ik,ijk,jk->k", x, matrices, x))
    for k in range(LANES):
        inside = np.flatnonzero(free[:, k])
        A = matrices[np.ix_(inside, inside, [k])][..., 0]
        expected, of_inverse = np.zeros((n, 2)), np.zeros(n)
        expected[inside] = np.linalg.solve(A, right[inside, :, k])
        of_inverse[inside] = np.diagonal(np.linalg.inv(A))
        assert np.allclose(found[..., k], expected, rtol=1e-7)
        assert np.allclose(variances[:, k], of_inverse, rtol=1e-7)
    assert np.all(least > 0)


def arrow(n):
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    return pattern


def pairs(bins):
    """Return the pattern of a signal strength and two parameters in each bin."""
    pattern = arrow(1 + 2 * bins)
    for k in range(bins):
        pattern[1 + k, 1 + bins + k] = pattern[1 + bins + k, 1 + k] = True
    return pattern


@pytest.mark.parametrize(
    "pattern, border, blocks, seeds",
    [
        (arrow(50), 1, (1, 49), 2),
        (pairs(20), 1, (2, 20), 3),
        (np.eye(7), 0, (1, 7), 1),
        (np.ones((5, 5)), 5, (0, 0), 5),
    ],
    ids=["arrow", "pairs", "diagonal", "dense"],
)
def test_what_all_share_is_the_border(pattern, border, blocks, seeds):
    structure = structured(sp.csr_array(np.asarray(pattern, bool)))
    assert (len(structure.border), structure.blocks.shape, len(structure.seeds)) == (border, blocks, seeds)


def test_what_is_not_positive_definite_is_told():
    structure = structured(sp.csr_array(arrow(4)))
    A = np.eye(4)[..., None] * np.ones(LANES)
    A[0, 1, 1] = A[1, 0, 1] = 2.0  # indefinite
    A[0, 1, 2] = A[1, 0, 2] = 1.0  # singular
    H, free = compressed(structure, A), jnp.ones((4, LANES), bool)
    least = structure.solve(H, free, jnp.zeros((4, 1, LANES)))[1]
    assert least[0] > 0.9
    assert least[1] < 0
    assert abs(least[2]) < 1e-13
    assert np.array_equal(np.isnan(structure.variances(H, free, 0.0)).all(axis=0), [False, True, True])
    # Damped enough, all are.
    assert np.all(structure.solve(H, free, jnp.zeros((4, 1, LANES)), 3.0)[1] > 0)
