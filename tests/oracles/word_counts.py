"""The statistical aligners with dictionaries, loops, every path of the hidden Markov model, and every alignment."""

import math
from collections import Counter, defaultdict
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

    def __init__(self, null, tension):
        self.null, self.tension, self.passes = null, tension, 0
        self.sizes, self.distance, self.words = [], 0.0, 0

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
        self.words += n
        return out, rest

    def update(self):
        if self.passes:
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
        self.sizes, self.distance, self.words = [], 0.0, 0


def every_path(t, none, null, jump):
    """Posteriors of a hidden Markov model, path by path.

    ``t[i][j]`` is p(word j | position i), ``none[j]`` p(word j | null), ``null`` the probability of null, and
    ``jump(d)`` the weight of a jump.
    """
    m, n = len(t), len(none)
    total, out = 0.0, [[0.0] * n for _ in range(m)]
    for path in product(range(-1, m), repeat=n):  # -1: from null
        weight, before = 1.0, -1
        for j, i in enumerate(path):
            if i < 0:
                weight *= null * none[j]
                continue
            weight *= (1 - null) * jump(i - before) / sum(jump(k - before) for k in range(m)) * t[i][j]
            before = i
        total += weight
        for j, i in enumerate(path):
            if i >= 0:
                out[i][j] += weight
    return [[x / total for x in row] for row in out]


def every_alignment(pairs, *, alpha, null_alpha, share, jump):
    """Posteriors of the links of a whole text, with the parameters integrated out, alignment by alignment.

    Source words generate target words. The probability of an alignment is that of its words under Dirichlet-multinomial
    distributions with priors ``alpha`` and ``null_alpha``, times ``share`` for each word from null, times ``jump(d)``
    for each jump, from -1 before the first word to the end of the sentence.
    """
    size = len({word for _, target in pairs for word in target})
    places = [(k, j) for k, (_, target) in enumerate(pairs) for j in range(len(target))]
    total, links = 0.0, defaultdict(float)
    for path in product(*(range(-1, len(pairs[k][0])) for k, _ in places)):
        log, counts = 0.0, defaultdict(Counter)
        before = [-1] * len(pairs)
        for (k, j), i in zip(places, path, strict=True):
            source, target = pairs[k]
            counts[source[i] if i >= 0 else None][target[j]] += 1
            if i < 0:
                log += math.log(share)
            else:
                log += math.log(jump(i - before[k]))
                before[k] = i
        log += sum(math.log(jump(len(source) - last)) for (source, _), last in zip(pairs, before, strict=True))
        for word, row in counts.items():
            prior = null_alpha if word is None else alpha
            log += math.lgamma(size * prior) - math.lgamma(size * prior + sum(row.values()))
            log += sum(math.lgamma(prior + c) - math.lgamma(prior) for c in row.values())
        total += math.exp(log)
        for (k, j), i in zip(places, path, strict=True):
            if i >= 0:
                links[k, i, j] += math.exp(log)
    return {link: weight / total for link, weight in links.items()}


def table(counts, alpha):
    """{(owner, word): count} → {(owner, word): probability}."""
    totals = defaultdict(float)
    for (owner, _), c in counts.items():
        totals[owner] += c + alpha
    if alpha:
        return {k: max(FLOOR, math.exp(digamma(c + alpha) - digamma(totals[k[0]]))) for k, c in counts.items()}
    return {k: max(FLOOR, c / totals[k[0]]) for k, c in counts.items()}


def train(pairs, *, iterations, alpha, null, tension):
    """IBM model 2: tables p(target | source) and p(source | target), p(word | null), positions, and posteriors."""
    places = [Diagonal(null, tension) for _ in range(2)]
    tables = nones = None
    words = [sorted({w for pair in pairs if all(pair) for w in pair[side]}) for side in (1, 0)]
    for step in range(iterations + 1):
        counts = [defaultdict(float), defaultdict(float)]
        none_counts = [defaultdict(float), defaultdict(float)]
        posteriors = []
        for source, target in pairs:
            found = []
            for way, (one, other) in enumerate(((source, target), (target, source))):
                if not source or not target:
                    continue
                t = [[tables[way][a, b] if tables else 1.0 for b in other] for a in one]
                joint, rest = places[way].posteriors(t, [nones[way][b] if nones else 1.0 for b in other])
                found.append(joint)
                for j, b in enumerate(other):
                    none_counts[way][b] += rest[j]
                    for i, a in enumerate(one):
                        counts[way][a, b] += joint[i][j]
            posteriors.append(found)
        if step == iterations:
            break
        tables = [table(some, alpha) for some in counts]
        nones = []
        for way in (0, 1):
            row = table({("", w): none_counts[way][w] for w in words[way]}, alpha)
            nones.append({w: p for (_, w), p in row.items()})
        for some in places:
            some.update()
    return tables, nones, places, posteriors
