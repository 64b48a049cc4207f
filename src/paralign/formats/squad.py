"""Questions about a paragraph, in the JSON of SQuAD v1.1: SQuAD, XQuAD, MLQA, TyDiQA-GoldP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, check_surrogates, no_items_error, raise_or_drop
from paralign.formats.items import Question
from paralign.formats.streams import DamagedStream, decompressed_blocks, open_input
from paralign.text.language_tags import canonical_tag

__all__ = ["load_json", "read_squad"]

# The ids of a TyDiQA-GoldP file begin with one of these.
_TYDIQA = frozenset((
    "arabic", "bengali", "english", "finnish", "indonesian", "japanese", "korean", "russian", "swahili", "telugu",
    "thai",
))  # fmt: skip


def read_squad(
    path: str | Path, language: str, *, lenient: bool, dropped: Counter[str], labeled: bool
) -> Iterator[Question]:
    """Read questions in the JSON of SQuAD v1.1 (Rajpurkar et al. 2016), plain or compressed.

    The whole file is held in memory, up to seven times its size. If every id begins with the name of a language, as in
    a TyDiQA-GoldP file, only the questions of the context's language are read. If different questions share an id, as
    in XTREME's TyDiQA training file, a number is appended to all but the first (``12#2``). In unlabeled data this is an
    error, because predictions are identified by ids.

    Args:
        path: the file, or ``-``.
        language: of the context (in MLQA the question may be in another language).
        lenient: drop answers that are not at their offset, and malformed questions and those without a remaining
            answer, instead of raising.
        dropped: counts what ``lenient`` dropped: answers as ``empty answer``, ``answer not at its offset``;
            questions as ``no answer`` (also those that lost all answers), ``impossible question``, ``duplicate id``,
            ``incomplete question``, ``lone surrogate``.
        labeled: whether answers are required; with ``False``, unusable answers are left out.

    Raises:
        UserError: with file and question; for malformed JSON with line and column; for a file without a question of the
            language with the languages it has.
    """
    paragraphs = _paragraphs(load_json(path), path)
    prefix = _prefix(paragraphs, language, path)
    texts_by_id: dict[str, set[int]] = {}
    empty = True
    for paragraph in paragraphs:
        for item in paragraph["qas"]:
            name = _name(item)
            if not name.startswith(prefix):
                continue
            shown = name.encode("utf-8", "backslashreplace").decode()
            where = f"{path}: question {shown or 'without an id'}"
            try:
                question, context = _texts(item, name, paragraph)
                unique = _unique_id(name, (question, context), texts_by_id, labeled)
                answers = []
                for answer in _answers(item, labeled):
                    try:
                        answers.append(_answer(answer, context))
                    except ItemError as error:
                        if labeled:
                            raise_or_drop(error, where, "answer", lenient=lenient, dropped=dropped)
                if labeled and not answers:
                    raise ItemError("no answer", "no usable answer")
            except ItemError as error:
                raise_or_drop(error, where, "question", lenient=lenient, dropped=dropped)
                continue
            empty = False
            texts, starts = [text for text, _ in answers], [start for _, start in answers]
            yield Question(unique, question, context, tuple(texts), tuple(starts))
    if empty:
        raise no_items_error(path, "question", dropped)


def load_json(path: str | Path) -> Any:
    """Load a JSON file, plain or compressed.

    Raises:
        UserError: with line and column of the error.
    """
    name = str(path)
    try:
        with open_input(name) as stream:
            data = b"".join(decompressed_blocks(stream, name)).removeprefix(b"\xef\xbb\xbf")
    except DamagedStream as error:
        raise UserError(str(error), where=name, hint="download the file again") from None
    if not data.strip():
        raise UserError("the file is empty", where=name)
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"invalid UTF-8 (0x{data[error.start]:02x})", where=file_location(name, line)) from None
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg} at column {error.colno}"
        raise UserError(message, where=file_location(name, error.lineno)) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"not readable JSON: {error}", where=name) from None


def _paragraphs(content: Any, path: str | Path) -> list[dict[str, Any]]:
    """Return all paragraphs; each has a list of questions that are objects."""
    hint = 'SQuAD v1.1 is {"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
    paragraphs: list[dict[str, Any]] = []
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                if not all(isinstance(item, dict) for item in paragraph["qas"]):
                    raise TypeError
                paragraphs.append(paragraph)
    except KeyError as error:
        raise UserError(f"not in the format of SQuAD: {error.args[0]!r} is missing", where=path, hint=hint) from None
    except TypeError:
        raise UserError("not in the format of SQuAD", where=path, hint=hint) from None
    return paragraphs


def _name(item: dict[str, Any]) -> str:
    name = item.get("id")
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def _prefix(paragraphs: list[dict[str, Any]], language: str, path: str | Path) -> str:
    """Return the prefix of the ids of the questions to read; empty for a file of one language."""
    prefixes = {_name(item).partition("-")[0] for paragraph in paragraphs for item in paragraph["qas"]}
    if not prefixes or not prefixes <= _TYDIQA:
        return ""
    for name in prefixes:
        if canonical_tag(name) == language:
            return f"{name}-"
    hint = f"the file has: {', '.join(sorted(map(canonical_tag, prefixes)))}"
    raise UserError(f"no question of the language {language!r}", where=path, hint=hint)


def _unique_id(name: str, texts: tuple[str, str], texts_by_id: dict[str, set[int]], labeled: bool) -> str:
    """Return the question's id, with a number appended if an earlier question has it.

    ``texts_by_id`` stores hashes of the texts seen with each id.
    """
    others = texts_by_id.setdefault(name, set())
    if hash(texts) in others:
        raise ItemError("duplicate id", "an earlier question has the same id, text and paragraph")
    if others and not labeled:
        raise ItemError("duplicate id", "an earlier question has the same id, so predictions would be ambiguous")
    others.add(hash(texts))
    return name if len(others) == 1 else f"{name}#{len(others)}"


def _texts(item: dict[str, Any], name: str, paragraph: dict[str, Any]) -> tuple[str, str]:
    if not name:
        raise ItemError("incomplete question", "the id is missing")
    check_surrogates(name, "the id")
    texts = []
    for what, text in (("question", item.get("question")), ("paragraph", paragraph.get("context"))):
        if not isinstance(text, str) or not text.strip():
            raise ItemError("incomplete question", f"the {what} is missing or empty")
        check_surrogates(text, f"the {what}")
        texts.append(text)
    return texts[0], texts[1]


def _answers(item: dict[str, Any], labeled: bool) -> list[Any]:
    answers = item.get("answers")
    if labeled and item.get("is_impossible") is True:
        hint = "only SQuAD v1.1 is supported, in which every question has an answer"
        raise ItemError("impossible question", "a question without an answer (SQuAD v2)", hint=hint)
    if isinstance(answers, list) and (answers or not labeled):
        return answers
    if labeled:
        raise ItemError("no answer", "the answers are missing")
    return []


def _answer(answer: Any, context: str) -> tuple[str, int]:
    """Return text and start of an answer, checked against the paragraph."""
    if not isinstance(answer, dict):
        raise ItemError("answer not at its offset", "an answer is not an object with 'text' and 'answer_start'")
    text, start = answer.get("text"), answer.get("answer_start")
    if not isinstance(text, str) or not text.strip():
        hint = "answers may be withheld in this file; paralign predict needs none"
        raise ItemError("empty answer", "an answer has no text", hint=hint)
    if not isinstance(start, int) or isinstance(start, bool):
        raise ItemError("answer not at its offset", f"the answer {text!r:.60} has no 'answer_start'")
    if start < 0 or start + len(text) > len(context):
        message = f"the answer {text!r:.60} at {start:,} is not inside the paragraph of {len(context):,} characters"
        raise ItemError("answer not at its offset", message + _elsewhere(text, context))
    actual = context[start : start + len(text)]
    if actual != text:
        message = f"the answer {text!r:.60} is not at {start:,}, the paragraph has {actual!r:.60} there"
        raise ItemError("answer not at its offset", message + _elsewhere(text, context))
    return text, start


def _elsewhere(text: str, context: str) -> str:
    position = context.find(text)
    if position < 0:
        return "; it is not in the paragraph"
    return "" if context.find(text, position + 1) >= 0 else f"; it occurs only at {position:,}"
