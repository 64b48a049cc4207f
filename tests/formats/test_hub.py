"""Datasets in the formats of the hub, from folders: nothing is fetched in tests."""

import builtins
import json
from collections import Counter

import datasets
import pytest

from paralign.__main__ import main
from paralign.errors import UserError
from paralign.formats.items import Pair
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import parse_pairs, parse_text

ROWS = [("Hi.", "Hallo!"), ("  two ", "zwei"), ("three", None)]
WANTED = [Pair("Hi.", "Hallo!", 1), Pair("two", "zwei", 2), Pair("three", "", 3)]


def nested():
    return datasets.Dataset.from_list(
        [{"id": str(n), "translation": {"en": a, "de": b}} for n, (a, b) in enumerate(ROWS)]
    )


@pytest.fixture
def folders(tmp_path):
    """One dataset in every shape a folder may have."""
    (tmp_path / "parquet").mkdir()
    nested().to_parquet(tmp_path / "parquet/train.parquet")
    flat = datasets.Dataset.from_list([{"deu": b, "eng": a} for a, b in ROWS])
    (tmp_path / "json").mkdir()
    flat.to_json(tmp_path / "json/train.jsonl")
    nested().save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"test": nested(), "train": nested().select([0])}).save_to_disk(tmp_path / "splits")
    return tmp_path


@pytest.mark.parametrize("where", ["parquet", "json", "saved", "splits@test", "parquet@train"])
def test_every_shape_gives_the_same_pairs(folders, where):
    assert list(read_pairs(parse_pairs(f"en-de=hub:{folders}/{where}"))) == WANTED


def test_splits(folders):
    assert list(read_pairs(parse_pairs(f"en-de=hub:{folders}/splits"))) == WANTED[:1]
    with pytest.raises(UserError, match=r"no split 'dev' \(the dataset has: 'test', 'train'\)"):
        list(read_pairs(parse_pairs(f"en-de=hub:{folders}/splits@dev")))
    with pytest.raises(UserError, match=r"cannot open the dataset: .*dev"):
        list(read_pairs(parse_pairs(f"en-de=hub:{folders}/parquet@dev")))


def test_the_other_way_round(folders):
    found = list(read_pairs(parse_pairs(f"de-en=hub:{folders}/json")))
    assert [(pair.source, pair.target) for pair in found][:2] == [("Hallo!", "Hi."), ("zwei", "two")]


def test_texts_that_are_too_long(tmp_path):
    rows = [("a", "b"), ("ä" * 32_768, "c"), ("d", "e" * 65_535)]
    data = datasets.Dataset.from_list([{"eng": a, "deu": b, "text": a} for a, b in rows])
    data.to_json(tmp_path / "train.jsonl")
    for read in (lambda **more: read_pairs(parse_pairs(f"en-de=hub:{tmp_path}"), **more),
                 lambda **more: read_text(parse_text(f"en=hub:{tmp_path}"), **more)):  # fmt: skip
        with pytest.raises(UserError, match="the text is longer than 65,535 bytes"):
            list(read())
        dropped = Counter()
        assert len(list(read(lenient=True, dropped=dropped))) == 2
        assert dropped == {"line too long": 1}


def test_plain_text(folders, tmp_path):
    assert list(read_text(parse_text(f"de=hub:{folders}/parquet"))) == [(1, "Hallo!"), (2, "zwei"), (3, "")]
    (tmp_path / "plain").mkdir()
    datasets.Dataset.from_dict({"text": [" a  b", "c"]}).to_parquet(tmp_path / "plain/train.parquet")
    assert list(read_text(parse_text(f"fr=hub:{tmp_path}/plain"))) == [(1, "a b"), (2, "c")]


def test_a_column_of_row_numbers_is_not_indonesian(tmp_path):
    columns = {"id": ["row-1"], "en": ["a"], "ind": ["b"], "score": [1]}
    for name, keys in (("pairs", ("id", "en", "ind")), ("two", ("id", "score")), ("one", ("id", "en"))):
        (tmp_path / name).mkdir()
        datasets.Dataset.from_dict({key: columns[key] for key in keys}).to_parquet(tmp_path / name / "train.parquet")
    assert list(read_pairs(parse_pairs(f"id-en=hub:{tmp_path}/pairs"))) == [Pair("b", "a", 1)]
    assert list(read_text(parse_text(f"id=hub:{tmp_path}/pairs"))) == [(1, "b")]
    assert list(read_text(parse_text(f"id=hub:{tmp_path}/one"))) == [(1, "row-1")]
    with pytest.raises(UserError, match="no column 'text' or 'id' among 'id', 'score'") as found:
        list(read_text(parse_text(f"id=hub:{tmp_path}/two")))
    assert "rename it to 'ind'" in found.value.hint


def test_a_missing_column(folders):
    with pytest.raises(UserError, match="no key for fr among 'en', 'de'") as found:
        list(read_pairs(parse_pairs(f"en-fr=hub:{folders}/parquet")))
    assert found.value.where == f"hub:{folders}/parquet:1"
    with pytest.raises(UserError, match="no column 'text' or 'fr' among 'deu', 'eng'"):
        list(read_text(parse_text(f"fr=hub:{folders}/json")))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("hub:", "cannot read the dataset"),
        ("hub:a#b#c", "cannot read the dataset"),
        ("hub:./none", "no such folder"),
        ("hub:/none/at/all", "no such folder"),
    ],
)
def test_names_that_mean_nothing(path, message):
    with pytest.raises(UserError, match=message):
        list(read_pairs(parse_pairs(f"en-de={path}")))


def test_damaged_files(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/train.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(UserError, match=r"cannot (open|read) the dataset"):
        list(read_pairs(parse_pairs(f"en-de=hub:{tmp_path}/bad")))


def test_without_the_extra(folders, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "datasets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match="datasets is not installed") as found:
        list(read_pairs(parse_pairs(f"en-de=hub:{folders}/parquet")))
    assert "paralign[hub]" in str(found.value)


def test_through_the_commands(folders, tmp_path, capsys):
    given = ["--pairs", f"en-de=hub:{folders}/parquet", "--quiet"]
    assert main(["corpus", "convert", *given, "--out", str(tmp_path / "a.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines[1] == {"translation": {"en": "two", "de": "zwei"}}
    assert main(["corpus", "show", f"en-de=hub:{folders}/json"]) == 0
    assert "Hallo!" in capsys.readouterr().out
    tail = ["--set", "data.min_pieces=1", "--out", str(tmp_path / "store")]
    assert main(["corpus", "build", "--model", "paralign-mini", *given, *tail]) == 0
    meta = json.loads((tmp_path / "store/meta.json").read_text())
    assert meta["specs"][0]["kept"] == 2
    assert main(["words", *given, "--out", str(tmp_path / "links")]) == 0
    assert len((tmp_path / "links").read_text().split("\n")) == 4
    assert main(["corpus", "check", *given, "--out", str(tmp_path / "check")]) == 0
