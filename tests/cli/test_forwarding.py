"""Every option of every command arrives, under its own name, where the command does its work."""

import dataclasses
import functools
import inspect
import itertools
import types
import typing

import pytest

from paralign.__main__ import main
from paralign.commands.arguments import SHORT_FORMS
from tests.cli.test_options import COMMANDS

TARGETS = {
    "align": "align.run_align",
    "analyze ablation": "analyze_ablation.analyze_ablation",
    "analyze correlation": "analyze_results.analyze_results",
    "analyze embeddings": "analyze_embeddings.analyze_embeddings",
    "analyze links": "analyze_links.analyze_links",
    "analyze probes": "analyze_probes.analyze_probes",
    "analyze similarity": "analyze_similarity.analyze_similarity",
    "analyze space": "analyze_encoders.analyze_encoders",
    "analyze transfer": "analyze_results.analyze_results",
    "corpus build": "build_corpus.build_corpus",
    "corpus check": "check_corpus.check_corpus",
    "corpus convert": "convert_corpus.convert_corpus",
    "corpus order": "order_corpus.order_corpus",
    "corpus show": "show_corpus.show_corpus",
    "corpus split": "split_corpus.split_corpus",
    "demo": "demo.demo",
    "evaluate": "evaluate.evaluate",
    "export": "export.export",
    "finetune": "finetune.prepare_finetune",
    "grid": "grid.run_grid",
    "map": "map.make_map",
    "map (text)": "map.make_text_maps",
    "predict": "predict.predict",
    "pretrain": "pretrain.run_pretrain",
    "suite": "suite.suite",
    "words": "align_words.align_words",
    "words (parts)": "align_stream.align_stream",
}
"""Command -> the function of ``paralign.commands`` that does its work. (``report`` is below.)"""
NOT_HERE = {
    "align": {"control"},
    "map": {"text", "components"},
    "map (text)": {"pairs", "links", "method", "tokenized", "one_based"},
    "words": {"learn_from", "part"},
    "words (parts)": {"train", "gold", "scores", "links", "model", "one_based", "flipped"},
    "corpus check": {"verify"},
    "pretrain": {"model"},
}
"""Options that exclude others."""
ELSEWHERE = {"device", "dry_run", "show", "keep_models"}
"""Options that other functions read."""
GIVEN = {
    "kind": "linear",
    "suite": "quick",
    "layer": "0.5",
    "components": 3,
    "key_share": 0.25,
}
"""Values of options that do not accept any text or number."""
SHORTENED = {
    "align": {"lr", "epochs", "batch_size", "precision", "seed", "limit"},
    "pretrain": {"lr", "epochs", "batch_size", "precision", "seed", "limit"},
    "finetune": {"lr", "epochs", "batch_size", "precision", "seed", "reset_layers"},
    "analyze ablation": {"lr", "epochs", "batch_size", "precision"},
}
"""Options that become settings."""
NAMES = {"model": "models", "map": "maps", "sentence": "sentences", "suite": "name"}
"""Option -> the parameter of the function, where it has another name."""


def test_every_command_is_here():
    others = {"doctor", "list", "report"}
    assert {name.partition(" (")[0] for name in TARGETS} | others == {" ".join(path) for path in COMMANDS}


class Arrived(Exception):
    """Raised instead of working."""


def values_of(command, name):
    """Return a value for each parameter of a command that differs from its default and from all others."""
    numbers = itertools.count(11)
    values = {}
    parameters = inspect.signature(inspect.unwrap(command.callback)).parameters
    hints = typing.get_type_hints(inspect.unwrap(command.callback))
    for key, parameter in parameters.items():
        if key in NOT_HERE.get(name, ()) or key in ELSEWHERE or (name == "words" and key in ("load", "save")):
            continue
        kinds = [k for k in typing.get_args(hints[key]) or [hints[key]] if k is not types.NoneType]
        (kind,) = kinds if typing.get_origin(hints[key]) in (types.UnionType, typing.Union) else [hints[key]]
        if key in GIVEN:
            values[key] = GIVEN[key]
        elif kind is bool:
            values[key] = not parameter.default
        elif kind in (int, float):
            values[key] = kind(next(numbers))
        elif typing.get_origin(kind) is list:
            values[key] = [f"{key}-{next(numbers)}" if typing.get_args(kind) != (int,) else next(numbers) for _ in "ab"]
        elif typing.get_origin(kind) is typing.Literal:
            values[key] = typing.get_args(kind)[-1]
        else:
            values[key] = f"{key}-{next(numbers)}"
    if name == "suite":
        values["model"] = ["a=model-a", "b=model-b"]
    if name == "map (text)":
        values["kind"] = "lir"
    if "overrides" in values:
        values["overrides"] = ["x.y=2", "x.z=3"]
    if name == "words (parts)":
        values |= {"method": "ibm", "out": "-"}
    return values


def words_of(command, values):
    """Return the command line that gives these values."""
    words = []
    for parameter in command.params:
        if parameter.name not in values:
            continue
        value = values[parameter.name]
        if parameter.param_type_name == "argument":
            words += value if isinstance(value, list) else [value]
        elif isinstance(value, bool):
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [parameter.opts[0], str(one)]
    return words


def flat(value):
    """Return all arguments by name, those in requests and options too."""
    out = {}
    for key, one in value.items():
        if dataclasses.is_dataclass(one):
            out |= flat({field.name: getattr(one, field.name) for field in dataclasses.fields(one)})
        else:
            out[key] = one
    return out


def plain(value):
    """Return lists for sequences, and text for paths and numbers."""
    if isinstance(value, dict):
        return [f"{key}={one}" for key, one in value.items()]
    return [str(one) for one in value] if isinstance(value, list | tuple) else str(value)


@pytest.mark.parametrize("name", TARGETS)
def test_options_arrive_under_their_names(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = tuple(name.partition(" (")[0].split())
    command, place = COMMANDS[path], f"paralign.commands.{TARGETS[name]}"
    module, _, function = place.rpartition(".")
    original = getattr(__import__(module, fromlist=[function]), function)
    arrived, device = [], []

    @functools.wraps(original)
    def record(*args, **options):
        arrived.append(inspect.signature(original).bind(*args, **options).arguments)
        raise Arrived

    monkeypatch.setattr(place, record)
    monkeypatch.setattr("paralign.device.select_device", device.append)
    monkeypatch.setattr("paralign.commands.pretrain.check_start", lambda model, arch, scratch: scratch)
    values = values_of(command, name)
    words = words_of(command, values)
    takes_device = any(parameter.name == "device" for parameter in command.params)
    assert main([*path, *words, *(["--device", "cpu"] if takes_device else [])]) == 1  # Arrived is unexpected
    assert device == ["cpu"] * takes_device
    found = flat(arrived[0])
    short = {f"{SHORT_FORMS[key]}={value}" for key, value in values.items() if key in SHORTENED.get(name, ())}
    assert {*plain(found.get("overrides", []))} == short | {*values.get("overrides", [])}
    for key, value in values.items():
        if key != "overrides" and key not in SHORTENED.get(name, ()):
            assert plain(found[key] if key in found else found[NAMES[key]]) == plain(value), key


def test_reports_get_all_options(monkeypatch):
    found = {}

    def record(runs, out, **options):
        found.update(options, runs=[str(run) for run in runs], out=str(out))
        raise Arrived

    monkeypatch.setattr("paralign.report.write_report", record)
    values = values_of(COMMANDS["report",], "report")
    assert main(["report", *words_of(COMMANDS["report",], values)]) == 1
    assert found == values
