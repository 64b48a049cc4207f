"""Language tags against hand-written lists of what the field's data sets call their languages."""

import pytest

from paralign.errors import UserError
from paralign.text.language_tags import canonical_tag, known_tags

UD_PUD = "ar cs de en es fi fr gl hi id is it ja ko pl pt ru sv th tr zh".split()  # noqa: SIM905
XNLI = "ar bg de el en es fr hi ru sw th tr ur vi zh".split()  # noqa: SIM905
TATOEBA = {
    "afr": "af", "ara": "ar", "ben": "bn", "bul": "bg", "cmn": "zh", "deu": "de", "ell": "el", "est": "et",
    "eus": "eu", "fin": "fi", "fra": "fr", "heb": "he", "hin": "hi", "hun": "hu", "ind": "id", "ita": "it",
    "jav": "jv", "jpn": "ja", "kat": "ka", "kaz": "kk", "kor": "ko", "mal": "ml", "mar": "mr", "nld": "nl",
    "pes": "fa", "por": "pt", "rus": "ru", "spa": "es", "swh": "sw", "tam": "ta", "tel": "te", "tgl": "tl",
    "tha": "th", "tur": "tr", "urd": "ur", "vie": "vi", "zsm": "ms", "lvs": "lv", "sqi": "sq", "ceb": "ceb",
}  # fmt: skip
NTREX = {"zho-CN": "zh", "zho-TW": "zh", "srp-Latn": "sr", "eng-GB": "en", "arb": "ar", "por-BR": "pt"}


@pytest.mark.parametrize("name", ["deu", "ger", "german", "German", "GERMAN", "de-DE", "de_DE", "de_DE.UTF-8", " de "])
def test_german_under_every_name(name: str) -> None:
    assert canonical_tag(name) == "de"


@pytest.mark.parametrize("name", ["zho", "chi", "cmn", "zh-CN", "zh_CN", "zh-Hant-TW", "Chinese", "mandarin"])
def test_chinese_under_every_name(name: str) -> None:
    assert canonical_tag(name) == "zh"


def test_the_tags_of_the_data_sets_stay() -> None:
    assert [canonical_tag(tag) for tag in UD_PUD + XNLI] == UD_PUD + XNLI
    assert {tag: canonical_tag(tag) for tag in {**TATOEBA, **NTREX}} == {**TATOEBA, **NTREX}


def test_norwegian_is_bokmal_and_nynorsk_its_own() -> None:
    assert [canonical_tag(t) for t in ("no", "nor", "nob", "nb", "Norwegian Bokmål", "nno")] == ["nb"] * 5 + ["nn"]


def test_a_canonical_tag_is_its_own() -> None:
    assert len(known_tags()) >= 150
    assert [canonical_tag(tag) for tag in known_tags()] == known_tags()


def test_private_use_names_another_language() -> None:
    assert canonical_tag("eng-x-inv") == "en-x-inv"
    assert canonical_tag("en-US-x-Trans-syn") == "en-x-trans-syn"


@pytest.mark.parametrize(("wrong", "hint"), [("germn", "german"), ("Frensh", "french")])
def test_a_slip_gets_a_hint(wrong: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{hint}'"):
        canonical_tag(wrong)


@pytest.mark.parametrize("wrong", ["", "x", "12", "q9", "en de", "de-", "klingon-language", "../de"])
def test_unknown_is_an_error(wrong: str) -> None:
    with pytest.raises(UserError, match="unknown language"):
        canonical_tag(wrong)
