"""The statistical aligner with dictionaries, loops, and every path of the hidden Markov model."""

import math
from collections import defaultdict
from itertools import product

FLOOR = 1e-9


def digamma(x):
    """By its recurrence and asymptotic series."""
    out = 0.0
    while x < 12:
        out -= 1 / x
        x += 1
    return out + math.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6)


class Diagonal:
    """Prior and gradient by their definitions."""

    def __init__(self, null, tension, learn_null):
        self.null, self.tension, self.learn_null, self.passes = null, tension, learn_null, 0
        self.sizes, self.distance, self.nulls, self.words = [], 0.0, 0.0, 0

    def prior(self, m, n, j):
        weights = [math.exp(-self.tension * abs((i + 1) / m - (j + 1) / n)) for i in range(m)]
        return [(1 - self.null) * w / sum(weights) for w in weights]

    def posteriors(self, t, none):
        m, n = len(t), len(none)
        out, rest = [[0.0] * n for _ in range(m)], [0.0] * n
        for j in range(n):
            joint = [p * t[i][j] for i, p in enumerate(self.prior(m, n, j))]
            total = sum(joint) + self.null * none[j]
            rest[j] = self.null * none[j] / total
            for i in range(m):
                out[i][j] = joint[i] / total
                self.distance += out[i][j] * abs((i + 1) / m - (j + 1) / n)
        self.sizes.append((m, n))
        self.nulls += sum(rest)
        self.words += n
        return out, rest

    def update(self):
        if self.passes:
            if self.learn_null:
                self.null = min(max(self.nulls / self.words, 0.005), 0.4)
            for _ in range(8):
                expected = 0.0
                for m, n in self.sizes:
                    for j in range(n):
                        away = [abs((i + 1) / m - (j + 1) / n) for i in range(m)]
                        weights = [math.exp(-self.tension * d) for d in away]
                        expected += sum(w * d for w, d in zip(weights, away, strict=True)) / sum(weights)
                step = 20 * (expected - self.distance) / self.words
                self.tension = min(max(self.tension + step, 0.1), 14.0)
        self.passes += 1
        self.sizes, self.distance, self.nulls, self.words = [], 0.0, 0.0, 0


class Jumps:
    """All paths, one after the other."""

    def __init__(self, null, farthest=15):
        self.null, self.farthest = null, farthest
        some = {d: math.exp(-abs(d - 1) / 2) + 0.01 for d in range(-farthest, farthest + 1)}
        self.weights = {d: w / sum(some.values()) for d, w in some.items()}
        self.jumps, self.nulls, self.words = defaultdict(float), 0.0, 0

    def jump(self, before, i):
        return max(-self.farthest, min(self.farthest, i - before))

    def posteriors(self, t, none):
        m, n = len(t), len(none)
        total = 0.0
        out, rest, jumps = [[0.0] * n for _ in range(m)], [0.0] * n, defaultdict(float)
        for path in product(range(-1, m), repeat=n):  # -1: from none
            weight, before, moved = 1.0, -1, []
            for j, i in enumerate(path):
                if i < 0:
                    weight *= self.null * none[j]
                    continue
                leave = sum(self.weights[self.jump(before, k)] for k in range(m))
                moved.append(self.jump(before, i))
                weight *= (1 - self.null) * self.weights[moved[-1]] / leave * t[i][j]
                before = i
            total += weight
            for j, i in enumerate(path):
                if i < 0:
                    rest[j] += weight
                else:
                    out[i][j] += weight
            for d in moved:
                jumps[d] += weight
        for d, weight in jumps.items():
            self.jumps[d] += weight / total
        rest = [x / total for x in rest]
        self.nulls += sum(rest)
        self.words += n
        return [[x / total for x in row] for row in out], rest

    def update(self):
        counts = {d: self.jumps[d] + 0.5 for d in self.weights}
        self.weights = {d: c / sum(counts.values()) for d, c in counts.items()}
        self.null = min(max(self.nulls / self.words, 0.005), 0.4)
        self.jumps, self.nulls, self.words = defaultdict(float), 0.0, 0


def table(counts, alpha):
    """{(owner, word): count} → {(owner, word): probability}."""
    totals = defaultdict(float)
    for (owner, _), c in counts.items():
        totals[owner] += c + alpha
    if alpha:
        return {k: max(FLOOR, math.exp(digamma(c + alpha) - digamma(totals[k[0]]))) for k, c in counts.items()}
    return {k: max(FLOOR, c / totals[k[0]]) for k, c in counts.items()}


def train(pairs, *, iterations, hmm, agreement, alpha, null, tension):
    """Tables p(target | source) and p(source | target), nones, and positions."""
    places = [Diagonal(null, tension, agreement and not hmm) for _ in range(2)]
    tables = nones = None
    words = [sorted({w for pair in pairs for w in pair[side]}) for side in (1, 0)]
    for step in range(iterations + hmm):
        if step == iterations:
            places = [Jumps(null) for _ in range(2)]
        together = agreement and (step >= iterations if hmm else step > 0)
        counts = [defaultdict(float), defaultdict(float)]
        none_counts = [defaultdict(float), defaultdict(float)]
        for source, target in pairs:
            if not source or not target:
                continue
            found = []
            for way, (one, other) in enumerate(((source, target), (target, source))):
                t = [[tables[way][a, b] if tables else 1.0 for b in other] for a in one]
                rest = [nones[way][b] if nones else 1.0 for b in other]
                joint, rest = places[way].posteriors(t, rest)
                found.append(joint)
                for b, x in zip(other, rest, strict=True):
                    none_counts[way][b] += x
            for i, a in enumerate(source):
                for j, b in enumerate(target):
                    ways = [found[0][i][j], found[1][j][i]]
                    if together:
                        ways = [ways[0] * ways[1]] * 2
                    counts[0][a, b] += ways[0]
                    counts[1][b, a] += ways[1]
        tables = [table(some, alpha) for some in counts]
        nones = []
        for way in (0, 1):
            row = table({("", w): none_counts[way][w] for w in words[way]}, alpha)
            nones.append({w: p for (_, w), p in row.items()})
        for some in places:
            some.update()
    return tables, nones, places
