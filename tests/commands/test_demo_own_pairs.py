"""``demo --pairs``: the demo on pairs of the user."""

import json
from dataclasses import replace

import pytest

from paralign.commands import demo_own_pairs as own
from paralign.commands import demo_systems
from paralign.errors import UserError
from paralign.results import read_results
from paralign.smallworld import World
from paralign.sources.specs import parse_pairs
from paralign.text.normalization import comparison_key


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(own, "_HELD_OUT", {"test": 40, "dev": 20})
    short = ("training.batch=16", "training.steps=8", "data.min_pieces=3")
    systems = {name: replace(system, settings=short) for name, system in demo_systems.SYSTEMS.items()}
    monkeypatch.setattr(demo_systems, "SYSTEMS", systems)


def write(path, language, indices):
    world = World(0)
    rows = (f"{world.sentence(i, 'en').text}\t{world.sentence(i, language).text}\n" for i in indices)
    path.write_text("".join(rows))
    return f"en-{language}={path}"


def test_encoders_are_evaluated_on_held_out_pairs(base, tmp_path, quick):
    pairs = [write(tmp_path / "de.tsv", "de", range(300)), write(tmp_path / "zh.tsv", "zh", range(200, 450))]
    out = tmp_path / "out"
    page = own.demo_own_pairs(out, pairs, model=str(base), quiet=True)
    text = page.read_text()
    assert "PPA" in text
    assert "MLM control" in text
    sides: dict[str, dict[str, set[str]]] = {"train": {}, "dev": {}, "test": {}}
    for kind, found in sides.items():
        for tag in ("de", "zh"):
            rows = [line.split("\t") for line in (out / "data" / f"{kind}.en-{tag}.tsv").read_text().splitlines()]
            assert len(rows) == {"test": 40, "dev": 20}.get(kind, len(rows))
            for language, column in (("en", 0), (tag, 1)):
                found.setdefault(language, set()).update(row[column] for row in rows)
    for first, second in (("train", "test"), ("train", "dev"), ("dev", "test")):
        for language in ("de", "zh"):
            assert not sides[first][language] & sides[second][language]
    assert not sides["train"]["en"] & (sides["dev"]["en"] | sides["test"]["en"])
    rows = {name: read_results(out / f"retrieval-{name}") for name in ("base", "control", "ppa", "words")}
    assert len({row.model_hash for part in rows.values() for row in part}) == 4
    assert {row.where.pool for part in rows.values() for row in part} == {"chosen"}
    seen = [json.loads((out / name / "run.json").read_text())["pairs_seen"] for name in demo_systems.SYSTEMS]
    assert seen == [128, 128, 128]
    best = max(demo_systems.SYSTEMS, key=lambda name: rows[name][0].settings["chosen"]["score"])
    assert demo_systems.best_system(out) == out / best / "encoder"
    # A finished demo is not repeated; without --resume the folder is not changed.
    assert own.demo_own_pairs(out, pairs, model=str(base), quiet=True, resume=True) == page
    with pytest.raises(UserError, match="not empty"):
        own.demo_own_pairs(out, pairs, model=str(base), quiet=True)


def test_resuming_with_other_pairs_or_another_encoder_is_refused(base, tmp_path, quick, make_encoder, monkeypatch):
    pairs = [write(tmp_path / "de.tsv", "de", range(300))]
    out = tmp_path / "out"

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(own, "align_systems", stop)
    with pytest.raises(KeyboardInterrupt):
        own.demo_own_pairs(out, pairs, model=str(base), quiet=True)
    make_encoder(seed=5).save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match="model: differs from what this demo began with"):
        own.demo_own_pairs(out, pairs, model=str(tmp_path / "other"), quiet=True, resume=True)
    more = write(tmp_path / "more.tsv", "de", range(310))
    with pytest.raises(UserError, match="pairs: differs from what this demo began with"):
        own.demo_own_pairs(out, [more], model=str(base), quiet=True, resume=True)
    with pytest.raises(UserError, match="seed: differs from what"):
        own.demo_own_pairs(out, pairs, model=str(base), seed=1, quiet=True, resume=True)


