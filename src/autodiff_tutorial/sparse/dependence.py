"""Which inputs every element of an array depends on: sets of inputs, as rows of a Boolean sparse matrix.

It knows nothing of programs: only how such sets are moved, united and closed.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

# Known matrices and kernels with zeros are followed zero by zero while that needs no more entries than this.
ENTRIES = 50_000_000

# Beyond so many sets an element, they are united.
_LAYERS = 8


class Dependence(NamedTuple):
    """The inputs that the elements of an array depend on.

    An element depends on the union of the sets that it points to, one a layer.

    Attributes
    ----------
    sets : csr_array of bool, shape (k, n)
        Each row is a set of inputs; row 0 is the empty set.
    layers : tuple of arrays of int
        Each of the shape of the array: the rows that its elements point to. Where an array is moved, sliced or
        broadcast, so are its layers, and the sets stay as they are.
    """

    sets: sp.csr_array
    layers: tuple[np.ndarray, ...]

    @property
    def shape(self):
        return self.layers[0].shape

    def moved(self, move):
        """Apply a function of one array, such as a transposition, to every layer."""
        return Dependence(self.sets, tuple(move(layer) for layer in self.layers))

    def as_matrix(self):
        """Return the sets of all elements, raveled, as a matrix of shape (size, n)."""
        pointers = np.stack([layer.ravel() for layer in self.layers], axis=1)
        return _rows(pointers, self.sets.shape[0]) @ self.sets


def identity(size):
    """Return the dependence of a vector of inputs on itself."""
    return from_matrix(sp.eye_array(size, dtype=bool, format="csr"), (size,))


def from_matrix(matrix, shape):
    """Return the dependence whose elements, raveled, have the rows of a matrix."""
    empty = sp.csr_array((1, matrix.shape[1]), dtype=bool)
    sets = sp.vstack([empty, matrix], format="csr", dtype=bool)
    return Dependence(sets, (np.arange(1, matrix.shape[0] + 1, dtype=np.int32).reshape(shape),))


def aligned(dependences):
    """Return dependences that point into one and the same table of sets."""
    tables = {id(d.sets): d.sets for d in dependences}
    if len(tables) == 1:
        return dependences
    first_rows = dict(zip(tables, np.cumsum([0] + [t.shape[0] for t in tables.values()]), strict=False))
    table = sp.vstack(list(tables.values()), format="csr", dtype=bool)
    # A pointer to the empty set of one table goes on pointing to it.
    return [
        Dependence(table, tuple(layer + np.int32(first_rows[id(d.sets)]) for layer in d.layers)) for d in dependences
    ]


def union(dependences, shape):
    """Return, element by element, the union of dependences, broadcast to a shape; None for no dependence at all."""
    dependences = [d.moved(lambda layer: np.broadcast_to(layer, shape)) for d in dependences if d is not None]
    if len(dependences) < 2:
        return dependences[0] if dependences else None
    dependences = aligned(dependences)
    layers = []
    for layer in (layer for d in dependences for layer in d.layers):
        if not any(layer is other or np.array_equal(layer, other) for other in layers):
            layers.append(layer)
    found = Dependence(dependences[0].sets, tuple(layers))
    return found if len(layers) <= _LAYERS else from_matrix(found.as_matrix(), shape)


def gathered(dependence, positions, shape):
    """Return the dependence whose element i has the union of the elements at positions[i], of shape (size, count).

    Positions count the raveled elements from 0; -1 stands for none.
    """
    pointers = [np.append(layer.ravel(), 0)[positions] for layer in dependence.layers]
    if positions.shape[1] == 1:
        return Dependence(dependence.sets, tuple(p.reshape(shape) for p in pointers))
    pick = _rows(np.concatenate(pointers, axis=1), dependence.sets.shape[0])
    return from_matrix(pick @ dependence.sets, shape)


def scattered(dependence, targets, sources, shape):
    """Return the dependence of an array to whose elements `targets` the elements `sources` are added."""
    size = int(np.prod(shape))
    picks = [
        sp.csr_array((np.ones(len(targets), bool), (targets, layer.ravel()[sources])), (size, dependence.sets.shape[0]))
        for layer in dependence.layers
    ]
    return from_matrix(sum(picks[1:], start=picks[0]) @ dependence.sets, shape)


def united(dependence, axes):
    """Return the dependence of a sum over axes, which stay with length 1."""
    axes = tuple(axes)
    if not axes or dependence is None:
        return dependence
    kept = [axis for axis in range(len(dependence.shape)) if axis not in axes]
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(dependence.shape))
    count = int(np.prod([dependence.shape[axis] for axis in axes]))
    if count == 1:
        return dependence
    order = (*kept, *axes)
    pointers = [layer.transpose(order).reshape(-1, count) for layer in dependence.layers]
    if all((p == p[:, :1]).all() for p in pointers):
        return Dependence(dependence.sets, tuple(p[:, 0].reshape(shape) for p in pointers))
    pick = _rows(np.concatenate(pointers, axis=1), dependence.sets.shape[0])
    return from_matrix(pick @ dependence.sets, shape)


def merged(dependences, shape):
    """Return the dependence of an array, each of whose elements depends on all that any of the others depends on."""
    alone = [
        united(d, range(len(d.shape))).moved(lambda layer: layer.reshape(())) for d in dependences if d is not None
    ]
    return union(alone, shape)


def closed(dependence, relation):
    """Return the dependence of a vector after any number of steps, each of which follows a relation, or none.

    Element i of a step depends on the elements j with relation[i, j]. Elements that reach each other are one class;
    squaring the relation of the classes k times adds the paths of up to 2^k steps.
    """
    count, label = connected_components(relation, directed=True, connection="strong")
    size = relation.shape[0]
    member = sp.csr_array((np.ones(size, bool), (label, np.arange(size))), (count, size))
    reached = (member @ relation @ member.T).astype(bool) + sp.eye_array(count, dtype=bool, format="csr")
    while True:
        further = reached @ reached
        if further.nnz == reached.nnz:
            break
        reached = further
    return gathered(from_matrix(reached @ (member @ dependence.as_matrix()), (count,)), label[:, None], (size,))


def _rows(pointers, width):
    """Return the Boolean matrix that picks, for each row of an array of pointers, the rows they point to."""
    size, count = pointers.shape
    start = np.arange(0, size * count + 1, count)
    return sp.csr_array((np.ones(size * count, bool), pointers.ravel(), start), (size, width))
