"""What a vector field does: derivatives along it, the points where it vanishes, and whether they are stable."""

import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import sympy
from sympy.core.assumptions import check_assumptions
from sympy.core.function import AppliedUndef
from sympy.matrices.exceptions import MatrixError
from sympy.polys.polyerrors import UnsolvableFactorError
from sympy.solvers.polysys import solve_poly_system

from autodiff_tutorial.symbolic.expressions import listed, scalar, unbound, variables, vector


class Equilibrium(NamedTuple):
    """A point where a vector field vanishes, and what the linearization says of it.

    Attributes
    ----------
    point : dict
        State variable to value; a variable that stands for itself is free.
    eigenvalues : tuple of sympy.Expr
        Of the Jacobian of the field there, with their multiplicities: exact where its entries are rational or hold
        symbols, else in double precision; empty where SymPy finds no closed form, or the Jacobian is not finite, or
        where the field has a kink or a jump, or changes from one formula to another.
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
        If field and state differ in length, if the order is negative, or if the state consists of functions of time,
        and the field or `h` holds another one, or the time itself.

    Examples
    --------
    >>> x, v = sympy.symbols("x v")
    >>> lie_derivative(x**2 + v**2, [v, -x], [x, v])
    0
    >>> lie_derivative(x, [v, -x], [x, v], order=2)
    -x
    """
    h = scalar("lie_derivative", "h", h).doit()
    field, state, clocks = _vector_field("lie_derivative", field, state)
    if moving := [v for v in unbound([h, *field], state) if _moves(v, clocks)]:
        raise ValueError(
            f"`symbolic.lie_derivative(state=...)` should hold all that changes in time. Got [{listed(state)}], "
            f"without {listed(moving)}."
        )
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
        Real ones only, so far as that can be told. Of a polynomial field with finitely many equilibria they are all;
        of another, those that :py:func:`sympy.solve <sympy.solvers.solvers.solve>` finds: some may be missing. Of a
        periodic field in one variable they are those of one period.

    Raises
    ------
    TypeError
        If `field` or `state` holds something else than it should.
    ValueError
        If field and state differ in length, if the field depends on functions or on a time that is not part of the
        state, or if SymPy cannot solve the equations, or would leave out solutions for lack of a closed form.

    Examples
    --------
    >>> x, v = sympy.symbols("x v", real=True)
    >>> for point, eigenvalues, stable in equilibria([v, x - x**3 - v], [x, v]):
    ...     print(point, stable)
    {x: -1, v: 0} True
    {x: 0, v: 0} False
    {x: 1, v: 0} True
    """
    field, state, clocks = _vector_field("equilibria", field, state)
    if moving := [v for v in unbound(field, state) if not v.is_Symbol or v in clocks]:
        raise ValueError(
            f"`symbolic.equilibria(field=...)` should depend on the state and on parameters only. Got {listed(moving)}."
        )
    if imaginary := [s for s in state if s.is_real is False]:
        raise ValueError(f"`symbolic.equilibria(state=...)` should be real. Got {listed(imaginary)}.")
    known = [{**s.assumptions0, "real": True} if s.is_Symbol else {"real": True} for s in state]
    names = [sympy.Dummy(str(s), **assumptions) for s, assumptions in zip(state, known, strict=True)]
    naming, back = dict(zip(state, names, strict=True)), dict(zip(names, state, strict=True))
    field = [f.xreplace(naming) for f in field]
    inexact = any(f.has(sympy.Float) for f in field)
    # With floats, SymPy's closed forms of real roots have imaginary parts from roundoff, and it leaves them out.
    field = [sympy.nsimplify(f, rational=True) if f.is_rational_function(*names) else f for f in field]
    try:
        points = _solutions(field, names)
    except (NotImplementedError, TypeError) as error:
        reason = str(error).partition("\n")[0] or "no method for them"
        raise ValueError(
            f"`symbolic.equilibria(field=...)` should be equations that SymPy can solve. It says: {reason}. Search "
            "from a starting point with sympy.nsolve."
        ) from None
    J = sympy.Matrix(field).jacobian(names)
    found = []
    for point in points:
        if any(f.subs(point).has(sympy.nan, sympy.zoo, sympy.oo) for f in field):
            continue  # the field is not defined there
        matrix = J.subs(point)
        smooth = not any(_changes_at(f, point) for f in field)
        eigenvalues = _eigenvalues(matrix) if smooth else ()
        stable = _stable(matrix, eigenvalues) if smooth else None
        values, shown = [point.get(n, n).xreplace(back) for n in names], [e.xreplace(back) for e in eigenvalues]
        if inexact:
            values, shown = map(_rounded, values), map(sympy.nfloat, shown)
        found.append(Equilibrium(dict(zip(state, values, strict=True)), tuple(shown), stable))
    return found


def _solutions(field, names):
    """Return the real points where all components vanish; what a point lacks is free."""
    equations = [f for f in field if f.equals(0) is not True]
    if not equations:
        return [{}]
    equations = [sympy.numer(sympy.together(f)) if f.is_rational_function(*names) else f for f in equations]
    if all(f.is_polynomial(*names) for f in equations):
        exact = [sympy.Poly(f, *names) for f in equations]
        if len(names) == 1 and exact[0].domain.is_QQ | exact[0].domain.is_ZZ:
            roots = sorted(set(sympy.real_roots(exact[0])))
            return [{names[0]: r} for r in roots if check_assumptions(r, names[0]) is not False]
        _refuse_unsolvable(exact, names)
    if len(names) == 1 and (period := sympy.periodicity(equations[0], names[0])):
        found = sympy.solveset(equations[0], names[0], sympy.Interval.Ropen(0, period))
        if isinstance(found, sympy.FiniteSet) or found is sympy.S.EmptySet:
            return [{names[0]: value} for value in sympy.ordered(found)]
    system = equations if len(names) > 1 else equations[0]
    return [point for point in sympy.solve(system, names, dict=True) if all(map(_may_be_real, point.values()))]


def _changes_at(f, point):
    """Tell whether the point is on the border of a condition in f, written with its kinks and jumps as conditions."""
    conditions = f.rewrite(sympy.Piecewise).atoms(sympy.core.relational.Relational)
    return any((c.lhs - c.rhs).subs(point).equals(0) for c in conditions)


def _rounded(value):
    """Return a value with its numbers as floats; one that is a number, without an imaginary part from roundoff."""
    return sympy.nfloat(value if value.free_symbols else sympy.re(value.evalf(30)))


def _refuse_unsolvable(equations, names):
    """Raise where SymPy would leave out solutions without a word: roots that no radicals express."""
    try:
        solve_poly_system(equations, *names, strict=True)
    except UnsolvableFactorError:
        raise NotImplementedError("some solutions are roots of polynomials without a closed form") from None
    except NotImplementedError:  # infinitely many solutions, which `solve` describes, unless it has to leave some out
        factors = (f for g in sympy.groebner(equations, *names).exprs for f, _ in sympy.factor_list(g, *names)[1])
        if any(len(f.free_symbols & {*names}) == 1 and sympy.Poly(f).total_degree() > 4 for f in factors):
            raise NotImplementedError("some solutions are roots of polynomials without a closed form") from None


def _may_be_real(value):
    if value.free_symbols:
        return value.is_real is not False
    real, imaginary = value.evalf(30).as_real_imag()
    return abs(imaginary) <= 1e-15 * max(1, abs(real))


def _eigenvalues(matrix):
    """Return the eigenvalues: exact where entries are rational or symbolic, else in double precision."""
    if matrix.rows == 1 and matrix[0].is_finite is not False:
        return (matrix[0],)
    if matrix.free_symbols or all(e.is_Rational for e in matrix):
        try:
            return tuple(matrix.eigenvals(multiple=True))
        except (MatrixError, TypeError):
            return ()
    values = np.array(matrix.evalf(17).tolist(), dtype=complex)
    return tuple(map(sympy.sympify, np.linalg.eigvals(values))) if np.isfinite(values).all() else ()


def _stable(matrix, eigenvalues):
    """Decide by the signs of the real parts, or, where they are not known, by Hurwitz's determinants."""
    # Roundoff moves an eigenvalue that stands n times by the n-th root of a rounding.
    tolerance = 0.0
    if not matrix.free_symbols and any(e.has(sympy.Float) for e in eigenvalues):
        size = np.abs(np.array(matrix.evalf(17).tolist(), dtype=complex)).max()
        tolerance = size * max(1e-12, float(np.finfo(float).eps * matrix.rows) ** (1 / matrix.rows))
    signs = [_sign_of_real_part(e, tolerance) for e in eigenvalues]
    if 1 in signs:
        return False
    if signs and set(signs) == {-1}:
        return True
    if not matrix.free_symbols and (matrix.rows == 1 or matrix.has(sympy.Float, sympy.CRootOf)):
        return None
    try:
        a, n = matrix.charpoly().all_coeffs(), matrix.rows
    except TypeError:  # SymPy cannot order the factors of some coefficients
        return None
    H = sympy.Matrix(n, n, lambda i, j: a[2 * j - i + 1] if 0 <= 2 * j - i + 1 <= n else 0)
    tests = [sympy.factor(c) for c in [*a[1:], *(H[:k, :k].det() for k in range(1, n + 1))]]
    if any(c.is_negative for c in tests):
        return False
    return True if all(c.is_positive for c in tests) else None


def _sign_of_real_part(e, tolerance):
    """Return 1, -1, or None where the real part is zero to within the tolerance, or of unknown sign."""
    if e.is_number:
        real = complex(e).real
        if not abs(real) > tolerance or (
            abs(real) < 1e-12 and not e.has(sympy.Float) and sympy.re(e).equals(0) is not False
        ):
            return None
        return math.copysign(1, real)
    real = sympy.re(e)
    return 1 if real.is_positive else -1 if real.is_negative else None


def _vector_field(call, field, state):
    field, state = [f.doit() for f in vector(call, "field", field)], variables(call, "state", state)
    if len(field) != len(state):
        raise ValueError(
            f"`symbolic.{call}(field=...)` should have one component for each variable of the state. Got {len(field)} "
            f"for {len(state)}."
        )
    return field, state, {s for v in state if not v.is_Symbol for s in v.free_symbols}


def _moves(v, clocks):
    """Tell whether this is the time, a function of it, or a derivative by it."""
    return v in clocks or (
        bool(clocks)
        and (
            (isinstance(v, AppliedUndef) and clocks.issuperset(v.args))
            or (isinstance(v, sympy.Derivative) and not clocks.isdisjoint(v.variables))
        )
    )
