"""Where the boxes and edges of a computation graph go: in layers, with few crossings, clear of each other.

It knows operations by number and by their parents' numbers alone, and nothing of what they compute.
"""

from itertools import combinations, pairwise
from random import Random
from typing import NamedTuple

GAP, MARGIN, LINE_HEIGHT = 14, 6, 16
STARTS = 60  # orders from which fewer crossings are looked for
APART = 8  # pixels between labels, if there is room
_SPOTS = (0.5, 0.35, 0.65, 0.25, 0.75, 0.15, 0.85)  # places along a curve for its label, the best first


class Layout(NamedTuple):
    """A drawing in pixels, y downward: the centers of boxes and labels, and the stops of every edge."""

    down: bool
    size: tuple
    box: tuple
    nodes: list
    edges: list
    labels: list


def layout(parents, box, label_widths, *, down=False):
    """Place boxes of one size in layers from left to right, or from the top down.

    Parameters
    ----------
    parents : list of tuple of int
        For each operation, the earlier operations that it takes.
    box : tuple of int
        Width and height of a box.
    label_widths : list of int
        The width of the label of each edge; 0 for none.
    down : bool
        Whether layers follow each other from the top down.

    Returns
    -------
    Layout
        Edges come child by child, in the order of its parents. Between two stops of an edge it is a curve that leaves
        and arrives along the layers' direction, and then in turn a straight line.
    """
    thick, broad = (box[1], box[0]) if down else box  # along the layers' direction, and across it
    widest = max(label_widths, default=0)
    pitch = thick + max(28, (3 * LINE_HEIGHT - 4) * (widest > 0) if down else widest + 18)
    chains, depth = _chains(parents)
    cells = dict.fromkeys(cell for chain in chains for cell in chain) | dict.fromkeys(depth)
    layers = [[] for _ in range(1 + max(depth.values()))]
    for cell in cells:
        layers[depth[cell]].append(cell)
    neighbors = {cell: [] for cell in cells}
    for before, after in (link for chain in chains for link in pairwise(chain)):
        neighbors[before].append(after)
        neighbors[after].append(before)
    layers = _order(layers, neighbors)
    leaves = {i for i, own in enumerate(parents) if not own}
    across = _spread(layers, neighbors, {cell: broad if cell < len(parents) else 0 for cell in cells}, leaves)
    along = {cell: MARGIN + thick / 2 + pitch * depth[cell] for cell in cells}

    starts = _ports([chain[0] for chain in chains], [across[chain[1]] for chain in chains], broad)
    ends = _ports([chain[-1] for chain in chains], [across[chain[-2]] for chain in chains], broad)
    edges = []
    for chain, start, end in zip(chains, starts, ends, strict=True):
        stops = [(along[chain[0]] + thick / 2, across[chain[0]] + start)]
        for cell in chain[1:-1]:
            stops += [(along[cell] + side * thick / 2, across[cell]) for side in (-1, 1)]
        edges.append([*stops, (along[chain[-1]] - thick / 2, across[chain[-1]] + end)])
    labels = _label_places(edges, [(LINE_HEIGHT, width) if down else (width, LINE_HEIGHT) for width in label_widths])

    def turned(place):
        return tuple(round(v) for v in (place[::-1] if down else place))

    size = (pitch * (len(layers) - 1) + thick + 2 * MARGIN, max(across.values()) + broad / 2 + MARGIN)
    nodes = [turned((along[i], across[i])) for i in range(len(parents))]
    return Layout(down, turned(size), box, nodes, [[*map(turned, edge)] for edge in edges], [*map(turned, labels)])


def _chains(parents):
    """Return every edge as a chain through all layers that it crosses, and the layer of every link of a chain."""
    depth = {}
    for i, own in enumerate(parents):
        depth[i] = 1 + max((depth[parent] for parent in own), default=-1)
    for i in reversed(range(len(parents))):  # an input stands right before the first operation that takes it
        children = [depth[child] for child, own in enumerate(parents) if i in own]
        if not parents[i] and children:
            depth[i] = min(children) - 1
    chains, new = [], len(parents)
    for child, own in enumerate(parents):
        for parent in own:
            between = range(depth[parent] + 1, depth[child])
            names = range(new, new + len(between))
            depth |= dict(zip(names, between, strict=True))
            new += len(between)
            chains.append([parent, *names, child])
    return chains, depth


