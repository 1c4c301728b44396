"""Computation graphs on the page, stepped through: forward with values and tangents, in reverse with adjoints."""

import html
import json
from typing import Any, Literal

from autodiff_tutorial.plotting.graphs import require, size_of_boxes, widths_of_labels
from autodiff_tutorial.plotting.layout import layout
from autodiff_tutorial.plotting.records import calculation, factor, read, written

_FIELDS = {"reverse": "adjoint", "forward": "tangent"}


class _Sweep:
    """A graph and the steps of a sweep over it, shown by `book/_static/explorables.js`."""

    def __init__(self, operations, mode):
        self._operations, self._mode, self._field = operations, mode, _FIELDS[mode]
        self._steps = (_reverse_steps if mode == "reverse" else _forward_steps)(operations)

    def __repr__(self):
        count, steps = len(self._operations), len(self._steps) - 1
        return f"a computation graph of {count} node{'s' * (count > 1)}, {self._mode} mode in {steps} steps"

    def _repr_html_(self):
        data = html.escape(json.dumps(self._data(), ensure_ascii=False, separators=(",", ":")), quote=False)
        data = data.replace("'", "&#x27;")  # the attribute stands in these, so that JSON's own quotes can stay
        head = "".join(f'<th scope="col">{name}</th>' for name in ("operation", "of", "value", self._field))
        rows = "".join(f"<tr>{self._row(operation)}</tr>" for operation in self._operations)
        table = f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        opening = f'<div class="explorable" data-explorable="computation-graph" data-graph=\'{data}\'>'
        return f"{opening}<p>This is {self!r}: the book's page goes through it step by step.</p>{table}</div>"

    def _row(self, operation):
        """Return the cells of the table that stands where no script runs."""
        parents = ", ".join(self._operations[parent].name for parent in operation.parents)
        moving = getattr(operation, self._field)
        numbers = written(operation.value), "" if moving is None else written(moving)
        cells = "".join(f"<td>{html.escape(text)}</td>" for text in (parents, *numbers))
        return f'<th scope="row">{html.escape(operation.name)}</th>{cells}'

    def _data(self):
        """Return what the page draws: boxes, edges, both ways to lay them out, and what each step writes."""
        written_lines = [line for step in self._steps for line in step["write"]]
        sums = [text for _, line, text in written_lines if line == "sum"]
        texts = [written(partial) for operation in self._operations for partial in operation.partials]
        widest = max((text for _, line, text in written_lines if line != "sum"), key=len)
        box = size_of_boxes([[operation.title, widest, widest] for operation in self._operations], sums)
        parents = [operation.parents for operation in self._operations]
        drawings = [layout(parents, box, widths_of_labels(texts), down=down)._asdict() for down in (False, True)]
        titles, name = [operation.title for operation in self._operations], repr(self)
        shared = {"mode": self._mode, "name": name, "titles": titles, "partials": texts}
        return shared | {"drawings": drawings, "steps": self._steps}


def steps(graph: Any, *, mode: Literal["reverse", "forward"] = "reverse", labels: dict[int, str] | None = None) -> Any:
    """Show how derivatives fill in on a recorded computation: on the book's page by steps, in a notebook as a table.

    Parameters
    ----------
    graph : object
        What `reverse_mode.record` returns: a record whose `operations` are scalar, each with `name`, `parents`,
        `value`, `tangent`, `adjoint` and `partials`; the last is the output. Where a tangent or an adjoint is None,
        as of a constant, none arrives and none is shown.
    mode : {"reverse", "forward"}
        Values and then adjoints, from the output back, or values and tangents together.
    labels : dict of int to str, optional
        Number of an operation to what it is called.

    Returns
    -------
    object
        What the last line of a cell shows.

    Raises
    ------
    ValueError
        If there are no operations or more than 40, one comes before its parent, a number is no scalar, the output has
        no tangent or adjoint, those recorded do not follow from the partials, or `mode` is unknown.
    """
    if mode not in _FIELDS:
        raise ValueError(f"`plotting.steps(mode=...)` should be one of {', '.join(_FIELDS)}. Got {mode!r}.")
    operations = read(graph, labels, "steps")
    require(operations, _FIELDS[mode], "steps")
    return _Sweep(operations, mode)


def _step(text, role="", nodes=(), edges=(), write=()):
    """Return a step: its sentence, what stands out in which color, and what it writes on which line of a box."""
    return {"text": text, "role": role, "nodes": list(nodes), "edges": list(edges), "write": list(write)}


