"""What is handed to this package, checked and put into one form; knows nothing of derivatives or programs."""

import numpy as np
import sympy
from sympy.core.function import AppliedUndef


def arranged(call, name, value, kinds=sympy.Expr):
    """Return the expressions in `value`, in rows, and its shape: () for one expression, (m,), (m, n), ..."""
    matrix, several = isinstance(value, sympy.MatrixBase), list | tuple | sympy.Tuple | sympy.NDimArray | np.ndarray
    try:
        if matrix or isinstance(value, several):
            array = np.array(value.tolist() if hasattr(value, "tolist") else list(value), dtype=object)
            entries, shape = [sympy.sympify(e, strict=True) for e in array.flat], value.shape if matrix else array.shape
        else:
            entries, shape = [sympy.sympify(value, strict=True)], ()
    except (sympy.SympifyError, TypeError, ValueError, RecursionError):
        entries, shape = [], ()
    if not entries or not all(isinstance(e, kinds) and not e.is_Matrix for e in entries):
        raise TypeError(
            f"`symbolic.{call}({name}=...)` should be an expression, or a list, array or matrix of expressions. "
            f"Got {shortened(value)}."
        )
    return entries, tuple(int(n) for n in shape)


def scalar(call, name, value):
    """Return the one expression in `value`."""
    entries, shape = arranged(call, name, value)
    if shape:
        raise ValueError(f"`symbolic.{call}({name}=...)` should be one expression. Got an array of shape {shape}.")
    return entries[0]


def vector(call, name, value):
    """Return the expressions of a list, a one-dimensional array, or a matrix of one row or column."""
    entries, shape = arranged(call, name, value)
    if len(shape) != 1 and not (len(shape) == 2 and 1 in shape):
        raise ValueError(
            f"`symbolic.{call}({name}=...)` should be a list of expressions. Got "
            + (f"an array of shape {shape}." if shape else f"{shortened(value)}.")
        )
    return entries


def variables(
    call, name, value, kinds=(sympy.Symbol, AppliedUndef, sympy.Derivative), plural="symbols", may_be_empty=False
):
    """Return a list of distinct symbols, functions such as x(t), and their derivatives."""
    if isinstance(value, set | frozenset | dict):  # whose order is not that in which they were written
        raise TypeError(
            f"`symbolic.{call}({name}=...)` should be a list of {plural}, in order. Got {shortened(value)}."
        )
    single = isinstance(value, (sympy.Symbol, AppliedUndef, sympy.Derivative))
    try:
        found = [value] if single else sympy.flatten(value.tolist()) if hasattr(value, "tolist") else list(value)
    except TypeError:
        found = [value]
    wrong = [v for v in found if not isinstance(v, kinds)]
    if wrong:
        raise TypeError(f"`symbolic.{call}({name}=...)` should be {plural}. Got {shortened(wrong[0])}.")
    if not found and not may_be_empty:
        raise ValueError(f"`symbolic.{call}({name}=...)` should be {plural}. Got none.")
    if len(set(found)) < len(found):
        raise ValueError(f"`symbolic.{call}({name}=...)` should be distinct. Got {listed(found)}.")
    return found


def unbound(expressions, known):
    """Return the derivatives, functions and symbols that are in the expressions, and not among the known."""
    masks = {v: sympy.Dummy(str(v)) for v in known}
    found = []
    for kind in (sympy.Derivative, AppliedUndef, sympy.Symbol):
        # Derivatives are looked for in what is not masked: SymPy takes that of a masked function to be zero.
        masked = expressions if kind is sympy.Derivative else [e.xreplace(masks) for e in expressions]
        inside = [e.free_symbols if kind is sympy.Symbol else e.atoms(kind) for e in masked]
        new = set().union(*inside) - set(masks) - set(masks.values())
        masks |= {v: sympy.Dummy(str(v)) for v in new}
        found += sorted(new, key=str)
    unmasked = {mask: v for v, mask in masks.items()}
    return [v.xreplace(unmasked) for v in found]


def listed(values):
    return ", ".join(str(v) for v in values)


def shortened(value):
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
