"""The store against an oracle of plain lists, and what is left after every way a build can fail."""

import errno
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.corpus import build as module
from paralign.corpus import text_batches
from paralign.corpus.build import TextTokenizer, build_store
from paralign.corpus.check import CheckConfig, check_text
from paralign.corpus.clean import FilterConfig
from paralign.corpus.deduplicate import HashSet, sentence_hashes
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.sources.specs import PairSpec, TextSpec

SHORT = FilterConfig(min_pieces=1)


def tokenize(texts: Sequence[str], _: str = "") -> list[tuple[Any, Any]]:
    """Two-letter pieces of the words."""
    out = []
    for text in texts:
        offsets = [(i, i + 1 + (text[i + 1 : i + 2].strip() != "")) for i in range(0, len(text), 2) if text[i].strip()]
        out.append((np.array([(a * 31 + b) % 997 for a, b in offsets], int), np.array(offsets, int)))
    return out


def save(path: Path, rows: Sequence[tuple[str, str]]) -> str:
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return str(path)


def build(
    specs: Any, out: Path, filter: FilterConfig = SHORT, vocabulary: int | None = None, **options: Any
) -> TokenStore:
    return build_store(specs, TextTokenizer(tokenize, "two", vocabulary), out, filter=filter, **options)


def oracle(
    corpora: list[tuple[tuple[str, str], list[tuple[str, str]]]], config: FilterConfig, excluded: set[str]
) -> tuple[list[tuple[int, int, tuple[str, str]]], list[Counter[str]]]:
    """Kept (spec, line, texts) and what was dropped for each spec, one pair at a time."""
    kept, counts, seen, of_pair = [], [], set(), Counter[frozenset[str]]()
    for number, (languages, rows) in enumerate(corpora):
        count: Counter[str] = Counter()
        for line, texts in enumerate(rows, 1):
            if config.limit and of_pair[frozenset(languages)] >= config.limit:
                break
            sizes = [len(ids) for ids, _ in tokenize(texts)]
            key = frozenset(zip(languages, texts, strict=True))
            if not all(texts):
                count["empty"] += 1
            elif config.drop_identical and texts[0] == texts[1]:
                count["identical"] += 1
            elif config.drop_duplicates and key in seen:
                count["duplicate"] += 1
            elif set(texts) & excluded:
                count["excluded"] += 1
            elif sum(sizes) > config.max_pieces:
                count["too long"] += 1
            elif min(sizes) < config.min_pieces:
                count["too short"] += 1
            else:
                kept.append((number, line, texts))
                of_pair[frozenset(languages)] += 1
            if all(texts) and not (config.drop_identical and texts[0] == texts[1]):
                seen.add(key)
        counts.append(count)
    return kept, counts


CELL = st.sampled_from(["", "a", "bb", "a b", "été", "我们 好", "a longer line of text", "aa bb cc dd ee ff gg hh"])
ROWS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=30)
FILTERS = st.builds(
    FilterConfig,
    min_pieces=st.integers(1, 3),
    max_pieces=st.integers(6, 20),
    drop_identical=st.booleans(),
    drop_duplicates=st.booleans(),
    limit=st.none() | st.integers(1, 12),
)


