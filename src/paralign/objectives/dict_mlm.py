"""DICT-MLM: masked language modeling in which a dictionary replaces pieces by their translations."""

from __future__ import annotations

from typing import ClassVar

from paralign.objectives.mlm import MaskedLM

__all__ = ["DictionaryMLM"]


class DictionaryMLM(MaskedLM):
    """DICT-MLM: of selected pieces with a translation, half (``views.translate_share``) are bilingual.

    ``views.translate = "input"``: the translation stands in the piece's place, and the piece is to be predicted (the
    baseline of Tang et al. 2022); ``"predict"``: the piece is masked, and its translation is to be predicted
    (Chaudhary et al. 2020). Entries of one piece on both sides count, in both directions.

    Reads ``translated``, instead of the ``text`` of ``mlm``; loss ``dict_mlm``, a mean over selected pieces.
    """

    name: ClassVar[str] = "dict_mlm"
    reads: ClassVar[tuple[str, ...]] = ("translated",)
    needs_translations: ClassVar[bool] = True
