"""Statistics of a store, which are computed block by block."""

import numpy as np
import pytest

from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.runs import language_statistics as module
from paralign.sources.specs import parse_text


@pytest.mark.parametrize("sample", [5, 40, 1000])
def test_the_sample_of_a_language_is_spread_over_the_store(store, monkeypatch, sample):
    monkeypatch.setattr(module, "_BLOCK", 7)
    monkeypatch.setattr(module, "_SAMPLE", sample)
    for number in range(len(store.languages)):
        records, sides = np.nonzero(store.language == number)
        step = -(-len(records) // sample)
        mine = module._sample(store, number)
        assert mine[0].tolist() == records[::step].tolist()
        assert mine[1].tolist() == sides[::step].tolist()


def test_sentences_and_pieces_of_each_language_are_counted(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)
    text = build_store(
        [parse_text("en=smallworld:0-20"), parse_text("de=smallworld:20-50")],
        encoder.text_tokenizer,
        tmp_path / "store",
        filter=FilterConfig(min_pieces=2),
    )
    rows = module.language_rows(text, encoder, 1.0)
    for number, tag in enumerate(text.languages):
        of_language = text.language[:, 0] == number
        assert rows[tag]["sentences"] == of_language.sum() > 0
        assert rows[tag]["pieces"] == text.lengths[of_language].sum()
