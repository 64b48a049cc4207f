"""Questions: text to the character, every fault with its question."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats.items import Question
from paralign.sources.readers import read_questions

CONTEXT = "\ufeffRome  is old. 罗马很老。 Rome\u0301 stays."


def item(name: object = "q1", start: object = 1, text: object = "Rome", **more: object) -> dict[str, Any]:
    return {"id": name, "question": "Which  city?", "answers": [{"text": text, "answer_start": start}]} | more


def save(path: Path, *items: dict[str, Any], context: object = CONTEXT) -> Path:
    whole = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(items)}]}]}
    data = json.dumps(whole).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path: object, languages: tuple[str, str] = ("en", "en"), **options: object) -> list[Question]:
    return list(read_questions(str(path), languages=languages, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_text_is_kept_to_the_character(tmp_path: Path, name: str) -> None:
    answers = [{"text": "罗马", "answer_start": 15}, {"text": "Rome  is", "answer_start": 1}]
    got = read(save(tmp_path / name, item(answers=answers), item(7, is_impossible=False)))
    assert got == [
        Question("q1", "Which  city?", CONTEXT, ("罗马", "Rome  is"), (15, 1)),
        Question("7", "Which  city?", CONTEXT, ("Rome",), (1,)),
    ]


@given(context=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip), data=st.data())
def test_any_span_is_found_and_any_other_offset_refused(tmp_path_factory, context: str, data: Any) -> None:  # type: ignore[no-untyped-def]
    spans = [(i, j) for i in range(len(context)) for j in range(i + 1, len(context) + 1) if context[i:j].strip()]
    start, end = data.draw(st.sampled_from(spans))
    text = context[start:end]
    file = tmp_path_factory.mktemp("qa", numbered=True) / "a.json"
    (got,) = read(save(file, item(start=start, text=text), context=context))
    assert (got.context, got.answers, got.starts) == (context, (text,), (start,))
    wrong = data.draw(st.integers(-len(context) - 2, len(context) + 2))
    if not (wrong >= 0 and context.startswith(text, wrong)):
        with pytest.raises(UserError, match="question q1"):
            read(save(file, item(start=wrong, text=text), context=context))


FAULTS = {
    "empty answer": (item(text=""), "has no text"),
    "empty answer ": (item(text=" ", start=5), "has no text"),
    "answer not at its offset": (item(start=2), r"'Rome' is not at 2, the paragraph has 'ome ' there"),
    "answer not at its offset ": (item(start=-4), "at -4 is not inside the paragraph"),
    "answer not at its offset  ": (item(start=len(CONTEXT) - 2), "is not inside the paragraph"),
    "answer not at its offset   ": (item(start=3, text="old"), "it occurs only at 10"),
    "answer not at its offset    ": (item(start=3, text="new"), "it is not in the paragraph"),
    "answer not at its offset     ": (item(start="1"), "has no 'answer_start'"),
    "answer not at its offset      ": (item(answers=["Rome"]), "not an object"),
    "no answer": (item(answers=[]), "answers are missing"),
    "impossible question": (item(is_impossible=True), "SQuAD v2.*v1.1"),
    "incomplete question": (item(question=" "), "the question is missing or empty"),
    "lone surrogate": (item(question="\ud800"), r"half of a surrogate pair .* in the question"),
    "lone surrogate ": (item("q\ud800"), r"half of a surrogate pair .* in the id"),
}


@pytest.mark.parametrize("reason", list(FAULTS))
def test_faults(tmp_path: Path, reason: str) -> None:
    bad, message = FAULTS[reason]
    file = save(tmp_path / "a.json", item("q0"), bad)
    with pytest.raises(UserError, match=rf"a\.json: question q.+: .*{message}.*--lenient"):
        read(file)
    dropped: Counter[str] = Counter()
    assert [q.id for q in read(file, lenient=True, dropped=dropped)] == ["q0"]
    lost = {"no answer": 1} if reason.strip() in ("empty answer", "answer not at its offset") else {}
    assert dropped == {reason.strip(): 1} | lost
    if "incomplete" not in reason and "surrogate" not in reason:
        assert read(file, labeled=False)[1] == Question("q1", "Which  city?", CONTEXT, *usable(bad))


def usable(bad: dict[str, Any]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return (("Rome",), (1,)) if bad.get("is_impossible") else ((), ())


def test_two_occurrences_are_not_called_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read(save(tmp_path / "a.json", item(start=2)))
    assert "nowhere else" not in str(error.value)


def test_a_question_keeps_its_other_answers(tmp_path: Path) -> None:
    answers = [{"text": "Rome", "answer_start": 2}, {"text": "old", "answer_start": 10}]
    dropped: Counter[str] = Counter()
    (got,) = read(save(tmp_path / "a.json", item(answers=answers)), lenient=True, dropped=dropped)
    assert (got.answers, got.starts) == (("old",), (10,))
    assert dropped == {"answer not at its offset": 1}


def test_ids(tmp_path: Path) -> None:
    other = item(question="When?")
    file = save(tmp_path / "a.json", item(), other)
    assert [q.id for q in read(file)] == ["q1", "q1#2"]
    with pytest.raises(UserError, match=r"question q1: .*same id, so predictions"):
        read(file, labeled=False)
    dropped: Counter[str] = Counter()
    assert len(read(file, labeled=False, lenient=True, dropped=dropped)) == 1
    file = save(tmp_path / "a.json", item(), item())
    with pytest.raises(UserError, match=r"question q1: .*same id, text and paragraph"):
        read(file)
    assert len(read(file, lenient=True, dropped=dropped)) == 1
    assert dropped == {"duplicate id": 2}
    with pytest.raises(UserError, match="question without an id: the id is missing"):
        read(save(tmp_path / "a.json", item(None)))


def test_the_languages_of_tydiqa(tmp_path: Path) -> None:
    file = save(tmp_path / "a.json", item("english-1-0"), item("swahili--2-1"), item("english-3-0"))
    assert [q.id for q in read(file)] == ["english-1-0", "english-3-0"]
    assert [q.id for q in read(file, ("sw", "sw"))] == ["swahili--2-1"]
    with pytest.raises(UserError, match=r"no question of the language 'fi' \(.*the file has: en, sw\)"):
        read(file, ("fi", "fi"))
    # One id that does not begin so, and the file is of one language.
    assert len(read(save(tmp_path / "a.json", item("english-1"), item("7")), ("sw", "sw"))) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"data": [\n  {"a" 1}]}', r"a\.json:2: not valid JSON: .* at column 8"),
        (b'{"data":\n"\xff"}', r"a\.json:2: invalid UTF-8 \(0xff\)"),
        (b"", r"a\.json: the file is empty"),
        (b"[1]", r"a\.json: not in the format of SQuAD"),
        (b'{"data": [{"title": ""}]}', r"a\.json: not in the format of SQuAD: 'paragraphs' is missing"),
        (b'{"data": [{"paragraphs": [{"context": "x", "qas": ["q"]}]}]}', "not in the format of SQuAD"),
        (b"[" * 200_000, r"a\.json: not readable JSON"),
        (b"9" * 5000, r"a\.json: not readable JSON"),
        (b'{"data": []}', r"a\.json: no question in the file"),
        (gzip.compress(b'{"data": [{"paragraphs": []}]}', mtime=0)[:-9], "truncated gzip"),
    ],
)
def test_broken_files(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    for lenient in (False, True):
        with pytest.raises(UserError, match=message):
            read(tmp_path / "a.json", lenient=lenient)


def test_a_paragraph_without_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"question q1: the paragraph is missing"):
        read(save(tmp_path / "a.json", item(), context=None))


def test_the_small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    def questions(context: str, question: str, indices: range) -> Iterator[Question]:
        return (Question(str(k), question, context, ("x",), (0,)) for k in indices)

    monkeypatch.setattr("paralign.sources.smallworld.smallworld_questions", questions, raising=False)
    got = read("smallworld:3-5", ("de", "en"))
    assert [(q.id, q.context, q.question) for q in got] == [("3", "de", "en"), ("4", "de", "en")]
