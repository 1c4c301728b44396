"""Derivatives, Jacobians and Hessians by differences.

Each function here checks its input (`checked_task`), says along which lines through x the function is to be
differentiated, and leaves the rest to `solve`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autodiff_tutorial.finite_differences.lines import Axes, solve
from autodiff_tutorial.finite_differences.stencils import Array, Scheme
from autodiff_tutorial.finite_differences.tasks import checked_task


class Estimate(NamedTuple):
    """A derivative, how far it may be off, and what it cost.

    Attributes
    ----------
    df : array
        The derivative.
    error : array, shape of `df`
        Estimated absolute error: measured truncation plus a bound on roundoff. It takes the values of f to be right
        to rounding, and f to be smooth over a few steps; where f is noisy (a simulation, an iterative solver), or
        varies faster than that, the true error may be larger.
    nfev : int
        Number of points at which f was evaluated.
    step : array
        The step that was used: one for each component of `x`, or a single one for `jvp`.
    """

    df: Array
    error: Array
    nfev: int
    step: Array


def derivative(
    f: Callable,
    x: ArrayLike,
    *,
    order: int = 1,
    scheme: Scheme = "central",
    accuracy: int = 2,
    step: ArrayLike | None = None,
    batched: bool = False,
) -> Estimate:
    r"""Estimate the derivative of a function of one real variable.

    :math:`f^{(q)}(x) \approx h^{-q} \sum_j w_j f(x + s_j h)`, at every entry of `x` by itself.
    An entry costs :math:`q + p + 1` evaluations of f, 16 or more with "richardson", 3 with "complex" (q + p + 2
    from order 2 on). Of these, one point or pair of points is more than the formula needs: the difference to the next
    more accurate formula measures the truncation error. With "complex", two test whether f is analytic; a doubtful
    case takes more.

    Parameters
    ----------
    f : callable
        Takes a float and returns a float or an array. With `batched`, takes an array of N points and returns an
        array whose first axis has length N. "complex" calls it with complex numbers: f must be analytic, without
        `abs`, `real` or `conj`. On the host that is checked, by one difference; under `jax.jit` it cannot be.
    x : float or array_like of floats
        Where to differentiate. The step is chosen for its dtype: float32 wants a wider one than float64.
    order : int
        Order q of the derivative.
    scheme : {"central", "forward", "backward", "complex", "richardson"}
        Central differences are the rule; one-sided ones serve at the edge of a domain; "complex" is exact to
        rounding; "richardson" searches a ladder of steps, over three decades, where the scale of f is not known.
    accuracy : int
        Accuracy p: the truncation error shrinks like the step to this power.
    step : float or array_like, optional
        The step, in units of `x`; of the imaginary part for "complex" of order 1. By default
        ``optimal_step(...) * max(1, |x|)``, rounded to a few bits so that `x + step` is nearly always exact. A
        function that varies over a shorter length than ``max(1, |x|)`` wants a shorter step. A step of your own for
        "complex" costs one more evaluation, which measures what it truncates.
    batched : bool
        If true, f is called once, with all points; NumPy in, NumPy out, JAX in, JAX out, and `jax.jit` and
        `jax.vmap` apply. If false, f is called on the host, a point at a time.

    Returns
    -------
    Estimate
        `df` has the shape of `x` followed by the shape of ``f(x)``.

    Raises
    ------
    TypeError
        If `x` is not float32 or float64, or f returns a lower precision, or another kind of number, than it was given.
    ValueError
        If an option is unknown, the accuracy is odd where it has to be even, `x` is empty or not finite, a step is
        not positive and finite or is lost in `x`, f returns NaN or infinity, or f is not analytic for "complex".

    Notes
    -----
    The weights are those of :cite:t:`fornberg1988`, the complex step is due to :cite:t:`squire1998`, the search
    in Richardson's table to :cite:t:`ridders1982`.

    Examples
    --------
    >>> import numpy as np
    >>> df, error, nfev, step = derivative(np.sin, 1.0)
    >>> round(float(df), 8), bool(abs(df - np.cos(1.0)) < error), nfev
    (0.54030231, True, 4)
    >>> derivative(np.sin, 1.0, scheme="complex").df == np.cos(1.0)
    np.True_
    """
    task = checked_task("derivative", f, x, scheme, accuracy, order, step, batched)
    x, h, eta = task.x.reshape(-1), task.h.reshape(-1), task.eta.reshape(-1)
    df, error, nfev = solve(task, x, h, eta, h, eta, abs(x) / h, 1 / task.xp.maximum(1, abs(x)))
    shape = task.x.shape + df.shape[1:]
    return Estimate(df.reshape(shape), error.reshape(shape), nfev, task.h)


def jvp(
    f: Callable,
    x: ArrayLike,
    v: ArrayLike,
    *,
    scheme: Scheme = "central",
    accuracy: int = 2,
    step: ArrayLike | None = None,
    batched: bool = False,
) -> Estimate:
    r"""Estimate the derivative of f at x along v, the Jacobian-vector product :math:`J(x)\,v`.

    The cost is that of one derivative, whatever the number of components: see `derivative`.

    Parameters
    ----------
    f : callable
        Takes an array like `x`; returns an array. With `batched`, takes an array of shape (N, ``*x.shape``).
    x : array_like of floats
        The point.
    v : array_like, shape of `x`
        The direction; it need not have length one.
    scheme, accuracy, batched
        As in `derivative`.
    step : float, optional
        The step in units of `v`: f is evaluated at ``x + step * v`` and the like. By default no component of `x`
        moves by more than its own best step.

    Returns
    -------
    Estimate
        `df` has the shape of ``f(x)``.

    Raises
    ------
    TypeError, ValueError
        As `derivative`, or if `v` has another shape than `x`.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> jvp(lambda x: A @ x**2, np.array([1.0, -1.0]), np.array([1.0, 0.0])).df.round(6)
    array([ 2.,  6., 10.])
    """
    task = checked_task("jvp", f, x, scheme, accuracy, 1, step, batched, v=v)
    x, v, t = task.x[None], task.v[None], task.h[None]
    longest = abs(t * v).max()
    ratio = abs(x).max() / task.xp.where(longest > 0, longest, 1)
    reach = (abs(v) / task.xp.maximum(1, abs(x))).max()
    df, error, nfev = solve(task, x, t * v, t * v, t, t, ratio[None], reach[None], together=[0])
    return Estimate(df[0], error[0], nfev, task.h)


def jacobian(
    f: Callable,
    x: ArrayLike,
    *,
    scheme: Scheme = "central",
    accuracy: int = 2,
    step: ArrayLike | None = None,
    batched: bool = False,
) -> Estimate:
    r"""Estimate the Jacobian :math:`J_{ij} = \partial f_i / \partial x_j`; for a scalar function, the gradient.

    The cost is n derivatives for n inputs: `1 + n * (accuracy + 1)` evaluations one-sided, `n * (accuracy + 2)`
    central, `n + 2` by the complex step (more if there is doubt whether f is analytic).

    Parameters
    ----------
    f : callable
        Takes an array of shape (n,); returns a number or an array of shape (m,). With `batched`, takes (N, n) and
        returns (N,) or (N, m).
    x : array_like of floats, shape (n,)
        The point.
    scheme, accuracy, batched
        As in `derivative`.
    step : float or array_like, shape (n,), optional
        The step of each component; the default is that of `derivative`.

    Returns
    -------
    Estimate
        `df` of shape (m, n), or (n,) if f returns a number.

    Raises
    ------
    TypeError, ValueError
        As `derivative`, or if `x` or f(x) has more than one axis.

    Examples
    --------
    >>> import numpy as np
    >>> f = lambda x: np.array([x[0] ** 2 + x[1] ** 2, x[0] * x[1], x[1]])
    >>> jacobian(f, np.array([2.0, 3.0])).df.round(6)
    array([[4., 6.],
           [3., 2.],
           [0., 1.]])
    """
    task = checked_task("jacobian", f, x, scheme, accuracy, 1, step, batched, rank=1)
    x, h = task.x, task.h
    lines, reach = Axes(h, range(x.size)), 1 / task.xp.maximum(1, abs(x))
    df, error, nfev = solve(task, x[None], lines, lines, h, h, abs(x) / h, reach, together=range(x.size))
    return Estimate(df.T, error.T, nfev, h)


def hessian(
    f: Callable,
    x: ArrayLike,
    *,
    scheme: Scheme = "central",
    accuracy: int = 2,
    step: ArrayLike | None = None,
    batched: bool = False,
) -> Estimate:
    r"""Estimate the Hessian :math:`H_{ij} = \partial^2 f / \partial x_i \partial x_j` of a scalar function.

    The real schemes take second derivatives along :math:`e_i` and along :math:`e_i + e_j`, and
    :math:`H_{ij} = (D^2_{i+j} - D^2_i - D^2_j) / 2`; "complex" takes central differences of the complex-step
    gradient, which is the more accurate. Either way the cost is about `n * (n + 1) / 2` derivatives.

    Parameters
    ----------
    f : callable
        Takes an array of shape (n,); returns a number. With `batched`, takes (N, n) and returns (N,).
    x : array_like of floats, shape (n,)
        The point.
    scheme, accuracy, batched
        As in `derivative`.
    step : float or array_like, shape (n,), optional
        The real step of each component; the default is that of `derivative` for order 2.

    Returns
    -------
    Estimate
        `df` of shape (n, n), symmetric.

    Raises
    ------
    TypeError, ValueError
        As `derivative`, or if f returns more than a number.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1], np.array([2.0, 3.0])).df.round(5)
    array([[6., 4.],
           [4., 0.]])
    """
    task = checked_task("hessian", f, x, scheme, accuracy, 2, step, batched, rank=0)
    x, h, eta, n = task.x, task.h, task.eta, task.x.size
    i, j = np.triu_indices(n, 1)
    i, j = np.append(np.arange(n), i), np.append(np.arange(n), j)  # the diagonal, then the pairs above it
    ratio, reach = task.xp.maximum((abs(x) / h)[i], (abs(x) / h)[j]), 1 / task.xp.maximum(1, abs(x))[i]
    if scheme == "complex":
        imaginary = Axes(eta, i)
        last = np.flatnonzero(j == n - 1)  # these start at one point, and turn to every axis
        lines = Axes(h, j), imaginary
        df, error, nfev = solve(task, x[None], *lines, h[j], eta[i], ratio, reach, together=last)
    else:

        def polarize(d, sign):
            mixed = (d[:, n:] + sign * (d[:, i[n:]] + d[:, j[n:]])) / 2
            return task.xp.concatenate([d[:, :n], mixed], axis=1)

        both = Axes(h, i, np.where(i == j, n, j))
        one = task.xp.ones_like(h)[i]
        df, error, nfev = solve(task, x[None], both, None, one, one, ratio, reach, fold=polarize)
        df, error = df / (h[i] * h[j]), error / (h[i] * h[j])
    full = np.zeros((n, n), dtype=int)
    full[i, j] = full[j, i] = np.arange(i.size)
    return Estimate(df[full], error[full], nfev, h)
