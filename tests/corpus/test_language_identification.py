"""Text in another language than its tag says."""

import errno
import os

import pytest

from paralign.corpus import language_identification
from paralign.corpus.language_identification import (
    check_languages,
    describe_mismatch,
    describe_wrong_language,
    estimate_language,
    language_warnings,
)
from paralign.errors import UserError
from paralign.smallworld import World
from paralign.sources.specs import PairSpec, TextSpec


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    world = World(0)
    return {tag: [world.sentence(i, tag).text for i in range(240)] for tag in ("en", "de", "fr", "es", "zh", "hi")}


def test_every_language_is_known_by_its_text_and_no_other(told):
    for tag, texts in told.items():
        for asked in told:
            message = describe_wrong_language(texts, asked)
            assert (message is None) == (asked == tag), (tag, asked, message)
            if message:
                assert message.startswith(f"looks like {tag} (")


def test_little_text_unknown_languages_and_mixtures_are_not_judged(told):
    assert describe_wrong_language(told["fr"][:90], "de") is None
    assert describe_wrong_language(told["fr"], "gsw") is None
    mixed = [text for pair in zip(told["fr"], told["de"], strict=True) for text in pair]
    assert describe_wrong_language(mixed, "de") is None


def test_without_space_for_the_model_nothing_is_judged_and_one_warning_says_so(told, monkeypatch, capsys):
    def load(*_):
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr("py3langid.langid.IDENTIFIER", None)
    monkeypatch.setattr("py3langid.langid._load_model_file", load)
    language_identification._warn_of_temporary_folder.cache_clear()
    for _ in range(2):
        assert estimate_language(told["fr"], "de") is None
        assert describe_mismatch(told["fr"], "de") is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("WARNING language identification needs 70 MB in the temporary folder (TMPDIR)")


SPOKEN = {
    "nb": ["Hunden løper over veien og bjeffer høyt.", "Vi har dessverre ikke tid til det i dag."],
    "kmr": ["Ez îro diçim bajêr û ji te re pirtûkekê dikirim.", "Zarok li ber derî dilîzin û kêfxweş in."],
    "gn": ["Che aikuaase mba'épa ojehu ko árape.", "Mitãnguéra oñembosarái okaháre ha ovy'a."],
}


@pytest.mark.parametrize("tag", SPOKEN)
def test_languages_that_the_identifier_names_otherwise(told, tag):
    """Its codes are no, ku and gug."""
    texts = SPOKEN[tag] * 60
    assert describe_wrong_language(texts, tag) is None
    assert describe_wrong_language(told["de"], tag) == "looks like de (100% of 60 samples, " + tag + " 0%)"
    assert describe_wrong_language(texts, "de") == f"looks like {tag} (100% of 30 samples, de 0%)"
    assert describe_wrong_language(SPOKEN["nb"] * 60, "da") is None  # not to be distinguished


def test_a_corpus_is_refused_with_the_side_that_is_wrong(told, tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in zip(told["en"], told["fr"], strict=True)))
    check_languages([PairSpec("en", "fr", str(tmp_path / "a.tsv")), TextSpec("de", "smallworld"), TextSpec("de", "-")])
    with pytest.raises(UserError, match=r"tagged 'de' looks like fr \(\d+% of 60 samples, de \d+%\)") as error:
        check_languages([PairSpec("en", "de", str(tmp_path / "a.tsv"))])
    assert error.value.where == str(tmp_path / "a.tsv")
    with pytest.raises(UserError, match="tagged 'fr' looks like en"):
        check_languages([PairSpec("fr", "en", str(tmp_path / "a.tsv"))])


def test_blank_lines_say_nothing_and_pipes_are_not_read(told, tmp_path):
    assert describe_wrong_language([""] * 1200 + told["de"], "de") is None
    assert describe_wrong_language([""] * 1200 + told["de"], "fr")
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    check_languages([TextSpec("de", str(tmp_path / "pipe"))])


RUSSIAN = ["Привет, мир", "Кот видит дом", "Мы едим рыбу", "Она читает книгу", "Вода в реке холодная"]


def test_a_script_is_known_from_five_texts():
    message = "expected text in de (Latin script), found Cyrillic script in 100% of 5 sentences"
    assert describe_mismatch(RUSSIAN, "de") == message
    assert describe_mismatch(RUSSIAN, "de~inv") == message
    assert describe_mismatch(RUSSIAN[:4], "de") is None
    assert describe_mismatch([*RUSSIAN, "", "12", "guten Tag"], "de").endswith(
        "found Cyrillic script in 71% of 7 sentences"
    )
    assert describe_mismatch([*RUSSIAN, *["guten Tag"] * 6], "de") is None
    assert describe_mismatch(RUSSIAN, "ru") is None
    assert describe_mismatch(["word", "дом", "мир"] * 3, "sr") is None  # written in both
    assert describe_mismatch(["Haus"] * 5, "zh").startswith("expected text in zh (Han script), found Latin script")


def test_a_language_is_named_next_to_the_expected_one(told):
    assert describe_mismatch(told["fr"], "de").startswith("expected text in de, found text that looks like fr (")
    assert describe_mismatch(told["fr"], "fr") is None
    # Single words are not judged by their language, but by their script.
    words = [word for text in told["fr"] for word in text.split()]
    assert describe_mismatch(words, "de") is None
    assert "found Latin script in" in describe_mismatch(words, "hi")


def test_warnings_name_the_file_of_the_side(told, tmp_path):
    for tag in ("en", "fr"):
        (tmp_path / f"a.{tag}").write_text("".join(f"{text}\n" for text in told[tag]))
    spec = PairSpec("en", "de", f"{tmp_path}/a.en,{tmp_path}/a.fr")
    (warning,) = language_warnings([spec, TextSpec("de", "smallworld"), TextSpec("de", "-")])
    assert warning.startswith(f"{tmp_path}/a.fr: expected text in de, found text that looks like fr (")
    (warning,) = language_warnings([PairSpec("zh", "fr", f"{tmp_path}/a.en,{tmp_path}/a.fr")])
    assert warning.startswith(f"{tmp_path}/a.en: expected text in zh (Han script), found Latin script in 100% of ")
