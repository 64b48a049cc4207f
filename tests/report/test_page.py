"""The page as a document: offline, escaped, reproducible, and complete about what is missing."""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from paralign.__main__ import main
from paralign.report import write_report
from paralign.results import Seeds, Where, read_results
from tests.report.reading import figure_labels, read, text_of
from tests.report.synthetic import add, describe, make_runs
from tests.report.synthetic import share as items_of

BAD = "<script>alert(1)</script>\"'&|`*_$x$"


def hits(share, n=100, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.random(n) < share, np.ones(n)], axis=1).astype(float)


def test_nothing_is_fetched(report):
    html = report.html.read_text(encoding="utf-8")
    page = read(html)
    names = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"}
    for tag, attributes in page.tags:
        for name in names & attributes.keys():
            assert attributes[name].startswith("#"), f"<{tag} {name}={attributes[name]!r}>"
    assert not {"link", "iframe", "img", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert "://" not in html
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert any("default-src 'none'" in (attrs.get("content") or "") for tag, attrs in page.tags if tag == "meta")


def test_ids_are_unique_and_references_lead_somewhere(report):
    html = report.html.read_text(encoding="utf-8")
    ids = [attributes["id"] for _, attributes in read(html).tags if "id" in attributes]
    assert ids
    assert max(Counter(ids).values()) == 1
    targets = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html)
    assert targets
    assert {a or b for a, b in targets} <= set(ids)


@pytest.mark.parametrize(
    ("dataset", "panels"), [("mine", ["dev, mine", "test, mine"]), ("pud", ["dev, PUD", "test, PUD"])]
)
def test_tables_of_two_splits_have_titles_and_figures_of_their_own(tmp_path, dataset, panels):
    for split in ("dev", "test"):
        add(tmp_path / "run", items_of(50), split=split, dataset=dataset)
        add(tmp_path / "run", items_of(60), split="test", dataset=dataset, task="ner", metric="f1")
    paths = write_report([tmp_path / "run"], tmp_path / "r.html")
    page, text = text_of(paths)
    titles = {title for title in page.tables if ":" in title}
    assert titles == {f"Part-of-speech tagging: accuracy, {split}" for split in ("dev", "test")} | {
        "Named entity recognition: F1"
    }
    labels = [attrs["aria-label"].split(":")[0] for tag, attrs in page.tags if tag == "figure"]
    assert sorted(labels)[1:] == [f"Part-of-speech tagging, {panel}" for panel in panels]
    assert "run in part-of-speech tagging, dev (50.0 %) and run in part-of-speech tagging, test (50.0 %)." in text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids) > 2


def test_the_same_runs_give_the_same_bytes_in_any_folder(report, tmp_path):
    again = write_report(make_runs(tmp_path / "elsewhere"), tmp_path / "report.html")
    for one, other in ((report.html, again.html), (report.markdown, again.markdown), (report.csv, again.csv)):
        assert one.read_bytes() == other.read_bytes()


def test_rows_in_another_order_give_the_same_numbers(tmp_path, runs, report):
    copied = [shutil.copytree(run, tmp_path / run.name) for run in runs]
    for run in copied:
        path = run / "results.jsonl"
        if path.exists():
            path.write_text("".join(f"{line}\n" for line in reversed(path.read_text().splitlines())))
    again = write_report(copied, tmp_path / "report.html")
    assert read(again.html.read_text()).tables == read(report.html.read_text()).tables


def test_everything_is_escaped(tmp_path):
    run = tmp_path / "ppa-seed1"
    add(
        run,
        hits(0.5),
        task=BAD,
        dataset=BAD,
        metric=BAD,
        language=BAD,
        settings={"system": BAD},
        train=BAD,
        where=Where(pool=BAD),
    )
    describe(run, {"verb": BAD, "command": BAD, "status": BAD, "device": BAD, "alarms": [BAD], "version": BAD})
    (run / "config.toml").write_text(BAD)
    (run / "log.jsonl").write_text(json.dumps({"step": 1, "loss": 1, "losses": {BAD: 1, "b": 2}}) + "\n")
    paths = write_report([run], tmp_path / "r.html", title=BAD)
    html = paths.html.read_text(encoding="utf-8")
    assert "<script>alert" not in html
    page = read(html)
    assert Counter(tag for tag, _ in page.tags)["script"] == 1, "our own"
    assert sum(BAD in text for text in page.text) >= 12, "shown as it is"
    assert "<script" not in re.sub(r"```+sh\n.*?\n```+", "", paths.markdown.read_text(), flags=re.DOTALL)


