"""Linear maps that ``paralign evaluate --map`` applies to an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.runs.inputs import Entries
from paralign.runs.layer_choice import ChosenLayer
from paralign.words.linear_map import LinearMap

__all__ = ["AppliedMap", "check_maps_used", "fitted_on", "load_maps", "use_maps"]


@dataclass(frozen=True)
class AppliedMap:
    """A map, its folder, and the folder that was given, which may contain the maps of several languages."""

    linear_map: LinearMap
    folder: Path
    given: Path

    @property
    def language(self) -> str:
        """The language whose vectors are mapped."""
        return str(self.linear_map.facts["source"])


def load_maps(folders: Iterable[str | Path]) -> list[AppliedMap]:
    """Load maps.

    Args:
        folders: the folders of maps, or of folders with maps of several languages.

    Raises:
        UserError: for a folder without a map, or a damaged one.
    """
    maps = []
    for given in map(Path, folders):
        inner = sorted(path.parent for path in given.glob("*/map.json"))
        parts = inner if inner and not (given / "map.json").exists() else [given]
        maps += [AppliedMap(LinearMap.load(part), part, given) for part in parts]
    return maps


def use_maps(encoder: Encoder, digest: str, maps: Sequence[AppliedMap]) -> list[str]:
    """Apply linear maps to an encoder.

    Args:
        encoder: the encoder, which is changed.
        digest: its digest.
        maps: the maps.

    Returns:
        a description of each map, which is recorded with the results.

    Raises:
        UserError: for maps of another encoder, or two maps of one language.
    """
    languages: set[str] = set()
    for applied in maps:
        if applied.language in languages:
            hint = "give one map for each language"
            raise UserError(f"a second map of {applied.language!r}", where=applied.folder, hint=hint)
        languages.add(applied.language)
        applied.linear_map.apply_to(encoder, digest, applied.folder)
    facts = [applied.linear_map.facts for applied in maps]
    return [f"{fact['source']}→{fact['target']} ({fact['kind']})" for fact in facts]


def check_maps_used(maps: Sequence[AppliedMap], encoder: Encoder, choice: ChosenLayer | None) -> None:
    """Check that each folder has a map that was applied to the states that were measured.

    Raises:
        UserError: naming the folder.
    """
    used = {applied.given for applied in maps if applied.language in encoder.languages_mapped}
    for applied in maps:
        if applied.given not in used:
            hint = "evaluate the layer and the language that the map was fitted for"
            problem = "its language and layer were never read"
            if choice is not None:
                problem += f" ({choice.label} was chosen on development data)"
                hint += "; --layer instead of --dev sets the layer"
            raise UserError(f"a map was not used: {problem}", where=applied.given, hint=hint)


def fitted_on(maps: Sequence[AppliedMap], entries: Entries) -> list[str]:
    """Return a warning for each file that a map was fitted on. Other files with the same text are not found.

    Args:
        maps: the maps.
        entries: the files, as :func:`paralign.runs.inputs.data_files` describes them.
    """
    files = {entry["blake2b"]: entry["path"] for entry in entries if entry.get("blake2b")}
    out = []
    for applied in maps:
        used = {entry.get("blake2b") for entry in applied.linear_map.facts.get("fitted_on", [])}
        seen = [path for digest, path in files.items() if digest in used]
        out += [f"{path}: the map {applied.folder} was fitted on this file" for path in seen]
    return out
