"""Which result rows are one system: by label and lineage, never by label alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.results import Measurement, Seeds
from paralign.systems import distinct_labels, encoder_labels


def row(model_hash, *, parent=None, model="m", train="en", task="pos", run="r", seeds=(None, 0, 0), **settings):
    pretrain, align, finetune = seeds
    return Measurement(
        task=task, dataset="d", language="de", metric="accuracy", value=0.5, n=9, train=train, model=model,
        model_hash=model_hash, parent=parent, run=run, settings={"system": "PPA", **settings},
        seeds=Seeds(pretrain=pretrain, align=align, finetune=finetune),
    )  # fmt: skip


def labels(*rows, label="PPA"):
    return distinct_labels([(label, row) for row in rows])


def test_seeds_of_one_base_are_one_system():
    rows = [row(f"h{k}", parent="base", seeds=(None, k, head)) for k in (0, 1) for head in (0, 1)]
    assert labels(*rows) == ["PPA"] * 4
    scratch = [row(f"h{k}", seeds=(k, None, 0)) for k in (0, 1, 2)]
    assert labels(*scratch) == ["PPA"] * 3


def test_two_bases_are_two_systems_named_by_the_base():
    """PPA from two encoders was one row, n = 2."""
    rows = [row(f"h{k}", parent=f"p{k}", base=base) for k, base in enumerate(("xlm-roberta-base", "runs/own/encoder"))]
    assert labels(*rows) == ["PPA (from xlm-roberta-base)", "PPA (from own)"]
    other_seeds = [
        row(f"h{k}", parent=f"p{k}", seeds=(None, k, 0), model=f"runs/ppa-{'ab'[k]}/encoder") for k in (0, 1)
    ]
    assert labels(*other_seeds) == ["PPA (ppa-a)", "PPA (ppa-b)"]


def test_two_encoders_called_base_are_two_systems():
    rows = [row("h1", model="a/base", seeds=(None,) * 3), row("h2", model="b/base", seeds=(None,) * 3)]
    assert labels(*rows, label="base") == ["base (a/base)", "base (b/base)"]
    same_path = [row("h1", seeds=(0, None, 0)), row("h2", seeds=(0, None, 0))]
    assert labels(*same_path, label="base") == ["base (h1)", "base (h2)"]
    known_and_unknown = [row("h1", model="bert", seeds=(None,) * 3), row("h2", model="own", seeds=(0, None, 0))]
    assert labels(*known_and_unknown, label="base") == ["base (bert)", "base (own)"]


def test_fine_tuning_seeds_do_not_tell_encoders_apart():
    assert labels(row("h1", seeds=(None, 0, 0), model="a"), row("h2", seeds=(None, 0, 1), model="b")) == [
        "PPA (a)",
        "PPA (b)",
    ]


def test_a_recorded_lineage_joins_seeds_of_several_bases_and_separates_the_rest():
    rows = [row(f"h{k}", parent=f"p{k}", lineage="A", seeds=(k, k, 0), model=f"a-s{k}") for k in (0, 1)]
    assert labels(*rows) == ["PPA"] * 2
    other = row("h9", parent="p9", lineage="B", seeds=(2, 2, 0), model="runs/b-s2/encoder")
    assert labels(*rows, other) == ["PPA (a)", "PPA (a)", "PPA (b)"]
    old = rows[0].model_copy(update={"settings": {"system": "PPA"}, "task": "retrieval"})  # a row of an analysis
    assert labels(*rows, old) == ["PPA"] * 3


def test_more_scores_than_seeds_are_separated():
    rows = [row(f"h{k}", parent="p", lineage="A", model=f"runs/{name}") for k, name in enumerate("xyz")]
    assert labels(*rows) == ["PPA (x)", "PPA (y)", "PPA (z)"]


def test_a_fine_tuned_encoder_without_its_head_is_another_system():
    raw = row("h", train=None, task="retrieval", seeds=(None, 0, None), model="runs/ppa/encoder")
    of = {"train": None, "task": "retrieval", "parent": "h"}
    tuned = [row(f"t{k}", seeds=(None, 0, k), model=f"runs/nli/seed-{k}/model", **of) for k in (0, 1)]
    assert labels(*tuned) == ["PPA"] * 2
    assert labels(raw, *tuned) == ["PPA (ppa)", "PPA (nli)", "PPA (nli)"]


def test_seeds_in_the_names_of_unlabeled_runs_count():
    unlabeled = {"system": None, "seeds": (None, None, None)}
    assert labels(*[row(f"h{k}", run=f"ppa-s{k}", **unlabeled) for k in (0, 1)], label="ppa") == ["ppa"] * 2
    assert len(set(labels(*[row(f"h{k}", run=f"ppa-{k}", **unlabeled) for k in (0, 1)]))) == 2


def test_other_ways_of_fine_tuning_are_other_systems():
    usual = row("h", training={"sets": ["ewt"]})
    longer = row("h", training={"sets": ["ewt"], "epochs": 9}, seeds=(None, 0, 1))
    reset = row("h", training={"sets": ["ewt"]}, layers={"of": "PPA", "reset": "0-1", "keep": None}, seeds=(None, 0, 2))
    other_task = row("h", task="nli", training={"sets": ["mnli"], "epochs": 2})
    other_source = row("h", train="de", training={"sets": ["gsd"]})
    old = row("h", seeds=(None, 0, 3))
    found = labels(usual, longer, reset, other_task, other_source, old)
    assert found == ["PPA", "PPA (epochs 9)", "PPA (reset 0-1)", "PPA", "PPA", "PPA"]


def test_other_training_data_and_selection_are_other_systems():
    """Data of other names have other content: their digests say nothing more."""
    old = row("h", training={"sets": ["train"]})  # on data without digests, as a pipe
    one = row("h", training={"sets": ["train"]}, training_data={"train": "a1"}, seeds=(None, 0, 1))
    assert labels(old, one) == ["PPA", "PPA"]
    two = row("h", training={"sets": ["train"]}, training_data={"train": "b2"}, seeds=(None, 0, 2))
    assert labels(old, one, two) == ["PPA", "PPA (train data a1)", "PPA (train data b2)"]
    selected = [row("h", training={"sets": ["train"], "dev": ["dev"]}, training_data={"train": "a1", "dev": content})
                for content in ("c3", "d4")]  # fmt: skip
    assert labels(one, selected[0]) == ["PPA", "PPA (dev dev)"]
    assert labels(one, *selected) == ["PPA", "PPA (dev dev, dev data c3)", "PPA (dev dev, dev data d4)"]
    named = row("h", training={"sets": ["gum"]}, training_data={"train": "e5"})
    assert labels(one, named) == ["PPA (sets train)", "PPA (sets gum)"]
    assert encoder_labels([one, two, *selected]) == {"h": "PPA"}


encoders = st.lists(
    st.tuples(st.sampled_from("PQ"), st.sampled_from((0, 1, None)), st.sampled_from((0, 1, None))), max_size=6
)


@given(encoders, st.randoms())
def test_no_label_holds_more_encoders_than_known_seeds(made, random):
    rows = [row(f"h{k}", parent=p, seeds=(pretrain, align, head), model=f"m{k}")
            for k, (p, pretrain, align) in enumerate(made) for head in (0, 1)]  # fmt: skip
    found = labels(*rows)
    members = {}
    for label, r in zip(found, rows, strict=True):
        members.setdefault(label, {}).setdefault(r.model_hash, (r.parent, r.seeds.pretrain, r.seeds.align))
    for by_encoder in members.values():
        keys = list(by_encoder.values())
        assert len({p for p, *_ in keys}) == 1
        assert len(set(keys)) == len(keys)
        if len(keys) > 1:
            assert not any(None in stage and len(set(stage)) > 1 for stage in zip(*keys, strict=True))
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = labels(*[rows[k] for k in order])
    assert [shuffled[order.index(k)] for k in range(len(rows))] == found  # the order of rows does not matter


@pytest.mark.parametrize(
    "settings", [{"lineage": 3}, {"base": 3}, {"training": "x"}, {"layers": ["y"]}, {"training_data": "z"}]
)
def test_settings_of_unexpected_types_are_no_error(settings):
    assert len(labels(row("h1", **settings), row("h2", parent="p"))) == 2
