"""Integrals over many intervals by one rule, and over the hard ones again, by halving."""

import jax
import jax.numpy as jnp

# How many intervals are halved side by side (and halved at once if there are no more), and up to how many nodes the
# sum over a rule is written out at first.
LANES, WRITTEN_OUT = 1024, 31


def integrals(g, a, b, args, consts, rule, rtol, atol, max_intervals):
    """Return the integrals of g(x, *args, *consts) from a to b, vectors as args, their errors, and which suffice."""

    def f(x, *args):
        return g(x, *args, *consts)

    def first_pass(mapping, bound=False):
        value, error, scale = _by_rule(jax.vmap(f), mapping(a, b), args, rule, first=True, bound=bound)
        return checked(jnp.where(a == b, 0, value * scale), jnp.where(a == b, 0, error * abs(scale)))

    def checked(value, error):
        return value, error, (error <= atol + rtol * abs(value)) & (abs(value) < jnp.inf)

    def halved(operands):
        return _by_halving(f, *operands, rule, rtol, atol, max_intervals)

    def marked(mapping):
        value, _, surely = first_pass(mapping, bound=True)
        return jnp.where(surely, value, jnp.inf)

    def by_way(program):
        # The nodes of finite intervals are cheaper to find.
        return jax.lax.cond(finite, lambda: program(_finite), lambda: program(_any))

    def again():
        value, error, converged = first_pass(_any)
        return checked(*_again(halved, ~converged & ~(jnp.isnan(a) | jnp.isnan(b)), (a, b, *args), (value, error)))

    if max_intervals > 1 and len(a) <= LANES:
        return checked(*jax.vmap(halved)((a, b, *args)).T)
    finite = jnp.all(jnp.isfinite(a) & jnp.isfinite(b))
    if max_intervals == 1:
        return by_way(first_pass)
    # Most often a bound of the errors tells that all will do. With the values it takes one loop, which returns one
    # array, so what does not surely do is infinite in it; the errors themselves are computed where somebody asks.
    value = by_way(marked)
    return jax.lax.cond(value.max() < jnp.inf, lambda: (value, by_way(first_pass)[1], jnp.ones(a.shape, bool)), again)


def _again(program, chosen, operands, results):
    """Run a program for the chosen rows of operands, a few side by side, and write what it returns over results."""
    # Where the k-th of them is, is looked up when it is needed: a list of all would be longer than what is integrated.
    counts = jnp.cumsum(chosen, dtype=jnp.int32)
    lanes = min(LANES, len(chosen))

    def unfinished(state):
        return state[0] < counts[-1]

    def chunk(state):
        start, results = state
        where = jnp.searchsorted(counts, start + 1 + jnp.arange(lanes, dtype=jnp.int32))
        found = jax.vmap(program)([operand.at[where].get(mode="clip") for operand in operands])
        results = [result.at[where].set(new, mode="drop") for result, new in zip(results, found.T, strict=True)]
        return start + lanes, tuple(results)

    return jax.lax.while_loop(unfinished, chunk, (jnp.int32(0), results))[1]


def _finite(a, b):
    """Map (-1, 1) to an interval: return x and dx at distances left and right from the ends, dx over a factor."""
    half = b / 2 - a / 2

    def place(left, right):
        return jnp.where(left <= right, a + half * left, b - half * right), 1.0

    return place, half, (a, b)


def _any(a, b):
    """Do the same for intervals that may be infinite: x = a + (1 + t) / (1 - t), its mirror, and x = t / (1 - t^2)."""
    (finite, half, _), way = _finite(a, b), jnp.sign(b - a)
    a_infinite, b_infinite = jnp.isinf(a), jnp.isinf(b)

    def place(left, right):
        product = left * right
        x, stretch = finite(left, right)
        x = jnp.where(b_infinite, a + way * (left / right), jnp.where(a_infinite, b - way * (right / left), x))
        stretch = jnp.where(b_infinite, 2 / right**2, jnp.where(a_infinite, 2 / left**2, stretch))
        x = jnp.where(a_infinite & b_infinite, way * (left - right) / (2 * product), x)
        return x, jnp.where(a_infinite & b_infinite, (left**2 + right**2) / (2 * product**2), stretch)

    return place, jnp.where(a_infinite | b_infinite, way, half), (a, b)


