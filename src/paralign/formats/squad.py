"""Questions about a paragraph, in SQuAD v1.1's JSON: SQuAD, XQuAD, MLQA, TyDiQA-GoldP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, no_items_error, raise_or_drop
from paralign.formats.items import Question
from paralign.formats.lines import DamagedStream, open_input, decompressed_blocks
from paralign.text.language_tags import canonical_tag

__all__ = ["load_json", "read_squad"]

# How the ids of a TyDiQA-GoldP file begin.
_TYDI = frozenset(
    ("arabic", "bengali", "english", "finnish", "indonesian", "japanese", "korean", "russian", "swahili", "telugu",
     "thai")
)  # fmt: skip


def read_squad(
    path: str | Path,
    language: str,
    *,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    labeled: bool = True,
) -> Iterator[Question]:
    """Read questions in SQuAD v1.1's JSON (Rajpurkar et al. 2016), plain or gzip.

    The whole file is held in memory, up to seven times its size. Where every id begins with the name of a language, as
    in a TyDiQA-GoldP file, only the questions of the context's language are read. Where different questions have one
    id, as in XTREME's TyDiQA training file, all but the first get a number behind it (``12#2``); in unlabeled data
    this is an error: predictions are told apart by ids.

    Args:
        path: the file, or ``-``.
        language: of the context (in MLQA the question may be in another).
        lenient: drop answers that do not stand at their offset, and questions without any answer left or not
            well-formed, instead of raising.
        dropped: counts what ``lenient`` dropped: answers as ``empty answer``, ``answer not at its offset``;
            questions as ``no answer`` (also those that lost all of them), ``impossible question``, ``duplicate id``,
            ``incomplete question``.
        labeled: with ``False`` no question is refused or dropped for its answers: those that are not usable are
            left out.

    Raises:
        UserError: naming file and question; for a file that is not such JSON, with line and column; for one without
            a question of the language, with the languages it has.
    """
    return _read(path, language, lenient, Counter() if dropped is None else dropped, labeled)


def _read(path: str | Path, language: str, lenient: bool, dropped: Counter[str], labeled: bool) -> Iterator[Question]:
    paragraphs = _paragraphs(load_json(path), path)
    prefix = _prefix(paragraphs, language, path)
    seen: dict[str, set[int]] = {}
    found = False
    for paragraph in paragraphs:
        for item in paragraph["qas"]:
            name = _name(item)
            if not name.startswith(prefix):
                continue
            where = f"{path}: question {name or 'without an id'}"
            try:
                question, context = _texts(item, name, paragraph)
                unique = _unique(name, (question, context), seen, labeled)
                answers = []
                for answer in _listed(item, labeled):
                    try:
                        answers.append(_answer(answer, context))
                    except ItemError as fault:
                        if labeled:
                            raise_or_drop(fault, where, "answer", lenient=lenient, dropped=dropped)
                if labeled and not answers:
                    raise ItemError("no answer", "no answer can be used")
            except ItemError as fault:
                raise_or_drop(fault, where, "question", lenient=lenient, dropped=dropped)
                continue
            found = True
            texts, starts = [text for text, _ in answers], [start for _, start in answers]
            yield Question(unique, question, context, tuple(texts), tuple(starts))
    if not found:
        raise no_items_error(path, "question", dropped)


def load_json(path: str | Path) -> Any:
    """A JSON file, plain or gzip; a UserError names line and column of what is wrong."""
    name = str(path)
    try:
        with open_input(name) as stream:
            data = b"".join(decompressed_blocks(stream, name)).removeprefix(b"\xef\xbb\xbf")
    except DamagedStream as damage:
        raise UserError(str(damage), where=name, hint="fetch the file again") from None
    if not data.strip():
        raise UserError("the file is empty", where=name)
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"invalid UTF-8 (0x{data[error.start]:02x})", where=file_location(name, line)) from None
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at column {error.colno}"
        raise UserError(message, where=file_location(name, error.lineno)) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"is not JSON that can be read: {error}", where=name) from None


def _paragraphs(whole: Any, path: str | Path) -> list[dict[str, Any]]:
    """Every paragraph, with a list of questions that are objects."""
    hint = 'SQuAD v1.1 is {"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
    paragraphs: list[dict[str, Any]] = []
    try:
        for article in whole["data"]:
            for paragraph in article["paragraphs"]:
                if not all(isinstance(item, dict) for item in paragraph["qas"]):
                    raise TypeError
                paragraphs.append(paragraph)
    except KeyError as error:
        raise UserError(f"is not SQuAD's JSON: {error.args[0]!r} is missing", where=path, hint=hint) from None
    except TypeError:
        raise UserError("is not SQuAD's JSON", where=path, hint=hint) from None
    return paragraphs


def _name(item: dict[str, Any]) -> str:
    name = item.get("id")
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def _prefix(paragraphs: list[dict[str, Any]], language: str, path: str | Path) -> str:
    """How the ids of the questions to be read begin; empty where the file is of one language."""
    begins = {_name(item).partition("-")[0] for paragraph in paragraphs for item in paragraph["qas"]}
    if not begins or not begins <= _TYDI:
        return ""
    for name in begins:
        if canonical_tag(name) == language:
            return f"{name}-"
    hint = f"name one of the languages it has: {', '.join(sorted(map(canonical_tag, begins)))}"
    raise UserError(f"no question of the language {language!r}", where=path, hint=hint)


def _unique(name: str, texts: tuple[str, str], seen: dict[str, set[int]], labeled: bool) -> str:
    """The question's id, with a number behind it if another question had it; ``seen`` keeps hashes of the texts."""
    others = seen.setdefault(name, set())
    if hash(texts) in others:
        raise ItemError("duplicate id", "a question before it has the same id, text and paragraph")
    if others and not labeled:
        raise ItemError("duplicate id", "a question before it has the same id, predictions could not be told apart")
    others.add(hash(texts))
    return name if len(others) == 1 else f"{name}#{len(others)}"