@given(
    a=ROWS,
    b=ROWS,
    c=ROWS,
    config=FILTERS,
    excluded=st.sets(CELL.filter(bool), max_size=2),
    batch=st.integers(1, 9),
)
def test_against_lists(tmp_path_factory, a, b, c, config, excluded, batch) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("store", numbered=True)
    corpora = [(("en", "de"), a), (("de", "en"), b), (("en", "fr"), c)]
    specs = [PairSpec(*tags, save(folder / f"{k}.tsv", rows)) for k, (tags, rows) in enumerate(corpora)]
    kept, counts = oracle(corpora, config, excluded)
    exclude = HashSet()
    exclude.add_new(sentence_hashes(sorted(excluded)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_batches, "_BATCH_LINES", batch)
        if not kept:
            with pytest.raises(UserError, match="dropped"):
                build(specs, folder / "out", config, exclude=exclude)
            return
        store = build(specs, folder / "out", config, exclude=exclude, vocabulary=997)
    assert len(store) == len(kept)
    assert store.languages == ["de", "en", "fr"]
    assert [+Counter(spec["dropped"]) for spec in store.meta["specs"]] == counts
    for record, (number, line, texts) in enumerate(kept):
        assert (store.spec[record], store.line[record]) == (number, line)
        assert [store.languages[k] for k in store.language[record]] == list(corpora[number][0])
        for side, (text, (ids, offsets)) in enumerate(zip(texts, tokenize(texts), strict=True)):
            assert store.text(record, side) == text
            assert store.pieces(record, side).tolist() == ids.tolist()
            assert store.offsets(record, side).tolist() == offsets.tolist()
            assert store.lengths[record, side] == len(ids)
    rng = np.random.default_rng(0)
    records, sides = rng.integers(0, len(kept), 7), rng.integers(0, 2, 7)
    flat, lengths = store.gather(records, sides)
    slow = [store.pieces(r, s).tolist() for r, s in zip(records, sides, strict=True)]
    assert flat.tolist() == [piece for ids in slow for piece in ids]
    assert lengths.tolist() == [len(ids) for ids in slow]
    places = np.concatenate([store.offsets(r, s) for r, s in zip(records, sides, strict=True)])
    assert store.gather_offsets(records, sides)[0].tolist() == places.tolist()


@pytest.fixture
def spec(tmp_path: Path) -> PairSpec:
    return PairSpec("en", "de", save(tmp_path / "c.tsv", [(f"line {n}", f"Zeile {n}") for n in range(50)]))


def test_plain_text(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("one two\n\none two\nmuch too long for the bound\n")
    store = build([TextSpec("en", str(tmp_path / "t"))], tmp_path / "out", FilterConfig(min_pieces=2, max_pieces=8))
    assert (store.sides, len(store), store.text(0, 0)) == (1, 1, "one two")
    assert store.meta["specs"][0]["dropped"] == {"duplicate": 1, "empty": 1, "too long": 1}
    assert store.share_kept() == "kept 25.0 % (1 of 4): 1 duplicate, 1 empty, 1 too long"


def test_a_pair_that_is_too_long_and_too_short_counts_as_too_long(tmp_path: Path) -> None:
    spec = PairSpec("en", "de", save(tmp_path / "a.tsv", [("a", "b " * 300), ("a b", "c d"), ("a", "b")]))
    config = FilterConfig(min_pieces=2)
    assert build([spec], tmp_path / "out", config).meta["specs"][0]["dropped"] == {"too long": 1, "too short": 1}
    (found,) = check_text([spec], CheckConfig(), tokenizer=TextTokenizer(tokenize, "two"), filter=config)
    assert (found.too_long, found.too_short) == (1, 1)


def test_readers_drops_are_counted(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"a\tb\nno tab\n\xff\tx\n")
    store = build([PairSpec("en", "de", str(tmp_path / "c"))], tmp_path / "out", lenient=True)
    assert store.meta["specs"][0]["dropped"] == {"invalid UTF-8": 1, "missing separator": 1}


def test_fingerprint_speaks_of_the_content_only(tmp_path: Path, spec: PairSpec) -> None:
    one = build([spec], tmp_path / "one")
    other = tmp_path / "other.tsv"
    other.write_bytes(Path(spec.path).read_bytes())
    assert build([PairSpec("en", "de", str(other))], tmp_path / "two").fingerprint == one.fingerprint
    prints = {one.fingerprint, build([PairSpec("en", "fr", spec.path)], tmp_path / "three").fingerprint}
    prints.add(build_store([spec], TextTokenizer(tokenize, "x"), tmp_path / "four", filter=SHORT).fingerprint)
    other.write_text("line 1\tZeile 2\n")
    prints.add(build([PairSpec("en", "de", str(other))], tmp_path / "five").fingerprint)
    assert len(prints) == 4


def test_piece_width_follows_the_vocabulary(tmp_path: Path, spec: PairSpec) -> None:
    widths = {}
    for vocabulary in (65_535, 65_536, None):
        store = build([spec], tmp_path / str(vocabulary), vocabulary=vocabulary)
        widths[vocabulary] = store.meta["arrays"]["pieces"]["dtype"]
    assert widths == {65_535: "<u2", 65_536: "<u4", None: "<u4"}
    with pytest.raises(ValueError, match="outside the vocabulary"):
        build([spec], tmp_path / "small", vocabulary=10)


def test_progress_and_source_files(tmp_path: Path, spec: PairSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_batches, "_BATCH_LINES", 20)
    calls: list[tuple[int, int]] = []
    store = build([spec], tmp_path / "out", progress=lambda read, kept: calls.append((read, kept)))
    assert calls == [(20, 20), (40, 40), (50, 50)]
    (file,) = store.meta["specs"][0]["files"]
    assert file["bytes"] == Path(spec.path).stat().st_size


def test_nothing_left_says_why(tmp_path: Path, spec: PairSpec) -> None:
    with pytest.raises(UserError, match=r"all 50 pairs dropped: 50 too short \(< 9 pieces\) \(lower data.min_pieces\)"):
        build([spec], tmp_path / "out", FilterConfig(min_pieces=9))
    assert [p.name for p in tmp_path.iterdir()] == ["c.tsv"]


@pytest.mark.parametrize(
    ("longest", "hint"),
    [(None, "raise data.max_pieces"), (9, "raise data.max_pieces"), (2, "the encoder takes no more")],
)
def test_the_limit_of_the_encoder_is_not_taken_for_that_of_the_settings(tmp_path, spec, longest, hint) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=rf"50 too long \(> 2 pieces\) \({hint}"):
        build([spec], tmp_path / "out", FilterConfig(min_pieces=1, max_pieces=2), longest=longest)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("x"), OSError(errno.ENOSPC, "full")])
