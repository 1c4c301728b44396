"""P6: where forward and reverse mode cross, as the number of inputs grows."""

import jax
import jax.numpy as jnp

from autodiff_tutorial.higher_order import jacobian
from benchmarks.bench_higher_order import _timed
from benchmarks.timing import row

PEERS = ()


def rows():
    """Time forward mode beside reverse mode, in steps that are unrolled and in a loop that is kept."""
    for kind, steps in (("unrolled", 8), ("loop", 30)):
        for ratio in (1, 2, 4, 10, 30, 100, 300, 1000):
            f, x = _rolling(4 * ratio, kind, steps), jnp.ones(4 * ratio)
            names = [f"{word}, n / m = {ratio}, {kind}" for word in ("forward", "reverse")]
            programs = {name: jax.jit(jacobian(f, mode=name[:3].replace("for", "fwd"))) for name in names}
            times, errors = _timed(programs, (x,), names[1])
            yield row("P6", f"Jacobian of {4 * ratio} inputs, 4 outputs, {steps} steps", *names, times, errors)


def _rolling(n, kind, steps):
    share = jnp.cos(jnp.outer(jnp.arange(200), jnp.arange(n))) / n

    def step(state, _=None):
        return state + 0.1 * jnp.sin(jnp.roll(state, 1)), None

    def f(x):
        state = share @ x
        if kind == "loop":
            state, _ = jax.lax.scan(step, state, length=steps)
        else:
            for _ in range(steps):
                state, _ = step(state)
        return state.reshape(4, -1).sum(axis=1)

    return f
