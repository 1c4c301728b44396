"""Second derivatives as products: Hessian times vector, and mixed partials as linear maps."""

import operator
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from autodiff_tutorial.linear_maps import LinearMap
from autodiff_tutorial.linear_maps.checking import first_line
from autodiff_tutorial.linear_maps.maps import derived

_MODES = "fwd_over_rev", "rev_over_fwd", "rev_over_rev", "fwd_over_fwd"


def hvp(
    f: Callable,
    primals: tuple,
    tangents: tuple,
    *,
    mode: Literal["fwd_over_rev", "rev_over_fwd", "rev_over_rev", "fwd_over_fwd"] = "fwd_over_rev",
) -> Any:
    r"""Multiply the Hessian of a scalar function by a vector; the Hessian is not built.

    ================ ========================================================== ============================
    mode             what is computed                                           passes
    ================ ========================================================== ============================
    ``fwd_over_rev`` the derivative of :math:`\nabla f` along v                 one push through the gradient
    ``rev_over_fwd`` the gradient of :math:`\partial f(x)[v]`                   one pull through the JVP
    ``rev_over_rev`` the gradient of :math:`\langle \nabla f(x), v \rangle`     one pull through the gradient
    ``fwd_over_fwd`` :math:`e_i^T H v` for each i                               n pushes through the JVP
    ================ ========================================================== ============================

    All give :math:`H v` with :math:`H_{ij} = \partial^2 f / \partial x_i \partial x_j`. The first three cost a small
    multiple of a gradient, whatever the size of x; `fwd_over_fwd` keeps nothing of the program, and suits a few inputs.

    Parameters
    ----------
    f : callable
        Traceable; takes arrays or pytrees of arrays, and returns one number.
    primals : tuple
        The arguments of `f`, one entry each.
    tangents : tuple
        v, of the same structure, shapes and dtypes.
    mode : {"fwd_over_rev", "rev_over_fwd", "rev_over_rev", "fwd_over_fwd"}
        Which modes, the outer one first.

    Returns
    -------
    array or pytree
        H v, shaped like the argument; for several arguments, a tuple with one entry for each, where H holds the mixed
        partials of all of them.

    Raises
    ------
    TypeError
        If `primals` or `tangents` is no tuple, or holds other than floats, or their dtypes differ.
    ValueError
        If `mode` is unknown, structures or shapes differ, or `f` returns more than one number.

    References
    ----------
    Pearlmutter (1994).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> print(hvp(lambda x: x[0] ** 2 * x[1], (jnp.array([1.0, 2.0]),), (jnp.array([1.0, 0.0]),)))
    [4. 2.]
    """
    name = "higher_order.hvp"
    if mode not in _MODES:
        raise ValueError(f"`{name}(mode=...)` should be one of {', '.join(map(repr, _MODES))}. Got {mode!r}.")
    if not callable(f):
        raise TypeError(f"`{name}(f=...)` should be a function. Got {f!r}.")
    x, v = _checked_pair(name, primals, tangents)
    _check_scalar(name, f, x)

    def g(x):
        return f(*x)

    match mode:
        case "fwd_over_rev":
            found = jax.jvp(jax.grad(g), (x,), (v,))[1]
        case "rev_over_fwd":
            found = jax.grad(lambda x: jax.jvp(g, (x,), (v,))[1])(x)
        case "rev_over_rev":
            # H is symmetric: the pullback of the gradient multiplies by H, and is the gradient of its product with v.
            found = jax.vjp(jax.grad(g), x)[1](v)[0]
        case "fwd_over_fwd":
            flat, unravel = ravel_pytree(x)

            def entry(e):
                return jax.jvp(lambda x: jax.jvp(g, (x,), (v,))[1], (x,), (unravel(e),))[1]

            found = unravel(jax.vmap(entry)(jnp.eye(flat.size, dtype=flat.dtype)).astype(flat.dtype))
    return found[0] if len(found) == 1 else found


class MixedPartial(LinearMap):
    r"""The second derivative of a scalar function with respect to two of its arguments, as a linear map.

    It takes a change of argument j, raveled, to the change of the gradient in argument i, raveled. Its transpose
    exchanges i and j. `mixed_partial` makes it.
    """

    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    def as_tensor(self, chunk_size: int | None = None) -> jax.Array:
        r"""Write it out as the tensor :math:`\partial^2 f / \partial (x_i)_a \partial (x_j)_b`.

        Parameters
        ----------
        chunk_size : int, optional
            How many products are computed at once, as in `LinearMap.as_matrix`.

        Returns
        -------
        array
            The axes a of argument i first, then the axes b of argument j.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> f = lambda x, Y: x @ Y @ x
        >>> mixed_partial(f, 0, 1)(jnp.ones(2), jnp.ones((2, 2))).as_tensor().shape
        (2, 2, 2)
        """
        return self.as_matrix(chunk_size=chunk_size).reshape(*self.shapes[0], *self.shapes[1])


