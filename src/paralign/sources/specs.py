"""Specs of text on the command line: ``en-de=PATH`` and ``en=PATH``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paralign.errors import UserError
from paralign.folders import is_special
from paralign.formats.archives import archive_of
from paralign.formats.hub import is_hub
from paralign.formats.streams import uncompressed_name
from paralign.languages import base_language
from paralign.languages.derived_language import DERIVED_SEPARATOR, parse_derived
from paralign.text.language_tags import canonical_tag, find_tag, variant_of

__all__ = [
    "SMALLWORLD_DEFAULT",
    "PairSpec",
    "TextSpec",
    "are_languages",
    "check_endings",
    "check_order",
    "check_readable_again",
    "check_separate_pipes",
    "data_paths",
    "each_file",
    "expand_home",
    "input_files",
    "parse_pairs",
    "parse_text",
    "smallworld_range",
]

_DERIVED = re.compile(r"([^-:@]*(?:@[^-:]*)?)(-)([^-:@]*(?:@.*)?)|([^:@]*(?:@[^:]*)?)(:)([^:@]*(?:@.*)?)")
_HOME = re.compile(r"(?:(?<=^)|(?<=[=,@])|(?<=[=,] ))~[^/,=\s]*(?=/|$)")
SMALLWORLD_DEFAULT = range(20_000)
"""The indices of ``smallworld`` without a range."""


@dataclass(frozen=True, slots=True)
class PairSpec:
    """Parallel text: two canonical language tags and a path.

    ``path`` is a file, ``-`` (standard input), ``hub:NAME`` (a dataset), two line-aligned files with a comma between
    (the source side first) or ``smallworld[:START-STOP]``.
    """

    source: str
    target: str
    path: str
    orderings: tuple[str, str] = ("", "")
    """Word order file of each side that is derived by ``syn``, otherwise empty."""
    variants: tuple[str, str] = field(default=("", ""), compare=False)
    """Tag of each side with its script or region, as in ``zh-CN``, if the user wrote one, otherwise empty. Of several
    variants in a file, the one asked for is read; otherwise they are the same language."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files: two for line-aligned files, one for a single file, none for the small world and datasets."""
        if smallworld_range(self.path) is not None or is_hub(self.path):
            return ()
        return tuple(_files_of(self.path)) if "," in self.path else (self.path,)

    @property
    def languages(self) -> tuple[str, str]:
        """``(source, target)``."""
        return (self.source, self.target)

    @property
    def wanted(self) -> tuple[str, str]:
        """The tags by which a reader chooses among several variants: ``variants``, otherwise ``languages``."""
        return (self.variants[0] or self.source, self.variants[1] or self.target)

    def __str__(self) -> str:
        source, target = map(_tagged, self.languages, self.orderings, self.variants)
        sign = ":" if "-" in source + target or any(self.orderings) else "-"
        return f"{source}{sign}{target}={self.path}"


@dataclass(frozen=True, slots=True)
class TextSpec:
    """Plain text or a treebank of one language: its canonical tag and a path (see :class:`PairSpec`)."""

    language: str
    path: str
    ordering: str = ""
    """Word order file if the language is derived by ``syn``, otherwise empty."""
    variant: str = field(default="", compare=False)
    """The tag with its script or region if the user wrote one (see :class:`PairSpec`), otherwise empty."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The file; none for the small world and datasets."""
        return () if smallworld_range(self.path) is not None or is_hub(self.path) else (self.path,)

    @property
    def languages(self) -> tuple[str]:
        """``(language,)``."""
        return (self.language,)

    def __str__(self) -> str:
        return f"{_tagged(self.language, self.ordering, self.variant)}={self.path}"


def _files_of(path: str) -> list[str]:
    """Return the files that a path names: one, or several with commas between."""
    return [path] if Path(path).exists() else [part.strip() for part in path.split(",")]


def check_endings(paths: Sequence[str], languages: tuple[str, str]) -> None:
    """Refuse two line-aligned files of which each has the language of the other in its name: ``x.de,x.en`` of en-de.

    Args:
        paths: the file of the source side and that of the target side.
        languages: their tags.

    Raises:
        UserError: with the order to write.
    """
    source, target = map(base_language, languages)
    if source != target and [_language_of(path) for path in paths] == [target, source]:
        message = f"the names of the files end in {target} and {source}, but the pairs are {source}-{target}"
        raise UserError(message, where=",".join(paths), hint=f"write {paths[1]},{paths[0]}, or rename them")


def _language_of(path: str) -> str | None:
    """Return the language that the name of a file ends in: ``de`` of ``x.de``, ``x.de.gz`` and ``x.de.txt``."""
    name = Path(uncompressed_name(Path(path).name))
    return find_tag((Path(name.stem) if name.suffix in (".txt", ".conllu") else name).suffix[1:])


