"""``paralign demo --small-world``: pretraining, alignment, fine-tuning and a report on the small world, in minutes.

docs/design.md records how grammar, steps and rates were chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from paralign.commands.align import align
from paralign.commands.demo_systems import demo_data
from paralign.commands.evaluate import evaluate
from paralign.commands.finetune import finetune
from paralign.commands.pretrain import pretrain
from paralign.console import echo
from paralign.formats.conllu import write_conllu
from paralign.runs.groups import begin, run_recorded
from paralign.smallworld import World
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec

__all__ = ["demo_small_world"]

# Ranges of meanings. They do not overlap, so the meaning of no test sentence occurs in training.
_MONO, _PAIRS, _TRAIN, _TEST = 8_000, 4_000, 2_000, 500
_START = {"mono": 0, "pairs": 1_000_000, "train": 2_000_000, "test": 3_000_000}
_LANGUAGES = ("en", "de", "fr", "zh", "hi")
_ARCH, _VOCAB = "bert:2x128", 3_000
_RATE = "training.learning_rate=1e-3"  # high; small encoders trained from scratch tolerate it
_PRETRAIN = ("training.epochs=4", _RATE)
_ALIGN = ("training.epochs=2", "training.batch=128", _RATE)
_MOCO = ("moco.queue=1024", "moco.momentum=0.99")
_FINETUNE = ("training.epochs=3", _RATE)
_SEEDS = 2


def demo_small_world(out: str | Path, *, seed: int = 0, resume: bool = False, quiet: bool = False) -> Path:
    """Pretrain, align, fine-tune, evaluate and report on the small world, from scratch.

    1. An encoder is pretrained (masked LM) on text that contains no translation pairs.
    2. PPA aligns it with pairs. A control is trained with masked LM on the same sentences, for as many pairs.
    3. Each is fine-tuned for part-of-speech tagging on English and evaluated on all languages, and it is evaluated on
       sentence retrieval without fine-tuning.
    4. A report compares them.

    Args:
        out: output folder.
        seed: random seed of pretraining and alignment. The fine-tuning seeds are 0 and 1.
        resume: continue in ``out``; training that is finished is not repeated, evaluations are.
        quiet: print nothing.

    Returns:
        The path of the report.

    Raises:
        UserError: if ``out`` is not empty and ``resume`` is off, or if it began with another seed.
    """
    from paralign.report import write_report

    out = Path(out)
    note = begin(out, resume, quiet)
    others = [language for language in _LANGUAGES if language != "en"]

    def write(folder: Path) -> None:
        echo("1/5 generating the small world", quiet=quiet)
        _write_data(folder, seed, others)

    data = demo_data(out, write, {"seed": seed})

    note("2/5 pretraining on plain text")
    text = [f"{language}={data / f'mono.{language}.txt'}" for language in _LANGUAGES]
    seeded = f"training.seed={seed}"
    base = run_recorded(
        pretrain,
        arch=_ARCH,
        vocab=_VOCAB,
        text=text,
        overrides=[*_PRETRAIN, seeded],
        out=out / "base",
        resume=resume,
        quiet=quiet,
    )
    note("3/5 aligning with PPA, and training the control on the same sentences")
    pairs = [f"en-{language}={data / f'pairs.en-{language}.tsv'}" for language in others]
    encoders = {"base": base}
    for recipe, sets in (("ppa-mini", _ALIGN + _MOCO), ("mlm-mini", _ALIGN)):
        name = "ppa" if recipe == "ppa-mini" else "control"
        encoders[name] = run_recorded(
            align,
            model=str(base),
            pairs=pairs,
            recipe=recipe,
            overrides=[*sets, seeded],
            out=out / name,
            resume=resume,
            quiet=quiet,
        )
    note("4/5 fine-tuning a tagger on English, scoring it on all languages; retrieval")
    test = [f"{language}={data / f'test.{language}.conllu'}" for language in _LANGUAGES]
    parallel = [f"en-{language}={data / f'test.en-{language}.tsv'}" for language in others]
    train = f"en={data / 'train.en.conllu'}"
    runs = [out / name for name in encoders]
    for name, encoder in encoders.items():
        run = out / f"pos-{name}"
        run_recorded(
            finetune,
            model=str(encoder),
            task="pos",
            train=train,
            eval=test,
            seeds=_SEEDS,
            overrides=_FINETUNE,
            keep_models=False,
            out=run,
            resume=resume,
            quiet=True,
        )
        runs.append(run)
        run = out / f"retrieval-{name}"
        run_recorded(evaluate, model=str(encoder), task="retrieval", data=parallel, out=run, quiet=True)
        runs.append(run)
        note(f"    {name} measured")
    note("5/5 writing the report")
    return write_report(runs, out / "report.html", title="The small world, aligned").html


def _write_data(folder: Path, seed: int, others: Sequence[str]) -> None:
    """Write plain text, pairs and treebanks."""
    world = World(seed)

    def lines(name: str, texts: Iterable[str]) -> None:
        (folder / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")

    for index, language in enumerate(_LANGUAGES):  # different meanings in each language: the text has no pairs
        start = _START["mono"] + index * _MONO
        lines(f"mono.{language}.txt", (world.sentence(i, language).text for i in range(start, start + _MONO)))
    for index, language in enumerate(others):
        start = _START["pairs"] + index * _PAIRS
        for name, indices in (
            (f"pairs.en-{language}.tsv", range(start, start + _PAIRS)),
            (f"test.en-{language}.tsv", range(_START["test"], _START["test"] + _TEST)),
        ):
            lines(name, (f"{world.sentence(i, 'en').text}\t{world.sentence(i, language).text}" for i in indices))
    spans = {"train.en.conllu": ("en", _START["train"], _TRAIN)}
    spans |= {f"test.{language}.conllu": (language, _START["test"], _TEST) for language in _LANGUAGES}
    for name, (language, start, count) in spans.items():
        write_conllu(read_trees(TextSpec(language, f"smallworld:{start}-{start + count}")), folder / name)
