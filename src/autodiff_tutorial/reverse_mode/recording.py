"""What a tape holds, for people to read."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from autodiff_tutorial.primitives.boundary import checked_floats
from autodiff_tutorial.primitives.rules import rule_of
from autodiff_tutorial.primitives.tracing import ones_like, plain, shape_of
from autodiff_tutorial.reverse_mode.tape import Input, Node, Operation, Tape, Whole, on_tape, pull


class Step(NamedTuple):
    r"""One step of a computation.

    Attributes
    ----------
    name : str
        Of the input or of the primitive.
    parents : tuple of int
        The steps whose values it uses, in the order of its arguments.
    constants : tuple of (int, value)
        Its other arguments, by position.
    value
        A float or an array.
    tangent
        :math:`\dot v`, where `record` was given tangents; else None.
    adjoint
        :math:`\bar v = \partial y / \partial v`, where the result y is one number; else None.
    partials : tuple of float, or None
        The derivative of the value by each parent, where all these are numbers; else None.
    """

    name: str
    parents: tuple = ()
    constants: tuple = ()
    value: Any = None
    tangent: Any = None
    adjoint: Any = None
    partials: tuple | None = ()


class Graph(NamedTuple):
    """The steps of a computation, parents before children; the result is the last. Printing it lists them."""

    operations: tuple

    def __str__(self):
        names = [f"v{i}" if step.parents else step.name for i, step in enumerate(self.operations)]
        lines = [("", "step", "value", "tangent", "adjoint")]
        for name, step in zip(names, self.operations, strict=True):
            numbers = [_text(x) for x in (step.value, step.tangent, step.adjoint)]
            lines.append((name, _call(step, names), *numbers))
        columns = [column for column in zip(*lines, strict=True) if any(column[1:])]
        widths = [max(map(len, column)) for column in columns]
        rows = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in zip(*columns, strict=True)]
        return "\n".join(rows)


def _call(step, names):
    """Write a step as a call, with the names of its parents and its constants in their places."""
    if not step.parents:
        return "input"
    constants, parents = dict(step.constants), iter(names[p] for p in step.parents)
    n = len(step.parents) + len(constants)
    return f"{step.name}({', '.join(_text(constants[i]) if i in constants else next(parents) for i in range(n))})"


def _text(value):
    if value is None or isinstance(value, str):
        return value or ""
    return f"{float(value):.4g}" if np.shape(value) == () else f"array{np.shape(value)}".replace(",)", ")")


def record(f: Callable, *args: Any, tangents: tuple | None = None) -> Graph:
    r"""Run f once, and return the graph of what it computed.

    Steps that the result does not depend on are left out.

    Parameters
    ----------
    f : callable
        As for `vjp`; returns a number or an array.
    *args : array_like or pytree
        Its arguments, floating point numbers.
    tangents : tuple, optional
        Tangents of the arguments, of the same structure. The graph then holds the tangent of every step.

    Returns
    -------
    Graph
        With the adjoint of every step, if the result is one number.

    Raises
    ------
    TypeError, ValueError
        As `vjp`; also if the result is not one array, or does not depend on the arguments.

    Examples
    --------
    >>> print(record(lambda x1, x2: x1 * x2 + x2, 2.0, 4.0))
        step              value  adjoint
    x1  input             2      4
    x2  input             4      3
    v2  multiply(x1, x2)  8      1
    v3  add(v2, x2)       12     1
    """
    paths, tree = jax.tree_util.tree_flatten_with_path(args)
    names = _names(f, [path for path, _ in paths])
    with Tape() as tape:
        y, leaves = on_tape("reverse_mode.record", f, tape, [leaf for _, leaf in paths], tree)
        entries = tape.entries
    if not isinstance(y, Node) or y.level is not tape:
        raise TypeError(
            f"`reverse_mode.record(f=...)` should return one number or array that depends on the arguments. Got {y!r}."
        )
    bars = pull(entries, [(y.index, ones_like(y))]) if shape_of(y) == () else [None] * len(entries)
    dots = _pushed(entries, len(leaves), tangents)
    kept = sorted(_ancestors(entries, y.index) | set(range(len(leaves))))
    order = {place: i for i, place in enumerate(kept)}
    return Graph(tuple(_step(entries[place], place, names, order, bars, dots) for place in kept))


def _names(f, paths):
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = []
    for path in paths:
        i = path[0].idx
        last = parameters[min(i, len(parameters) - 1)] if parameters else None
        name = f"x{i}" if last is None or last.kind is last.VAR_POSITIONAL else last.name
        names.append(name + jax.tree_util.keystr(path[1:]))
    return names


def _parents(entry):
    return [place for _, place in entry.parents] if isinstance(entry, Operation | Whole) else _place(entry)


def _place(entry):
    return [] if isinstance(entry, Input) else [entry.place]


def _ancestors(entries, place):
    found, waiting = set(), [place]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += _parents(entries[place])
    return found


def _pushed(entries, n, tangents):
    if tangents is None:
        return [None] * len(entries)
    dots = checked_floats("reverse_mode.record(tangents=...)", jax.tree.leaves(tangents))
    if len(dots) != n or any(shape_of(dot) != shape_of(entry.value) for dot, entry in zip(dots, entries, strict=False)):
        raise ValueError("`reverse_mode.record(tangents=...)` should have the structure and shapes of the arguments.")
    for entry in entries[n:]:
        if not isinstance(entry, Operation):
            raise TypeError(
                "`reverse_mode.record(tangents=...)` should be given a function without checkpoint and scan."
            )
        shares = [
            rule_of(entry.primitive, "jvp", i)(dots[place], entry.value, *entry.args, **entry.params)
            for i, place in entry.parents
        ]
        dots.append(sum(shares[1:], start=shares[0]))
    return dots


def _step(entry, place, names, order, bars, dots):
    number = lambda x: None if x is None else float(plain(x)) if shape_of(x) == () else plain(x)  # noqa: E731
    common = {"tangent": number(dots[place]), "adjoint": None}
    if isinstance(entry, Whole):
        return Step(entry.name, tuple(order[p] for p in _parents(entry)), **common, partials=None)
    common |= {"value": number(entry.value), "adjoint": number(bars[place])}
    if isinstance(entry, Input):
        return Step(names[place], **common)
    if not isinstance(entry, Operation):
        return Step("result", (order[entry.place],), ((1, entry.i),), **common, partials=None)
    own = {i for i, _ in entry.parents}
    constants = tuple((i, plain(arg)) for i, arg in enumerate(entry.args) if i not in own)
    scalars = shape_of(entry.value) == () and all(shape_of(entry.args[i]) == () for i in own)
    partials = None
    if scalars:
        partials = tuple(float(plain(share)) for _, share in entry.pull(np.float64(1)))
    parents = tuple(order[p] for _, p in entry.parents)
    return Step(entry.primitive.name, parents, constants, **common, partials=partials)
