"""A string stands for a list of one in every command."""

import inspect
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import paralign
from paralign.commands.align import AlignRequest
from paralign.commands.arguments import one_or_several
from paralign.config import merge, parse_override
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
    assert hasattr(command, "__wrapped__") or name == "read_results"


def test_pairs_and_overrides_as_strings_reach_the_command(monkeypatch):
    seen = []
    monkeypatch.setattr("paralign.commands.align.run_align", lambda options, request: seen.append((options, request)))
    paralign.align("x", out="o", pairs="en-de=a", links="en-de=b", dictionary="en-de=c", overrides="moco.queue=9",
                   track="wandb")  # fmt: skip
    paralign.align("x", out="o", pairs=["en-de=a", "en-fr=a"], track=("wandb",))
    (options, request), (_, several) = seen
    assert request == AlignRequest("x", ["en-de=a"], None, ["en-de=b"], ["en-de=c"], "ppa", ["moco.queue=9"])
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
    with pytest.raises(TypeError, match=r"command\(\) has no argument 'mor' \(did you mean 'more'\?\)"):
        command("m", "t", mor="x")


def test_a_mapping_gives_languages_and_files(monkeypatch):
    seen = []
    monkeypatch.setattr("paralign.commands.align.run_align", lambda options, request: seen.append(request))
    files = {"en-de": "a.tsv", "en-fr": Path("b.tsv"), "en-es": ["c.en", Path("c.es")]}
    paralign.align("x", out="o", pairs=files, overrides={"training.steps": 2})
    assert seen[0].pairs == ["en-de=a.tsv", "en-fr=b.tsv", "en-es=c.en,c.es"]
    assert seen[0].overrides == ["training.steps=2"]


KERNEL = ["site-packages/ipykernel_launcher.py", "-f", "/root/.local/share/jupyter/runtime/kernel-1.json"]


def test_a_call_from_python_is_recorded_as_python(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "argv", KERNEL)
    monkeypatch.setattr("paralign.commands.align.run_align", lambda *given: seen.append(given))
    given = {"pairs": {"en-de": "a.tsv"}, "overrides": {"training.steps": 2}, "out": Path("o"), "quiet": True}
    paralign.align("paralign-mini", **given)
    assert seen[0][0].command == (
        "paralign.align('paralign-mini', out='o', pairs=['en-de=a.tsv'], overrides=['training.steps=2'])"
    )
    eval(seen[0][0].command, {"paralign": paralign})
    assert seen[1] == (replace(seen[0][0], quiet=False), seen[0][1])
    paralign.align("x", pairs="en-de=a", out="o", command="mine")
    assert seen[2][0].command == "mine"
    for program in ("bin/paralign", "paralign.exe", "src/paralign/__main__.py"):
        monkeypatch.setattr(sys, "argv", [program, "align"])
        paralign.align("x", pairs="en-de=a", out="o")
        assert seen[-1][0].command is None


def test_the_recorded_call_of_a_function_outside_the_package_names_its_module(monkeypatch):
    monkeypatch.setattr(sys, "argv", KERNEL)

    @one_or_several
    def own(*, limit: "int | None" = None, command: "str | None" = None):
        return command

    assert own(limit=np.int64(3)) == f"{__name__}.own(limit=3)"


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({"objectives": ["tlm", "moco"]}, {"objectives": ["tlm", "moco"]}),
        (
            {"training.betas": (0.9, 1e-05), "views.pack": True},
            {"training": {"betas": [0.9, 1e-05]}, "views": {"pack": True}},
        ),
        ({"training": {"steps": 2, "epochs": None}}, {"training": {"steps": 2}}),
        ({"objectives": '["tlm"]', "links.method": "ibm"}, {"objectives": ["tlm"], "links": {"method": "ibm"}}),
    ],
)
def test_a_mapping_of_settings_keeps_the_types_of_its_values(monkeypatch, given, settings):
    seen = []
    monkeypatch.setattr("paralign.commands.align.run_align", lambda options, request: seen.append(request))
    paralign.align("x", out="o", pairs="en-de=a", overrides=given)
    assert merge(*map(parse_override, seen[0].overrides)) == settings
    with pytest.raises(UserError, match=r"overrides: training.seed is of type object \(give a string, a number"):
        paralign.align("x", out="o", pairs="en-de=a", overrides={"training.seed": object()})


def test_settings_are_another_name_of_overrides_which_take_precedence(monkeypatch):
    seen = []
    monkeypatch.setattr("paralign.commands.align.run_align", lambda options, request: seen.append(request))
    for settings in ("training.steps=2", ["training.steps=2"], {"training.steps": 2}, {"training": {"steps": 2}}):
        paralign.align("x", out="o", pairs="en-de=a", settings=settings)
        paralign.align("x", out="o", pairs="en-de=a", settings=settings, overrides={"training.steps": 3})
    assert [request.overrides for request in seen] == [
        ["training.steps=2"],
        ["training.steps=2", "training.steps=3"],
    ] * 4


