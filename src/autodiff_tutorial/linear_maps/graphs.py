"""Linear maps written as graphs: nodes that add up what comes along weighted edges."""

from collections.abc import Hashable, Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.linear_maps.checking import is_real_number


class Graph:
    r"""A directed acyclic graph with weights on its edges, read as a linear map from its inputs to its outputs.

    Pushed forward, the value of a node is the sum of weight times value over its *upstream* nodes. Pulled back, it is
    that sum over its *downstream* nodes. The entry (i, j) of the matrix is the sum, over all paths from input j to
    output i, of the product of the weights along the path; ``pull`` applies the transposed matrix. One push or pull
    passes each edge once, however many paths there are.

    Parameters
    ----------
    edges : iterable of (node, node, weight)
        Where an edge begins, where it ends, and its weight, a real number (traced by JAX, if you like). Nodes are named
        by anything hashable. Parallel edges add.
    inputs, outputs : sequence of nodes, optional
        By default the nodes where no edge ends, and those where none begins, in the order in which they first appear.
        Name them to fix the order, or to ask for inner nodes: what is put into an inner node comes on top of
        what reaches it, and inputs that are not named are zero.

    Attributes
    ----------
    edges : tuple of (node, node, weight)
        As they were given.
    inputs, outputs : tuple of nodes
        In the order of the matrix's columns and of its rows.
    shape : tuple of int
        (m, n), the number of outputs and of inputs.

    Raises
    ------
    TypeError
        If an edge is no triple, a node is not hashable, or a weight is no real number.
    ValueError
        If there is no edge, or a cycle, or `inputs` or `outputs` are not different nodes of the graph.

    Examples
    --------
    >>> graph = Graph([("x", "y", 2.0), ("y", "z", 3.0), ("x", "z", 1.0)])
    >>> print(graph.push([10.0]), graph.pull([10.0]), graph.as_matrix())
    [70.] [70.] [[7.]]
    """

    def __init__(
        self,
        edges: Iterable[tuple[Hashable, Hashable, ArrayLike]],
        *,
        inputs: Iterable[Hashable] | None = None,
        outputs: Iterable[Hashable] | None = None,
    ):
        self.edges = tuple(_checked_edge(i, edge) for i, edge in enumerate(edges))
        if not self.edges:
            raise ValueError("`linear_maps.Graph(edges=...)` should have at least one edge. Got none.")
        nodes = list(dict.fromkeys(node for tail, head, _ in self.edges for node in (tail, head)))
        self._index = {node: i for i, node in enumerate(nodes)}
        leaving: list[list[tuple]] = [[] for _ in nodes]
        arriving = [0] * len(nodes)
        for tail, head, weight in self.edges:
            weight = weight if isinstance(weight, jax.core.Tracer) else float(weight)
            leaving[self._index[tail]].append((self._index[head], weight))
            arriving[self._index[head]] += 1
        sources = [node for node, count in zip(nodes, arriving, strict=True) if count == 0]
        sinks = [node for node, edges in zip(nodes, leaving, strict=True) if not edges]
        self._forward = [(i, j, weight) for i in _sorted(nodes, leaving, arriving) for j, weight in leaving[i]]
        self.inputs = tuple(sources) if inputs is None else self._checked_nodes("inputs", inputs)
        self.outputs = tuple(sinks) if outputs is None else self._checked_nodes("outputs", outputs)
        self.shape = len(self.outputs), len(self.inputs)

    def push(self, inputs: ArrayLike | Mapping) -> jax.Array:
        """Push values forward: each node adds up weight times value over its upstream nodes.

        Parameters
        ----------
        inputs : array_like, shape (n,), or mapping of node to number
            The values of the inputs.

        Returns
        -------
        array, shape (m,)
            The values of the outputs.

        Raises
        ------
        ValueError
            If there is not one number for each input.

        Notes
        -----
        Numbers are added in float64 on the host; traced ones, as under `jax.jit`, one operation an edge.

        Examples
        --------
        >>> Graph([("a", "c", 2.0), ("b", "c", -1.0)]).push({"a": 3.0, "b": 1.0})
        Array([5.], ...)
        """
        return self._swept("push", "inputs", inputs, self.inputs, self._forward, self.outputs)

    def pull(self, outputs: ArrayLike | Mapping) -> jax.Array:
        """Pull values back: each node adds up weight times value over its downstream nodes.

        Parameters
        ----------
        outputs : array_like, shape (m,), or mapping of node to number
            The values of the outputs.

        Returns
        -------
        array, shape (n,)
            The values of the inputs.

        Raises
        ------
        ValueError
            If there is not one number for each output.

        Examples
        --------
        >>> Graph([("a", "c", 2.0), ("b", "c", -1.0)]).pull({"c": 3.0})
        Array([ 6., -3.], ...)
        """
        backward = ((j, i, weight) for i, j, weight in reversed(self._forward))
        return self._swept("pull", "outputs", outputs, self.outputs, backward, self.inputs)

    def as_matrix(self) -> jax.Array:
        """Write the graph out as a matrix: n pushes by columns, or m pulls by rows, whichever is fewer.

        Returns
        -------
        array, shape (m, n)

        Examples
        --------
        >>> print(Graph([("a", "c", 2.0), ("b", "c", -1.0)]).as_matrix())
        [[ 2. -1.]]
        """
        m, n = self.shape
        if n <= m:
            return jnp.stack([self.push(e) for e in np.eye(n)], axis=1)
        return jnp.stack([self.pull(e) for e in np.eye(m)])

    def _swept(self, call, name, given, start, edges, end):
        """Set the nodes `start`, pass the edges in order, and read the nodes `end`."""
        if isinstance(given, Mapping):
            if given.keys() != set(start):
                raise ValueError(
                    f"`Graph.{call}({name}=...)` should have one number for each of {_listed(start)}. "
                    f"Got {_listed(given)}."
                )
            given = [given[node] for node in start]
        dtype = None
        if isinstance(given, jax.Array):
            dtype, given = given.dtype, given if isinstance(given, jax.core.Tracer) else np.asarray(given)
        given = list(given) if np.iterable(given) else [given]
        shape = next((np.shape(value) for value in given if np.shape(value)), ())
        if len(given) != len(start) or shape:
            raise ValueError(
                f"`Graph.{call}({name}=...)` should have one number for each of the {len(start)} {name}. "
                f"Got {f'an entry of shape {shape}' if shape else len(given)}."
            )
        if not all(is_real_number(value) for value in given):
            raise TypeError(f"`Graph.{call}({name}=...)` should have real numbers. Got {_listed(given)}.")
        dtype = jnp.result_type(float, *given) if dtype is None else jnp.result_type(float, dtype)

        def widened(number):
            """Return a number in which sums do not overflow as in integers, nor lose digits."""
            traced = isinstance(number, jax.core.Tracer)
            return number.astype(jnp.result_type(dtype, number.dtype)) if traced else float(number)

        values = {self._index[node]: widened(value) for node, value in zip(start, given, strict=True)}
        # Nodes that nothing has reached are left out rather than zero, which spares traced programs their edges.
        for i, j, weight in edges:
            if i in values:
                term = widened(weight) * values[i]
                values[j] = values[j] + term if j in values else term
        found = [values.get(self._index[node], 0.0) for node in end]
        if any(isinstance(value, jax.core.Tracer) for value in found):
            return jnp.stack([jnp.asarray(value, dtype=dtype) for value in found])
        return jnp.asarray(found, dtype=dtype)

    def _checked_nodes(self, name, nodes):
        nodes = tuple(nodes)
        unknown = [node for node in nodes if node not in self._index]
        if unknown or not nodes:
            raise ValueError(
                f"`linear_maps.Graph({name}=...)` should be nodes of the graph. Got {_listed(unknown) or 'none'}."
            )
        if len(set(nodes)) < len(nodes):
            twice = next(node for i, node in enumerate(nodes) if node in nodes[:i])
            raise ValueError(f"`linear_maps.Graph({name}=...)` should name no node twice. Got {twice!r} twice.")
        return nodes