def test_markdown_tables_keep_their_columns_and_code_its_fence(tmp_path):
    run = add(tmp_path / "run", hits(0.5), settings={"system": "a|b\nc"})
    describe(run, {"command": "echo '```'"})
    text = write_report([run], tmp_path / "r.html").markdown.read_text()
    assert "| a\\|b c |" in text
    assert "````sh\necho '```'\n````" in text


def test_markdown_strikes_nothing_through(tmp_path):
    for language in ("en~inv", "en~trans"):
        add(tmp_path / "a", items_of(50), language=language)
    text = write_report([tmp_path / "a"], tmp_path / "r.html").markdown.read_text()
    assert r"| system | average | en\~inv | en\~trans |" in text
    assert not re.search(r"(?<!\\)~", text)


def test_csv_text_is_no_formula(tmp_path):
    run = add(tmp_path / "run", hits(0.5), settings={"system": "=HYPERLINK(1)"})
    assert "\n'=HYPERLINK(1),false,pos," in write_report([run], tmp_path / "r.html").csv.read_text()


def test_without_a_control_says_so_once_and_compares_nothing(tmp_path):
    runs = [add(tmp_path / name, hits(share)) for name, share in (("a", 0.4), ("b", 0.8))]
    page, text = text_of(write_report(runs, tmp_path / "r.html"))
    assert text.count("marked as the control") == 1
    assert "the difference from the control" not in text
    assert page.tables["Part-of-speech tagging: accuracy"][2] == ["b", f"{100 * hits(0.8)[:, 0].mean():.1f}"]


@pytest.mark.parametrize("named", ["base", "base-seed1"])
def test_the_control_can_be_named_by_system_or_run(tmp_path, named):
    runs = [add(tmp_path / name, hits(share)) for name, share in (("base-seed1", 0.4), ("x-seed1", 0.8))]
    page, text = text_of(write_report(runs, tmp_path / "r.html", control=named))
    assert [row[0] for row in page.tables["Part-of-speech tagging: accuracy"]] == [
        "system",
        "base (control)",
        "x",
    ]
    assert f"+{100 * (hits(0.8) - hits(0.4))[:, 0].mean():.1f} points (base; 95 % interval over test items" in text


def test_the_mark_is_inherited_by_measurements_of_the_encoder_but_not_by_what_is_aligned_from_it(tmp_path):
    encoder = tmp_path / "mlm-encoder"
    describe(encoder, {"verb": "pretrain", "control": True, "model_hash": "mlm"})
    tagger = add(tmp_path / "mlm-seed0", hits(0.4), parent="mlm")
    describe(tagger, {"verb": "finetune", "parent": "mlm"})
    treated = add(tmp_path / "tlm-seed0", hits(0.8), parent="mlm")
    describe(treated, {"verb": "align", "parent": "mlm"})
    page, _ = text_of(write_report([encoder, tagger, treated], tmp_path / "r.html"))
    names = [row[0] for row in page.tables["Part-of-speech tagging: accuracy"]]
    assert names == ["system", "mlm (control)", "tlm"]


def without_digests(run):
    """Remove the digests of results; return the file of per-item scores."""
    rows = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    kept = [{name: value for name, value in row.items() if "digest" not in name} for row in rows]
    (run / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    return next((run / "items").iterdir())


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda run: add(run, hits(0.8), save=False), "no per-item scores were saved"),
        (lambda run: add(run, hits(0.8, n=99)), "99 test items, but the control has 100"),
        (lambda run: next((run / "items").iterdir()).unlink(), "the file of per-item scores is missing"),
        (lambda run: np.save(next((run / "items").iterdir()), hits(0.1)), "the file of per-item scores is damaged"),
        (lambda run: np.save(without_digests(run), hits(0.1)), "do not reproduce the score"),
        (lambda run: np.save(without_digests(run), np.ones(4)), "are not [n, 2]"),
    ],
)
def test_an_interval_that_cannot_be_is_left_out_and_explained(tmp_path, spoil, says):
    control, treated = add(tmp_path / "control", hits(0.4)), add(tmp_path / "x", hits(0.8))
    spoil(treated)
    page, text = text_of(write_report([control, treated], tmp_path / "r.html", control="control"))
    difference = read_results(treated / "results.jsonl")[0].value - hits(0.4)[:, 0].mean()
    cell = page.tables["Part-of-speech tagging: accuracy"][2][1]
    assert cell.endswith(f" +{100 * difference:.1f}"), "the difference stays, without a mark and an interval"
    assert "No interval on de for x," in text
    assert says in text


