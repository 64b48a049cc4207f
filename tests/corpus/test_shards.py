"""A sharded corpus against the store that is not sharded: the same records in the same order, and the same counts."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.corpus import join as join_module
from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.deduplicate import HashSet, sentence_hashes
from paralign.corpus.join import join_shards
from paralign.corpus.shard_plan import ShardPlan
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.sources.specs import PairSpec
from tests.corpus.test_store import CELL, ROWS, SHORT, tokenize

BAD_LINE = st.sampled_from(["no separator", "a\tb\0"])


def save(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def plan_of(specs: Any, shards: int, config: FilterConfig, lenient: bool = False, tokenizer: str = "two") -> ShardPlan:
    facts = {"tokenizer": tokenizer, "filter": config.model_dump(mode="json")}
    return ShardPlan.create(specs, shards, facts, lenient=lenient, counts=True)


def build_shard(folder: Path, plan: ShardPlan, number: int, specs: Any, config: FilterConfig, **options: Any) -> None:
    options = {"tokenizer_id": "two", "vocabulary": 997, **options}
    shard = plan.shard(number)
    build_store(specs, tokenize, folder / plan.folder(number), filter=config, shard=shard, **options)


def build_all(folder: Path, specs: Any, shards: int, config: FilterConfig = SHORT, **options: Any) -> TokenStore:
    plan = plan_of(specs, shards, config, options.get("lenient", False)).write(folder)
    for number in random.Random(shards).sample(range(1, shards + 1), shards):  # in any order
        build_shard(folder, plan, number, specs, config, **options)
    return join_shards(folder, plan)


def assert_same(store: TokenStore, other: TokenStore) -> None:
    """All that can be read is equal."""
    for key in ("sides", "records", "pieces", "languages", "tokenizer", "filter", "specs"):
        assert store.meta[key] == other.meta[key], key
    assert len(store) == len(other)
    for name in ("language", "spec", "line", "lengths"):
        np.testing.assert_array_equal(getattr(store, name), getattr(other, name), name)
        assert getattr(store, name).dtype == getattr(other, name).dtype
    records = np.repeat(np.arange(len(store)), store.sides)
    sides = np.tile(np.arange(store.sides), len(store))
    order = np.random.default_rng(0).permutation(len(records))
    for method in ("gather", "gather_offsets", "gather_words"):
        for mine, theirs in zip(
            getattr(store, method)(records[order], sides[order]),
            getattr(other, method)(records[order], sides[order]),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, theirs, method)
    for record, side in zip(records.tolist(), sides.tolist(), strict=True):
        assert store.text(record, side) == other.text(record, side)
        assert store.pieces(record, side).tolist() == other.pieces(record, side).tolist()
        assert store.offsets(record, side).tolist() == other.offsets(record, side).tolist()


@settings(max_examples=60)
@given(
    a=ROWS,
    b=ROWS,
    c=ROWS,
    bad=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), BAD_LINE), max_size=6),
    shards=st.integers(1, 9),
    config=st.builds(
        FilterConfig,
        min_pieces=st.integers(1, 3),
        max_pieces=st.integers(6, 20),
        drop_identical=st.booleans(),
        drop_duplicates=st.booleans(),
    ),
    excluded=st.sets(CELL.filter(bool), max_size=2),
    merge=st.integers(1, 50),
)
def test_a_sharded_corpus_equals_one_store(  # type: ignore[no-untyped-def]
    tmp_path_factory, a, b, c, bad, shards, config, excluded, merge
) -> None:
    folder = tmp_path_factory.mktemp("shards", numbered=True)
    texts = [[f"{x}\t{y}" for x, y in rows] for rows in (a, b, c)]
    for text, position, line in bad:  # dropped and counted by the reader
        texts[text].insert(position, line)
    tags = [("en", "de"), ("de", "en"), ("en", "fr")]
    specs = [PairSpec(*tags[k], save(folder / f"{k}.tsv", lines)) for k, lines in enumerate(texts)]
    exclude = HashSet()
    exclude.add_new(sentence_hashes(sorted(excluded)))
    options: dict[str, Any] = {"exclude": exclude, "lenient": True}
    try:
        whole = build_store(
            specs, tokenize, folder / "whole", filter=config, tokenizer_id="two", vocabulary=997, **options
        )
    except UserError as error:
        # Nothing is left, or the layout of a file is refused: the same is said of the shards.
        with pytest.raises(UserError, match="no record is left" if "dropped" in str(error) else error.message[:20]):
            build_all(folder / "corpus", specs, shards, config, **options)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join_module, "_MERGE", merge)
        assert_same(build_all(folder / "corpus", specs, shards, config, **options), whole)
    assert_same(TokenStore.open(folder / "corpus"), whole)
