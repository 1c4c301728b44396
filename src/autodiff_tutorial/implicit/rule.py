"""The derivative of a solution in what its equation depends on."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.flatten_util import ravel_pytree

from autodiff_tutorial.solvers import Solution, solve_linear
from autodiff_tutorial.solvers.problems import is_number, tracing

# At a solution, F(y(a), a) = 0 for all a nearby, so its total derivative vanishes:
#
#     F_y y_dot + F_a a_dot = 0,        y_dot = -F_y^-1 F_a a_dot.
#
# One JVP rule says that. It is linear in a_dot, and its linear system knows its transpose, so JAX finds
#
#     a_bar = -F_a^T F_y^-T y_bar
#
# by itself; and since the rule is made of programs that JAX can differentiate, with y in it a solution that has this
# very rule, so are all higher orders.


def differentiable(residual, solution, operands, linear_solve):
    """Return a solution of residual(y, *operands) = 0 that changes with the operands."""
    flat, unravel = ravel_pytree(solution.y)
    # What has not converged is not where it should be, and its derivative would be a wrong number.
    valid = jnp.where(solution.converged, 1, jnp.nan).astype(flat.dtype)

    @jax.custom_jvp
    def solved(y, valid, operands):
        return y

    @solved.defjvp
    def _(primals, tangents):
        (_, valid, operands), (_, _, operands_dot) = primals, tangents
        y = solved(*primals)
        matvec = jax.linearize(lambda y: residual(y, *operands), y)[1]
        change = jax.jvp(lambda *operands: residual(y, *operands), operands, operands_dot)[1]
        return y, valid * solve_linear(matvec, -change, linear_solve)

    return solution._replace(y=unravel(solved(flat, valid, tuple(operands))))


def check_args(call, args):
    for leaf in jax.tree.leaves(args):
        if not is_number(leaf):
            raise TypeError(f"`{call}(args=...)` should hold numbers and arrays. Got {leaf!r}.")


def as_program(call, fn, y0, args):
    """Return fn(y, args) as a function of y and of all else that it depends on, args or not, as a list."""
    leaves, structure = jax.tree.flatten(args)
    leaves = [jnp.asarray(leaf) for leaf in leaves]

    def flat(y, leaves):
        return fn(y, jax.tree.unflatten(structure, leaves))

    with tracing(call):
        traced, out = jax.make_jaxpr(flat, return_shape=True)(y0, leaves)

    def program(y, *operands):
        n = len(leaves)
        run = jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, list(operands[n:])))
        return jax.tree.unflatten(jax.tree.structure(out), run(*jax.tree.leaves(y), *operands[:n]))

    return program, [*leaves, *traced.consts]


def told(call, solution: Solution, warn) -> Solution:
    """Warn of a solution that is none: at once where there are numbers, from within compiled programs on request."""

    def say(converged, n_steps, residual):
        if not np.all(np.asarray(converged)):
            warnings.warn(
                f"`{call}` has not converged in {int(n_steps)} steps: the residual is {float(residual):.3g}. "
                "Its derivatives are NaN.",
                RuntimeWarning,
                stacklevel=5,  # the caller of `root`
            )

    parts = jax.lax.stop_gradient((solution.converged, solution.n_steps, solution.residual))
    if not any(isinstance(part, jax.core.Tracer) for part in parts):
        say(*parts)
    elif warn:
        jax.debug.callback(say, *parts)
    return solution
