"""``--dry-run`` and ``--show`` compared with the run itself."""

import json
import re
import tempfile
from collections import Counter

import pytest
import torch

from paralign.__main__ import main
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.encoder.tokenizer import tokenize
from paralign.errors import UserError
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import parse_pairs, parse_text
from paralign.tasks.tagging import PartOfSpeech
from paralign.training import memory

SETS = ["data.min_pieces=2", "training.batch=8", "training.precision=fp32"]


def arguments(base, out, *more, recipe="ppa-mini", pairs="en-de=smallworld:0-60"):
    sets = [part for one in SETS for part in ("--set", one)]
    return ["align", "--model", str(base), "--pairs", pairs, "--recipe", recipe, "--out", str(out), *sets, *more]


def test_a_dry_run_predicts_the_run(base, tmp_path, capsys):
    more = ("--set", "moco.queue=20", "--set", "training.epochs=3")
    assert main(arguments(base, tmp_path / "run", *more, "--dry-run")) == 0
    output = capsys.readouterr().err
    steps = int(re.search(r"run      ([\d,]+) steps", output)[1].replace(",", ""))
    kept = re.search(r"kept 100.0? % \((\d+)", output) or re.search(r"kept [\d.]+ % \((\d+) of", output)
    pieces = float(re.search(r"8 records, ([\d,]+) pieces", output)[1].replace(",", ""))
    assert main(arguments(base, tmp_path / "run", *more, "--quiet")) == 0
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["steps"] == steps
    assert len(TokenStore.open(tmp_path / "run/corpus")) == int(kept[1])
    assert facts["tokens_seen"] / facts["steps"] == pytest.approx(pieces, rel=0.25)
    assert f"{facts['parameters'] / 1e6:,.1f} M weights" in output


def test_the_size_of_a_long_text_is_extrapolated_from_its_beginning(base, tmp_path, capsys, monkeypatch):
    from paralign.runs import preview

    monkeypatch.setattr(preview, "_SAMPLE", 50)
    lines = [f"one two {n}\teins zwei {n}" if n % 2 else "x\tx" for n in range(400)]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    more = ("--dry-run", "--set", "training.epochs=2")
    given = arguments(base, tmp_path / "run", *more, pairs=f"en-de={tmp_path}/a.tsv", recipe="tlm-mini")
    assert main(given) == 0
    # 50 of the first 100 lines are kept, so 200 of all: 25 batches of 8, twice
    assert re.search(r"run      (49|50|51) steps", capsys.readouterr().err)
    (tmp_path / "b.tsv").write_text("\n".join(line.replace("two", "two and") for line in lines) + "\n")
    assert main([*given, "--pairs", f"en-de={tmp_path}/b.tsv"]) == 0
    assert re.search(r"run      (99|100|101) steps", capsys.readouterr().err)


def test_a_limit_among_the_settings_is_that_of_the_run(base, tmp_path, capsys, monkeypatch):
    from paralign.runs import preview

    monkeypatch.setattr(preview, "_SAMPLE", 50)
    (tmp_path / "a.tsv").write_text("".join(f"one two {n}\teins zwei {n}\n" for n in range(400)))
    given = arguments(base, tmp_path / "run", "--dry-run", "--set", "training.epochs=1", recipe="tlm-mini",
                      pairs=f"en-de={tmp_path}/a.tsv")  # fmt: skip
    for more in (["--limit", "160"], ["--set", "data.limit=160"]):
        assert main([*given, *more]) == 0
        assert "run      20 steps" in capsys.readouterr().err
    monkeypatch.setattr(preview, "line_count", lambda spec: None)  # as of TMX files
    assert main([*given, "--limit", "24"]) == 0
    assert "run      3 steps" in capsys.readouterr().err


