"""From expressions to fast functions: constants folded, common subexpressions shared, one program for each backend."""

import builtins
import keyword
import math
import unicodedata
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import sympy
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import Boolean

from autodiff_tutorial.symbolic.expressions import arranged, listed, variables
from autodiff_tutorial.symbolic.writing import SPECIAL, UnknownFunction, Words, elementary_names, folded

_PLAIN = (bool, int, float, complex)


class _Backend(NamedTuple):
    """What a program needs of an array library, besides the functions in its namespace."""

    xp: Any
    as_array: Callable
    namespace: dict
    common_dtype: Callable
    is_inexact: Callable
    number: Callable


def compile(
    expr: Any, symbols: Sequence, *, backend: Literal["numpy", "jax", "torch"] = "numpy", cse: bool = True
) -> Callable:
    r"""Turn expressions into a function of arrays.

    Parameters
    ----------
    expr : sympy.Expr, or list, array or matrix of them
        What to compute.
    symbols : sequence of sympy.Symbol
        The arguments of the function, in order. Functions such as ``x(t)`` and their derivatives may be arguments
        too.
    backend : {"numpy", "jax", "torch"}
        Whose arrays the function takes and returns. For JAX it is jitted, and may be mapped, differentiated and
        called by other jitted functions; for PyTorch it records what `backward` needs.
    cse : bool
        Whether a subexpression that occurs more than once is computed once, as :py:func:`sympy.cse
        <sympy.simplify.cse_main.cse>` finds them.

    Returns
    -------
    callable
        Takes one positional argument a symbol: numbers or arrays that broadcast to a shape S; integers are
        converted to floats. Returns an array of shape ``S + shape of expr``: S for one expression, ``S + (m,)``
        for a list of m, ``S + (m, n)`` for a matrix. Its docstring is the program.

    Raises
    ------
    TypeError
        If `expr` holds something else than expressions, or `symbols` something else than symbols.
    ValueError
        If the expression depends on a symbol that is not among `symbols`, if the backend is unknown, if it lacks a
        function that occurs, or if the expression is nested too deep.

    Notes
    -----
    The cost of a call is about ``operation_count(expr, cse)`` array operations; real arguments are computed with in
    real numbers, so that the root of a negative one is nan. Constants are rounded once, to float64,
    when the program is written. Both branches of a `Piecewise` are computed, then one is selected; a derivative
    that JAX or PyTorch takes *through* such a program is nan where the branch that is not selected has an infinite
    slope. Differentiate the expression first in that case. `loggamma` is :math:`\ln |\Gamma|`, as in SciPy and JAX;
    SymPy's own differs by an imaginary part where the argument is negative.

    Examples
    --------
    >>> x, y = sympy.symbols("x y")
    >>> f = compile([x * y, sympy.sqrt(x + y)], [x, y])
    >>> f(2.0, [2.0, 7.0]).tolist()
    [[4.0, 2.0], [14.0, 3.0]]
    """
    entries, shape = arranged("compile", "expr", expr, (sympy.Expr, Boolean))
    symbols = variables("compile", "symbols", symbols)
    chosen = _backend(backend)
    names = _argument_names(symbols, chosen.namespace)
    try:
        body = _body(entries, symbols, names, chosen.namespace, backend, cse)
        code = builtins.compile(f"def program(number, {listed(names)}):\n{body}", "<symbolic.compile>", "exec")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"`symbolic.compile(expr=...)` should be of less depth than Python can take. It says: {error}. Compile "
            "parts of the expression, and call them in turn."
        ) from None
    namespace = dict(chosen.namespace)
    exec(code, namespace)
    run = _runner(namespace["program"], chosen, symbols, shape)
    run.__doc__ = f"def program({listed(names)}):\n{body}"
    return jax.jit(run) if backend == "jax" else run


