"""The bytes of an XML file as UTF-8, whatever encoding it declares."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from paralign.errors import UserError, file_location

__all__ = ["utf8_blocks"]

_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["']""")
_DECLARATION_BYTES = 1024
_INVALID = "paralign.invalid"
"""Error handler of decoders."""


def _mark_invalid(error: UnicodeError) -> tuple[str, int]:
    # U+0001 is not allowed in XML: the parser reports the place, and nothing is replaced silently.
    assert isinstance(error, UnicodeDecodeError)
    return "\x01", error.end


codecs.register_error(_INVALID, _mark_invalid)


def utf8_blocks(blocks: Iterable[bytes], path: str) -> Iterator[bytes]:
    """Yield the bytes of an XML file in UTF-8, without a byte order mark.

    Bytes that are invalid in the file's encoding are not decoded; a parser of the result raises an error there.

    Args:
        blocks: non-empty blocks of the file.
        path: named in errors.

    Raises:
        UserError: for an unknown encoding.
    """
    rest = iter(blocks)
    first = b""
    while len(first) < _DECLARATION_BYTES and (block := next(rest, None)):
        first += block
    encoding = _encoding(first)
    if encoding == "utf-8":
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from rest
        return
    try:
        b"".decode(encoding)
        decoder = codecs.getincrementaldecoder(encoding)(_INVALID)
        for block in chain([first], rest):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", True).encode()
    except (LookupError, UnicodeError):
        message = f"cannot be decoded as {encoding!r}, the encoding that it declares"
        raise UserError(message, where=file_location(path, 1), hint="save it as UTF-8") from None


def _encoding(first: bytes) -> str:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if first.startswith((b"<\0", b"\0<")):
        return "utf-16-le" if first[0] else "utf-16-be"
    declared = _DECLARED.match(first)
    # A declaration that can be read as ASCII is not in UTF-16, whatever it says.
    name = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
    return "utf-8" if name in ("utf-8", "utf8", "utf-16", "us-ascii", "ascii") else name