def _edges_into(operations):
    """Return, for each operation, its edges: number, parent and partial."""
    numbers = iter(range(sum(len(operation.parents) for operation in operations)))
    return [[(next(numbers), *pair) for pair in zip(o.parents, o.partials, strict=True)] for o in operations]


def _reverse_steps(operations):
    """Fill in values, then let each operation pass its adjoint on, edge by edge."""
    into, output = _edges_into(operations), operations[-1]
    steps = [_step("Nothing is computed yet.")]
    for i, operation in enumerate(operations):
        edges = [edge for edge, _, _ in into[i]]
        text = f"{calculation(operation, operations)}."
        steps.append(_step(text, "primal", [i], edges, [(i, "value", written(operation.value))]))
    last, one = len(operations) - 1, written(output.adjoint)
    text = f"The way back begins at the output: the adjoint of {output.name} is {one}."
    steps.append(_step(text, "cotangent", [last], [], [(last, "derivative", one)]))
    adjoints = {last: output.adjoint}
    for i in reversed(range(len(operations))):
        for edge, parent, partial in into[i] if i in adjoints else []:
            target = operations[parent]
            if target.adjoint is None:
                continue
            passed, before = adjoints[i] * partial, adjoints.get(parent)
            text = f"{operations[i].name} passes {written(adjoints[i])} × {factor(partial)} = {written(passed)}"
            text += f" to {target.name}"
            adjoints[parent] = passed if before is None else before + passed
            write = [(parent, "derivative", written(adjoints[parent]))]
            if before is not None:
                total = f"{written(before)} + {factor(passed)}"
                text += f", whose adjoint is now {total} = {written(adjoints[parent])}"
                newest = f"… {'−' if passed < 0 else '+'} {written(abs(passed))}"
                write.append((parent, "sum", f"= {total}" if len(total) < 8 else newest))
            steps.append(_step(f"{text}.", "cotangent", [i, parent], [edge], write))
    _agree(operations, "adjoint", [adjoints.get(i, 0.0) for i in range(len(operations))])
    leaves = [i for i, operation in enumerate(operations) if not operation.parents]
    inputs = [i for i in leaves if operations[i].symbol != "constant" and operations[i].adjoint is not None]
    found = ", ".join(f"{operations[i].name} {written(operations[i].adjoint)}" for i in inputs)
    text = f"The sweep ends. Adjoints of the inputs: {found}." if found else "The sweep ends."
    write = [(i, "derivative", written(operations[i].adjoint)) for i in inputs]
    return [*steps, _step(text, "cotangent", inputs, [], write)]


def _forward_steps(operations):
    """Fill in value and tangent of each operation together."""
    steps, tangents = [_step("Nothing is computed yet.")], []
    for i, (operation, into) in enumerate(zip(operations, _edges_into(operations), strict=True)):
        text, write = calculation(operation, operations), [(i, "value", written(operation.value))]
        terms = [(edge, d, operations[p].tangent) for edge, p, d in into if operations[p].tangent is not None]
        tangents.append(sum(d * t for _, d, t in terms) if operation.parents else operation.tangent)
        if operation.tangent is None:
            steps.append(_step(f"{text}.", "primal", [i], [], write))
            continue
        tangent = written(operation.tangent)
        products = [f"{(factor if k else written)(d)} × {factor(t)}" for k, (_, d, t) in enumerate(terms)]
        text += f". Its tangent is {' + '.join(products)}{' = ' * bool(products)}{tangent}."
        write.append((i, "derivative", tangent))
        steps.append(_step(text, "tangent", [i], [edge for edge, _, _ in terms], write))
    _agree(operations, "tangent", tangents)
    output = operations[-1]
    text = f"The sweep ends. Tangent of the output: {output.name} {written(output.tangent)}."
    return [*steps, _step(text, "tangent", [len(operations) - 1])]


def _agree(operations, field, found):
    """Ask that recorded derivatives are those that follow from the partials, as far as float32 can tell."""
    scale = max((abs(number) for number in found if number is not None), default=0.0)
    for i, (operation, number) in enumerate(zip(operations, found, strict=True)):
        recorded = getattr(operation, field)
        if recorded is not None and abs(recorded - number) > 1e-3 * scale:
            raise ValueError(
                f"`plotting.steps(graph=...)` should have the {field} {written(number)} at operation {i}, as its "
                f"partials say. Got {written(recorded)}."
            )
