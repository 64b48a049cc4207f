import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics import exact_match, mlqa_exact, mlqa_f1, mlqa_normalize
from tests.oracles import answers_by_character as oracle

PIECES = {
    "en": ["the", "a", "an", "theatre", "band", "The", "Ohio"],
    "es": ["el", "La", "los", "las", "un", "unos", "unas", "del", "al", "lado", "año", "él"],
    "de": ["Der", "die", "das", "den", "dem", "des", "ein", "einer", "einzig", "kein", "Straße", "DIE"],
    "vi": ["của", "là", "cái", "chiếc", "những", "Làng", "nước", unicodedata.normalize("NFD", "là")],
    "hi": ["एक", "दिल्ली", "में", "१९४७", "।", "का"],
    "ar": ["ال", "القاهرة", "في", "والمدينة", "حال", "ا", "ل", "١٩٤٧", "؟", "،", "الليل"],
    "zh": [
        "北京",
        "大学",
        "的",
        "NBA",
        "iPhone 6",
        "1949年",
        "。",
        "《",
        "》",
        "、",
        "\u9fa5\u9fa6",
        "\u3400",
        "𠀀",
        "ニ",
    ],
}
GLUE = [
    " ",
    " ",
    "-",
    "'",
    "\u00a0",
    "\u3000",
    "«",
    "。",
    "।",
    "؟",
    ".",
    "$",
    "+",
    "_",
    "\u200b",
    "\n",
    "“",
    "…",
    "\u05be",
]


def answers(language):
    pieces = st.sampled_from(PIECES[language] + GLUE)
    return st.one_of(
        st.lists(pieces, max_size=9).map("".join),
        st.lists(st.sampled_from(PIECES[language]), max_size=6).map(" ".join),
        st.text(max_size=10),
        st.sampled_from(["", " ", "。", PIECES[language][0]]),
    )


@pytest.mark.parametrize("language", sorted(PIECES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_against_the_definition(language, data):
    prediction = data.draw(answers(language))
    golds = data.draw(st.lists(answers(language), min_size=1, max_size=3))
    if data.draw(st.booleans()):  # overlap with a gold answer, which random ones seldom have
        prediction = golds[0][data.draw(st.integers(0, 2)) :] + data.draw(st.sampled_from(["", " ", "x", "。"]))
    exact, overlap = oracle.scores(prediction, golds, lambda text: oracle.mlqa_tokens(text, language))
    assert mlqa_normalize(prediction, language) == " ".join(oracle.mlqa_tokens(prediction, language))
    assert mlqa_exact(prediction, golds, language) == (exact, 1)
    score, of = mlqa_f1(prediction, golds, language)
    assert (score, of) == (pytest.approx(float(overlap), abs=1e-15), 1)


@pytest.mark.parametrize(
    ("language", "text", "normal"),
    [
        ("en", "The «A» team’s end", "teams end"),
        ("es", "¿El año de la Unión?", "año de unión"),
        ("es", "los Ángeles, un lado del", "ángeles lado del"),
        ("de", "Der Einzige – die Straße der", "einzige straße"),
        ("de", "das Haus eines keiner", "haus keiner"),
        ("vi", "những người của làng là", "người làng"),
        ("hi", "“एक” दिल्ली।", "एक दिल्ली"),
        ("ar", "القاهرة، والمدينة", "قاهرة و مدينة"),
        ("ar", "حال الليل؟", "ح ليل"),  # inside words too
        ("zh", "北京大学（Peking University），建于1898年。", "北 京 大 学 peking university 建 于 1898 年"),
        ("zh", "NBA，1949", "nba1949"),  # punctuation goes before anything is split
        ("zh", "《三国》A股、NBA", "三 国 a 股 nba"),
        ("zh", "𠀀𠀁京", "𠀀𠀁 京"),  # outside U+4E00-U+9FA5: not split
        ("zh", "the 北", "the 北"),  # no articles
    ],
)
def test_normal_form(language, text, normal):
    assert mlqa_normalize(text, language) == normal


def test_worked_chinese_f1():
    """北京大学 against 北京的大学 (5 characters): P = 4/4, R = 4/5, F1 = 8/9; SQuAD's sees two words: 0."""
    assert mlqa_f1("北京大学", ["北京的大学"], "zh")[0] == pytest.approx(8 / 9)
    assert mlqa_f1("北京大学", ["北京的大学"], "en")[0] == 0
    assert mlqa_f1("NBA 球员", ["NBA球队", "球"], "zh")[0] == pytest.approx(2 / 3)
    assert mlqa_exact("北京大学。", ["北京 大学"], "zh") == (1, 1)


def test_articles_matter():
    assert mlqa_exact("القاهرة", ["قاهرة"], "ar") == (1, 1)
    assert mlqa_exact("القاهرة", ["قاهرة"], "hi") == (0, 1)
    assert mlqa_f1("den Haag", ["Den Haag, die Stadt"], "de")[0] == pytest.approx(2 / 3)
    assert mlqa_exact("दिल्ली।", ["दिल्ली"], "hi") == (1, 1)
    assert exact_match("दिल्ली।", ["दिल्ली"]) == (0, 1)  # SQuAD's script keeps the danda


def test_empty_predictions():
    assert mlqa_exact("", ["北京"], "zh") == mlqa_f1("", ["北京"], "zh") == (0, 1)
    assert mlqa_exact("", ["die"], "de") == (1, 1)
    assert mlqa_f1("", ["die"], "de") == (0, 1)
    with pytest.raises(ValueError, match="list of at least one gold answer"):
        mlqa_f1("", [], "en")


@pytest.mark.parametrize(
    ("language", "text", "normal"),
    [
        ("zh-TW", "臺北。", "臺 北"),
        ("fr", "Le «chat»", "le chat"),
        ("ja", "東京タワーの NHK ビル", "東 京 タ ワ ー の nhk ビ ル"),
        ("th", "กรุงเทพ BTS", "ก ร ุ ง เ ท พ bts"),
        ("ko", "서울 타워", "서울 타워"),
    ],
)
def test_languages_that_mlqa_does_not_have(language, text, normal):
    assert mlqa_normalize(text, language) == normal
