"""The tape: every operation on a traced value is written down, and read backward to pull a cotangent to the inputs."""

import jax
import numpy as np

from autodiff_tutorial.primitives.boundary import checked_floats, like, run
from autodiff_tutorial.primitives.loops import hold, scan_leaves
from autodiff_tutorial.primitives.rules import rule_of
from autodiff_tutorial.primitives.tracing import Level, Traced, call, is_float, plain, running, suspended, zeros_like


class Node(Traced):
    """A value on a tape, and its place there."""

    __slots__ = ("index",)

    def __init__(self, level, primal, index):
        self.level, self.primal, self.index = level, primal, index


class Operation:
    """An entry of the tape: an operation, its value, its arguments, and which of them are on the tape."""

    __slots__ = ("args", "params", "parents", "primitive", "value")

    def __init__(self, primitive, value, args, params, parents):
        self.primitive, self.value, self.args, self.params, self.parents = primitive, value, args, params, parents

    def pull(self, y_bar):
        """Return the share of every parent, with its place on the tape."""
        return [
            (place, rule_of(self.primitive, "vjp", i)(y_bar, self.value, *self.args, **self.params))
            for i, place in self.parents
        ]


class Input:
    """An entry of the tape without parents."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def pull(self, y_bar):
        return ()


class Whole:
    """An entry of the tape with several values, whose cotangents arrive by position; `pull` is made for it."""

    __slots__ = ("name", "parents", "pull")

    def __init__(self, name, parents, pull):
        self.name, self.parents, self.pull = name, parents, pull


class Part:
    """One of the values of a `Whole`."""

    __slots__ = ("i", "place", "value")

    def __init__(self, value, place, i):
        self.value, self.place, self.i = value, place, i

    def pull(self, y_bar):
        return ((self.place, _ByPosition({self.i: y_bar})),)


class _ByPosition(dict):
    def __add__(self, other):
        return _ByPosition(self | {i: self[i] + y_bar if i in self else y_bar for i, y_bar in other.items()})


class Tape(Level):
    """A run of reverse mode. Its entries are in the order of the computation, hence parents come before children."""

    transform = "reverse_mode.vjp"

    def __init__(self):
        super().__init__()
        self.entries, self.locked = [], []
        # Arrays stay locked until the outermost tape is complete, for it may need them as well.
        self.outermost = next((level for level in running() if isinstance(level, Tape)), self)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        for array in self.locked:
            _unlock(array)
        self.entries = self.locked = self.outermost = None  # nodes must not keep alive what a pullback may have dropped

    def write(self, entry):
        """Append an entry; return its value as a node."""
        self.entries.append(entry)
        return Node(self, entry.value, len(self.entries) - 1)

    def lock(self, value):
        """Make NumPy refuse changes to an array that a tape still needs, until the function has run."""
        if isinstance(value, tuple):
            for part in value:
                self.lock(part)
        while isinstance(value, np.ndarray):
            if value.flags.writeable:
                value.flags.writeable = False
                self.outermost.locked.append(value)
            value = value.base

    def process(self, primitive, args, params):
        """Apply a primitive to the values, and write it down."""
        values, parents = self.parts(args)
        for part in params.values():
            self.lock(part)
        return self.write(Operation(primitive, primitive(*values, **params), values, params, parents))

    def parts(self, args):
        """Return the values below this level, and (position, place) of those that are on the tape."""
        values, parents = list(args), []
        for i, arg in enumerate(args):
            if isinstance(arg, Node) and arg.level is self:
                values[i] = arg.primal
                parents.append((i, arg.index))
            elif isinstance(arg, np.ndarray):
                self.lock(arg)
        return values, parents

    def write_whole(self, name, parents, values, pull):
        """Append an operation with several values; return those as nodes, as far as they are floating."""
        place = len(self.entries)
        self.entries.append(Whole(name, parents, pull))
        return [self.write(Part(y, place, i)) if is_float(y) else y for i, y in enumerate(values)]

    def call(self, f, leaves, transform):
        """Write f down as one operation; its inside is computed again when a cotangent comes."""
        values, parents = self.parts(leaves)
        with suspended(transform, [self]):
            ys = call(f, values, transform)

        def pull(y_bars):
            # Without `hold`, a compiler would notice that it has all this already, and keep it.
            again = [hold(value, *map(plain, y_bars.values())) for value in values]
            return zip(
                (place for _, place in parents), pull_through(f, again, [i for i, _ in parents], y_bars), strict=True
            )

        return self.write_whole("checkpoint", parents, ys, pull)

    def scan(self, step, c, x, p, length, reverse):
        """Write a loop down as one operation, keeping its carries; `pull` is a loop in the other direction."""
        (c, c_parents), (x, x_parents), (p, p_parents) = map(self.parts, (c, x, p))
        c_floats = [i for i, leaf in enumerate(c) if is_float(leaf)]
        n, x_own, p_own = len(c), [i for i, _ in x_parents], [i for i, _ in p_parents]

        def keeping(c, x, p):
            new, y = step(c, x, p)
            return new, [*y, *c]

        new, ys = scan_leaves(keeping, c, x, p, length, reverse)
        ys, carries = ys[: len(ys) - n], ys[len(ys) - n :]

        def pull(bars):
            y_own = [i - n for i in bars if i >= n]
            c_bars = [like(bars.get(i, zeros_like(new[i])), new[i]) for i in c_floats]

            def back(bars, given, p):
                x_t, c_t, y_bars = given[: len(x)], given[len(x) : len(x) + n], given[len(x) + n :]
                flat = lambda leaves: _flat(step, leaves, n, len(x))  # noqa: E731
                wanted = [*c_floats, *(n + i for i in x_own), *(n + len(x) + i for i in p_own)]
                out_bars = dict(zip(c_floats, bars, strict=False)) | dict(
                    zip((n + i for i in y_own), y_bars, strict=True)
                )
                pulled = pull_through(flat, [*c_t, *x_t, *p], wanted, out_bars)
                first, last = len(c_floats), len(c_floats) + len(x_own)
                sums = [s + share for s, share in zip(bars[first:], pulled[last:], strict=True)]
                return [*pulled[:first], *sums], pulled[first:last]

            start = [*c_bars, *(zeros_like(p[i]) for i in p_own)]
            given = [*x, *carries, *(bars[n + i] for i in y_own)]
            end, x_bars = scan_leaves(back, start, given, p, length, not reverse)
            by_carry = dict(zip(c_floats, end, strict=False))
            yield from ((place, by_carry[i]) for i, place in c_parents)
            yield from zip((place for _, place in x_parents), x_bars, strict=True)
            yield from zip((place for _, place in p_parents), end[len(c_floats) :], strict=True)

        return _split(self.write_whole("scan", [*c_parents, *x_parents, *p_parents], [*new, *ys], pull), n)


def _unlock(array):
    """Make an array writeable again. NumPy allows that only while what it is a view of is writeable."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    before, owner.flags.writeable = owner.flags.writeable, True
    array.flags.writeable = True
    owner.flags.writeable = before or owner is array


