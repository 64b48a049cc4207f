"""A string stands for a list of one in every command."""

import inspect
from pathlib import Path

import pytest

import paralign
from paralign.commands.align import AlignRequest
from paralign.commands.arguments import one_or_several
from paralign.errors import UserError
from paralign.results import read_results

COMMANDS = [
    name for name in paralign.__all__
    if inspect.isfunction(thing := getattr(paralign, name)) and thing.__module__.startswith("paralign.commands")
]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_parameters_that_take_several_accept_one(name):
    command = getattr(paralign, name)
    several = [kind for kind in command.__annotations__.values() if "Sequence[str" in str(kind)]
    assert all(str(kind).startswith("str | ") for kind in several), several
    assert not several or hasattr(command, "__wrapped__") or name == "read_results"


def test_pairs_and_overrides_as_strings_reach_the_command(monkeypatch):
    seen = []
    monkeypatch.setattr("paralign.commands.align.run_align", lambda options, request: seen.append((options, request)))
    paralign.align("x", out="o", pairs="en-de=a", links="en-de=b", dictionary="en-de=c", overrides="moco.queue=9",
                   track="wandb")  # fmt: skip
    paralign.align("x", out="o", pairs=["en-de=a", "en-fr=a"], track=("wandb",))
    (options, request), (_, several) = seen
    assert request == AlignRequest("x", ["en-de=a"], None, ["en-de=b"], ["en-de=c"], "ppa", {}, ["moco.queue=9"])
    assert options.track == ("wandb",)
    assert several.pairs == ["en-de=a", "en-fr=a"]


def test_an_evaluation_of_one_set(base, tmp_path):
    one, several = (
        paralign.evaluate(base, task="retrieval", data=data, out=tmp_path / name, quiet=True, overrides=overrides)
        for name, data, overrides in (("a", "en-de=smallworld:0-20", "task.layer=1"),
                                      ("b", ["en-de=smallworld:0-20"], ["task.layer=1"]))
    )  # fmt: skip
    assert [(row.metric, row.value) for row in one] == [(row.metric, row.value) for row in several]


def test_positional_arguments_defaults_and_names_are_kept():
    @one_or_several
    def command(model: "str", texts: "str | list[str]", *, more: "Sequence[str]" = (), out: "str" = "o"):  # noqa: F821
        """Doc."""
        return model, texts, more, out

    assert command("m", "t", more="x") == ("m", "t", ["x"], "o")
    assert command("m", texts=["t"]) == ("m", ["t"], (), "o")
    assert command("m", "t", more=Path("a/b")) == ("m", "t", ["a/b"], "o")
    assert command(Path("m"), "t", more=[Path("a"), "b"]) == ("m", "t", ["a", "b"], "o")
    assert (command.__name__, command.__doc__) == ("command", "Doc.")
    with pytest.raises(TypeError, match="unexpected keyword"):
        command("m", "t", mor="x")


# -- names of data sets, and results as a table


def test_a_data_set_can_be_named(base, tmp_path):
    paralign.evaluate(base, task="retrieval", data="en-de=smallworld:0-20", out=tmp_path / "a", quiet=True)
    paralign.evaluate(
        base, task="retrieval", data="en-de=smallworld:0-20", out=tmp_path / "b", quiet=True, dataset="My set"
    )
    assert {row.dataset for row in read_results(tmp_path / "b")} == {"My set"}
    assert "My set" not in {row.dataset for row in read_results(tmp_path / "a")}
    with pytest.raises(UserError, match=r"two data sets have the same name: .* \(leave --dataset out\)"):
        paralign.evaluate(
            base, task="retrieval", data=["en-de=smallworld:0-20", "en-de=smallworld:30-50"], out=tmp_path / "c",
            dataset="x", quiet=True,
        )  # fmt: skip
    table = paralign.read_results(tmp_path)
    assert set(table["run"]) == {"a", "b"}
    rows = read_results(tmp_path / "a") + read_results(tmp_path / "b")
    assert sorted(table["value"]) == sorted(row.value for row in rows)
    assert list(table.loc[table.dataset == "My set", "task"].unique()) == ["retrieval"]
    assert paralign.read_results(tmp_path / "b" / "results.jsonl").equals(paralign.read_results([tmp_path / "b"]))


def test_without_pandas_the_message_says_what_to_do(monkeypatch, tmp_path):
    import builtins

    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"needs pandas, which is not installed \(pip install pandas; or paralign"):
        paralign.read_results(tmp_path)


def test_results_that_are_missing(tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        paralign.read_results(tmp_path / "x")
    with pytest.raises(UserError, match="there is none below it"):
        paralign.read_results(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match="no run has results"):
        paralign.read_results(tmp_path)