def _body(entries, symbols, names, namespace, backend, cse):
    """Write the statements of a program, after checking that it has all that it needs."""
    leaves = [s if s.is_Symbol else sympy.Dummy(n, real=s.is_real) for s, n in zip(symbols, names, strict=True)]
    memo, missing = dict(zip(symbols, leaves, strict=True)), set()
    entries = [folded(e, memo, missing) for e in entries]
    if missing:
        missing = sorted(missing, key=str)
        raise ValueError(
            f"`symbolic.compile(symbols=...)` should name all that the expression depends on. Got [{listed(symbols)}], "
            f"without {listed(missing)}. {_way_out(missing, symbols)}"
        )
    shared, entries = _shared(entries, {*names, *map(str, leaves)}) if cse else ([], entries)
    words = Words(dict(zip(leaves, names, strict=True)), namespace)
    try:
        lines = [f"    {name} = {words.written(e)}" for name, e in shared]
        results = ", ".join(words.written_array(e) for e in entries)
    except UnknownFunction as error:
        raise ValueError(
            f"`symbolic.compile(expr=...)` should consist of functions that backend {backend!r} knows. Got {error}."
        ) from None
    return "\n".join([*lines, f"    return ({results},)"])


def _runner(program, backend, symbols, shape):
    xp, as_array, _, common_dtype, is_inexact, number = backend

    def function(*args):
        if len(args) != len(symbols):
            raise TypeError(f"The function takes {len(symbols)} arguments: {listed(symbols)}. Got {len(args)}.")
        args = [a if type(a) in _PLAIN else as_array(a) for a in args]
        dtype, like = common_dtype(args), next((a for a in args if type(a) not in _PLAIN), None)

        def constant(c):
            return number(c, dtype, like)

        args = [
            constant(1.0 * a) if type(a) in _PLAIN else a if is_inexact(a) else as_array(a, dtype=dtype) for a in args
        ]
        outer = xp.broadcast_shapes(*(tuple(a.shape) for a in args))
        results = [xp.broadcast_to(r, outer) for r in program(constant, *args)]
        # Stacking copies, so that no argument is handed back; the empty index makes scalars of NumPy's 0-d arrays.
        return xp.stack(results, -1).reshape(outer + shape)[()]

    return function


def _backend(name):
    match name:
        case "numpy" | "jax":
            xp, special = (np, scipy.special) if name == "numpy" else (jnp, jax.scipy.special)
            as_array = xp.asarray

            def common_dtype(args):
                return xp.result_type(*args, 0.0)

            def is_inexact(a):
                return xp.issubdtype(a.dtype, xp.inexact)

            def number(c, dtype, like):
                return as_array(c, dtype=bool if c is True or c is False else xp.result_type(dtype, c))

        case "torch":
            try:
                import torch as xp
            except ImportError as error:
                raise ImportError(
                    '`symbolic.compile(backend="torch")` needs PyTorch. Install it: '
                    'pip install "autodiff-tutorial[torch]"'
                ) from error

            special, as_array = xp.special, xp.as_tensor

            def common_dtype(args):
                found = [a.dtype for a in args if isinstance(a, xp.Tensor) and is_inexact(a)]
                found = found or [xp.get_default_dtype()]
                return reduce(xp.promote_types, found + [xp.complex64 for a in args if type(a) is complex])

            def is_inexact(a):
                return a.is_floating_point() or a.is_complex()

            def number(c, dtype, like):
                dtype = xp.promote_types(dtype, xp.complex64) if isinstance(c, complex) else dtype
                dtype = xp.bool if isinstance(c, bool) else dtype
                return as_array(c, dtype=dtype, device=getattr(like, "device", None))

        case _:
            raise ValueError(f"`symbolic.compile(backend=...)` should be one of 'numpy', 'jax', 'torch'. Got {name!r}.")
    namespace = {n: getattr(xp, n) for n in elementary_names()}
    namespace |= {n: getattr(special, s) for n, s in SPECIAL.items() if hasattr(special, s)}
    if name == "torch":  # which has no imaginary part of real numbers
        namespace["imag"] = lambda a: a.imag if a.is_complex() else xp.zeros_like(a)
        namespace["polygamma"] = _polygamma_of_torch(special)
    return _Backend(xp, as_array, namespace, common_dtype, is_inexact, number)


