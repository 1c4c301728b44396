"""PyTorch beside JAX: a bridge that lends a JAX function and its derivatives to torch, and a look at both at once.

Knows nothing of how derivatives are found: JAX finds them, torch's engine asks for them.
"""

import contextlib
import functools
from collections.abc import Callable
from itertools import compress
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

try:
    import torch
except ImportError as error:
    raise ImportError('`frameworks` needs PyTorch. Install it: pip install "autodiff-tutorial[torch]"') from error

# The types that both frameworks have and pass to each other.
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def to_torch(f: Callable) -> Callable:
    r"""Lend a JAX function, with its derivatives, to PyTorch.

    The function that comes back takes and returns tensors. Torch differentiates it in both modes, in any mixture and to
    any order, by the two rules that JAX has for f, which are themselves JAX functions, lent in the same way:

    .. math:: \bar x = \partial f(x)^T[\bar y], \qquad \dot y = \partial f(x)[\dot x].

    It works with ``backward``, with `torch.autograd.forward_ad`, and with ``grad``, ``jvp``, ``hessian``, ``vmap`` and
    so on of `torch.func`; not with torch's older batching, ``is_grads_batched=True`` or ``vectorize=True``.

    f is traced, and compiled, once for each set of shapes and dtypes: lend it once, outside of loops. Then a call is
    one run of f, and a backward is one run of its VJP, which evaluates f anew: only the inputs are kept in between.
    Values pass without a copy, except inputs that are not contiguous or not aligned to 64 bytes.

    Parameters
    ----------
    f : callable
        Takes arrays, or pytrees of arrays, by position, and returns an array or a pytree; traceable by JAX.

    Returns
    -------
    callable
        Takes the same with tensors as leaves: real, dense, on one device, which JAX has as well. Returns tensors on it,
        with the dtypes that f gives them, in memory of their own. Integers and booleans have no derivative.

    Raises
    ------
    TypeError, ValueError
        If f is not callable or not traceable, or returns something else than real arrays; if a leaf is no tensor as
        above, or has 64 bits while JAX keeps to 32.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import torch
    >>> energy = to_torch(lambda x: jnp.sum(jnp.cos(x) ** 2))
    >>> x = torch.tensor([1.0, 0.5], requires_grad=True)
    >>> energy(x).backward()
    >>> x.grad
    tensor([-0.9093, -0.8415])
    >>> torch.func.jacrev(torch.func.grad(energy))(x.detach()).diagonal()
    tensor([ 0.8323, -1.0806])
    """
    if not callable(f):
        raise TypeError(f"`frameworks.to_torch(f=...)` should be callable. Got {type(f).__name__}.")

    @functools.cache
    def program(structure):
        return _Program(lambda *leaves: _outputs(f, jax.tree.unflatten(structure, leaves)))

    @functools.wraps(f, updated=())
    def lent(*args):
        leaves, structure = jax.tree.flatten(args)
        _check(leaves)
        flat = program(structure)
        y = jax.eval_shape(flat.f, *(jax.ShapeDtypeStruct(leaf.shape, _dtype(leaf)) for leaf in leaves))
        return jax.tree.unflatten(jax.tree.structure(y), _Lent.apply(flat, *leaves))

    return lent


class _Program:
    """A function of arrays that is compiled once, and its derivatives as further programs, made when asked for."""

    def __init__(self, f):
        self.f = jax.jit(f)  # within the programs below as well, so that f is called only once
        # Copies part outputs from inputs, as torch may write into either. Unused inputs still say which device it is.
        self.run = jax.jit(lambda *x: [jnp.copy(y) for y in jax.tree.leaves(self.f(*x))], keep_unused=True)
        self.pullback = functools.cache(lambda wanted: _Program(functools.partial(self._pull, wanted)))
        self.pushforward = functools.cache(lambda given: _Program(functools.partial(self._push, given)))
        self.batched = functools.cache(lambda axes: _Program(jax.vmap(self.f, in_axes=axes)))

    def _pull(self, wanted, *arrays):  # all inputs, then the cotangents of the floating outputs
        f, x, y_bar = self._along(wanted, arrays)
        return jax.vjp(f, *x)[1](y_bar)

    def _push(self, given, *arrays):  # all inputs, then the tangents of the given ones
        f, x, x_dot = self._along(given, arrays)
        return jax.jvp(f, x, x_dot)[1]

    def _along(self, chosen, arrays):
        """Return the floating outputs as a function of the chosen inputs, those inputs, and what follows the inputs."""
        inputs = arrays[: len(chosen)]

        def f(*x):
            x = iter(x)
            y = self.f(*(next(x) if c else fixed for c, fixed in zip(chosen, inputs, strict=True)))
            return [y_i for y_i in jax.tree.leaves(y) if jnp.issubdtype(y_i.dtype, jnp.floating)]

        return f, list(compress(inputs, chosen)), list(arrays[len(chosen) :])


