"""Exercises: right answers pass, typical wrong ones are rejected with a hint that fits, and `check` prints one line."""

import math
import operator
import re
from functools import cache, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from programs import compiled
from scipy import linalg, stats
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.sparse.linalg import LinearOperator, eigsh

from autodiff_tutorial import forward_mode as fm
from autodiff_tutorial import integrals, linear_maps, sampled_data, sparse, symbolic
from autodiff_tutorial import primitives as ops
from autodiff_tutorial import reverse_mode as rm
from autodiff_tutorial.exercises import check


def differences(f, x, h=1e-5, width=2, one_sided=False):
    """Build a Jacobian as readers do, with the mistakes they make."""
    columns = []
    for k in range(len(x)):
        e = np.zeros(len(x))
        e[k] = h
        columns.append((f(x + e) - f(x)) / h if one_sided else (f(x + e) - f(x - e)) / (width * h))
    return np.array(columns).T


def moves_x(f, x):
    x += 1e-9
    return differences(f, x)


def three_calls(f, x):
    for _ in x:
        f(x)
    return differences(f, x)


def wasteful(f, x):
    differences(f, x)
    return differences(f, x)


def bent(x, second_derivative):
    """Return where the sign of samples changes, as indices."""
    left = np.asarray(second_derivative) > 0
    return np.flatnonzero(left[1:] != left[:-1])


def gradient_twice(y, x):
    return np.gradient(np.gradient(y, x), x)


def by_fft(y, length, m=None, i=1j, turn=2 * np.pi, part=np.real):
    """Differentiate by FFT, with the mistakes that readers make."""
    n = len(y)
    m = np.fft.fftfreq(n, 1 / n) if m is None else m
    return part(np.fft.ifft(i * turn * m / length * np.fft.fft(y)))


def waves(y, length):
    return sampled_data.spectral_derivative(y, length)


def one_sided_slopes(y0, y1, y2, a, b):
    return (y1 - y0) / a, (y2 - y1) / b


def spring(m, k, x, t, sign=1):
    return symbolic.euler_lagrange(m * x.diff(t) ** 2 / 2 - sign * k * x**2 / 2, [x], t)


def branching(x):
    if abs(x) <= 1:
        return x**2 / 2
    return abs(x) - 0.5


def pieces(inside, outside, within=lambda x: abs(x) <= 1):
    return lambda x: sympy.Piecewise((inside(x), within(x)), (outside(x), True))


def chain(h, field, state, order=1, power=1):
    return [h.diff(x, order) * f**power for x, f in zip(state, field, strict=True)]


def lie(h, field, state, order=1):
    return h if order == 0 else lie(sum(chain(h, field, state)), field, state, order - 1)


def held_field(h, field, state, order):
    """Differentiate along a straight line, on which the field stays as it is."""
    still = sympy.symbols(f"f:{len(field)}")
    return lie(h, still, state, order).subs(dict(zip(still, field, strict=True)))


RULES = {
    "number": lambda d, e: 0,
    "x": lambda d, e: 1,
    "+": lambda d, e: ("+", d(e[1]), d(e[2])),
    "*": lambda d, e: ("+", ("*", d(e[1]), e[2]), ("*", e[1], d(e[2]))),
    "sin": lambda d, e: ("*", ("cos", e[1]), d(e[1])),
    "cos": lambda d, e: ("*", -1, ("*", ("sin", e[1]), d(e[1]))),
}


def differentiator(**changed):
    """Build a symbolic differentiator from the rules, some of them changed."""
    names = {"plus": "+", "times": "*"}
    rules = RULES | {names.get(name, name): rule for name, rule in changed.items()}

    def d(e):
        kind = e[0] if isinstance(e, (tuple, list)) else "x" if e == "x" else "number"
        return rules[kind](d, e)

    return d


def swinging(r, theta, t, m, k, l, g, across=2, sign=1, down=1, rest=1, half=2, angle=sympy.cos):
    """Write the Lagrangian of the spring pendulum, with the mistakes that readers make."""
    kinetic = m * (r.diff(t) ** 2 + r**across * theta.diff(t) ** 2) / 2
    return kinetic - sign * (k * (r - rest * l) ** 2 / half - down * m * g * r * angle(theta))


def stepped(f, x, h=1e-4):
    """Return the second difference of f, a derivative that is not exact."""
    return (f(x + h) - 2 * f(x) + f(x - h)) / h**2


def nested(f, x, inner=1.0):
    return fm.jvp(lambda y: fm.jvp(f, (y,), (inner if inner else y,))[1], (x,), (1.0,))


def product(a, b, cross=2, first=1, second=1, scale=1):
    """Multiply triples of a function and its derivatives, with the mistakes that readers make."""
    middle = first * a[1] * b[0] + second * a[0] * b[1]
    return a[0] * b[0], middle, scale * (a[2] * b[0] + cross * a[1] * b[1] + a[0] * b[2])


def sine(a, inner=1, power=2, bend=1, turn=-1, scale=1):
    s, c = np.sin(a[0]), np.cos(a[0])
    return s, c * a[1] ** inner, scale * (bend * c * a[2] + turn * s * a[1] ** power)


def triples(times=product, sin=sine):
    return lambda a, b: (times(a, b), sin(a))


def neuron(w, x, b, t, slope=True, error=True, factors=None):
    """Differentiate the loss of a neuron, with the mistakes that readers make."""
    y = 1 / (1 + np.exp(-(w * x + b)))
    z_bar = (y - t if error else 1) * (y * (1 - y) if slope else 1)
    return tuple(z_bar * factor for factor in (factors or (x, w, 1)))


def swept(steps, add=True, backward=True, start=0.0, seed=1.0, leaves=False, local=lambda partials, k: partials[k]):
    """Sweep over a tape, with the mistakes that readers make."""
    used = {parent for parents, _ in steps for parent in parents}
    bars = [1.0 if leaves and i not in used else start for i in range(len(steps))]
    bars[-1] = seed
    for i in range(len(steps))[:: -1 if backward else 1]:
        parents, partials = steps[i]
        for k, parent in enumerate(parents):
            bars[parent] = (bars[parent] if add else 0) + local(partials, k) * bars[i]
    return bars


def by_children(steps):
    """Look for the children of a step among all steps."""
    bars = [0.0] * len(steps)
    bars[-1] = 1.0
    for i in reversed(range(len(steps) - 1)):
        for child, (parents, partials) in enumerate(steps):
            bars[i] += sum(d * bars[child] for parent, d in zip(parents, partials, strict=True) if parent == i)
    return bars


def by_paths(steps):
    """Follow every path from the output on its own."""
    bars = [0.0] * len(steps)

    def give(i, bar):
        bars[i] += bar
        for parent, d in zip(*steps[i], strict=True):
            give(parent, d * bar)

    give(len(steps) - 1, 1.0)
    return bars


def by_recursion(steps):
    """Ask the children of a step for their adjoints, which ask theirs."""
    children = [[] for _ in steps]
    for i, (parents, partials) in enumerate(steps):
        for parent, d in zip(parents, partials, strict=True):
            children[parent].append((i, d))

    @cache
    def bar(i):
        return float(i == len(steps) - 1) + sum(d * bar(child) for child, d in children[i])

    return [bar(i) for i in range(len(steps))]


def softmax_matrix(s):
    return np.diag(s) - np.outer(s, s)


def solved(A, x, x_bar, transpose=True, sign=-1, right=None):
    """Pull a cotangent through a linear system, with the mistakes that readers make."""
    b_bar = np.linalg.solve(A.T if transpose else A, x_bar)
    return sign * np.outer(b_bar, x if right is None else right(A, x)), b_bar


def belong(mv, rmv, n, m, draw=None, **tolerance):
    """Judge a transpose by the dot product law, with the mistakes that readers make."""
    draw = draw or np.random.default_rng(0).normal
    x, y = draw(size=n), draw(size=m)
    return bool(np.isclose(y @ mv(x), rmv(y) @ x, **{"rtol": 1e-8, "atol": 0.0} | tolerance))


def city(k, corners=1, weight=1, ways=((0, 1), (1, 0))):
    """Return the streets of a city of k by k blocks as edges."""
    size = k + corners
    steps = [((a, b), (a + da, b + db)) for a in range(size) for b in range(size) for da, db in ways]
    return [(tail, head, weight) for tail, head in steps if max(head) < size]


def newton(f, x, sign=-1, start=1, factor=1):
    """Take a step of Gauss and Newton with dense matrices, with the mistakes that readers make."""
    return start * x + sign * factor * np.linalg.lstsq(jax.jacrev(f)(x), f(x))[0]


class Tensor:
    """Stand in for a number of PyTorch that still records: it becomes an array only once it is detached."""

    def __init__(self, value):
        self.value = value

    def detach(self):
        return np.array([self.value], dtype=np.float32)

    def __array__(self, *args, **kwargs):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


# The words of PyTorch.
LEAF_IN_PLACE = RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
NO_TAPE = RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")


def raising(error, *args):
    raise error


def trained(x, t, w, rate, steps, kept=0, factor=1, power=1):
    """Descend to the least loss of one number, with the mistakes that readers make."""
    total = 0.0
    for _ in range(steps):
        total = kept * total + factor * (w * x - t) * x**power
        w -= rate * total
    return w


def each(loss, w, X, t, argnums=0, in_axes=(None, 0, 0)):
    return jax.vmap(jax.grad(loss, argnums), in_axes)(w, X, t)


def clipped(loss, w, X, t, limit, rows=each, scale=lambda size, limit: jnp.minimum(1, limit / size), join=None):
    """Clip the gradient of each example and add them up, with the mistakes that readers make."""
    g = rows(loss, w, X, t)
    return (join or partial(jnp.sum, axis=0))(scale(jnp.linalg.norm(g, axis=1, keepdims=True), limit) * g)


def clipped_whole(loss, w, X, t, limit, join=jnp.sum):
    g = join(each(loss, w, X, t), axis=0)
    return g * jnp.minimum(1, limit / jnp.linalg.norm(g))


def clipped_one(loss, w, x, t, limit, least=jnp.minimum, norm=jnp.linalg.norm):
    g = jax.grad(loss)(w, x, t)
    return least(1.0, limit / norm(g)) * g


def clipped_inside(loss, w, X, t, limit, **changed):
    """Clip inside the function that is mapped."""
    return jax.vmap(lambda x, t: clipped_one(loss, w, x, t, limit, **changed))(X, t).sum(axis=0)


def descended(params, grads, rate, step=lambda p, g, rate: p - rate * g):
    return jax.tree.map(lambda p, g: step(p, g, rate), params, grads)


def with_lists(params, grads, rate):
    """Take a step in containers of any depth, but make lists of all but dictionaries."""
    if isinstance(params, dict):
        return {name: with_lists(params[name], grads[name], rate) for name in params}
    if isinstance(params, (list, tuple)):
        return [with_lists(p, g, rate) for p, g in zip(params, grads, strict=True)]
    return params - rate * grads


def drawn(key, m, n, draw=jax.random.normal, keys=jax.random.split):
    """Draw from the parts of a key, with the mistakes that readers make."""
    return jnp.stack([draw(part, (n,)) for part in keys(key, m)])


def first_and(change, key, m, n):
    """Draw all arrays but the last, and make that one out of the first."""
    rows = drawn(key, m, n)
    return [*rows[:-1], change(rows[0])]


def stateful(random, key, m, n):
    return random.normal(size=(m, n))


def root(x, inner=1.0, outer=True, added=0.0, floor=0.0, limit=0.0):
    """Return the norm without harm at 0, with the mistakes that readers make."""
    s = jnp.maximum(jnp.sum(x**2) + added, floor)
    safe = s if inner is None else jnp.where(s > limit, s, inner)
    return jnp.where(s > limit, jnp.sqrt(safe), 0.0) if outer else jnp.sqrt(safe)


def root_if(x):
    s = jnp.sum(x**2)
    return jnp.sqrt(s) if s > 0 else 0.0 * s


@jax.custom_jvp
def root_by_rule(x):
    return jnp.linalg.norm(x)


root_by_rule.defjvp(
    lambda primals, tangents: (
        root_by_rule(*primals),
        jnp.vdot(primals[0], tangents[0]) / jnp.maximum(root_by_rule(*primals), 1e-30),
    )
)


def traced_pieces(inside, outside, within=lambda x: abs(x) <= 1):
    return lambda x: jnp.where(within(x), inside(x), outside(x))


def hvp(f, x, v):
    return jax.jvp(jax.grad(f), (x,), (v,))[1]


def mixed(X, first=1, second=1):
    """Differentiate trace(X X Y^T), once by X and once by Y, with the mistakes that readers make."""
    eye = np.eye(len(X))
    return first * np.einsum("ik,jl->ijkl", eye, X) + second * np.einsum("ki,jl->ijkl", X, eye)


def traced(X, Y):
    return jnp.trace(X @ X @ Y.T)


def powered(hv, n, steps=30, length=np.linalg.norm, read=lambda v, w: v @ w / (v @ v)):
    """Iterate to the eigenvalue of largest absolute value, with the mistakes that readers make."""
    v = np.arange(1.0, n + 1)
    for _ in range(steps):
        v = hv(v / length(v))
    v = v / length(v)
    return read(v, hv(v))


def matrix_of(hv, n):
    return np.stack([hv(e) for e in np.eye(n)])


def until_still(hv, n):
    """Iterate until the vector does not change, which it does forever where it turns around."""
    v, old = np.ones(n), np.zeros(n)
    while np.linalg.norm(v - old) > 1e-6:
        v, old = hv(v) / np.linalg.norm(hv(v)), v
    return v @ hv(v)


def divided(a, b, by=None, sign=-1, start=1, shift=0, most=99):
    """Divide Taylor series, with the mistakes that readers make."""
    c = []
    for k in range(len(a)):
        rest = sum(b[j] * c[k - shift - j] for j in range(start, k + 1 - shift))
        c.append((a[k] + sign * rest) / (b[0] if by is None else by) if k < most else 0.0)
    return c


def divided_by_index(a, b, stop=1, partner=lambda j, k: k - j, room=0):
    """Divide Taylor series, with the slips of those who lose track of the indices."""
    c = [0.0] * room
    for k in range(len(a)):
        new = (a[k] - sum(b[j] * c[partner(j, k)] for j in range(1, k + stop))) / b[0]
        c[k:] = [new, *c[k + 1 :]]
    return c


def squared(y0, order, divisor=lambda k: k + 1, square=lambda c, k: sum(c[j] * c[k - j] for j in range(k + 1))):
    """Solve y' = y^2 by series, with the mistakes that readers make."""
    c = [y0]
    for k in range(order):
        c.append(square(c, k) / divisor(k))
    return c


def scaled(c, power=1):
    return [a * math.factorial(k) ** power for k, a in enumerate(c)]


def through(pull_g, push_h, k, basis=None, join=lambda u, v: np.outer(v, u), order=slice(None)):
    """Build a Jacobian through a bottleneck, with the mistakes that readers make."""
    units = np.eye(k) if basis is None else basis(k)
    return sum(join(pull_g(e), push_h(e2)) for e, e2 in zip(units, units[order], strict=True))


def twice_through(pull_g, push_h, k):
    return (through(pull_g, push_h, k) + through(pull_g, push_h, k)) / 2


def seeded(n, k, color=lambda j, n, k: j % k, first=0):
    """Write the seeds of a coloring, with the mistakes that readers make."""
    return (color(np.arange(n), n, k) == np.arange(first, first + k)[:, None]) * 1.0


def ways(A, B):
    return B.astype(int) @ A.astype(int)


def read_back(columns, low=1, high=1, color=lambda i, j: j % 3, place=lambda i, j: i):
    """Read a tridiagonal matrix from three products, with the mistakes that readers make."""
    n = columns.shape[1]
    J = np.zeros((n, n))
    for i in range(n):
        for j in range(i - low, i + high + 1):
            if -1 <= j < n and (j >= 0 or low > 1):
                J[i, j] = columns[color(i, j), place(i, j)]
    return J


def around(columns):
    n = columns.shape[1]
    J = np.zeros((n, n))
    for i in range(n):
        for j in ((i - 1) % n, i, (i + 1) % n):
            J[i, j] = columns[j % 3, i]
    return J


def first_fit(P, remembered=operator.or_):
    """Color columns one after the other, with the mistakes that readers make."""
    rows = np.zeros(P.T.shape, dtype=bool)
    colors = np.zeros(P.shape[1], dtype=int)
    for j in range(P.shape[1]):
        colors[j] = np.argmin((rows & P[:, j]).any(axis=1))
        rows[colors[j]] = remembered(rows[colors[j]], P[:, j])
    return colors.tolist()


def next_fit(P):
    """Open a color where a column does not fit into the newest."""
    colors, rows = [], P[:, 0] & False
    for column in P.T:
        fits = not (rows & column).any()
        colors.append(colors[-1] + (not fits) if colors else 0)
        rows = rows | column if fits else column
    return colors


def alternating(P):
    """Compare a column with the one before it only."""
    colors = [0]
    for left, right in pairwise(P.T):
        colors.append((colors[-1] + 1) % P.shape[1] if (left & right).any() else colors[-1])
    return colors


def two_ended(n, columns=(0, 1), rows=(0, -1)):
    """Color an arrow: its first column and the others, its first row and the others."""
    return [columns[0]] + [columns[1]] * (n - 1), [rows[0]] + [rows[1]] * (n - 1)


def marked(*places):
    P = np.zeros((3, 3), dtype=int)
    P[tuple(zip(*places, strict=True))] = 1
    return P


FRONT = marked((0, 0), (1, 0), (2, 0))
BOTH = marked((0, 0), (1, 0), (2, 0), (1, 1), (2, 2))


def held(floor=FRONT, through=BOTH):
    return {"floor": floor, "through": through}


def cubic(n, gaps=1, steps=12, power=3, factor=1.0, source=100.0, bend=1.0, wide=2, anew=True, dtype=float):
    """Solve the equation with a cubic term by bands, with the mistakes that readers make."""
    h, u, slope = 1 / (n + gaps), np.zeros(n, dtype), np.zeros(n)
    for _ in range(steps):
        w = np.pad(u, 1)
        residual = bend * (2 * u - w[:-2] - w[2:]) / h**wide + factor * u**power - source
        slope = factor * power * u ** (power - 1) if anew else slope
        bands = np.stack([np.full(n, -bend / h**wide), 2 * bend / h**wide + slope, np.full(n, -bend / h**wide)])
        u = (u - linalg.solve_banded((1, 1), bands, residual, check_finite=False)).astype(dtype)
    return u


def rounded(plain=0, through=6, product=6.3, ramp=2):
    return plain, through, product, ramp


def log_det_pulled(A, y_bar, inverse=np.linalg.inv, scale=lambda A: 1.0):
    """Pull a cotangent through log |det A|, with the mistakes that readers make."""
    return y_bar * scale(A) * inverse(A).T


def system_pulled(A, b, x_bar, b_bar_of=np.transpose, old_of=None, x_of=np.array, right=np.linalg.solve, sign=-1):
    """Pull a cotangent through a linear system, with the mistakes of those who mend a rule."""
    b_bar = np.linalg.solve(b_bar_of(A), x_bar)
    old = b_bar if old_of is None else np.linalg.solve(old_of(A), x_bar)
    return sign * np.outer(old, right(x_of(A), b)), b_bar


def in_corner(f, A, E, second=np.array, lower=np.zeros_like, row=0, column=1):
    """Call a function of matrices on a block matrix, with the mistakes that readers make."""
    n = len(A)
    whole = f(np.block([[A, E], [lower(E), second(A)]]))
    return whole[row * n :][:n, column * n :][:, :n]


def in_reverse(f, A, E, **changed):
    return in_corner(f, A.T, E, **changed)


def along_identity(f, A):
    return in_corner(f, A, np.eye(len(A)))


def entry_by_entry(f, A, C_bar):
    return np.array([np.sum(C_bar * in_corner(f, A, E)) for E in np.eye(A.size).reshape(-1, *A.shape)]).reshape(A.shape)


def length(rule, value=lambda x: jnp.sqrt(jnp.sum(x**2))):
    """Give a norm a rule, with the mistakes that readers make."""
    norm = jax.custom_jvp(value)
    norm.defjvp(lambda primals, tangents: (value(*primals), rule(*primals, *tangents, value(*primals))))
    return norm


def over(x, v, y, zero=1.0, limit=0.0):
    return jnp.vdot(x, v) / jnp.where(y > limit, y, zero)


def to_levels(n, value=None, mask=lambda x, y: (x > 0) & (x < 1), slope=1.0):
    """Round to levels with a rule, with the mistakes that readers make."""
    value = value or (lambda x, n: jnp.round(jnp.clip(x, 0, 1) * (n - 1)) / (n - 1))
    f = jax.custom_jvp(lambda x: value(x, n))
    f.defjvp(lambda primals, tangents: (f(*primals), slope * mask(*primals, f(*primals)) * tangents[0]))
    return f


def sylvester_moved(A, B, C, A_dot, B_dot, C_dot, a=-1, b=-1, c=1, turned=(), solve=linalg.solve_sylvester):
    """Push tangents through Sylvester's equation, with the mistakes that readers make."""
    X = linalg.solve_sylvester(A, B, C)
    a_term = X @ A_dot if "A" in turned else A_dot @ X
    b_term = B_dot @ X if "B" in turned else X @ B_dot
    return solve(A, B, c * C_dot + a * a_term + b * b_term)


def sylvester_solved(A, B, C):
    system = jnp.kron(A, jnp.eye(len(B))) + jnp.kron(jnp.eye(len(A)), B.T)
    return jnp.linalg.solve(system, C.ravel()).reshape(C.shape)


def sylvester_stepped(A, B, C, A_dot, B_dot, C_dot, h=1e-6):
    ends = [linalg.solve_sylvester(A + s * A_dot, B + s * B_dot, C + s * C_dot) for s in (h, -h)]
    return (ends[0] - ends[1]) / (2 * h)


def climbed(one=1 / 2, two=3 / 4, ten=1 - 2**-10, theorem=1):
    return one, two, ten, theorem


def anomaly(E, e, turn=np.cos, sign=-1, first=1, second=1):
    """Differentiate Kepler's equation, with the mistakes that readers make."""
    below = 1 + sign * e * turn(E)
    return first * np.sin(E) / below, second / below


def fixed_pulled(f, z, a, z_bar, of=np.transpose, sign=-1, eye=1, solve=np.linalg.solve):
    """Pull a cotangent of a fixed point back, with the mistakes that readers make."""
    f_z, f_a = (np.asarray(J) for J in jax.jacobian(f, (0, 1))(z, a))
    return f_a.T @ solve(eye * np.eye(len(z)) + sign * of(f_z), z_bar)


def sensitive(F, y, a, sign=-1, of=np.array, solve=np.linalg.solve):
    """Differentiate a root, with the mistakes that readers make."""
    F_y, F_a = (np.asarray(J) for J in jax.jacobian(F, (0, 1))(y, a))
    return sign * solve(of(F_y), F_a)


def penalized(X, t, lam, scale=-1, inner=True, held=lambda w, lam: w, gram=1, weight=1):
    """Differentiate a fit by the weight of its penalty, with the mistakes that readers make."""
    H = X.T @ X + lam * np.eye(X.shape[1])
    w = np.linalg.solve(H, X.T @ t)
    H = gram * X.T @ X + weight * lam * np.eye(X.shape[1])
    return scale * (np.linalg.lstsq(H, held(w, lam))[0] if inner else held(w, lam))


def fifth_root(a, steps=100):
    y = a
    for _ in range(steps):
        y = y - (y**5 + y - a) / (5 * y**4 + 1)
    return y


def bent_root(a, first=lambda y, a: 1 / (5 * y**4 + 1), second=lambda y, s: -20 * y**3 * s**3, steps=100):
    """Differentiate a root twice, with the mistakes that readers make."""
    y = fifth_root(a, steps)
    return y, first(y, a), second(y, 1 / (5 * y**4 + 1))


def excess(p, t):
    first = jnp.exp(2 - p[0] + 0.4 * p[1]) - 2 * (p[0] - t)
    return jnp.stack([first, jnp.exp(1.5 + 0.3 * p[0] - p[1]) - 3 * p[1]])


@cache
def market(t, steps=12, found=None):
    """Return prices, and the slopes of the excess there, by prices and by the tax."""
    p, at = np.ones(2), t if found is None else found
    for _ in range(steps):
        p = p - np.linalg.solve(jax.jacobian(excess)(p, at), excess(p, at))
    return p, *map(np.asarray, jax.jacobian(excess, (0, 1))(p, t))


def taxed(t, steps=12, found=None, sign=-1, of=np.array, solve=np.linalg.solve, added=0.0):
    """Differentiate an equilibrium by a tax, with the mistakes that readers make."""
    _, F_p, F_t = market(t, steps, found)
    return sign * solve(of(F_p), F_t) + added


def settled_layer(W, x, steps=100):
    return jax.lax.fori_loop(0, steps, lambda k, z: jnp.tanh(W @ z + x), jnp.zeros_like(x))


def layer_until_still(W, x):
    """Step until z does not change: JAX cannot reverse that."""

    def moves(zs):
        return jnp.abs(zs[1] - zs[0]).max() > 1e-12

    zs = jax.lax.while_loop(moves, lambda zs: (zs[1], jnp.tanh(W @ zs[1] + x)), (0 * x, jnp.tanh(x)))
    return zs[1]


def layer_pulled(W, z, x, z_bar, matrix=lambda W, d: (d[:, None] * W).T, sign=-1, scale=lambda u, d: d * u):
    """Pull a cotangent through a layer of any depth, with the mistakes that readers make."""
    d = 1 - z**2
    x_bar = scale(jnp.linalg.solve(jnp.eye(len(z)) + sign * matrix(W, d), z_bar), d)
    return jnp.outer(x_bar, z), x_bar


def layered(pull=layer_pulled, value=settled_layer, **changed):
    """Give a layer a rule."""
    layer = jax.custom_vjp(lambda W, x: value(W, x))
    layer.defvjp(lambda W, x: (value(W, x), (W, value(W, x), x)), lambda kept, z_bar: pull(*kept, z_bar, **changed))
    return layer


def layered_with(W_bar):
    """Give a layer a rule with another cotangent of W."""

    def pull(W, z, x, z_bar):
        bars = layer_pulled(W, z, x, z_bar)
        return W_bar(*bars, z, x), bars[1]

    return layered(pull)


def stepped_back(W, z, x, z_bar):
    """Sum the series of the inverse step by step."""
    d = 1 - z**2
    u = jax.lax.fori_loop(0, 150, lambda k, u: z_bar + W.T @ (d * u), jnp.zeros_like(z))
    return jnp.outer(d * u, z), d * u


def contributed(end=4, parameter=2, both=6):
    return end, parameter, both


def swept_out(f, t, gain=lambda t: 2 * t, loss=np.sin, upper=lambda t: t**2, lower=np.cos):
    """Differentiate an integral from cos t to t^2, with the mistakes that readers make."""
    return gain(t) * f(upper(t)) + loss(t) * f(lower(t))