def test_items_of_other_texts_are_not_compared_one_by_one(tmp_path):
    control = add(tmp_path / "control", hits(0.4), settings={"data": "a"})
    treated = add(tmp_path / "x", hits(0.8), settings={"data": "b"})
    _, text = text_of(write_report([control, treated], tmp_path / "r.html", control="control"))
    assert "No interval on de for x, nor for an average over it: the test items differ from the control's" in text
    same = add(tmp_path / "y", hits(0.8), settings={"data": "a"})
    _, text = text_of(write_report([control, same], tmp_path / "s.html", control="control"))
    assert "No interval" not in text


def test_items_with_other_gold_answers_are_not_compared_one_by_one(tmp_path):
    control = add(tmp_path / "control", hits(0.4), settings={"data": "a", "gold": "1"})
    treated = add(tmp_path / "x", hits(0.8), settings={"data": "a", "gold": "2"})
    _, text = text_of(write_report([control, treated], tmp_path / "r.html", control="control"))
    assert "No interval on de for x, nor for an average over it: the gold answers of the test items differ" in text
    same = add(tmp_path / "y", hits(0.8), settings={"data": "a", "gold": "1"})
    _, text = text_of(write_report([control, same], tmp_path / "s.html", control="control"))
    assert "No interval" not in text


def test_a_row_that_says_whether_it_is_the_control_has_the_last_word(tmp_path):
    control = add(tmp_path / "plain", hits(0.4), settings={"system": "mlm", "control": True})
    treated = add(tmp_path / "ppa", hits(0.8), settings={"system": "ppa", "control": False}, parent="plain")
    describe(control, {"verb": "finetune", "control": True, "model_hash": "plain"})
    describe(treated, {"verb": "finetune"})
    page, _ = text_of(write_report([treated, control], tmp_path / "r.html"))
    names = [row[0] for row in page.tables["Part-of-speech tagging: accuracy"]]
    assert names == ["system", "mlm (control)", "ppa"]


def test_logs_of_several_seeds_in_one_run_are_all_shown(tmp_path):
    run = add(tmp_path / "pos-ppa", hits(0.5), settings={"system": "ppa"})
    describe(run, {"verb": "finetune"})
    for seed, loss in ((10, 0.125), (9, 0.5)):
        (run / f"seed-{seed}").mkdir()
        line = json.dumps({"step": 1, "loss": loss, "losses": {"pos": loss}})
        alarm = '{"event": "alarm", "step": 1, "message": "step 1: low"}'
        (run / f"seed-{seed}" / "log.jsonl").write_text(f'{line}\n{alarm}\n{{"st')
    aligned = tmp_path / "run1"
    describe(aligned, {"verb": "align", "method": "ppa"})
    (aligned / "log.jsonl").write_text('{"step": 1, "loss": 3.0, "losses": {"tlm": 3.0}}\n')
    page, text = text_of(write_report([aligned, run], tmp_path / "r.html"))
    labels = figure_labels(page)
    assert labels == ["tlm: ppa ends at 3", "pos: ppa ends at 0.5, 0.125"]
    assert "The last line of pos-ppa/seed-10/log.jsonl is truncated" in text
    assert "pos-ppa: step 1: low" in text


def test_two_controls_in_one_table_are_refused(tmp_path):
    for name in ("a", "b"):
        describe(add(tmp_path / name, hits(0.5)), {"control": True})
    with pytest.raises(ValueError, match="several controls: a, b"):
        write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "r.html")
    write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "r.html", control="a")


