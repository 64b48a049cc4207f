"""The examples run, and what the documents tell a newcomer to type is understood."""

import ast
import importlib
import importlib.util
import itertools
import json
import math
import re
import shlex
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from paralign.__main__ import main
from paralign.cli import program
from paralign.errors import UserError
from paralign.objectives import OBJECTIVES
from paralign.runs.settings import run_settings
from tests.examples import load_example
from tests.training.runs import losses_of

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
DOCUMENTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
RESULTS = ROOT / "docs" / "results"
"""Appendices: their commands are those of the commits they name, and may use options that have changed since."""
CURRENT = [path for path in DOCUMENTS if path.parent != RESULTS]


# -- layers


def test_layers_before_and_after_alignment(tmp_path, monkeypatch):
    module = load_example("layers")
    monkeypatch.setattr(module, "TEXT", [f"{tag}=smallworld:0-60" for tag in ("en", "de", "hi")])
    monkeypatch.setattr(module, "PAIRS", ["en-de=smallworld:100-160", "en-hi=smallworld:100-160"])
    page = module.main(tmp_path, arch="bert:1x32", epochs=1, sentences=30).read_text()
    for heading in ("Layer ablation", "Similarity of languages by layer", "Changes through training, by layer"):
        assert f"<h2>{heading}" in page
    assert "base" in page
    assert "PPA" in page


# -- ppa_small_world


def test_the_whole_story_as_a_script(tmp_path):
    page = load_example("ppa_small_world").main(tmp_path / "run", arch="bert:1x32", sentences=100, epochs=1)
    assert page.is_file()
    assert "PPA" in page.read_text(encoding="utf-8")
    found = {path.parent.name for path in (tmp_path / "run").glob("*/results.jsonl")}
    assert found == {f"{task}-{name}" for task in ("pos", "retrieval") for name in ("base", "ppa", "mlm")}
    rows = [json.loads(line) for line in (tmp_path / "run" / "pos-ppa" / "results.jsonl").open()]
    assert {row["language"] for row in rows} == {"en", "de", "zh"}


# -- pair_contrast


def loss_of(first, second, ids, **settings):
    """The loss of given sentence vectors."""
    module = load_example("pair_contrast")
    objective = module.PairContrast(module.PairContrastConfig(**settings), None)
    views = {"first": torch.tensor(first), "second": torch.tensor(second)}
    step = SimpleNamespace(
        batch=SimpleNamespace(ids=np.array(ids), size=len(ids)),
        hidden=lambda view: SimpleNamespace(pool=lambda how: views[view]),
        share=None,
    )
    assert objective.counts(step.batch) == {"pair_contrast": len(ids)}
    return float(objective(step)["pair_contrast"])


def unit(vector):
    return [x / math.hypot(*vector) for x in vector]


def slow(first, second, ids, temperature):
    """Both directions, one pair after the other, by the definition."""
    total = 0.0
    for a, b in ((first, second), (second, first)):
        for i, query in enumerate(map(unit, a)):
            scores = [sum(x * y for x, y in zip(query, unit(key), strict=True)) / temperature for key in b]
            kept = [s for j, s in enumerate(scores) if j == i or ids[j] != ids[i]]
            total += math.log(sum(map(math.exp, kept))) - scores[i]
    return total / 2


def test_the_loss_of_pair_contrast_is_the_definition():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 7)).tolist()
    for ids in ([4, 1, 0, 2, 9], [4, 1, 4, 2, 1]):
        found = loss_of(first, second, ids, temperature=0.3)
        assert found == pytest.approx(slow(first, second, ids, 0.3), rel=1e-5)


def test_the_loss_of_pair_contrast_in_closed_form():
    same = [[3.0, 4.0]] * 6
    assert loss_of(same, same, range(6)) == pytest.approx(6 * math.log(6), rel=1e-6)
    axes = np.eye(4, dtype=np.float32)
    expected = 4 * math.log(1 + 3 * math.exp(-1 / 0.5))
    assert loss_of(axes, axes, range(4), temperature=0.5) == pytest.approx(expected, rel=1e-5)
    assert loss_of(same, same, [7] * 6) == pytest.approx(0, abs=1e-6)  # one pair six times: no negatives


def test_the_objective_outside_the_package_trains(base, tmp_path, monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "pair_contrast", raising=False)
    settings = (
        'objectives=["pair_contrast:PairContrast"]', "pair_contrast.temperature=0.1",
        "training.batch=12", "training.steps=60", "training.learning_rate=1e-2", "training.precision=fp32",
        "training.log_every=1", "data.min_pieces=2",
    )  # fmt: skip
    command = f"align --model {base} --pairs en-de=smallworld:0-60 --recipe ppa-mini --out {tmp_path}/run --quiet"
    overrides = [word for setting in settings for word in ("--set", setting)]
    assert main([*command.split(), *overrides]) == 0
    losses = [step["pair_contrast"] for step in losses_of(tmp_path / "run")]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