def on_half_line(f, t, w, x=lambda t: (1 + t) / (1 - t), dx=lambda t: 2 / (1 - t) ** 2, add=np.matmul):
    """Integrate from 0 on by a rule on (-1, 1), with the mistakes that readers make."""
    return add(w, f(x(t)) * dx(t))


def node_by_node(f, t, w):
    """Go through the half line from its far end: x = (1 - t) / (1 + t)."""
    return sum(float(w_k * f((1 - t_k) / (1 + t_k)) * 2 / (1 + t_k) ** 2) for t_k, w_k in zip(t, w, strict=True))


def slope_inside(f, a, b, t, h=1e-5):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x = a + (b - a) * (1 + nodes) / 2
    return (b - a) / 2 * weights @ np.asarray(f(x, t + h) - f(x, t - h)) / (2 * h)


def leibniz(f, *at, lose=lambda f, a, b, t: -f(a, t), gain=lambda f, a, b, t: f(b, t), inside=slope_inside):
    """Differentiate an integral by its ends and its parameter, with the mistakes that readers make."""
    return lose(f, *at), gain(f, *at), inside(f, *at)


def held_between(f, a, b, t):
    return f(b, t) - f(a, t)


def scored(y, x, p, b, one=lambda p: 1 / p, zero=lambda p: -1 / (1 - p), value=lambda y, b: y - b, join=np.mean):
    """Estimate the slope of an expectation by the score, with the mistakes that readers make."""
    return join(value(y, b) * np.where(x == 1, one(p), zero(p)))


def normal_score(x, mu, c, sigma):
    return (x - mu) / sigma**2


def cut_off(x, mu, c, sigma, keep=np.greater, weight=normal_score, share=None, added=0.0):
    """Estimate what a cut keeps, and its slope, with the mistakes that readers make."""
    fraction = np.mean(x > c) if share is None else share(x, mu, c, sigma)
    return fraction, np.mean(keep(x, c) * weight(x, mu, c, sigma)) + added


def counted(fit=2.0, known=20**0.5 / 4, unsure=29**0.5 / 4):
    return fit, known, unsure


def deviations(twice_nll, best, factor=0.5, of=np.linalg.inv, read=lambda C: np.sqrt(np.diag(C))):
    """Find standard deviations from a Hessian, with the mistakes that readers make."""
    return read(of(factor * np.asarray(jax.hessian(twice_nll)(best))))


def log_poisson(n, rate):
    return n * math.log(rate) - rate - math.lgamma(n + 1)


def log_normal(a, alpha, width=1.0):
    return -(((a - alpha) / width) ** 2) / 2 - math.log(2 * math.pi) / 2


def raised(s, b, mu, alpha, kappa, a):
    return s * mu + b * kappa**alpha


def scale_nll(mu, alpha, n, a, s, b, kappa, rate=raised, main=log_poisson, aux=log_normal):
    """Add up two terms of a likelihood, with the mistakes that readers make."""
    return -main(n, rate(s, b, mu, alpha, kappa, a)) - aux(a, alpha)


def at_zero(theta, gradient):
    return (theta <= 0) & (gradient > 0)


def struck_out(H, gradient, free):
    step, k = np.zeros(len(H)), np.flatnonzero(free)
    step[k] = np.linalg.solve(H[np.ix_(k, k)], gradient[k])
    return step


def step_within(theta, gradient, H, held=at_zero, solve=struck_out, end=lambda y, d: np.maximum(y + d, 0), sign=-1):
    """Take a step within bounds, with the mistakes that readers make."""
    theta, gradient, H = np.asarray(theta), np.asarray(gradient), np.asarray(H)
    return end(theta, sign * solve(H, gradient, ~held(theta, gradient)))


def struck_again(theta, gradient, H):
    fallen = np.asarray(theta + step_within(theta, gradient, H, end=lambda y, d: d)) < 0
    return step_within(theta, gradient, H, held=lambda theta, gradient: at_zero(theta, gradient) | fallen)


def shortened(theta, step):
    return theta + min([1.0, *(theta[step < 0] / -step[step < 0])]) * step


def fallen(n, fall=0.5):
    """Search for both ends of the interval of a count."""

    def rest(nu):
        return nu - n - (n * math.log(nu / n) if n else 0) - fall

    return (brentq(rest, 1e-300, n, xtol=1e-14) if n else 0.0), brentq(rest, n, n + 9 * n**0.5 + 9, xtol=1e-14)


def lower_end(change, n):
    low, high = fallen(n)
    return change(n, low, high), high


def upper_end(change, n):
    low, high = fallen(n)
    return low, change(n, low, high)


def compared(q, q_A):
    return (q - q_A) / (2 * q_A**0.5) if q > q_A else q**0.5 - q_A**0.5


def cls_ratio(q, q_A, t=compared, shift=lambda q_A: q_A**0.5, tail=stats.norm.sf, join=operator.truediv):
    """Find CLs from the test statistic, with the mistakes that readers make."""
    return join(tail(t(q, q_A) + shift(q_A)), tail(t(q, q_A)))


def carried(nll, best, data, sign=-1, solve=np.linalg.solve, mixed=lambda M: M, last=lambda J: J):
    """Find how a fit moves with the data, with the mistakes that readers make."""
    H, M = jax.jacfwd(jax.grad(nll), (0, 1))(best, data)
    return last(sign * solve(np.asarray(H), mixed(np.asarray(M))))


# Exercise to wrong answers, each with words of the hint that it should get.
def thrown(few=39_600, far=1.263e7, none=2.9953e-4):
    return few, far, none


def beyond(q, observed, than=operator.ge, of=np.mean, error=lambda p, n, q: (p * (1 - p) / n) ** 0.5):
    p = np.mean(q >= observed)
    return of(than(q, observed)), error(p, len(q), q)


def triple(keys):
    return jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)


def numbered(key, numbers):
    return triple(jax.vmap(lambda k: jax.random.fold_in(key, k))(numbers))


def by_schur(d, b, c, g, corner=operator.sub, right=operator.sub, others=lambda d, b, g, last: (g - b * last) / d):
    last = right(g[-1], (b * g[:-1] / d).sum()) / corner(c, (b**2 / d).sum())
    return jnp.append(others(d, b, g[:-1], last), last)


def arrow(d, b, c):
    return jnp.block([[jnp.diag(d), b[:, None]], [b, jnp.asarray(c)]])


def waited(share=1 - 0.98**100, waits=60 - 52 * 0.98**100, aside=9.2):
    return share, waits, aside


def by_toys(s, b, observed, than=operator.ge, of=np.mean, join=operator.truediv, expected=None):
    def ratio(q):
        with np.errstate(all="ignore"):
            return join(of(than(s, q)), of(than(b, q)))

    median = expected or (lambda ratio, s, b, observed: np.median([ratio(q) for q in b]))
    return ratio(observed), median(ratio, s, b, observed)


def stopped(f, x, clock, warm=True, settled=True, wait=True, begin=True):
    """Time a call as readers do, with the steps that they forget."""
    start = clock()
    if warm:
        first = f(x)
        if settled:
            jax.block_until_ready(first)
        start = clock()
    result = f(x)
    if not begin:
        start = clock()
    if wait:
        jax.block_until_ready(result)
    return clock() - start


def slope(n, t, on_n=np.log, on_t=np.log, read=lambda line: line[0]):
    return read(np.polyfit(on_n(n), on_t(t), 1))


def passes(central=2000.0, tape=3.0, product=7.5, full=7500.0):
    return central, tape, product, full


def saved(compiling, compiled, plain, read=lambda calls: math.floor(calls) + 1, gain=operator.sub, never=math.inf):
    return read(compiling / gain(plain, compiled)) if plain > compiled else never


def vjp_test(f, vjp, x, y_bar, x_dot=None, rtol=1e-8, atol=0.0):
    """Compare two inner products as readers do, with the mistakes they make."""
    x_dot = jax.random.normal(jax.random.key(7), x.shape) if x_dot is None else x_dot
    y_dot = jax.jvp(f, (x,), (x_dot,))[1]
    off = abs(jnp.vdot(y_bar, y_dot) - jnp.vdot(vjp(x, y_bar), x_dot))
    return bool(off > atol + rtol * jnp.linalg.norm(y_bar) * jnp.linalg.norm(y_dot))


def agrees_with_difference(f, gradient, x, v, h, rtol):
    slope = (f(x + h * v) - f(x - h * v)) / (2 * h)
    return abs(slope - gradient @ v) < rtol * abs(slope)


def multiplied(n, value=0, reverse=0, forward=0):
    """Return the multiplications of a product of n numbers, off by what is said."""
    return {"value": n - 1 + value, "reverse": 2 * (n - 1) + reverse, "forward": 2 * n * (n - 1) + forward}


def shaped(n, m, **wrong):
    return {"J": (m, n), "x_dot": (n,), "x_bar": (n,), "y_dot": (m,), "y_bar": (m,)} | wrong


def second_differences(y):
    return np.diff(y, 2)


def rounded_to_ten(first=2052, second=5000, third=100.0625):
    return first, second, third


def stepping(f, x, h=5e-3, width=2, sign=1):
    """Take central differences in float32, with the mistakes that readers make."""
    h = np.float32(h)
    return sign * (f(x + h) - f(x - h)) / (width * h)


def gigabytes(single=2.4, double=4.8, segments=0.28):
    return single, double, segments


def overtakes(size, launch, cpu, gpu, link, taken=lambda size, gpu, link: size / gpu + size / link, never=math.inf):
    gain = size / cpu - taken(size, gpu, link)
    return launch / gain if gain > 0 else never


def by_slices(f, X, size, join=np.concatenate, starts=lambda N, size: range(0, N, size)):
    return join([f(X[i : i + size]) for i in starts(len(X), size)])


def by_terms(A, B, tf32, product, terms=((0, 0), (0, 1), (1, 0)), sign=1):
    """Add products of the rounded matrices (0) and of what rounding takes away (1)."""
    left, right = ((M1, sign * (M - M1)) for M, M1 in ((A, tf32(A)), (B, tf32(B))))
    return sum(product(left[i], right[j]) for i, j in terms)