def _crossings(layers, neighbors):
    """Count the pairs of edges that cross between two layers."""
    count = 0
    for left, right in pairwise(layers):
        place = {cell: i for i, cell in enumerate(right)}
        links = [(i, place[other]) for i, cell in enumerate(left) for other in neighbors[cell] if other in place]
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(links, 2))
    return count


def _order(layers, neighbors):
    """Order each layer by the mean place of neighbors, to and fro, from many beginnings; keep the fewest crossings."""
    random = Random(0)
    best, fewest = layers, _crossings(layers, neighbors)
    for _ in range(STARTS):
        for sweep in range(8):
            if fewest == 0:
                return best
            layers = [list(layer) for layer in layers]
            for before, layer in pairwise(layers[:: 1 if sweep % 2 else -1]):
                place = {cell: i for i, cell in enumerate(before)}
                means = {}
                for i, cell in enumerate(layer):
                    near = [place[other] for other in neighbors[cell] if other in place]
                    means[cell] = sum(near) / len(near) if near else i
                layer.sort(key=means.get)
            count = _crossings(layers, neighbors)
            if count < fewest:
                best, fewest = layers, count
        layers = [random.sample(layer, len(layer)) for layer in layers]
    return best


def _spread(layers, neighbors, size, leaves):
    """Place the cells of each layer near the mean of their neighbors, in their order, and apart; leaves give way."""
    place, weight = {}, {cell: 1 if cell in leaves else 8 for cell in size}
    for layer in layers:
        place |= _apart(layer, dict.fromkeys(layer, 0.0), size, weight)
    for sweep in range(24):
        for layer in layers[:: 1 if sweep % 2 else -1]:
            wanted = {}
            for cell in layer:
                total = sum(weight[other] for other in neighbors[cell])
                wanted[cell] = sum(weight[other] * place[other] for other in neighbors[cell]) / max(total, 1)
            place |= _apart(layer, wanted, size, weight)
    first = min(at - size[cell] / 2 for cell, at in place.items())
    return {cell: at - first + MARGIN for cell, at in place.items()}


def _apart(layer, wanted, size, weight):
    """Return the places nearest to those wanted, in squares, that keep the order and leave a gap between cells."""
    offset, blocks = [0.0], []
    for before, after in pairwise(layer):
        offset.append(offset[-1] + (size[before] + size[after]) / 2 + GAP)
    for cell, start in zip(layer, offset, strict=True):
        blocks.append((wanted[cell] - start, weight[cell], 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, v, n), (high, w, k) = blocks[-2:]
            blocks[-2:] = [((low * v + high * w) / (v + w), v + w, n + k)]
    levels = [level for level, _, count in blocks for _ in range(count)]
    return {cell: level + start for cell, level, start in zip(layer, levels, offset, strict=True)}


def _ports(boxes, other_ends, broad):
    """Return for each edge how far from the middle of its box's side it is attached, so that none share a place."""
    ports = [0.0] * len(boxes)
    for box in set(boxes):
        own = sorted((i for i, other in enumerate(boxes) if other == box), key=lambda i: other_ends[i])
        space = min(30, (broad - 16) / len(own))
        for k, i in enumerate(own):
            ports[i] = space * (k - (len(own) - 1) / 2)
    return ports


def _label_places(edges, extents):
    """Place a label on the last curve of each edge, where it covers no other label if there is such a place."""
    placed = []
    for stops, extent in zip(edges, extents, strict=True):
        (a, c), (b, d) = stops[-2:]
        spots = [(a + (b - a) * (1.5 * t * (1 - t) + t**3), c + (d - c) * t * t * (3 - 2 * t)) for t in _SPOTS]
        room = [min((_room(at, extent, *other) for other in placed), default=APART) for at in spots]
        best = next((i for i, least in enumerate(room) if least >= APART), room.index(max(room)))
        placed.append((spots[best], extent))
    return [at for at, _ in placed]


def _room(at, extent, other, other_extent):
    """Return how far two labels, given by their centers and extents, are apart; less than zero if they overlap."""
    return max(abs(at[k] - other[k]) - (extent[k] + other_extent[k]) / 2 for k in (0, 1))