class _Lent(torch.autograd.Function):
    """A program as one operation of torch, whose derivatives are operations of this kind as well."""

    @staticmethod
    def forward(program, *tensors):
        y = program.run(*map(_to_jax, tensors))  # in the background, and the caller may change what JAX reads
        return tuple(map(torch.from_dlpack, jax.block_until_ready(y)))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.program, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.floating = [y.is_floating_point() for y in output]
        ctx.mark_non_differentiable(*(y for y in output if not y.is_floating_point()))

    @staticmethod
    def backward(ctx, *y_bar):
        wanted = tuple(ctx.needs_input_grad[1:])
        x_bar = iter(_Lent.apply(ctx.program.pullback(wanted), *ctx.saved_tensors, *compress(y_bar, ctx.floating)))
        return None, *(next(x_bar) if w else None for w in wanted)

    @staticmethod
    def jvp(ctx, _, *x_dot):
        given = tuple(x is not None and x.is_floating_point() for x in x_dot)
        y_dot = iter(_Lent.apply(ctx.program.pushforward(given), *ctx.saved_tensors, *compress(x_dot, given)))
        return tuple(next(y_dot) if floating else None for floating in ctx.floating)

    @staticmethod
    def vmap(info, axes, program, *tensors):
        y = _Lent.apply(program.batched(axes[1:]), *tensors)
        return y, (0,) * len(y)


def _to_jax(tensor):
    """Return an array in the tensor's memory, or in that of a copy where JAX would copy it too."""
    tensor = tensor.detach().to_dense().resolve_neg().contiguous()
    return jax.dlpack.from_dlpack(tensor.clone() if tensor.data_ptr() % 64 else tensor)


