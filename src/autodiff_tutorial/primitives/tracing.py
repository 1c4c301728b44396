"""What a traced value is, and which mode handles an operation; knows no primitive and no mode."""

import itertools
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Functions of NumPy, and what is called in their place when an argument is traced.
NUMPY: dict[Callable, Callable] = {}

_TAGS = itertools.count(1)
_RUNNING = threading.local()
_HOST = {float, int, bool, np.ndarray, np.float64, np.float32, np.int64, np.bool_}


class Level:
    """One run of a mode. What is traced by a later level is innermost, and handled first.

    A mode subclasses it, and says in `process` what becomes of a primitive, in `call` of a function that is kept
    whole, and in `scan` of a loop.
    """

    transform = ""

    def __init__(self):
        self.tag, self.refusal = next(_TAGS), None

    def __enter__(self):
        _running().append(self)
        return self

    def __exit__(self, *exception):
        _running().remove(self)
        self.refusal = (
            f"a value that was traced by a `{self.transform}` that has finished. Return it from the function that is "
            "differentiated, instead of storing it."
        )

    def require_running(self, call):
        """Raise an error if this level may not take part in the call."""
        if self.refusal:
            raise ValueError(f"`{call}` should not be given {self.refusal}")


def _running():
    if not hasattr(_RUNNING, "levels"):
        _RUNNING.levels = []
    return _RUNNING.levels


@contextmanager
def suspended(call, levels=None):
    """Refuse values of these levels, or of all that run in this thread: a function that is kept whole runs here."""
    levels = [level for level in (_running() if levels is None else levels) if level.refusal is None]
    for level in levels:
        level.refusal = f"a traced value from outside of the function that `{call}` is given. Pass it as an argument."
    try:
        yield
    finally:
        for level in levels:
            level.refusal = None


class Traced:
    """A value that a mode follows: floating point numbers, or a traced value of an outer level, in `primal`."""

    __slots__ = ("level", "primal")
    __hash__ = object.__hash__

    @property
    def shape(self):
        return np.shape(plain(self))

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return int(np.prod(self.shape))

    @property
    def dtype(self):
        return dtype_of(plain(self))

    def __len__(self):
        return len(plain(self))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(plain(self))

    def __repr__(self):
        return f"{type(self).__name__}({self.primal!r})"

    def __setitem__(self, index, value):
        raise _no_mutation("x[...] = y")

    def _refuse_number(self, *_, **__):
        raise TypeError(
            f"A traced value ({type(self).__name__}) cannot become a plain number or array: its derivative would be "
            "lost. Join traced values by primitives.stack or primitives.concatenate instead of np.array, and fill "
            "entries by primitives.replace."
        )

    __float__ = __int__ = __index__ = __complex__ = __array__ = _refuse_number

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if out is not None:
            raise _no_mutation("a += x, out=a")
        function = NUMPY.get(ufunc)
        if function is None or method != "__call__" or options:
            how = ufunc.__name__ + ("" if method == "__call__" else f".{method}")
            raise no_rule(f"np.{how}" + (f" with {', '.join(options)}" if options else ""))
        return function(*inputs)

    def __array_function__(self, function, types, args, options):
        if function not in NUMPY:
            raise no_rule(f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}")
        return NUMPY[function](*args, **options)

    def __getattr__(self, name):
        if name.startswith("__"):  # Python and other libraries probe for these
            raise AttributeError(name)
        raise AttributeError(
            f"A traced value ({type(self).__name__}) has no `{name}`. Use a function of "
            "autodiff_tutorial.primitives, or plain operators."
        )


def innermost(values):
    """Return the level that has to handle an operation on these values; None if none is traced."""
    level = None
    for value in values:
        if isinstance(value, Traced) and (level is None or value.level.tag > level.tag):
            level = value.level
    return level


def call(f, leaves, transform):
    """Apply f, from a list of leaves to one, as a whole: how its inside is differentiated is left to the modes."""
    level = innermost(leaves)
    if level is None:
        return f(leaves)
    level.require_running(transform)
    return level.call(f, leaves, transform)


def plain(x: Any) -> Any:
    """Return a value without its derivatives, of any level: for printing, and for decisions.

    Parameters
    ----------
    x : array_like
        Traced or not.

    Returns
    -------
    array_like
        A number or an array that no mode follows.

    Examples
    --------
    >>> plain(2.0)
    2.0
    """
    while isinstance(x, Traced):
        x = x.primal
    return x


def shape_of(x):
    """Return the shape of a value, traced or not."""
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


def dtype_of(x):
    """Return the dtype of a plain value."""
    return np.dtype(getattr(x, "dtype", None) or np.result_type(x))


def zeros_like(x):
    """Return zeros with the shape and dtype of a value, traced or not."""
    x = plain(x)
    return jnp.zeros_like(x) if on_jax(x) else np.zeros(np.shape(x), dtype_of(x))[()]


def ones_like(x):
    """Return ones with the shape and dtype of a value, traced or not."""
    x = plain(x)
    return jnp.ones_like(x) if on_jax(x) else np.ones(np.shape(x), dtype_of(x))[()]


def running():
    """Return the levels that run in this thread, the outermost first."""
    return tuple(_running())


def on_jax(*values):
    """Say whether an operation on plain values is one of JAX."""
    return any(type(value) not in _HOST and isinstance(value, jax.Array) for value in values)


def is_float(x):
    """Say whether a value, traced or not, has a real floating point dtype."""
    return bool(jnp.issubdtype(dtype_of(plain(x)), jnp.floating))


def xp(*values):
    """Return the module of array functions for an operation on plain values."""
    return jnp if on_jax(*values) else np


def no_rule(operation):
    """Return the error of an operation that cannot be differentiated."""
    return TypeError(
        f"`{operation}` has no rule for traced values. Write it by functions of autodiff_tutorial.primitives, or add a "
        "rule by primitives.define."
    )


def _no_mutation(statement):
    return TypeError(
        f"`{statement}` would change an array that derivatives still need. Make a new one: x = x + y, or "
        "x = primitives.replace(x, index, y)."
    )