def test_a_failed_build_leaves_nothing(tmp_path: Path, spec: PairSpec, error: BaseException) -> None:
    calls = []

    def failing(texts: list[str], _: str) -> list[tuple[Any, Any]]:
        calls.append(sorted(p.name for p in tmp_path.iterdir()))
        if len(calls) == 2:
            raise error
        return tokenize(texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_batches, "_BATCH_LINES", 10)
        expected: Any = UserError if isinstance(error, OSError) else type(error)
        with pytest.raises(expected, match="disk is full" if expected is UserError else None):
            build_store([spec], TextTokenizer(failing, "x"), tmp_path / "out", filter=SHORT)
    assert calls == [[".out.part", "c.tsv"]] * 2
    assert [p.name for p in tmp_path.iterdir()] == ["c.tsv"]


def test_in_use_and_under_way(tmp_path: Path, spec: PairSpec) -> None:
    store = build([spec], tmp_path / "out")
    with pytest.raises(UserError, match="already exists"):
        build([spec], tmp_path / "out")
    assert len(TokenStore.open(store.path)) == 50

    def nested(texts: list[str], _: str) -> list[tuple[Any, Any]]:
        with pytest.raises(UserError, match="another process"):
            build([spec], tmp_path / "second")
        return tokenize(texts)

    build_store([spec], TextTokenizer(nested, "x"), tmp_path / "second", filter=SHORT)


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path, spec: PairSpec) -> None:
    (tmp_path / ".out.part" / "old").mkdir(parents=True)
    (tmp_path / ".out.part" / "pieces.bin").write_bytes(b"old")
    build([spec], tmp_path / "out")
    assert not (tmp_path / ".out.part").exists()
    names = {p.name for p in (tmp_path / "out").iterdir()}
    arrays = {f"{name}.bin" for name in ("pieces", *module._DTYPES)}
    assert names == {"meta.json", "digests.json", "blocks.bin", *arrays}


