"""Word links of a run: a warning where links from a file count other tokens than the words of the text."""

import pytest

from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.runs import links as links_of_run
from paralign.runs.links import open_links
from paralign.runs.settings import LinksConfig
from paralign.sources.specs import parse_pairs


@pytest.mark.parametrize("tokenized", [False, True])
def test_tokenized_text_with_links_of_its_tokens_is_reported(encoder, tmp_path, capfd, tokenized, monkeypatch):
    monkeypatch.setattr(links_of_run, "_SAMPLE", 10)
    pairs, links = tmp_path / "text.tsv", tmp_path / "text.links"
    pairs.write_text("".join(f"it 's the house {n} .\tes ist das Haus {n} .\n" for n in range(20)))
    links.write_text("0-0 3-3\n" * 20)
    spec = parse_pairs(f"en-de={pairs}")
    store = build_store(
        [spec],
        encoder.tokenize,
        tmp_path / "store",
        filter=FilterConfig(min_pieces=2),
        tokenizer_id=encoder.tokenizer_id,
        tokenized=tokenized,
    )
    capfd.readouterr()
    open_links(tmp_path, store, LinksConfig(tokenized=tokenized), files=[f"en-de={links}"])
    found = [line for line in capfd.readouterr().err.splitlines() if "tokenized" in line]
    message = (
        f"WARNING en-de={pairs}: the text looks tokenized, but in 7 of 7 sampled pairs the words that are found in it "
        "are not its tokens; if links count tokens, add --set links.tokenized=true"
    )
    assert found == ([] if tokenized else [message])
