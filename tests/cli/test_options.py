"""Short forms of settings, the help of every command, hints from names of other programs."""

import operator
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from paralign.__main__ import main
from paralign.cli import program
from paralign.cli.help import GROUPS, HINTS, HINTS_OF, ORDER, Command
from paralign.cli.options import short_forms
from paralign.commands.arguments import SHORT_FORMS
from paralign.commands.list_settings import describe_section, describe_sections, settings_sections
from paralign.config import _KNOWN_AS, load_named_toml
from paralign.errors import UserError
from paralign.runs.finetune_settings import FinetuneTraining
from paralign.runs.settings import load_recipe, recipes, run_settings


def commands(group=None, path=()):
    """Every command with its words."""
    for name, command in (group or program).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
SETTINGS = {f"{s.prefix or s.name}.{key}" for s in settings_sections() for key in s.keys}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_has_a_group_and_every_command_an_example(path):
    command = COMMANDS[path]
    assert isinstance(command, Command)
    grouped = {name for names in GROUPS.values() for name in names}
    options = {p.name for p in command.params if isinstance(p, typer.core.TyperOption)}
    assert options <= grouped
    examples = re.findall(r"^ +(paralign .*?[^\\])$", command.help, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        words = shlex.split(example.replace("\\\n", " "))[1:]
        assert tuple(words[: len(path)]) == path
        command.make_context(command.name, words[len(path) :])  # raises for an option that does not exist


def test_every_command_is_in_the_reference():
    page = (Path(__file__).parents[2] / "docs/commands.md").read_text("utf-8")
    assert sorted(re.findall("{command-output} paralign (.*) --help", page)) == sorted(map(" ".join, COMMANDS))


def test_input_that_is_taken_once_is_not_given_twice(capsys):
    """Only the last value would count; --pairs of align may be repeated, that of words may not."""
    assert main(["words", "--pairs", "en-fr=no.tsv", "--pairs", "en-de=no.tsv", "--out", "x"]) == 2
    assert capsys.readouterr().err == "paralign: --pairs is given 2 times (this command takes one)\n"
    assert main(["predict", "--model=a", "--model", "b", "--data", "en=x", "--out", "x"]) == 2
    assert "--model is given 2 times" in capsys.readouterr().err
    assert main(["words", "--pairs", "a", "--pairs", "b", "--help"]) == 0
    assert "Usage" in capsys.readouterr().out
    words = "align --model x --pairs en-de=a --pairs en-fr=b -q -q --lr 1 --lr 2 --out x"
    assert main(words.split()) == 2
    assert "is given" not in capsys.readouterr().err


@pytest.mark.parametrize(("columns", "longest"), [(50, 50), (80, 80), (200, 110)])
def test_help_is_as_wide_as_the_terminal(columns, longest, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["finetune", "--help"]) == 0
    text = capsys.readouterr().out.partition("Input:")[2]  # examples are not wrapped
    widths = [len(line) for line in text.splitlines()]
    assert longest - 25 < max(widths) <= longest
    assert [text.index(f"{heading}:") for heading in ("Method", "Settings", "Output", "Run")] == sorted(
        text.index(f"{heading}:") for heading in ("Method", "Settings", "Output", "Run")
    )


def test_short_forms_are_settings():
    given = {"lr": 3e-4, "epochs": 2.5, "batch_size": 7, "precision": "bf16", "seed": 11, "limit": 99}
    config = run_settings("mlm", short_forms((), **given, reset_layers=None))
    assert {name: operator.attrgetter(SHORT_FORMS[name])(config) for name in given} == given


def test_every_short_form_names_a_setting():
    for setting in SHORT_FORMS.values():
        assert setting == "task.layer" or setting in SETTINGS


@pytest.mark.parametrize("name", SHORT_FORMS)
@pytest.mark.parametrize("inline", [False, True])
def test_a_short_form_and_set_together_are_an_error(name, inline):
    section, key = SHORT_FORMS[name].split(".")
    override = f"{section}={{{key}=1}}" if inline else f"{section}.{key}=1"
    with pytest.raises(UserError, match=f"^--{name.replace('_', '-')} and --set {section}.{key} are the same setting"):
        short_forms([override], **{name: 1})
    assert short_forms([override], **{name: None}) == [override]
    assert short_forms([f"{section}.other=1"], **{name: 5}) == [f"{section}.{key}=5", f"{section}.other=1"]


@pytest.mark.parametrize("command", ["align", "pretrain", "finetune", "analyze ablation"])
def test_commands_that_train_have_the_same_short_forms(command):
    names = {p.name for p in COMMANDS[tuple(command.split())].params}
    assert names >= {"lr", "epochs", "batch_size", "precision", "device", "overrides"}


def test_commands_are_listed_in_the_order_of_use():
    assert sorted(ORDER) == sorted(program.commands)
    assert tuple(program.list_commands(None)) == ORDER


def test_hints_of_a_command_are_for_options_that_it_does_not_have():
    commands = {command.name: command for command in COMMANDS.values()}
    for (name, tried), hint in HINTS_OF.items():
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert tried not in options
        assert {*re.findall(r"--[a-z][\w-]*", hint)} <= options
        for setting in re.findall(r"--set ([a-z]+\.\w+)", hint):
            assert setting in SETTINGS


def test_hints_lead_to_options_and_settings_that_exist():
    options = {option for command in COMMANDS.values() for p in command.params for option in p.opts}
    for tried, hint in HINTS.items():
        assert tried not in options or tried in ("--data", "--test")  # some commands have no such option
        assert "_" not in tried
        found = set(re.findall(r"--[a-z][\w-]*", hint)) - {"--nproc-per-node"}
        assert found <= options, hint
        for setting in re.findall(r"--set ([a-z]+\.\w+)", hint):
            assert setting in SETTINGS, hint


@pytest.mark.parametrize(
    "words", ["evaluate --batch 32", "evaluate --steps 5", "suite quick --steps 5", "report runs --config x"]
)
def test_hints_name_options_of_the_command(words, capsys):
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert "No such option" in error
    assert "use --" not in error


def test_known_names_are_names():
    from paralign.runs.suite_file import SuiteTask
    from paralign.tasks.base import TASKS
    from paralign.words.base import ALIGNERS
    from paralign.words.symmetrization import SYMMETRIZATIONS

    keys = {setting.rpartition(".")[2] for setting in SETTINGS}
    known = keys.union(SuiteTask.model_fields, TASKS, ALIGNERS, SYMMETRIZATIONS)
    assert set(_KNOWN_AS.values()) <= known


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("align --fp16", "no such option: --fp16 (use --precision bf16)"),
        ("evaluate --eval en=x", "no such option: --eval (use --data LANG=PATH)"),
        ("export --model x", "no such option: --model (use the encoder without an option: paralign export ENCODER)"),
        ("finetune --max_length 64", "(use --set task.max_pieces=N, a setting of"),
        ("analyze probes --test en=x", "no such option: --test (use --eval LANG=PATH)"),
        ("corpus build --model {base} --out {out} --limit 3 --set data.limit=4", "are the same setting"),
        ("finetune --learning_rate 1e-3", "(use --lr)"),
        ("grid --steps 5", """(use --set 'grid.pretrain=["training.steps=N"]' or grid.finetune, in place of the"""),
        ("grid --objective moco", "No such option: --objective"),
        ("align --out {out} --model {base} --pairs en-ru.csv", "(did you mean en-ru=en-ru.csv?)"),
        ("align --out {out} --model {base} --pairs data/corpus.en-ru.tsv.gz", "(did you mean en-ru=data/corpus.en"),
        ("align --out {out} --model {base} --pairs data/de_en.tsv", "(did you mean de-en=data/de_en.tsv?)"),
        ("pretrain --out {out} --model {base} --text news.de.txt", "(did you mean de=news.de.txt?)"),
        ("align --out {out} --model {base} --pairs corpus.txt", "write SOURCE-TARGET=PATH"),
        ("align --out {out} --model {base} --pairs en-de=a --set training.lr=1", "did you mean 'learning_rate'?"),
        ("align --out {out} --model {base} --pairs en-de=a --lr 1 --set training.learning_rate=1", "same setting"),
        ("align --out {out} --model {base} --pairs en-de=a --precision fp16", "'auto', 'bf16' or 'fp32', not 'fp16'"),
        ("align --out {out} --model {base} --pairs en-de=a --device gpu0", "cannot read the device 'gpu0'"),
        ("words --out {out} --pairs en-de=smallworld:0-9 --symmetrize gdfa", "did you mean 'grow-diag-final-and'?"),
        ("finetune --out {out} --model {base} --task xnli --train en=a --eval en=a", "did you mean 'nli'?"),
        ("evaluate --out {out} --model {base} --task retrieval --data en-de=a --layer 1 --set task.layer=2", "--layer"),
        ("list settings trianing", "did you mean 'training'?"),
        ("list tasks pos", "has no sections"),
    ],
)
def test_names_people_try(words, message, base, tmp_path, capsys):
    assert main([word.format(base=base, out=tmp_path / "out") for word in words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


# -- list settings


def test_every_setting_has_a_meaning():
    sections = settings_sections()
    assert [f"{s.name}.{key}" for s in sections for key, field in s.keys.items() if not field.description] == []


def test_sections_are_complete():
    config = run_settings("ppa")
    names = {s.name for s in settings_sections()}
    assert {name for name, value in config if hasattr(value, "model_fields")} <= names
    overview = describe_sections()
    assert all(f"[{s.prefix}]" in overview for s in settings_sections() if s.prefix)


def test_a_setting_is_described_with_type_default_and_meaning():
    text = describe_section("training.learning_rate")
    default = f"default 3e-05, finetune {FinetuneTraining().learning_rate}"
    assert text.splitlines() == [
        f"training.learning_rate  <float > 0>  {default}", "    Peak learning rate of the linear schedule."
    ]  # fmt: skip
    assert "Pan et al. 2021" in describe_section("training").splitlines()[1]
    assert describe_section("pool").splitlines()[0] == "moco.pool  <cls | mean>  default cls"
    assert "words.alpha" in describe_section("hmm")


OF_A_RUN = [
    (f"{section.prefix}.{key}" if section.prefix else key, field.get_default(call_default_factory=True))
    for section in settings_sections()
    if section.name in ("run", "training", "views", "links", "moco", "data")
    for key, field in section.keys.items()
    if not field.is_required()
]


@pytest.mark.parametrize(("name", "default"), [(n, d) for n, d in OF_A_RUN if isinstance(d, bool | int | float)])
def test_a_listed_setting_that_is_set_is_applied(name, default):
    """The first other value of its type that is accepted."""
    others = [not default] if isinstance(default, bool) else [default + 1, default / 2, default + 0.25, 16, 1]
    for value in (type(default)(other) for other in others):
        if value == default:
            continue
        try:
            config = run_settings("ppa", [f"{name}={str(value).lower()}"])
        except UserError:
            continue
        assert operator.attrgetter(name)(config) == value
        return
    raise AssertionError(f"no value of {name} was accepted")


def test_epochs_that_a_recipe_would_ignore_are_refused(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('extends = "mlm"\n[training]\nsteps = 50\n')
    with pytest.raises(UserError, match=r"training.epochs has no effect: the recipe sets training.steps to 50"):
        run_settings(str(recipe), short_forms((), epochs=3))
    assert run_settings(str(recipe), short_forms(["training.steps=9"], epochs=3)).training.steps == 9
    assert run_settings(str(recipe)).training.steps == 50


def test_other_objectives_than_those_of_the_recipe_are_neither_its_method_nor_a_control(tmp_path):
    recipe = tmp_path / "mine.toml"
    both = 'objectives=["mlm", "moco"]'

    def named(text, *overrides):
        recipe.write_text(text)
        config = run_settings(str(recipe), overrides)
        return config.method, config.control

    assert named('extends = "mlm-mini"\n[training]\nsteps = 5\n') == ("MLM control", True)
    assert named('extends = "mlm-mini"\nobjectives = ["mlm"]\n') == ("MLM control", True)
    assert named('extends = "mlm-mini"\nobjectives = ["mlm", "moco"]\n') == ("mine", False)
    assert named('extends = "mlm-mini"\nmethod = "M"\ncontrol = true\nobjectives = ["tlm"]\n') == ("M", True)
    assert named('extends = "mlm-mini"\n', both) == ("mlm + moco", False)
    assert named('extends = "mlm-mini"\n', both, "method=M", "control=true") == ("M", True)


@pytest.mark.parametrize("command", ["align --help", "report --help", "list --help", "analyze space --help"])
def test_help_loads_no_heavy_library(command):
    heavy = ("torch", "transformers", "numpy", "scipy", "matplotlib", "rich", "jinja2", "huggingface_hub")
    code = (
        f"import sys; from paralign.__main__ import main; main({command.split()!r});"
        f" print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


@pytest.mark.parametrize("name", recipes())
def test_a_listed_recipe_can_be_saved_and_shows_what_it_inherits(name, capsys):
    assert main(["list", "recipes", name]) == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text) == load_named_toml("recipe", name, "paralign.recipes")
    own, _, inherited = text.partition("# All settings, with those of the recipes it extends:\n")
    assert bool(inherited) == ("extends" in tomllib.loads(own))
    if inherited:
        assert tomllib.loads(inherited.replace("# ", "")) == load_recipe(name)
