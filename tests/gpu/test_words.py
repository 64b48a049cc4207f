"""Word aligners find the same links on a device as on the CPU."""

import pytest

from paralign.smallworld import World
from paralign.words.similarity import SimilarityConfig, align_by_similarity
from tests.gpu.comparing import perturb

pytestmark = pytest.mark.gpu


def differing_share(first, second):
    """Return the share of links that only one of the two has."""
    a, b = ({(k, *link) for k, some in enumerate(links) for link in some} for links in (first, second))
    assert len(a) > 100
    return len(a ^ b) / len(a | b)


@pytest.mark.parametrize("unit", ["piece", "word", "both"])
@pytest.mark.parametrize("matching", ["argmax", "itermax", "softmax", "transport"])
def test_links_by_similarity_equal_those_on_the_cpu(
    matching, unit, device, make_cpu_encoder, make_device_encoder, record_property
):
    world = World(0)
    pairs = [(world.sentence(k, "en").text, world.sentence(k, "de").text) for k in range(60)]
    config = SimilarityConfig(matching=matching, unit=unit)
    on_cpu, on_device = make_cpu_encoder().eval(), make_device_encoder().eval()
    for encoder in (on_cpu, on_device):
        perturb(encoder)
    on_device.to(device)
    expected, actual = (list(align_by_similarity(encoder, pairs, config)) for encoder in (on_cpu, on_device))
    difference = differing_share(expected, actual)
    record_property("differing_links", difference)
    assert difference <= 2e-3
    half = list(align_by_similarity(on_device, pairs, config.model_copy(update={"precision": "bf16"})))
    record_property("differing_links_bf16", differing_share(expected, half))
    assert differing_share(expected, half) < 0.2