WRONG = {
    "finite_differences.digits": [
        ({"float64": 16, "float32": 7}, "how many digits f itself has"),
        ({"float64": 11, "float32": 5}, "central difference"),
        ({"float64": 8, "float32": 7}, "how many digits f itself has"),
        ({"float64": 6, "float32": 3}, "square root of the machine epsilon"),
    ],
    "finite_differences.slip": [
        (lambda f, x, dx: (f(x) - f(x + dx)) / dx, "the sign is reversed"),
        (lambda f, x, dx: (f(x + dx) - f(x - dx)) / dx, "twice of it. How far apart"),
        (lambda f, x, dx: (f(x + dx) - f(x)) / (2 * dx), "half of it. How far apart"),
        (lambda f, x, dx: (f(x + dx) - f(x - dx)) / 2 * dx, "parentheses around 2 * dx"),
        (lambda f, x, dx: f(x + dx) - f(x), "divided by their distance"),
        (lambda f, x, dx: 1.01 * (f(x + dx) - f(x)) / dx, "divided by their distance"),
    ],
    "finite_differences.one_sided": [
        ([-1, 1, 0], "third point is not used"),
        ([-0.5, 0, 0.5], "central weights"),
        ([1.5, -2, 0.5], "the sign is reversed"),
        ([-1, 1], "one weight for each"),
        (np.array([[-1.5], [2.0], [-0.5]]), "Yours has shape (3, 1)"),
        ([-0.5, 2, -1.5], "the order is reversed"),
        ([-3, 4, -1], "Divide by 2 h"),
        ([1, 1, 1], "three equations"),
    ],
    "finite_differences.curvature_step": [
        (lambda eps: eps**0.5, "step for a forward difference"),
        (lambda eps: eps ** (1 / 3), "step for a central difference"),
        (lambda eps: eps, "far wider than eps"),
        (lambda eps: 50 * eps**0.25, "factor in front"),
        (lambda eps: 0.3 * eps**0.25, "factor in front"),
        (lambda eps: 0.0, "a step is positive"),
        (lambda eps: eps**0.1, "set the truncation error"),
    ],
    "finite_differences.jacobian": [
        (
            lambda f, x: np.stack([f(x + 1e-30j * e).imag / 1e-30 for e in np.eye(len(x))], axis=1),
            "the complex step is another method",
        ),
        (lambda f, x: differences(f, x).T, "transpose"),
        (lambda f, x: differences(f, x, one_sided=True), "close, but not as close"),
        (lambda f, x: differences(f, x, h=1e-8, one_sided=True), "close, but not as close"),
        (lambda f, x: differences(f, x, h=1e-3), "close, but not as close"),
        (lambda f, x: differences(f, x, h=0.03), "close, but not as close"),
        (lambda f, x: differences(f, x) + 0j, "component k alone"),
        (lambda f, x: differences(f, x, width=1), "twice too large"),
        (moves_x, "changed its input"),
        (wasteful, "two evaluations an input"),
        (three_calls, "two evaluations an input"),
        (lambda f, x: differences(f, x) * (1 + 1e-8), "close, but not as close"),
        (lambda f, x: differences(f, x)[0], "the shape should be (3, 2)"),
    ],
    "finite_differences.richardson": [
        (lambda D, h: 2 * D(h / 2) - D(h), "This one is in h^2"),
        (lambda D, h: (D(h / 2) + D(h)) / 2, "the mean lies between"),
        (lambda D, h: (4 * D(h) - D(h / 2)) / 3, "swapped"),
        (lambda D, h: 4 * D(h / 2) - D(h), "add to one"),
        (lambda D, h: D(0), "that is a itself"),
        (lambda D, h: (D(h) - 4 * D(h / 2)) / 3, "the sign is reversed"),
        (lambda D, h: D(h / 2), "eliminate b"),
    ],
    "sampled_data.noise": [
        ({"slope": 0.1, "second": 2.449}, "Independent errors add in squares"),
        ({"slope": 0.05, "second": 2.449}, "the share of one value"),
        ({"slope": 0.005, "second": 2.449}, "that is the variance"),
        ({"slope": 0.1414, "second": 2.449}, "How far apart are the two points"),
        ({"slope": 0.0, "second": 2.449}, "the variances of independent errors add"),
        ({"slope": 0.07, "second": 4.0}, "the worst case"),
        ({"slope": 0.07, "second": 2.0}, "they enter squared"),
        ({"slope": 0.07, "second": 1.414}, "the value in the middle errs too"),
        ({"slope": 0.07, "second": 1.732}, "has the weight -2"),
        ({"slope": 0.07, "second": 0.245}, "divided by h^2"),
        ({"slope": 0.07, "second": 6.0}, "that is the variance"),
        ({"slope": 0.07, "second": [2.4, 2.4]}, "the shape should be ()"),
        ({"slope": 0.07}, 'the keys "slope" and "second"'),
        (0.07, 'the keys "slope" and "second"'),
    ],
    "sampled_data.slip": [
        (lambda y, x: waves(y, x[-1] - x[0]), "the slip itself"),
        (lambda y, x: waves(y, x[-1]), "x does not start at 0, and one gap"),
        (lambda y, x: waves(y, x[-1] + x[1] - x[0]), "only where x starts at 0"),
        (lambda y, x: waves(y, len(x)), "right for a gap of 1"),
        (lambda y, x: waves(y, (len(x) + 1) * (x[1] - x[0])), "one gap too many"),
        (lambda y, x: waves(y, x[1] - x[0]), "one gap as the period"),
        (lambda y, x: waves(np.append(y, y[0]), len(x) * (x[1] - x[0])), "the first sample once more"),
        (lambda y, x: waves(np.append(y, y[0]), len(x) * (x[1] - x[0]))[:-1], "the first sample once more"),
        (lambda y, x: waves(y[::-1], len(x) * (x[1] - x[0]))[::-1], "the sign is reversed"),
        (lambda y, x: np.gradient(y, x), "wants the whole period"),
        (lambda y, x: np.gradient(y, x) + 0j, "wants the whole period"),
        (lambda y, x: np.diff(y), "the shape should be (15,), and is (14,)"),
    ],
    "sampled_data.uneven": [
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / (a * b), "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / ((a + b) / 2) ** 2, "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / a**2, "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: (y0 - 2 * y1 + y2) / b**2, "right for equal gaps only"),
        (lambda y0, y1, y2, a, b: y0 - 2 * y1 + y2, "both gaps as 1"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0] / (values[3] + values[4]), "half of it"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0] / values[3], "How far apart are the two middles?"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0] / values[4], "How far apart are the two middles?"),
        (lambda *values: np.diff(one_sided_slopes(*values))[0], "Over which distance"),
        (lambda *values: -RIGHT["sampled_data.uneven"](*values), "the sign is reversed"),
        (lambda y0, y1, y2, a, b: sampled_data.derivative([y0, y1, y2], [-a, 0, b])[1], "that is a slope"),
        (lambda *values: one_sided_slopes(*values)[0], "that is a slope"),
        (lambda y0, y1, y2, a, b: (y2 - y0) / (a + b), "that is a slope"),
        (lambda y0, y1, y2, a, b: y1, "right answers for f = 1, t and t^2"),
    ],
    "sampled_data.spectral": [
        (partial(by_fft, turn=1), "a factor 2 pi is missing"),
        (lambda y, length: by_fft(y, 1.0), "right for a length of 1"),
        (lambda y, length: by_fft(y, 1.0, turn=1), "right for a length of 2 pi"),
        (lambda y, length: by_fft(y, 1.0, m=np.fft.fftfreq(len(y))), "right for a spacing of 1"),
        (lambda y, length: by_fft(y, 1.0, m=np.fft.fftfreq(len(y), length)), "takes the spacing as d"),
        (partial(by_fft, i=-1j), "the sign is reversed"),
        (partial(by_fft, part=np.array), "their real part"),
        (partial(by_fft, i=1), "Is the i missing"),
        (partial(by_fft, i=1, part=np.array), "Is the i missing"),
        (partial(by_fft, part=np.abs), "Which m belongs to which entry"),
        (lambda y, length: by_fft(y, length, m=abs(np.fft.fftfreq(len(y), 1 / len(y))), i=1), "Is the i missing"),
        (lambda y, length: by_fft(y, length, m=np.arange(len(y))), "the upper half of the frequencies"),
        (lambda y, length: by_fft(y, length, m=np.arange(len(y)), part=np.array), "the upper half of the frequencies"),
        (lambda y, length: np.fft.irfft(np.fft.rfft(y)), "told n if it is odd"),
        (lambda y, length: np.append(by_fft(y, length), 0.0), "the shape should be (15,), and is (16,)"),
        (lambda y, length: y, "is multiplied by 2 pi i m / length"),
    ],
    "sampled_data.window": [
        (lambda sigma, h, M: (150 * (sigma / M) ** 2 / h**6) ** (1 / 7), "makes both terms equal"),
        (lambda sigma, h, M: (84.4 * (sigma / M) ** 2 / h**6) ** (1 / 7), "minimizes bias + standard deviation"),
        (lambda sigma, h, M: (22.5 * sigma**2 / (M * h**4)) ** (1 / 5), "Here it enters squared"),
        (lambda sigma, h, M: (15 * sigma**2 / (M * h**4)) ** (1 / 5), "Here it enters squared"),
        (lambda sigma, h, M: 2 * (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 7) + 1, "the number of points"),
        (lambda sigma, h, M: (112.5 * h * (sigma / M) ** 2) ** (1 / 7), "a length in units of x"),
        (lambda sigma, h, M: 112.5 * (sigma / M) ** 2 / h**6, "that is m^7"),
        (lambda sigma, h, M: ((sigma / M) ** 2 / h**6) ** (1 / 7), "the factor in front is not"),
        (lambda sigma, h, M: (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 6), "and solve for m"),
        (lambda sigma, h, M: (112.5 * (sigma / M) ** 2 / h**6) ** (1 / 5), "and solve for m"),
        (lambda sigma, h, M: [196, 197], "the shape should be ()"),
        (lambda sigma, h, M: 196 + 1j, "and solve for m"),
        (lambda sigma, h, M: math.inf, "and solve for m"),
    ],
    "sampled_data.inflections": [
        (lambda y, x: bent(x, gradient_twice(y, x)), "those are indices"),
        (lambda y, x: x[bent(x, np.gradient(y, x))], "there y is highest or lowest"),
        (lambda y, x: x[1:][np.diff(np.sign(gradient_twice(y, x))) > 0], "half of them"),
        (lambda y, x: x[1:][np.diff(np.sign(gradient_twice(y, x))) < 0], "half of them"),
        (lambda y, x: np.repeat(x[bent(x, gradient_twice(y, x))], 2), "too many"),
        (lambda y, x: x[bent(x, np.diff(y, 2))], "plain differences bend with the gaps"),
        (lambda y, x: x[1:-1][bent(x, np.diff(y, 2))], "plain differences bend with the gaps"),
        (lambda y, x: x[bent(x, np.gradient(np.gradient(y)))], "plain differences bend with the gaps"),
        (lambda y, x: y[bent(x, gradient_twice(y, x))], "the values of y there"),
        (lambda y, x: gradient_twice(y, x) > 0, "one entry for each sample"),
        (lambda y, x: (x[bent(x, gradient_twice(y, x))],), "Yours has shape (1, 3)"),
        (lambda y, x: 3.14, "Yours has shape ()"),
        (lambda y, x: [], "neighbors where it has opposite signs"),
        (lambda y, x: [math.nan], "neighbors where it has opposite signs"),
    ],
    "symbolic.swell": [
        ({"operations": 10, "terms": 513}, "each pass does two"),
        ({"operations": 30, "terms": 513}, "a square is one operation"),
        ({"operations": 1024, "terms": 513}, "nothing is computed twice"),
        ({"operations": 2046, "terms": 513}, "nothing is computed twice"),
        ({"operations": 5, "terms": 513}, "the operations of one pass"),
        ({"operations": 20, "terms": 1024}, "that is the degree"),
        ({"operations": 20, "terms": 1025}, "odd powers do not occur"),
        ({"operations": 20, "terms": 512}, "the constant"),
        ({"operations": 20, "terms": 257}, "one pass too few"),
        ({"operations": 20, "terms": 11}, "doubles the degree"),
        ({"operations": 20, "terms": 100}, "which powers occur"),
        ({"operation": 20, "terms": 513}, 'the keys "operations" and "terms"'),
        ([20, 513], 'the keys "operations" and "terms"'),
    ],
    "symbolic.slip": [
        (lambda m, k, x, t: m * x.diff(t, 2) - k * x, "the equation of the notes"),
        (lambda m, k, x, t: k * x - m * x.diff(t, 2), "the equation of the notes"),
        (lambda m, k, x, t: m * x.diff(t) + k * x, "still to be differentiated by t"),
        (lambda m, k, x, t: m * x.diff(t) - k * x, "still to be differentiated by t"),
        (lambda m, k, x, t: -k * x, "the acceleration is missing"),
        (lambda m, k, x, t: m * x.diff(t, 2), "the spring is missing"),
        (lambda m, k, x, t: x.diff(t, 2) + k * x, "the mass is missing"),
        (lambda m, k, x, t: m * x.diff(t, 2) + k * x / 2, "the derivative of x^2 / 2"),
        (lambda m, k, x, t: m * x.diff(t, 2) / 2 + k * x, "the derivative of x'^2 / 2"),
        (lambda m, k, x, t: m * x.diff(t, 2) + k, "grows with x"),
        (lambda m, k, x, t: 0, "zero whatever x is"),
        (lambda m, k, x, t: m * x.diff(t, 3) + k * x.diff(t), "of second order"),
        (lambda m, k, x, t: m * x.diff(t) ** 2 / 2 + k * x**2 / 2, "differentiate L by x'"),
        (lambda m, k, x, t: sympy.Eq(m * x.diff(t, 2) + k * x, 0), "without Eq"),
        (spring, "one expression, not a list"),
        (lambda m, k, x, t: k * sympy.Symbol("x"), "it holds x from elsewhere"),
        (lambda m, k, x, t: "m x'' + k x", "an expression of SymPy"),
    ],
    "symbolic.huber": [
        (branching, "Use sympy.Piecewise"),
        (lambda x: sympy.Piecewise((x**2 / 2, -1 <= x <= 1), (abs(x) - 0.5, True)), "chained comparisons ask"),
        (lambda x: sympy.Piecewise((x**2 / 2, x >= -1 and x <= 1), (abs(x) - 0.5, True)), "or sympy.And"),
        (lambda x: math.sqrt(x), "math and NumPy need numbers"),
        (pieces(lambda x: x**2 / 2, abs), "the function jumps at 1"),
        (pieces(lambda x: x**2 / 2, lambda x: x - 0.5), "take |x|"),
        (pieces(lambda x: x**2 / 2, lambda x: x - 0.5, lambda x: x <= 1), "the parabola still. Does the condition"),
        (pieces(lambda x: x**2 / 2, lambda x: sympy.sign(x) * (abs(x) - 0.5)), "the sign is reversed"),
        (pieces(lambda x: x**2, lambda x: 2 * abs(x) - 1), "that is x^2"),
        (pieces(lambda x: abs(x) - 0.5, lambda x: x**2 / 2), "the two branches are swapped"),
        (lambda x: x**2 / 2, "goes on as a straight line"),
        (lambda x: [x**2 / 2], "one expression, not a list"),
        (lambda x: sympy.Symbol("z") ** 2, "it holds z from elsewhere"),
        (lambda x: x**4, "here the function is x^2 / 2"),
        (pieces(lambda x: x**2 / 2, lambda x: 2 * abs(x)), "here the function is |x| - 1/2"),
        (
            pieces(lambda x: x**2 / 2, lambda x: abs(x) - sympy.Piecewise((0.5, x > 0), (0.3, True))),
            "Note that |x| = -x",
        ),
        (lambda x: RIGHT["symbolic.huber"](x) + sympy.sin(1e9 * x) / 1e9, "the sign of x outside"),
    ],
    "symbolic.lie": [
        (lambda h, field, state, order: sum(h.diff(x) for x in state), "the field is missing"),
        (lambda h, field, state, order: chain(h, field, state)[0], "one term alone"),
        (lambda h, field, state, order: chain(h, field, state)[-1], "one term alone"),
        (lambda h, field, state, order: chain(h, field, state), "sum over i yourself"),
        (lambda h, field, state, order: sympy.Matrix([lie(h, field, state)]), "a matrix of one entry"),
        (lambda h, field, state, order: sympy.Matrix(chain(h, field, state)), "sum over i yourself"),
        (lambda h, field, state, order: symbolic.gradient(h, state) * field, "sum over i yourself"),
        (lambda h, field, state, order: symbolic.gradient(h, state) @ sympy.Array(field), "sum over i yourself"),
        (lambda h, field, state, order: sympy.Matrix(state) * sympy.Matrix(field), "sum over i yourself"),
        (lambda h, field, state, order: sympy.tensorproduct(symbolic.gradient(h, state), field), "sum over i"),
        (lambda h, field, state, order: lie(h, field, state), "that is order 1, whatever the order"),
        (lambda h, field, state, order: lie(h, field, state) if order < 2 else h, "that is h itself"),
        (lambda h, field, state, order: h, "that is h itself"),
        (lambda h, field, state, order: lie(h, field, state, order + 1), "one order too many"),
        (lambda h, field, state, order: lie(h, field, state, min(order, 2)), "one order too few"),
        (lambda h, field, state, order: lie(h, field, state, max(order, 1)), "order 0 is h itself"),
        (lambda h, field, state, order: sum(chain(h, field, state, order)), "twice by the same variable"),
        (lambda h, field, state, order: sum(chain(h, field, state, order, order)), "twice by the same variable"),
        (held_field, "the field changes along the motion too"),
        (lambda h, field, state, order: lie(h, field, state) ** order, "a power of order 1"),
        (lambda h, field, state, order: order * lie(h, field, state), "a multiple of order 1"),
        (lambda h, field, state, order: lie(h, field, state) + int(order == 2), "along the motion again"),
        (lambda h, field, state, order: -lie(h, field, state), "the sign is reversed"),
        (lambda h, field, state, order: sum(h * f.diff(x) for f, x in zip(field, state, strict=True)), "not the field"),
        (lambda h, field, state, order: h * sum(field), "by each variable in turn"),
        (lambda h, field, state, order: sum(field), "h is missing"),
        (lambda h, field, state, order: lie(h, field[::-1], state), "the order is mixed up"),
        (lambda h, field, state, order: 2 * h, "the chain rule"),
        (lambda h, field, state, order: h * sympy.Symbol("t"), "it holds t from elsewhere"),
        (lambda h, field, state, order: "x", "an expression of SymPy"),
    ],
    "symbolic.differentiator": [
        (differentiator(number=lambda d, e: 1), "a number does not change"),
        (differentiator(number=lambda d, e: e), "a number does not change"),
        (differentiator(x=lambda d, e: "x"), "that is x itself"),
        (differentiator(plus=lambda d, e: d(e[1])), "both terms change"),
        (differentiator(times=lambda d, e: ("*", d(e[1]), e[2])), "The second one changes too"),
        (differentiator(times=lambda d, e: ("*", e[1], d(e[2]))), "The first one changes too"),
        (differentiator(times=lambda d, e: ("*", d(e[1]), d(e[2]))), "not the product of the derivatives"),
        (differentiator(times=lambda d, e: ("-", d(e[1]), d(e[2]))), "'-' is not among the operators"),
        (differentiator(sin=lambda d, e: ("cos", e[1])), "what is inside is missing"),
        (differentiator(sin=lambda d, e: ("cos", d(e[1]))), "not of its derivative"),
        (differentiator(sin=lambda d, e: ("*", -1, ("cos", "x"))), "sin rises at 0"),
        (differentiator(sin=lambda d, e: ("cos",)), "two for + and *"),
        (differentiator(cos=lambda d, e: ("*", ("sin", e[1]), d(e[1]))), "cos falls right of 0"),
        (differentiator(cos=lambda d, e: ("*", -1, ("sin", e[1]))), "what is inside is missing"),
        (differentiator(cos=lambda d, e: ("*", -1, ("sin", d(e[1])))), "not of its derivative"),
        (differentiator(cos=lambda d, e: ("*", ("*", -1, ("sin", "x")), d(e[1]))), "of what is inside cos"),
        (differentiator(sin=lambda d, e: ("*", ("cos", "x"), d(e[1]))), "of what is inside sin"),
        (differentiator(x=lambda d, e: "1"), "is text"),
        (differentiator(x=lambda d, e: sympy.Integer(1) + sympy.Symbol("x")), "a tuple of an operator"),
        (differentiator(number=lambda d, e: False), "a tuple of an operator"),
        (lambda e: (), "a tuple of an operator"),
    ],
    "symbolic.spring_pendulum": [
        (partial(swinging, sign=-1), "minus the potential one"),
        (partial(swinging, across=0), "the speed across is r theta'"),
        (partial(swinging, across=1), "both factors are squared"),
        (partial(swinging, down=-1), "falls upwards"),
        (partial(swinging, rest=0), "stretched by r - l"),
        (partial(swinging, half=1), "a spring has a factor 1/2"),
        (partial(swinging, half=-2), "pushes outwards"),
        (partial(swinging, angle=sympy.sin), "counted from the vertical"),
        (partial(swinging, down=0), "gravity is missing"),
        (lambda *a: swinging(*a) - a[3] * a[6] * a[0], "a lowest point that moves with r"),
        (lambda r, theta, t, m, k, l, g: swinging(r, theta, t, m, 0, l, g), "the spring is missing"),
        (lambda r, theta, t, m, k, l, g: swinging(r, theta, t, m, k, l, g / m), "the weight is m g"),
        (
            lambda *a: swinging(*a) + a[3] * (a[0].diff(a[2]) ** 2 + a[0] ** 2 * a[1].diff(a[2]) ** 2) / 2,
            "kinetic energy has",
        ),
        (lambda *a: swinging(*a).subs(a[1].diff(a[2]), 0), "holds both velocities"),
        (lambda *a: swinging(*a) - a[3] * a[0] ** 3, "along r and across it"),
        (lambda *a: [swinging(*a)], "one expression, not a list"),
        (lambda *a: swinging(*a) + sympy.Symbol("c"), "it holds c from elsewhere"),
    ],
    "forward_mode.passes": [
        ({"jacobian": 1000, "product": 1, "column": 1}, "the number of outputs"),
        ({"jacobian": 5000, "product": 1, "column": 1}, "the number of entries of J"),
        ({"jacobian": 6, "product": 1, "column": 1}, "finite differences need"),
        ({"jacobian": 1, "product": 1, "column": 1}, "picks out a column of J"),
        ({"jacobian": 7, "product": 1, "column": 1}, "how many columns has J"),
        ({"jacobian": 5, "product": 5, "column": 1}, "Is J itself needed here"),
        ({"jacobian": 5, "product": 1000, "column": 1}, "the number of outputs"),
        ({"jacobian": 5, "product": 5000, "column": 1}, "the number of entries of J"),
        ({"jacobian": 5, "product": 0, "column": 1}, "nothing of its change along v"),
        ({"jacobian": 5, "product": 2, "column": 1}, "what does jvp(f, (x,), (v,)) return"),
        ({"jacobian": 5, "product": 1, "column": 5}, "with respect to every input"),
        ({"jacobian": 5, "product": 1, "column": 1000}, "the number of outputs"),
        ({"jacobian": 5, "product": 1, "column": 2}, "a column of J. Which v"),
        ({"jacobian": 5, "product": 1}, 'the keys "jacobian", "product" and "column"'),
        ((5, 1, 1), 'the keys "jacobian", "product" and "column"'),
    ],
    "forward_mode.quotient": [
        (lambda x, dx, y, dy: (x / y, (dx * y + x * dy) / y**2), "Which sign has that term"),
        (lambda x, dx, y, dy: (x / y, dx / y), "The denominator has a tangent too"),
        (lambda x, dx, y, dy: (x / y, -x * dy / y**2), "The numerator has a tangent too"),
        (lambda x, dx, y, dy: (x / y, (x * dy - dx * y) / y**2), "the sign is reversed"),
        (lambda x, dx, y, dy: (x / y, dx / dy), "not the quotient of the tangents"),
        (lambda x, dx, y, dy: (x / y, dx * y + x * dy), "the rule of a product"),
        (lambda x, dx, y, dy: (x / y, (dx * y - x * dy) / y), "a factor 1 / x2 is missing"),
        (lambda x, dx, y, dy: (x / y, dx * y - x * dy), "the numerator alone"),
        (lambda x, dx, y, dy: (x / y, dx / y - x * dy / y), "needs another factor"),
        (lambda x, dx, y, dy: (x / y, dx + dy), "Take the product rule"),
        (lambda x, dx, y, dy: (x * y, dx), "the quotient itself"),
        (lambda x, dx, y, dy: (dx * y - x * dy) / y**2, "return 2 results, in this order: y and y_dot"),
    ],
    "forward_mode.slip": [
        (lambda number, a: (number - a[0], a[1]), "the slip itself"),
        (lambda number, a: (a[0] - number, a[1]), "that is a - number"),
        (lambda number, a: (number - a[0], number - a[1]), "its tangent is not the number"),
        (lambda number, a: (number - a[0], number + a[1]), "its tangent is not the number"),
        (lambda number, a: (number - a[0], 0.0), "a moves, and number - a with it"),
        (lambda number, a: (number - a[0], -a[0]), "what does subtract make of it"),
        (lambda number, a: (number + a[0], -a[1]), "subtracted from the number"),
        (lambda number, a: number - a[0], "return 2 results"),
    ],
    "forward_mode.chain": [
        (lambda a, b, c, x, v: a(*b(*c(x, v))), "that is a(b(c(x)))"),
        (lambda a, b, c, x, v: a(x, v), "that is a(x) alone"),
        (lambda a, b, c, x, v: b(*a(x, v)), "that is b(a(x)). c is still"),
        (lambda a, b, c, x, v: (2 * c(*b(*a(x, v)))[0], v), "the value that the one before it returned"),
        (lambda a, b, c, x, v: (c(*b(*a(x, v)))[0], c(x, b(x, a(x, v)[1])[1])[1]), "all three are linearized at x"),
        (lambda a, b, c, x, v: c(b(*a(x, v))[0], v), "c is given v"),
        (lambda a, b, c, x, v: c(*b(a(x, v)[0], v)), "the tangent of a is left out"),
        (lambda a, b, c, x, v: (c(*b(*a(x, v)))[0], b(*a(x, v))[1]), "the tangent of b(a(x))"),
        (lambda a, b, c, x, v: (c(*b(*a(x, v)))[0], a(x, v)[1]), "the tangent of a(x) alone"),
        (lambda a, b, c, x, v: (c(*b(*a(x, v)))[0], v), "the value and the tangent that"),
        (lambda a, b, c, x, v: (c(b(a(x, v)[0], v)[0], v)[0], c(*b(*a(x, v)))[1]), "one call of each function"),
        (lambda a, b, c, x, v: c(*b(*a(x, v)))[1], "return 2 results"),
    ],
    "forward_mode.second": [
        (lambda f, x: nested(f, x), "Give the tangent alone"),
        (lambda f, x: fm.jvp(f, (x,), (1.0,)), "Give the tangent alone"),
        (lambda f, x: fm.jvp(f, (x,), (1.0,))[1], "that is f'"),
        (lambda f, x: f(x), "that is f itself"),
        (lambda f, x: fm.jvp(f, (x,), (1.0,))[1] ** 2, "the square of f'"),
        (lambda f, x: nested(f, x)[1] / 2, "the coefficient of a Taylor series"),
        (lambda f, x: nested(f, x, inner=None)[1], "the slope of x f'(x)"),
        (lambda f, x: -nested(f, x)[1], "the sign is reversed"),
        (stepped, "close, but not to roundoff"),
        (lambda f, x: x, "Apply jvp to that function"),
        (lambda f, x: np.array([nested(f, x)[1]]), "the shape should be ()"),
    ],
    "forward_mode.taylor": [
        (triples(lambda a, b: (a[0] * b[0], a[1] * b[1], a[2] * b[2])), "not the product of the derivatives"),
        (triples(partial(product, first=0)), "the first factor moves too"),
        (triples(partial(product, second=0)), "the second factor moves too"),
        (triples(partial(product, cross=1)), "f' g' comes twice"),
        (triples(partial(product, cross=0)), "f' g' is missing"),
        (triples(partial(product, scale=0.5)), "half of it"),
        (triples(lambda a, b: (*product(a, b)[:2], a[2] * b[2])), "not the product of the second derivatives"),
        (triples(lambda a, b: (*product(a, b)[:2], 2 * a[1] * b[1])), "Where are f'' and g''"),
        (triples(lambda a, b: (*product(a, b)[:2], 0.0)), "differentiate what comes out once more"),
        (triples(lambda a, b: (a[0] + b[0], *product(a, b)[1:])), "the value itself"),
        (triples(lambda a, b: product(a, b)[:2]), "Yours has shape (2,)"),
        (triples(sin=partial(sine, inner=0)), "the derivative of what is inside is missing"),
        (triples(sin=lambda a: (np.sin(a[0]), np.cos(a[1]), 0.0)), "of f, not of f'"),
        (triples(sin=lambda a: (np.sin(a[0]), -np.cos(a[0]) * a[1], 0.0)), "sin rises at 0"),
        (triples(sin=partial(sine, turn=0)), "cos f moves too"),
        (triples(sin=partial(sine, bend=0)), "f' moves too"),
        (triples(sin=partial(sine, power=1)), "enters squared"),
        (triples(sin=partial(sine, turn=1)), "the derivative of cos is -sin"),
        (triples(sin=partial(sine, bend=0, power=0)), "the second derivative of sin alone"),
        (triples(sin=partial(sine, scale=0.5)), "half of it"),
        (triples(sin=lambda a: (*sine(a)[:2], a[2])), "differentiate both of its factors"),
        (product, "return 2 results"),
    ],
    "reverse_mode.adjoints": [
        ({"c_bar": 12, "b_bar": 21, "a_bar": 135}, "the value of c"),
        ({"c_bar": 1, "b_bar": 21, "a_bar": 135}, "times which factor"),
        ({"c_bar": 108, "b_bar": 21, "a_bar": 135}, "the value of d"),
        ({"c_bar": 9, "b_bar": 12, "a_bar": 135}, "b is used twice"),
        ({"c_bar": 9, "b_bar": 9, "a_bar": 135}, "b is used twice"),
        ({"c_bar": 9, "b_bar": 13, "a_bar": 135}, "which is not d_bar"),
        ({"c_bar": 9, "b_bar": 108, "a_bar": 135}, "added, not multiplied"),
        ({"c_bar": 9, "b_bar": 21, "a_bar": 126}, "c = a + b too. Add that share"),
        ({"c_bar": 9, "b_bar": 21, "a_bar": 9}, "Add those shares"),
        ({"c_bar": 9, "b_bar": 21, "a_bar": 72}, "each of the two factors gets a share"),
        ({"c_bar": 9, "b_bar": 21, "a_bar": 63}, "and c = a + b uses it too"),
        ({"c_bar": 9, "b_bar": 21, "a_bar": 81}, "complete only when c has given its share"),
        ({"c_bar": 9, "b_bar": 21, "a_bar": 3}, "a share for each use"),
        ({"c": 9, "b": 21, "a": 135}, 'the keys "c_bar", "b_bar" and "a_bar"'),
        ((9, 21, 135), 'the keys "c_bar", "b_bar" and "a_bar"'),
    ],
    "reverse_mode.slip": [
        (lambda w, x, b, t: neuron(w, x, b, t, factors=(x, w, 0)), "that is the slip itself"),
        (lambda w, x, b, t: (*neuron(w, x, b, t)[:2], 1.0), "dz/db alone"),
        (lambda w, x, b, t: (x, w, 1.0), "dz/dw alone"),
        (lambda w, x, b, t: (neuron(w, x, b, t)[0], w, 1.0), "dz/dx alone"),
        (lambda w, x, b, t: neuron(w, x, b, t, factors=(w, x, 1)), "that is x_bar"),
        (lambda w, x, b, t: neuron(w, x, b, t, factors=(x, x, 1)), "that is w_bar"),
        (lambda w, x, b, t: neuron(w, x, b, t, factors=(-x, -w, -1)), "the sign is reversed"),
        (lambda w, x, b, t: neuron(w, x, b, t, factors=(2 * x, 2 * w, 2)), "the square cancels the 1/2"),
        (partial(neuron, slope=False), "the slope of the sigmoid is missing"),
        (partial(neuron, error=False), "with respect to y is missing"),
        (lambda w, x, b, t: neuron(w, x, b, t, factors=(x, w, b)), "multiply the local derivatives"),
        (lambda w, x, b, t: neuron(w, x, b, t)[:2], "return 3 results, in this order: w_bar, x_bar and b_bar"),
    ],
    "reverse_mode.bias": [
        (lambda y_bar: (y_bar, y_bar), "An entry is used in 4 rows"),
        (lambda y_bar: (y_bar, y_bar.sum(axis=0, keepdims=True)), "on one row of a matrix"),
        (lambda y_bar: (y_bar, y_bar.sum(axis=1)), "a sum over each row"),
        (lambda y_bar: (y_bar, y_bar.sum(axis=-int(len(y_bar) == 3))), "a sum over each row"),
        (lambda y_bar: (y_bar, y_bar.mean(axis=0)), "that is the mean"),
        (lambda y_bar: (y_bar, y_bar[0]), "the share of the first row"),
        (lambda y_bar: (y_bar, y_bar[-1]), "the share of the last row"),
        (lambda y_bar: (y_bar, y_bar.sum()), "one number. b has 3 entries"),
        (lambda y_bar: (y_bar, [len(y_bar)] * y_bar.shape[1]), "how often an entry is used"),
        (lambda y_bar: (y_bar, 2 * y_bar.sum(axis=0)), "Add what they pass on"),
        (lambda y_bar: (y_bar.sum(axis=0), y_bar), "x_bar comes first"),
        (lambda y_bar: (np.ones_like(y_bar), y_bar.sum(axis=0)), "the local derivative alone"),
        (lambda y_bar: (2 * y_bar, y_bar.sum(axis=0)), "in the same entry of y"),
        (lambda y_bar: y_bar, "return 2 results"),
    ],
    "reverse_mode.tape": [
        (partial(swept, add=False), "the second share took the place of the first"),
        (lambda steps: swept(steps, add=len(steps) == 2), "one share took the place of the other"),
        (lambda steps: swept(steps, backward=len(steps) < 4), "Begin at the end"),
        (partial(swept, seed=0.0), "begin with it"),
        (partial(swept, start=1.0), "every adjoint began with 1"),
        (partial(swept, leaves=True), "though no other step uses it"),
        (partial(swept, local=lambda partials, k: partials[::-1][k]), "at its own place in the tuple"),
        (partial(swept, local=lambda partials, k: 1.0), "Multiply by the partials"),
        (lambda steps: swept(steps)[::-1], "the order is reversed"),
        (lambda steps: [*swept(steps)[:-1], 0.0], "the adjoint of the output itself is 1"),
        (lambda steps: [0.0] * (len(steps) - 1) + [1.0], "passes nothing on to its parents"),
        (lambda steps: swept(steps)[: steps.count(((), ()))], "all steps, not of the inputs alone"),
        (lambda steps: [bar or 1.0 for bar in swept(steps)], "its adjoint is 0."),
        (lambda steps: swept(steps) if len(steps) < 9 else [0.0] * len(steps), "from the last step to the first"),
        (by_children, "visit a step once"),
        (by_paths, "visit a step once"),
        (by_recursion, "in a loop"),
    ],
    "reverse_mode.softmax": [
        (lambda s, s_bar: s * s_bar, "where one grows, the others fall"),
        (lambda s, s_bar: s * (1 - s) * s_bar, "the diagonal of the Jacobian alone"),
        (lambda s, s_bar: s_bar - s @ s_bar, "a factor s[j] is missing"),
        (lambda s, s_bar: s * (s_bar - s_bar.mean()), "with equal weights"),
        (lambda s, s_bar: s * (s_bar - s_bar.sum()), "with equal weights"),
        (lambda s, s_bar: s * (s @ s_bar - s_bar), "the sign is reversed"),
        (lambda s, s_bar: softmax_matrix(s), "Its product with s_bar"),
        (lambda s, s_bar: s_bar, "write out the sum over i"),
        (lambda s, s_bar: softmax_matrix(s) @ s_bar, "a matrix has 2000 of them"),
        (lambda s, s_bar: jnp.asarray(softmax_matrix(s) @ s_bar), "a matrix has 2000 of them"),
        (lambda s, s_bar: (jnp.diag(s) - jnp.outer(s, s)) @ s_bar, "a matrix has 2000 of them"),
    ],
    "reverse_mode.solve": [
        (partial(solved, transpose=False), "that solves with A"),
        (partial(solved, sign=1), "so dA x + A dx = 0"),
        (lambda *args: (solved(*args)[0].T, solved(*args)[1]), "that is the transpose. Row i"),
        (lambda *args: (-solved(*args)[0].T, solved(*args)[1]), "with the sign reversed"),
        (lambda A, x, x_bar: (-np.outer(x_bar, x), solved(A, x, x_bar)[1]), "x_bar where b_bar belongs"),
        (lambda *args: (solved(*args, transpose=False)[0], solved(*args)[1]), "that solves with A"),
        (partial(solved, right=np.matmul), "that has b where x belongs."),
        (partial(solved, sign=1, right=np.matmul), "and the other sign"),
        (lambda A, x, x_bar: (-x * solved(A, x, x_bar)[1], solved(A, x, x_bar)[1]), "A_bar has the shape of A"),
        (lambda A, x, x_bar: (-x @ solved(A, x, x_bar)[1], solved(A, x, x_bar)[1]), "one number. A has shape (3, 3)"),
        (lambda A, x, x_bar: (A, solved(A, x, x_bar)[1]), "What does b_bar say of it"),
        (lambda A, x, x_bar: (A, A.T @ x_bar), "the adjoint of multiplying by A"),
        (lambda A, x, x_bar: (A, A @ x_bar), "not a product with A"),
        (lambda A, x, x_bar: (A, -solved(A, x, x_bar)[1]), "x grows with b"),
        (lambda A, x, x_bar: (A, x_bar), "that is x_bar itself"),
        (lambda *args: solved(*args)[::-1], "It comes first"),
        (lambda A, x, x_bar: (A, x), "what is its transpose"),
        (lambda *args: solved(*args)[1:], "return 2 results"),
    ],
    "reverse_mode.checkpoints": [
        (lambda T: (2 * T**0.5, T**0.5), "k comes first"),
        (lambda T: (1, T), "at every step all T values are kept"),
        (lambda T: (T, T), "no checkpoint but the start"),
        (lambda T: (T / 2, T / 2), "T / k is small then"),
        (lambda T: (math.log2(T), 2), "run again and again"),
        (lambda T: (T ** (1 / 3), 2), "many more than the steps between them"),
        (lambda T: (2, 2), "where its derivative vanishes"),
        (lambda T: (T**0.5, T**0.5), "one of the two terms"),
        (lambda T: (T**0.5, T), "without checkpoints"),
        (lambda T: (T**0.5, T / 2), "put the best k"),
        (lambda T: (T**0.5, 2), "put the best k"),
        (lambda T: T**0.5, "return 2 results, in this order: k and peak"),
    ],
    "linear_maps.columns": [
        (lambda mv, n: np.stack([mv(e) for e in np.eye(n)]), "that is the transpose"),
        (lambda mv, n: np.array([mv(e)[:, None] for e in np.eye(n)]), "put the columns side by side"),
        (lambda mv, n: mv(np.ones(n)), "one product, with a vector of ones"),
        (lambda mv, n: [[mv(e)[0] for e in np.eye(n)]], "the shape should be (2, 3), and is (1, 3)"),
        (lambda mv, n: np.array([mv(e) - mv(0 * e) for e in np.eye(n)]).T, "One for each of the 3 inputs"),
        (lambda mv, n: np.stack([mv(2 * e) for e in np.eye(n)], axis=1), "the j-th row of np.eye(n)"),
    ],
    "linear_maps.grouping": [
        ({"from_left": 10_100_000, "from_right": 110_000}, "the other grouping"),
        ({"from_left": 110_000, "from_right": 110_000}, "the other grouping"),
        ({"from_left": 220_000, "from_right": 20_200_000}, "counts the additions as well"),
        ({"from_left": 100_000, "from_right": 10_100_000}, "the last product alone"),
        ({"from_left": 10_000, "from_right": 10_100_000}, "the first product alone"),
        ({"from_left": 110_000, "from_right": 10_000_000}, "the first product alone"),
        ({"from_left": 1200, "from_right": 10_100_000}, "those are rows or products"),
        ({"from_left": 3, "from_right": 4}, "takes a b c multiplications"),
        ({"left": 110_000}, 'the keys "from_left" and "from_right"'),
        (110_000, 'the keys "from_left" and "from_right"'),
    ],
    "linear_maps.slip": [
        (lambda z1, z2: (2 * (z1 - z2), z1 - z2, z2), "the slip itself"),
        (lambda z1, z2: (2 * (z1 - z2), z1 - z2, 2 * z1), "x3 reaches z2 as well"),
        (lambda z1, z2: (2 * (z1 + z2), z1 + z2, 2 * z1 + z2), "with a minus sign"),
        (lambda z1, z2: (2 * (z1 - z2), z1 - z2, 2 * z1 - z2), "with a plus sign"),
        (lambda z1, z2: (z1 - z2, z1 - z2, 2 * z1 + z2), "enters y with the weight 2"),
        (lambda z1, z2: (z1 - z2, 2 * (z1 - z2), 2 * z1 + z2), "x2 with the weight 1"),
        (lambda z1, z2: (2 * z1, z1, 2 * z1 + z2), "y reaches z2 as well"),
        (lambda z1, z2: (0, 0, 0), "over the nodes downstream"),
        (lambda z1, z2: (z1, z2), "the shape should be (3,), and is (2,)"),
    ],
    "linear_maps.transpose": [
        (lambda y: np.diff(y, prepend=0, append=0), "the sign is reversed"),
        (lambda y: -np.diff(y, prepend=0, append=0)[::-1], "the order is reversed"),
        (lambda y: np.append(y, 0), "each x_j occurs twice"),
        (lambda y: np.append(0, y), "each x_j occurs twice"),
        (lambda y: np.append(0, np.cumsum(y)), "The inverse is not the transpose"),
        (lambda y: np.append(y, 0) + np.append(0, y), "enters with a minus sign"),
        (lambda y: np.pad(-np.diff(y), 1), "the two ends occur once"),
        (np.diff, "that is the map itself once more"),
        (lambda y: np.append(y, y[-1]), "in which of the differences"),
        (lambda y: y, "the shape should be (5,), and is (4,)"),
    ],
    "linear_maps.dot_product": [
        (lambda mv, rmv, n, m: True, "these break the law"),
        (lambda mv, rmv, n, m: False, "these obey the law"),
        (lambda mv, rmv, n, m: 1.0, "return True or False"),
        (partial(belong, draw=lambda size: np.ones(size)), "vectors of ones"),
        (partial(belong, rtol=0.1), "that tolerance is too wide"),
        (partial(belong, rtol=0.0, atol=1e-6), "not with a fixed number"),
        (partial(belong, rtol=0.0, atol=1e-12), "not with a fixed number"),
    ],
    "linear_maps.paths": [
        (partial(city, corners=0), "have 3 corners"),
        (partial(city, weight=0), "a weight of 0 blocks the street"),
        (lambda k: [(i, i + 1, 1) for i in range(2 * k)], "that is one path"),
        (partial(city, ways=[(0, 1)]), "Yours has 3 and 3"),
        (lambda k: [e for e in city(k) if e[:2] != ((1, 1), (1, 2))], "streets are missing"),
        (partial(city, weight=2), "an edge to its right neighbor"),
        (lambda k: [*city(k), ((0, 0), (1, 1), 1)], "an edge to its right neighbor"),
    ],
    "linear_maps.gauss_newton": [
        (partial(newton, sign=1), "reversed: it should reduce f"),
        (partial(newton, start=0), "Add it to x"),
        (partial(newton, sign=1, start=0), "Add it to x"),
        (partial(newton, factor=2), "twice too far"),
        (lambda f, x: x - jax.jacrev(f)(x).T @ f(x), "a step down the gradient"),
        (lambda f, x: x, "Is rtol small enough"),
        (lambda f, x: f(x), "the shape should be (2,), and is (7,)"),
    ],
    "frameworks.jump": [
        ({"slope": 4, "integral": 11, "rise": 13}, "the slope of the other branch"),
        ({"slope": 5, "integral": 11, "rise": 13}, "takes no mean"),
        ({"slope": math.nan, "integral": 11, "rise": 13}, "AD does not see the jump"),
        ({"slope": math.inf, "integral": 11, "rise": 13}, "AD does not see the jump"),
        ({"slope": 2, "integral": 11, "rise": 13}, "that is the jump of f"),
        ({"slope": 0, "integral": 11, "rise": 13}, "both branches rise"),
        ({"slope": 16, "integral": 11, "rise": 13}, "how steep is it there"),
        ({"slope": 6, "integral": 13, "rise": 13}, "the fundamental theorem"),
        ({"slope": 6, "integral": 6, "rise": 13}, "the piece left of the jump"),
        ({"slope": 6, "integral": 5, "rise": 13}, "the piece right of the jump"),
        ({"slope": 6, "integral": 2, "rise": 13}, "of which AD knows nothing"),
        ({"slope": 6, "integral": -2, "rise": 13}, "of which AD knows nothing"),
        ({"slope": 6, "integral": 9, "rise": 13}, "the other sign"),
        ({"slope": 6, "integral": 12, "rise": 13}, "one branch all the way"),
        ({"slope": 6, "integral": 8, "rise": 13}, "one branch all the way"),
        ({"slope": 6, "integral": math.inf, "rise": 13}, "is finite everywhere"),
        ({"slope": 6, "integral": 10, "rise": 13}, "Integrate each piece"),
        ({"slope": 6, "integral": 11, "rise": 11}, "that is the integral"),
        ({"slope": 6, "integral": 11, "rise": 12}, "one branch all the way"),
        ({"slope": 6, "integral": 11, "rise": -2}, "that is the jump"),
        ({"slope": 6, "integral": 11, "rise": 2}, "that is the jump"),
        ({"slope": 6, "integral": 11, "rise": -13}, "f(3) comes first"),
        ({"slope": 6, "integral": 11, "rise": 19}, "f(3) alone"),
        ({"slope": 6, "integral": 11, "rise": 1}, "each into its branch"),
        ({"slope": 6}, "with the keys"),
    ],
    "frameworks.slip": [
        (partial(trained, kept=1), "that is the slip itself"),
        (lambda x, t, w, rate, steps: w, "w has not moved"),
        (partial(trained, factor=-1), "that climbs"),
        (partial(trained, factor=2), "twice too long"),
        (partial(trained, factor=0.5), "half as long"),
        (lambda x, t, w, rate, steps: trained(x, t, w, rate, steps + 1), "one step too many"),
        (lambda x, t, w, rate, steps: trained(x, t, w, rate, steps - 1), "one step too few"),
        (lambda x, t, w, rate, steps: trained(x, t, w, 1.0, steps), "the rate is left out"),
        (partial(trained, power=0), "a factor x is missing"),
        (lambda x, t, w, rate, steps: (w * x - t) ** 2 / 2, "L at the start"),
        (lambda *args: (trained(*args) * args[0] - args[1]) ** 2 / 2, "L at the end"),
        (lambda x, t, w, rate, steps: t / x, "with the w of that step alone"),
        (partial(trained, kept=0.9), "with the w of that step alone"),
        (lambda *args: (trained(*args), 0.0), "the shape should be ()"),
        (lambda *args: Tensor(trained(*args, kept=1)), "that is the slip itself"),
        (lambda x, t, w, rate, steps: rate * None, "cleared after backward, and before it is used"),
        (lambda *args: None.zero_(), "nothing to fill with zeros"),
        (partial(raising, LEAF_IN_PLACE), "Keep torch.no_grad() around it"),
        (partial(raising, NO_TAPE), "Change w in place"),
    ],
    "frameworks.per_example": [
        (partial(clipped, scale=lambda size, limit: 1.0), "none was clipped"),
        (clipped_whole, "of all examples together"),
        (partial(clipped_whole, join=jnp.mean), "of all examples together"),
        (lambda *args: jnp.clip(each(*args[:4]), -args[4], args[4]).sum(axis=0), "clipped entry by entry"),
        (partial(clipped, scale=lambda size, limit: limit / size), "all have the length limit"),
        (partial(clipped, scale=lambda size, limit: jnp.maximum(1, limit / size)), "Is max for min"),
        (
            partial(clipped, scale=lambda size, limit: jnp.minimum(1, limit / jnp.linalg.norm(size))),
            "one length for all gradients together",
        ),
        (partial(clipped, join=partial(jnp.mean, axis=0)), "that is the mean of the clipped gradients"),
        (partial(clipped, join=jnp.asarray), "those are the clipped gradients"),
        (lambda *args: each(*args[:4]), "those are the gradients"),
        (partial(clipped, rows=partial(each, argnums=1)), "by x. The first argument"),
        (partial(clipped, rows=lambda loss, w, X, t: each(loss, w, X, 0 * t + t[0])), "the target of the first one"),
        (lambda *args: -clipped(*args), "the sign is reversed"),
        (partial(clipped, scale=lambda size, limit: jnp.minimum(1, size / limit)), "the smaller of 1 and limit / |g|"),
        (lambda *args: clipped(*args)[:1], "the shape should be (2,), and is (1,)"),
        (lambda loss, w, X, t, limit: jax.grad(jax.vmap(loss, (None, 0, 0)))(w, X, t), "the gradient first"),
        (partial(clipped, rows=lambda loss, w, X, t: jax.grad(loss)(w, X, t)), "the gradient first"),
        (partial(clipped, rows=partial(each, in_axes=(None, 0, None))), "the gradient first"),
        (partial(clipped, rows=partial(each, in_axes=(0, 0, 0))), "Does vmap know"),
        (lambda loss, w, X, t, limit: jax.vmap(jax.grad(loss)), "call it with w, X and t"),
        (partial(clipped, rows=lambda loss, *args: jax.vmap(jax.grad(loss))), "call it with w, X and t"),
        (lambda loss, w, X, t, limit: jax.vmap(jax.value_and_grad(loss), (None, 0, 0))(w, X, t), "Its second part"),
        (partial(clipped, rows=lambda loss, w, X, t: jax.value_and_grad(loss)(w, X[0], t[0])), "Its second part"),
        (partial(clipped, scale=lambda size, limit: limit / size.ravel()), "with keepdims=True"),
        (partial(clipped_inside, least=min), "has no value yet"),
        (partial(clipped_inside, norm=np.linalg.norm), "has no value yet"),
    ],
    "frameworks.tree": [
        (partial(descended, step=lambda p, g, rate: p + rate * g), "the sign is reversed"),
        (partial(descended, step=lambda p, g, rate: p - g), "the rate is not used"),
        (lambda params, grads, rate: params, "the parameters as they were"),
        (lambda params, grads, rate: grads, "those are the gradients"),
        (partial(descended, step=lambda p, g, rate: rate * g), "the step alone"),
        (partial(descended, step=lambda p, g, rate: -rate * g), "the step alone"),
        (partial(descended, step=lambda p, g, rate: rate * p - g), "the rate belongs to the gradient"),
        (partial(descended, step=lambda p, g, rate: g - rate * p), "swapped"),
        (partial(descended, step=lambda p, g, rate: p - rate**2 * g), "at each leaf"),
        (partial(descended, step=lambda p, g, rate: operator.isub(p, rate * g)), "leave the inputs as they were"),
        (
            lambda params, grads, rate: params.update(descended(params, grads, rate)) or params,
            "leave the inputs as they were",
        ),
        (lambda *args: jax.tree.leaves(descended(*args)), "the structure is lost"),
        (with_lists, "the structure is lost"),
        (lambda *args: {"new": 0.0}, "built like params"),
        (lambda *args: jax.tree.map(jnp.ravel, descended(*args)), "each array keeps its shape"),
        (lambda params, grads, rate: {k: params[k] - rate * grads[k] for k in params}, "at any depth"),
        (lambda params, grads, rate: {k: p - rate * grads[k] for k, p in params.items()}, "at any depth"),
    ],
    "frameworks.keys": [
        (partial(drawn, keys=lambda key, m: [key] * m), "the arrays are the same"),
        (partial(drawn, keys=lambda key, m: [jax.random.fold_in(key, 7)] * m), "fold_in with the same number"),
        (lambda key, m, n: drawn(jax.random.key(0), m, n), "another key should give other numbers"),
        (lambda key, m, n: drawn(jax.random.key(1), m, n), "another key should give other numbers"),
        (
            partial(
                drawn, keys=lambda key, m: [jax.random.key(int(jax.random.key_data(key)[-1]) + i) for i in range(m)]
            ),
            "another key should give other numbers",
        ),
        (partial(drawn, keys=lambda key, m: map(jax.random.key, range(m))), "another key should give other numbers"),
        (lambda key, m, n: stateful(np.random.default_rng(0), key, m, n), "Is a fixed key or seed at work"),
        (partial(first_and, lambda a: jax.random.normal(jax.random.key(1), a.shape)), "Is a fixed key or seed at work"),
        (partial(stateful, np.random.default_rng(30)), "from the key alone"),
        (partial(drawn, draw=jax.random.uniform), "Are they uniform"),
        (lambda *args: math.sqrt(12) * (drawn(*args, jax.random.uniform) - 0.5), "Are they uniform"),
        (partial(drawn, draw=jax.random.rademacher), "Are they uniform"),
        (partial(first_and, lambda a: -a), "minus the other"),
        (partial(first_and, lambda a: a[::-1]), "have nothing to do with each other"),
        (partial(first_and, lambda a: (a**2 - 1) / math.sqrt(2)), "have nothing to do with each other"),
        (lambda *args: 1 + drawn(*args), "that of standard normal numbers is 0"),
        (lambda *args: drawn(*args) / 2, "that of standard normal ones is 1"),
        (partial(first_and, lambda a: 0 * a), "normal numbers have no bounds"),
        (lambda *args: drawn(*args).T, "that is the transpose"),
        (lambda *args: drawn(*args).ravel(), "m rows, with n numbers in each"),
        (lambda key, m, n: drawn(key, m, 2000), "m rows, with n numbers in each"),
        (lambda key, m, n: drawn(key, 2, n), "m rows, with n numbers in each"),
        (lambda key, m, n: drawn(key, 4, n), "m rows, with n numbers in each"),
    ],
    "frameworks.safe": [
        (jnp.linalg.norm, "the root has an infinite slope at 0"),
        (lambda x: jnp.sqrt(jnp.sum(x**2)), "the root has an infinite slope at 0"),
        (partial(root, inner=None), "the branch that is not taken is differentiated too"),
        (lambda x: jnp.where(jnp.any(x), jnp.linalg.norm(x), 0.0), "the branch that is not taken"),
        (partial(root, outer=False), "keeps the root safe"),
        (partial(root, inner=None, outer=False, added=1e-12), "added under the root"),
        (partial(root, inner=None, outer=False, added=1e-30), "added under the root"),
        (partial(root, inner=None, outer=False, floor=1e-30), "added under the root"),
        (partial(root, limit=1e-12), "Compare with 0 itself"),
        (partial(root, limit=1e-30), "Compare with 0 itself"),
        (lambda x: jnp.sum(abs(x)), "the sum of the absolute values"),
        (lambda x: jnp.sum(x**2), "the square of the norm"),
        (lambda x: jnp.max(abs(x)), "the largest entry"),
        (lambda x: jnp.sum(x), "the root of the sum of the squares"),
        (lambda x: jax.lax.stop_gradient(root(x)), "the gradient is x / norm"),
        (lambda x: jnp.max(abs(x)) * jnp.linalg.norm(x / jnp.max(abs(x))), "0 divided by 0"),
        (root_if, "Python cannot choose a branch"),
        (np.linalg.norm, "NumPy needs numbers"),
        (lambda x: math.hypot(*x), "What asks for one"),
    ],
    "frameworks.branch": [
        (branching, "Python cannot choose a branch"),
        (lambda x: jnp.where(-1 <= x <= 1, x**2 / 2, abs(x) - 0.5), "chained comparisons"),
        (lambda x: np.where(abs(x) <= 1, x**2 / 2, abs(x) - 0.5), "NumPy needs numbers"),
        (lambda x: math.fabs(x), "What asks for one"),
        (lambda x: x**2 / 2, "the parabola goes on"),
        (lambda x: abs(x) - 0.5, "within 1 the function is x^2 / 2"),
        (traced_pieces(lambda x: x**2 / 2, abs), "the function jumps at 1"),
        (traced_pieces(lambda x: x**2, lambda x: abs(x) - 0.5), "a factor 1/2 is missing"),
        (traced_pieces(lambda x: x**2, lambda x: 2 * abs(x) - 1), "twice of it"),
        (traced_pieces(lambda x: x**2 / 2, lambda x: x - 0.5), "take |x|"),
        (traced_pieces(lambda x: x**2 / 2, lambda x: x - 0.5, lambda x: x <= 1), "The condition is on |x|"),
        (traced_pieces(lambda x: abs(x) - 0.5, lambda x: x**2 / 2), "the two branches are swapped"),
        (traced_pieces(lambda x: x**2 / 2, lambda x: 0.5), "goes on to rise"),
        (lambda x: jnp.sqrt(1 + x**2) - 1, "a smooth relative"),
        (traced_pieces(lambda x: x**2 / 2, lambda x: 2 * abs(x)), "|x| - 1/2 elsewhere"),
        (traced_pieces(lambda x: x**2 / 2, lambda x: jnp.sqrt(x**2) - 0.5), "differentiated too: how steep"),
        (traced_pieces(lambda x: x**2 / 2, lambda x: jax.lax.stop_gradient(abs(x)) - 0.5), "the slope is that of |x|"),
        (
            traced_pieces(lambda x: jax.lax.stop_gradient(x) ** 2 / 2, lambda x: abs(x) - 0.5),
            "the slope is that of x^2 / 2",
        ),
        (lambda x: jax.lax.stop_gradient(RIGHT["frameworks.branch"](x)), "the sign of x elsewhere"),
    ],
    "higher_order.passes": [
        ({"product": 1000, "curvature": 1, "hessian": 1000}, "Is H itself needed here"),
        ({"product": 1_000_000, "curvature": 1, "hessian": 1000}, "the number of entries of H"),
        ({"product": 2, "curvature": 1, "hessian": 1000}, "a derivative of the gradient"),
        ({"product": 0, "curvature": 1, "hessian": 1000}, "neither the value nor the gradient"),
        ({"product": 7, "curvature": 1, "hessian": 1000}, "what does a Hessian-vector product return"),
        ({"product": 1, "curvature": 1000, "hessian": 1000}, "Is H itself needed here"),
        ({"product": 1, "curvature": 1_000_000, "hessian": 1000}, "the number of entries of H"),
        ({"product": 1, "curvature": 2, "hessian": 1000}, "v enters twice"),
        ({"product": 1, "curvature": 0, "hessian": 1000}, "neither the value nor the gradient"),
        ({"product": 1, "curvature": 7, "hessian": 1000}, "what has to be known of H"),
        ({"product": 1, "curvature": 1, "hessian": 1_000_000}, "the number of entries of H"),
        ({"product": 1, "curvature": 1, "hessian": 500_500}, "so many entries differ"),
        ({"product": 1, "curvature": 1, "hessian": 500}, "symmetry saves none"),
        ({"product": 1, "curvature": 1, "hessian": 999}, "symmetry saves none"),
        ({"product": 1, "curvature": 1, "hessian": 1001}, "finite differences of the gradient"),
        ({"product": 1, "curvature": 1, "hessian": 2000}, "a derivative of the gradient"),
        ({"product": 1, "curvature": 1, "hessian": 1}, "picks out a column"),
        ({"product": 1, "curvature": 1, "hessian": 7}, "how many columns has H"),
        ({"product": 1, "curvature": 1}, 'the keys "product", "curvature" and "hessian"'),
        ((1, 1, 1000), 'the keys "product", "curvature" and "hessian"'),
    ],
    "higher_order.slip": [
        (lambda f, x: jax.grad(lambda y: jnp.vdot(jax.grad(f)(y), y))(x), "that is the slip itself"),
        (lambda f, x: hvp(f, x, x) - jax.grad(f)(x), "once too often"),
        (lambda f, x: jax.jvp(jax.grad(f), (x,), (x,)), "Give the product alone"),
        (lambda f, x: (hvp(f, x, x), jax.grad(f)(x)), "two vectors"),
        (lambda f, x: jax.grad(f)(x), "the gradient of f. Which function"),
        (lambda f, x: x @ hvp(f, x, x), "the number x^T H x"),
        (lambda f, x: jnp.vdot(jax.grad(f)(x), x), "the slope of f along x"),
        (lambda f, x: jax.hessian(f)(x), "that is H itself"),
        (lambda f, x: 2 * hvp(f, x, x), "twice of it"),
        (lambda f, x: hvp(f, x, x) / 2, "half of it"),
        (lambda f, x: hvp(f, x, jnp.ones_like(x)), "a vector of ones"),
        (lambda f, x: hvp(f, x, jax.grad(f)(x)), "H times the gradient"),
        (lambda f, x: jnp.diag(jax.hessian(f)(x)) * x, "the diagonal of H"),
        (lambda f, x: -hvp(f, x, x), "the sign is reversed"),
        (lambda f, x: x, "how does the gradient change"),
    ],
    "higher_order.mixed": [
        (partial(mixed, first=2, second=0), "X does not commute"),
        (partial(mixed, first=0, second=2), "X does not commute"),
        (partial(mixed, first=0), "one of the two factors X"),
        (partial(mixed, second=0), "one of the two factors X"),
        (partial(mixed, second=-1), "are added"),
        (partial(mixed, first=-1), "are added"),
        (lambda X: mixed(X.T), "is X transposed"),
        (lambda X: mixed(X).transpose(1, 0, 3, 2), "is X transposed"),
        (lambda X: mixed(X).transpose(2, 3, 0, 1), "the pairs are exchanged"),
        (lambda X: jax.jacfwd(jax.grad(traced, 1), 0)(X, X), "the pairs are exchanged"),
        (lambda X: mixed(X).transpose(0, 1, 3, 2), "in f, Y is transposed"),
        (lambda X: jax.jacfwd(jax.grad(lambda X, Y: jnp.trace(X @ X @ Y)), 1)(X, X), "in f, Y is transposed"),
        (lambda X: jax.hessian(traced)(X, X), "the Hessian in X alone"),
        (lambda X: jax.hessian(traced)(X, jnp.eye(len(X))), "the Hessian in X alone"),
        (lambda X: jax.hessian(traced)(X, jnp.ones_like(X)), "the Hessian in X alone"),
        (lambda X: jax.hessian(lambda X: traced(X, X))(X), "Keep them apart"),
        (lambda X: mixed(X).transpose(1, 0, 2, 3), "i and j are swapped"),
        (lambda X: mixed(X).transpose(0, 2, 1, 3), "two indices are swapped"),
        (lambda X: mixed(X) / 2, "half of it"),
        (lambda X: 2 * mixed(X), "twice of it"),
        (lambda X: np.einsum("ijkk", mixed(X)), "the derivative along one direction"),
        (lambda X: 2 * X.T, "the derivative along one direction"),
        (lambda X: mixed(X).reshape(X.size, X.size), "Reshape it"),
        (lambda X: jnp.einsum("ij,kl->ijkl", X, X), "What does trace pick out"),
        (lambda X: mixed(X).ravel(), "the shape should be (2, 2, 2, 2), and is (16,)"),
    ],
    "higher_order.power": [
        (partial(powered, read=lambda v, w: np.linalg.norm(w)), "a length has no sign"),
        (lambda hv, n: max(np.linalg.eigvalsh(matrix_of(hv, n))), "that is the largest one"),
        (lambda hv, n: min(np.linalg.eigvalsh(matrix_of(hv, n))), "that is the least one"),
        (lambda hv, n: min(np.linalg.eigvalsh(matrix_of(hv, n)), key=abs), "least by its absolute value"),
        (lambda hv, n: max(np.linalg.eigvalsh(matrix_of(hv, n)), key=abs), "a few dozen are enough"),
        (partial(powered, steps=150), "a few dozen are enough"),
        (partial(powered, steps=50, length=lambda v: 1.0), "not a finite number"),
        (lambda hv, n: math.nan, "not a finite number"),
        (partial(powered, read=lambda v, w: w / np.linalg.norm(w)), "that is a vector"),
        (partial(powered, read=lambda v, w: w @ w), "that is its square"),
        (partial(powered, steps=2), "close: a few more products"),
        (lambda hv, n: np.trace(matrix_of(hv, n)), "the trace"),
        (lambda hv, n: (powered(hv, n), np.ones(n)), "the eigenvalue alone"),
        (lambda hv, n: 10.0, "Which direction takes over"),
        (until_still, "v turns around"),
    ],
    "higher_order.bottleneck": [
        (lambda *args: through(*args).T, "that is the transpose. Row i"),
        (partial(through, join=np.outer), "that is the transpose. Row i"),
        (partial(through, basis=lambda k: np.ones((1, k))), "mixes all k paths"),
        (partial(through, basis=lambda k: np.eye(k)[:1]), "one of the k paths"),
        (partial(through, basis=lambda k: np.eye(k)[-1:]), "one of the k paths"),
        (partial(through, order=slice(None, None, -1)), "belongs to row i of J_g"),
        (lambda *args: through(*args) / args[2], "the mean over the k paths"),
        (partial(through, join=lambda u, v: v.sum() * u), "that is a vector"),
        (partial(through, join=lambda u, v: v.sum() * u.sum()), "that is a number"),
        (lambda pull_g, push_h, k: matrix_of(pull_g, k), "that is J_g"),
        (lambda pull_g, push_h, k: matrix_of(pull_g, k).T, "the transpose of J_g"),
        (lambda pull_g, push_h, k: matrix_of(push_h, k).T, "that is J_h"),
        (lambda pull_g, push_h, k: [np.outer(push_h(e), pull_g(e)) for e in np.eye(k)], "the shares of the k paths"),
        (lambda *args: 2 * through(*args), "pull_g rows of the second"),
        (lambda pull_g, push_h, k: matrix_of(push_h, k), "the shape should be (4, 5), and is (2, 4)"),
        (twice_through, "k of each are enough"),
    ],
    "higher_order.quotient": [
        (lambda a, b: np.divide(a, b), "entry by entry"),
        (lambda a, b: np.convolve(a, b)[: len(a)], "that is the product"),
        (lambda a, b: divided(b, a), "that is b / a"),
        (lambda a, b: scaled(divided(a, b)), "not derivatives"),
        (lambda a, b: scaled(divided(a, b), -1), "not derivatives"),
        (lambda a, b: scaled(divided(scaled(a, -1), scaled(b, -1))), "not derivatives"),
        (partial(divided, by=1), "divide by it"),
        (lambda a, b: divided(np.divide(a, b[0]), b, by=1), "divide by it"),
        (partial(divided, sign=1), "it goes to the other side"),
        (partial(divided, start=0, shift=1), "the sum begins at j = 1"),
        (partial(divided_by_index, stop=0), "range(1, k) ends at k - 1"),
        (partial(divided_by_index, partner=lambda j, k: j), "b[j] goes with c[k - j]"),
        (partial(divided_by_index, partner=lambda j, k: j, stop=0), "b[j] goes with c[k - j]"),
        (lambda a, b: divided_by_index(a, b, partner=lambda j, k: j, room=len(a)), "b[j] goes with c[k - j]"),
        (lambda a, b: divided(np.multiply(a, b[0]), b), "put a[k] - sum in parentheses"),
        (partial(divided, most=2), "the first two are right"),
        (partial(divided, most=1), "the first one is right"),
        (lambda a, b: divided(a, b)[::-1], "the order is reversed"),
        (lambda a, b: np.divide(a, b[0]), "b is taken as a constant"),
        (lambda a, b: np.negative(divided(a, b)), "the sign is reversed."),
        (lambda a, b: b, "Compare the coefficients"),
        (lambda a, b: divided(a, b)[:-1], "the shape should be (5,), and is (4,)"),
    ],
    "higher_order.series": [
        (partial(squared, divisor=lambda k: 1), "the division by k + 1 is missing"),
        (lambda y0, order: scaled(squared(y0, order)), "those are derivatives"),
        (lambda y0, order: scaled(squared(y0, order), -1), "divided by k!"),
        (partial(squared, square=lambda c, k: c[k]), "that solves y' = y."),
        (partial(squared, square=lambda c, k: c[0] * c[k]), "both factors change"),
        (partial(squared, square=lambda c, k: 2 * c[0] * c[k]), "y^2 changes as y does"),
        (partial(squared, square=lambda c, k: c[k] ** 2), "not the squares of those of y"),
        (lambda y0, order: [1.0, *squared(y0, order)][:-1], "the constant c_0 is y0"),
        (lambda y0, order: squared(y0, order + 1)[1:], "the constant c_0 is y0"),
        (lambda y0, order: [-a if k % 2 else a for k, a in enumerate(squared(y0, order))], "the sign alternates"),
        (lambda y0, order: squared(y0, order - 1), "one number too few"),
        (lambda y0, order: squared(y0, order + 1), "one number too many"),
        (lambda y0, order: squared(y0, order)[-1], "all coefficients"),
        (lambda y0, order: np.zeros(order + 1), "coefficient k of y^2"),
    ],
    "sparse.counts": [
        ((3, 3, 4, 20), "the fullest row is a bound"),
        ((2, 3, 4, 20), "on both sides and in the middle"),
        ((5, 3, 4, 20), "How far apart are the first and the last"),
        ((30, 3, 4, 20), "so many columns are there"),
        ((7, 3, 4, 20), "the fullest row is a bound"),
        ((4, 2, 4, 20), "neighbors on both sides"),
        ((4, 1, 4, 20), "neighbors on both sides"),
        ((4, 4, 4, 20), "does that close after 9"),
        ((4, 9, 4, 20), "so many columns are there"),
        ((4, 5, 4, 20), "does that close after 9"),
        ((4, 7, 4, 20), "see how it closes"),
        ((4, 3, 3, 20), "this ring cannot meet it"),
        ((4, 3, 2, 20), "neighbors on both sides"),
        ((4, 3, 5, 20), "at more than one place of the ring"),
        ((4, 3, 11, 20), "so many columns are there"),
        ((4, 3, 7, 20), "see how it closes"),
        ((4, 3, 4, 1), "Which columns may then share"),
        ((4, 3, 4, 2), "Which columns may then share"),
        ((4, 3, 4, 3), "products with rows too"),
        ((4, 3, 4, 19), "the first column has an entry in the first row too"),
        ((4, 3, 4, 21), "no more colors than columns"),
        ((4, 3, 4, 39), "that is the number of entries"),
        ((4, 3, 4, 10), "the fullest row is a bound"),
        ((4, 3, 4), "fill in four numbers"),
        (4, "fill in four numbers"),
    ],
    "sparse.seeds": [
        (lambda n, k: seeded(n, k).T, "that is the transpose"),
        (lambda n, k: np.eye(k)[np.arange(n) % k], "that is the transpose"),
        (lambda n, k: np.zeros((n, k)), "that is the transpose"),
        (lambda n, k: np.roll(seeded(n, k), 1, axis=0), "one row too low"),
        (lambda n, k: np.roll(seeded(n, k), -1, axis=0), "colors are counted from 0"),
        (partial(seeded, first=1), "j mod k goes from 0"),
        (partial(seeded, color=lambda j, n, k: j // k), "they share rows"),
        (partial(seeded, color=lambda j, n, k: j // -(-n // k)), "they share rows"),
        (lambda n, k: 1 - seeded(n, k), "exchanged"),
        (lambda n, k: np.ones((k, n)), "to one seed only"),
        (lambda n, k: np.eye(k, n), "repeat after k columns"),
        (lambda n, k: np.arange(n) % k, "those are the colors"),
        (lambda n, k: np.eye(n), "n seeds, one for each column"),
        (lambda n, k: 2 * seeded(n, k), "row c has ones at c, c + k"),
        (lambda n, k: seeded(n, k)[0], "the shape should be (3, 7), and is (7,)"),
    ],
    "sparse.compose": [
        (ways, "that counts the ways"),
        (lambda A, B: ways(A, B).T > 0, "that is the transpose"),
        (lambda A, B: ways(A, B) % 2, "two ways do not cancel"),
        (lambda A, B: ways(A, B) == 1, "two ways are as good as one"),
        (lambda A, B: ways(B, A) > 0, "Which of the two comes first"),
        (lambda A, B: ways(B, A), "it counts ways"),
        (lambda A, B: A @ B, "Which of the two comes first"),
        (lambda A, B: ways(A, B.T) > 0, "B is transposed"),
        (lambda A, B: ways(A.T, B) > 0, "A is transposed"),
        (lambda A, B: A & B, "entry by entry"),
        (lambda A, B: A | B, "entry by entry"),
        (lambda A, B: (B[:, :, None] & A).all(axis=1), "One is enough"),
        (lambda A, B: np.ones((len(B), A.shape[1])), "not everything depends on everything"),
        (lambda A, B: B[:, :, None] & A, "the ways through each component of g"),
        (lambda A, B: B, "if, for some l, it depends on l"),
        (lambda A, B: ways(A, B)[0] > 0, "the shape should be (4, 4), and is (4,)"),
    ],
    "sparse.read": [
        (lambda columns: read_back(columns).T, "that is the transpose"),
        (partial(read_back, low=0, high=0), "that is the diagonal"),
        (partial(read_back, high=0), "above the diagonal are missing"),
        (partial(read_back, low=0), "below the diagonal are missing"),
        (partial(read_back, color=lambda i, j: i % 3), "not of the row i"),
        (partial(read_back, place=lambda i, j: j), "not the column j"),
        (partial(read_back, color=lambda i, j: i % 3, place=lambda i, j: j), "that is the transpose"),
        (partial(read_back, color=lambda i, j: (j + 1) % 3), "the colors are shifted"),
        (partial(read_back, color=lambda i, j: (j - 1) % 3), "the colors are shifted"),
        (around, "the corners are empty"),
        (lambda columns: columns[np.arange(columns.shape[1]) % 3].T, "in every third column"),
        (lambda columns: columns, "those are the products"),
        (lambda columns: np.eye(3), "n is the length of a product"),
        (lambda columns: np.eye(columns.shape[1]), "component i of the product"),
    ],
    "sparse.slip": [
        (partial(first_fit, remembered=lambda old, new: new), "That is the slip itself"),
        (partial(first_fit, remembered=lambda old, new: new), "columns 0 and 3 both have color 0"),
        (partial(first_fit, remembered=lambda old, new: old), "both have color 0"),
        (partial(first_fit, remembered=lambda old, new: old & new), "both have color 0"),
        (next_fit, "from left to right"),
        (alternating, "both have color 1"),
        (lambda P: [0] * P.shape[1], "both have color 0"),
        (lambda P: list(range(P.shape[1])), "a color of its own"),
        (lambda P: first_fit(P.T), "each needs one color"),
        (lambda P: max(first_fit(P)) + 1, "each needs one color"),
        (lambda P: np.array(first_fit(P)) - 1, "has no color"),
        (lambda P: np.array(first_fit(P)) * 1.0, "a color is a whole number"),
    ],
    "sparse.arrow": [
        (lambda n: (list(range(n)), [-1] * n), "all columns meet in the first row"),
        (lambda n: ([-1] * n, list(range(n))), "all rows meet in the first column"),
        (lambda n: (list(range(n)), [0] + [-1] * (n - 1)), "the columns read everything already"),
        (lambda n: (np.minimum(range(n), 3), [0] + [-1] * (n - 1)), "only the diagonal is left"),
        (partial(two_ended, rows=(-1, -1)), "both have color 1, and entries in row 0"),
        (partial(two_ended, columns=(0, 0)), "both have color 0, and entries in row 1"),
        (partial(two_ended, columns=(-1, 1)), "column 0 has no color"),
        (partial(two_ended, columns=(0, -1)), "row 1 has no color"),
        (lambda n: two_ended(n - 1), "one color for each of 5 columns"),
        (partial(two_ended, columns=(0.0, 1.0)), "should hold integers"),
        (lambda n: 3, "the colors of the columns and those of the rows"),
        (lambda n: two_ended(n)[0], "the colors of the columns and those of the rows"),
    ],
    "sparse.hold": [
        (held(floor=BOTH), "between whole numbers floor is flat"),
        (held(floor=BOTH.T), "And is that the transpose"),
        (held(floor=np.eye(3)), "lets nothing through"),
        (held(floor=np.zeros((3, 3))), "floor has no slope"),
        (held(floor=marked((0, 0))), "the same in all outputs"),
        (held(floor=marked((1, 0), (2, 0), (1, 1), (2, 2))), "a product of the same kind"),
        (held(floor=marked((1, 0), (2, 0))), "the first output holds the first input too"),
        (held(floor=FRONT.T), "is that the transpose"),
        (held(floor=np.ones((3, 3))), "Which of them is always zero"),
        (held(floor=np.ones(3)), "three rows and three columns"),
        (held(through=FRONT), "now the floor has a slope"),
        (held(through=np.eye(3)), "the share of the floor"),
        (held(through=marked((1, 0), (2, 0), (1, 1), (2, 2))), "no reason to cancel"),
        (held(through=np.zeros((3, 3))), "now both factors move"),
        (held(through=np.ones((3, 3))), "Which others"),
        (held(through=BOTH.T), "is that the transpose"),
        (held(through=marked((1, 1))), "Which input moves each of them"),
        (held(through=[1, 1, 1]), "three rows and three columns"),
        ({"floor": FRONT}, 'the keys "floor" and "through"'),
        ([FRONT, BOTH], 'the keys "floor" and "through"'),
    ],
    "sparse.newton": [
        (partial(cubic, gaps=0), "h = 1 / (n + 1)"),
        (partial(cubic, gaps=-1), "are the ends among the points"),
        (partial(cubic, steps=1), "the first step from 0"),
        (partial(cubic, factor=0.0), "the first step from 0"),
        (partial(cubic, steps=6), "close. Are there enough steps"),
        (partial(cubic, source=1.0), "a 1 on the right-hand side"),
        (partial(cubic, wide=0, steps=40), "not divided by h^2"),
        (partial(cubic, wide=1, steps=40), "not by h"),
        (partial(cubic, anew=False), "the steps run away"),
        (partial(cubic, power=2), "Check the signs and the power"),
        (partial(cubic, bend=-1.0), "do the steps settle"),
        (np.zeros, "It should vanish within ten steps"),
        (partial(cubic, dtype=np.float32), "that is in float32"),
        (lambda n: -cubic(n), "the sign of u is reversed"),
        (lambda n: np.pad(cubic(n), 1), "the two ends are known"),
        (lambda n: cubic(n)[:, None], "that is a column"),
        (lambda n: cubic(n) * math.nan, "the steps run away"),
        (lambda n: cubic(n) * (1 + 1e-6), "close. Are there enough steps"),
        (lambda n: cubic(n - 1), "the shape should be (50,), and is (49,)"),
    ],
    "custom_rules.rounds": [
        (rounded(plain=6), "so it is with the straight-through rounding"),
        (rounded(plain=6.6), "How steep is jnp.round"),
        (rounded(plain=3), "that is the rounded number"),
        (rounded(plain=9), "that is the value"),
        (rounded(plain=math.nan), "a finite slope"),
        (rounded(plain=1), "multiplies by the slope of jnp.round"),
        (rounded(through=6.6), "Its value is rounded"),
        (rounded(through=0), "q lets the tangent pass"),
        (rounded(through=1), "The square adds a factor"),
        (rounded(through=3), "twice its argument"),
        (rounded(through=9), "that is the value"),
        (rounded(through=5), "taken at the value of q"),
        (rounded(product=3), "q has a slope too"),
        (rounded(product=3.3), "The first factor moves too"),
        (rounded(product=6.6), "The value of q is rounded"),
        (rounded(product=6), "The first factor is not rounded"),
        (rounded(product=9.9), "that is the value"),
        (rounded(product=1), "takes the other factor with it"),
        (rounded(product=0), "the product rule"),
        (rounded(ramp=0), "Is x not on it"),
        (rounded(ramp=1), "On the ramp it is steeper"),
        (rounded(ramp=0.5), "that is the width"),
        (rounded(ramp=4), "not of a half of it"),
        (rounded(ramp=3.1), "that is the value"),
        (rounded(ramp=5), "over which width"),
        (rounded()[:3], "four numbers"),
        (6.3, "four numbers"),
    ],
    "custom_rules.logdet": [
        (lambda A, y_bar: log_det_pulled(A, y_bar).T, "that is the transpose"),
        (lambda A, y_bar: log_det_pulled(A, 1.0), "y_bar is missing"),
        (lambda A, y_bar: log_det_pulled(A, 1.0).T, "and that is the transpose"),
        (partial(log_det_pulled, scale=np.linalg.det), "for the determinant itself"),
        (partial(log_det_pulled, scale=lambda A: abs(np.linalg.det(A))), "for |det A| itself"),
        (partial(log_det_pulled, scale=lambda A: 1 / np.linalg.det(A)), "once too often"),
        (lambda A, y_bar: log_det_pulled(A, y_bar, scale=np.linalg.det).T, "itself, and transposed"),
        (partial(log_det_pulled, scale=lambda A: np.sign(np.linalg.det(A))), "The sign of det A plays no part"),
        (partial(log_det_pulled, inverse=np.array), "where its inverse belongs"),
        (partial(log_det_pulled, inverse=np.transpose), "where its inverse belongs"),
        (lambda A, y_bar: y_bar / A, "1 over each entry"),
        (lambda A, y_bar: np.diag(np.diag(log_det_pulled(A, y_bar))), "beside the diagonal"),
        (lambda A, y_bar: y_bar * np.linalg.det(A), "A_bar has the shape of A"),
        (lambda A, y_bar: y_bar * np.eye(len(A)), "the trace of the inverse of A times E"),
    ],
    "custom_rules.slip": [
        (partial(system_pulled, b_bar_of=np.array), "that is the slip itself"),
        (partial(system_pulled, b_bar_of=lambda A: (A + A.T) / 2), "makes A symmetric"),
        (lambda A, b, x_bar: (np.eye(len(b)), A.T @ x_bar), "that multiplies"),
        (lambda *args: (system_pulled(*args)[0], -system_pulled(*args)[1]), "x grows with b"),
        (lambda *args: system_pulled(*args)[::-1], "that is A_bar, which comes first"),
        (lambda A, b, x_bar: (np.eye(len(b)), b), "Which matrix is it"),
        (partial(system_pulled, old_of=np.array), "A_bar still holds the old one"),
        (partial(system_pulled, x_of=np.transpose), "That part was right"),
        (lambda *args: (system_pulled(*args)[0].T, system_pulled(*args)[1]), "Row i of A belongs to entry i of b"),
        (lambda *args: (system_pulled(*args, old_of=np.array)[0].T, system_pulled(*args)[1]), "holds the old b_bar"),
        (partial(system_pulled, sign=1), "where A grows, x shrinks"),
        (partial(system_pulled, right=lambda A, b: b), "b where x belongs"),
        (
            lambda *args: (system_pulled(*args[:2], args[0].T @ args[2])[0], system_pulled(*args)[1]),
            "x_bar where b_bar",
        ),
        (lambda A, b, x_bar: (b, np.linalg.solve(A.T, x_bar)), "A_bar has the shape of A"),
        (partial(system_pulled, sign=0), "acts as a change -E x of b"),
        (lambda *args: system_pulled(*args)[0], "return 2 results"),
    ],
    "custom_rules.block": [
        (lambda f, A, E: f(A), "that is f(A)"),
        (partial(in_corner, column=0), "that is f(A)"),
        (partial(in_corner, row=1), "that is f(A)"),
        (partial(in_corner, row=1, column=0), "that corner is 0"),
        (lambda f, A, E: in_corner(f, A, 0 * E, lower=lambda _: E), "that corner is 0"),
        (lambda f, A, E: f(np.block([[A, E], [0 * A, A]])), "Cut a block out"),
        (lambda f, A, E: in_corner(f, A, E).T, "that is the transpose"),
        (lambda f, A, E: in_corner(f, A, E.T), "along the transpose of E"),
        (lambda f, A, E: in_corner(f, A.T, E), "at the transpose of A"),
        (lambda f, A, E: along_identity(f, A), "Where is E"),
        (partial(in_corner, second=np.zeros_like), "one of the two is 0"),
        (lambda f, A, E: in_corner(f, 0 * A, E, second=lambda _: A), "one of the two is 0"),
        (partial(in_corner, second=lambda A: np.eye(len(A))), "one of the two is I"),
        (partial(in_corner, second=np.transpose), "one of the two is transposed"),
        (partial(in_corner, lower=np.array), "E stands in one corner only"),
        (lambda f, A, E: f(A + E) - f(A), "that is a change of f"),
        (lambda f, A, E: f(A + E), "that is f at A + E"),
        (lambda f, A, E: along_identity(f, A) @ E, "if A and E commute"),
        (lambda f, A, E: E @ along_identity(f, A), "if A and E commute"),
        (lambda f, A, E: f(A) @ E, "Only for exp"),
        (lambda f, A, E: f(A) * E, "entry by entry"),
        (lambda f, A, E: f(E), "that is f(E)"),
        (lambda f, A, E: -in_corner(f, A, E), "the sign is reversed"),
        (lambda f, A, E: (f(A + 1e-4 * E) - f(A)) / 1e-4, "a finite difference"),
        (lambda f, A, E: E, "[[A, E], [0, A]]"),
        (lambda f, A, E: in_corner(f, A, E)[0], "the shape should be (3, 3), and is (3,)"),
        (lambda f, A, E: in_corner(f, A, E) + 0 * f(A), "two calls"),
        (lambda f, A, E: in_corner(f, A, E) + 0 * f(A) + 0 * f(E), "one call is enough"),
    ],
    "custom_rules.pullback": [
        (in_corner, "forward, not back. What is the adjoint"),
        (lambda *args: in_corner(*args).T, "not to transpose the map"),
        (lambda f, A, C_bar: in_reverse(f, A, C_bar.T), "not to transpose the map"),
        (lambda *args: in_reverse(*args).T, "that is the transpose of the answer"),
        (lambda f, A, C_bar: in_corner(f, A, C_bar.T), "Is C_bar transposed, in place of A"),
        (partial(in_corner, second=np.transpose), "only one of the two blocks"),
        (partial(in_reverse, second=np.transpose), "only one of the two blocks"),
        (partial(in_reverse, second=np.zeros_like), "One of yours is 0"),
        (lambda f, A, C_bar: along_identity(f, A).T @ C_bar, "if all matrices commute"),
        (lambda f, A, C_bar: C_bar @ along_identity(f, A).T, "if all matrices commute"),
        (lambda f, A, C_bar: along_identity(f, A) * C_bar, "entry by entry"),
        (lambda f, A, C_bar: along_identity(f, A).T, "Where is C_bar"),
        (partial(in_corner, column=0), "that is f(A)"),
        (partial(in_reverse, column=0), "f at the transpose of A"),
        (partial(in_reverse, row=1, column=0), "that corner is 0"),
        (lambda *args: -in_reverse(*args), "the sign is reversed"),
        (lambda f, A, C_bar: f(np.block([[A.T, C_bar], [0 * A, A.T]])), "Cut a block out"),
        (lambda f, A, C_bar: (f(A.T + 1e-4 * C_bar) - f(A.T)) / 1e-4, "a finite difference"),
        (lambda f, A, C_bar: C_bar, "which factors are transposed"),
        (lambda f, A, C_bar: in_reverse(f, A, C_bar)[0], "the shape should be (3, 3), and is (3,)"),
        (entry_by_entry, "a call for every entry"),
    ],
    "custom_rules.norm": [
        (lambda x: jnp.sqrt(jnp.sum(x**2)), "0 / 0 is not a number"),
        (jnp.linalg.norm, "0 / 0 is not a number"),
        (lambda x: jnp.sum(x**2) / jnp.sqrt(jnp.sum(x**2)), "The value needs no division"),
        (length(lambda x, v, y: jnp.vdot(x, v) / y), "What should the rule divide by"),
        (length(lambda x, v, y: jnp.where(y > 0, jnp.vdot(x, v) / y, 0.0)), "in reverse the division still"),
        (length(lambda x, v, y: jnp.where(y > 0, over(x, v, y), jnp.linalg.norm(v))), "that is no linear map"),
        (length(lambda x, v, y: jnp.linalg.norm(v)), "that is the norm of x_dot"),
        (length(lambda x, v, y: jnp.vdot(x, v)), "the division by the norm is missing"),
        (length(lambda x, v, y: 2 * jnp.vdot(x, v)), "the slope of the square"),
        (length(lambda x, v, y: over(x, v, y) / jnp.where(y > 0, y, 1.0)), "divided by the norm twice"),
        (length(lambda x, v, y: -over(x, v, y)), "the sign is reversed"),
        (length(lambda x, v, y: y), "that is the norm itself"),
        (length(lambda x, v, y: jnp.where(y > 0, over(x, v, y), jnp.sum(v))), "asked for 0 where x is 0"),
        (length(lambda x, v, y: over(x, v, y, limit=1e-6, zero=jnp.inf)), "x is small here, but not 0"),
        (length(lambda x, v, y: over(x, v, y + 1e-6, zero=1.0)), "the product of x and x_dot"),
        (length(lambda x, v, y: jnp.vdot(x, v) / (y + jnp.finfo(x.dtype).eps)), "a number added to |x|"),
        (length(lambda x, v, y: 3 * over(x, v, y)), "the product of x and x_dot"),
        (length(lambda x, v, y: jnp.ones(3) * over(x, v, y), lambda x: x), "the norm is one number"),
        (length(lambda x, v, y: jax.lax.cond(y > 0, lambda: jnp.vdot(x, v) / y, lambda: 0.0)), "lax.cond"),
        (lambda x: jnp.sum(abs(x)), "the sum of the absolute values"),
        (lambda x: jnp.sum(x**2), "the square of the norm"),
        (lambda x: jnp.max(abs(x)), "the largest entry"),
        (partial(root, limit=1e-12), "x is small here, but not 0"),
        (partial(root, inner=None, outer=False, added=1e-12), "a number added under the root"),
        (partial(root, inner=None, outer=False, floor=1e-30), "a number added under the root"),
        (partial(root, outer=False), "the norm of 0 is 0"),
        (lambda x: jnp.max(x), "the root of the sum of the squares"),
        (root_if, "no `if` on it"),
        (np.linalg.norm, "no float() and no NumPy"),
    ],
    "custom_rules.through": [
        (lambda n: lambda x: jnp.round(jnp.clip(x, 0, 1) * (n - 1)) / (n - 1), "Where is its tangent to pass"),
        (partial(to_levels, mask=lambda x, y: True), "the clip is part of the derivative"),
        (lambda n: to_levels(n, slope=n - 1.0), "comes into the slope and goes out"),
        (lambda n: to_levels(n, slope=1 / (n - 1)), "comes into the slope and goes out"),
        (partial(to_levels, mask=lambda x, y: (x <= 0) | (x >= 1)), "inside and outside are swapped"),
        (partial(to_levels, mask=lambda x, y: (y > 0) & (y < 1)), "by x, not by its level"),
        (partial(to_levels, slope=3.0), "1 where 0 < x < 1"),
        (partial(to_levels, mask=lambda x, y: jnp.mean((x > 0) & (x < 1))), "entry by entry"),
        (partial(to_levels, value=lambda x, n: jnp.clip(x, 0, 1)), "clipped, but not rounded"),
        (partial(to_levels, value=lambda x, n: jnp.round(x * (n - 1)) / (n - 1)), "rounded, but not clipped"),
        (partial(to_levels, value=lambda x, n: jnp.round(jnp.clip(x, 0, 1) * n) / n), "Yours are n + 1"),
        (partial(to_levels, value=lambda x, n: jnp.floor(jnp.clip(x, 0, 1) * n) / n), "both included"),
        (partial(to_levels, value=lambda x, n: jnp.floor(jnp.clip(x, 0, 1) * (n - 1)) / (n - 1)), "that rounds down"),
        (partial(to_levels, value=lambda x, n: jnp.ceil(jnp.clip(x, 0, 1) * (n - 1)) / (n - 1)), "that rounds up"),
        (partial(to_levels, value=lambda x, n: jnp.round(jnp.clip(x, 0, 1) * (n - 1))), "the number of the level"),
        (partial(to_levels, value=lambda x, n: jnp.round(jnp.clip(x, 0, 1))), "the levels are 0 and 1"),
        (partial(to_levels, value=lambda x, n: jnp.clip(jnp.round(x * (n - 1)), 0, 1)), "clip before the scale"),
        (partial(to_levels, value=lambda x, n: 0 * x), "scale to n - 1 gaps"),
        (lambda n: jnp.linspace(0, 1, n), "returns a function of x"),
        (lambda n: lambda x: np.round(np.clip(x, 0, 1) * (n - 1)) / (n - 1), "no `if` on it"),
    ],
    "custom_rules.sylvester": [
        (partial(sylvester_moved, a=1, b=1), "with which sign"),
        (partial(sylvester_moved, a=1), "with which sign"),
        (partial(sylvester_moved, b=1), "with which sign"),
        (partial(sylvester_moved, turned="AB"), "the order of the factors"),
        (partial(sylvester_moved, turned="A"), "the order of the factors"),
        (partial(sylvester_moved, turned="B"), "the order of the factors"),
        (partial(sylvester_moved, a=0, b=0), "A and B move too"),
        (partial(sylvester_moved, c=0), "the share of C_dot is missing"),
        (partial(sylvester_moved, b=0), "the share of B_dot is missing"),
        (partial(sylvester_moved, a=0), "the share of A_dot is missing"),
        (partial(sylvester_moved, solve=lambda A, B, right: right), "Solve it"),
        (lambda A, B, C, *dots: linalg.solve_sylvester(A, B, C), "that is X"),
        (partial(sylvester_moved, solve=lambda A, B, right: linalg.solve_sylvester(A.T, B.T, right)), "the transposes"),
        (lambda A, B, C, *dots: linalg.solve_sylvester(*dots), "X is not linear in A and B"),
        (
            lambda *args: sylvester_moved(*args, a=0, b=0) + sylvester_moved(*args, c=0, solve=lambda A, B, R: R),
            "belong inside",
        ),
        (lambda *args: -sylvester_moved(*args), "the sign is reversed"),
        (lambda *args: sylvester_moved(*args) if len(args[0]) == len(args[1]) else args[2].T, "that is transposed"),
        (sylvester_stepped, "a finite difference"),
        (lambda A, B, C, *dots: C, "by the product rule"),
        (lambda *args: sylvester_moved(*args)[0], "the shape should be (3, 3), and is (3,)"),
    ],
    "implicit.unrolled": [
        (climbed(one=1), "One step does not lead so far"),
        (climbed(one=0), "but the step itself does"),
        (climbed(one=0.75), "one step too many"),
        (climbed(one=2), "How does a enter the step"),
        (climbed(two=1), "it also halves what the first has given"),
        (climbed(two=0.5), "The z that enters it depends on a as well"),
        (climbed(two=0.25), "has a share of its own"),
        (climbed(two=0.875), "one step too many"),
        (climbed(two=2), "halves what it is handed"),
        (climbed(ten=1), "is not zero yet"),
        (climbed(ten=2**-10), "that is what is missing"),
        (climbed(ten=1 - 2**-9), "one step too few"),
        (climbed(ten=1 - 2**-11), "one step too many"),
        (climbed(ten=0.5), "the slope of one step alone"),
        (climbed(ten=5), "halves what it is handed"),
        (climbed(theorem=0.5), "that is f_a alone"),
        (climbed(theorem=2), "that is the inverse alone"),
        (climbed(theorem=1 / 3), "the sign of f_z is reversed"),
        (climbed(theorem=0.25), "to be divided by I - f_z"),
        (climbed(theorem=0.75), "a series that goes on"),
        (climbed(theorem=0.999), "does not count steps"),
        (climbed(theorem=-1), "Do they depend on z here"),
        (climbed()[:3], "fill in four numbers"),
        (1.0, "fill in four numbers"),
    ],
    "implicit.kepler": [
        (partial(anomaly, sign=1), "Differentiate E - e sin E by E"),
        (partial(anomaly, turn=np.sin), "that has e sin E below"),
        (partial(anomaly, first=-1), "the theorem has another minus"),
        (lambda E, e: anomaly(E, e)[::-1], "dE/de comes first"),
        (lambda E, e: (np.sin(E), 1.0), "that is -F_e"),
        (lambda E, e: (-np.sin(E), 1.0), "that is F_e"),
        (lambda E, e: (np.sin(E) * (1 - e * np.cos(E)), 1.0), "that multiplies by F_E"),
        (lambda E, e: (np.cos(E) / (1 - e * np.cos(E)), 1.0), "by e, not by E"),
        (partial(anomaly, first=0.6), "has no e left"),
        (lambda E, e: (e * np.cos(E) / (1 - e * np.cos(E)), 1.0), "by e, not by E"),
        (partial(anomaly, first=2), "E depends on e"),
        (lambda E, e: (anomaly(E, e)[0],) * 2, "that is dE/de"),
        (lambda E, e: (anomaly(E, e)[0], 1 - e * np.cos(E)), "that is dM/dE"),
        (lambda E, e: (anomaly(E, e)[0], 1.0), "E is there twice"),
        (lambda E, e: (anomaly(E, e)[0], anomaly(E, e, sign=1)[1]), "that has 1 + e cos E below"),
        (lambda E, e: (anomaly(E, e)[0], anomaly(E, e, turn=np.sin)[1]), "that has e sin E below"),
        (partial(anomaly, second=-1), "E grows with M"),
        (partial(anomaly, second=0.6), "without a factor e"),
        (partial(anomaly, second=3), "E depends on M"),
        (lambda E, e: anomaly(E, e)[0], "return 2 results, in this order: dE/de and dE/dM"),
    ],
    "implicit.slip": [
        (partial(fixed_pulled, of=np.array), "that is the slip itself"),
        (partial(fixed_pulled, sign=1), "the sign of f_z is reversed: z = f(z, a)"),
        (partial(fixed_pulled, sign=1, of=np.array), "the transpose is still missing"),
        (lambda *args: -fixed_pulled(*args), "that of a fixed point has none"),
        (partial(fixed_pulled, sign=0), "It takes a solve first"),
        (partial(fixed_pulled, sign=1, solve=np.matmul), "two terms of a series"),
        (partial(fixed_pulled, solve=np.matmul), "Solve with it"),
        (partial(fixed_pulled, sign=1, eye=0), "z is on both sides"),
        (lambda f, z, a, z_bar: np.linalg.solve(np.eye(len(z)) - jax.jacobian(f)(z, a).T, z_bar), "right so far"),
        (lambda f, z, a, z_bar: z_bar, "Pull it back through f_a"),
        (lambda f, z, a, z_bar: jax.jacobian(f, 1)(z, a), "that is a matrix"),
        (lambda f, z, a, z_bar: a, "What is the inverse's transpose"),
        (lambda *args: fixed_pulled(*args)[0], "the shape should be (3,), and is ()"),
    ],
    "implicit.dense": [
        (partial(sensitive, sign=1), "the sign is reversed: F stays 0"),
        (partial(sensitive, of=np.transpose), "That is for cotangents"),
        (partial(sensitive, of=np.transpose, sign=1), "F_y is transposed, and the sign is reversed"),
        (partial(sensitive, solve=np.matmul), "that multiplies by F_y"),
        (partial(sensitive, solve=np.matmul, sign=1), "and mind the sign"),
        (partial(sensitive, of=lambda F_y: np.eye(len(F_y)) - F_y, sign=1), "right for a fixed point"),
        (partial(sensitive, of=lambda F_y: np.eye(len(F_y)), sign=1), "that is F_a alone"),
        (partial(sensitive, of=lambda F_y: np.eye(len(F_y))), "that is -F_a alone"),
        (partial(sensitive, of=lambda F_y: np.diag(np.diag(F_y))), "the diagonal of F_y"),
        (partial(sensitive, solve=lambda F_y, F_a: np.linalg.pinv(F_a) @ F_y), "that solves with F_a"),
        (partial(sensitive, solve=lambda F_y, F_a: np.linalg.pinv(F_a) @ F_y, sign=1), "that solves with F_a"),
        (lambda *args: sensitive(*args).T, "that is the transpose. Row i"),
        (lambda *args: -sensitive(*args).T, "the sign is reversed, and that is the transpose"),
        (partial(sensitive, solve=lambda F_y, F_a: F_a.T @ np.linalg.inv(F_y)), "solve from the left"),
        (lambda F, y, a: jax.jacobian(F)(y, a), "that is F_y, or its inverse"),
        (lambda F, y, a: np.ones((len(y), len(a))), "when a and y move together"),
        (lambda *args: sensitive(*args)[0], "the shape should be (3, 2), and is (2,)"),
    ],
    "implicit.ridge": [
        (partial(penalized, scale=1), "the sign is reversed"),
        (partial(penalized, scale=-2), "have a factor 2"),
        (partial(penalized, scale=-0.5), "have a factor 2"),
        (partial(penalized, scale=1, inner=False), "that is w itself"),
        (partial(penalized, inner=False), "One is left out"),
        (lambda *args: penalized(*args, held=lambda w, lam: -penalized(*args)), "one inverse too many"),
        (lambda *args: penalized(*args, scale=1, held=lambda w, lam: penalized(*args)), "one inverse too many"),
        (partial(penalized, gram=0), "as if it were not there"),
        (partial(penalized, weight=0), "holds the penalty too"),
        (
            lambda X, t, lam: -(X.T @ X + lam * np.eye(X.shape[1])) @ penalized(X, t, lam, scale=1, inner=False),
            "Solve with it",
        ),
        (partial(penalized, held=lambda w, lam: lam * w), "the derivative of lam w by lam is w"),
        (lambda X, t, lam: -penalized(X, t, lam, 1, False) / ((X**2).sum(0) + lam), "by the diagonal"),
        (partial(penalized, held=lambda w, lam: np.ones_like(w)), "not a vector of ones"),
        (lambda X, t, lam: -np.linalg.inv(X.T @ X + lam * np.eye(X.shape[1])), "What does it multiply"),
        (lambda X, t, lam: np.zeros(X.shape[1]), "Let lam and w move together"),
        (lambda *args: penalized(*args)[0], "the shape should be (2,), and is ()"),
    ],
    "implicit.second": [
        (lambda a: (np.roots([1, 0, 0, 0, 1, -a])[0], 1, 1), "one of the five roots is real"),
        (lambda a: (np.sign(a) * abs(a) ** 0.2, 1, 1), "the root of y^5 = a"),
        (lambda a: (a**5 + a, 1, 1), "y is to be found"),
        (partial(bent_root, steps=1), "Are there enough steps"),
        (partial(bent_root, first=lambda y, a: 5 * y**4 + 1), "that is da/dy"),
        (partial(bent_root, first=lambda y, a: 1 / (5 * y**4)), "moves too"),
        (partial(bent_root, first=lambda y, a: 1 / (5 * a**4 + 1)), "y, not a"),
        (partial(bent_root, first=lambda y, a: -1 / (5 * y**4 + 1)), "y grows with a"),
        (partial(bent_root, first=lambda y, a: 1 / (y**4 + 1)), "the derivative of y^5 is 5 y^4"),
        (lambda a: (bent_root(a)[0], *bent_root(a)[:0:-1]), "y' comes before it"),
        (partial(bent_root, first=lambda y, a: 3.0), "both sides of y^5 + y = a"),
        (partial(bent_root, second=lambda y, s: 20 * y**3 * s**3), "the slope falls as y grows"),
        (partial(bent_root, second=lambda y, s: -20 * y**3 * s**2), "y' is missing once: "),
        (partial(bent_root, second=lambda y, s: 20 * y**3 * s**2), "y' is missing once, and the sign"),
        (partial(bent_root, second=lambda y, s: -20 * y**3 * s), "y' enters more than once"),
        (partial(bent_root, second=lambda y, s: -20 * y**3), "so y^5 bends"),
        (partial(bent_root, second=lambda y, s: -10 * y**3 * s**3), "half of it"),
        (partial(bent_root, second=lambda y, s: -5 * y**3 * s**3), "the derivative of 5 y^4"),
        (partial(bent_root, second=lambda y, s: -4 * y**3 * s**3), "the derivative of 5 y^4"),
        (partial(bent_root, second=lambda y, s: s**2), "the square of y'"),
        (partial(bent_root, second=lambda y, s: 1 / (20 * y**3)), "not how an inverse function bends"),
        (partial(bent_root, second=lambda y, s: 0.0), "not the same for all a"),
        (partial(bent_root, second=lambda y, s: 7.0), "both factors depend on a"),
        (lambda a: bent_root(a)[:2], "return 3 results, in this order: y, y' and y''"),
    ],
    "implicit.market": [
        (lambda t: market(t)[0], "those are the prices"),
        (partial(taxed, sign=1), "a tax makes good 1 dearer"),
        (partial(taxed, added=np.array([-1, 0])), "the change of what the sellers get"),
        (partial(taxed, solve=lambda F_p, F_t: F_t / np.diag(F_p)), "that is good 1 by itself"),
        (partial(taxed, of=np.transpose), "F_p is transposed"),
        (partial(taxed, of=lambda F_p: np.eye(2) - F_p, sign=1), "right for a fixed point"),
        (partial(taxed, of=lambda F_p: np.eye(2), sign=1), "that is F_t"),
        (partial(taxed, of=lambda F_p: np.eye(2)), "that is -F_t"),
        (partial(taxed, steps=0), "not at the equilibrium"),
        (partial(taxed, found=0.0), "without tax"),
        (lambda t: [-0.3, 0.1], "Check the signs"),
        (lambda t: [1.3, 0.1], "is borne by the sellers"),
        (lambda t: [0.5, -0.1], "Check the signs"),
        (partial(taxed, added=1e-4), "close. Are there enough steps"),
        (lambda t: [0.6, 0.6], "when t and the prices move together"),
        (lambda t: taxed(t)[0], "the shape should be (2,), and is ()"),
    ],
    "implicit.layer": [
        (settled_layer, "step by step"),
        (layer_until_still, "Put jax.custom_vjp around it"),
        (lambda W, x: np.asarray(settled_layer(W, x)), "Use jax.numpy"),
        (layered(lambda *args: layer_pulled(*args)[::-1]), "W_bar comes first"),
        (layered(lambda *args: layer_pulled(*args)[1]), "a tuple of two: W_bar and x_bar"),
        (layered(value=partial(settled_layer, steps=1)), "that is the first step"),
        (layered(value=lambda W, x: W @ settled_layer(W, x) + x), "the tanh is missing"),
        (layered(value=partial(settled_layer, steps=5)), "start from zeros"),
        (layered(lambda *args: [np.asarray(bar) for bar in layer_pulled(*args)]), "have no values yet"),
        (layered(sign=0), "through the last step alone"),
        (layered(matrix=lambda W, d: d[:, None] * W), "the transpose is missing"),
        (layered(scale=lambda u, d: u), "the slope of tanh is missing behind the solve"),
        (layered(sign=1), "the sign of f_z is reversed"),
        (layered(matrix=lambda W, d: W.T), "f_z is not W"),
        (layered(matrix=lambda W, d: d[:, None] * W.T), "hence the columns of its transpose"),
        (layered(matrix=lambda W, d: d * W), "and then comes the transpose"),
        (layered(scale=lambda u, d: -d * u), "the sign is reversed"),
        (layered(sign=0, scale=lambda u, d: u), "that is z_bar itself"),
        (layered(scale=lambda u, d: 2 * d * u), "then pull u back"),
        (layered_with(lambda W_bar, x_bar, z, x: W_bar.T), "Row i of W"),
        (layered_with(lambda W_bar, x_bar, z, x: jnp.outer(x_bar, x)), "W multiplies z, not x"),
        (layered_with(lambda W_bar, x_bar, z, x: W_bar / (1 - z**2)[:, None]), "W is inside of it"),
        (layered_with(lambda W_bar, x_bar, z, x: -W_bar), "the sign is reversed"),
        (layered_with(lambda W_bar, x_bar, z, x: 0 * W_bar), "acts as a change dW z of x"),
        (lambda W, x: settled_layer(W, x)[:2], "the shape should be (3,), and is (2,)"),
    ],
    "integrals.ends": [
        (contributed(end=2), "its factor a included"),
        (contributed(end=6), "that lets both move"),
        (contributed(end=0), "a strip is gained"),
        (contributed(end=-4), "the sign is reversed: an upper end"),
        (contributed(end=8), "How fast does the end move"),
        (contributed(end=1), "How high is the integrand there"),
        (contributed(end=3), "the strip that the end gains"),
        (contributed(parameter=4), "hold the end, and let the integrand answer to a"),
        (contributed(parameter=6), "that lets the end move as well"),
        (contributed(parameter=0), "when the end is held, the line gets steeper"),
        (contributed(parameter=-2), "the sign is reversed: the line"),
        (contributed(parameter=8 / 3), "the square of x"),
        (contributed(parameter=8), "an a too many"),
        (contributed(parameter=1), "what the end contributes is right. Now differentiate"),
        (contributed(both=4), "or I itself"),
        (contributed(both=2), "or their difference"),
        (contributed(both=8), "that is their product"),
        (contributed(both=12), "Where is the half"),
        (contributed(both=-6), "the sign is reversed: I grows"),
        (contributed(both=5), "both contributions are right. To first order"),
        (contributed()[:2], "fill in three numbers"),
        (6.0, "fill in three numbers"),
        ({"end": 4, "parameter": 2, "both": 6}, "fill in three numbers"),
    ],
    "integrals.slip": [
        (partial(swept_out, loss=lambda t: -np.sin(t)), "that is the slip itself"),
        (partial(swept_out, loss=lambda t: 0), "the first term is right. The lower end moves too"),
        (partial(swept_out, gain=lambda t: 1, loss=lambda t: -1), "How fast does each end move"),
        (partial(swept_out, loss=lambda t: -1), "The lower end has a speed, too"),
        (partial(swept_out, loss=lambda t: 1), "and not only a sign"),
        (partial(swept_out, gain=lambda t: 1), "The upper end has a speed, too"),
        (partial(swept_out, gain=lambda t: t), "How fast does t^2 move"),
        (partial(swept_out, gain=lambda t: t**2), "is not t^2"),
        (partial(swept_out, loss=np.cos), "in the place of its speed"),
        (partial(swept_out, loss=lambda t: -np.cos(t)), "in the place of its speed"),
        (lambda f, t: -swept_out(f, t), "the sign of both terms"),
        (partial(swept_out, gain=lambda t: -2 * t), "the second term is right. The upper end gains"),
        (lambda f, t: quad(f, np.cos(t), t**2)[0], "that is the integral. Its slope"),
        (lambda f, t: swept_out(f, t, lambda t: 0) + 2 * t * jax.grad(f)(t**2), "not its derivative"),
        (lambda f, t: f(2 * t) - f(-np.sin(t)), "taken where the ends are"),
        (lambda f, t: 5.0, "Which of them is subtracted"),
        (lambda f, t: "2 t f(t^2)", "Which of them is subtracted"),
        (lambda f, t: [2 * t * f(t**2), np.sin(t) * f(np.cos(t))], "the shape should be (), and is (2,)"),
    ],
    "integrals.half_line": [
        (partial(on_half_line, dx=np.ones_like), "its factor is missing"),
        (partial(on_half_line, dx=lambda t: 1 / (1 - t) ** 2), "Both parts depend on t"),
        (lambda *args: 2 * on_half_line(*args), "the weights know that"),
        (lambda *args: -on_half_line(*args), "x grows with t"),
        (partial(on_half_line, add=np.multiply), "Add them up"),
        (partial(on_half_line, add=lambda w, terms: terms.sum()), "Where are the weights"),
        (partial(on_half_line, add=lambda w, terms: terms.mean()), "the same weight"),
        (partial(on_half_line, x=lambda t: t), "dx is right. f is to be taken at x"),
        (partial(on_half_line, x=lambda t: t, dx=np.ones_like), "from -1 to 1"),
        (partial(on_half_line, x=lambda t: (1 - t) / (1 + t)), "x and dx do not belong together"),
        (partial(on_half_line, x=lambda t: (t - 1) / (t + 1)), "that is t as a function of x"),
        (partial(on_half_line, x=lambda t: t / (1 - t), dx=lambda t: 1 / (1 - t) ** 2), "for t between 0 and 1"),
        (partial(on_half_line, x=lambda t: (1 + t) / 2, dx=lambda t: 1 / 2), "that is the integral from 0 to 1"),
        (partial(on_half_line, dx=lambda t: 2 / (1 - t)), "comes squared"),
        (partial(on_half_line, dx=lambda t: 2 / (1 - t**2)), "the denominator is (1 - t)^2"),
        (partial(on_half_line, dx=lambda t: 2 / (1 + t) ** 2), "x and dx do not belong together"),
        (partial(on_half_line, dx=lambda t: -2 * t / (1 - t) ** 2), "the derivative of 1 - t is -1"),
        (partial(on_half_line, dx=lambda t: 2 / (1 - (1 + t) / (1 - t)) ** 2), "a factor of t, not of x"),
        (lambda f, t, w: quad(f, 0, np.inf)[0], "that is the integral itself"),
        (lambda f, t, w: 7.0, "node by node"),
        (lambda f, t, w: ("one", "two"), "the shape should be (), and is (2,)"),
    ],
    "integrals.leibniz": [
        (lambda f, a, b, t: integrals.integrate(f, a, b, (t,)), "Take its value"),
        (lambda *args: leibniz(*args)[2], "return 3 results, in this order: dI/da, dI/db and dI/dt"),
        (lambda *args: leibniz(*args)[:2], "return 3 results"),
        (partial(leibniz, lose=lambda f, a, b, t: f(a, t)), "the sign is reversed: moving the lower end"),
        (lambda *args: [leibniz(*args)[k] for k in (1, 0, 2)], "dI/da comes first"),
        (lambda *args: leibniz(*args)[::-1], "It comes last"),
        (partial(leibniz, lose=lambda f, a, b, t: -jax.grad(f)(a, t)), "the slope of f at the end"),
        (partial(leibniz, lose=lambda f, a, b, t: jax.grad(f)(a, t)), "the slope of f at the end"),
        (partial(leibniz, lose=held_between), "from one end to the other"),
        (partial(leibniz, lose=lambda *args: 0.0), "that is 0. Move this end"),
        (partial(leibniz, lose=lambda *args: 9.0), "the lower end loses a strip"),
        (partial(leibniz, gain=lambda f, a, b, t: -f(b, t)), "the sign is reversed: moving the upper end"),
        (lambda *args: [leibniz(*args)[k] for k in (0, 2, 1)], "It comes last"),
        (partial(leibniz, gain=lambda f, a, b, t: -f(a, t)), "This is the other end"),
        (partial(leibniz, gain=lambda f, a, b, t: jax.grad(f)(b, t)), "the slope of f at the end"),
        (partial(leibniz, gain=held_between), "from one end to the other"),
        (partial(leibniz, gain=lambda *args: 0.0), "that is 0. Move this end"),
        (partial(leibniz, gain=lambda *args: 9.0), "dI/da is right. The upper end gains"),
        (partial(leibniz, inside=lambda f, a, b, t: integrals.integrate(f, a, b, (t,))), "all that integrate returns"),
        (partial(leibniz, inside=lambda f, a, b, t: quad(f, a, b, args=(t,))[0]), "The third is I itself"),
        (partial(leibniz, inside=held_between), "the derivative of f by x"),
        (partial(leibniz, inside=lambda *args: -slope_inside(*args)), "The sign of the third is reversed"),
        (
            partial(leibniz, inside=lambda f, a, b, t: jax.grad(f, 1)(b, t) - jax.grad(f, 1)(a, t)),
            "takes f_t at the ends only",
        ),
        (partial(leibniz, inside=lambda f, a, b, t: jax.grad(f, 1)(b, t)), "takes f_t at an end"),
        (partial(leibniz, inside=lambda *args: sum(leibniz(*args))), "lets the ends move as well"),
        (partial(leibniz, inside=lambda *args: 0.0), "Does the t that moves stand in args"),
        (partial(leibniz, inside=lambda f, a, b, t: [slope_inside(f, a, b, t)]), "the shape should be (), and is (1,)"),
        (partial(leibniz, inside=lambda *args: 9.0), "the ends are right. The third is an integral"),
    ],
    "integrals.score": [
        (partial(scored, value=lambda y, b: y), "The baseline is missing"),
        (partial(scored, value=lambda y, b: y + b), "is to be subtracted"),
        (lambda y, x, p, b: scored(y, x, p, 0) - b, "before it multiplies"),
        (lambda y, x, p, b: scored(y, x, p, y.mean()), "the b that is handed over"),
        (partial(scored, one=lambda p: 1 - p, zero=lambda p: -p), "the slope by the log odds"),
        (partial(scored, join=np.sum), "not their sum"),
        (partial(scored, join=lambda terms: terms.sum() / (len(terms) - 1)), "not n - 1"),
        (lambda *args: -scored(*args), "the sign is reversed"),
        (partial(scored, zero=lambda p: 0), "Those with x = 0 have a score too"),
        (partial(scored, one=lambda p: 0), "Those with x = 1 have a score too"),
        (partial(scored, zero=lambda p: 1 / (1 - p)), "Those with x = 0 have another sign"),
        (partial(scored, one=lambda p: 1 / (1 - p), zero=lambda p: -1 / p), "p and 1 - p are swapped"),
        (partial(scored, zero=lambda p: -1 / p), "A 0 has the probability 1 - p"),
        (partial(scored, one=lambda p: 1, zero=lambda p: -1), "the signs are right"),
        (partial(scored, one=lambda p: p, zero=lambda p: 1 - p), "that has the probabilities"),
        (partial(scored, one=np.log, zero=lambda p: np.log(1 - p)), "that has the log of the probability"),
        (lambda y, x, p, b: y[x == 1].mean() - y[x == 0].mean(), "a good estimate too"),
        (partial(scored, value=lambda y, b: 1), "that is the score alone"),
        (partial(scored, one=lambda p: 1, zero=lambda p: 1), "Where is the score"),
        (partial(scored, join=np.asarray), "Take their mean"),
        (lambda *args: (scored(*args), 0.0), "the shape should be (), and is (2,)"),
        (lambda *args: 99.0, "What are their slopes by p"),
    ],
    "integrals.cut": [
        (lambda *args: cut_off(*args)[1], "return 2 results, in this order: the fraction and its derivative"),
        (lambda *args: (*cut_off(*args), 0.0), "return 2 results"),
        (partial(cut_off, share=lambda x, mu, c, sigma: np.mean(x < c)), "the fraction that is lost"),
        (partial(cut_off, share=lambda x, mu, c, sigma: np.sum(x > c)), "Divide by how many there are"),
        (partial(cut_off, share=lambda x, mu, c, sigma: stats.norm.sf(c, mu, sigma)), "the exact probability"),
        (lambda *args: cut_off(*args)[::-1], "The fraction comes first"),
        (partial(cut_off, share=lambda x, mu, c, sigma: x[x > c].mean()), "the mean energy of the kept"),
        (partial(cut_off, share=lambda x, mu, c, sigma: np.mean(x * (x > c))), "Count them"),
        (partial(cut_off, share=lambda x, mu, c, sigma: x > c), "that is one number a draw"),
        (partial(cut_off, share=lambda *args: 7.0), "count the draws above the cut"),
        (partial(cut_off, weight=lambda *args: 0.0), "the fraction is right. The derivative is 0"),
        (partial(cut_off, weight=lambda x, mu, c, sigma: (x - mu) / sigma), "has the square of sigma below."),
        (partial(cut_off, weight=lambda x, mu, c, sigma: x - mu), "here it is missing"),
        (partial(cut_off, weight=lambda *args: normal_score(*args) / 2), "brings down a 2"),
        (partial(cut_off, weight=lambda *args: 2 * normal_score(*args)), "the exponent has a 2 below"),
        (partial(cut_off, weight=lambda *args: -normal_score(*args)), "more is kept as mu grows"),
        (partial(cut_off, weight=lambda x, *args: len(x) * normal_score(x, *args)), "not their sum"),
        (lambda x, mu, c, sigma: (np.mean(x > c), stats.norm.pdf(c, mu, sigma)), "That is the exact derivative"),
        (partial(cut_off, keep=lambda x, c: 1), "Which of them count"),
        (partial(cut_off, keep=np.less), "the events that are lost"),
        (partial(cut_off, keep=lambda x, c: (x > c) / np.mean(x > c)), "Divide by the number of all"),
        (partial(cut_off, keep=lambda x, c: (x > c) - np.mean(x > c)), "That has a baseline"),
        (partial(cut_off, weight=lambda x, mu, c, sigma: x / sigma**2), "not from 0"),
        (partial(cut_off, weight=lambda x, mu, c, sigma: (x - c) / sigma**2), "not from the cut"),
        (partial(cut_off, weight=lambda x, mu, c, sigma: ((x - mu) ** 2 / sigma**2 - 1) / sigma), "by sigma"),
        (partial(cut_off, weight=lambda *args: 1.0), "Where is the score"),
        (lambda x, *args: (cut_off(x, *args)[0], (x > args[1]) * normal_score(x, *args)), "one term a draw"),
        (partial(cut_off, added=3.0), "the slope by mu of the log of its density"),
    ],
    "hep_fits.events": [
        (counted(fit=5), "background takes its share"),
        (counted(fit=5 / 3), "Subtract it first"),
        (counted(fit=3), "in units of the signal"),
        (counted(fit=1 / 3), "How many events came"),
        (counted(fit=0.2), "the share of signal in the data"),
        (counted(fit=8), "How many times four"),
        (counted(fit=0), "More events came than that"),
        (counted(fit=2.04), "three digits"),
        (counted(fit=7), "for which signal strength"),
        (counted(known=20**0.5), "the best fit is right. That is the deviation of the count, in events"),
        (counted(known=12**0.5 / 4), "a count of background alone"),
        (counted(known=0.5), "the signal alone"),
        (counted(known=20**-0.5), "relative to the whole count"),
        (counted(known=2**0.5), "the background's fluctuation again"),
        (counted(known=5), "the variance of the count in it"),
        (counted(known=1.25), "That is the variance. Take the root"),
        (counted(known=29**0.5 / 4), "with an uncertain background"),
        (counted(known=0), "counts still fluctuate"),
        (counted(known=1.13), "three digits"),
        (counted(known=9), "the best fit is right. By how much does the count fluctuate"),
        (counted(unsure=20**0.5 / 4), "the first two are right. The third is as the second"),
        (counted(unsure=(20**0.5 + 3) / 4), "the errors are added"),
        (counted(unsure=0.75), "the background's part alone"),
        (counted(unsure=23**0.5 / 4), "3 is a deviation, not a variance"),
        (counted(unsure=11**0.5 / 4), "the squares are subtracted"),
        (counted(unsure=29**0.5), "The third is in events"),
        (counted(unsure=29 / 16), "The third is the variance"),
        (counted(unsure=10.25**0.5), "3 is in events, and the error of the count is not"),
        (counted(unsure=2**0.5), "The count contains it"),
        (counted(unsure=1.37), "three digits"),
        (counted(unsure=9), "the first two are right. For the third, add"),
        (counted()[:2], "fill in three numbers"),
        (1.0, "fill in three numbers"),
        ({"fit": 1, "known": 0.775, "unsure": 1.04}, "fill in three numbers"),
    ],
    "hep_fits.slip": [
        (partial(deviations, factor=1, of=np.reciprocal), "both mistakes are still there"),
        (partial(deviations, factor=1), "the correlation is in. But H is that of -2 log L"),
        (partial(deviations, of=np.reciprocal), "the factor is right. One over the diagonal"),
        (partial(deviations, factor=2, of=np.reciprocal), "And the factor is the wrong way round"),
        (partial(deviations, factor=2), "the correlation is in. The factor is the wrong way round"),
        (partial(deviations, factor=1, read=lambda C: 2 * np.diag(C) ** 0.5), "by its root only"),
        (partial(deviations, factor=1, read=lambda C: np.diag(C) ** 0.5 / 2), "by its root only"),
        (partial(deviations, read=np.diag), "those are the variances"),
        (partial(deviations, factor=1, read=np.diag), "half of them"),
        (partial(deviations, of=np.reciprocal, read=np.diag), "those would be variances."),
        (partial(deviations, factor=1, of=np.reciprocal, read=np.diag), "those would be variances, of H for -log L"),
        (partial(deviations, read=lambda C: np.diag(C) ** -0.5), "H is inverted twice"),
        (partial(deviations, of=np.array), "the root of the curvatures"),
        (partial(deviations, factor=1, of=np.array), "the root of the curvatures"),
        (partial(deviations, read=lambda C: np.linalg.eigvalsh(C) ** 0.5), "along the axes of the ellipse"),
        (partial(deviations, read=lambda C: np.linalg.svd(C)[1] ** 0.5), "along the axes of the ellipse"),
        (partial(deviations, read=lambda C: np.diag(np.linalg.cholesky(C))), "not the root of the diagonal"),
        (partial(deviations, read=lambda C: -(np.diag(C) ** 0.5)), "is positive"),
        (partial(deviations, read=np.array), "that is a matrix"),
        (partial(deviations, read=lambda C: np.trace(C) ** 0.5), "that is one number"),
        (partial(deviations, read=lambda C: np.ones(len(C))), "the covariance is the inverse of the Hessian"),
        (lambda twice_nll, best: best, "the roots of its diagonal"),
        (partial(deviations, read=lambda C: np.diag(C)[:1] ** 0.5), "the shape should be (2,), and is (1,)"),
    ],
    "hep_fits.scale": [
        (partial(scale_nll, aux=lambda *args: 0), "the Poisson term is right"),
        (partial(scale_nll, main=lambda *args: 0), "the normal term is right"),
        (lambda *args: -scale_nll(*args), "that is log L"),
        (lambda *args: 2 * scale_nll(*args), "that is -2 log L"),
        (lambda *args: math.exp(-scale_nll(*args)), "that is L"),
        (partial(scale_nll, main=lambda n, nu: n * math.log(nu) - nu), "of the Poisson probability, for n!"),
        (partial(scale_nll, aux=lambda a, alpha: -((a - alpha) ** 2) / 2), "that of the normal density"),
        (
            partial(scale_nll, main=lambda n, nu: n * math.log(nu) - nu, aux=lambda a, alpha: -((a - alpha) ** 2) / 2),
            "both constants are missing",
        ),
        (partial(scale_nll, main=lambda n, nu: log_poisson(n, nu) + math.log(n)), "the gamma function of n + 1"),
        (partial(scale_nll, main=lambda n, nu: log_poisson(n, nu) + 2 * math.lgamma(n + 1)), "the sign of log n!"),
        (partial(scale_nll, aux=lambda *args: log_normal(*args) - math.log(2 * math.pi) / 2), "the root of 2 pi"),
        (partial(scale_nll, aux=lambda *args: log_normal(*args) + math.log(2 * math.pi)), "density's constant"),
        (partial(scale_nll, aux=lambda a, alpha: log_normal(a, alpha) - (a - alpha) ** 2 / 2), "has a 2 below"),
        (partial(scale_nll, aux=lambda *args: -log_normal(*args)), "the sign of the normal term"),
        (partial(scale_nll, main=lambda *args: -log_poisson(*args)), "the sign of the Poisson term"),
        (partial(scale_nll, aux=lambda a, alpha: log_normal(a, alpha) + (a - alpha) ** 2), "the sign of the square"),
        (partial(scale_nll, aux=lambda a, alpha: log_normal(0, alpha)), "Where is a?"),
        (partial(scale_nll, aux=lambda a, alpha: log_normal(a, 0)), "Where is alpha?"),
        (partial(scale_nll, aux=lambda a, alpha: log_normal(a, -alpha)), "how far a is from alpha"),
        (lambda *args: scale_nll(*args, aux=partial(log_normal, width=args[-1])), "kappa scales the rate"),
        (partial(scale_nll, aux=lambda a, alpha: log_normal(abs(a - alpha) ** 0.5, 0)), "is to be squared"),
        (partial(scale_nll, main=lambda n, nu: log_poisson(n, nu) - 2 * n * math.log(nu)), "the sign of n log(rate)"),
        (partial(scale_nll, main=lambda n, nu: log_poisson(n, nu) + 2 * nu), "the sign of the rate"),
        (partial(scale_nll, main=lambda n, nu: log_poisson(n, nu) + nu), "a factor exp(-rate)"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b * kappa * alpha), "not their product"),
        (
            partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b * (1 + alpha * (kappa - 1))),
            "as a straight line in alpha",
        ),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b * math.exp(alpha)), "not by e"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b / kappa**alpha), "the wrong way round"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b * kappa**a), "not with its measurement"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b), "alpha does nothing"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu + b * kappa), "Where is alpha?"),
        (
            partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: (s * mu + b) * kappa**alpha),
            "alpha multiplies the background only",
        ),
        (
            partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu * kappa**alpha + b),
            "alpha multiplies the background, not",
        ),
        (
            partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: (s + b * kappa**alpha) * mu),
            "mu multiplies the signal only",
        ),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s + b * kappa**alpha), "mu does nothing"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: s * mu), "where is the background"),
        (partial(scale_nll, rate=lambda s, b, mu, alpha, kappa, a: b * kappa**alpha), "where is the signal"),
        (lambda *args: 99.0, "-log L is a sum of two"),
        (lambda *args: [scale_nll(*args), 0.0], "the shape should be (), and is (2,)"),
    ],
    "hep_fits.step": [
        (partial(step_within, end=np.add), "what falls below 0 should end at 0"),
        (partial(step_within, end=lambda theta, step: step), "Add it to theta"),
        (partial(step_within, end=lambda theta, step: np.maximum(theta + step, 0) - theta), "Add it to theta"),
        (partial(step_within, sign=1), "uphill"),
        (partial(step_within, sign=1, end=np.add), "uphill"),
        (partial(step_within, end=np.add, held=lambda theta, gradient: theta < 0), "no parameter is held there"),
        (partial(step_within, held=lambda theta, gradient: theta < 0), "takes part in the solve"),
        (partial(step_within, solve=lambda H, g, free: np.linalg.solve(H, g) * free), "takes part in the solve"),
        (partial(step_within, solve=lambda H, g, free: np.linalg.solve(H, g * free)), "and yet it moves"),
        (
            partial(step_within, solve=lambda H, g, free: np.linalg.solve(np.where(free, H, np.eye(len(g))), g * free)),
            "the column of what is held is struck out",
        ),
        (
            partial(
                step_within, solve=lambda H, g, free: np.linalg.solve(np.where(free[:, None], H, np.eye(len(g))), g)
            ),
            "the row of what is held is struck out",
        ),
        (partial(step_within, solve=lambda H, g, free: g * free / np.diag(H)), "the diagonal of H only"),
        (partial(step_within, solve=lambda H, g, free: g), "that follows the gradient"),
        (partial(step_within, solve=lambda H, g, free: H @ g), "that multiplies by H"),
        (partial(step_within, end=lambda theta, step: theta + np.maximum(step, 0)), "that cuts off the step"),
        (partial(step_within, held=lambda theta, gradient: theta <= 0), "a parameter leaves 0"),
        (partial(step_within, held=lambda theta, gradient: (theta <= 0) & (gradient < 0)), "lower is better"),
        (partial(step_within, held=lambda theta, gradient: (theta <= 0) & (gradient >= 0)), "a slope of 0"),
        (partial(step_within, held=lambda theta, gradient: gradient > 0), "only what stands at 0 is held"),
        (partial(step_within, end=lambda theta, step: abs(theta + step)), "that reflects"),
        (partial(step_within, end=shortened), "shortens the step as a whole"),
        (partial(step_within, end=lambda y, d: np.where(y + d < 0, y, y + d)), "stays where it was"),
        (struck_again, "it is only cut off"),
        (lambda theta, gradient, H: 0 * theta, "which parameters are held"),
        (lambda theta, gradient, H: H, "the shape should be (2,), and is (2, 2)"),
    ],
    "hep_fits.interval": [
        (lambda n: fallen(n)[1], "return 2 results, in this order: the lower end and the upper end"),
        (lambda n: (*fallen(n), n), "return 2 results"),
        (lambda n: fallen(n)[::-1], "the lower end comes first"),
        (lambda n: (n - n**0.5, n + n**0.5), "the parabola at the top"),
        (partial(lower_end, lambda n, low, high: 2 * n - high), "mirrors the upper end"),
        (partial(lower_end, lambda n, low, high: n - low), "the distance from n"),
        (partial(lower_end, lambda n, low, high: low - n), "the distance from n"),
        (partial(fallen, fall=1.0), "fallen by 1."),
        (partial(fallen, fall=0.25), "fallen by 1/4"),
        (partial(fallen, fall=2.0), "two standard deviations"),
        (partial(lower_end, lambda n, low, high: n * math.exp(-(n**-0.5))), "the parabola in log nu"),
        (partial(lower_end, lambda n, low, high: (n**0.5 - 0.5) ** 2), "the root of nu"),
        (
            partial(lower_end, lambda n, low, high: stats.chi2.ppf(stats.norm.sf(1), 2 * n) / 2),
            "probabilities of the tails",
        ),
        (partial(lower_end, lambda n, low, high: n), "that is the best fit"),
        (partial(lower_end, lambda n, low, high: 0.0), "log L is infinitely low"),
        (partial(lower_end, lambda n, low, high: low * (1 + 1e-4)), "close. Six digits"),
        (partial(lower_end, lambda n, low, high: low if n else np.nan), "that is no number"),
        (partial(lower_end, lambda n, low, high: low if n else 0.1), "falls from 0 on"),
        (partial(lower_end, lambda n, low, high: 99.0), "below n, where"),
        (partial(upper_end, lambda n, low, high: high if n else np.nan), "the lower end is right. The upper one is no"),
        (partial(upper_end, lambda n, low, high: low), "The upper one is the same"),
        (partial(upper_end, lambda n, low, high: n + n**0.5), "the parabola at the top"),
        (partial(upper_end, lambda n, low, high: 2 * n - low), "falls more slowly"),
        (partial(upper_end, lambda n, low, high: high - n), "the distance from n"),
        (partial(upper_end, lambda n, low, high: fallen(n, 1.0)[1]), "fallen by 1."),
        (partial(upper_end, lambda n, low, high: high if n else 1.0), "fallen by 1."),
        (partial(upper_end, lambda n, low, high: fallen(n, 0.25)[1]), "fallen by 1/4"),
        (partial(upper_end, lambda n, low, high: fallen(n, 2.0)[1]), "two standard deviations"),
        (partial(upper_end, lambda n, low, high: n * math.exp(n**-0.5)), "the parabola in log nu"),
        (partial(upper_end, lambda n, low, high: (n**0.5 + 0.5) ** 2), "the root of nu"),
        (
            partial(upper_end, lambda n, low, high: stats.chi2.isf(stats.norm.sf(1), 2 * n + 2) / 2),
            "probabilities of the tails",
        ),
        (partial(upper_end, lambda n, low, high: n + 3 * n**0.5 + 3), "where the search may begin"),
        (partial(upper_end, lambda n, low, high: high * (1 + 1e-4)), "close. Six digits"),
        (partial(upper_end, lambda n, low, high: 99.0), "the lower end is right. Above n, where"),
    ],
    "hep_fits.cls": [
        (partial(cls_ratio, tail=lambda x: 1 - stats.norm.cdf(x)), "no digits are left"),
        (partial(cls_ratio, t=lambda q, q_A: q**0.5 - q_A**0.5), "the t of the other case"),
        (partial(cls_ratio, t=lambda q, q_A: (q - q_A) / (2 * q_A**0.5)), "the t of the other case"),
        (partial(cls_ratio, join=lambda both, background: both), "the probability with signal"),
        (partial(cls_ratio, join=lambda both, background: background), "the probability for background alone"),
        (partial(cls_ratio, join=lambda both, background: background / both), "the wrong way round"),
        (partial(cls_ratio, join=lambda both, background: both / (1 - background)), "by 1 less it"),
        (partial(cls_ratio, tail=stats.norm.cdf), "those are values of Phi. The tails"),
        (partial(cls_ratio, join=lambda both, background: (1 - both) / background), "above the line is Phi"),
        (
            partial(cls_ratio, tail=stats.norm.cdf, join=lambda both, background: background / both),
            "and the ratio is the wrong way round",
        ),
        (partial(cls_ratio, t=lambda q, q_A: -compared(q, q_A)), "it grows with q"),
        (partial(cls_ratio, shift=lambda q_A: -(q_A**0.5)), "not to be subtracted"),
        (partial(cls_ratio, shift=lambda q_A: q_A), "It should be its root"),
        (partial(cls_ratio, join=lambda both, background: 2 * both), "is 1/2 only where t = 0"),
        (
            partial(cls_ratio, t=lambda q, q_A: compared(q, q_A) * (2 if q > q_A else 1)),
            "t has a 2 below",
        ),
        (
            partial(cls_ratio, t=lambda q, q_A: compared(q, q_A) / (q_A**0.5 if q > q_A else 1)),
            "t has the root of q_A below",
        ),
        (partial(cls_ratio, t=operator.sub), "t takes the roots"),
        (partial(cls_ratio, tail=stats.norm.pdf), "a ratio of densities"),
        (lambda *args: math.log(cls_ratio(*args)), "the logarithm of CLs"),
        (lambda *args: 1 - cls_ratio(*args), "the confidence level"),
        (partial(cls_ratio, join=operator.sub), "the difference"),
        (partial(cls_ratio, join=operator.mul), "the product"),
        (lambda *args: 0.0, "find t for this case"),
        (partial(cls_ratio, join=lambda *both: both), "the shape should be (), and is (2,)"),
    ],
    "hep_fits.through": [
        (partial(carried, sign=1), "a minus is missing: the gradient stays zero"),
        (partial(carried, solve=lambda H, M: M), "with the parameters held. They answer"),
        (partial(carried, sign=1, solve=lambda H, M: M), "with the parameters held. They answer"),
        (partial(carried, solve=np.matmul), "that multiplies by H. Solve with it."),
        (partial(carried, solve=np.matmul, sign=1), "and mind the sign"),
        (partial(carried, solve=lambda H, M: M / np.diag(H)[:, None]), "the diagonal of H only"),
        (partial(carried, mixed=np.transpose), "the mixed derivative is transposed: a row"),
        (partial(carried, mixed=np.transpose, sign=1), "the mixed derivative is transposed, and a minus"),
        (partial(carried, solve=lambda H, M: M @ np.linalg.inv(H)), "solve from the left"),
        (partial(carried, solve=lambda H, M: np.linalg.inv(H)), "What does it multiply"),
        (partial(carried, solve=lambda H, M: np.linalg.inv(H), sign=1), "What does it multiply"),
        (partial(carried, last=np.transpose), "that is the transpose. Row i"),
        (partial(carried, last=np.transpose, sign=1), "a minus is missing, and that is the transpose"),
        (partial(carried, solve=lambda H, M: M.T, sign=1), "solve with H, and that is the transpose"),
        (partial(carried, mixed=lambda M: M / 2), "half of it"),
        (partial(carried, mixed=lambda M: 2 * M), "twice of it"),
        (partial(carried, sign=0), "the best fit answers to the data"),
        (partial(carried, last=lambda J: J.sum(1)), "One for each of the data"),
        (lambda nll, best, data: np.ones((best.size, data.size)), "H theta_dot + mixed d_dot = 0"),
        (partial(carried, last=np.ravel), "the shape should be (2, 2), and is (4,)"),
    ],
    "toys.how_many": [
        (thrown(few=100.0), "one is beyond, on average"),
        (thrown(few=2000.0), "How well are twenty known"),
        (thrown(few=400.0), "How many are to be thrown for that"),
        (thrown(few=4e6), "p counts once"),
        (thrown(few=4e4), "1 - p is not 1"),
        (thrown(few=7e4), "how many toys should be beyond"),
        (thrown(far=1 / 3.167e-5), "the first is right. Of so many toys, one"),
        (thrown(far=20 / 3.167e-5), "the first is right. Of so many toys, twenty"),
        (thrown(far=200 / 3.167e-5), "a tail on one side"),
        (thrown(far=7e8), "As many should be beyond as before"),
        (thrown(none=1e-4), "none beyond in 37 % of all runs"),
        (thrown(none=0.05), "That is the level"),
        (thrown(none=5e-6), "With so small a p"),
        (thrown(none=0.0), "does not mean that none could be"),
        (thrown(none=3.0), "That many would be beyond"),
        (thrown(none=5.13e-6), "in 95 % of all runs"),
        (thrown(none=2e-4), "is (1 - p)^n"),
        (1e5, "fill in three numbers"),
        (thrown()[:2], "fill in three numbers"),
    ],
    "toys.fraction": [
        (partial(beyond, than=operator.gt), "toys with the very same data"),
        (partial(beyond, than=operator.lt), "those are the toys that are nearer"),
        (partial(beyond, of=np.sum), "that is how many"),
        (partial(beyond, of=lambda far: np.sum(far) / (len(far) - 1)), "divide by the number"),
        (partial(beyond, of=lambda far: 2 * np.mean(far)), "on one side"),
        (partial(beyond, of=lambda far: 0.5), "at least as far out as the data"),
        (partial(beyond, error=lambda p, n, q: p * (1 - p) / n), "That is its variance"),
        (partial(beyond, error=lambda p, n, q: (p * (1 - p)) ** 0.5), "the error of one toy"),
        (partial(beyond, error=lambda p, n, q: (n * p * (1 - p)) ** 0.5), "the error of the count"),
        (partial(beyond, error=lambda p, n, q: (p / n) ** 0.5), "one of Poisson's"),
        (partial(beyond, error=lambda p, n, q: n**-0.5), "The root of n is in it"),
        (partial(beyond, error=lambda p, n, q: q.std() / n**0.5), "the error of the mean of q"),
        (partial(beyond, error=lambda p, n, q: 0.0), "Each toy is beyond or not"),
        (lambda q, observed: np.mean(q >= observed), "return the fraction, and its error"),
    ],
    "toys.counter": [
        (lambda key, first, n: jax.random.normal(key, (3,)), "one toy a row"),
        (lambda key, first, n: jnp.tile(jax.random.normal(key, (3,)), (n, 1)), "some numbers are used twice"),
        (lambda key, first, n: triple(jax.random.split(key, n)), "is not used"),
        (lambda key, first, n: triple(jax.random.split(key, first + n)[first:]), "all before them are made"),
        (lambda key, first, n: jax.random.normal(jax.random.fold_in(key, first), (n, 3)), "depends on what else"),
        (lambda key, first, n: jax.random.normal(key, (first + n, 3))[first:], "all before them are made"),
        (
            jax.jit(lambda key, first, n: jax.random.normal(key, (first + n, 3))[first:], static_argnums=(1, 2)),
            "all before them are made",
        ),
        (lambda key, first, n: numbered(key, jnp.arange(n)), "`first` is not used"),
        (lambda key, first, n: numbered(jax.random.key(5), first + jnp.arange(n)), "the key is not used"),
        (lambda key, first, n: numbered(key, first + jnp.arange(n)) + 1, "standard normal numbers"),
        (lambda key, first, n: numbered(key, (first + jnp.arange(n)) % 100), "all independent"),
    ],
    "toys.arrow": [
        (lambda d, b, c, g: g / jnp.append(d, c), "it is the diagonal alone"),
        (partial(by_schur, corner=lambda c, s: c + s), "the complement has a minus"),
        (partial(by_schur, right=lambda g, s: g), "the last row's right side changes as well"),
        (partial(by_schur, right=operator.add), "not added"),
        (partial(by_schur, corner=lambda c, s: c), "not by c"),
        (partial(by_schur, others=lambda d, b, g, last: g / d), "Now take it out of the others"),
        (partial(by_schur, others=lambda d, b, g, last: (g + b * last) / d), "Subtract b times it"),
        (partial(by_schur, others=lambda d, b, g, last: g - b * last), "Divide the others by d"),
        (lambda d, b, c, g: arrow(d, b, c) @ g, "that multiplies by the matrix"),
        (lambda d, b, c, g: by_schur(d, b, c, g)[-1], "Return all"),
        (lambda d, b, c, g: 0 * g, "add multiples of the first rows"),
        (lambda d, b, c, g: jnp.linalg.solve(arrow(d, b, c), g), "a whole matrix is made for it"),
        (jax.jit(lambda d, b, c, g: jnp.linalg.solve(arrow(d, b, c), g)), "a whole matrix is made for it"),
    ],
    "toys.lockstep": [
        (waited(share=2.0), "how many there are on average"),
        (waited(share=0.98**100), "the probability of none"),
        (waited(share=0.02), "There are a hundred chances"),
        (waited(share=0.5), "none of the hundred is slow"),
        (waited(waits=8), "the first is right. Most toys need no more"),
        (waited(waits=60), "Not every batch"),
        (waited(waits=60 * (1 - 0.98**100)), "Batches without a slow toy"),
        (waited(waits=0.98 * 8 + 0.02 * 60), "That is the mean over toys"),
        (waited(waits=30), "A batch takes 60 rounds"),
        (waited(aside=8), "The slow ones are fitted again"),
        (waited(aside=68), "Only one toy in fifty"),
        (waited(aside=8 + 60 * (1 - 0.98**100)), "Slow toys of many batches are gathered"),
        (waited(aside=8 + 0.02 * 52), "They are begun anew"),
        (waited(aside=20), "Each toy has its 8 rounds"),
        (1.0, "fill in three numbers"),
    ],
    "toys.cls": [
        (partial(by_toys, than=operator.gt), "toys with the same data belong to the tail"),
        (partial(by_toys, join=lambda s, b: s), "that is CL_s+b"),
        (partial(by_toys, join=lambda s, b: b), "that is CL_b"),
        (partial(by_toys, join=lambda s, b: b / s), "the wrong way round"),
        (partial(by_toys, join=lambda s, b: (1 - s) / (1 - b)), "those are the other tails"),
        (partial(by_toys, join=lambda s, b: s / (1 - b)), "the same tail of the other toys"),
        (partial(by_toys, of=np.sum), "divide each count by its own number"),
        (partial(by_toys, join=lambda s, b: 1 - s / b), "the confidence level"),
        (partial(by_toys, join=lambda s, b: 7.0), "which fractions of both kinds"),
        (partial(by_toys, expected=lambda ratio, s, b, q: ratio(np.median(s))), "not signal"),
        (partial(by_toys, expected=lambda ratio, s, b, q: np.mean([ratio(x) for x in b])), "not the mean"),
        (partial(by_toys, expected=lambda ratio, s, b, q: np.median(b)), "the median of q"),
        (partial(by_toys, expected=lambda ratio, s, b, q: ratio(np.mean(b))), "not the mean"),
        (partial(by_toys, expected=lambda ratio, s, b, q: ratio(q)), "does not depend on the data"),
        (partial(by_toys, expected=lambda ratio, s, b, q: 0.5), "CLs is asked for"),
        (partial(by_toys, expected=lambda ratio, s, b, q: 7.0), "be the data in turn"),
        (lambda s, b, q: by_toys(s, b, q)[0], "return the observed CLs, and the expected one"),
    ],
    "benchmarks.stopwatch": [
        (partial(stopped, wait=False), "Wait for the result"),
        (partial(stopped, warm=False), "Make one before you start the clock"),
        (partial(stopped, warm=False, wait=False), "its result was not waited for"),
        (partial(stopped, settled=False), "was still running"),
        (partial(stopped, begin=False), "start the clock before it"),
        (lambda f, x, clock: clock(), "f was never called"),
        (lambda f, x, clock: stopped(f, x, clock) / 2, "warm up, wait"),
    ],
    "benchmarks.ratio": [
        (lambda ours, peer: np.median(ours) / np.median(peer), "upside down"),
        (lambda ours, peer: np.mean(peer) / np.mean(ours), "moves a mean"),
        (lambda ours, peer: np.min(peer) / np.min(ours), "one lucky turn"),
        (lambda ours, peer: np.mean(peer / ours), "moves a mean"),
        (lambda ours, peer: np.median(peer / ours), "each median first"),
        (lambda ours, peer: np.median(peer) - np.median(ours), "that is a difference"),
        (lambda ours, peer: np.max(peer) / np.max(ours), "over the median of ours"),
    ],
    "benchmarks.exponent": [
        (partial(slope, read=lambda line: line[1]), "where the line begins"),
        (partial(slope, read=list), "the slope alone"),
        (partial(slope, read=lambda line: 1 / line[0]), "Which of them depends on the other"),
        (partial(slope, on_n=np.asarray, on_t=np.asarray), "only if both axes are logarithmic"),
        (partial(slope, on_n=np.asarray), "take the logarithm of n"),
        (partial(slope, on_t=np.asarray), "take the logarithm of t"),
        (lambda n, t: np.log(t[-1] / t[0]) / np.log(n[-1] / n[0]), "two of the five points"),
        (partial(slope, read=lambda line: round(line[0])), "do not round"),
        (partial(slope, on_t=np.log10), "the same logarithm"),
        (partial(slope, on_n=np.log10), "the same logarithm"),
        (lambda n, t: 7.0, "a straight line in log n"),
    ],
    "benchmarks.predict": [
        (passes(central=1001), "forward differences do with so few"),
        (passes(central=1000), "how many points does one component need"),
        (passes(central=2), "that is one component"),
        (passes(central=5), "two calls for each component"),
        (passes(tape=3000), "One pass back gives all"),
        (passes(tape=1000), "One pass back gives all"),
        (passes(tape=4), "hold the one that goes forward"),
        (passes(tape=1), "does not depend on n"),
        (passes(product=2.5), "a gradient takes three"),
        (passes(product=7.5e6), "Gradients, each for three"),
        (passes(product=3000), "No column of the Hessian"),
        (passes(full=7.5e6), "One product gives a whole column"),
        (passes(full=3750), "does not make a product cheaper"),
        (passes(full=1e6), "One product gives a whole column"),
        (passes(full=1), "One product for each column"),
        (2000.0, "fill in four numbers"),
    ],
    "benchmarks.roof": [
        (lambda work, traffic, speed, bandwidth: work / speed + traffic / bandwidth, "the two overlap"),
        (lambda work, traffic, speed, bandwidth: min(work / speed, traffic / bandwidth), "Which of the two ends last"),
        (lambda work, traffic, speed, bandwidth: work / speed, "Which of the two ends last"),
        (lambda work, traffic, speed, bandwidth: traffic / bandwidth, "Which of the two ends last"),
        (lambda work, traffic, speed, bandwidth: min(speed / work, bandwidth / traffic), "seconds are asked for"),
        (
            lambda work, traffic, speed, bandwidth: max(work / bandwidth, traffic / speed),
            "operations go with operations",
        ),
        (lambda work, traffic, speed, bandwidth: 1.0, "how long do the operations take alone"),
    ],
    "benchmarks.break_even": [
        (partial(saved, read=lambda calls: calls), "One more is needed"),
        (partial(saved, read=math.ceil), "One more is needed"),
        (partial(saved, read=lambda calls: calls + 1e-9), "After how many"),
        (partial(saved, gain=lambda plain, compiled: plain, read=math.ceil), "what does one save"),
        (partial(saved, never=-1.0), "compiling does not pay here"),
        (lambda compiling, compiled, plain: math.inf, "it does pay"),
        (partial(saved, read=lambda calls: math.floor(calls) + 2), "After how many"),
    ],
    "intro.elasticity": [
        (lambda f, x: jax.grad(f)(x), "that is the slope"),
        (lambda f, x: jax.grad(f)(x) / f(x), "not by a hundredth of itself"),
        (lambda f, x: x * jax.grad(f)(x), "divide by f(x)"),
        (lambda f, x: f(x) / x / jax.grad(f)(x), "the other way round"),
        (lambda f, x: -x * jax.grad(f)(x) / f(x), "the sign is reversed"),
        (lambda f, x: 100 * (f(1.01 * x) / f(x) - 1), "nearly"),
        (lambda f, x: x + jax.grad(f)(x), "take the slope"),
    ],
    "errata.units": [
        ({"s = 0.1": 60, "s = 4": 1.5}, "the other way round"),
        ({"s = 0.1": 0.06, "s = 4": 96}, "the outer call did not know"),
        ({"s = 0.1": 6, "s = 4": 6}, "that is the true one"),
        ({"s = 0.1": 0.1, "s = 4": 4}, "that is a factor"),
        ({"s = 0.1": 0.3, "s = 4": 12}, "over one point, not over s"),
        ([0.1, 4], "a dictionary with the keys"),
    ],
    "errata.shapes": [
        (lambda n, m: shaped(n, m, J=(n, m)), "its transpose"),
        (lambda n, m: shaped(n, m, x_bar=(m,)), "at the other end"),
        (lambda n, m: shaped(n, m, y_dot=(n,)), "at the other end"),
        (lambda n, m: shaped(n, m, y_bar=(m, 1)), "shaped like what they belong to"),
        (lambda n, m: shaped(n, m, x_dot=n), "a tuple"),
        (lambda n, m: (m, n), "a dictionary with the keys"),
    ],
    "errata.budget": [
        (lambda n: multiplied(n, value=1), "one product fewer"),
        (lambda n: multiplied(n, reverse=1 - n), "to both of its factors"),
        (lambda n: multiplied(n, reverse=n - 1), "that is with the value"),
        (lambda n: multiplied(n, reverse=(n - 2) * (n - 1)), "come out of one sweep"),
        (lambda n: multiplied(n, forward=2 * (1 - n) * (n - 1)), "that is one direction"),
        (lambda n: multiplied(n, forward=n * (1 - n)), "has two terms"),
        (lambda n: multiplied(n, forward=n * (n - 1)), "and n times"),
        (lambda n: multiplied(n, forward=n - 1), "that is with the value"),
        (lambda n: multiplied(n, forward=1), "how many products are there"),
    ],
    "errata.catch": [
        (lambda f, vjp, x, y_bar: False, "it got through"),
        (lambda f, vjp, x, y_bar: True, "an honest vjp was called wrong"),
        (lambda f, vjp, x, y_bar: vjp_test(f, vjp, x, y_bar, jnp.ones_like(x)), "different from the others"),
        (lambda f, vjp, x, y_bar: vjp_test(f, vjp, x, y_bar, jnp.eye(x.size)[0]), "it got through"),
        (lambda f, vjp, x, y_bar: vjp_test(f, vjp, x, y_bar, jnp.arange(x.size) * 1.0), "it got through"),
        (lambda f, vjp, x, y_bar: vjp_test(f, vjp, x, y_bar, rtol=0.05), "it got through"),
        (lambda f, vjp, x, y_bar: vjp_test(f, vjp, x, y_bar, rtol=0, atol=0), "Roundoff is in proportion"),
        (lambda f, vjp, x, y_bar: vjp_test(f, vjp, x, y_bar, rtol=0, atol=1e-14), "Roundoff is in proportion"),
        (lambda f, vjp, x, y_bar: "wrong", "True or False"),
    ],
    "errata.slip": [
        (lambda *args: agrees_with_difference(*args, 1e-4, 0.1), "how wide is the tolerance"),
        (lambda *args: agrees_with_difference(*args, 1e-4, 1e-5), "it was not trusted"),
        (lambda *args: agrees_with_difference(*args, 5e-3, 0.1), "how wide is the tolerance"),
        (lambda *args: agrees_with_difference(*args, 6e-6, 0.005), "it was not trusted"),
        (lambda *args: True, "it was trusted"),
        (lambda *args: agrees_with_difference(*args, 5e-3, 1e-9), "room for its error"),
        (lambda *args: False, "it was not trusted"),
    ],
    "errata.name": [
        (lambda y: np.flatnonzero(second_differences(y) > 1e-12 * abs(y).max()), "one too small"),
        (lambda y: 1 + np.flatnonzero(second_differences(y) < -1e-12 * abs(y).max()), "bends to the right"),
        (lambda y: 1 + np.flatnonzero(second_differences(y) > 0), "roundoff bends as well"),
        (lambda y: 1 + np.flatnonzero(second_differences(y) >= 0), "bends neither way"),
        (lambda y: 1 + np.flatnonzero(second_differences(y) > 1e-12), "roundoff bends as well"),
        (lambda y: 1 + np.flatnonzero(second_differences(y) > 1e-12 * y.max()), "the shape should be (0,)"),
        (lambda y: 2 + np.flatnonzero(second_differences(y) > 1e-12 * abs(y).max()), "the indices i"),
    ],
    "gpu.rounding": [
        (rounded_to_ten(first=2051), "count from its leading one"),
        (rounded_to_ten(first=2050), "Which of its two neighbors has a 0"),
        (rounded_to_ten(first=2048), "how wide are the gaps"),
        (rounded_to_ten(second=5001), "count from its leading one"),
        (rounded_to_ten(second=5004), "Which one is nearer"),
        (rounded_to_ten(third=100.06), "count from its leading one"),
        (rounded_to_ten(third=100.0), "wherever the point is"),
        (rounded_to_ten(third=100.125), "how wide are the gaps"),
        (2051.0, "fill in three numbers"),
    ],
    "gpu.slip": [
        (partial(stepping, h=1e-8), "nothing has moved"),
        (lambda f, x: f(x), "f was called at x alone"),
        (partial(stepping, h=1e-6), "still too short"),
        (partial(stepping, h=0.5), "too long"),
        (partial(stepping, sign=-1), "the sign is reversed"),
        (partial(stepping, width=1), "twice too large"),
        (partial(stepping, width=4), "half of it"),
        (partial(stepping, width=3), "the cube root"),
    ],
    "gpu.kept": [
        (gigabytes(single=0.008), "Each step keeps one"),
        (gigabytes(single=0.6), "How many bytes has one"),
        (gigabytes(single=4.8), "those are the bytes of float64"),
        (gigabytes(single=2.4e9), "those are bytes"),
        (gigabytes(single=2400), "megabytes"),
        (gigabytes(single=2.4e9 / 2**30), "a power of ten"),
        (gigabytes(single=1), "steps, times numbers"),
        (gigabytes(double=2.4), "twice as long"),
        (gigabytes(double=9.6), "doubles twice"),
        (gigabytes(double=1), "How many bytes has a number"),
        (gigabytes(segments=0.12), "is run again"),
        (gigabytes(segments=0.16), "The beginning of each segment"),
        (gigabytes(segments=0.56), "single precision"),
        (gigabytes(segments=2.4), "are not kept on the way there"),
        (gigabytes(segments=1), "those of one segment"),
        (2.4, "fill in three numbers"),
    ],
    "gpu.crossing": [
        (partial(overtakes, never=-1.0), "the GPU never catches up"),
        (partial(overtakes, never=1.0), "never faster"),
        (lambda size, launch, cpu, gpu, link: math.inf, "it does pay"),
        (partial(overtakes, taken=lambda size, gpu, link: size / gpu), "carrying the bytes takes time"),
        (partial(overtakes, taken=lambda size, gpu, link: 0.0), "What does it gain with each entry"),
        (lambda size, *rest: size * overtakes(size, *rest), "those are bytes"),
        (lambda *args: overtakes(*args) / 2, "counts both ways"),
        (lambda *args: 7.0, "on the processor"),
    ],
    "gpu.batches": [
        (lambda f, X, size: f(X), "so many rows do not fit"),
        (partial(by_slices, starts=lambda N, size: range(0, N - size + 1, size)), "the last rows are missing"),
        (lambda f, X, size: by_slices(f, X, size)[::-1], "the order is reversed"),
        (lambda f, X, size: by_slices(f, X, size).sum(), "a number for each row"),
        (partial(by_slices, join=lambda parts: parts[0]), "join the parts"),
        (lambda f, X, size: [by_slices(f, X, size), by_slices(f, X, size)][1], "computed once"),
        (lambda f, X, size: by_slices(f, X, size) + 1, "joined in this order"),
    ],
    "gpu.split": [
        (lambda A, B, tf32, product: product(A, B), "What has rounding taken away"),
        (partial(by_terms, terms=((0, 0), (0, 1))), "A is rounded, too"),
        (partial(by_terms, terms=((0, 0), (1, 0))), "B is rounded, too"),
        (partial(by_terms, terms=((0, 0), (1, 1))), "the smallest of the four"),
        (partial(by_terms, sign=-1), "the sign of the small terms"),
        (partial(by_terms, terms=((0, 1), (1, 0))), "there are four terms"),
        (lambda A, B, tf32, product: A @ B, "leave the multiplying to product"),
        (partial(by_terms, terms=((0, 0), (0, 1), (1, 0), (1, 1))), "Leave it out"),
    ],
}