def _split(leaves, n):
    return leaves[:n], leaves[n:]


def _flat(step, leaves, n, k):
    new, y = step(leaves[:n], leaves[n : n + k], leaves[n + k :])
    return [*new, *y]


def on_tape(name, f, tape, given, tree):
    """Run a reader's function on a tape; return what it returns, and the arguments as floats and arrays."""
    leaves = checked_floats(f"{name}(*primals)", given)
    tape.lock(tuple(leaves))
    nodes = [tape.write(Input(leaf)) for leaf in leaves]
    try:
        return run(name, f, jax.tree.unflatten(tree, nodes), Node), leaves
    except ValueError as error:
        if not tape.outermost.locked or "read-only" not in str(error) or "primitives" in str(error):
            raise
        raise ValueError(
            f"`{name}(f=...)` should be a function that changes no array. It assigns to one that the tape still needs. "
            "Make a new array: x = x + y, primitives.replace(x, index, y), or a copy."
        ) from error


def pull_through(f, leaves, wanted, y_bars):
    """Run f on a list of leaves; pull cotangents of its values, by position, to the leaves that are wanted."""
    with Tape() as tape:
        leaves = list(leaves)
        for i in wanted:
            leaves[i] = tape.write(Input(leaves[i]))
        ys, entries = f(leaves), tape.entries
    own = [(i, y) for i, y in enumerate(ys) if i in y_bars and isinstance(y, Node) and y.level is tape]
    bars = pull(entries, [(y.index, like(y_bars[i], y)) for i, y in own], len(wanted))
    bars = [zeros_like(leaves[i]) if bar is None else bar for i, bar in zip(wanted, bars, strict=True)]
    return [like(bar, leaves[i]) for i, bar in zip(wanted, bars, strict=True)]


def pull(entries, seeds, inputs=None):
    """Read a tape backward: every operation passes the cotangent of its value on to its parents.

    Parents come before children on the tape, so that when an entry is reached, all its children have given their
    shares, and the sum is complete. Return the cotangents of the first entries, or of all.
    """
    bars = [None] * len(entries)
    for place, y_bar in seeds:
        bars[place] = y_bar if bars[place] is None else bars[place] + y_bar
    for place in range(len(entries) - 1, -1, -1):
        y_bar = bars[place]
        if y_bar is None:
            continue
        for parent, share in entries[place].pull(y_bar):
            bars[parent] = share if bars[parent] is None else bars[parent] + share
        if inputs is not None and place >= inputs:
            bars[place] = None  # its memory is free again
    return bars if inputs is None else bars[:inputs]
