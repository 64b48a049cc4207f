"""Messages for the person watching."""

from collections import Counter

from paralign.console import echo_dropped, progress_lines


def test_progress_is_printed_now_and_then_and_at_the_end(capsys):
    for quiet in (False, True):
        progress = progress_lines(10, "{:,} read, {} kept", last=1_234, quiet=quiet)
        for count in (4, 11, 20, 21, 1_230, 1_234):
            progress(count, count // 2)
    lines = ["11 read, 5 kept", "21 read, 10 kept", "1,230 read, 615 kept", "1,234 read, 617 kept"]
    assert capsys.readouterr().err.splitlines() == lines


def test_what_was_dropped_is_one_line(capsys):
    echo_dropped(Counter({"NUL": 1, "invalid UTF-8": 1_200, "header": 0}), "pairs")
    echo_dropped(Counter({"header": 0}), "pairs")
    echo_dropped(Counter(header=1), "pairs", quiet=True)
    assert capsys.readouterr().err == "pairs dropped: 1,200 invalid UTF-8, 1 NUL\n"
