"""``paralign demo``: alignment of real languages, or the whole pipeline on the small world."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.commands.demo_own_pairs import demo_own_pairs
from paralign.commands.demo_small_world import demo_small_world
from paralign.commands.demo_systems import align_systems, demo_data, evaluate_systems
from paralign.commands.finetune import finetune
from paralign.console import echo
from paralign.demo_pairs import LANGUAGES, demo_file
from paralign.errors import UserError
from paralign.formats.conllu import write_conllu
from paralign.formats.items import Tree
from paralign.runs.groups import begin, run_recorded
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec
from paralign.text.normalization import comparison_key

__all__ = ["demo"]

MODEL = "paralign-mini"
_TREES, _TEST_TREES = 800, 400
_LINKS = {"links.dev": 100, "links.test": 200}
_START = {"train": 2_000_000, "test": 3_000_000, "links.dev": 4_000_000, "links.test": 5_000_000}
"""Meanings of the small world; the ranges do not overlap."""
_FINETUNE = ("training.epochs=2", "training.learning_rate=3e-4")


@one_or_several
def demo(
    out: str | Path,
    *,
    pairs: str | Sequence[str] = (),
    model: str | None = None,
    small_world: bool = False,
    seed: int = 0,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Align ``paralign-mini``, measure the effect on held-out data, and write a report, in a few minutes.

    1. Contrastive word alignment and PPA align the encoder with pairs of English with German, Spanish and French, which
       come with the package. A control is trained with masked LM on the same sentences, for as many pairs.
    2. Each is evaluated on held-out sentence pairs and on words that no training pair contains, and on the small world,
       which has gold annotation: tagging, trained on English, and word alignment. Layer and pooling of each system are
       those that are best on development data.
    3. A report compares them.

    Args:
        out: output folder.
        pairs: your own parallel text instead, each as ``SRC-TGT=PATH``. Of each, 500 pairs for tests and 300 for
            development are held out; at least 1,600 are needed. What needs gold annotation is left out.
        model: with ``pairs``: folder or hub name of the encoder to align. None: ``paralign-mini``.
        small_world: pretrain, align, fine-tune and evaluate from scratch on generated text instead.
        seed: random seed of alignment, with ``small_world`` of the whole pipeline. Seeds of fine-tuning start at 0.
        resume: continue in ``out``; training that is finished is not repeated, evaluations are.
        quiet: print nothing.

    Returns:
        The path of the report.

    Raises:
        UserError: if ``out`` is not empty and ``resume`` is off, for arguments that exclude each other, and for pairs
            that cannot be used.
    """
    out = Path(out)
    if model is not None and not pairs:
        raise UserError("--model is only used with --pairs", hint="add --pairs SRC-TGT=PATH")
    if pairs and small_world:
        raise UserError("--small-world reads no pairs", hint="leave out --pairs, or --small-world")
    if pairs:
        return demo_own_pairs(out, pairs, model=model or MODEL, seed=seed, resume=resume, quiet=quiet)
    if small_world:
        return demo_small_world(out, seed=seed, resume=resume, quiet=quiet)
    return _demo_languages(out, seed=seed, resume=resume, quiet=quiet)


def _demo_languages(out: Path, *, seed: int, resume: bool, quiet: bool) -> Path:
    """Run the demo on the pairs of the package."""
    from paralign.report import write_report

    note = begin(out, resume, quiet)

    def write(folder: Path) -> None:
        echo("1/4 writing the data", quiet=quiet)
        _write_data(folder)

    data = demo_data(out, write, {})

    def files(name: str) -> list[str]:
        return [f"en-{language}={data / f'{name}.en-{language}.tsv'}" for language in LANGUAGES]

    note("2/4 aligning: a control, contrastive word alignment, and PPA, on the same pairs")
    encoders = align_systems(
        out, MODEL, files("train"), width=256, seed=seed, lenient=False, resume=resume, quiet=quiet
    )
    note("3/4 measuring, each system at its best layer on development data")
    runs = [out / name for name in encoders if name != "base"]
    for task, dataset, test, dev in (
        ("retrieval", "Tatoeba", files("test"), files("dev")),
        ("lexicon", "held-out words", files("words.test"), files("words.dev")),
        ("alignment", "small world", _linked("links.test"), _linked("links.dev")),
    ):
        runs += evaluate_systems(out, encoders, task, data=test, dev=dev, dataset=dataset, note=note)
    runs += _tag(out, data, encoders, resume, note)
    note("4/4 writing the report")
    return write_report(runs, out / "report.html", title="English with German, Spanish and French, aligned").html


def _linked(name: str) -> list[str]:
    """Return pairs of the small world with gold links."""
    start = _START[name]
    return [f"en-{language}=smallworld:{start}-{start + _LINKS[name]}" for language in LANGUAGES]


def _tag(out: Path, data: Path, encoders: Mapping[str, str], resume: bool, note: Callable[[str], None]) -> list[Path]:
    """Fine-tune a tagger on English for every encoder and return the runs."""
    test = [f"{language}={data / f'test.{language}.conllu'}" for language in ("en", *LANGUAGES)]
    train, runs = f"en={data / 'train.en.conllu'}", []
    for name, encoder in encoders.items():
        run = out / f"pos-{name}"
        run_recorded(
            finetune,
            model=encoder,
            task="pos",
            train=train,
            eval=test,
            system="base" if name == "base" else None,
            dataset="small world",
            overrides=_FINETUNE,
            keep_models=False,
            out=run,
            resume=resume,
            quiet=True,
        )
        runs.append(run)
    note("    pos measured")
    return runs


def _write_data(folder: Path) -> None:
    """Write the pairs and words of the package, and treebanks of the small world."""
    for language in LANGUAGES:
        for name in ("train", "dev", "test", "words.dev", "words.test"):
            path = demo_file(name, language)
            (folder / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
    attribution = demo_file("train", "de").with_name("ATTRIBUTION.md")
    (folder / attribution.name).write_bytes(attribution.read_bytes())

    def trees(name: str, language: str, count: int) -> list[Tree]:
        return list(read_trees(TextSpec(language, f"smallworld:{_START[name]}-{_START[name] + count}")))

    train = trees("train", "en", _TREES)
    write_conllu(train, folder / "train.en.conllu")
    # Different meanings can have the same words in one language: those are left out of all test sets.
    seen = {comparison_key(tree.text) for tree in train}
    kept = [comparison_key(tree.text) not in seen for tree in trees("test", "en", _TEST_TREES)]
    for language in ("en", *LANGUAGES):
        write_conllu(compress(trees("test", language, _TEST_TREES), kept), folder / f"test.{language}.conllu")
