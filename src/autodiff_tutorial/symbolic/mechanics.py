"""From a Lagrangian to equations of motion, and to a right-hand side for an integrator."""

from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy.core.function import AppliedUndef

from autodiff_tutorial.symbolic.compilation import compile
from autodiff_tutorial.symbolic.expressions import listed, scalar, shortened, unbound, variables


def euler_lagrange(L: sympy.Expr, coordinates: Sequence, t: sympy.Symbol) -> sympy.Array:
    r"""Return the left-hand sides of the Euler-Lagrange equations.

    .. math:: \frac{d}{dt} \frac{\partial L}{\partial q_i'} - \frac{\partial L}{\partial q_i} = 0

    Parameters
    ----------
    L : sympy.Expr
        The Lagrangian: kinetic minus potential energy, in the coordinates, their first derivatives and t.
    coordinates : sequence of sympy.Function applied to t
        The coordinates :math:`q_i(t)`; n of them.
    t : sympy.Symbol
        The time.

    Returns
    -------
    sympy.Array, shape (n,)
        The expressions that vanish along a motion; those of a mechanical system are forces.

    Raises
    ------
    TypeError
        If `L` is no expression, `t` no symbol, or a coordinate no function of t.
    ValueError
        If `L` holds second derivatives of the coordinates.

    Examples
    --------
    >>> t, m, k = sympy.symbols("t m k")
    >>> x = sympy.Function("x")(t)
    >>> euler_lagrange(m * x.diff(t) ** 2 / 2 - k * x**2 / 2, [x], t)
    [k*x(t) + m*Derivative(x(t), (t, 2))]
    """
    L, q = _lagrangian("euler_lagrange", L, coordinates, t)
    return sympy.Array([L.diff(f.diff(t)).diff(t) - L.diff(f) for f in q])