def test_text_that_was_read_whole_need_not_have_a_known_size(base, tmp_path, capsys, monkeypatch):
    """Such as TMX files, whose pairs cannot be counted without reading them. Two batches are the sample here."""
    from paralign.runs import preview

    monkeypatch.setattr(preview, "_SAMPLE", 20)
    monkeypatch.setattr(preview, "line_count", lambda spec: None)
    given = arguments(base, tmp_path / "run", "--dry-run", "--set", "training.epochs=1", recipe="tlm-mini")
    assert main([*given, "--set", "training.batch=40"]) == 0  # 60 pairs
    assert "run      1 steps" in capsys.readouterr().err


def test_the_steps_of_packed_rows_are_those_of_the_run(tmp_path, capsys, monkeypatch):
    from paralign.runs import preview

    lines = [f"{text}\n" for _, text in read_text(parse_text("en=smallworld:0-900"))]
    (tmp_path / "en.txt").write_text("".join(lines), encoding="utf-8")
    given = ["pretrain", "--arch", "bert:1x32", "--vocab", "300", "--text", f"en={tmp_path}/en.txt", "--out", "run"]
    given += [word for one in ("training.batch=8", "training.epochs=1", "views.pack=64") for word in ("--set", one)]
    assert main([*given, "--dry-run"]) == 0
    (steps,) = re.findall(r"run      (\d+) steps, 1.0 times the text", capsys.readouterr().err)
    monkeypatch.setattr(preview, "_SAMPLE", 300)
    assert main([*given, "--dry-run"]) == 0
    (estimated,) = re.findall(r"run      (\d+) steps", capsys.readouterr().err)
    assert int(estimated) == pytest.approx(int(steps), rel=0.1)
    assert int(steps) < 900 // 8 // 2


def test_a_batch_may_be_larger_than_the_sample(base, tmp_path, capsys, monkeypatch):
    from paralign.runs import preview

    monkeypatch.setattr(preview, "_SAMPLE", 20)
    more = ("--set", "training.batch=32", "--dry-run")
    assert main(arguments(base, tmp_path / "run", *more, pairs="en-de=smallworld:0-200", recipe="tlm-mini")) == 0
    assert "run      " in capsys.readouterr().err


def test_pairs_are_shown_with_their_masks(base, tmp_path, capsys):
    assert main(arguments(base, tmp_path / "run", "--show", "4")) == 0
    output = capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    encoder = Encoder.from_pretrained(base)
    pairs = {pair.line: pair for pair in read_pairs(parse_pairs("en-de=smallworld:0-60"))}
    rows = re.findall(r"^en-de=smallworld:0-60, line (\d+)\n((?:  .*\n)+?)(?=en-de|  <input)", output, re.MULTILINE)
    assert len(rows) == 4
    masked = Counter()
    for number, block in rows:
        pair = pairs[int(number)]
        views = dict(re.findall(r"^  (\w+) +(.*)$", block, re.MULTILINE))
        assert set(views) == {"joint", "first"}
        sides = [
            [encoder.tokenizer.convert_ids_to_tokens(int(piece)) for piece in tokenize(encoder.tokenizer, [text])[0][0]]
            for text in (pair.source, pair.target)
        ]
        seen = [re.sub(r"<\S+?:(\S+)>", r"\1", token) for token in views["joint"].split()]
        masked.update(token.startswith("<") for token in views["joint"].split())
        one, other = sides
        joined = [["[CLS]", *a, "[SEP]", *b, "[SEP]"] for a, b in ((one, other), (other, one))]
        assert seen in joined
        assert views["first"].split()[1:-1] == (one if seen == joined[0] else other)
    assert masked[True]