def test_languages_not_measured_for_all_are_left_out_of_the_average(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    shares = {"en": 0.9, "de": 0.6, "fr": 0.5, "zh": 0.1}
    for language, share in shares.items():
        add(a, hits(share), language=language, train="en")
        if language != "zh":
            add(b, hits(share), language=language, train="en")
    page, text = text_of(write_report([a, b], tmp_path / "r.html"))
    head, first, second = page.tables["Part-of-speech tagging: accuracy, trained on en"]
    value = {language: hits(share)[:, 0].mean() for language, share in shares.items()}
    average = (value["de"] + value["fr"]) / 2
    assert head == ["system", "average", "en", "gap to en", "de", "fr", "zh"]
    for row in (first, second):
        assert [row[1], row[3]] == [f"{100 * average:.1f}", f"{100 * (value['en'] - average):.1f}"]
    assert second[6] == "–"
    assert "not every system was measured on it: zh." in text


def test_the_pivot_is_the_language_of_training(tmp_path):
    for language in ("en", "de", "fr"):
        add(tmp_path / "a", hits(0.5), language=language, train="fr")
    page, _ = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    head = page.tables["Part-of-speech tagging: accuracy, trained on fr"][0]
    assert head == ["system", "average", "fr", "gap to fr", "de", "en"]


def test_a_language_with_two_data_sets_gets_two_tables(tmp_path):
    for name, share in (("pud", 0.5), ("gsd", 0.7)):
        add(tmp_path / "a", hits(share), dataset=name)
    page, _ = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    tables = [title for title in page.tables if title.startswith("Part")]
    assert tables == ["Part-of-speech tagging: accuracy, gsd", "Part-of-speech tagging: accuracy, PUD test"]


def test_numbers_of_other_settings_are_not_compared(tmp_path):
    common = {"language": "de", "task": "qa", "metric": "f1"}
    for name, pieces, stride in (("control", 384, 128), ("ppa", 384, 128), ("long", 512, 128)):
        settings = {"system": name, "control": name == "control", "task": {"max_pieces": pieces, "stride": stride}}
        add(tmp_path / name, hits(0.5), settings=settings, **common)
    add(tmp_path / "old", hits(0.6), settings={"system": "old"}, **common)
    paths = write_report([tmp_path / name for name in ("control", "ppa", "long", "old")], tmp_path / "r.html")
    page, _ = text_of(paths)
    tables = {title: [row[0] for row in rows[1:]] for title, rows in page.tables.items() if "Question" in title}
    assert tables == {
        "Question answering: F1, max_pieces 384": ["control", "ppa", "old"],
        "Question answering: F1, max_pieces 512": ["long"],
    }
    rows = list(csv.DictReader(paths.csv.open()))
    assert {row["system"]: row["settings"] for row in rows}["long"] == "max_pieces 512"
    assert {row["system"]: row["diff_to_control"] for row in rows}["long"] == ""


def test_seeds_of_runs_are_grouped_by_name_and_a_repeated_measurement_counts_once(tmp_path):
    runs = [add(tmp_path / f"ppa-s{s}", hits(0.5, seed=s), seeds=Seeds(finetune=s)) for s in (0, 1)]
    runs.append(shutil.copytree(runs[1], tmp_path / "ppa-seed9"))
    page, text = text_of(write_report(runs, tmp_path / "r.html"))
    (_, row) = page.tables["Part-of-speech tagging: accuracy"]
    values = [100 * hits(0.5, seed=s)[:, 0].mean() for s in (0, 1)]
    assert row == ["ppa", f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"]
    assert "n = 2, 2 fine-tuning seeds (0, 1)" in text


def test_runs_without_recorded_seeds_still_count(tmp_path):
    runs = [add(tmp_path / f"ppa-s{s}", hits(0.5, seed=s)) for s in (0, 1)]
    _, text = text_of(write_report(runs, tmp_path / "r.html"))
    assert "n = 2, seeds not recorded" in text


def test_the_command_writes_the_page_that_python_writes(tmp_path):
    run = add(tmp_path / "a", items_of(50))
    page = write_report([run], tmp_path / "python.html").html.read_bytes()
    assert main(["report", str(run), "--out", str(tmp_path / "command.html")]) == 0
    assert (tmp_path / "command.html").read_bytes() == page
    assert main(["report", str(run), "--out", str(tmp_path / "titled.html"), "--title", "My title"]) == 0
    assert "<title>My title</title>" in (tmp_path / "titled.html").read_text(encoding="utf-8")


def test_cells_with_fewer_seeds_than_their_row_are_named(tmp_path):
    for seed in (0, 1, 2):
        for language in ("de", "es", "fr") if seed else ("de",):
            add(tmp_path / "ppa", hits(0.5, seed=seed), language=language, seeds=Seeds(finetune=seed))
    paths = write_report([tmp_path / "ppa"], tmp_path / "r.html", latex=True)
    _, text = text_of(paths)
    says = "Each system: n = 3, 3 fine-tuning seeds (0, 1, 2). ppa on es and fr: n = 2. The average is over the scores"
    assert says in text
    assert says in paths.markdown.read_text(encoding="utf-8")
    assert says in paths.latex.read_text(encoding="utf-8")


def test_small_errors_are_best_where_lower_is_better(tmp_path):
    for name, share in (("a", 0.2), ("b", 0.6)):
        for seed in (0, 1, 2):
            fields = {"task": "alignment", "metric": "aer", "seeds": Seeds(align=seed)}
            add(tmp_path / name, hits(share, seed=seed), **fields)
    page, text = text_of(write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "r.html", control="b"))
    assert page.bold == [f"{100 * np.mean([hits(0.2, seed=seed)[:, 0].mean() for seed in (0, 1, 2)]):.1f}"]
    assert "points below the control" in text
    gains = [100 * (hits(0.6, seed=seed)[:, 0].mean() - hits(0.2, seed=seed)[:, 0].mean()) for seed in (0, 1, 2)]
    cell = page.tables["Word alignment: AER"][2][1]
    assert f" +{np.mean(gains):.1f}* [" in cell, "fewer errors are a positive difference"
    low, high = map(float, cell.split("[")[1].rstrip("]").split(", "))
    assert 0 < low < np.mean(gains) < high
    assert "lower is better; differences are reductions: + is better" in text
    assert any(attrs.get("class") == "delta better" for _, attrs in page.tags)


def test_alarms_cost_and_commands(report):
    page, text = text_of(report)
    assert "ppa-s7: MoCo: effective rank of the queue fell below 8" in text
    head, *rows = page.tables["Cost"]
    cost = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    assert cost["ppa-s7"] == {
        "status": "done",
        "time": "1 h 30 min",
        "steps": "400",
        "records seen": "51,200",
        "tokens seen": "3,276,800",
        "records/s": "9.5",
        "tokens/s": "607",
        "parameters": "177,853,440",
        "threads": "8",
        "device": "cuda (one GPU)",
    }
    assert cost["base-retrieval"]["records seen"] == "–"
    assert (
        "ppa used 1.00 × the records, 1.00 × the tokens read by the trained encoder, 1.38 × the time of control."
        in text
    )
    assert "paralign finetune --model runs/ppa-s7/encoder --task pos --seed 2" in page.text
    assert "queue = 32000" in text


def test_a_truncated_log_is_read_and_noted(tmp_path):
    run = add(tmp_path / "run", hits(0.5))
    describe(run, {"verb": "align", "status": "stopped"})
    lines = [
        {"step": 1, "loss": 2.0, "losses": {"tlm": 2.0}},
        {"event": "alarm", "step": 2, "message": "the loss is not finite"},
        {"step": 2, "loss": float("nan"), "losses": {"tlm": float("nan")}},
        {"step": 3, "loss": 9.0, "losses": {"tlm": 9.0}},
        {"event": "resume", "step": 3},
        {"step": 3, "loss": 1.25, "losses": {"tlm": 1.25}},
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 4, "lo')
    page, text = text_of(write_report([run], tmp_path / "r.html"))
    assert "The last line of run/log.jsonl is truncated" in text
    assert "run is not finished (status: stopped)." in text
    assert "run, step 2: the loss is not finite" in text
    labels = figure_labels(page)
    assert labels == ["tlm: run ends at 1.25"], "after a resume the later line stands"


def test_a_folder_without_run_json_is_noted(tmp_path):
    _, text = text_of(write_report([add(tmp_path / "run", hits(0.5))], tmp_path / "r.html"))
    assert "run has no run.json" in text


def test_importing_the_report_loads_neither_torch_nor_matplotlib():
    heavy = "{'torch', 'transformers', 'matplotlib'}"
    code = f"import sys, paralign.report; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_held_out_losses_are_curves_of_their_own_and_need_no_results(tmp_path):
    run = tmp_path / "run"
    describe(run, {"verb": "pretrain", "status": "done"})
    lines: list[dict[str, object]] = [{"step": k, "loss": 9.0 - k, "losses": {"mlm": 9.0 - k}} for k in range(1, 5)]
    lines.insert(2, {"event": "heldout", "step": 2, "losses": {"de": 6.5, "hi": 8.25}, "seconds": 1.0})
    lines.append({"event": "heldout", "step": 4, "losses": {"de": 5.5, "hi": 7.25}, "seconds": 1.0})
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page, text = text_of(write_report([run], tmp_path / "r.html"))
    assert "The runs have no scores yet" in text
    labels = figure_labels(page)
    # Still a run with one loss: its total would only repeat it.
    assert len(labels) == 3
    assert [("held out, de" in label, "5.5" in label) for label in labels].count((True, True)) == 1
    assert [("held out, hi" in label, "7.25" in label) for label in labels].count((True, True)) == 1


def test_the_layout_of_a_file_is_no_other_measure(tmp_path):
    for name, language, column in (("a", "de", None), ("b", "de", None), ("a", "fr", 2), ("b", "fr", 2)):
        settings = {"system": name, "task": {"scheme": "bio", "word_column": column, "tag_column": column}}
        add(tmp_path / name, hits(0.5), task="ner", metric="f1", language=language, settings=settings)
    page, _ = text_of(write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "r.html"))
    assert [title for title in page.tables if title.startswith("Named")] == ["Named entity recognition: F1"]


def two_bases(root, controls=("control", "control")):
    """PPA and a control from each of two bases, both bases called "base": hits of 400 by system."""
    runs = []
    for base, (level, control) in {"a": (160, controls[0]), "b": (240, controls[1])}.items():
        for system, right in (("base", level - 40), (control, level), ("ppa", level + 20)):
            if system is None:
                continue
            run = root / f"{base}-{system}"
            for seed in (0, 1):
                of_base = {"model_hash": f"h-{base}", "model": f"{base}/base", "seeds": Seeds(finetune=seed)}
                aligned = {"model_hash": f"{base}-{system}", "parent": f"h-{base}", "model": f"runs/{run.name}/encoder",
                           "seeds": Seeds(align=0, finetune=seed)}  # fmt: skip
                settings = {"system": system, "control": system == "control"}
                add(run, items_of(right + seed, 400), settings=settings, **(of_base if system == "base" else aligned))
            runs.append(run)
    return runs


def test_systems_with_one_name_and_other_bases_are_separate_rows_each_with_its_control(tmp_path):
    paths = write_report(two_bases(tmp_path), tmp_path / "r.html")
    page, text = text_of(paths)
    rows = {row[0]: row[1] for row in page.tables["Part-of-speech tagging: accuracy"][1:]}
    assert {name: cell.split(" ±")[0] for name, cell in rows.items()} == {
        "control (a-control)": "40.1", "control (b-control)": "60.1",
        "base (a/base)": "30.1", "ppa (a-ppa)": "45.1", "base (b/base)": "50.1", "ppa (b-ppa)": "65.1",
    }  # fmt: skip
    assert all("+5.0* [" in cell for name, cell in rows.items() if name.startswith("ppa"))
    assert all("−10.0* [" in cell for name, cell in rows.items() if name.startswith("base"))
    assert "ppa (b-ppa), the highest of 4 systems besides the controls, reaches 65.1 %" in text
    assert "5.0 points above the control (control (b-control); 95 %" in text
    assert "n = 4" not in text
    with paths.csv.open(encoding="utf-8", newline="") as file:
        found = {row["system"]: (row["n_seeds"], row["compared_with"]) for row in csv.DictReader(file)}
    assert found["ppa (a-ppa)"] == ("2", "control (a-control)")
    assert found["control (a-control)"] == ("2", "")


def test_a_system_whose_base_has_no_control_is_compared_with_none_of_several(tmp_path):
    runs = two_bases(tmp_path)
    other = {"model_hash": "c-ppa", "parent": "h-c", "settings": {"system": "ppa"}, "model": "runs/c-ppa/encoder"}
    runs.append(add(tmp_path / "c-ppa", items_of(380, 400), **other))
    page, text = text_of(write_report(runs, tmp_path / "r.html"))
    rows = {row[0]: row[1] for row in page.tables["Part-of-speech tagging: accuracy"][1:]}
    assert rows["ppa (c-ppa)"] == "95.0"
    assert "reaches 95.0 % on de; no single control has the same base and settings." in text


def test_encoders_from_scratch_are_compared_with_the_control_of_the_same_origin(tmp_path):
    """The control of a grid is pretrained on each derived language: there is no parent."""
    runs = []
    for origin, level in (("trans", 160), ("inv", 240)):
        for system, right in (("MLM", level), ("ALIGN", level + 40)):
            settings = {"system": system, "control": system == "MLM", "lineage": f"{origin}-{system}"}
            for seed in (0, 1):
                run = tmp_path / f"{origin}-{system}-{seed}"
                recorded = {"origin": origin} if origin == "trans" else {}  # the other is older
                fields = {"model": f"runs/{run.name}/encoder", "seeds": Seeds(pretrain=seed)}
                runs.append(add(run, items_of(right + seed, 400), settings=settings | recorded, **fields))
    page, text = text_of(write_report(runs, tmp_path / "r.html"))
    rows = {row[0]: row[1].split("*")[0] for row in page.tables["Part-of-speech tagging: accuracy"][1:]}
    assert rows == {
        "MLM (trans-MLM) (control)": "40.1 ± 0.2",
        "MLM (inv-MLM) (control)": "60.1 ± 0.2",
        "ALIGN (trans-ALIGN)": "50.1 ± 0.2 +10.0",
        "ALIGN (inv-ALIGN)": "70.1 ± 0.2",
    }
    assert "Not compared, because no single control has the same base and settings: ALIGN (inv-ALIGN)." in text


@pytest.mark.parametrize(
    ("ways", "names"),
    [
        ([{"training": {"epochs": epochs}} for epochs in (3, 9)], ["ppa (epochs 3)", "ppa (epochs 9)"]),
        (
            [{"training": {"sets": ["a"]}, "training_data": {"train": content}} for content in ("1a", "2b")],
            ["ppa (train data 1a)", "ppa (train data 2b)"],
        ),
    ],
)
def test_a_system_is_compared_with_the_control_fine_tuned_with_its_settings_and_data(tmp_path, ways, names):
    runs = []
    for way, level in zip(ways, (160, 240), strict=True):
        for system, right in (("control", level), ("ppa", level + 20)):
            settings = {"system": system, "control": system == "control", **way}
            run = tmp_path / f"{system}-{level}"
            fields = {"model_hash": system, "parent": "base", "settings": settings}
            for seed in (0, 1):
                add(run, items_of(right + seed, 400), seeds=Seeds(align=0, finetune=seed), **fields)
            runs.append(run)
    page, _ = text_of(write_report(runs, tmp_path / "r.html"))
    rows = {row[0]: row[1].split("*")[0] for row in page.tables["Part-of-speech tagging: accuracy"][1:]}
    assert [rows[name] for name in names] == ["45.1 ± 0.2 +5.0", "65.1 ± 0.2 +5.0"]


@pytest.mark.parametrize(
    ("of_control", "of_system", "notes"),
    [
        ({"parent": "x"}, {"parent": "x"}, []),
        ({"parent": "x"}, {"parent": "y"}, ["ppa: another base than control."]),
        ({"parent": "ppa"}, {"parent": "y"}, []),  # the system is the base of the control
        ({"parent": "x"}, {"parent": "control"}, []),  # trained from the control
        ({"parent": "x"}, {}, []),  # not recorded
        ({"parent": "x", "origin": "o"}, {"parent": "y", "origin": "o"}, []),  # seeds of one base
        ({"training": {"epochs": 3}}, {"training": {"epochs": 3}}, []),
        ({"training": {"epochs": 3}}, {}, []),
        ({"training": {"sets": ["a"]}, "training_data": {"train": "1a"}}, {"training": {"sets": ["a"]}}, []),
        (
            {"training": {"sets": ["a"]}, "training_data": {"train": "1a"}},
            {"training": {"sets": ["a"]}, "training_data": {"train": "2b"}},
            ["ppa: fine-tuned with train data 2b, but control with train data 1a."],
        ),
        (
            {"training": {"sets": ["a"]}, "training_data": {"train": "1a"}},
            {"training": {"sets": ["b"]}, "training_data": {"train": "2b"}},
            ["ppa: fine-tuned with sets b, but control with sets a."],
        ),
        (
            {"training": {"epochs": 3, "sets": ["small"]}},
            {"training": {"sets": ["large", "more"], "learning_rate": 1e-4}},
            [
                "ppa: fine-tuned with default epochs, learning_rate 0.0001 and sets large+more,"
                " but control with epochs 3, default learning_rate and sets small."
            ],
        ),
    ],
)
def test_a_base_or_fine_tuning_that_is_not_the_controls_is_noted(tmp_path, of_control, of_system, notes):
    for system, facts in (("control", of_control), ("ppa", of_system)):
        settings = {"system": system, "control": system == "control", "lineage": f"made as {system}"}
        recorded = {name: value for name, value in facts.items() if name != "parent"}
        fields = {"model_hash": system, "parent": facts.get("parent"), "settings": settings | recorded}
        add(tmp_path / system, items_of(200, 400), **fields)
    text = text_of(write_report(tmp_path, tmp_path / "r.html"))[1]
    assert re.findall(r"ppa: (?:another|fine-tuned) .*?\.(?!\d)", text) == notes


def test_a_control_named_for_several_systems_is_each_of_them(tmp_path):
    runs = two_bases(tmp_path)
    page, _ = text_of(write_report(runs, tmp_path / "r.html", control="control"))
    assert [row[0] for row in page.tables["Part-of-speech tagging: accuracy"]][1:3] == [
        "control (a-control)",
        "control (b-control)",
    ]
    page, _ = text_of(write_report(runs, tmp_path / "s.html", control="control (a-control)"))
    rows = {row[0]: row[1] for row in page.tables["Part-of-speech tagging: accuracy"][1:]}
    assert "+25.0* [" in rows["ppa (b-ppa)"]


def test_an_alignment_run_has_the_name_of_its_encoder(tmp_path):
    runs = two_bases(tmp_path)
    for base in ("a", "b"):
        aligned = tmp_path / f"{base}-aligned"
        describe(aligned, {"verb": "align", "method": "ppa", "model_hash": f"{base}-ppa", "pairs_seen": 10, "steps": 2})
        (aligned / "log.jsonl").write_text('{"step": 1, "loss": 3.0, "losses": {"tlm": 3.0}}\n')
        runs.append(aligned)
    page, _ = text_of(write_report(runs, tmp_path / "r.html"))
    labels = figure_labels(page)
    assert labels == ["tlm: ppa (a-ppa) ends at 3; ppa (b-ppa) ends at 3"]


def test_alignments_that_were_not_measured_are_told_apart_too(tmp_path):
    runs = []
    for name, parent, seed in (("a-s0", "a", 0), ("a-s1", "a", 1), ("b", "b", 0)):
        info = {"verb": "align", "method": "ppa", "model_hash": f"h-{name}", "parent": parent, "pairs_seen": 10}
        run = tmp_path / name
        describe(run, info)
        (run / "config.toml").write_text(f'model = "bases/{parent}/encoder"\n[training]\nseed = {seed}\n')
        (run / "log.jsonl").write_text('{"step": 1, "loss": 3.0, "losses": {"tlm": 3.0}}\n')
        runs.append(run)
    page, _ = text_of(write_report(runs, tmp_path / "r.html"))
    labels = figure_labels(page)
    assert labels == ["tlm: ppa (from a) ends at 3, 3; ppa (from b) ends at 3"]
    (runs[0] / "config.toml").write_text("not TOML")
    write_report(runs, tmp_path / "r.html")


def test_runs_without_known_seeds_are_no_seeds(tmp_path):
    runs = [add(tmp_path / name, hits(0.5, seed=s), settings={"system": "ppa"}, model=f"runs/{name}/encoder")
            for s, name in enumerate("xy")]  # fmt: skip
    page, text = text_of(write_report(runs, tmp_path / "r.html"))
    assert [row[0] for row in page.tables["Part-of-speech tagging: accuracy"]] == ["system", "ppa (x)", "ppa (y)"]
    assert "n = 2" not in text