def first_order_system(
    L: sympy.Expr,
    coordinates: Sequence,
    t: sympy.Symbol,
    *,
    parameters: Sequence = (),
    solve: Literal["numeric", "symbolic"] = "numeric",
) -> Callable:
    r"""Return the equations of motion of a Lagrangian as a JAX function, ready for an integrator.

    The Euler-Lagrange equations are linear in the accelerations, :math:`M q'' = b`, with

    .. math::

        M = \frac{\partial^2 L}{\partial q' \partial q'} , \qquad
        b = \frac{\partial L}{\partial q} - \frac{\partial^2 L}{\partial q' \partial q} q'
            - \frac{\partial^2 L}{\partial q' \partial t} .

    Parameters
    ----------
    L : sympy.Expr
        The Lagrangian: kinetic minus potential energy, in the coordinates, their first derivatives and t.
    coordinates : sequence of sympy.Function applied to t
        The coordinates :math:`q_i(t)`; n of them.
    t : sympy.Symbol
        The time.
    parameters : sequence of sympy.Symbol
        All other symbols in `L`, in the order in which the function will take their values.
    solve : {"numeric", "symbolic"}
        Whether :math:`M q'' = b` is solved at each call, in about :math:`2 n^3 / 3` operations, or once, as a formula;
        the formula swells quickly with n.

    Returns
    -------
    callable
        ``rhs(t, state, *parameters)``, where `state` of shape (2n,) holds the coordinates and then the velocities;
        returns its time derivative, of shape (2n,). Jitted; at points where the mass matrix is singular, the
        accelerations are not finite or meaningless.

    Raises
    ------
    TypeError
        If `L` is no expression, `t` or a parameter no symbol, or a coordinate no function of t.
    ValueError
        If `L` holds second derivatives, or a symbol that is not among the parameters, or if the mass matrix is
        singular everywhere; or if `solve` is unknown.

    Examples
    --------
    >>> t, g, l = sympy.symbols("t g l")
    >>> angle = sympy.Function("theta")(t)
    >>> pendulum = l**2 * angle.diff(t) ** 2 / 2 + g * l * sympy.cos(angle)
    >>> rhs = first_order_system(pendulum, [angle], t, parameters=[g, l])
    >>> velocity, acceleration = rhs(0.0, [0.5, 1.5], 9.81, 1.0)
    >>> print(f"{velocity:.4f} {acceleration:.4f}")
    1.5000 -4.7032
    """
    L, q = _lagrangian("first_order_system", L, coordinates, t)
    if solve not in ("numeric", "symbolic"):
        raise ValueError(
            f"`symbolic.first_order_system(solve=...)` should be one of 'numeric', 'symbolic'. Got {solve!r}."
        )
    parameters = variables("first_order_system", "parameters", parameters, (sympy.Symbol,), may_be_empty=True)
    if t in parameters:
        raise ValueError(f"`symbolic.first_order_system(parameters=...)` should not hold the time. Got {t}.")
    n, velocities = len(q), [f.diff(t) for f in q]
    if missing := unbound([L], [t, *q, *velocities, *parameters]):
        raise ValueError(
            f"`symbolic.first_order_system(parameters=...)` should name all that L depends on. Got "
            f"[{listed(parameters)}], without {listed(missing)}. Add them, or put in numbers with L.subs."
        )
    x, v = ([sympy.Dummy(f"{letter}{i}", real=True) for i, f in enumerate(q)] for letter in "xv")
    L = L.xreplace(dict(zip(velocities, v, strict=True))).xreplace(dict(zip(q, x, strict=True)))
    M = sympy.hessian(L, v)
    momenta = sympy.Matrix([L.diff(b) for b in v])
    b = sympy.Matrix([L.diff(a) for a in x]) - momenta.jacobian(x) * sympy.Matrix(v) - momenta.diff(t)
    arguments = [t, *x, *v, *parameters]
    rank = _rank(M, arguments)
    if rank < n:
        raise ValueError(
            f"`symbolic.first_order_system(L=...)` should determine all accelerations. Got a mass matrix of rank "
            f"{rank} for {n} coordinates. Does L hold the velocity of each?"
        )
    if solve == "symbolic":
        acceleration = compile(list(M.LUsolve(b)), arguments, backend="jax")
    else:
        program = compile([*M, *b], arguments, backend="jax")

        def acceleration(*values):
            both = program(*values)
            return jnp.linalg.solve(both[: n * n].reshape(n, n), both[n * n :])

    def rhs(t, state, *values):
        state = jnp.asarray(state)
        if state.shape != (2 * n,) or len(values) != len(parameters):
            raise ValueError(
                f"The right-hand side takes t, a state of shape ({2 * n},) and the parameters [{listed(parameters)}]. "
                f"Got a state of shape {state.shape} and {len(values)} parameters."
            )
        return jnp.concatenate([state[n:], acceleration(t, *state, *values)])

    return jax.jit(rhs)


def _rank(M, arguments):
    """Return the rank of a matrix of expressions at most points: the largest at a few random ones."""
    program, random = compile(M, arguments), np.random.default_rng(0)
    with np.errstate(all="ignore"):
        found = [program(*random.uniform(0.5, 1.5, len(arguments))) for _ in range(3)]
    return max((int(np.linalg.matrix_rank(m)) for m in found if np.isfinite(m).all()), default=M.rows)


def _lagrangian(call, L, coordinates, t):
    """Check what a Lagrangian is made of; return it with its derivatives carried out, and the coordinates."""
    if not isinstance(t, sympy.Symbol):
        raise TypeError(f"`symbolic.{call}(t=...)` should be a symbol. Got {shortened(t)}.")
    L = scalar(call, "L", L).doit()
    plural = f"functions of {t}, such as sympy.Function('q')({t})"
    q = variables(call, "coordinates", coordinates, (AppliedUndef,), plural)
    if wrong := [f for f in q if f.args != (t,)]:
        raise TypeError(f"`symbolic.{call}(coordinates=...)` should be {plural}. Got {wrong[0]}.")
    if high := [d for d in L.atoms(sympy.Derivative) if d.expr in q and d.derivative_count > 1]:
        raise ValueError(
            f"`symbolic.{call}(L=...)` should hold no higher derivatives than the first. Got {shortened(high[0])}."
        )
    return L, q