def test_links_are_shown_as_words(base, tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("a b c\tx y z\n" * 1 + "".join(f"d e {n}\tu v {n}\n" for n in range(20)))
    (tmp_path / "links").write_text("0-2 2-0\n" + "0-0\n" * 20)
    given = arguments(base, tmp_path / "run", "--show", "8", "--links", f"en-de={tmp_path}/links",
                      pairs=f"en-de={tmp_path}/a.tsv", recipe="alignlm-mini")  # fmt: skip
    assert main(given) == 0
    output = capsys.readouterr().out
    for block in output.split(f"en-de={tmp_path}/a.tsv, line ")[1:]:
        want = "a = z; c = x" if block.startswith("1\n") else "d = u"
        assert re.search(r"^  links +(.*)$", block, re.MULTILINE)[1] == want


def test_standard_input_cannot_be_previewed(base, tmp_path, capsys):
    assert main(arguments(base, tmp_path / "run", "--dry-run", pairs="en-de=-")) == 2
    assert "standard input can be read only once" in capsys.readouterr().err
    command = f"finetune --model {base} --task pos --train en=- --eval en=x --out {tmp_path}/run --dry-run"
    assert main(command.split()) == 2
    assert "standard input can be read only once" in capsys.readouterr().err


PRETRAINING = ["pretrain", "--arch", "bert:2x32", "--vocab", "300", "--text", "en=smallworld:0-80", "--set",
               "training.batch=8"]  # fmt: skip
FAILING = ["--set", "training.batch=1000"]  # more records than the text has: fails when the store is built


def files(folder):
    """Contents and times of all files of a folder."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["align", "pretrain", "finetune"])
@pytest.mark.parametrize("more", [["--dry-run"], ["--show", "2"], ["--dry-run", *FAILING]])
def test_a_preview_leaves_nothing_behind(command, more, base, tmp_path, capsys, monkeypatch):
    temporary, here = tmp_path / "tmp", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(here)
    used = []
    mkdtemp = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *given, **named: used.append(mkdtemp(*given, **named)) or used[-1])
    model = files(base)
    given = {
        "align": arguments(base, "run"),
        "pretrain": [*PRETRAINING, "--out", "run"],
        "finetune": finetuning(base, "--out", "run"),
    }[command]
    fails = command != "finetune" and more[-2:] == FAILING  # fine-tuning reduces its batch to the data
    assert main([*given, *more]) == (2 if fails else 0)
    assert used  # the preview needed a temporary folder
    assert not list(temporary.iterdir())
    assert not list(here.iterdir())
    assert files(base) == model


def test_a_preview_does_not_touch_the_run_it_is_for(base, tmp_path, capsys):
    """A preview may be made before a run is resumed."""
    out = tmp_path / "run"
    assert main(arguments(base, out, "--set", "moco.queue=20", "--set", "training.steps=2", "--quiet")) == 0
    before = files(out)
    assert main(arguments(base, out, "--set", "moco.queue=20", "--dry-run", "--show", "1")) == 0
    assert files(out) == before


def test_preview_of_pretraining(capsys):
    given = ["pretrain", "--arch", "bert:2x32", "--vocab", "300", "--text", "en=smallworld:0-80", "--out", "run"]
    sets = ["--set", "training.batch=8", "--set", "training.steps=30"]
    assert main([*given, *sets, "--dry-run", "--show", "1"]) == 0
    output = capsys.readouterr()
    assert "  text      [CLS]" in output.out
    assert "run      30 steps" in output.err


def test_too_little_memory_is_reported_before_training(base, tmp_path, capsys, monkeypatch):
    weights = Encoder.from_pretrained(base).parameter_count()
    free = {"bytes": 12 * weights - 1}
    monkeypatch.setattr(memory, "free_memory", lambda device: free["bytes"])
    assert main(arguments(base, tmp_path / "run", "--quiet")) == 2
    assert "not enough memory: gradients and Adam's moments" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    free["bytes"] += 1
    memory.check_memory(Encoder.from_pretrained(base), torch.device("cpu"))
    free["bytes"] = 12 * weights // 4
    memory.check_memory(Encoder.from_pretrained(base), torch.device("cpu"), parts=4)
    with pytest.raises(UserError, match="GiB per process"):
        memory.check_memory(Encoder.from_pretrained(base), torch.device("cpu"), parts=3)
    free["bytes"] = None
    memory.check_memory(Encoder.from_pretrained(base), torch.device("cpu"))


def test_frozen_weights_need_no_moments(base, monkeypatch):
    encoder = Encoder.from_pretrained(base)
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    monkeypatch.setattr(memory, "free_memory", lambda device: 0)
    memory.check_memory(encoder, torch.device("cpu"))
    next(iter(encoder.parameters())).requires_grad_(True)
    with pytest.raises(UserError, match="not enough memory"):
        memory.check_memory(encoder, torch.device("cpu"))


def test_free_memory_is_plausible():
    found = memory.free_memory(torch.device("cpu"))
    if found is not None:
        assert 0 < found < 2**50
    assert memory.peak_memory() > 2**20


def finetuning(base, *more):
    trained = ["--train", "en=smallworld:0-40", "--eval", "de=smallworld:100-110"]
    sets = ["--set", "training.batch=8", "--set", "training.epochs=2"]
    return ["finetune", "--model", str(base), "--task", "pos", *trained, *sets, *more]


def test_preview_of_fine_tuning(base, tmp_path, capsys):
    assert main(finetuning(base, "--out", str(tmp_path / "run"), "--dry-run", "--seeds", "3")) == 0
    output = capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert re.search(r"run      10 steps, 2 times 40 records, for each of 3 seeds", output)
    assert re.search(r"step     8 records, ", output)


def test_fine_tuning_shows_words_with_their_tags(base, tmp_path, capsys):
    assert main(finetuning(base, "--out", str(tmp_path / "run"), "--show", "3")) == 0
    shown = re.findall(r"^record (\d+)\n  example   (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert len(shown) == 3
    items = list(PartOfSpeech().read("en=smallworld:0-40", lenient=False, dropped=Counter(), limit=None))
    encoder = Encoder.from_pretrained(base)
    for number, row in shown:
        item = items[int(number) - 1]
        assert re.findall(r"<\S+?:([A-Z]+)>", row) == list(item.upos)
        first = [encoder.tokenizer.tokenize(word)[0] for word in item.words]
        assert re.findall(r"<(\S+?):[A-Z]+>", row) == first


def test_a_dry_run_does_not_fill_the_queue_but_counts_the_filling(base, tmp_path, capsys, monkeypatch):
    """PPA's queue has 32,000 keys: filling it can take longer than a short run."""
    from paralign.objectives.moco import MomentumContrast
    from paralign.training import probe

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock, filled = Clock(), []
    keys, step = MomentumContrast._keys, MomentumContrast.forward

    def slow_keys(self, batch):
        clock.now += 2.0  # seconds for each batch of keys, in the filling and in a step
        filled.append(batch.size)
        return keys(self, batch)

    def slow_step(self, given):
        clock.now += 3.0
        return step(self, given)

    monkeypatch.setattr(probe, "time", clock)
    monkeypatch.setattr(MomentumContrast, "_keys", slow_keys)
    monkeypatch.setattr(MomentumContrast, "forward", slow_step)
    given = arguments(base, tmp_path / "run", "--dry-run", "--set", "training.steps=12")
    assert main([*given, "--set", "moco.queue=32000"]) == 0
    output = capsys.readouterr().err
    assert len(filled) <= 10
    # 4,000 batches of 8 keys in 2 s each, then 12 steps of 5 s.
    assert "12 steps" in output
    assert "about 2 h 14 min here (2 h 13 min of it before the first step)" in output
    assert main([*given, "--set", "moco.queue=16"]) == 0  # two batches
    assert "about 64 s here (4 s of it before the first step)" in capsys.readouterr().err
    assert main([*given, "--set", "moco.queue_init=random"]) == 0
    assert "about 60 s here, " in capsys.readouterr().err


def test_a_run_fills_the_whole_queue(base, tmp_path):
    from safetensors.torch import load_file

    given = arguments(base, tmp_path / "run", "--quiet", "--set", "training.steps=2", "--set", "moco.queue=300")
    assert main(given) == 0
    (file,) = (tmp_path / "run" / "checkpoints").glob("*/module.safetensors")
    assert int(load_file(file)["objectives.moco.queue_ids"].min()) >= 0