def _dtype(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def _check(leaves):
    """Refuse what cannot be passed to JAX as it is."""
    should = "`frameworks.to_torch(f)(...)` should be called with"
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            fault = f"torch tensors. Got {type(leaf).__name__}. Convert it by torch.tensor."
        elif leaf.layout != torch.strided or leaf.is_nested:
            fault = f"dense tensors. Got a {'nested' if leaf.is_nested else 'sparse'} one. Convert it."
        elif _dtype(leaf) not in _FLOATS + _INTEGERS:
            fault = f"tensors of real numbers. Got {_dtype(leaf)}. Convert it, or give real and imaginary parts."
        elif jax.dtypes.canonicalize_dtype(_dtype(leaf)) != _dtype(leaf):
            fault = f'at most 32 bits. Got {_dtype(leaf)}. Convert it, or jax.config.update("jax_enable_x64", True).'
        else:
            continue
        raise TypeError(f"{should} {fault}")
    devices = sorted({str(leaf.device) for leaf in leaves})
    if len(devices) != 1:
        raise ValueError(f"{should} tensors on one device. Got {' and '.join(devices) or 'none'}. Move them by `to`.")
    device = leaves[0].device
    with contextlib.suppress(RuntimeError):  # where JAX has no device of that kind; it need not be JAX's default
        seen = jax.local_devices(backend="gpu" if device.type == "cuda" else device.type)
        if (device.index or 0) in [one.local_hardware_id for one in seen]:
            return
    raise ValueError(f"{should} tensors on a device that JAX has too. Got {device}. Move them by `to`.")


def _outputs(f, args):
    """Return f(*args) with arrays as leaves; say more where it cannot be traced, or returns something else."""
    should = "`frameworks.to_torch(f=...)` should"
    try:
        y = f(*args)
    except (AttributeError, TypeError) as error:
        if not isinstance(error, jax.errors.JAXTypeError) and "Tracer" not in str(error):
            raise
        got = str(error).strip().partition("\n")[0].rstrip(".")
        raise TypeError(f"{should} be traceable: jax.numpy, and no branches on values. Got {got}.") from error
    for leaf in jax.tree.leaves(y) or [y]:
        found = str(getattr(leaf, "dtype", type(leaf).__name__))
        if found not in (*_FLOATS, *_INTEGERS, "int", "float"):
            raise TypeError(f"{should} return arrays of real numbers, or pytrees of them. Got {found}.")
    return jax.tree.map(jnp.asarray, y)


class Comparison(NamedTuple):
    """A function and its gradient in both frameworks; ``print`` shows a table.

    Attributes
    ----------
    values, gradients : tuple
        By JAX, and by PyTorch: floats, and NumPy arrays shaped like the point.
    disagreement : tuple of float
        Of values and of gradients: the largest difference relative to the largest number or to 1, whichever is larger;
        NaN agrees with NaN only.
    """

    values: tuple[float, float]
    gradients: tuple[np.ndarray, np.ndarray]
    disagreement: tuple[float, float]

    def __str__(self):
        rounding = np.finfo(self.gradients[0].dtype).eps ** 0.75  # of which no digit is the same on two machines
        gaps = ("rounding" if gap < rounding else f"{gap:.3g}" for gap in self.disagreement)
        numbers = zip(("JAX", "PyTorch"), map(_shown, self.values), map(_shown, self.gradients), strict=True)
        rows = [("", "value", "gradient"), *numbers, ("disagreement", *gaps)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def compare(f_jax: Callable, f_torch: Callable, x: ArrayLike) -> Comparison:
    """Run a function that is written in both frameworks, and compare value and gradient.

    The cost is one evaluation and one gradient in each.

    Parameters
    ----------
    f_jax, f_torch : callable
        Take a JAX array and a tensor, and return one number.
    x : array_like of floats
        The point, of any shape. Both get a copy, in float64 if JAX has 64 bits, else in float32.

    Returns
    -------
    Comparison
        `values`, `gradients` and their `disagreement`. A gradient is zero where the function does not depend on `x`.

    Raises
    ------
    TypeError, ValueError
        If a function is not callable or does not return one real number, or `x` does not hold floats.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import torch
    >>> print(compare(lambda x: jnp.sum(abs(x)), lambda x: torch.sum(abs(x)), [0.0, 2.0]))
                  value     gradient
    JAX           2         [1, 1]
    PyTorch       2         [0, 1]
    disagreement  rounding  1
    """
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise TypeError(f"`frameworks.compare(x=...)` should hold floats. Got {x.dtype}. Write 2.0 for 2.")
    for name, f in (("f_jax", f_jax), ("f_torch", f_torch)):
        if not callable(f):
            raise TypeError(f"`frameworks.compare({name}=...)` should be callable. Got {type(f).__name__}.")
    x = np.array(x, dtype=jnp.result_type(float))
    y, pullback = jax.vjp(lambda x: _one("f_jax", f_jax(x)), jnp.asarray(x))
    tensor = torch.tensor(x, requires_grad=True)
    with torch.enable_grad():
        y_torch = torch.as_tensor(_one("f_torch", f_torch(tensor)))
        found = torch.autograd.grad(y_torch, tensor, allow_unused=True)[0] if y_torch.requires_grad else None
    values = float(y), y_torch.item()
    gradients = np.asarray(pullback(jnp.ones_like(y))[0]), np.zeros_like(x) if found is None else found.numpy()
    return Comparison(values, gradients, (_disagreement(*values), _disagreement(*gradients)))


def _one(name, y):
    """Return what a function returned, which should be one number."""
    shape, found = getattr(y, "shape", ()), _dtype(y) if hasattr(y, "dtype") else type(y).__name__
    if shape != () or found not in (*_FLOATS, "float"):
        got = f"{found} of shape {tuple(shape)}" if shape else found
        raise ValueError(f"`frameworks.compare({name}=...)` should return one real number, of shape (). Got {got}.")
    return y


def _disagreement(a, b):
    """Return the largest difference relative to the largest number; NaN and infinity agree with themselves only."""
    a, b = np.ravel(a), np.ravel(b)
    sizes, unlike = np.abs([a, b]), (a != b) & ~(np.isnan(a) & np.isnan(b))
    gap = np.max(np.abs(a[unlike] - b[unlike]), initial=0.0) / np.max(sizes, where=np.isfinite(sizes), initial=1.0)
    return float(gap) if np.isfinite(gap) else np.inf


def _shown(x):
    numbers = {"float_kind": lambda number: f"{number + 0.0:.6g}"}  # and no minus before 0
    return " ".join(np.array2string(np.asarray(x), separator=", ", threshold=10, formatter=numbers).split())
