"""What a primitive is: a value, and its two rules; knows none in particular."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff_tutorial.primitives.tracing import NUMPY, Traced


class Primitive:
    r"""An operation that modes need not look into: its value, and its rules.

    For an operation :math:`y = f(x_0, x_1, \dots)`, the rule `jvp[i]` maps a tangent of :math:`x_i` to its share of
    the tangent of `y`, and `vjp[i]` a cotangent of `y` to that of :math:`x_i`:

    .. math:: \dot y = \sum_i \frac{\partial f}{\partial x_i} \dot x_i, \qquad
              \bar x_i = \Bigl(\frac{\partial f}{\partial x_i}\Bigr)^{\!T} \bar y .

    Parameters
    ----------
    name : str
        For messages and for the listing of a graph.
    value : callable
        ``value(*args, **params)`` on floats, NumPy arrays or JAX arrays.
    jvp, vjp : sequence of callables
        Each is called as ``rule(x_dot, y, *args, **params)``, or with `y_bar` for `vjp`. Written with primitives and
        operators, rules can be differentiated again. None where an argument has no derivative.
    linear : bool
        Whether the value is linear in the arguments that have a derivative, all of them together.

    Examples
    --------
    >>> def rule(change, y, x):
    ...     return change * 3 * x**2
    >>> cube = Primitive("cube", lambda x: x**3, jvp=(rule,), vjp=(rule,))
    >>> cube(2.0)
    8.0
    """

    __slots__ = ("jvp", "linear", "name", "value", "vjp")

    def __init__(
        self,
        name: str,
        value: Callable,
        jvp: Sequence[Callable | None],
        vjp: Sequence[Callable | None],
        linear: bool = False,
    ):
        self.name, self.value, self.jvp, self.vjp, self.linear = name, value, jvp, vjp, linear

    def __call__(self, *args: Any, **params: Any) -> Any:
        level = None
        for arg in args:  # `innermost`, in the same pass that looks for lists
            if isinstance(arg, Traced):
                if level is None or arg.level.tag > level.tag:
                    level = arg.level
            elif type(arg) is list or type(arg) is tuple:
                return self(*[np.asarray(a) if type(a) in (list, tuple) else a for a in args], **params)
        if level is None:
            return self.value(*args, **params)
        if level.refusal:
            level.require_running(f"primitives.{self.name}")
        return level.process(self, args, params)

    def __repr__(self):
        return f"primitives.{self.name}"


class EachArgument:
    """Rules of a primitive that takes any number of arguments: ``rule(i)`` is that of argument i."""

    def __init__(self, rule):
        self.rule = rule

    def __getitem__(self, i):
        return self.rule(i)


def define(
    name: str,
    value: Callable,
    *,
    jvp: Callable | Sequence[Callable | None] | EachArgument = (),
    vjp: Callable | Sequence[Callable | None] | EachArgument = (),
    numpy: Callable | None = None,
    linear: bool = False,
) -> Primitive:
    r"""Make a new primitive.

    Parameters
    ----------
    name : str
        For messages and for the listing of a graph.
    value : callable
        ``value(*args, **params)`` on floats, NumPy arrays or JAX arrays.
    jvp, vjp : sequence of callables, or one callable
        One rule an argument, as in `Primitive`; one callable for a primitive of one argument. A mode whose rules are
        left out cannot be used.
    numpy : callable, optional
        The function of NumPy that becomes this primitive when an argument is traced.
    linear : bool
        Whether the value is linear in the arguments that have a derivative, all of them together: what is computed
        order by order, such as a Taylor series, then costs one application an order.

    Returns
    -------
    Primitive

    Raises
    ------
    TypeError
        If the value is not callable, or a rule neither callable nor None.

    Examples
    --------
    >>> sinc = define(
    ...     "sinc",
    ...     np.sinc,
    ...     jvp=lambda x_dot, y, x: x_dot * (np.cos(np.pi * x) - y) / x,
    ...     vjp=lambda y_bar, y, x: y_bar * (np.cos(np.pi * x) - y) / x,
    ...     numpy=np.sinc,
    ... )
    >>> sinc(0.5).round(4)
    np.float64(0.6366)
    """
    if not callable(value):
        raise TypeError(f"`primitives.define(value=...)` should be a function. Got {value!r}.")
    rules: dict[str, Any] = {}
    for mode, given in {"jvp": jvp, "vjp": vjp}.items():
        rules[mode] = (given,) if callable(given) else given
        if isinstance(given, EachArgument):
            continue
        if not isinstance(rules[mode], tuple | list) or not all(rule is None or callable(rule) for rule in rules[mode]):
            raise TypeError(f"`primitives.define({mode}=...)` should hold one function an argument. Got {given!r}.")
    primitive = Primitive(name, value, **rules, linear=linear)
    if numpy is not None:
        NUMPY[numpy] = primitive
    return primitive


def rule_of(primitive, mode, i):
    """Return the rule of an argument, or raise an error that says how to give one."""
    rules = getattr(primitive, mode)
    if (isinstance(rules, tuple | list) and i >= len(rules)) or rules[i] is None:
        raise TypeError(
            f"`primitives.{primitive.name}` has no {mode.upper()} rule for argument {i}. Give it one: "
            f"primitives.define({primitive.name!r}, ..., {mode}=...)."
        )
    return rules[i]
