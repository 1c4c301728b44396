"""P8: integrals over arrays of bounds and their gradients, against a loop over `scipy.integrate.quad` and quadax."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import quadax
from scipy.integrate import quad
from scipy.special import erfc
from scipy.stats import ncx2

from autodiff_tutorial import integrals
from benchmarks.timing import QUICK, compare, row

PEERS = ("quadax", "equinox")
# What quadax holds for each integral is fifty times as much, and SciPy's function is slow.
SIZE, FEWER = 10**6, 10**5


def rows():
    """Time a million integrals at a time, over finite and infinite intervals, and the Marcum Q function."""
    # A quick run leaves out what has no target.
    return [*_parabolas(), *([] if QUICK else [*_tails(), *_ends()]), *_marcum()]


def _parabolas():
    def f(x, y):
        return x**2 + y**2

    def value(b, y):
        return integrals.integrate(f, 0.0, b, (y,)).value

    def value_and_gradient(b, y):
        return jax.value_and_grad(lambda b, y: value(b, y).sum(), argnums=(0, 1))(b, y)[1]

    b, y = np.linspace(0.1, 3, SIZE), np.linspace(-1, 2, SIZE)
    truth = b**3 / 3 + y**2 * b
    arrays = jnp.asarray(b), jnp.asarray(y)
    programs = {"integrate": jax.jit(value), "value and gradient": jax.jit(value_and_gradient)}
    contenders = {name: lambda program=program: program(*arrays) for name, program in programs.items()}
    some = slice(None, None, 10)
    contenders["quad"] = lambda: np.array(
        [quad(f, 0, end, args=(other,))[0] for end, other in zip(b[some], y[some], strict=True)]
    )
    errors = {"integrate": _off(contenders["integrate"](), truth), "quad": _off(contenders["quad"](), truth[some])}
    times = compare(contenders, repetitions=3)
    # Each integral of the loop takes as long as another: a tenth of them is timed.
    times["quad"] |= {kind: 10 * times["quad"][kind] for kind in ("median", "min", "max")}
    times["quad"]["rounds"] = [10 * t for t in times["quad"]["rounds"]]
    slopes = contenders["value and gradient"]()
    errors["value and gradient"] = max(_off(slopes[0], b**2 + y**2), _off(slopes[1], 2 * y * b))
    problem = "10^6 integrals of x^2 + y^2"
    yield row("P8", problem, "integrate", "quad", times, errors, target=1000)
    yield row("P8", f"{problem}, gradient against value", "value and gradient", "integrate", times, errors, target=0.4)


def _tails():
    def f(x, t):
        return jnp.exp(-t * x**2)

    def one(a, t):
        return quadax.quadgk(f, jnp.stack([a, jnp.inf]), args=(t,), order=15)[0]

    a, t = np.linspace(0, 3, FEWER), np.linspace(1, 2, FEWER)
    arrays = jnp.asarray(a), jnp.asarray(t)
    ours = jax.jit(lambda a, t: integrals.integrate(f, a, jnp.inf, (t,)).value)
    peer = jax.jit(jax.vmap(one))
    contenders = {"integrate": lambda: ours(*arrays), "quadax": lambda: peer(*arrays)}
    truth = np.sqrt(np.pi / t) / 2 * erfc(np.sqrt(t) * a)
    errors = {name: _off(contender(), truth) for name, contender in contenders.items()}
    yield row("P8", "10^5 tails of a bell", "integrate", "quadax", compare(contenders, 3), errors)


def _ends():
    def f(x):
        return jnp.exp(-x) * jnp.cos(3 * x)

    b = jnp.linspace(0.0, 4.0, SIZE)
    truth = (1 + np.exp(-b) * (3 * np.sin(3 * b) - np.cos(3 * b))) / 10
    pieces = jax.jit(lambda b: integrals.cumulative(f, jnp.linspace(0.0, 4.0, 17))(b))
    rules = jax.jit(lambda b: integrals.integrate(f, 0.0, b).value)
    contenders = {"cumulative": lambda: pieces(b), "integrate": lambda: rules(b)}
    errors = {name: _off(contender(), truth) for name, contender in contenders.items()}
    yield row("P8", "10^6 ends, one integrand", "cumulative", "integrate", compare(contenders), errors)


def _marcum():
    rng = np.random.default_rng(0)
    order, (a, b) = rng.uniform(0.5, 20, FEWER), rng.uniform(0, 20, (2, FEWER))
    arrays = [jnp.asarray(x) for x in (order, a, b)]
    ours = jax.jit(integrals.marcum_q)
    slopes = jax.jit(jax.grad(lambda *args: integrals.marcum_q(*args).sum(), argnums=(0, 1, 2)))

    def scipys():
        return ncx2.sf(b**2, 2 * order, a**2)

    contenders = {"marcum_q": lambda: ours(*arrays), "gradient": lambda: slopes(*arrays), "ncx2.sf": scipys}
    some = rng.permutation(FEWER)[: 10 if QUICK else 50]
    truth = np.array([_poisson_mixture(*point) for point in zip(order[some], a[some], b[some], strict=True)])
    known = truth > 1e-300
    errors = {
        name: float(np.max(abs(np.asarray(contenders[name]())[some] / truth - 1)[known]))
        for name in ("marcum_q", "ncx2.sf")
    }
    step = 1e-5 * order
    differences = (ours(arrays[0] + step, *arrays[1:]) - ours(arrays[0] - step, *arrays[1:])) / (2 * step)
    errors["gradient"] = _off(contenders["gradient"]()[0], differences)
    times = compare(contenders, 3)
    yield row("P8", "Marcum Q, 10^5 points", "marcum_q", "ncx2.sf", times, errors, target=1)
    yield row("P8", "Marcum Q, gradient in 3 arguments against value", "gradient", "marcum_q", times, errors)


def _poisson_mixture(order, a, b):
    """Return Q as the mean of incomplete gamma functions of order + k, with k from Poisson's distribution."""
    with mpmath.workdps(40):
        order, x, y = mpmath.mpf(order), mpmath.mpf(a) ** 2 / 2, mpmath.mpf(b) ** 2 / 2
        weight, step = mpmath.exp(-x), mpmath.exp(-y + order * mpmath.log(y) - mpmath.loggamma(order + 1))
        upper, q = mpmath.gammainc(order, y, mpmath.inf, regularized=True), mpmath.mpf(0)
        for k in range(int(x + y + 20 * mpmath.sqrt(x + y + 1) + 240)):
            q += weight * upper
            upper, weight, step = upper + step, weight * x / (k + 1), step * y / (order + k + 1)
        return float(q)


def _off(found, truth):
    return float(np.max(abs(np.asarray(found) - truth)))
