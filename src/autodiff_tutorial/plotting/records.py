"""A recorded computation, made ready for drawing: checked, every operation named, its numbers written out."""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np

MOST = 40  # operations that a drawing can still show apart
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_INFIX = ("+", "−", "×", "÷")
_SYMBOLS = {
    **dict.fromkeys(("add",), "+"),
    **dict.fromkeys(("subtract", "sub"), "−"),
    **dict.fromkeys(("multiply", "mul"), "×"),
    **dict.fromkeys(("divide", "true_divide", "div"), "÷"),
    **dict.fromkeys(("sigmoid", "logistic", "expit"), "σ"),
    **dict.fromkeys(("negative", "neg"), "−( )"),
    **dict.fromkeys(("power", "pow", "integer_pow", "float_power"), "^"),
    **dict.fromkeys(("absolute", "abs"), "| |"),
    **{"sqrt": "√", "square": "( )²", "reciprocal": "1 / ( )"},
}


class Operation(NamedTuple):
    """One operation: what it is called in sentences and in its box, and what the record says of it."""

    name: str
    title: str
    symbol: str
    parents: tuple
    value: float
    tangent: float | None
    adjoint: float | None
    partials: tuple
    constants: tuple = ()


def written(number):
    """Write a number to four significant digits."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "∞" if number > 0 else "−∞"
    mantissa, _, exponent = f"{number + 0.0:.4g}".partition("e")
    power = f" · 10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else ""
    return mantissa.replace("-", "−") + power


def factor(number):
    """Write a number as it stands behind a sign."""
    text = written(number)
    return f"({text})" if text.startswith("−") else text


def calculation(operation, operations):
    """Say, without a period, what an operation computes from what."""
    values = _in_place([operations[parent].value for parent in operation.parents], operation.constants)
    value = written(operation.value)
    if not values:
        return f"A constant: {value}" if operation.symbol == "constant" else f"{operation.name} is {value}"
    if operation.symbol in _INFIX and len(values) == 2:
        return f"{operation.name}: {written(values[0])} {operation.symbol} {factor(values[1])} = {value}"
    return f"{operation.name}({', '.join(map(written, values))}) = {value}"


def _in_place(own, constants):
    """Return operands in order: those that are operations, and the constants (place, number) among them."""
    operands = list(own)
    for place, number in sorted(constants):
        operands.insert(place, number)
    return operands


def read(graph, labels, call):
    """Return the operations of a record, in order; `call` is the name of the public function, for its errors."""
    records, labels = tuple(graph.operations), dict(labels or {})
    if not 1 <= len(records) <= MOST:
        raise ValueError(
            f"`plotting.{call}(graph=...)` should have from 1 to {MOST} operations. "
            f"Got {len(records)}. Record a program of that size."
        )
    for key in labels:
        if key not in range(len(records)):
            raise ValueError(
                f"`plotting.{call}(labels=...)` should name operations by their numbers, 0 to {len(records) - 1}. "
                f"Got {key!r}."
            )
    operations, often, met = [], Counter(str(record.name) for record in records), Counter()
    for i, record in enumerate(records):
        name, parents = str(record.name), tuple(record.parents)
        where = f"`plotting.{call}(graph=...)` should have"
        if not all(parent in range(i) for parent in parents):
            raise ValueError(f"{where} operations after their parents. Got {parents} as parents of operation {i}.")
        parents = tuple(map(int, parents))
        if len(record.partials) != len(parents):
            raise ValueError(
                f"{where} one partial a parent. Got {len(record.partials)} for {len(parents)} at operation {i}."
            )
        numbers = [_scalar(record, field, i, where) for field in ("value", "tangent", "adjoint")]
        partials = tuple(_as_float(partial, f"partials of operation {i}", where) for partial in record.partials)
        constants = tuple(
            (place, _as_float(number, f"constants of operation {i}", where))
            for place, number in getattr(record, "constants", ())
        )
        if not parents and _is_number(name):
            called = f"the constant {written(numbers[0])}", "constant", "constant"
        else:
            met[name] += 1
            count = str(met[name]).translate(_SUBSCRIPTS) if often[name] > 1 else ""
            symbol = _SYMBOLS.get(name, name) if parents else name
            places = _in_place(["( )"] * len(parents), [(k, factor(number)) for k, number in constants])
            with_constants = f" {symbol} ".join(places)
            fits = constants and symbol in (*_INFIX, "^") and len(places) == 2 and len(with_constants) <= 9
            called = name + count, with_constants if fits else symbol + count, symbol
        if i in labels:
            called = labels[i], f"{labels[i]}: {called[2]}" if parents else labels[i], called[2]
        operations.append(Operation(*called, parents, *numbers, partials, constants))
    return operations


def _is_number(text):
    """Tell whether a name is that of a constant."""
    try:
        float(text)
    except ValueError:
        return False
    return text.lower() not in ("nan", "inf", "infinity")


def _scalar(record, field, i, where):
    """Return a field of a record as a float, or None where it is None and may be."""
    value = getattr(record, field)
    return None if value is None and field != "value" else _as_float(value, f"{field} of operation {i}", where)


def _as_float(value, name, where):
    """Return a number or an array without axes as a float."""
    try:
        array = np.asarray("" if value is None else value, dtype=float)  # NumPy takes None for a NaN
    except (TypeError, ValueError):
        raise ValueError(f"{where} real numbers. Got a {type(value).__name__} as {name}.") from None
    if array.ndim:
        raise ValueError(f"{where} scalars. Got shape {array.shape} as {name}. Record a function of numbers.")
    return float(array)
