"""Mining sets in BUCC's format."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.formats.items import MiningSet
from paralign.formats.lines import write_lines
from paralign.sources.readers import read_mining
from paralign.sources.specs import parse_pairs

DE = "de-1\tEins.\nde-2\tZwei  hier.\nde-3\tDrei\tvier.\n"
EN = "en-1\tOne.\nen-2\tTwo here.\n"
GOLD = "de-1\ten-1\nde-3\ten-2\n"
WANTED = MiningSet(
    ["Eins.", "Zwei hier.", "Drei vier."],
    ["de-1", "de-2", "de-3"],
    ["One.", "Two here."],
    ["en-1", "en-2"],
    frozenset({("de-1", "en-1"), ("de-3", "en-2")}),
)


def save(folder: Path, de: str = DE, en: str = EN, gold: str | None = GOLD) -> str:
    (folder / "de-en.dev.de").write_text(de, encoding="utf-8")
    (folder / "de-en.dev.en.gz").write_bytes(gzip.compress(en.encode()))
    if gold is not None:
        (folder / "de-en.dev.gold").write_text(gold, encoding="utf-8")
    return f"de-en={folder}/de-en.dev"


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_by_hand(tmp_path: Path, ending: str) -> None:
    spec = save(tmp_path)
    write_lines(tmp_path / f"de-en.dev.gold{ending}", GOLD.splitlines())
    if ending:
        (tmp_path / "de-en.dev.gold").unlink()
    assert read_mining(parse_pairs(spec)) == WANTED


def test_derived_languages_are_read_from_their_originals(tmp_path: Path) -> None:
    spec = save(tmp_path).replace("de-en=", "de:en~inv=")
    made = read_mining(parse_pairs(spec))
    assert made.source == WANTED.source
    assert made.target == ["One.", "here Two."]
    assert made.gold == WANTED.gold
    (tmp_path / "o.json").write_text('{"schema": 1, "counts": {}}')
    with pytest.raises(UserError, match="en~syn@o needs trees"):
        read_mining(parse_pairs(spec.replace("~inv", f"~syn@{tmp_path / 'o.json'}")))


def test_without_gold(tmp_path: Path) -> None:
    spec = parse_pairs(save(tmp_path, gold=None))
    assert read_mining(spec, labeled=False).gold == frozenset()
    with pytest.raises(UserError, match=r"de-en\.dev\.gold: no such file"):
        read_mining(spec)
    unusable = parse_pairs(save(tmp_path, gold="of another part\n"))
    assert read_mining(unusable, labeled=False).gold == frozenset()


FAULTS = [
    ({"de": DE + "de-1\tNochmal.\n"}, "duplicate id", r"dev\.de:4: an earlier sentence has the id 'de-1'"),
    ({"de": DE + "de-4\n"}, "missing tab", r"dev\.de:4: the line has one column"),
    ({"de": DE + "\tVier.\n"}, "missing id", r"dev\.de:4: the id is empty"),
    ({"en": EN + "en-3\t \n"}, "missing sentence", r"dev\.en\.gz:3: the sentence of 'en-3' is empty"),
    ({"gold": GOLD + "de-9\ten-1\n"}, "unknown id", r"dev\.gold:3: no sentence of de has the id 'de-9'"),
    ({"gold": GOLD + "de-2\ten-9\n"}, "unknown id", r"dev\.gold:3: no sentence of en has the id 'en-9'"),
    ({"gold": GOLD + "de-2 en-1\n"}, "missing tab", r"dev\.gold:3: the line has one column"),
]


@pytest.mark.parametrize(("files", "reason", "message"), FAULTS)
def test_faults(tmp_path: Path, files: dict[str, str], reason: str, message: str) -> None:
    spec = parse_pairs(save(tmp_path, **files))
    with pytest.raises(UserError, match=message + r".*--lenient"):
        read_mining(spec)
    dropped: Counter[str] = Counter()
    assert read_mining(spec, lenient=True, dropped=dropped) == WANTED
    assert dropped == {reason: 1}


@pytest.mark.parametrize("lenient", [False, True])
def test_reversed_gold(tmp_path: Path, lenient: bool) -> None:
    spec = parse_pairs(save(tmp_path, gold="en-1\tde-1\n"))
    with pytest.raises(UserError, match=r"gold:1: the columns are swapped: 'en-1' .*\(write en-de=.*dev\)"):
        read_mining(spec, lenient=lenient)


def test_nothing_to_mine(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sentence in the file"):
        read_mining(parse_pairs(save(tmp_path, de="\n")))
    with pytest.raises(UserError, match="no gold pair in the file"):
        read_mining(parse_pairs(save(tmp_path, gold="\n")))
    with pytest.raises(UserError, match="small world"):
        read_mining(parse_pairs("de-en=smallworld"))