def check_order(spec: PairSpec) -> None:
    """Refuse languages with reordered words, for data that refer to words by position.

    Raises:
        UserError: with the language.
    """
    for tag in spec.languages:
        language = parse_derived(tag)
        if language is not None and language.reorders_words:
            hint = "use the language it is derived from"
            raise UserError(
                f"gold links refer to the original order of words, {tag} has another", where=spec.path, hint=hint
            )


def check_readable_again(paths: Iterable[str], reason: str) -> None:
    """Refuse standard input and pipes, which can be read only once.

    Args:
        paths: paths of specs; several files of one spec have commas between.
        reason: why they are read more than once, to follow "but".

    Raises:
        UserError: with the first such path.
    """
    for path in paths:
        for part in _files_of(path):
            if part == "-" or is_special(Path(part)):
                what = "standard input" if part == "-" else "a pipe"
                where = None if part == "-" else part
                raise UserError(f"{what} can be read only once, but {reason}", where=where, hint="give a file")


def check_separate_pipes(texts: Iterable[str]) -> None:
    """Refuse the same pipe, or standard input, in two inputs: the second would get nothing, or a part.

    Args:
        texts: the inputs of a command: specs or paths.

    Raises:
        UserError: with the pipe.
    """
    seen: set[tuple[int, ...]] = set()
    for text in texts:
        path = text if Path(text).exists() else text.rpartition("=")[2].strip()
        for part in _files_of(path):
            if part != "-" and not is_special(Path(part)):
                continue
            try:
                info = os.fstat(0) if part == "-" else Path(part).stat()
            except OSError:  # standard input is closed
                continue
            same = (info.st_dev, info.st_ino)
            if same in seen:
                what = "standard input" if part == "-" else "this pipe or device"
                where = None if part == "-" else part
                raise UserError(
                    f"{what} is given for two inputs, but can be read only once", where=where, hint="give a file"
                )
            seen.add(same)


def expand_home(text: str) -> str:
    """Return a spec or path with the home folder for each ``~`` or ``~USER`` at the beginning of a path.

    The shell replaces it only at the beginning of a word, not in ``en-de=~/a.en,~/a.de``.

    >>> expand_home("en~inv-de=a.en,/a~b.de")
    'en~inv-de=a.en,/a~b.de'
    """
    return _HOME.sub(lambda found: os.path.expanduser(found[0]), text)  # noqa: PTH111 - pathlib fails for no such user


def smallworld_range(path: str) -> range | None:
    """Return the sentence indices of ``smallworld`` or ``smallworld:START-STOP``; ``None`` for a file.

    Raises:
        UserError: for a range that cannot be read or is empty.
    """
    if path == "smallworld":
        return SMALLWORLD_DEFAULT
    if not path.startswith("smallworld:"):
        return None
    match = re.fullmatch(r"smallworld:(\d+)-(\d+)", path)
    if not match or int(match[1]) >= int(match[2]):
        raise UserError(
            f"cannot read the range in {path!r}", hint="write smallworld:START-STOP, e.g. smallworld:0-20000"
        )
    return range(int(match[1]), int(match[2]))


def parse_pairs(text: str) -> PairSpec:
    """Parse ``en-de=PATH``, or ``en:zh-CN=PATH`` if a tag has a hyphen.

    Raises:
        UserError: for a missing ``=`` or path, an unknown language, the same language twice, or the same file for both
            sides (also under different names).

    >>> parse_pairs("eng-deu=corpus.tsv.gz").languages
    ('en', 'de')
    """
    shape = "write SOURCE-TARGET=PATH, e.g. en-de=corpus.tsv.gz, or en:zh-CN=PATH if a tag has a hyphen"
    tags, path = _split_spec(text, shape)
    parts = _split_tags(tags)
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise UserError(f"cannot read the languages in {text!r}", hint=shape)
    (source, first), (target, second) = map(_language, parts)
    if source == target:
        raise UserError(f"the two languages of {text!r} are the same ({source})", hint=shape)
    spec = PairSpec(source, target, path, (first, second), (variant_of(parts[0]), variant_of(parts[1])))
    _check_two_files(spec)
    return spec


def parse_text(text: str) -> TextSpec:
    """Parse ``en=PATH``.

    Raises:
        UserError: for a missing ``=`` or path, an unknown language, or two languages (``en-de``).

    >>> parse_text("German=news.txt").language
    'de'
    """
    spec = _text_spec(text)
    tag, path = text.partition("=")[0].strip(), spec.path
    if are_languages(tag):
        first, second = tag.lower().split("-")
        hint = f"write {first}={path}, or {first}-{second.upper()}={path} if {second.upper()} is a region"
        raise UserError(f"one language is needed, and {text!r} has two", hint=hint)
    return spec


def _text_spec(text: str) -> TextSpec:
    tag, path = _split_spec(text, "write LANGUAGE=PATH, e.g. en=news.en.txt.gz")
    smallworld_range(path)
    language, ordering = _language(tag)
    return TextSpec(language, path, ordering, variant_of(tag))


