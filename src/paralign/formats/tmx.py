"""Translation memories (TMX 1.4), read in a stream."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from xml.parsers import expat

from paralign.errors import UserError, file_location
from paralign.formats.lines import MAX_LINE
from paralign.formats.streams import DamagedStream, decompressed_blocks, open_input
from paralign.text.language_tags import find_tag

__all__ = ["is_tmx", "read_tmx", "to_tmx_lines"]

_MARKUP = {"bpt", "ept", "it", "ph", "ut"}
"""Elements whose content is markup of the original format, not text."""
_TRUNCATED = {
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
}


def is_tmx(path: str) -> bool:
    """Return whether a path names a translation memory, plain or compressed."""
    return path.lower().removesuffix(".gz").removesuffix(".zst").endswith(".tmx")


def read_tmx(
    path: str, languages: tuple[str, str], *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str, str]]:
    """Read the units that have both languages, in the order of the file; memory does not grow with the file.

    If a unit has several variants in one language, the first is used. Markup of the original format is left out. A file
    that declares entities is refused, and external references are not loaded.

    Args:
        path: the file, plain, ``.gz`` or ``.zst``, in any encoding that it declares.
        languages: canonical tags.
        lenient: keep the complete units before the position where a file is truncated or malformed, and drop units of
            more than 65,535 characters, instead of raising.
        dropped: counts what was dropped, and always ``missing language``, the units without one of the languages.

    Yields:
        Line on which the unit ends, source, target.

    Raises:
        UserError: with ``file:line``; also for a file without a unit in both languages.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    units = _Units(path, languages, lenient, count)
    problem = ""
    with open_input(path) as stream:
        try:
            for block in decompressed_blocks(stream, path, utf16=True):
                units.feed(block)
                yield from units.ready()
            units.feed(b"", end=True)
        except expat.ExpatError as error:
            truncated = error.code in _TRUNCATED
            problem = "truncated TMX" if truncated else f"malformed TMX: {expat.errors.messages[error.code]}"
        except DamagedStream as error:
            problem = str(error)
    yield from units.ready()
    if problem and not lenient:
        hint = "download the file again, or keep what can be read with --lenient"
        raise UserError(problem, where=file_location(path, units.line), hint=hint)
    if problem:
        count[problem.partition(":")[0]] += 1
    if not units.count:
        tags = ", ".join(sorted(units.languages_found)[:8]) or "none"
        raise UserError(f"no unit in {languages[0]} and {languages[1]}", where=path, hint=f"the file has: {tags}")


class _Units:
    """Collect the units of a file while it is parsed."""

    def __init__(self, path: str, languages: tuple[str, str], lenient: bool, dropped: Counter[str]) -> None:
        self.path, self.languages, self.lenient, self.dropped = path, languages, lenient, dropped
        self.count = 0
        self.languages_found: set[str] = set()
        self._ready: deque[tuple[int, str, str]] = deque()
        self._unit: dict[str, str] = {}
        self._language = ""
        self._text: list[str] | None = None
        self._size = self._markup_depth = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity

    @property
    def line(self) -> int:
        return self._parser.CurrentLineNumber

    def feed(self, data: bytes, *, end: bool = False) -> None:
        self._parser.Parse(data, end)

    def ready(self) -> Iterator[tuple[int, str, str]]:
        while self._ready:
            yield self._ready.popleft()

    def _entity(self, name: str, *_: object) -> None:
        hint = "replace its references by its text, and remove the declaration"
        raise UserError(f"declares the entity {name!r}", where=file_location(self.path, self.line), hint=hint)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tu":
            self._unit = {}
        elif name == "tuv":
            self._language = self._tag(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif name == "seg":
            self._text, self._size, self._markup_depth = [], 0, 0
        elif name in _MARKUP and self._text is not None:
            self._markup_depth += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._text is not None:
            self._unit.setdefault(self._language, "".join(self._text))
            self._text = None
        elif name in _MARKUP and self._text is not None:
            self._markup_depth -= 1
        elif name == "tu":
            texts = [self._unit.get(language) for language in self.languages]
            if None in texts:
                self.dropped["missing language"] += 1
            elif max(len(text or "") for text in texts) > MAX_LINE:
                if not self.lenient:
                    message = f"a text of more than {MAX_LINE:,} characters"
                    hint = "shorten it, or drop such units with --lenient"
                    raise UserError(message, where=file_location(self.path, self.line), hint=hint)
                self.dropped["line too long"] += 1
            else:
                self.count += 1
                self._ready.append((self.line, texts[0] or "", texts[1] or ""))

    def _characters(self, data: str) -> None:
        if self._text is not None and not self._markup_depth and self._size <= MAX_LINE:
            self._text.append(data)
            self._size += len(data)

    def _tag(self, attribute: str) -> str:
        tag = find_tag(attribute)
        self.languages_found.add(tag or attribute)
        return tag


def to_tmx_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a translation memory."""
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
            f'<tuv xml:lang="{tag}"><seg>{escape(text)}</seg></tuv>' for tag, text in zip(languages, texts, strict=True)
        )
        yield f"<tu>{''.join(variants)}</tu>"
    yield "</body>"
    yield "</tmx>"
