"""Messages for the person watching."""

from collections import Counter

from paralign.console import echo_dropped


def test_what_was_dropped_is_one_line(capsys):
    echo_dropped(Counter({"NUL": 1, "invalid UTF-8": 1_200, "header": 0}), "pairs")
    echo_dropped(Counter({"header": 0}), "pairs")
    echo_dropped(Counter(header=1), "pairs", quiet=True)
    assert capsys.readouterr().err == "pairs dropped: 1,200 invalid UTF-8, 1 NUL\n"
