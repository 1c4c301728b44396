"""Forward mode from scratch: dual numbers carry a value and its change through a program.

Knows the rules of `primitives` and nothing of reverse mode. Nothing here calls JAX's differentiation.
"""

from collections.abc import Callable
from typing import Any

import jax

from autodiff_tutorial import primitives
from autodiff_tutorial.primitives.boundary import as_function_of, checked_floats, like, numbered, owned, run
from autodiff_tutorial.primitives.loops import along_basis, scan_leaves
from autodiff_tutorial.primitives.rules import rule_of
from autodiff_tutorial.primitives.tracing import Level, Traced, call, is_float, shape_of, suspended, zeros_like


class Dual(Traced):
    r"""A value and its tangent: :math:`x + \dot x \varepsilon` with :math:`\varepsilon^2 = 0`.

    Each run of `jvp` has an :math:`\varepsilon` of its own, its `level`, so that runs inside each other are not
    confused. Functions make duals by `jvp`; they need not be made by hand.

    Attributes
    ----------
    level : Level
        The run that the tangent belongs to.
    primal, tangent : array_like
        Of the same shape. They are duals themselves where runs are nested.
    """

    __slots__ = ("tangent",)

    def __init__(self, level, primal, tangent):
        self.level, self.primal, self.tangent = level, primal, tangent

    def __repr__(self):
        return f"Dual({self.primal!r}, {self.tangent!r})"


class _Forward(Level):
    transform = "forward_mode.jvp"

    def process(self, primitive, args, params):
        """Apply a primitive to the values, and its rules to the tangents."""
        primals, tangents = self.parts(args)
        y = primitive(*primals, **params)
        y_dot = None
        for i, x_dot in tangents.items():
            share = rule_of(primitive, "jvp", i)(x_dot, y, *primals, **params)
            y_dot = share if y_dot is None else y_dot + share
        return Dual(self, y, y_dot)

    def parts(self, args):
        """Return the values below this level, and the tangents of those that have one, by position."""
        own = {i: arg for i, arg in enumerate(args) if isinstance(arg, Dual) and arg.level is self}
        primals = [own[i].primal if i in own else arg for i, arg in enumerate(args)]
        return primals, {i: dual.tangent for i, dual in own.items()}

    def call(self, f, leaves, transform):
        """Keep f whole for outer levels: as one function from values and tangents to values and tangents."""
        primals, tangents = self.parts(leaves)
        moving = []

        def pushed(both):
            ys, y_dots = _push(f, both[: len(primals)], dict(zip(tangents, both[len(primals) :], strict=True)))
            moving[:] = y_dots
            return [*ys, *y_dots.values()]

        with suspended(transform, [self]):
            both = call(pushed, [*primals, *tangents.values()], transform)
        return self.joined(both[: len(both) - len(moving)], dict(zip(moving, both[-len(moving) :], strict=False)))

    def scan(self, step, c, x, p, length, reverse):
        """Loop over values and tangents together. Every floating carry has a tangent, since it may get one."""
        (c, c_dots), (x, x_dots), (p, p_dots) = map(self.parts, (c, x, p))
        c_dots = {i: like(c_dots.get(i, zeros_like(leaf)), leaf) for i, leaf in enumerate(c) if is_float(leaf)}
        moving = []

        def pushed(c_both, x_both, p_both):
            ours, dots, sizes = [], {}, []
            for both, n, keys in (c_both, len(c), c_dots), (x_both, len(x), x_dots), (p_both, len(p), p_dots):
                dots |= {len(ours) + i: dot for i, dot in zip(keys, both[n:], strict=True)}
                ours += both[:n]
                sizes.append(len(ours))

            def flat(leaves):
                new, y = step(leaves[: sizes[0]], leaves[sizes[0] : sizes[1]], leaves[sizes[1] :])
                return [*new, *y]

            out, out_dots = _push(flat, ours, dots)
            moving[:] = [i - len(c) for i in out_dots if i >= len(c)]
            new_dots = [like(out_dots.get(i, zeros_like(out[i])), c_both[i]) for i in c_dots]
            return [*out[: len(c)], *new_dots], [*out[len(c) :], *(out_dots[len(c) + i] for i in moving)]

        c_both, y_both = scan_leaves(
            pushed, [*c, *c_dots.values()], [*x, *x_dots.values()], [*p, *p_dots.values()], length, reverse
        )
        new = self.joined(c_both[: len(c)], dict(zip(c_dots, c_both[len(c) :], strict=True)))
        ys = len(y_both) - len(moving)
        return new, self.joined(y_both[:ys], dict(zip(moving, y_both[ys:], strict=True)))

    def joined(self, primals, tangents):
        """Return duals of this level where there is a tangent."""
        return [Dual(self, y, tangents[i]) if i in tangents else y for i, y in enumerate(primals)]


def _push(f, primals, tangents):
    """Run f, on lists of leaves; return its values, and the tangents of those that move, by position."""
    with _Forward() as level:
        return level.parts(f(level.joined(primals, tangents)))


