"""Translation memories (TMX 1.4), read in a stream."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from html.entities import html5
from itertools import chain
from xml.parsers import expat

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, OrderedCounts, raise_or_drop
from paralign.formats.lines import MAX_LINE
from paralign.formats.streams import DamagedStream, decompressed_blocks, open_input, uncompressed_name
from paralign.formats.xml_text import utf8_blocks
from paralign.text.language_tags import best_variant, find_tag

__all__ = ["is_tmx", "read_tmx", "to_tmx_lines"]

_MARKUP = {"bpt", "ept", "it", "ph", "ut"}
"""Elements whose content is markup of the original format, not text."""
_BREAK_TYPES = {"lb", "pb", "cb", "br", "tab", "linebreak", "line-break", "newline"}
"""Values of ``type``, also with ``x-`` before them, of inline codes that separate words."""
_BREAK = re.compile(
    r"\A\s+\Z|</?(?:\w+:)?(?:br|p|div|li|[uo]l|t[drh]|table|h[1-6r]|cr|lb|pb|tab)\b"
    r"|\\(?:[nrt]|line|par|tab|page)(?![a-z])",
    re.IGNORECASE,
)
"""Content of such codes: white space, elements of HTML and Word, escapes of programs and RTF."""
_CODE_SIZE = 1_000
"""Characters of each part of a code's content that are looked at."""
_TRUNCATED = {
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
}
_UNIT = re.compile(rb"<tu[\s/>]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML file can contain, not even as references."""


def is_tmx(path: str) -> bool:
    """Return whether a path names a translation memory, plain or compressed."""
    return uncompressed_name(path).lower().endswith(".tmx")


def read_tmx(
    path: str, languages: tuple[str, str], *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str, str]]:
    """Read the units that have both languages, in the order of the file; memory does not grow with the file.

    Of several variants in one language, one with text is preferred to an empty one, then the script or region asked
    for, then the first. Markup of the original format is left out; a code that stands for a line break, a tab or a
    paragraph is replaced by a space. References to the entities of HTML are resolved. A file that declares entities is
    refused, and external references are not loaded.

    Args:
        path: the file, plain, ``.gz`` or ``.zst``, in any encoding that it declares.
        languages: tags; a script or region, as in ``zh-CN``, chooses among variants.
        lenient: drop units that are malformed or longer than 65,535 bytes, and keep the complete units before the
            position where a file is truncated, instead of raising.
        dropped: counts what was dropped: ``malformed TMX``, ``undefined entity``, ``line too long``, ``truncated TMX``
            (once), and always ``missing language``, the units without one of the languages.

    Yields:
        Line on which the unit ends, source, target.

    Raises:
        UserError: with ``file:line``; also for a file without a unit in both languages.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    units = _Units(path, languages, lenient)
    with open_input(path) as stream:
        try:
            for block in chain(utf8_blocks(decompressed_blocks(stream, path, utf16=True), path), [None]):
                try:
                    units.feed(block or b"", end=block is None)
                except UserError:
                    yield from units.ready(count)  # those before it, which may be all that are wanted
                    raise
                if block is not None:
                    yield from units.ready(count)
        except DamagedStream as error:
            if not lenient:
                hint = "download the file again, or keep what can be read with --lenient"
                raise UserError(str(error), where=file_location(path, units.line), hint=hint) from None
            units.dropped[str(error)] += 1
    yield from units.ready(count, end=True)
    if not units.kept:
        raise units.nothing_found()


class _NestedUnit(Exception):
    """A unit begins before the end of the unit before it, at this line of the document and this byte."""

    def __init__(self, line: int, index: int) -> None:
        super().__init__()
        self.line, self.index = line, index


class _Units:
    """Collect the units of a file while it is parsed."""

    def __init__(self, path: str, languages: tuple[str, str], lenient: bool) -> None:
        self.path, self.languages, self.lenient = path, languages, lenient
        self.dropped = OrderedCounts()
        self.kept = self.units = 0
        self._missing: Counter[str] = Counter()
        """Units without each of the languages."""
        self._lost: Counter[str] = Counter()
        """Other units that were dropped, by reason."""
        self._tags_found: set[str] = set()
        self._problems: list[str] = []
        """The first error of the parser."""
        self._ready: deque[tuple[list[str], tuple[int, str, str]]] = deque()
        """Complete units, with the reasons for which units before them were dropped."""
        self._first_line = 1
        self._unread = b""
        """What the parser has not finished; after an error, the end of what was searched for the next unit."""
        self._unread_at = 0
        self._parser: expat.XMLParserType | None = None
        self._begin()

    def _begin(self, head: bytes = b"") -> None:
        """Begin a document, at the file's beginning or, after an error, with ``head`` before a unit."""
        self._unit: list[tuple[str, str]] | None = None
        self._problem: ItemError | None = None
        self._tag = ""
        self._text: list[str] | None = None
        self._code: list[str] = []
        self._is_break = False
        self._size = self._code_depth = 0
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        # As if there were a DTD somewhere else: entities that are not declared are reported, and not lost.
        parser.UseForeignDTD(True)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.SkippedEntityHandler = self._entity
        parser.EntityDeclHandler = self._declaration
        parser.Parse(head, False)
        self._unread, self._unread_at = b"", len(head)

    @property
    def line(self) -> int:
        return self._first_line + (self._parser.CurrentLineNumber - 1 if self._parser else 0)

    def feed(self, data: bytes, *, end: bool = False) -> None:
        """Parse the next bytes. After an error, if lenient, parsing continues at the next unit."""
        while self._parser is not None or (data := self._next_unit(data)):
            assert self._parser is not None
            self._unread += data
            try:
                self._parser.Parse(data, end)
            except (expat.ExpatError, _NestedUnit) as error:
                data = self._recover(error)
            else:
                position = max(self._parser.CurrentByteIndex, self._unread_at)
                self._unread, self._unread_at = self._unread[position - self._unread_at :], position
                return

    def _recover(self, error: expat.ExpatError | _NestedUnit) -> bytes:
        """Count an error and return the bytes among which the next unit may begin; raise if not lenient."""
        assert self._parser is not None
        truncated = False
        if isinstance(error, _NestedUnit):
            line, index, text = error.line, error.index, "malformed TMX: a unit begins inside of another"
        else:
            line = self._first_line + self._parser.ErrorLineNumber - 1
            index = self._parser.ErrorByteIndex + 1  # a unit that begins at the error is the one with the error
            truncated = error.code in _TRUNCATED
            text = "truncated TMX" if truncated else f"malformed TMX: {expat.errors.messages[error.code]}"
        self._problems = self._problems or [f"{text} in line {line:,}"]
        if not self.lenient:
            hint = "download the file again" if truncated else "fix the unit"
            keep = "keep what can be read" if truncated else "drop such units"
            raise UserError(text, where=file_location(self.path, line), hint=f"{hint}, or {keep} with --lenient")
        self.dropped[text.partition(":")[0]] += 1
        self._lost[text.partition(":")[0]] += 1
        rest = self._unread[max(0, index - self._unread_at) :]
        self._first_line, self._parser, self._unread = line, None, b""
        return b"" if truncated else rest

    def _next_unit(self, data: bytes) -> bytes:
        """Return the bytes from the next unit on and begin a document there; empty if none begins in these bytes."""
        data = self._unread + data
        found = _UNIT.search(data)
        # Without a unit, only the beginning of its tag may be at the end.
        cut = found.start() if found else max(0, len(data) - 3)
        self._first_line += data.count(b"\n", 0, cut)
        if found is None:
            self._unread = data[cut:]
            return b""
        self._begin(b"<tmx><body>")
        return data[cut:]

    def ready(self, dropped: Counter[str], *, end: bool = False) -> Iterator[tuple[int, str, str]]:
        """Yield the complete units, and count what was dropped before each of them, at the end also behind the last."""
        while self._ready:
            reasons, unit = self._ready.popleft()
            dropped.update(reasons)
            yield unit
        if end:
            dropped.update(self.dropped.take())

    def nothing_found(self) -> UserError:
        """Return the error for a file of which no unit was kept."""
        first, second = (find_tag(language) or language for language in self.languages)
        if self._problems and not self.units:
            return UserError(self._problems[0], where=self.path, hint="the file has no unit that can be read")
        if not self.units:
            return UserError("no translation unit in the file", where=self.path, hint="a unit is a <tu> in <body>")
        if not self._lost and not {first, second} <= self._tags_found:
            named = ", ".join(sorted(self._tags_found - {""})[:8]) or "no language"
            unnamed = " and variants without xml:lang" if "" in self._tags_found else ""
            return UserError(
                f"no unit in {first} and {second}", where=self.path, hint=f"the file has: {named}{unnamed}"
            )
        parts = [f"{n:,} have no {tag}" for tag, n in sorted(self._missing.items())]
        parts += [f"{n:,} were dropped: {reason}" for reason, n in sorted(self._lost.items())]
        message = f"none of the {self.units:,} units can be used as a pair of {first} and {second}"
        return UserError(message, where=self.path, hint="; ".join(parts))

    def _declaration(self, name: str, *_: object) -> None:
        hint = "replace its references by its text, and remove the declaration"
        raise UserError(f"declares the entity {name!r}", where=file_location(self.path, self.line), hint=hint)

    def _entity(self, name: str, is_parameter: bool) -> None:
        if self._text is None or is_parameter:
            return
        text = html5.get(f"{name};")
        if text is not None:
            self._characters(text)
        elif not self._code_depth:
            hint = "replace it by its text"
            self._fail(ItemError("undefined entity", f"undefined entity &{name};", self.line, hint))

    def _fail(self, problem: ItemError) -> None:
        """Raise a problem of the current unit; if lenient, the unit is dropped at its end."""
        if not self.lenient:
            raise_or_drop(problem, self.path, "unit", lenient=False, dropped=self.dropped)
        self._problem = self._problem or problem

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tu":
            if self._unit is not None:
                assert self._parser is not None
                raise _NestedUnit(self.line, self._parser.CurrentByteIndex)
            self._unit = []
            self.units += 1
        elif name == "tuv":
            self._tag = attributes.get("xml:lang") or attributes.get("lang") or ""
            self._tags_found.add(find_tag(self._tag) or self._tag)
        elif name == "seg":
            self._text, self._size, self._code_depth = [], 0, 0
        elif name in _MARKUP and self._text is not None:
            if not self._code_depth:
                self._code = []
                self._is_break = attributes.get("type", "").lower().removeprefix("x-") in _BREAK_TYPES
            self._code_depth += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._text is not None:
            if self._unit is not None:
                self._unit.append((self._tag, "".join(self._text)))
            self._text = None
        elif name in _MARKUP and self._text is not None:
            self._code_depth -= 1
            if not self._code_depth and (self._is_break or _BREAK.search("".join(self._code))):
                self._text.append(" ")  # otherwise the words on both sides of the code would become one
        elif name == "tu" and self._unit is not None:
            self._end_unit()

    def _end_unit(self) -> None:
        variants, problem = self._unit or [], self._problem
        self._unit, self._problem = None, None
        texts = [_best_text(variants, language) for language in self.languages]
        if problem is None and max(len((text or "").encode()) for text in texts) > MAX_LINE:
            problem = ItemError("line too long", f"a text of more than {MAX_LINE:,} bytes", self.line)
        if problem is not None:
            raise_or_drop(problem, self.path, "unit", lenient=self.lenient, dropped=self.dropped)
            self._lost[problem.reason] += 1
        elif None in texts:
            self.dropped["missing language"] += 1
            self._missing.update(find_tag(tag) for tag, text in zip(self.languages, texts, strict=True) if text is None)
        else:
            self.kept += 1
            self._ready.append((self.dropped.take(), (self.line, texts[0] or "", texts[1] or "")))

    def _characters(self, data: str) -> None:
        if self._text is None:
            return
        if self._code_depth:
            self._code.append(data[:_CODE_SIZE])
        elif self._size <= MAX_LINE:  # in characters: no text of more is read
            self._text.append(data)
            self._size += len(data)


def _best_text(variants: list[tuple[str, str]], language: str) -> str | None:
    """Return the text of a language, ``None`` if there is none: one that is not empty, in the variant asked for."""
    for candidates in ([variant for variant in variants if variant[1].strip()], variants):
        place = best_variant([tag for tag, _ in candidates], language)
        if place is not None:
            return candidates[place][1]
    return None


def to_tmx_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a translation memory; characters that XML cannot contain are left out."""
    from xml.sax.saxutils import escape

    from paralign.version import __version__

    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<tmx version="1.4">'
    yield (
        f'<header creationtool="paralign" creationtoolversion="{__version__}" segtype="sentence" o-tmf="text"'
        f' adminlang="en" srclang="{languages[0]}" datatype="plaintext"/>'
    )
    yield "<body>"
    for texts in pairs:
        variants = (
            f'<tuv xml:lang="{tag}"><seg>{escape(_NOT_XML.sub("", text))}</seg></tuv>'
            for tag, text in zip(languages, texts, strict=True)
        )
        yield f"<tu>{''.join(variants)}</tu>"
    yield "</body>"
    yield "</tmx>"
