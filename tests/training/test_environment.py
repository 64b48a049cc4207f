"""Notes on a run that is resumed in another environment."""

import pytest

from paralign.training.environment import describe_change, describe_environment


@pytest.mark.parametrize(
    ("ranks", "note"),
    [
        (2, "note: processes was 1, now 2: results are equal up to rounding, and dropout has other masks"),
        (1, "note: precision was 'fp32', now 'bf16': results are equal up to rounding"),
    ],
)
def test_only_another_number_of_processes_changes_dropout(ranks, note):
    was, now = describe_environment(1, "fp32"), describe_environment(ranks, "fp32" if ranks == 2 else "bf16")
    assert describe_change(was, now) == note
