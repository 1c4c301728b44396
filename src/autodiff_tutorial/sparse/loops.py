"""Loops: one step as a Boolean matrix, and what many steps make of it."""

import numpy as np
import scipy.sparse as sp

from autodiff_tutorial.sparse.dependence import closed, from_matrix, identity


class Body:
    """One step of a loop, as the matrix of what comes out of it by what goes in.

    Parameters
    ----------
    run : callable
        Takes a list of dependences, one an input, and returns a list of those of the outputs, and whether it missed
        values that differ from step to step.
    jaxpr : ClosedJaxpr
        The step: constants, what is carried and what is scanned go in, what is carried and results come out.
    ins : list of Dependence or None
        Of the loop. What is carried may come to depend on something in a later step than the first.
    """

    def __init__(self, run, jaxpr, ins, num_consts, num_carry):
        variables = jaxpr.jaxpr.invars
        edges = np.cumsum([0, *(v.aval.size for v in variables)])
        whole = identity(int(edges[-1]))
        parts = [
            whole.moved(lambda layer, i=i, v=v: layer[edges[i] : edges[i + 1]].reshape(v.aval.shape))
            for i, v in enumerate(variables)
        ]
        self._carry, self._first = (
            slice(num_consts, num_consts + num_carry),
            edges[[num_consts, num_consts + num_carry]],
        )
        reached = [d is not None for d in ins]
        while True:
            outs, self.missed = run([part if r else None for part, r in zip(parts, reached, strict=True)])
            before, after = reached[self._carry], [d is not None for d in outs[:num_carry]]
            reached[self._carry] = [b or a for b, a in zip(before, after, strict=True)]
            if reached[self._carry] == before:
                break
        self._num_carry = num_carry
        self._variables, self._outputs = variables, [v.aval for v in jaxpr.jaxpr.outvars]
        self._step = _matrix(outs, [aval.size for aval in self._outputs], edges[-1])

    def scanned(self, ins, length, reverse):
        """Return what the outputs depend on after a loop of given length over what is scanned."""
        consts, carry, xs = self._inputs(ins, length)
        (first, last), count = self._first, sum(aval.size for aval in self._outputs[: self._num_carry])
        eye = sp.eye_array(length, dtype=bool, format="csr")
        always = self._step[:, :first] @ consts
        arriving = sp.kron(eye, self._step[:count, last:], format="csr") @ xs
        states = [None] * length
        for t in range(length)[:: -1 if reverse else 1]:
            states[t] = carry
            carry = self._step[:count, first:last] @ carry + arriving[t * count : (t + 1) * count] + always[:count]
        ys = (
            sp.kron(eye, self._step[count:, first:last], format="csr") @ sp.vstack(states, format="csr", dtype=bool)
            + sp.kron(eye, self._step[count:, last:], format="csr") @ xs
            + sp.vstack([always[count:]] * length, format="csr", dtype=bool)
        )
        carried, results = self._outputs[: self._num_carry], self._outputs[self._num_carry :]
        return _split(carry, [aval.shape for aval in carried]) + _split(ys, [aval.shape for aval in results], length)

    def repeated(self, ins):
        """Return what is carried depends on after any number of steps."""
        consts, carry, _ = self._inputs(ins, 0)
        first, last = self._first
        start = from_matrix(carry + self._step[:, :first] @ consts, (carry.shape[0],))
        found = closed(start, self._step[:, first:last])
        return _split(found.as_matrix(), [aval.shape for aval in self._outputs])

    def _inputs(self, ins, length):
        """Return constants, what is carried, and what is scanned step by step, as matrices."""
        width = next(d.sets.shape[1] for d in ins if d is not None)
        sizes, edge = [v.aval.size for v in self._variables], self._carry
        consts, carry = (_matrix(ins[part], sizes[part], width) for part in (slice(0, edge.start), edge))
        sizes = sizes[edge.stop :]
        xs = _matrix(ins[edge.stop :], [length * size for size in sizes], width)
        first = length * np.cumsum([0, *sizes])
        steps = [at + np.arange(length * size).reshape(length, size) for at, size in zip(first, sizes, strict=False)]
        return consts, carry, xs[np.concatenate(steps, axis=1).ravel()] if sizes else xs


def stacked(dependences):
    """Return the dependence of arrays stacked along a new first axis; None where none depends on anything."""
    found = [d for d in dependences if d is not None]
    if not found:
        return None
    width, shape = found[0].sets.shape[1], found[0].shape
    rows = _matrix(dependences, [int(np.prod(shape))] * len(dependences), width)
    return from_matrix(rows, (len(dependences), *shape))


def _matrix(dependences, sizes, width):
    """Return the sets of several arrays, one below the other."""
    empty = sp.csr_array((0, width), dtype=bool)
    rows = [
        sp.csr_array((size, width), dtype=bool) if d is None else d.as_matrix()
        for d, size in zip(dependences, sizes, strict=True)
    ]
    return sp.vstack([empty, *rows], format="csr", dtype=bool)


def _split(matrix, shapes, length=None):
    """Cut rows into arrays, for each of `length` steps if given."""
    lead = () if length is None else (length,)
    edges = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    whole = from_matrix(matrix, (*lead, int(edges[-1])))
    parts = [
        whole.moved(lambda layer, a=a, b=b, s=s: layer[..., a:b].reshape((*lead, *s)))
        for a, b, s in zip(edges, edges[1:], shapes, strict=False)
    ]
    filled = np.diff(whole.sets.indptr) > 0
    return [part if filled[part.layers[0]].any() else None for part in parts]