# Exercise that asks for a prediction to the numbers that no verdict may show.
SECRET = {
    "finite_differences.digits": (8, 3),
    "sampled_data.noise": (0.0707, 2.449),
    "symbolic.swell": (20, 513),
    "forward_mode.passes": (5, 1),
    "reverse_mode.adjoints": (9, 21, 135),
    "linear_maps.grouping": (110_000, 10_100_000),
    "frameworks.jump": (6, 11, 13),
    "higher_order.passes": (1, 1000),
    "sparse.counts": (4, 3, 20),
    "sparse.hold": (0, 1),
    "custom_rules.rounds": (6, 6.3, 2),
    "implicit.unrolled": (0.5, 0.75, 0.999, 1),
    "integrals.ends": (4, 2, 6),
    "hep_fits.events": (2, 1.118, 1.346),
    "toys.how_many": (39_600, 1.263e7, 2.995e-4),
    "toys.lockstep": (0.867, 53.1, 9.2),
    "benchmarks.predict": (2000, 3, 7.5, 7500),
    "errata.units": (0.6, 24),
    "errata.budget": (3, 6, 24, 11, 22, 264),
    "gpu.rounding": (2052, 5000, 100.0625),
    "gpu.kept": (2.4, 4.8, 0.28),
}

# Right answers in other forms than those of the chapters' solutions.
RIGHT = {
    "finite_differences.digits": {"float64": 7.8, "float32": 4},
    "finite_differences.slip": lambda f, x, dx: (f(x + dx / 2) - f(x - dx / 2)) / dx,
    "finite_differences.one_sided": np.array([-3, 4, -1]) / 2,
    "finite_differences.curvature_step": lambda eps: eps ** (1 / 4),
    "finite_differences.jacobian": lambda f, x: differences(f, x).tolist(),
    "finite_differences.richardson": lambda D, h: D(h / 2) + (D(h / 2) - D(h)) / 3,
    "sampled_data.noise": {"slope": 0.07, "second": 2.4},
    "sampled_data.slip": lambda y, x: waves(y, np.ptp(x) * len(x) / (len(x) - 1)).tolist(),
    "sampled_data.uneven": lambda y0, y1, y2, a, b: 2 * (y0 / a - y1 * (1 / a + 1 / b) + y2 / b) / (a + b),
    "sampled_data.spectral": sampled_data.spectral_derivative,
    "sampled_data.window": lambda sigma, h, M: round((112.5 * (sigma / M) ** 2 / h**6) ** (1 / 7)),
    "sampled_data.inflections": lambda y, x: x[bent(x, gradient_twice(y, x))].tolist(),
    "symbolic.swell": {"operations": 20.0, "terms": np.int64(513)},
    "symbolic.slip": lambda m, k, x, t: -x.diff(t, 2) - k / m * x,
    "symbolic.huber": lambda x: sympy.Min(abs(x), 1) * (abs(x) - sympy.Min(abs(x), 1) / 2),
    "symbolic.lie": symbolic.lie_derivative,
    "symbolic.differentiator": differentiator(cos=lambda d, e: ["*", ["*", d(e[1]), -1.0], ["sin", e[1]]]),
    "symbolic.spring_pendulum": lambda *a: 3 * swinging(*a) + (a[0] * a[1]).diff(a[2]) - a[5],
    "forward_mode.passes": {"jacobian": 5.0, "product": np.int64(1), "column": 1},
    "forward_mode.quotient": lambda x, dx, y, dy: fm.jvp(lambda a, b: a / b, (x, y), (dx, dy)),
    "forward_mode.slip": lambda number, a: np.subtract((number, 0), a),
    "forward_mode.chain": lambda a, b, c, x, v: list(c(*b(*a(x, v)))),
    "forward_mode.second": lambda f, x: fm.jvp(rm.grad(f), (x,), (1.0,))[1],
    "forward_mode.taylor": triples(sin=lambda a: np.array(sine(a))),
    "reverse_mode.adjoints": {"c_bar": 9.0, "b_bar": np.int64(21), "a_bar": 135},
    "reverse_mode.slip": rm.grad(lambda w, x, b, t: (ops.sigmoid(w * x + b) - t) ** 2 / 2, argnums=(0, 1, 2)),
    "reverse_mode.bias": lambda y_bar: [y_bar.tolist(), sum(y_bar)],
    "reverse_mode.tape": lambda steps: np.array(swept(steps)),
    "reverse_mode.softmax": lambda s, s_bar: jnp.asarray(s) * s_bar - s * (s * s_bar).sum(),
    "reverse_mode.solve": lambda A, x, x_bar: rm.vjp(np.linalg.solve, A, A @ x)[1](x_bar),
    "reverse_mode.checkpoints": lambda T: (round(T**0.5), round(2 * T**0.5)),
    "linear_maps.columns": lambda mv, n: np.column_stack([mv(e) for e in np.eye(n)]).tolist(),
    "linear_maps.grouping": {"from_left": 1.1e5, "from_right": np.int64(10_100_000)},
    "linear_maps.slip": lambda z1, z2: linear_maps.from_matrix([[2, 1, 2], [-2, -1, 1]]).T @ [z1, z2],
    "linear_maps.transpose": lambda y: [-y[0], *(a - b for a, b in pairwise(y)), y[-1]],
    "linear_maps.dot_product": lambda mv, rmv, n, m: jnp.allclose(
        jnp.stack([mv(e) for e in np.eye(n)]) / abs(mv(np.ones(n))).max(),
        jnp.stack([rmv(e) for e in np.eye(m)]).T / abs(mv(np.ones(n))).max(),
    ),
    "linear_maps.paths": lambda k: linear_maps.Graph(city(k)[::-1], inputs=[(0, 0)], outputs=[(k, k)]),
    "linear_maps.gauss_newton": newton,
    "frameworks.jump": {"slope": 6.0, "integral": np.int64(11), "rise": jnp.asarray(13)},
    "frameworks.slip": lambda *args: Tensor(trained(*args)),
    "frameworks.per_example": lambda *args: clipped_inside(*args).tolist(),
    "frameworks.tree": lambda *args: jax.tree.map(jnp.asarray, descended(*args)),
    "frameworks.keys": lambda key, m, n: jax.random.normal(key, (m, n)),
    "frameworks.safe": root_by_rule,
    "frameworks.branch": lambda x: jnp.clip(x, -1, 1) * (x - jnp.clip(x, -1, 1) / 2),
    "higher_order.passes": {"product": 1.0, "curvature": np.int64(1), "hessian": 1e3},
    "higher_order.slip": lambda f, x: (jax.hessian(f)(x) @ x).tolist(),
    "higher_order.mixed": lambda X: jax.jacfwd(jax.grad(traced), 1)(X, X),
    "higher_order.power": lambda hv, n: eigsh(LinearOperator((n, n), hv), 1, v0=np.ones(n))[0][0],
    "higher_order.bottleneck": lambda pull_g, push_h, k: (
        jax.vmap(push_h)(jnp.eye(k)).T @ jnp.stack([pull_g(e.tolist()) for e in np.eye(k)])
    ),
    "higher_order.quotient": lambda a, b: np.polynomial.polynomial.polydiv([*[0.0] * (len(a) - 1), *a[::-1]], b[::-1])[
        0
    ][::-1],
    "higher_order.series": lambda y0, order: [y0 ** (k + 1) for k in range(order + 1)],
    "sparse.counts": [4.0, np.int64(3), 4, 20],
    "sparse.seeds": lambda n, k: jnp.stack([jnp.arange(n) % k == c for c in range(k)]),
    "sparse.compose": lambda A, B: (B[:, :, None] & A).any(axis=1),
    "sparse.read": lambda columns: read_back(columns).tolist(),
    "sparse.slip": lambda P: sparse.color(P, mode="fwd").column_colors,
    "sparse.arrow": lambda n: jnp.array(two_ended(n, columns=(5, -1), rows=(7, 2))),
    "sparse.hold": {"floor": FRONT > 0, "through": BOTH.tolist()},
    "sparse.newton": lambda n: jnp.asarray(cubic(n)),
    "custom_rules.rounds": np.array([0, 6, 6.3, 2.0]),
    "custom_rules.logdet": lambda A, y_bar: jax.grad(lambda A: y_bar * jnp.linalg.slogdet(A)[1])(A),
    "custom_rules.slip": lambda A, b, x_bar: jax.vjp(jnp.linalg.solve, A, b)[1](jnp.asarray(x_bar)),
    "custom_rules.block": lambda f, A, E: in_corner(f, A, 0 * E, lower=lambda _: E, row=1, column=0).tolist(),
    "custom_rules.pullback": lambda f, A, C_bar: jnp.asarray(in_corner(f, A, C_bar.T)).T,
    "custom_rules.norm": root,
    "custom_rules.through": to_levels,
    "custom_rules.sylvester": lambda *args: jax.jvp(sylvester_solved, args[:3], args[3:])[1],
    "implicit.unrolled": [0.5, np.float64(0.75), 0.999, jnp.asarray(1)],
    "implicit.kepler": lambda E, e: jnp.array([jnp.sin(E), 1.0]) / (1 - e * jnp.cos(E)),
    "implicit.slip": lambda *args: fixed_pulled(*args).tolist(),
    "implicit.dense": lambda F, y, a: sensitive(F, y, a).tolist(),
    "implicit.ridge": lambda X, t, lam: jnp.asarray(penalized(X, t, lam)),
    "implicit.second": lambda a: np.array(bent_root(a)),
    "implicit.market": lambda t: taxed(t).tolist(),
    "implicit.layer": layered(stepped_back),
    "integrals.ends": [4.0, np.int64(2), jnp.asarray(6)],
    "integrals.slip": lambda f, t: jnp.array([f(t**2), f(jnp.cos(t))]) @ jnp.array([2 * t, jnp.sin(t)]),
    "integrals.half_line": node_by_node,
    "integrals.leibniz": lambda f, *at: jnp.stack(
        compiled(jax.grad(lambda at: integrals.integrate(f, *at[:2], at[2:]).value), at)
    ),
    "integrals.score": lambda y, x, p, b: jnp.mean((jnp.array(y) - b) * (x - p)) / (p * (1 - p)),
    "integrals.cut": lambda x, mu, c, sigma: jax.jvp(
        lambda m: jnp.mean(jnp.where(x > c, jnp.exp((m - mu) * (x - (m + mu) / 2) / sigma**2), 0.0)), (mu,), (1.0,)
    ),
    "hep_fits.events": [2, np.float64(1.12), jnp.asarray(1.346)],
    "hep_fits.slip": lambda twice_nll, best: (
        (2 * np.linalg.pinv(differences(jax.grad(twice_nll), best)).diagonal()) ** 0.5
    ),
    "hep_fits.scale": lambda mu, alpha, n, a, s, b, kappa: (
        -jnp.log(
            (s * mu + b * kappa**alpha) ** n
            * math.exp(-(s * mu + b * kappa**alpha) - (a - alpha) ** 2 / 2)
            / (math.factorial(n) * (2 * math.pi) ** 0.5)
        )
    ),
    "hep_fits.step": lambda *args: step_within(*args).tolist(),
    "hep_fits.interval": lambda n: np.array([float(f"{end:.6g}") for end in fallen(n)]),
    "hep_fits.cls": lambda *args: jnp.asarray(
        cls_ratio(*args, tail=stats.norm.logsf, join=lambda both, background: math.exp(both - background))
    ),
    "hep_fits.through": lambda nll, best, data: jnp.linalg.solve(
        differences(lambda y: jax.grad(nll)(y, data), best), -differences(lambda d: jax.grad(nll)(best, d), data)
    ),
    "toys.how_many": [39_600, np.int64(12_630_000), jnp.asarray(2.9953e-4)],
    "toys.fraction": lambda q, observed: [(q >= observed).mean(), np.std(q >= observed) / len(q) ** 0.5],
    "toys.counter": lambda key, first, n: np.array(
        [jax.random.normal(jax.random.fold_in(key, k), (3,)) for k in range(first, first + n)]
        if n < 100
        else numbered(key, jnp.arange(first, first + n))
    ),
    "toys.arrow": lambda d, b, c, g: by_schur(*map(np.asarray, (d, b, c, g))),
    "toys.lockstep": [0.8674, np.float32(53.1), jnp.asarray(9.2)],
    "toys.cls": lambda s, b, q: jnp.array(by_toys(s, b, q)),
    "benchmarks.stopwatch": lambda f, x, clock: np.median(
        [np.asarray(f(x)) is None or stopped(f, x, clock) for _ in range(5)]
    ),
    "benchmarks.ratio": lambda ours, peer: sorted(peer)[4] / sorted(ours)[4],
    "benchmarks.exponent": lambda n, t: jnp.asarray(stats.linregress(np.log10(n), np.log10(t)).slope),
    "benchmarks.predict": [2e3, np.float32(3), 7.5, jnp.asarray(7500)],
    "benchmarks.roof": lambda work, traffic, speed, bandwidth: np.maximum(work / speed, traffic / bandwidth),
    "benchmarks.break_even": lambda compiling, compiled, plain: next(
        (k for k in range(1, 100) if compiling + k * compiled < k * plain), np.inf
    ),
    "intro.elasticity": lambda f, x: float(np.log(f(1.00001 * x) / f(x / 1.00001)) / np.log(1.00001) / 2),
    "errata.units": {"s = 0.1": 0.6, "s = 4": np.int64(24)},
    "errata.shapes": lambda n, m: {key: list(shape) for key, shape in shaped(n, m).items()},
    "errata.budget": lambda n: multiplied(np.int64(n)),
    "errata.catch": vjp_test,
    "errata.slip": lambda f, gradient, x, v: np.bool_(
        abs(f(x + 2e-3 * v) - f(x - 2e-3 * v) - 4e-3 * gradient @ v) < 3e-5 * abs(gradient @ v)
    ),
    "errata.name": lambda y: (1 + np.flatnonzero(second_differences(y / abs(y).max()) > 1e-12)).tolist(),
    "gpu.rounding": [np.float32(2052), 5000.0, jnp.asarray(100.0625)],
    "gpu.slip": lambda f, x: (f(x + np.float32(4e-4)) - f(x)) / ((x + np.float32(4e-4)) - x),
    "gpu.kept": np.array([2.4, 4.8, 0.28]),
    "gpu.crossing": lambda size, launch, cpu, gpu, link: (
        launch / size / (1 / cpu - 1 / gpu - 1 / link) if 1 / cpu > 1 / gpu + 1 / link else math.inf
    ),
    "gpu.batches": lambda f, X, size: jnp.concatenate(
        [f(part) for part in np.array_split(X, range(size, len(X), size))]
    ).tolist(),
    "gpu.split": lambda A, B, tf32, product: jnp.asarray(
        product(A - tf32(A), tf32(B)) + product(tf32(A), B - tf32(B)) + product(A, B)
    ),
}