def mixed_partial(f: Callable, i: int, j: int) -> Callable[..., MixedPartial]:
    r"""Make the function that returns the mixed partial derivative of f in its arguments i and j, as a linear map.

    .. math:: (M v)_a = \sum_b \frac{\partial^2 f}{\partial (x_i)_a \, \partial (x_j)_b} v_b

    It takes a change v of argument j to the change of the gradient in argument i. Making it costs a few gradients;
    after that a product with it, or with its transpose, costs about one.

    Parameters
    ----------
    f : callable
        Traceable; its arguments i and j are arrays, and it returns one number.
    i, j : int
        Numbers of arguments, from 0. They may be equal.

    Returns
    -------
    callable
        It takes the arguments of `f` and returns a `MixedPartial`: a `LinearMap` from the raveled argument j to the
        raveled argument i, with ``.as_tensor()``.

    Raises
    ------
    TypeError
        If `i` or `j` is no integer, or the arguments that they name do not hold floats of one dtype.
    ValueError
        If there is no such argument, it is empty, or `f` returns more than one number.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> M = mixed_partial(lambda x, y: x[0] * y[0] + 2 * x[1] * y[0], 0, 1)(jnp.ones(2), jnp.ones(1))
    >>> print(M @ jnp.array([10.0]), M.T @ jnp.array([1.0, 1.0]))
    [10. 20.] [3.]
    """
    name = "higher_order.mixed_partial"
    if not callable(f):
        raise TypeError(f"`{name}(f=...)` should be a function. Got {f!r}.")
    places = [_checked_place(name, letter, place) for letter, place in (("i", i), ("j", j))]

    def at(*args):
        chosen = []
        for letter, place in zip("ij", places, strict=True):
            if not -len(args) <= place < len(args):
                raise ValueError(f"`{name}({letter}=...)` should number one of the {len(args)} arguments. Got {place}.")
            chosen.append(_checked_array(f"{name}(f, i, j)(...)", letter, args[place]))
        (a, b), dtype = chosen, chosen[0].dtype
        if b.dtype != dtype:
            raise TypeError(
                f"`{name}(f, i, j)(...)` should have arguments i and j of one dtype. Got {dtype}, {b.dtype}."
            )
        rows, columns = (place % len(args) for place in places)

        def moved(a, b):
            arguments = list(args)
            arguments[rows], arguments[columns] = a, b
            return arguments

        _check_scalar(name, lambda a, b: f(*moved(a, b)), (a, b))

        def gradient(flat):
            return jax.grad(f, rows)(*moved(a, flat.reshape(b.shape))).ravel()

        push = jax.linearize(gradient, b.ravel())[1]
        pull = jax.linear_transpose(push, jax.ShapeDtypeStruct((b.size,), dtype))
        there = derived(push, (a.size, b.size), dtype, lambda: back, MixedPartial)
        back = derived(lambda u: pull(u)[0], (b.size, a.size), dtype, lambda: there, MixedPartial)
        there.shapes, back.shapes = (a.shape, b.shape), (b.shape, a.shape)
        return there

    return at


def _checked_pair(name, primals, tangents):
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple) or not primals:
        raise TypeError(
            f"`{name}(primals=..., tangents=...)` should be tuples, with one entry for each argument of f: (x,) and "
            f"(v,). Got {type(primals).__name__} and {type(tangents).__name__}."
        )
    trees = jax.tree.structure(primals), jax.tree.structure(tangents)
    if trees[0] != trees[1]:
        raise ValueError(f"`{name}(tangents=...)` should have the structure of primals, {trees[0]}. Got {trees[1]}.")

    def checked(x, v):
        for word, leaf in (("primals", x), ("tangents", v)):
            dtype = jnp.result_type(leaf)
            if not jnp.issubdtype(dtype, jnp.floating):
                raise TypeError(f"`{name}({word}=...)` should hold floating point numbers. Got {dtype}.")
        x = jnp.asarray(x)
        v = jnp.asarray(v, dtype=x.dtype if isinstance(v, float) else None)
        if v.shape != x.shape:
            raise ValueError(f"`{name}(tangents=...)` should have the shapes of primals. Got {v.shape} for {x.shape}.")
        if v.dtype != x.dtype:
            raise TypeError(f"`{name}(tangents=...)` should have the dtypes of primals. Got {v.dtype} for {x.dtype}.")
        return x, v

    if sum(jnp.size(leaf) for leaf in jax.tree.leaves(primals)) == 0:
        raise ValueError(f"`{name}(primals=...)` should not be empty. Got no numbers.")
    pairs = jax.tree.map(checked, primals, tangents)
    return (jax.tree.map(lambda _, pair, k=k: pair[k], primals, pairs) for k in range(2))


def _check_scalar(name, f, args):
    """Check that f returns one real number, without running it."""
    should = f"`{name}(f=...)` should"
    try:
        found = jax.eval_shape(f, *args)
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"{should} be traceable by JAX: written with jax.numpy, without branches on values. "
            f"Got {first_line(error)}."
        ) from error
    if getattr(found, "shape", None) != ():
        got = jax.tree.map(lambda leaf: leaf.shape, found)
        raise ValueError(
            f"{should} return one number, of shape (). Got {'shape ' if hasattr(found, 'shape') else ''}{got}. "
            "Add the entries up, with weights if you like, or take a Jacobian."
        )
    if not jnp.issubdtype(found.dtype, jnp.floating):
        raise TypeError(f"{should} return a real floating point number. Got {found.dtype}.")


def _checked_place(name, letter, place):
    try:
        return operator.index(place)
    except TypeError:
        raise TypeError(f"`{name}({letter}=...)` should be an integer. Got {place!r}.") from None


def _checked_array(call, letter, value):
    is_array = jax.tree.structure(value) == jax.tree.structure(0)
    if not is_array or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
        got = jnp.result_type(value) if is_array else type(value).__name__
        raise TypeError(f"`{call}` should have an array of floats as argument {letter}. Got {got}.")
    array = jnp.asarray(value)
    if array.dtype not in (jnp.float32, jnp.float64):
        raise TypeError(f"`{call}` should have float32 or float64 in argument {letter}. Got {array.dtype}.")
    if array.size == 0:
        raise ValueError(f"`{call}` should have an argument {letter} that is not empty. Got shape {array.shape}.")
    return array