def test_damaged_stores(tmp_path: Path, spec: PairSpec) -> None:
    out = tmp_path / "out"
    build([spec], out)
    with pytest.raises(UserError, match="no token store"):
        TokenStore.open(tmp_path)
    cut = out / "index.bin"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"index\.bin: has 807 bytes, not 808"):
        TokenStore.open(out)
    cut.unlink()
    with pytest.raises(UserError, match=r"index\.bin: is missing"):
        TokenStore.open(out)
    cut.write_bytes(whole)
    meta = json.loads((out / "meta.json").read_text())
    (out / "meta.json").write_text(json.dumps({**meta, "schema": 99}))
    with pytest.raises(UserError, match=r"meta\.json: the file is damaged.*build it again"):
        TokenStore.open(out)
    (out / "digests.json").unlink()
    with pytest.raises(UserError, match="written by another version of paralign"):
        TokenStore.open(out)
    (out / "meta.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        TokenStore.open(out)


def test_a_damaged_array_is_named_when_it_is_read(tmp_path: Path, spec: PairSpec) -> None:
    out = tmp_path / "out"
    build([spec], out)

    def read(store: TokenStore) -> None:
        store.gather(np.arange(50), np.zeros(50, np.int64))
        store.gather_offsets(np.arange(50), np.zeros(50, np.int64))
        store.text(0, 0)
        assert store.language.shape == (50, 2)
        assert len(store.spec) == len(store.line) == 50

    read(TokenStore.open(out))
    for file in sorted(out.glob("*.bin")):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 16]))
        store = TokenStore.open(out)
        with pytest.raises(UserError, match=rf"/{file.name}: the file is damaged.*build it again"):
            read(store)
        file.write_bytes(whole)


def test_a_store_without_digests_is_read(tmp_path: Path, spec: PairSpec) -> None:
    new = build([spec], tmp_path / "out")
    for name in ("digests.json", "blocks.bin"):
        (tmp_path / "out" / name).unlink()
    old = TokenStore.open(tmp_path / "out")
    assert old.text(7, 1) == new.text(7, 1)
    assert old.lengths.tolist() == new.lengths.tolist()


def test_no_such_record(tmp_path: Path, spec: PairSpec) -> None:
    store = build([spec], tmp_path / "out")
    for record, side in ((50, 0), (-1, 0), (0, 2)):
        with pytest.raises(IndexError):
            store.pieces(record, side)


def test_mixed_and_no_specs(tmp_path: Path, spec: PairSpec) -> None:
    with pytest.raises(UserError, match="two stores"):
        build([spec, TextSpec("en", spec.path)], tmp_path / "out")
    with pytest.raises(UserError, match="no text"):
        build([], tmp_path / "out")


def test_the_small_world(tmp_path: Path) -> None:
    store = build([PairSpec("en", "zh", "smallworld:0-20")], tmp_path / "out")
    assert store.meta["specs"][0]["files"] == []
    assert len(store) == 20


def test_unreadable_lines_behind_the_limit_are_not_counted(tmp_path: Path) -> None:
    lines = [b"bad\n" if line in (2, 5, 6, 9) else b"word %d\tWort %d\n" % (line, line) for line in range(1, 13)]
    (tmp_path / "c.tsv").write_bytes(b"".join(lines))
    for limit, dropped in ((1, 0), (2, 1), (3, 1), (4, 3), (5, 3), (6, 4)):
        config = FilterConfig(min_pieces=1, limit=limit)
        store = build([PairSpec("en", "de", str(tmp_path / "c.tsv"))], tmp_path / f"{limit}", config, lenient=True)
        assert len(store) == limit
        assert store.meta["specs"][0]["dropped"] == ({"missing separator": dropped} if dropped else {})


def test_tabs_in_tokens_do_not_make_duplicates(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("a\tb\na\na b\n")
    (tmp_path / "a.de").write_text("c\nb\tc\nc\n")
    spec = PairSpec("en", "de", f"{tmp_path}/a.en,{tmp_path}/a.de")
    config = FilterConfig(min_pieces=1)
    assert len(build([spec], tmp_path / "tokens", config, tokenized=True)) == 3
    assert len(build([spec], tmp_path / "text", config)) == 2  # a tab is a space: the third pair is the first