def test_pairs_that_cannot_be_read_are_counted(tmp_path, quick, capsys):
    spec = write(tmp_path / "de.tsv", "de", range(300))
    with (tmp_path / "de.tsv").open("a") as file:
        file.write("no tab\n")
    (tmp_path / "data").mkdir()
    own._write_data(tmp_path / "data", [parse_pairs(spec)], quiet=False)
    assert capsys.readouterr().err == "pairs dropped: 1 missing separator\n"


def test_pairs_that_the_files_of_the_demo_cannot_have_are_counted(tmp_path, quick, capsys):
    write(tmp_path / "de.tsv", "de", range(300))
    rows = [line.split("\t") for line in (tmp_path / "de.tsv").read_text().splitlines()]
    rows += [["a ||| line", "eine Zeile"], ["x" * 32_768, "y" * 32_767]]
    for column, tag in enumerate(("en", "de")):
        (tmp_path / f"a.{tag}").write_text("".join(row[column] + "\n" for row in rows))
    (tmp_path / "data").mkdir()
    own._write_data(tmp_path / "data", [parse_pairs(f"en-de={tmp_path}/a.en,{tmp_path}/a.de")], quiet=False)
    assert capsys.readouterr().err == "pairs dropped: 1 with |||, which a TSV file cannot have, 1 line too long\n"
    assert not any("|||" in path.read_text() for path in (tmp_path / "data").glob("*.tsv"))


def test_an_encoder_that_cannot_be_loaded_leaves_nothing_behind(tmp_path, quick):
    with pytest.raises(UserError, match=r"no config\.json in the model folder"):
        own.demo_own_pairs(
            tmp_path / "out", [write(tmp_path / "de.tsv", "de", range(300))], model=str(tmp_path), quiet=True
        )
    assert not (tmp_path / "out").exists()


def test_punctuation_and_near_duplicates_are_not_test_pairs_and_long_pairs_are_accepted(make_encoder, tmp_path, quick):
    make_encoder(max_length=40).save_pretrained(tmp_path / "short")
    spec = write(tmp_path / "de.tsv", "de", range(300))
    rows = (tmp_path / "de.tsv").read_text().splitlines()
    louder = ["\t".join(side.rstrip(".!?") + " !!" for side in row.split("\t")) for row in rows]
    (tmp_path / "de.tsv").write_text(
        "\n".join([*rows, *louder, *(f"{'.' * n}\t{'-' * n}" for n in range(1, 60))]) + "\n"
    )
    out = tmp_path / "out"
    own.demo_own_pairs(out, [spec], model=str(tmp_path / "short"), quiet=True)
    texts = [(out / f"data/{kind}.en-de.tsv").read_text() for kind in ("train", "test")]
    kinds = [[[comparison_key(side) for side in row.split("\t")] for row in text.splitlines()] for text in texts]
    for side in (0, 1):
        train, test = ([row[side] for row in kind] for kind in kinds)
        assert len(set(test)) == len(test) == 40
        assert "" not in test
        assert not set(test) & set(train)


def test_too_few_pairs_and_wrong_tags_leave_nothing_behind(base, tmp_path, quick):
    few = write(tmp_path / "few.tsv", "de", range(60))
    with pytest.raises(UserError, match="en-de: 60 pairs, fewer than 120"):
        own.demo_own_pairs(tmp_path / "out", [few], model=str(base), quiet=True)
    wrong = write(tmp_path / "a.tsv", "fr", range(300)).replace("en-fr", "en-de")
    with pytest.raises(UserError, match="looks like fr"):
        own.demo_own_pairs(tmp_path / "out", [wrong], model=str(base), quiet=True)
    assert not any((tmp_path / "out").rglob("*.tsv"))
