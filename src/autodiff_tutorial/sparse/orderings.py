"""Greedy colorings: in which order vertices are taken, and which color each then gets.

A color is kept as a bit, and the set of colors in use at a row as the bits of one integer of Python, of any length.
"""

import heapq

import numpy as np

# So many pairs of entries in one row are worth looking at.
_PAIRS = 20_000_000

ORDERS = ("cyclic", "natural", "largest_first", "smallest_last", "incidence_degree", "random")


def ordered(order, matrix, seed, symmetric):
    """Return the columns of a CSC pattern in an order for `greedy`, or the vertices of a symmetric one for `star`.

    "largest_first" takes those first that meet most others. "smallest_last" puts the column with
    the fewest neighbors last, takes it away, and goes on; "incidence_degree" takes next the one with most neighbors
    taken. These two need the graph of columns that share a row: memory for all such pairs.
    """
    n = matrix.shape[1]
    match order:
        case "natural":
            return range(n)
        case "random":
            return np.random.default_rng(seed).permutation(n).tolist()
        case "largest_first":
            degrees = np.diff(matrix.indptr) - matrix.diagonal() if symmetric else _degrees(matrix)
            return np.argsort(-degrees, kind="stable").tolist()
    graph = matrix if symmetric else (matrix.T @ matrix).tocsr()
    neighbors = np.split(graph.indices, graph.indptr[1:-1])
    degree = np.diff(graph.indptr) - graph.diagonal() if order == "smallest_last" else np.zeros(n, int)
    score = degree.tolist()
    heap = [(score[j], j) for j in range(n)]
    heapq.heapify(heap)
    taken, done = [], [False] * n
    while heap:
        value, j = heapq.heappop(heap)
        if done[j] or value != score[j]:
            continue
        done[j] = True
        taken.append(j)
        for k in neighbors[j].tolist():
            if not done[k]:
                score[k] -= 1
                heapq.heappush(heap, (score[k], k))
    return taken[::-1] if order == "smallest_last" else taken


def _degrees(matrix):
    """Count the columns that each column meets in some row; in matrices with long rows, once for each such row."""
    counts = np.bincount(matrix.indices, minlength=matrix.shape[0])
    if (counts.astype(float) ** 2).sum() <= _PAIRS:
        return np.diff((matrix.T @ matrix).tocsr().indptr)
    sums = np.concatenate([[0], np.cumsum(counts[matrix.indices])])
    return np.diff(sums[matrix.indptr])


def listed(matrix):
    """Return a CSC pattern as lists, for `greedy` and `star`: the rows of entries, where columns start, the shape."""
    return matrix.indices.tolist(), matrix.indptr.tolist(), matrix.shape


def greedy(lists, order, limit=None):
    """Give each column, in turn, the first color that no column has with which it shares a row.

    Return None as soon as so many colors are needed as the limit says.
    """
    rows, first, (m, n) = lists
    used, colors, last = [0] * m, [0] * n, _last(limit, n)
    for j in order:
        own = rows[first[j] : first[j + 1]]
        mask = 0
        for i in own:
            mask |= used[i]
        bit = ~mask & (mask + 1)
        if bit >= last:
            return None
        colors[j] = bit.bit_length() - 1
        for i in own:
            used[i] |= bit
    return np.array(colors, np.int32)


def star(lists, order, limit=None):
    """Give each vertex of a symmetric pattern, in turn, the first color that makes no path of four in two colors.

    With v, w, x, y a path, v gets neither the color of w, nor that of x where x has a second neighbor y of the color
    of w; and where v has two neighbors of one color, none of the colors around those. The limit is as for `greedy`.
    """
    columns, first, (_, n) = lists
    around = [[w for w in columns[first[v] : first[v + 1]] if w != v] for v in range(n)]
    # Of the colors around a vertex: those there once or more, twice or more; and colors of neighbors' neighbors x.
    bits, once, twice, beyond, last = [0] * n, [0] * n, [0] * n, [0] * n, _last(limit, n)
    for v in order:
        mask, double = once[v], twice[v]
        for w in around[v]:
            mask |= once[w] if double & bits[w] else beyond[w]
        bits[v] = bit = ~mask & (mask + 1)
        if bit >= last:
            return None
        for w in around[v]:
            if once[w] & bit & ~twice[w]:
                twice[w] |= bit
                # The earlier neighbor of this color has an edge to w, which now has a second one.
                for x in around[w]:
                    if bits[x] == bit:
                        beyond[x] |= bits[w]
            once[w] |= bit
            if double & bits[w]:
                beyond[w] |= bit
            if twice[w] & bit:
                beyond[v] |= bits[w]
    return np.array([bit.bit_length() - 1 for bit in bits], np.int32)


def _last(limit, n):
    """Return the bit of the color that is too many; n + 1 colors are never needed."""
    return 1 << (n if limit is None else limit - 1)
