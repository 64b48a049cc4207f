import pickle
from pathlib import Path

import pytest

from paralign.errors import UserError, file_location


def test_says_where_what_and_how_to_mend_it():
    error = UserError("no tab in the line", where=Path("a.tsv"), hint="write two columns")
    assert str(error) == "a.tsv: no tab in the line (write two columns)"
    assert (error.message, error.where, error.hint) == ("no tab in the line", "a.tsv", "write two columns")


def test_the_message_alone_is_enough():
    assert str(UserError("empty")) == "empty"


def test_is_one_line_whatever_it_quotes():
    assert str(UserError("two\nlines", hint="join\n  them")) == "two lines (join them)"


def test_is_a_value_error_and_survives_a_worker_process():
    error = pickle.loads(pickle.dumps(UserError("bad", where="f:3", hint="fix")))
    assert isinstance(error, ValueError)
    assert (str(error), error.where, error.hint) == ("f:3: bad (fix)", "f:3", "fix")


@pytest.mark.parametrize(("line", "text"), [(None, "a/b.tsv"), (7, "a/b.tsv:7")])
def test_located(line, text):
    assert file_location(Path("a/b.tsv"), line) == text
