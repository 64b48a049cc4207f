"""A sharded corpus against the store that is not sharded: the same records in the same order, and the same counts."""

import random
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.commands.order_corpus import order_corpus
from paralign.corpus import join as join_module
from paralign.corpus.build import TextTokenizer, build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.deduplicate import HashSet, sentence_hashes
from paralign.corpus.join import check_shard, join_shards
from paralign.corpus.joined_array import JoinedArray
from paralign.corpus.link_store import write_link_store
from paralign.corpus.shard_plan import ShardPlan, parse_shard, source_file
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text
from tests.corpus.test_store import CELL, ROWS, SHORT, tokenize

TWO = TextTokenizer(tokenize, "two", 997)
FACTS = {"tokenizer": "two", "filter": SHORT.model_dump(mode="json")}
BAD_LINE = st.sampled_from(["no separator", "a\tb\0"])


def save(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def plan_of(specs: Any, shards: int, config: FilterConfig, lenient: bool = False, tokenizer: str = "two") -> ShardPlan:
    facts = {"tokenizer": tokenizer, "filter": config.model_dump(mode="json")}
    return ShardPlan.create(specs, shards, facts, lenient=lenient, counts=True)


def build_shard(folder: Path, plan: ShardPlan, number: int, specs: Any, config: FilterConfig, **options: Any) -> None:
    shard = plan.shard(number)
    build_store(specs, TWO, folder / plan.folder(number), filter=config, shard=shard, **options)


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
    rng = np.random.default_rng(0)
    for start, stop in np.sort(rng.integers(0, len(store) + 1, (9, 2))).tolist():
        np.testing.assert_array_equal(store.lengths_of(start, stop), other.lengths[start:stop])
        np.testing.assert_array_equal(store.languages_of(start, stop), other.language[start:stop])
    order = rng.permutation(len(records))
    expected = other.language[records[order], sides[order]]
    np.testing.assert_array_equal(store.language_at(records[order], sides[order]), expected)
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


@settings(max_examples=25)
@given(
    a=ROWS,
    b=ROWS,
    c=ROWS,
    bad=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), BAD_LINE), max_size=6),
    shards=st.integers(1, 6),
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
        whole = build_store(specs, TWO, folder / "whole", filter=config, **options)
    except UserError as error:
        # Nothing is left, or the layout of a file is refused: building shards reports the same.
        with pytest.raises(UserError, match=re.escape(error.message)):
            build_all(folder / "corpus", specs, shards, config, **options)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join_module, "_MERGE", merge)
        assert_same(build_all(folder / "corpus", specs, shards, config, **options), whole)
    assert_same(TokenStore.open(folder / "corpus"), whole)


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_plain_text_and_the_small_world(tmp_path: Path, shards: int) -> None:
    specs = [TextSpec("en", "smallworld:0-40"), TextSpec("de", save(tmp_path / "de.txt", ["ein Haus", "", "x"] * 9))]
    whole = build_store(specs, TWO, tmp_path / "whole", filter=SHORT)
    assert_same(build_all(tmp_path / "corpus", specs, shards), whole)


@given(items=st.lists(st.integers(0, 40), min_size=1, max_size=5), shards=st.integers(1, 12), data=st.data())
def test_every_item_is_in_one_shard_whatever_was_counted(items: list[int], shards: int, data: Any) -> None:
    really = [max(0, count + data.draw(st.integers(-3, 3))) for count in items]
    texts = [{"spec": "", "items": count, "files": []} for count in items]
    plan = ShardPlan({"shards": shards, "texts": texts})
    seen: list[tuple[int, int]] = []
    for number in range(1, shards + 1):
        for text, part in enumerate(plan.shard(number).ranges):
            if part is not None:
                stop = really[text] if part[1] is None else min(part[1], really[text])
                seen += [(text, item) for item in range(part[0], stop)]
    assert seen == [(text, item) for text, count in enumerate(really) for item in range(count)]
    sizes = [
        sum((items[text] if part[1] is None else part[1]) - part[0] for text, part in enumerate(ranges) if part)
        for ranges in (plan.shard(number).ranges for number in range(1, shards + 1))
    ]
    assert max(sizes) - min(sizes) <= 1


