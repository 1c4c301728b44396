"""Draw the cover, and the card that other sites show with a link, from derivatives of the library.

Run `python book/_ext/make_cover.py`; it writes `cover.png` and `social.png` to `book/_static`. The level lines of a
landscape are blue. The green paths climb it along gradients from `reverse_mode`, and cross each level line at a right
angle. The orange lines touch a level line where a path crosses it: the slope along them, from `forward_mode`, is zero.
"""

from functools import partial
from io import BytesIO

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from PIL import Image

from autodiff_tutorial import forward_mode, primitives, reverse_mode
from contents import ROOT

GROUND, PRIMAL, TANGENT, COTANGENT, WHITE = "#0d2138", "#5f9fe6", "#f59a3c", "#57b56c", "#ffffff"
TITLE = "Differentiation,\nby machine"
FOLDER = ROOT / "book" / "_static"
HILLS = np.array(  # height, place, width
    [[1.5, 1.7, 1.1, 1.0], [1.25, 5.3, 2.0, 1.15], [-1.1, 3.5, 0.5, 0.9], [0.8, 7.4, 0.4, 0.9], [-0.7, 0.0, 2.7, 1.0]]
)
LEVELS = np.arange(-1.05, 1.6, 0.1)


def landscape(p):
    """Return the height at a point."""
    height, x, y, width = HILLS.T
    return (height * primitives.exp(-((p[0] - x) ** 2 + (p[1] - y) ** 2) / (2 * width**2))).sum()


def climb(start, length, steps=400):
    """Follow the gradient from a point, or down for a negative length, by Runge and Kutta's steps of fourth order."""
    slope = reverse_mode.grad(landscape)
    h = length / steps

    def direction(p):
        g = slope(p)
        return g / (0.05 + jnp.sqrt(g @ g))

    def step(p, _):
        k1 = direction(p)
        k2 = direction(p + h / 2 * k1)
        k3 = direction(p + h / 2 * k2)
        k4 = direction(p + h * k3)
        return p + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), p

    return jax.lax.scan(step, start, None, length=steps)[1]


def touching(paths, left, top):
    """Choose points, far from each other and from the edges, where a path crosses a level line on a steep slope."""
    slope, chosen = reverse_mode.grad(landscape), []
    heights = np.asarray(jax.jit(jax.vmap(jax.vmap(landscape)))(jnp.asarray(paths)))
    for path, height in zip(paths, heights, strict=True):
        for i in np.flatnonzero(np.diff(np.digitize(height, LEVELS))):
            p, inside = path[i], left + 0.7 < path[i][0] < 7.4 and 0.4 < path[i][1] < top - 0.4
            apart = all(np.hypot(*(p - other)) > 1.25 for other in chosen)
            if inside and apart and np.linalg.norm(slope(jnp.asarray(p))) > 0.6:
                chosen.append(p)
    return chosen


def draw(width, height, left=0.0, dpi=200):
    """Return a figure of the landscape, `width` by `height` pixels, with tangents to the right of `left`; its axes."""
    fig = plt.figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor=GROUND)
    ax = fig.add_axes((0, 0, 1, 1))
    span = 8.0, 8.0 * height / width
    ax.set(xlim=(0, span[0]), ylim=(0, span[1]))
    ax.axis("off")

    x, y = np.meshgrid(np.linspace(0, span[0], 480), np.linspace(0, span[1], 240))
    z = np.asarray(jax.vmap(landscape)(jnp.stack([x.ravel(), y.ravel()], axis=1))).reshape(x.shape)
    ax.contour(x, y, z, levels=LEVELS, colors=PRIMAL, linewidths=0.7, alpha=0.7, linestyles="solid")

    starts = [(a, b) for a in np.arange(0.1, span[0], 1.3) for b in np.arange(0.1, span[1], 1.24)]
    down, up = (np.asarray(jax.vmap(partial(climb, length=r))(jnp.array(starts))) for r in (-2.0, 4.5))
    paths = np.concatenate([down[:, :0:-1], up], axis=1)
    for path in paths:
        pieces = np.stack([path[:-1], path[1:]], axis=1)
        fade = np.linspace(0.2, 1, len(pieces))
        ax.add_collection(LineCollection(pieces, colors=COTANGENT, linewidths=1.1, alpha=fade))

    for p in map(jnp.asarray, touching(paths, left, span[1])):
        g = reverse_mode.grad(landscape)(p)
        along = jnp.array([-g[1], g[0]]) / jnp.sqrt(g @ g)
        assert abs(forward_mode.jvp(landscape, (p,), (along,))[1]) < 1e-12
        ends = np.stack([p - 0.42 * along, p + 0.42 * along])
        ax.plot(*ends.T, color=TANGENT, linewidth=1.9, solid_capstyle="round", zorder=3)
        ax.plot(*p, "o", color=WHITE, markersize=3.8, markeredgewidth=0, zorder=4)
    return fig, ax


def write(fig, name, colors=64):
    """Store a figure as a small PNG."""
    buffer = BytesIO()
    fig.savefig(buffer, format="png", facecolor=GROUND)
    options = {"method": Image.Quantize.MAXCOVERAGE, "dither": Image.Dither.NONE}
    image = Image.open(buffer).convert("RGB").quantize(colors, **options)
    image.save(FOLDER / name, optimize=True)
    plt.close(fig)
    print(f"{name}: {image.size[0]} x {image.size[1]}, {(FOLDER / name).stat().st_size / 1000:.0f} kB")


def main():
    """Write both pictures."""
    jax.config.update("jax_enable_x64", True)
    write(draw(1600, 560)[0], "cover.png")
    fig, ax = draw(1200, 630, left=4.2)
    ax.imshow(
        np.linspace([*to_rgb(GROUND), 0.95], [*to_rgb(GROUND), 0], 400)[None],
        extent=(0, 5.2, 0, 4.2),
        aspect="auto",
        zorder=5,
    )
    ax.set(xlim=(0, 8.0), ylim=(0, 4.2))
    ax.text(0.45, 2.35, TITLE, color=WHITE, fontsize=27, weight="bold", linespacing=1.15, va="center", zorder=6)
    ax.text(0.48, 1.25, "A book and a library, on JAX", color=WHITE, fontsize=12.5, va="center", zorder=6)
    write(fig, "social.png")


if __name__ == "__main__":
    main()