def _by_rule(f, placed, args, rule, part=(0.0, 0.0, 1.0), first=False, bound=False):
    """Integrate by a rule over a part of (-1, 1), its distances from the ends and half its width; return the error too.

    The estimate is QUADPACK's. To it comes what nodes contribute that round to an end of the interval, where f may be
    anything, and what the last one before a singular end does, which is about what lies beyond. A factor is returned
    apart: where a result is a product, XLA computes all of them in one loop. Instead of the estimate, an upper bound of
    it can be had, for which the nodes are seen once only.
    """
    (place, scale, (a, b)), (start, end, half) = placed, part
    eps = jnp.finfo(a.dtype).eps
    nearest = a.dtype.type(min(rule.left.min(), rule.right.min()))
    last = nearest if nearest < 100 * eps else 0  # Gauss rules have no such node
    near = not first or last > 0
    ends = jnp.nextafter(a, b), jnp.nextafter(b, a)
    lowest, highest = jnp.minimum(*ends), jnp.maximum(*ends)

    def term(left, right):
        x, stretch = place(start + half * left, end + half * right)
        if not near:
            return stretch * f(x, *args), 0.0
        x = jnp.clip(x, lowest, highest)
        y = stretch * f(x, *args)
        return y, jnp.where((x == lowest) | (x == highest) | (jnp.minimum(left, right) <= last), abs(y), 0)

    def sums(summands):
        """Add up what summands(weight, coarse weight, term, what of it is lost) returns for every node."""
        if first and len(rule.weights) <= WRITTEN_OUT:
            nodes = zip(*(part.tolist() for part in rule), strict=True)
            added = [summands(w, coarse, *term(left, right)) for left, right, w, coarse in nodes]
            return [sum(column) for column in zip(*added, strict=True)]
        left, right, w, coarse = (jnp.asarray(part, a.dtype) for part in rule)
        if not first:
            return [total.sum() for total in summands(w, coarse, *jax.vmap(term)(left, right))]
        zeros = [jnp.zeros_like(a)] * len(summands(0.0, 0.0, 0.0, 0.0))

        def add(i, totals):
            found = summands(w[i], coarse[i], *term(left[i], right[i]))
            return [total + new for total, new in zip(totals, found, strict=True)]

        return jax.lax.fori_loop(0, len(w), add, zeros)

    value, off, size, lost = sums(lambda w, coarse, y, lost: (w * y, (w - coarse) * y, w * abs(y), w * lost))
    least, lost = 50 * eps * size, 4 * lost
    if bound:
        # Whatever the spread, the estimate is at most 200 |off|; it may be rounded up.
        return value, 1.01 * (jnp.maximum(200 * abs(off), least) + lost), half * scale
    (spread,) = sums(lambda w, coarse, y, lost: (w * abs(y - value / 2),))
    ratio = jnp.minimum(1, 200 * abs(off) / jnp.where(spread > 0, spread, 1))
    error = jnp.where(spread > 0, spread * ratio * jnp.sqrt(ratio), abs(off))
    return value, jnp.maximum(error, least) + lost, half * scale


def _by_halving(f, a, b, *rest):
    """Integrate over one interval by halving the part with the largest error, until the sum of errors is tolerated."""
    *args, rule, rtol, atol, max_intervals = rest
    placed = _any(a, b)

    def integral(start, end, half):
        value, error, scale = _by_rule(f, placed, args, rule, (start, end, half))
        return value * scale, error * abs(scale)

    # One column a part: the distances of its ends, half its width, value and error. The whole is halved in any case.
    column = jnp.arange(max_intervals)
    whole = jnp.where(a == b, 0, jnp.array([0, 0, 1, 0, jnp.inf], a.dtype))[:, None]

    def unfinished(state):
        (*_, value, error), count = state
        return (count < max_intervals) & ~(error.sum() <= atol + rtol * abs(value.sum()))

    def step(state):
        parts, count = state
        worst = jnp.argmax(parts[4])
        start, end, half = parts[:3, worst]
        halves = jnp.stack([start, start + half]), jnp.stack([end + half, end]), jnp.stack([half, half]) / 2
        new = jnp.stack([*halves, *jax.vmap(integral)(*halves)])
        parts = jnp.where(column == worst, new[:, :1], jnp.where(column == count, new[:, 1:], parts))
        return parts, count + 1

    parts, _ = jax.lax.while_loop(unfinished, step, (jnp.where(column == 0, whole, 0), 1))
    return parts[3:].sum(axis=1)
