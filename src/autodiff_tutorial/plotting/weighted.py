"""Weighted graphs: linear maps as pictures."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from autodiff_tutorial.plotting.figures import PRIMAL, REFERENCE


def weighted_graph(graph: Any, *, ax: Axes | None = None) -> Axes:
    """Draw a weighted graph from left to right: a circle for each node, an arrow with its weight for each edge.

    Parameters
    ----------
    graph : object or iterable of (node, node, weight)
        Edges, without a cycle, or what holds them as `edges`, such as a `linear_maps.Graph`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no edge, or the edges run in a circle.
    """
    edges = list(getattr(graph, "edges", graph))
    if not edges:
        raise ValueError("`plotting.weighted_graph(graph=...)` should have at least one edge. Got none.")
    places = _placed(edges)
    ax = plt.subplots()[1] if ax is None else ax
    for tail, head, weight in edges:
        arrow = {"arrowstyle": "-|>", "color": REFERENCE, "shrinkA": 15, "shrinkB": 15, "lw": 1.4}
        ax.annotate("", places[head], places[tail], arrowprops=arrow)
        # A third of the way, where arrows that cross in the middle are still apart.
        at = 2 / 3 * np.array(places[tail]) + np.array(places[head]) / 3
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        ax.text(at[0], at[1], f"{weight:.4g}".replace("-", "\N{MINUS SIGN}"), ha="center", va="center", bbox=box)
    for node, place in places.items():
        circle = {"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": PRIMAL, "lw": 1.8}
        ax.text(place[0], place[1], str(node), ha="center", va="center", color=PRIMAL, bbox=circle)
    across, up = np.array(list(places.values())).T
    ax.set_xlim(across.min() - 0.3, across.max() + 0.3)
    ax.set_ylim(up.min() - 0.5, up.max() + 0.5)
    ax.set_axis_off()
    return ax


def _placed(edges):
    """Place nodes: across, by the longest path to them; up, near the mean of the nodes upstream, one apart."""
    nodes = list(dict.fromkeys(node for tail, head, _ in edges for node in (tail, head)))
    upstream = {node: [tail for tail, head, _ in edges if head == node] for node in nodes}
    depth = {}
    while len(depth) < len(nodes):
        ready = [n for n in nodes if n not in depth and all(tail in depth for tail in upstream[n])]
        if not ready:
            raise ValueError("`plotting.weighted_graph(graph=...)` should have no cycle. Got one.")
        depth |= {n: 1 + max((depth[tail] for tail in upstream[n]), default=-1) for n in ready}
    places = {}
    for layer in range(max(depth.values()) + 1):
        members = [node for node in nodes if depth[node] == layer]
        wish = {n: np.mean([places[t][1] for t in upstream[n]] or [-members.index(n)]) for n in members}
        up = [-np.inf]
        for node in sorted(members, key=lambda n: (wish[n], -members.index(n))):
            up.append(max(wish[node], up[-1] + 1))
            places[node] = (float(layer), float(up[-1]))
        shift = np.mean(up[1:]) - np.mean(list(wish.values()))
        places |= {node: (places[node][0], float(places[node][1] - shift)) for node in members}
    return places