def _listed(nodes):
    """Return names for a message, the first eight of them."""
    names = [repr(node) for node in nodes]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _checked_edge(i, edge):
    call = f"`linear_maps.Graph(edges=...)` should hold triples (from, to, weight). Got, as edge {i},"
    try:
        tail, head, weight = edge
        hash(tail), hash(head)
    except (TypeError, ValueError):
        raise TypeError(f"{call} {edge!r}.") from None
    if not is_real_number(weight):
        raise TypeError(f"{call} the weight {weight!r}, which is no real number.")
    return tail, head, weight


def _sorted(nodes, leaving, arriving):
    """Return the nodes' indices such that edges lead only to later ones; refuse a cycle, and name it."""
    left, order = list(arriving), [i for i, count in enumerate(arriving) if count == 0]
    for i in order:  # grows while it is read
        for j, _ in leaving[i]:
            left[j] -= 1
            if left[j] == 0:
                order.append(j)
    if len(order) < len(nodes):
        raise ValueError(
            "`linear_maps.Graph(edges=...)` should have no cycle. "
            f"Got {' -> '.join(str(nodes[i]) for i in _cycle(leaving, left))}."
        )
    return order


def _cycle(leaving, left):
    """Return a cycle, its first node at both ends, among the nodes that could not be sorted."""
    # Each of them is reached from another of them, so walking upstream has to come back to where it was.
    upstream = {j: i for i, edges in enumerate(leaving) if left[i] for j, _ in edges if left[j]}
    i, seen = next(iter(upstream)), {}
    while i not in seen:
        seen[i] = upstream[i]
        i = upstream[i]
    cycle, j = [i], seen[i]
    while j != i:
        cycle.append(j)
        j = seen[j]
    cycle = [i, *reversed(cycle[1:]), i]
    first = cycle.index(min(cycle))
    return [*cycle[first:-1], *cycle[: first + 1]]