class _Part:
    """What :class:`JoinedArray` reads of an array."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        return self.values[key]


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5), data=st.data())
def test_joined_arrays_are_indexed_as_one(sizes: list[int], data: Any) -> None:
    ends = np.cumsum(sizes)
    plain = np.arange(ends[-1]) * 10
    positions = np.concatenate([[0], np.cumsum(np.arange(ends[-1]) % 3)])
    parts, of_positions, shifts = [], [], []
    for end, size in zip(ends.tolist(), sizes, strict=True):
        parts.append(_Part(plain[end - size : end]))
        shifts.append(int(positions[end - size]))
        of_positions.append(_Part(positions[end - size : end + 1] - shifts[-1]))
    joined: list[tuple[Any, Any]] = [
        (JoinedArray(parts, None), plain),  # type: ignore[arg-type]
        (JoinedArray(of_positions, shifts), positions),  # type: ignore[arg-type]
    ]
    for array, whole in joined:
        assert len(array) == len(whole)
        np.testing.assert_array_equal(array.all(), whole)
        start, stop = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
        np.testing.assert_array_equal(array[start:stop], whole[start:stop])
        if len(whole):
            keys = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=9)), np.int64)
            np.testing.assert_array_equal(array[keys], whole[keys])
            assert [array[int(key)] for key in keys] == whole[keys].tolist()


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[Path, ShardPlan, Any]:
    """Three finished shards that are not joined, and their texts; every pair occurs twice."""
    numbers = [*range(13), *range(6), *range(13, 20), *range(6, 20)]
    specs = [PairSpec("en", "de", save(tmp_path / "text.tsv", [f"word {k}\tWort {k}" for k in numbers]))]
    folder = tmp_path / "corpus"
    plan = plan_of(specs, 3, SHORT).write(folder)
    for number in (1, 2, 3):
        build_shard(folder, plan, number, specs, SHORT)
    return folder, plan, specs


def test_a_missing_shard_is_named(corpus: Any) -> None:
    folder, plan, _ = corpus
    shutil.rmtree(folder / "shards/0002")
    with pytest.raises(UserError, match=r"shards/0002: shard 2/3 is missing"):
        join_shards(folder, plan)
    assert not (folder / "joined").exists()


@pytest.mark.parametrize("name", ["hashes.bin", "hash_rows.bin", "meta.json"])
def test_a_damaged_shard_is_named(corpus: Any, name: str) -> None:
    folder, plan, _ = corpus
    file = folder / "shards/0002" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"shards/0002/{name}: .*damaged"):
        join_shards(folder, plan)
    assert not (folder / "joined").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tokenizer_id": "three"}, "another tokenizer"),
        ({"filter": FilterConfig(min_pieces=2)}, r"other settings \(data.min_pieces\)"),
        ({"shards": 4}, "other text or with other options"),
        ({"number": 1}, "it is shard 1"),
        ({"whole": True}, "other text or with other options"),
    ],
)
def test_a_foreign_shard_is_named(corpus: Any, options: dict[str, Any], reason: str) -> None:
    folder, plan, specs = corpus
    shutil.rmtree(folder / "shards/0002")
    config = options.get("filter", SHORT)
    other = plan_of(specs, options.get("shards", 3), config) if {"shards", "filter"} & {*options} else plan
    tokenizer = TextTokenizer(tokenize, options.get("tokenizer_id", "two"))
    part = None if "whole" in options else other.shard(options.get("number", 2))
    build_store(specs, tokenizer, folder / "shards/0002", filter=config, shard=part)
    with pytest.raises(UserError, match=rf"shards/0002: not shard 2/3 of this corpus: .*{reason}"):
        check_shard(folder, 2, plan)
    with pytest.raises(UserError, match="not shard 2/3"):
        join_shards(folder, plan)


def test_duplicates_are_listed_by_shard(corpus: Any) -> None:
    folder, plan, _ = corpus
    store = join_shards(folder, plan)
    assert len(store) == 20
    assert [(entry["records"], entry["duplicates"]) for entry in store.meta["shards"]] == [(13, 0), (13, 6), (14, 14)]
    assert store.meta["specs"][0]["dropped"] == {"duplicate": 20}


def test_a_corpus_is_incomplete_until_its_shards_are_joined(corpus: Any) -> None:
    folder, plan, _ = corpus
    with pytest.raises(UserError, match=r"not joined \(run the same corpus build again"):
        TokenStore.open(folder)
    fingerprint = join_shards(folder, plan).fingerprint
    assert TokenStore.open(folder).fingerprint == fingerprint


def test_shards_are_checked_when_a_corpus_is_opened(corpus: Any) -> None:
    folder, plan, _ = corpus
    join_shards(folder, plan)
    (folder / "shards/0002").rename(folder / "shards/away")
    with pytest.raises(UserError, match="shards/0002: a shard of the corpus is missing"):
        TokenStore.open(folder)
    shutil.copytree(folder / "shards/0001", folder / "shards/0002")
    with pytest.raises(UserError, match="shards/0002: not the shard that was joined"):
        TokenStore.open(folder)


def test_word_links_of_a_sharded_corpus(corpus: Any, tmp_path: Path) -> None:
    folder, plan, specs = corpus
    sharded = join_shards(folder, plan)
    whole = build_store(specs, TWO, tmp_path / "whole", filter=SHORT)
    links = [[(k % 2, 0), (1, 1)] for k in range(len(whole))]
    stores = [
        (store, write_link_store(store, links, tmp_path / name))
        for name, store in zip("ab", (sharded, whole), strict=True)
    ]
    records = np.array([19, 0, 7, 12, 13])
    for side in (0, 1):
        words = [links.words(store.piece_positions(records, np.full(5, side))[0]) for store, links in stores]
        np.testing.assert_array_equal(*words)
    (mine, counts), (theirs, expected) = [links.links(records) for _, links in stores]
    np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(counts, expected)


def test_nothing_left_is_an_error_after_the_join_only(tmp_path: Path) -> None:
    specs = [PairSpec("en", "de", save(tmp_path / "text.tsv", ["same\tsame"] * 4))]
    with pytest.raises(UserError, match="all 4 pairs dropped: 4 identical"):
        build_all(tmp_path / "corpus", specs, 2)
    assert not (tmp_path / "corpus/joined").exists()


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2", "01/2", "1/2/3", "1/4097", ""])
def test_shards_that_do_not_exist(text: str) -> None:
    with pytest.raises(UserError, match="K/N"):
        parse_shard(text)


def test_standard_input_cannot_be_divided() -> None:
    with pytest.raises(UserError, match="standard input"):
        plan_of([PairSpec("en", "de", "-")], 2, SHORT)


def test_of_a_member_of_an_archive_the_archive_is_recorded(tmp_path):
    with zipfile.ZipFile(tmp_path / "o.zip", "w") as archive:
        archive.writestr("x.en", "a\n")
    name = f"{tmp_path / 'o.zip'}!x.en"
    found = source_file(name)
    assert found == {**source_file(str(tmp_path / "o.zip")), "path": name}
    assert found["bytes"] == (tmp_path / "o.zip").stat().st_size


def test_a_word_order_that_changed_is_refused(tmp_path: Path) -> None:
    order = tmp_path / "o.json"
    order_corpus(["hi=smallworld:0-30"], order, quiet=True)
    specs = [parse_text(f"en~syn@{order}=smallworld:0-9")]
    plan = plan_of(specs, 2, SHORT)
    now = ShardPlan.create(specs, 2, FACTS, lenient=False, counts=False)
    plan.check(now, tmp_path, digests=True)
    order.write_text(order.read_text().swapcase())
    plan.check(now, tmp_path, digests=False)  # of equal size
    with pytest.raises(UserError, match=r"o\.json: the text has changed since the shards were begun"):
        plan.check(now, tmp_path, digests=True)
    order.unlink()
    with pytest.raises(UserError, match=r"o\.json: no such file"):
        plan.check(now, tmp_path, digests=False)


def test_a_dataset_in_a_folder_that_changed_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = save(data / "train.jsonl", ['{"en": "one", "de": "eins"}'])
    specs = [parse_pairs(f"en-de=hub:{data}")]
    plan = plan_of(specs, 2, SHORT)

    def check() -> None:
        plan.check(ShardPlan.create(specs, 2, FACTS, lenient=False, counts=False), tmp_path, digests=False)

    check()
    save(data / "more.jsonl", ['{"en": "two", "de": "zwei"}'])
    with pytest.raises(UserError, match=r"other files than the shards were begun with: .*more\.jsonl"):
        check()
    (data / "more.jsonl").unlink()
    save(Path(rows), ['{"en": "two", "de": "zwei"}', '{"en": "one", "de": "eins"}'])
    with pytest.raises(UserError, match=r"train\.jsonl: the text has changed"):
        check()
