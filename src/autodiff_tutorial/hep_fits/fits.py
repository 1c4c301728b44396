"""Maximum likelihood fits, their covariances, and their derivatives in whatever the likelihood depends on."""

import warnings
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.hep_fits.likelihoods import Likelihood, checked_index, checked_likelihood
from autodiff_tutorial.hep_fits.minimum import inverse, minimize
from autodiff_tutorial.hep_fits.structure import dense, eliminate
from autodiff_tutorial.implicit.rule import as_program, differentiable
from autodiff_tutorial.linear_maps.checking import checked_size
from autodiff_tutorial.solvers.problems import is_number

MAX_STEPS = 100


class FitResult(NamedTuple):
    r"""A fit.

    Attributes
    ----------
    params : array, shape (p,)
        The best fit.
    nll : array, shape ()
        The least negative log-likelihood.
    covariance : array, shape (p, p)
        The inverse of the Hessian of free parameters. Zero for those that are fixed or held by a bound; NaN where the
        Hessian is not positive definite.
    converged : array of bool, shape ()
        Whether the projected gradient vanishes, at a point that is no saddle.
    n_steps : array of int, shape ()
        How many steps were taken.
    gradient_norm : array, shape ()
        The largest element of the projected gradient, each times the width :math:`1/\sqrt{H_{ii}}` of its own
        parabola: about as many standard deviations are missing.
    free : array of bool, shape (p,)
        Which parameters are neither fixed nor held by a bound.
    """

    params: jax.Array
    nll: jax.Array
    covariance: jax.Array
    converged: jax.Array
    n_steps: jax.Array
    gradient_norm: jax.Array
    free: jax.Array

    @property
    def errors(self) -> jax.Array:
        """Standard deviations, the roots of the diagonal of the covariance."""
        variances = jnp.diagonal(self.covariance, axis1=-2, axis2=-1)
        # The root has no slope at 0, the variance of what is fixed; its error stays 0.
        return jnp.where(variances == 0, 0, jnp.sqrt(jnp.where(variances == 0, 1, variances)))

    @property
    def singular(self) -> jax.Array:
        """Whether the data leave a direction of free parameters open, so that there is no covariance."""
        return jnp.isnan(self.covariance[..., 0, 0])


def fit(likelihood: Likelihood, data: ArrayLike, *, fixed: dict | None = None, max_steps: int = MAX_STEPS) -> FitResult:
    r"""Maximize a likelihood within its bounds.

    Newton's method with exact gradients and Hessians, damped where it has to be. At the minimum the gradient of free
    parameters vanishes, whatever the data; so the best fit moves with them as

    .. math:: \dot\theta = -H^{-1}\, \partial_d \nabla_\theta(-\ln L)\, \dot d ,

    and is differentiable, with all else in the result, in `data`, in values of `fixed`, and in all that the
    likelihood closes over: both modes, any order. A step costs p Hessian-vector products and :math:`O(p^3)`.

    Parameters
    ----------
    likelihood : Likelihood
        What to fit.
    data : array_like, shape (d,)
        Main counts, then auxiliary data, for a likelihood `from_pyhf`.
    fixed : dict, optional
        Values for parameters that do not move, by name or index.
    max_steps : int
        How many steps are taken at most.

    Returns
    -------
    FitResult
        Where it has not converged, derivatives are NaN, and outside of `jax.jit` and `jax.vmap` there is a warning.

    Raises
    ------
    TypeError, ValueError
        If the data or the likelihood are not as said there, the start is outside the bounds, a name in `fixed` does
        not exist, or no parameter is free.

    References
    ----------
    Nocedal and Wright (2006), Numerical Optimization, chapters 3 and 16; for the derivative, as `implicit.root`.

    Examples
    --------
    Five events of signal are expected on ten of background, and fifteen came:

    >>> counter = Likelihood(
    ...     nll=lambda params, n: 5.0 * params[0] + 10.0 - n[0] * jnp.log(5.0 * params[0] + 10.0),
    ...     init=jnp.array([0.5]),
    ...     bounds=jnp.array([[0.0, 10.0]]),
    ...     names=["mu"],
    ... )
    >>> found = fit(counter, [15.0])
    >>> print(f"{found.params[0]:.3f} +- {found.errors[0]:.3f}")
    1.000 +- 0.775
    >>> print(f"{jax.grad(lambda n: fit(counter, n).params[0])(jnp.array([15.0]))[0]:.3f}")
    0.200
    """
    call = "hep_fits.fit"
    y, lower, upper, data = checked_likelihood(call, likelihood, data)
    y, lower, upper = hold(call, likelihood, fixed or {}, y, lower, upper)
    if not isinstance(lower, jax.core.Tracer) and np.all(np.asarray(lower == upper)):
        raise ValueError(f"`{call}` should have a parameter that is free. Got all of them fixed.")
    found = solve(likelihood.nll, data, y, lower, upper, checked_size("max_steps", max_steps, call)).result
    warn_of(call, found.converged, "derivatives are NaN")
    return found


