"""Symmetrization as in the pseudo-code of Koehn, Och and Marcu: sets and loops over all positions."""

_NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def symmetrize(forward: set, backward: set, size: tuple[int, int], method: str) -> set:
    """Links of one sentence pair."""
    if method == "intersect":
        return forward & backward
    if method == "union":
        return forward | backward
    links = forward & backward

    def row(i):
        return any(a == i for a, _ in links)

    def column(j):
        return any(b == j for _, b in links)

    again = True
    while again:
        again = False
        for i in range(size[0]):
            for j in range(size[1]):
                for di, dj in _NEIGHBOURS if (i, j) in links else ():
                    new = (i + di, j + dj)
                    if new in forward | backward and new not in links and (not row(new[0]) or not column(new[1])):
                        links.add(new)
                        again = True
    if method != "grow-diag":
        test = all if method == "grow-diag-final-and" else any
        for direction in (forward, backward):
            for i, j in sorted(direction):
                if (i, j) not in links and test((not row(i), not column(j))):
                    links.add((i, j))
    return links