def test_none_for_a_list_is_its_default(monkeypatch):
    seen = []
    monkeypatch.setattr("paralign.commands.align.run_align", lambda options, request: seen.append(request))
    paralign.align("x", out="o", pairs="en-de=a", links=None, overrides=None, settings=None)
    assert seen == [AlignRequest("x", ["en-de=a"], overrides=[])]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("finetune", {"task": "pos", "train": "en=a", "eval": None, "out": "o"}, r"eval is None \(give a value\)"),
        ("finetune", {"task": None, "train": "en=a", "eval": "en=a", "out": "o"}, r"task is None \(give a value\)"),
        ("align", {"pairs": "en-de=a", "out": None}, r"out is None \(give a value\)"),
        ("align", {"pairs": "en-de=a", "out": 3}, "out is of type int, not a string or path"),
        ("suite", {"models": {"base": "paralign-mini"}, "out": "o", "seeds": "2"}, "seeds is '2'"),
    ],
)
def test_values_that_cannot_be_used_are_refused(name, arguments, message):
    with pytest.raises(UserError, match=message):
        getattr(paralign, name)("x", **arguments)


def test_a_mapping_or_list_of_one_gives_the_only_pairs():
    @one_or_several
    def command(pairs: "str", *, model: "str" = "m"):
        return pairs

    for pairs in ("en-de=a.tsv", {"en-de": "a.tsv"}, ["en-de=a.tsv"], {"en-de": ["a.tsv"]}):
        assert command(pairs) == "en-de=a.tsv"
    assert command({"en-de": ["a.en", Path("a.de")]}) == "en-de=a.en,a.de"
    with pytest.raises(UserError, match=r"pairs has 2 entries \(give one\)"):
        command(["en-de=a", "en-fr=a"])
    with pytest.raises(UserError, match="model is of type dict, not a string or path"):
        command("en-de=a", model={"base": "x"})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "align",
            {"batch_size": 8},
            r"align\(\) has no argument 'batch_size' \(use overrides=\{'training.batch': \.\.\.\}\)",
        ),
        (
            "align",
            {"learning_rate": 1},
            r"align\(\) has no argument 'learning_rate' \(use overrides=\{'training.learning_rate': \.\.\.\}\)",
        ),
        ("predict", {"layer": 2}, r"predict\(\) has no argument 'layer' \(use overrides=\{'task.layer'"),
        ("evaluate", {"precision": "bf16"}, r"\(use overrides=\{'task.precision'"),
        ("align", {"layer": 2}, r"has no argument 'layer' \(available: "),
        ("analyze_similarity", {"layer": 2}, r"has no argument 'layer' \(available: "),
        ("predict", {"device": "cpu"}, r"'device' \(call paralign\.device\.select_device before anything else\)"),
        ("align", {"dry_run": True}, r"'dry_run' \(only on the command line: paralign align --dry-run\)"),
        ("finetune", {"show": 3}, r"'show' \(only on the command line: paralign finetune --show\)"),
        ("evaluate", {"map": "m"}, r"'map' \(use maps\)"),
        ("finetune", {"trian": "en=a"}, r"\(did you mean 'train'\?\)"),
    ],
)
def test_arguments_that_do_not_exist_are_answered_with_those_that_do(name, arguments, message):
    with pytest.raises(TypeError, match=message):
        getattr(paralign, name)("x", **arguments)
    with pytest.raises(TypeError, match=r"evaluate\(\): too many positional arguments"):
        paralign.evaluate("paralign-mini", "retrieval", data="en-de=a", out="o")


def test_values_of_other_types_are_refused(encoder):
    """In one line that says what to give instead."""
    for arguments, message in (
        ({"model": encoder}, r"model is of type Encoder, not a string or path \(give its folder"),
        ({"pairs": [("a", "b")]}, "pairs is of type tuple, not a string or path"),
        ({"pairs": 3}, r"pairs is of type int \(give a string or path, or a list of them\)"),
    ):
        with pytest.raises(UserError, match=message):
            paralign.align(**({"model": "x", "pairs": "en-de=a", "out": "o"} | arguments))
    for arguments, message in (
        ({"seeds": 0}, r"seeds is 0 \(give an integer of at least 1\)"),
        ({"limit": -3}, r"limit is -3 \(give an integer of at least 1\)"),
        ({"first_seed": True}, r"first_seed is True \(give an integer of at least 0\)"),
        ({"jobs": 1.5}, r"jobs is 1\.5 \(give an integer of at least 1\)"),
        ({"models": {"base": encoder}}, r"models is of type Encoder, not a string or path"),
    ):
        with pytest.raises(UserError, match=message):
            paralign.suite("quick", **({"models": {"base": "paralign-mini"}, "out": "o"} | arguments))
    with pytest.raises(UserError, match=r"no/such: there is no such folder"):
        paralign.suite("quick", models={"base": Path("no/such")}, out="o")
    with pytest.raises(UserError, match="the models have no names"):
        paralign.suite("quick", models=["paralign-mini"], out="o")


def test_a_folder_to_save_in_is_a_string_or_a_path(encoder, tmp_path):
    encoder.save_pretrained(str(tmp_path / "saved"))
    assert paralign.Encoder.from_pretrained(tmp_path / "saved").digest() == encoder.digest()


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
    with pytest.raises(
        UserError, match=r"needs pandas, which is not installed \(pip install 'paralign\[pandas\]'; or paralign"
    ):
        paralign.read_results(tmp_path)


def test_results_that_are_missing(tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        paralign.read_results(tmp_path / "x")
    with pytest.raises(UserError, match="there is none below it"):
        paralign.read_results(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match="no run has results"):
        paralign.read_results(tmp_path)
