"""What a vector field does: derivatives along it, the points where it vanishes, and whether they are stable."""

import operator
from collections.abc import Sequence
from typing import NamedTuple

import sympy

from autodiff_tutorial.symbolic.expressions import listed, scalar, unbound, variables, vector


class Equilibrium(NamedTuple):
    """A point where a vector field vanishes, and what the linearization says of it.

    Attributes
    ----------
    point : dict
        State variable to value; a variable that stands for itself is free.
    eigenvalues : tuple of sympy.Expr
        Of the Jacobian of the field there, with their multiplicities; empty where SymPy finds no closed form.
    stable : bool or None
        True if all eigenvalues have negative real parts, False if one has a positive real part; None if the
        linearization does not decide it, or if it depends on symbols of unknown sign.
    """

    point: dict
    eigenvalues: tuple
    stable: bool | None


def lie_derivative(h: sympy.Expr, field: Sequence, state: Sequence, order: int = 1) -> sympy.Expr:
    r"""Return the derivative of a quantity along a vector field.

    Along a motion :math:`x' = f(x)` a quantity :math:`h(x)` changes at the rate

    .. math:: L_f h = \sum_i \frac{\partial h}{\partial x_i} f_i(x) ,

    and higher orders repeat this: :math:`L_f^k h = L_f L_f^{k-1} h`.

    Parameters
    ----------
    h : sympy.Expr
        The quantity.
    field : list of sympy.Expr
        The components :math:`f_i`; a one-dimensional array or a matrix of one column serves as well.
    state : sequence of sympy.Symbol
        The variables :math:`x_i`, as many; functions such as ``x(t)`` and their derivatives serve as well.
    order : int
        Order k of the derivative; 0 gives `h` itself.

    Returns
    -------
    sympy.Expr
        The derivative, not simplified.

    Raises
    ------
    TypeError
        If `h` is no expression, `field` or `state` holds something else than it should, or the order is no integer.
    ValueError
        If field and state differ in length, or the order is negative.

    Examples
    --------
    >>> x, v = sympy.symbols("x v")
    >>> lie_derivative(x**2 + v**2, [v, -x], [x, v])
    0
    >>> lie_derivative(x, [v, -x], [x, v], order=2)
    -x
    """
    h, (field, state) = scalar("lie_derivative", "h", h).doit(), _vector_field("lie_derivative", field, state)
    try:
        order = operator.index(order)
    except TypeError:
        raise TypeError(f"`symbolic.lie_derivative(order=...)` should be an integer. Got {order!r}.") from None
    if order < 0:
        raise ValueError(f"`symbolic.lie_derivative(order=...)` should be at least 0. Got {order}.")
    for _ in range(order):
        h = sympy.Add(*(h.diff(x) * f for x, f in zip(state, field, strict=True)))
    return h


def equilibria(field: Sequence, state: Sequence) -> list[Equilibrium]:
    r"""Find the points where a vector field vanishes, and whether small deviations from them die out.

    Solves :math:`f(x) = 0` by :py:func:`sympy.solve <sympy.solvers.solvers.solve>` and looks at the eigenvalues of
    :math:`\partial f / \partial x` there; where they depend on symbols, the signs of the Hurwitz determinants decide
    :cite:p:`hurwitz1895`.

    Parameters
    ----------
    field : list of sympy.Expr
        The components :math:`f_i` of :math:`x' = f(x)`; a one-dimensional array or a matrix of one column serves as
        well. Symbols that are not in `state` are parameters: declare their signs, as in
        ``symbols("k", positive=True)``.
    state : sequence of sympy.Symbol
        The variables :math:`x_i`, as many; functions such as ``x(t)`` and their derivatives serve as well.

    Returns
    -------
    list of Equilibrium
        Real ones only, so far as that can be told; of periodic ones SymPy gives those of one period.

    Raises
    ------
    TypeError
        If `field` or `state` holds something else than it should.
    ValueError
        If field and state differ in length, if the field depends on functions or on a time that is not part of the
        state, or if SymPy cannot solve the equations.

    Examples
    --------
    >>> x, v = sympy.symbols("x v", real=True)
    >>> for point, eigenvalues, stable in equilibria([v, x - x**3 - v], [x, v]):
    ...     print(point, stable)
    {x: -1, v: 0} True
    {x: 0, v: 0} False
    {x: 1, v: 0} True
    """
    field, state = _vector_field("equilibria", field, state)
    clocks = {s for v in state if not v.is_Symbol for s in v.free_symbols}
    if moving := [v for v in unbound(field, state) if not v.is_Symbol or v in clocks]:
        raise ValueError(
            f"`symbolic.equilibria(field=...)` should depend on the state and on parameters only. Got {listed(moving)}."
        )
    names = [sympy.Dummy(str(s), real=True) for s in state]
    naming, back = dict(zip(state, names, strict=True)), dict(zip(names, state, strict=True))
    field = [f.xreplace(naming) for f in field]
    try:
        points = sympy.solve(field, names, dict=True)
    except NotImplementedError as error:
        raise ValueError(
            f"`symbolic.equilibria(field=...)` should be equations that SymPy can solve. It says: {error}. Search from "
            "a starting point with sympy.nsolve."
        ) from None
    J = sympy.Matrix(field).jacobian(names)
    found = []
    for point in points:
        if any(value.is_real is False for value in point.values()):
            continue
        matrix = J.subs(point)
        eigenvalues = _eigenvalues(matrix)
        values = {back[n]: point.get(n, n).xreplace(back) for n in names}
        shown = tuple(e.xreplace(back) for e in eigenvalues)
        found.append(Equilibrium(values, shown, _stable(matrix, eigenvalues)))
    return found


def _eigenvalues(matrix):
    try:
        return tuple(matrix.eigenvals(multiple=True))
    except sympy.matrices.exceptions.MatrixError:
        return ()


def _stable(matrix, eigenvalues):
    """Decide by the signs of the real parts, or, where they are not known, by Hurwitz's determinants."""
    signs = [sympy.re(e) for e in eigenvalues]
    if any(s.is_positive for s in signs):
        return False
    if signs and all(s.is_negative for s in signs):
        return True
    a, n = matrix.charpoly().all_coeffs(), matrix.rows
    H = sympy.Matrix(n, n, lambda i, j: a[2 * j - i + 1] if 0 <= 2 * j - i + 1 <= n else 0)
    tests = [sympy.factor(c) for c in [*a[1:], *(H[:k, :k].det() for k in range(1, n + 1))]]
    if any(c.is_negative for c in tests):
        return False
    return True if all(c.is_positive for c in tests) else None


def _vector_field(call, field, state):
    field, state = [f.doit() for f in vector(call, "field", field)], variables(call, "state", state)
    if len(field) != len(state):
        raise ValueError(
            f"`symbolic.{call}(field=...)` should have one component for each variable of the state. Got {len(field)} "
            f"for {len(state)}."
        )
    return field, state