def hold(call, likelihood, fixed, y, lower, upper):
    """Return start and bounds with some parameters held at values."""
    if not isinstance(fixed, dict):
        raise TypeError(f"`{call}(fixed=...)` should be a dictionary, such as {{'mu': 1.0}}. Got {fixed!r}.")
    for name, value in fixed.items():
        k = checked_index(call, likelihood, name, "fixed")
        if not is_number(value) or np.ndim(value) > 0 or np.iscomplexobj(value):
            raise ValueError(f"`{call}(fixed=...)` should hold one real number for {name!r}. Got {value!r}.")
        y, lower, upper = (part.at[k].set(value) for part in (y, lower, upper))
    return y, lower, upper


class Fitted(NamedTuple):
    """A fit, and what else is known at its end, without derivatives."""

    result: FitResult
    hessian: jax.Array
    gradient: jax.Array


@partial(jax.jit, static_argnames=("nll", "max_steps"))
def solve(nll, data, y, lower, upper, max_steps=MAX_STEPS) -> Fitted:
    """Fit from y, with those fixed whose bounds are equal. Compiled once for each likelihood and each shape."""
    program, operands = as_program("hep_fits.fit", nll, y, data)
    n = len(operands)
    still = jax.lax.stop_gradient((operands, y, lower, upper))
    found = minimize(lambda y: program(y, *still[0]), *still[1:], max_steps)

    def equation(y, *operands):
        lower, upper, at_lower, free = operands[n:]
        gradient = jax.grad(lambda y: program(y, *operands[:n]))(y)
        return jnp.where(free, gradient, y - jnp.where(at_lower, lower, upper))

    # What is known at the minimum is not computed again, but it moves with the minimum.
    @jax.custom_jvp
    def there(known, y, operands):
        return known

    @there.defjvp
    def _(primals, tangents):
        def look(y, operands):
            return program(y, *operands), jax.hessian(lambda y: program(y, *operands))(y)

        return there(*primals), jax.jvp(look, primals[1:], tangents[1:])[1]

    at_lower = found.y <= lower
    known = found.value, dense(y.size).matrix(found.hessian)
    y = differentiable(equation, found, [*operands, lower, upper, at_lower, found.free], _solve_linear).y
    value, hessian = there(known, y, operands)
    result = FitResult(y, value, inverse(hessian, found.free, found.residual), *found[1:5])
    return Fitted(result, *jax.lax.stop_gradient((known[1], found.gradient)))


def _solve_linear(matvec, b):
    """Solve with the Hessian of free parameters, and ones on the diagonal for the others."""
    columns = jax.vmap(matvec)(jnp.eye(b.size, dtype=b.dtype))
    return eliminate(columns.T, b[:, None])[0][:, 0]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def without_derivatives(call, found):
    """Return what was found by a search that is not differentiated, and refuse to do so."""
    return found


@without_derivatives.defjvp
def _(call, primals, tangents):
    raise TypeError(f"`{call}` has no derivatives. Those of `fit`, `profile` and `hypotest` are exact.")


def warn_of(call, converged, consequence):
    """Warn on the host of what has not converged."""
    if not isinstance(converged, jax.core.Tracer) and not np.all(np.asarray(converged)):
        missing, of = int(np.sum(~np.asarray(converged))), np.size(converged)
        text = "has not converged" if of == 1 else f"has not converged in {missing} of {of} cases"
        warnings.warn(f"`{call}` {text}: {consequence}.", RuntimeWarning, stacklevel=3)
