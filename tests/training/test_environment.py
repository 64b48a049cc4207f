"""Notes on a run that is resumed in another environment."""

import pytest

from paralign.training.environment import describe_change, describe_environment
from paralign.version import __version__


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"ranks": 2}, "processes was 1, now 2: results are equal up to rounding, and dropout has other masks"),
        ({"device": "cuda"}, "device was 'cpu', now 'cuda': results are equal up to rounding, and dropout has other"),
        ({"precision": "bf16"}, "precision was 'fp32', now 'bf16': results are equal up to rounding"),
        ({"paralign": "9.0"}, f"paralign was '{__version__}', now '9.0': results may differ"),
    ],
)
def test_what_another_environment_changes(change, note):
    was = describe_environment(1, "fp32", "cpu")
    found = describe_change(was, was | change)
    assert found.startswith(f"note: {note}")
    assert ("dropout" in found) == ("dropout" in note)