def are_languages(tags: str) -> bool:
    """Return whether a tag with a hyphen names two languages; regions and scripts differ in case (``zh-CN``).

    >>> are_languages("en-de"), are_languages("de-DE"), are_languages("zh-cn")
    (True, False, False)
    """
    parts = tags.split("-")
    return len(parts) == 2 and parts[0].islower() == parts[1].islower() and all(map(find_tag, parts))


def data_paths(specs: Iterable[str | PairSpec | TextSpec]) -> list[str]:
    """Return the paths of data sets: those of the text, and of the word orders of derived languages."""
    paths: list[str] = []
    for given in specs:
        spec = _parse(given) if isinstance(given, str) else given
        orderings = spec.orderings if isinstance(spec, PairSpec) else (spec.ordering,)
        saved = spec.path.removeprefix("hub:").partition("#")[0].partition("@")[0]
        local = [saved] if spec.path.startswith("hub:") and Path(saved).exists() else []  # a data set in a folder
        # A pair such as en-de may also be read as a tag with a region, and its two files as one path.
        paths += [*(part for path in spec.paths for part in _files_of(path)), *local, *filter(None, orderings)]
    return paths


def input_files(specs: Iterable[str | PairSpec | TextSpec]) -> list[Path]:
    """Return :func:`data_paths` as files on disk: of a member of an archive, the archive."""
    return [archive_of(path) for path in data_paths(specs)]


def each_file(paths: Iterable[str | Path]) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file, and where it is on disk; a folder and the prefix of a mining set name several."""
    for path in map(str, paths):
        file = archive_of(path)
        several = [] if file.exists() else sorted(file.parent.glob(f"{glob.escape(file.name)}.*"))
        if several:
            yield from each_file(inside for inside in several if inside.is_file())
        elif file.is_dir():
            yield from each_file(inside for inside in sorted(file.rglob("*")) if inside.is_file())
        else:
            yield path, file


def _parse(text: str) -> PairSpec | TextSpec:
    try:
        return _text_spec(text)
    except UserError:
        return parse_pairs(text)


def _split_tags(tags: str) -> list[str]:
    """Return the two tags; the name of a word order file may contain anything but the separator of the tags."""
    if DERIVED_SEPARATOR not in tags:
        return tags.split(":") if ":" in tags else tags.split("-")
    match = _DERIVED.fullmatch(tags)
    return [] if match is None else [part for part in match.groups() if part is not None][::2]


def _language(text: str) -> tuple[str, str]:
    """Return the canonical tag, and the word order file after ``@``, whose name becomes part of the tag.

    Raises:
        UserError: for an unknown language, or a file without ``syn``.
    """
    tag, _, ordering = text.partition("@") if DERIVED_SEPARATOR in text else (text, "", "")
    example = re.sub(r"\W+", "_", Path(ordering.strip()).name.partition(".")[0])
    return canonical_tag(f"{tag}@{example}" if example else tag), expand_home(ordering.strip())


def _tagged(language: str, ordering: str, variant: str) -> str:
    base, separator, transformations = language.partition(DERIVED_SEPARATOR)
    tag = f"{variant or base}{separator}{transformations}"
    return f"{tag.partition('@')[0]}@{ordering}" if ordering else tag


def _split_spec(text: str, shape: str) -> tuple[str, str]:
    head, equals, path = text.partition("=")
    if not equals or not head.strip():
        given = (path or head).strip()
        tags = _tags_in_name(given, pair="SOURCE-TARGET" in shape)
        hint = f"did you mean {tags}={given}?" if tags and tags != given else shape
        raise UserError(f"no language before the path in {text!r}", hint=hint)
    if not path.strip():
        raise UserError(f"no path after '=' in {text!r}", hint=shape)
    return head.strip(), expand_home(path.strip())


def _tags_in_name(path: str, *, pair: bool) -> str | None:
    """Return ``en-ru`` for ``corpus.en-ru.csv`` (``pair``), ``ru`` for ``news.ru.txt``; None if no part is a tag."""
    parts = re.split(r"[._-]" if pair else r"[._]", Path(path.strip()).name)
    known = [2 <= len(part) <= 3 and bool(find_tag(part)) for part in parts]
    for k in range(len(parts) - 1 - pair, -1, -1):
        if all(known[k : k + 1 + pair]):
            return "-".join(parts[k : k + 1 + pair])
    return None


def _check_two_files(spec: PairSpec) -> None:
    paths = spec.paths
    if len(paths) < 2:
        return
    if len(paths) > 2 or not all(paths):
        raise UserError(f"two files are needed, not {spec.path!r}", hint="write SOURCE_FILE,TARGET_FILE")
    # realpath resolves ./ and symbolic links; the files need not exist.
    if os.path.realpath(paths[0]) == os.path.realpath(paths[1]):
        raise UserError("the same file is given for both sides", where=spec.path, hint="use the file of each language")
    check_endings(paths, spec.languages)