# -- documents


def commands(path):
    """Every ``paralign ...`` of the document's shell blocks, continued lines joined, as (line, words)."""
    text = path.read_text(encoding="utf-8")
    for block in re.finditer(r"^```(?:bash|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        before = text[: block.start(1)].count("\n") + 1
        body = block[1].replace("\\\n", "  ")
        for number, line in enumerate(body.split("\n"), before):
            words = shlex.split(line, comments=True)
            words = list(itertools.dropwhile(lambda word: word != "paralign", words))
            if words:
                yield number, words[1:]


def understood(words):
    """Parse as the command line would, without running: the settings the command would be given."""
    command = program
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    if hasattr(command, "commands"):
        return None
    return command.make_context(command.name, list(words)).params


def label(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CURRENT, ids=label)
def test_commands_in_the_documents_are_understood(path, monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for number, words in commands(path):
        if words[-1:] == ["--help"]:
            continue
        try:
            given = understood(words)
            if words[0] in ("align", "pretrain") and not given["recipe"].endswith(".toml"):
                run_settings(given["recipe"], given["overrides"] or [])
        except Exception as error:
            raise AssertionError(f"{path.name}, block at line {number}: {shlex.join(words)}") from error


def test_a_command_that_does_not_exist_would_be_noticed():
    with pytest.raises(Exception, match="bogus"):
        understood(["align", "--model", "x", "--out", "y", "--bogus", "z"])
    with pytest.raises(KeyError):
        understood(["realign", "--model", "x"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_python_in_the_documents_compiles_and_its_names_exist(path):
    for block in re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(block, path.name)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paralign"):
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "paralign":
                assert hasattr(importlib.import_module("paralign"), node.attr), node.attr


def anchors(path):
    """The anchors that GitHub makes of a document's headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_links_in_the_documents_resolve(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
        if target.startswith(("http:", "https:")):
            continue
        linked = path.parent / target if target else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), f"{target}#{anchor}"


def test_the_scores_of_the_readme_are_those_of_the_claims():
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("**", "")
    table = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    measured = (ROOT / "docs/claims.md").read_text(encoding="utf-8").partition("## All systems")[2]
    rows = table[2:]
    assert len(rows) == 8
    for _, small, of_small, large, of_large in rows:
        for seeds, score, difference in ((5, small, of_small), (3, large, of_large)):
            listed = f"| {seeds} | {score} | {difference} |"  # as many seeds as the text says
            assert (score, difference) == ("not tested", "") or listed in measured


def test_recipes_md_names_every_recipe_and_objective():
    from paralign.runs.settings import recipes

    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert [name for name in (*recipes(), *OBJECTIVES) if f"`{name}`" not in text] == []


def test_suite_md_names_every_suite_and_setting():
    from paralign.runs.suite_file import SuiteConfig, SuiteTask, suites

    text = (ROOT / "docs" / "suite.md").read_text(encoding="utf-8")
    names = [*suites(), *SuiteConfig.model_fields, *SuiteTask.model_fields]
    assert [name for name in names if f"`{name}`" not in text and f"`[[{name}]]`" not in text] == []


def test_the_task_of_the_document_measures(base, tmp_path, monkeypatch):
    """What docs/add-a-task.md gives as a whole file is one."""
    from paralign.encoder import Encoder
    from paralign.smallworld import World

    source = code_of("add-a-task.md")
    (tmp_path / "whole_words.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    command = f"evaluate --model {base} --task whole_words:WholeWords --data en=smallworld:0-40"
    assert main([*command.split(), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    row = json.loads((tmp_path / "run" / "results.jsonl").read_text())

    vocabulary = Encoder.from_pretrained(base).tokenizer.get_vocab()
    texts = [World(0).sentence(index, "en").text for index in range(40)]
    words = [word for text in texts for word in re.findall(r"\w+(?:'\w+)?|[^\w\s]", text)]
    assert row["value"] == pytest.approx(sum(word in vocabulary for word in words) / len(words))
    assert row["n"] == 40
    assert row["settings"]["task_info"]["title"] == "Words in one piece"
    assert row["settings"]["task_info"]["main_metrics"] == ["whole"]


def test_the_task_with_training_of_the_document_trains(base, tmp_path, monkeypatch):
    (tmp_path / "sentiment.py").write_text(code_of("add-a-task.md", 1), encoding="utf-8")
    (tmp_path / "train.tsv").write_text("A good dog.\tgood\nA bad cat.\tbad\n" * 4, encoding="utf-8")
    (tmp_path / "test.tsv").write_text("Ein guter Hund.\tgood\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    command = f"finetune --model {base} --task sentiment:Sentiment --no-keep-models --quiet"
    files = ["--train", f"en={tmp_path}/train.tsv", "--eval", f"de={tmp_path}/test.tsv", "--out", str(tmp_path / "run")]
    assert main([*command.split(), *files]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert {row["metric"] for row in rows} == {"accuracy", "macro_f1"}
    assert {row["settings"]["task_info"]["title"] for row in rows} == {"Sentiment"}
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["training"]["epochs"] == 3


def code_of(document, number=0):
    """A Python block of a document, by default the first."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[number]


def without_docstrings(source):
    """The statements of a module, imports sorted, docstrings and layout aside."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [
                part for part in body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    kinds = (ast.Import, ast.ImportFrom)
    imports = {ast.unparse(part) for part in tree.body if isinstance(part, kinds)} - {
        "from __future__ import annotations"
    }
    return sorted(imports), [ast.unparse(part) for part in tree.body if not isinstance(part, kinds)]


def test_the_objective_of_the_document_is_the_example():
    source = (EXAMPLES / "pair_contrast.py").read_text(encoding="utf-8")
    assert without_docstrings(code_of("add-an-objective.md")) == without_docstrings(source)


def test_the_format_of_the_document_reads_pairs(tmp_path, monkeypatch):
    """docs/add-a-format.md gives a whole file and a table line; with them, every reader of pairs reads the format."""
    from paralign.formats import parallel_text
    from paralign.sources.readers import read_pairs
    from paralign.sources.specs import parse_pairs

    (tmp_path / "gettext_catalog.py").write_text(code_of("add-a-format.md"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from gettext_catalog import is_gettext, read_gettext

    *formats, last = parallel_text.PARALLEL_FORMATS
    added = parallel_text.ParallelFormat(1, is_gettext, read_gettext)
    monkeypatch.setattr(parallel_text, "PARALLEL_FORMATS", (*formats, added, last))
    header = 'msgid ""\nmsgstr "Content-Type: text/plain\\n"\n\n'
    good = '# hint\nmsgid "Good"\n" morning"\nmsgstr "Guten  Morgen"\n\nmsgid "\\"a\\""\nmsgstr ""\n\n'
    path = tmp_path / "text.po"
    path.write_text(header + good + "msgid bare\n\n" + '"lost"\n\n' + 'msgid "yes"\nmsgstr "ja"\n', encoding="utf-8")
    dropped = Counter()
    spec = parse_pairs(f"en-de={path}")
    pairs = [(pair.source, pair.target, pair.line) for pair in read_pairs(spec, lenient=True, dropped=dropped)]
    assert pairs == [("Good morning", "Guten Morgen", 5), ('"a"', "", 9), ("yes", "ja", 16)]
    assert dropped == {"malformed message": 2}
    with pytest.raises(UserError, match="'msgid bare' is not a msgid") as error:
        list(read_pairs(spec))
    assert f"{path}:12" in str(error.value)


def test_the_aligner_of_the_document_links_words(tmp_path, monkeypatch):
    """docs/add-an-aligner.md gives a whole file; ``--method dice:DiceAligner`` finds it, and its links are Dice's."""
    from paralign.formats.links import read_links

    (tmp_path / "dice.py").write_text(code_of("add-an-aligner.md"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "dice", raising=False)
    pairs = [("a b", "x y"), ("a", "x"), ("", "z"), ("c c", "z"), ("b c", "z y")]
    further = [("a c", "x x")]
    for name, rows in (("pairs", pairs), ("further", further)):
        Path(f"{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    command = (
        "words --pairs en-de=pairs.tsv --train en-de=further.tsv --method dice:DiceAligner --out links --force --quiet"
    )

    def expected(threshold):
        every = [(a.split(), b.split()) for a, b in pairs + further]
        for source, target in every[: len(pairs)]:
            links = set()
            for (i, a), (j, b) in itertools.product(enumerate(source), enumerate(target)):
                both = sum(a in x and b in y for x, y in every)
                either = sum(a in x for x, _ in every) + sum(b in y for _, y in every)
                if 2 * both / either >= threshold:
                    links.add((i, j))
            yield links

    for threshold in (0.9, 0.5):
        assert main([*command.split(), "--set", f"words.threshold={threshold}"]) == 0
        assert [row.sure for row in read_links("links")] == list(expected(threshold))
    assert list(expected(0.9))[:2] == [{(0, 0), (1, 1)}, {(0, 0)}]  # a and x, b and y: always together
    assert main([*command.split(), "--save", "kept"]) == 2
    assert main([*command.split(), "--set", "words.thresold=0.4"]) == 2
    assert not Path("kept").exists()
