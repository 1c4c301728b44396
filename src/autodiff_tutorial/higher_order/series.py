"""Power series as values: what every primitive makes of them, from its JVP rule; knows no function of the reader's."""

import numpy as np

from autodiff_tutorial.primitives.boundary import owned
from autodiff_tutorial.primitives.elementwise import divide, multiply, power
from autodiff_tutorial.primitives.linear_algebra import matmul, solve_columns
from autodiff_tutorial.primitives.loops import python_loop
from autodiff_tutorial.primitives.rules import rule_of
from autodiff_tutorial.primitives.tracing import Level, Traced, zeros_like


class Series(Traced):
    r"""A power series :math:`c_0 + c_1 t + c_2 t^2 + \dots`, whose terms are computed when they are asked for.

    Functions make series by `taylor` and `ode_taylor`; they need not be made by hand.

    Attributes
    ----------
    level : Level
        The run that t belongs to.
    primal : array_like
        The value at t = 0.
    terms : list
        The coefficients that are known so far; None stands for one that is zero for lack of anything in it.
    """

    __slots__ = ("extend", "terms")

    def __init__(self, level, primal, extend, terms=None):
        self.level, self.primal, self.extend, self.terms = level, primal, extend, terms or [primal]

    def term(self, k):
        """Return coefficient k, after all before it."""
        while len(self.terms) <= k:
            self.terms.append(self.extend(len(self.terms)))
        return self.terms[k]


class Expansion(Level):
    """One expansion in powers of t. The program runs once, at t = 0; its terms follow, one order after the other."""

    def __init__(self, transform):
        super().__init__()
        self.transform, self.program, self.functions, self.made = transform, [], {}, []

    def __exit__(self, *exception):
        """Finish the run, and take apart what refers to each other, so that its memory is free at once."""
        super().__exit__(*exception)
        for x in self.made:
            x.extend = x.terms = None
        self.program = self.functions = self.made = None

    def process(self, primitive, args, params):
        """Apply a primitive to the values at t = 0, and say how its other terms follow."""
        # Terms are computed later: what the program may change meanwhile is copied.
        args, params = _kept(args), {name: _kept(value) for name, value in params.items()}
        # sin and cos ask for each other. Remembered, they are two series, and not a chain of them.
        key = _key(primitive, args, params)
        if key in self.functions:
            return self.functions[key][0]
        primals = [arg.primal if self.owns(arg) else arg for arg in args]
        y = Series(self, primitive(*primals, **params), None)
        if primitive.linear:
            y.extend = self._linear(primitive, y.primal, args, primals, params)
        elif primitive in _RECURRENCES:
            y.extend = _RECURRENCES[primitive](self, y, *args)
        else:
            y.extend = self._integrated(primitive, y, args, params)
        if key is not None:
            self.functions[key] = y, args
        self.program.append(y)
        self.made.append(y)
        return y

    def owns(self, arg):
        """Say whether a value is a series in this t."""
        return isinstance(arg, Series) and arg.level is self

    def term(self, x, k):
        """Return coefficient k of a value, series or not."""
        if self.owns(x):
            return x.term(k)
        return x if k == 0 else None

    def advance(self, k):
        """Compute coefficient k of everything in the program, in its order, so that none has to wait for another."""
        for x in self.program:
            x.term(k)

    def call(self, f, leaves, transform):
        """Look into a function that is kept whole."""
        return f(leaves)

    def scan(self, step, c, x, p, length, reverse):
        """Unroll a loop: the terms of a step are known only when those of order k - 1 are known everywhere."""
        return python_loop(step, c, x, p, length, reverse)

    def _linear(self, primitive, y0, args, primals, params):
        """Map coefficient k to coefficient k, as a linear operation does."""
        own = [i for i, arg in enumerate(args) if self.owns(arg)]

        def extend(k):
            moving = [(i, args[i].term(k)) for i in own]
            return _sum(rule_of(primitive, "jvp", i)(c, y0, *primals, **params) for i, c in moving if c is not None)

        return extend

    def _integrated(self, primitive, y, args, params):
        """Read the JVP rule as a differential equation, and integrate it.

        Along x(t), the rule says y'(t) = rule(x'(t), y(t), x(t)). Its coefficient k - 1 is k times coefficient k of y,
        and needs only those of y before it. So the rule is applied to series, y among them, and asked for its terms.
        """
        slope, steps = None, ()

        def extend(k):
            nonlocal slope, steps
            if slope is None:
                outer, self.program = self.program, []
                own = [(i, arg) for i, arg in enumerate(args) if self.owns(arg)]
                slope = _sum(self._rule(primitive, i, _derivative(arg), y, args, params) for i, arg in own)
                steps, self.program = self.program, outer
            for x in steps:  # in their order, so that none has to wait for another
                x.term(k - 1)
            c = self.term(slope, k - 1)
            return None if c is None else c / k

        return extend

    def _rule(self, primitive, i, x_dot, y, args, params):
        if primitive is power and i == 0 and isinstance(args[1], int | float | np.number) and 0 != args[1] < 1:
            return args[1] * (x_dot * y) / args[0]  # the rule's own p x^(p-1) would be an endless chain of powers
        return rule_of(primitive, "jvp", i)(x_dot, y, *args, **params)


def _kept(value):
    """Return a value with copies of the NumPy arrays in it."""
    return tuple(map(_kept, value)) if isinstance(value, tuple) else owned(value)


def _key(primitive, args, params):
    """Return what tells one function of a series from another, None for operations of another kind."""
    if len(args) > 1 or primitive.linear:
        return None
    key = primitive, id(args[0]), *sorted(params.items())
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _sum(values):
    total = None
    for value in values:
        total = value if total is None else total + value
    return total


def _derivative(x):
    """Return the series x'(t), whose coefficient k is (k + 1) times coefficient k + 1 of x."""

    def extend(k):
        c = x.term(k + 1)
        return None if c is None else (k + 1) * c

    first = x.term(1)
    return Series(x.level, zeros_like(x.primal) if first is None else first, extend, [first])


def _cauchy(level, product, a, b, start, k):
    """Return the sum of a_j b_(k-j) over j from `start` to k: coefficient k of a product, or part of it."""
    pairs = ((level.term(a, j), level.term(b, k - j)) for j in range(start, k + 1))
    return _sum(product(left, right) for left, right in pairs if left is not None and right is not None)


def _product(product):
    return lambda level, y, a, b: lambda k: _cauchy(level, product, a, b, 0, k)


def _quotient(product, undo):
    """Coefficient k of b y = a, solved for that of y, which stands there with b_0."""

    def recurrence(level, y, a, b):
        def extend(k):
            known, c = _cauchy(level, product, b, y, 1, k), level.term(a, k)
            if known is None:
                return None if c is None else undo(c, level.term(b, 0))
            return undo(-known if c is None else c - known, level.term(b, 0))

        return extend

    return recurrence


_RECURRENCES = {
    multiply: _product(multiply),
    matmul: _product(matmul),
    divide: _quotient(multiply, divide),
    solve_columns: lambda level, y, a, b: _quotient(matmul, lambda c, a0: solve_columns(a0, c))(level, y, b, a),
}
