"""Links by similarity of one sentence pair, one number at a time."""

import math


def cosine(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True)) / math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))


def largest(row):
    return max(range(len(row)), key=lambda k: (row[k], -k))


def directions(values):
    """(target → its source, source → its target) as links."""
    m, n = len(values), len(values[0])
    forward = {(largest([values[i][j] for i in range(m)]), j) for j in range(n)}
    return forward, {(i, largest(values[i])) for i in range(m)}


def itermax(values, rounds=2):
    """Jalili Sabet et al. (2020), figure 3."""
    m, n = len(values), len(values[0])
    forward, backward = directions(values)
    links = forward & backward
    if min(m, n) <= 2:
        return links
    for _ in range(rounds - 1):
        rows, columns = {i for i, _ in links}, {j for _, j in links}
        if len(rows) == m or len(columns) == n:
            break
        weighted = [
            [values[i][j] * (0.0 if i in rows and j in columns else 0.9 if i in rows or j in columns else 1.0)
             for j in range(n)] for i in range(m)
        ]  # fmt: skip
        forward, backward = directions(weighted)
        links = links | {(i, j) for i, j in forward & backward if i not in rows or j not in columns}
    return links


def softmax(values, threshold):
    """Dou and Neubig (2021), section 2.2: both probabilities above the threshold."""
    m, n = len(values), len(values[0])

    def share(some, k):
        top = max(some)
        return math.exp(some[k] - top) / sum(math.exp(x - top) for x in some)

    return {
        (i, j)
        for i in range(m)
        for j in range(n)
        if share(values[i], j) > threshold and share([values[k][j] for k in range(m)], i) > threshold
    }


def transport(values, smoothing, steps=50):
    """Sinkhorn's algorithm (Cuturi 2013) on the kernel itself; links are the largest of their row and their column."""
    m, n = len(values), len(values[0])
    kernel = [[math.exp(value / smoothing) for value in row] for row in values]
    u, v = [1.0] * m, [1.0] * n
    for _ in range(steps):
        u = [1 / m / sum(kernel[i][j] * v[j] for j in range(n)) for i in range(m)]
        v = [1 / n / sum(kernel[i][j] * u[i] for i in range(m)) for j in range(n)]
    forward, backward = directions([[u[i] * kernel[i][j] * v[j] for j in range(n)] for i in range(m)])
    return forward & backward