def jvp(f: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    r"""Push a tangent forward: evaluate f and its derivative in one direction.

    .. math:: \dot y = \sum_k \frac{\partial f}{\partial x_k}(x)\, \dot x_k

    The cost is a small multiple of that of `f`, in time and in memory, whatever the number of inputs.

    Parameters
    ----------
    f : callable
        Written with operators, functions of `primitives`, or functions of NumPy. It takes and returns floats, arrays
        or pytrees of them, and may branch and loop as it likes.
    primals : tuple
        The arguments of `f`, one entry each.
    tangents : tuple
        Their tangents, of the same structure, shapes and dtypes.

    Returns
    -------
    value
        f(\*primals).
    tangent
        Of the same structure. Zero where a result does not depend on the arguments.

    Raises
    ------
    TypeError
        If an argument or a result is not of real floating point numbers, or `f` uses an operation that has no rule.
    ValueError
        If tangents differ from primals in structure or shape, or `f` uses a value that was traced by a run that has
        finished.

    Examples
    --------
    >>> def f(x1, x2):
    ...     return x1 * x2 + x2
    >>> jvp(f, (2.0, 4.0), (1.0, 0.0))
    (np.float64(12.0), np.float64(4.0))
    """
    name = "forward_mode.jvp"
    if not callable(f):
        raise TypeError(f"`{name}(f=...)` should be a function. Got {f!r}.")
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError(
            f"`{name}(primals=..., tangents=...)` should be tuples, with one entry for each argument of f. "
            f"Got {type(primals).__name__} and {type(tangents).__name__}."
        )
    leaves, tree = jax.tree.flatten(tuple(primals))
    dots, dots_tree = jax.tree.flatten(tuple(tangents))
    if tree != dots_tree:  # type: ignore[operator]  # JAX's stub of PyTreeDef has == only
        raise ValueError(f"`{name}(tangents=...)` should have the structure of primals, {tree}. Got {dots_tree}.")
    leaves = checked_floats(f"{name}(primals=...)", leaves)
    dots = checked_floats(f"{name}(tangents=...)", dots)
    for x, x_dot in zip(leaves, dots, strict=True):
        if shape_of(x) != shape_of(x_dot):
            raise ValueError(
                f"`{name}(tangents=...)` should have the shapes of primals. Got {shape_of(x_dot)} for {shape_of(x)}."
            )
    dots = {i: like(x_dot, x) for i, (x, x_dot) in enumerate(zip(leaves, dots, strict=True))}
    with _Forward() as level:
        y = run(name, f, jax.tree.unflatten(tree, level.joined(leaves, dots)), Dual)
        ys, y_tree = jax.tree.flatten(y)
        ys, y_dots = level.parts(checked_floats(f"{name}(f=...)(...)", ys))
    y_dots = [y_dots[i] if i in y_dots else zeros_like(y) for i, y in enumerate(ys)]
    return jax.tree.unflatten(y_tree, map(owned, ys)), jax.tree.unflatten(y_tree, map(owned, y_dots))


def jacfwd(f: Callable, argnums: int = 0) -> Callable:
    r"""Make the function that computes the Jacobian of f by columns.

    Entry :math:`(i, j)` is :math:`\partial f_i / \partial x_j`, shaped ``f(x).shape + x.shape``; the cost is that of
    one `jvp` for each entry of `x`. On JAX arrays all columns are computed in one batch.

    Parameters
    ----------
    f : callable
        As for `jvp`; takes and returns arrays or pytrees of them.
    argnums : int
        The argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `f`. Where the argument or the result is a pytree, so is the Jacobian: the structure of
        the result outside, that of the argument inside.

    Raises
    ------
    TypeError, ValueError
        As `jvp`.

    Examples
    --------
    >>> import numpy as np
    >>> jacfwd(lambda x: x[0] * x)(np.array([3.0, 4.0]))
    array([[6., 0.],
           [4., 3.]])
    """

    def jacobian(*args, **options):
        (position,) = numbered("forward_mode.jacfwd", args, argnums)
        leaves, tree = jax.tree.flatten(args[position])
        leaves = checked_floats("forward_mode.jacfwd(f)(...)", leaves)
        function = as_function_of(f, args, (position,), options)

        def column(i, direction):
            dots = [direction if j == i else zeros_like(leaf) for j, leaf in enumerate(leaves)]
            return jvp(function, (jax.tree.unflatten(tree, leaves),), (jax.tree.unflatten(tree, dots),))[1]

        blocks = []
        for i, leaf in enumerate(leaves):
            columns = along_basis(lambda direction, i=i: column(i, direction), leaf)
            blocks.append(jax.tree.map(lambda c, leaf=leaf: _block(c, shape_of(leaf)), columns))
        return jax.tree.map(lambda *parts: jax.tree.unflatten(tree, parts), *blocks)

    return jacobian


def _block(columns, shape):
    """Move the columns of a Jacobian to its end, in the shape of the argument."""
    return primitives.reshape(primitives.moveaxis(columns, 0, -1), (*shape_of(columns)[1:], *shape))