def verdict(capsys, id, attempt):
    check(id, attempt)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "id, attempt, words",
    [pytest.param(id, *case, id=f"{id}-{k}-{case[1]}") for id, cases in WRONG.items() for k, case in enumerate(cases)],
)
def test_wrong_answer_gets_its_hint(capsys, id, attempt, words):
    """A typical mistake is rejected, with the input, both values (but no secret one) and the hint that fits."""
    line = verdict(capsys, id, attempt)
    assert line.startswith(f"{id}: not yet. For ")
    assert "yours" in line
    assert ("expected" in line) == (id not in SECRET)
    assert words in line.split("Hint: ")[1]
    assert line.count("\n") == 1


@pytest.mark.parametrize("id, answers", SECRET.items(), ids=SECRET)
def test_prediction_is_not_given_away(capsys, id, answers):
    """A wrong prediction is told what is wrong with it, without the right number."""
    for attempt, _ in WRONG[id]:
        before, after = re.split("yours .* Hint: ", verdict(capsys, id, attempt))
        shown = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", before + after)]
        assert not any(math.isclose(number, answer, rel_tol=0.05) for number in shown for answer in answers)


@pytest.mark.parametrize("id, attempt", RIGHT.items(), ids=RIGHT)
def test_right_answer_passes(capsys, id, attempt):
    """An answer is judged by what it does, not by how it is written."""
    assert verdict(capsys, id, attempt) == f"{id}: passed.\n"


