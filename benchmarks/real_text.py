"""A small encoder on real text: does PPA align it? Prepares the data, then runs paralign's commands.

    python benchmarks/real_text.py DATA OUT [--stage prepare|base|align|measure|all] [--half dev|test]

DATA contains public data sets, named as in benchmarks/README.md (not part of the project). Every command is printed.
Finished runs are not repeated, interrupted ones are resumed.

Documents of NTREX and sentences of PUD are divided into development and test halves by crc32(id) % 2, so that nothing
is tuned on the reported data.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from paralign.formats.conllu import read_conllu, write_conllu

LANGUAGES = {"de": ("deu", "German"), "fr": ("fra", "French"), "es": ("spa", "Spanish")}
STEPS = 400
METHODS = {"ppa": "ppa-mini", "no-moco": "tlm-mini", "no-tlm": "moco-mini", "control": "mlm-mini"}
FINETUNE = ("training.epochs=3", "training.learning_rate=3e-4")


def half(name: str) -> str:
    """Return ``dev`` or ``test``."""
    return "test" if zlib.crc32(name.encode()) % 2 else "dev"


def paralign(*words: object) -> None:
    """Run a command with this Python."""
    command = [str(word) for word in words]
    print("$ paralign " + shlex.join(command), flush=True)
    subprocess.run([sys.executable, "-m", "paralign", *command], check=True)


def each(option: str, values: Iterable[object]) -> list[str]:
    """Return ``option value`` for every value."""
    return [str(word) for value in values for word in (option, value)]


def side_by_side(jobs: int, calls: Iterable[Callable[[], None]]) -> None:
    """Call functions that run commands, at most ``jobs`` at a time, in their order. After an error no other one begins.

    With several on one GPU, set ``OMP_NUM_THREADS=1``.
    """
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(call) for call in calls]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def prepare(data: Path, out: Path) -> None:
    """Split the bilingual text, remove every test sentence from it, and split the test sets into halves."""
    ntrex, pud = data / "retrieval/ntrex", data / "pos-parse"
    tests = [
        *sorted(ntrex.glob("newstest2019-*.txt")),
        *sorted((data / "retrieval/tatoeba").glob("tatoeba.*")),
        *sorted(pud.glob("*/*-test.conllu")),
        *sorted(pud.glob("*/*-dev.conllu")),
        *sorted((data / "xnli").glob("*.tsv")),
        *sorted((data / "wordalign").glob("*/test.*")),
    ]
    pairs = []
    for tag in LANGUAGES:
        office = data / f"parallel/libreoffice/LibreOffice.{tag}-en"
        pairs += [
            f"en-{tag}={data}/parallel/tatoeba/en-{tag}.tsv.gz",
            f"en-{tag}={office}.en.gz,{office}.{tag}.gz",
        ]
    if not (out / "split").is_dir():
        paralign(
            "corpus",
            "split",
            "--lenient",
            *each("--pairs", pairs),
            *each("--exclude", tests),
            "--out",
            out / "split",
        )
    halves = out / "halves"
    halves.mkdir(parents=True, exist_ok=True)
    documents = (ntrex / "DOCUMENT_IDS.tsv").read_text(encoding="utf-8").split("\n")
    source = (ntrex / "newstest2019-src.eng.txt").read_text(encoding="utf-8").split("\n")
    for tag, (code, name) in LANGUAGES.items():
        target = (ntrex / f"newstest2019-ref.{code}.txt").read_text(encoding="utf-8").split("\n")
        english = {t.sent_id: t.text for t in read_conllu(pud / "UD_English-PUD/en_pud-ud-test.conllu")}
        trees = list(read_conllu(pud / f"UD_{name}-PUD/{tag}_pud-ud-test.conllu"))
        for which in ("dev", "test"):
            rows = zip(documents, source, target, strict=True)
            lines = [f"{a}\t{b}\n" for doc, a, b in rows if doc and half(doc) == which]
            (halves / f"ntrex.en-{tag}.{which}.tsv").write_text("".join(lines), encoding="utf-8")
            kept = [tree for tree in trees if half(tree.sent_id) == which]
            write_conllu(kept, halves / f"pud.{tag}.{which}.conllu")
            lines = [f"{english[tree.sent_id]}\t{tree.text}\n" for tree in kept]
            (halves / f"pud.en-{tag}.{which}.tsv").write_text("".join(lines), encoding="utf-8")
    trees = list(read_conllu(pud / "UD_English-PUD/en_pud-ud-test.conllu"))
    for which in ("dev", "test"):
        write_conllu((t for t in trees if half(t.sent_id) == which), halves / f"pud.en.{which}.conllu")


def base(out: Path) -> None:
    """Pretrain on plain text that does not contain both sides of any pair."""
    text = [f"{tag}={out}/split/mono/{tag}.txt.gz" for tag in ("en", *LANGUAGES)]
    paralign(
        *("pretrain", "--arch", "bert:4x256", "--vocab", 12000, "--max-length", 128, *each("--text", text)),
        *("--set", "training.epochs=3", "--out", out / "base", "--resume"),
    )


def align(out: Path) -> None:
    """Train PPA, its ablations and the control on the same number of pairs."""
    store = out / "pairs"
    if not store.is_dir():
        pairs = [f"en-{tag}={out}/split/pairs/en-{tag}.tsv.gz" for tag in LANGUAGES]
        paralign(
            *("corpus", "build", "--model", out / "base/encoder", *each("--pairs", pairs)),
            *("--set", "data.min_pieces=3", "--set", "data.max_pieces=125", "--out", store),
        )
    for name, recipe in METHODS.items():
        paralign(
            *("align", "--model", out / "base/encoder", "--corpus", store, "--recipe", recipe),
            *("--set", f"training.steps={STEPS}", "--set", "training.batch=128", "--out", out / name, "--resume"),
        )


def measure(data: Path, out: Path, which: str, seeds: int) -> None:
    """Evaluate retrieval on NTREX and PUD, and tagging on PUD trained on the English treebank."""
    halves, train = out / "halves", data / "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"
    runs = [out / name for name in ("base", *METHODS)]
    for name in ("base", *METHODS):
        encoder = out / name / "encoder"
        for test in ("ntrex", "pud"):
            pairs = [f"en-{tag}={halves}/{test}.en-{tag}.{which}.tsv" for tag in LANGUAGES]
            run = out / f"{which}-{test}-{name}"
            paralign("evaluate", "--model", encoder, "--task", "retrieval", *each("--data", pairs), "--split", which,
                     "--out", run)  # fmt: skip
            runs.append(run)
        trees = [f"{tag}={halves}/pud.{tag}.{which}.conllu" for tag in ("en", *LANGUAGES)]
        run = out / f"{which}-pos-{name}"
        paralign("finetune", "--model", encoder, "--task", "pos", "--train", f"en={train}", *each("--eval", trees),
                 "--split", which, "--seeds", seeds, *each("--set", FINETUNE), "--no-keep-models", "--lenient",
                 "--out", run, "--resume")  # fmt: skip
        runs.append(run)
    paralign("report", *runs, "--out", out / f"report-{which}.html", "--title", f"Real text, {which} halves")


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--stage", choices=("prepare", "base", "align", "measure", "all"), default="all")
    parser.add_argument("--half", choices=("dev", "test"), default="dev")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    wanted = ("prepare", "base", "align", "measure") if given.stage == "all" else (given.stage,)
    if "prepare" in wanted:
        prepare(given.data, given.out)
    if "base" in wanted:
        base(given.out)
    if "align" in wanted:
        align(given.out)
    if "measure" in wanted:
        measure(given.data, given.out, given.half, given.seeds)


if __name__ == "__main__":
    main()