def _texts(item: dict[str, Any], name: str, paragraph: dict[str, Any]) -> tuple[str, str]:
    if not name:
        raise ItemError("incomplete question", "the id is missing")
    texts = []
    for what, text in (("question", item.get("question")), ("paragraph", paragraph.get("context"))):
        if not isinstance(text, str) or not text.strip():
            raise ItemError("incomplete question", f"the {what} is missing or empty")
        if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
            raise ItemError("incomplete question", f"half a surrogate pair (\\ud800 to \\udfff) in the {what}")
        texts.append(text)
    return texts[0], texts[1]


def _listed(item: dict[str, Any], labeled: bool) -> list[Any]:
    answers = item.get("answers")
    if labeled and item.get("is_impossible") is True:
        hint = "only SQuAD v1.1 is read, in which every question has an answer"
        raise ItemError("impossible question", "a question without an answer (SQuAD v2)", hint=hint)
    if isinstance(answers, list) and (answers or not labeled):
        return answers
    if labeled:
        raise ItemError("no answer", "the answers are missing")
    return []


def _answer(answer: Any, context: str) -> tuple[str, int]:
    """Text and start, checked against the paragraph."""
    if not isinstance(answer, dict):
        raise ItemError("answer not at its offset", "an answer is not an object with 'text' and 'answer_start'")
    text, start = answer.get("text"), answer.get("answer_start")
    if not isinstance(text, str) or not text.strip():
        raise ItemError("empty answer", "an answer has no text")
    if not isinstance(start, int) or isinstance(start, bool):
        raise ItemError("answer not at its offset", f"the answer {text!r:.60} has no 'answer_start'")
    if start < 0 or start + len(text) > len(context):
        message = f"the answer {text!r:.60} at {start:,} ends outside the paragraph of {len(context):,} characters"
        raise ItemError("answer not at its offset", message + _elsewhere(text, context))
    there = context[start : start + len(text)]
    if there != text:
        message = f"the answer {text!r:.60} is not at {start:,}, where {there!r:.60} stands"
        raise ItemError("answer not at its offset", message + _elsewhere(text, context))
    return text, start


def _elsewhere(text: str, context: str) -> str:
    at = context.find(text)
    if at < 0:
        return "; it is nowhere in the paragraph"
    return "" if context.find(text, at + 1) >= 0 else f"; it is at {at:,} and nowhere else"
