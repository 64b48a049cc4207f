"""Translation memories (TMX 1.4), read in a stream."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from xml.parsers import expat

from paralign.errors import UserError, file_location
from paralign.formats.lines import MAX_LINE, DamagedStream, open_input, decompressed_blocks
from paralign.text.language_tags import find_tag

__all__ = ["is_tmx", "read_tmx", "to_tmx_lines"]

_CODES = {"bpt", "ept", "it", "ph", "ut"}
"""Elements that hold a format's own codes, no text."""


def is_tmx(path: str) -> bool:
    """Whether a name is that of a translation memory, plain or packed."""
    return path.lower().removesuffix(".gz").removesuffix(".zst").endswith(".tmx")


def read_tmx(
    path: str, languages: tuple[str, str], *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str, str]]:
    """Units that have both languages, in the order of the file; memory does not grow with it.

    Of several variants in one language the first counts. Codes of the original format are left out. Entities that a
    file declares are refused, what it names elsewhere is not fetched.

    Args:
        path: the file, plain, ``.gz`` or ``.zst``, in any encoding that it declares.
        languages: canonical tags.
        lenient: keep the whole units before the place where a file is cut or not well-formed, and drop units of more
            than 65,535 characters, instead of raising.
        dropped: counts what was dropped, and always ``missing language``, units without one of the two.

    Yields:
        line on which the unit ends, and both texts.

    Raises:
        UserError: with ``file:line``; also for a file in which no unit has both languages.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    units = _Units(path, languages, lenient, count)
    ended = ""
    with open_input(path) as stream:
        try:
            for block in decompressed_blocks(stream, path, utf16=True):
                units.feed(block)
                yield from units.ready()
            units.feed(b"", end=True)
        except expat.ExpatError as error:
            cut = error.code in (expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
                                 expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
                                 expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR])  # fmt: skip
            ended = "truncated TMX" if cut else f"malformed TMX: {expat.errors.messages[error.code]}"
        except DamagedStream as error:
            ended = str(error)
    yield from units.ready()
    if ended and not lenient:
        hint = "fetch the file again, or keep what can be read with --lenient"
        raise UserError(ended, where=file_location(path, units.line), hint=hint)
    if ended:
        count[ended.partition(":")[0]] += 1
    if not units.found:
        known = ", ".join(sorted(units.seen)[:8]) or "none"
        raise UserError(f"no unit in {languages[0]} and {languages[1]}", where=path, hint=f"it has: {known}")


class _Units:
    """Collects the units of a file as it is parsed."""

    def __init__(self, path: str, languages: tuple[str, str], lenient: bool, dropped: Counter[str]) -> None:
        self.path, self.languages, self.lenient, self.dropped = path, languages, lenient, dropped
        self.found = 0
        self.seen: set[str] = set()
        self._done: deque[tuple[int, str, str]] = deque()
        self._unit: dict[str, str] = {}
        self._language = ""
        self._text: list[str] | None = None
        self._size = self._codes = 0
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
        while self._done:
            yield self._done.popleft()

    def _entity(self, name: str, *_: object) -> None:
        raise UserError(f"declares the entity {name!r}", where=file_location(self.path, self.line),
                        hint="write its text where it is used, and remove it")  # fmt: skip

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tu":
            self._unit = {}
        elif name == "tuv":
            self._language = self._tag(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif name == "seg":
            self._text, self._size, self._codes = [], 0, 0
        elif name in _CODES and self._text is not None:
            self._codes += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._text is not None:
            self._unit.setdefault(self._language, "".join(self._text))
            self._text = None
        elif name in _CODES and self._text is not None:
            self._codes -= 1
        elif name == "tu":
            texts = [self._unit.get(language) for language in self.languages]
            if None in texts:
                self.dropped["missing language"] += 1
            elif max(len(text or "") for text in texts) > MAX_LINE:
                if not self.lenient:
                    raise UserError(f"a text of more than {MAX_LINE:,} characters", where=file_location(self.path, self.line),
                                    hint="cut it, or drop such units with --lenient")  # fmt: skip
                self.dropped["line too long"] += 1
            else:
                self.found += 1
                self._done.append((self.line, texts[0] or "", texts[1] or ""))

    def _characters(self, data: str) -> None:
        if self._text is not None and not self._codes and self._size <= MAX_LINE:
            self._text.append(data)
            self._size += len(data)

    def _tag(self, given: str) -> str:
        found = find_tag(given)
        self.seen.add(found or given)
        return found


def to_tmx_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """A translation memory, line by line."""
    from xml.sax.saxutils import escape

    from paralign.version import __version__

    source, target = languages
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<tmx version="1.4">'
    yield (
        f'<header creationtool="paralign" creationtoolversion="{__version__}" segtype="sentence" o-tmf="text"'
        f' adminlang="en" srclang="{source}" datatype="plaintext"/>'
    )
    yield "<body>"
    for first, second in pairs:
        a, b = (f'<tuv xml:lang="{tag}"><seg>{escape(text)}</seg></tuv>'
                for tag, text in ((source, first), (target, second)))  # fmt: skip
        yield f"<tu>{a}{b}</tu>"
    yield "</body>"
    yield "</tmx>"