def test_missing_return_is_named(capsys):
    """A function that returns nothing is told so."""
    line = verdict(capsys, "finite_differences.slip", lambda f, x, dx: None)
    assert "your function returned None. Is a return missing?" in line


def test_difference_too_small_to_be_shown_is_named(capsys):
    """Where four digits look alike, the verdict says by how much the numbers differ."""
    line = verdict(capsys, "finite_differences.jacobian", lambda f, x: differences(f, x) * (1 + 1e-8))
    assert "(off by " in line


@pytest.mark.parametrize("blank", [..., None, lambda *args: ..., {"a": ...}, [1.0, ...], (..., 1.0)])
def test_blank_is_not_an_answer(capsys, blank):
    """A blank, or a function that returns one, is told from a wrong answer."""
    id = "finite_differences.slip"
    assert verdict(capsys, id, blank) == f"{id}: not attempted yet.\n"


def test_error_of_the_attempt_is_shown(capsys):
    """An attempt that raises is reported in the same one line."""
    line = verdict(capsys, "finite_differences.slip", lambda f, x, dx: undefined_name)  # noqa: F821
    assert line == "finite_differences.slip: not yet. It raised NameError: name 'undefined_name' is not defined\n"


def test_unknown_exercise_is_refused():
    """A wrong id raises an error that lists the right ones."""
    with pytest.raises(ValueError, match=r"`exercises.check\(id=...\)` should be one of 'benchmarks.break_even', "):
        check("finite_differences.sli", ...)
