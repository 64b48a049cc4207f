"""Word aligners find the same links on a device as on the CPU."""

import pytest
import torch

import paralign
from paralign.smallworld import World
from paralign.words.similarity import SimilarityConfig, align_by_similarity
from tests.gpu.comparing import computing_on, shake

pytestmark = pytest.mark.gpu


def unlike(one, other):
    """Share of links that only one of two has."""
    a, b = ({(k, *link) for k, some in enumerate(links) for link in some} for links in (one, other))
    assert len(a) > 100
    return len(a ^ b) / len(a | b)


@pytest.mark.parametrize("method", ["ibm", "hmm"])
def test_counted_links_are_the_cpus(method, device, tmp_path, record_property):
    """Counts are sums in fp32, in another order on a device: a link in a thousand may be a tie."""
    found = []
    for place in (torch.device("cpu"), device):
        with computing_on(place):
            links, score = paralign.align_words(
                "en-de=smallworld:0-600", out=tmp_path / "links", method=method, gold="smallworld", quiet=True
            )
        found.append((list(links), score.aer))
    apart = unlike(found[0][0], found[1][0])
    record_property("unlike_links", apart)
    assert apart <= 1e-3
    assert abs(found[0][1] - found[1][1]) < 1e-3


@pytest.mark.parametrize("unit", ["piece", "word"])
@pytest.mark.parametrize("matching", ["argmax", "itermax", "softmax", "transport"])
def test_links_by_similarity_are_the_cpus(matching, unit, device, make_plain, make_fast, record_property):
    world = World(0)
    pairs = [(world.sentence(k, "en").text, world.sentence(k, "de").text) for k in range(60)]
    config = SimilarityConfig(matching=matching, unit=unit)
    plain, fast = make_plain().eval(), make_fast().eval()
    for encoder in (plain, fast):
        shake(encoder)
    fast.to(device)
    right, found = (list(align_by_similarity(encoder, pairs, config)) for encoder in (plain, fast))
    apart = unlike(right, found)
    record_property("unlike_links", apart)
    assert apart <= 2e-3
    half = list(align_by_similarity(fast, pairs, config.model_copy(update={"precision": "bf16"})))
    record_property("unlike_links_bf16", unlike(right, half))
    assert unlike(right, half) < 0.2
