"""DICT-MLM: masked language modeling in which a dictionary replaces pieces by their translations."""

from __future__ import annotations

from typing import ClassVar

from paralign.objectives.mlm import MaskedLM

__all__ = ["DictionaryMLM"]


class DictionaryMLM(MaskedLM):
    """DICT-MLM: half of the selected pieces that have a translation are bilingual (``views.translate_share``).

    With ``views.translate = "input"`` the translation replaces the piece in the input, and the piece is predicted (the
    baseline of Tang et al. 2022). With ``"predict"`` the piece is masked, and its translation is predicted (Chaudhary
    et al. 2020). Only dictionary entries of one piece on each side are used, in both directions.

    Reads ``translated``, in place of the view ``text`` of ``mlm``. Loss ``dict_mlm``, a mean over selected pieces.
    """

    name: ClassVar[str] = "dict_mlm"
    reads: ClassVar[tuple[str, ...]] = ("translated",)
    needs_translations: ClassVar[bool] = True