def _polygamma_of_torch(special):
    """Write higher polygamma functions by zeta: `torch.special.polygamma(1, x)` is right to nine digits only."""

    def polygamma(n, x):
        if n == 0:
            return special.digamma(x)
        return (-1) ** (n + 1) * math.factorial(n) * special.zeta(x.new_tensor(n + 1), x)

    return polygamma


def _argument_names(symbols, namespace):
    """Return a name for each argument: x for x and x(t), x_t for the derivative of x(t), if it is free."""
    names = []
    for i, symbol in enumerate(symbols):
        match symbol:
            case sympy.Symbol():
                name = symbol.name
            case sympy.Derivative():
                name = f"{symbol.expr.func}_{''.join(map(str, symbol.variables))}"
            case _:
                name = str(symbol.func)
        name = unicodedata.normalize("NFKC", name)  # as Python reads it
        usable = name.isidentifier() and not keyword.iskeyword(name)
        taken = name in namespace or name in names or name in ("number", "float", "__debug__")
        names.append(name if usable and not taken else f"arg_{i}")
    return names if len(set(names)) == len(names) else [f"arg_{i}" for i in range(len(symbols))]


def _way_out(missing, symbols):
    if any(isinstance(m, sympy.Derivative) and not isinstance(m.expr, AppliedUndef) for m in missing):
        return "The derivative of abs, re or im exists for real symbols only: declare them by symbols(..., real=True)."
    if twins := {str(m) for m in missing} & {str(s) for s in symbols}:
        return (
            f"Symbols of one name but other assumptions, such as real=True, differ: use one {twins.pop()} throughout."
        )
    return "Add them, or put in numbers with expr.subs."


def _shared(entries, taken):
    """Return pairs of a name and an expression, in order, and the entries written with these names."""
    temporaries = (s for s in sympy.numbered_symbols("t") if s.name not in taken)
    # SymPy's canonical order compares expressions as they are printed: beyond reach where they have swollen.
    sizes = {}
    order = "canonical" if sum(_printed_size(e, sizes) for e in entries) < 10**6 else "none"
    return sympy.cse(entries, symbols=temporaries, list=True, order=order)


def _printed_size(e, sizes):
    """Count the nodes of an expression as it is printed, visiting each distinct one once."""
    if e not in sizes:
        sizes[e] = 1 + sum(_printed_size(a, sizes) for a in e.args)
    return sizes[e]


def operation_count(expr: Any, cse: bool = False) -> int:
    """Count the arithmetic operations and function calls in expressions.

    Parameters
    ----------
    expr : sympy.Expr, or list, array or matrix of them
        What to count in.
    cse : bool
        Whether to count a subexpression that occurs more than once only once, as a program of
        :py:func:`~autodiff_tutorial.symbolic.compile` computes it; else the expression is counted as it is printed.

    Returns
    -------
    int
        Additions, subtractions, multiplications, divisions, powers, sign changes and calls, as
        :py:func:`sympy.count_ops <sympy.core.function.count_ops>` counts them.

    Raises
    ------
    TypeError
        If `expr` holds something else than expressions.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> swollen = (x**2 + 3) ** 2 + 1 / (x**2 + 3)
    >>> operation_count(swollen), operation_count(swollen, cse=True)
    (7, 5)
    """
    entries, _ = arranged("operation_count", "expr", expr, (sympy.Expr, Boolean))
    functions = {v for e in entries for v in e.atoms(AppliedUndef, sympy.Derivative)}
    names = {v: sympy.Dummy() for v in functions}  # which cost nothing: they are arguments
    entries = [e.xreplace(names) for e in entries] if names else entries
    shared, entries = _shared(entries, {s.name for e in entries for s in e.free_symbols}) if cse else ([], entries)
    return sum(int(sympy.count_ops(e)) for e in [*entries, *(e for _, e in shared)])
