"""``analyze links``: facts about links and their comparison by hand, and the figure."""

import io
import json
import re
import shutil

import pytest

import paralign
from paralign.commands.analyze_links import unlinked_words
from paralign.errors import UserError
from paralign.report import write_report
from paralign.results import read_results

TEXT = "the old house .\tdas alte Haus .\nI see <b>it</b> .\tich sehe es .\n\t\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "text.tsv").write_text(TEXT)
    (tmp_path / "first").write_text("0-0 1-1 2-2\n0-0 1-1\n\n")
    (tmp_path / "second").write_text("0-0 1-2 2-2 3-3\n0-0\n\n")
    (tmp_path / "gold").write_text("0-0 1-1 2-2 3-3\n0-0 1-1 2p2\n\n")
    return tmp_path


def analyze(files, *names, **more):
    given = {"pairs": f"en-de={files}/text.tsv", "out": files / "run", "tokenized": True, "quiet": True}
    return paralign.analyze_links([f"{name}={files}/{name}" for name in names], **(given | more))


def test_unlinked_words_by_hand():
    # Source words 3 + 2, of which 0, 2 and 0 have a link; target words 2 + 1, of which 0, 1 and 0.
    assert unlinked_words([{(0, 0), (2, 1)}, {(0, 0)}], [(3, 2), (2, 1)]) == pytest.approx((2 / 5, 0))
    assert unlinked_words([set()], [(0, 0)]) == (0, 0)


def test_scores_and_agreement_by_hand(files):
    rows = analyze(files, "first", "second", gold=files / "gold")
    values = {(row.settings["system"], row.metric): row.value for row in rows}
    # Sure links: 6. first: 5 links, all sure. second: 5 links, 0-0, 2-2, 3-3 and 0-0 are sure, 1-2 is wrong.
    assert values["first", "precision"] == 1
    assert values["first", "recall"] == pytest.approx(5 / 6)
    assert values["first", "aer"] == pytest.approx(1 - (5 + 5) / (5 + 6))
    assert values["second", "precision"] == pytest.approx(4 / 5)
    assert values["second", "aer"] == pytest.approx(1 - (4 + 4) / (5 + 6))
    assert len({row.model_hash for row in rows}) == 2
    figure = json.loads((files / "run/figures/links.json").read_text())
    first, second = figure["systems"]
    assert (first["links"], first["pairs"], first["agreement"]) == (5, 3, None)
    assert second["agreement"] == pytest.approx(3 / 5)  # 0-0, 2-2 and 0-0 of 5 and 5 links
    assert second["unlinked"] == pytest.approx([3 / 8, 4 / 8])


def test_equal_links_of_two_aligners_have_rows_of_their_own(files):
    (files / "copy").write_bytes((files / "first").read_bytes())
    rows = analyze(files, "first", "copy", gold=files / "gold")
    written = [(row.settings["system"], row.metric) for row in read_results(files / "run")]
    assert written == [(row.settings["system"], row.metric) for row in rows]
    assert {system for system, _ in written} == {"first", "copy"}


def test_links_from_standard_input(files, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((files / "first").read_bytes())))
    rows = paralign.analyze_links(["first=-"], pairs=f"en-de={files}/text.tsv", out=files / "piped",
                                  gold=files / "gold", tokenized=True, quiet=True)  # fmt: skip
    same = analyze(files, "first", gold=files / "gold")
    assert [(row.metric, row.value, row.model_hash) for row in rows] == [
        (row.metric, row.value, row.model_hash) for row in same
    ]


def flipped_and_one_based(path):
    """Gold links with the target word first, both words counted from 1."""
    lines = []
    for line in path.read_text().splitlines():
        links = [(link, "p" if "p" in link else "-") for link in line.split()]
        numbers = [(*map(int, link.split(sign)), sign) for link, sign in links]
        lines.append(" ".join(f"{j + 1}{sign}{i + 1}" for i, j, sign in numbers))
    return "".join(f"{line}\n" for line in lines)


def test_links_and_gold_links_may_count_from_1_and_name_the_target_first(files):
    before = analyze(files, "first", gold=files / "gold")
    (files / "gold.other").write_text(flipped_and_one_based(files / "gold"))
    rows = analyze(files, "first", gold=files / "gold.other", one_based=True, flipped=True, out=files / "other")
    assert [row.value for row in rows] == [row.value for row in before]
    links = [line.split() for line in (files / "first").read_text().splitlines()]
    shifted = (" ".join("-".join(str(int(word) + 1) for word in link.split("-")) for link in line) for line in links)
    (files / "first").write_text("".join(f"{line}\n" for line in shifted))
    rows = analyze(files, "first", gold=files / "gold", links_one_based=True, out=files / "third")
    assert [row.value for row in rows] == [row.value for row in before]


def test_tokens_that_are_not_our_words_are_reported(files, capsys):
    for tokenized in (False, True):
        capsys.readouterr()
        analyze(files, "first", tokenized=tokenized, quiet=False)
        assert ("looks tokenized, but in 1 of 3 pairs" in capsys.readouterr().err) != tokenized  # <b>it</b>
        shutil.rmtree(files / "run")


def test_a_second_run_replaces_the_scores_of_the_first_if_its_settings_are_the_same(files):
    before = analyze(files, "first", gold=files / "gold")
    (files / "first").write_text((files / "second").read_text())
    after = analyze(files, "first", gold=files / "gold")
    assert [row.value for row in after] != [row.value for row in before]
    assert [row.value for row in read_results(files / "run")] == [row.value for row in after]
    with pytest.raises(UserError, match=r"other settings: gold was .*another --out"):
        analyze(files, "first")
    assert [row.value for row in read_results(files / "run")] == [row.value for row in after]


def test_the_figure_distinguishes_links_and_trusts_no_word(files):
    analyze(files, "first", "second", gold=files / "gold", sentences=[1, 2])
    page = write_report([files / "run"], files / "page.html").html.read_text()
    plots = re.findall(r'<svg viewBox="[^"]*" class="linked".*?</svg>', page, re.DOTALL)
    assert len(plots) == 4
    kinds = []
    for plot in plots:
        lines = re.sub(r"<g>.*", "", plot)  # without the copies for hovering
        kinds.append([lines.count(f'stroke="{color}"') for color in ("#0072b2", "#d55e00", "#999999")])
    # Shared with the gold links, not in them, and sure links that are missing.
    assert kinds == [[3, 0, 1], [3, 1, 1], [2, 0, 0], [1, 0, 1]]
    assert "<b>it" not in page
    assert "&lt;b&gt;it&lt;/b&gt;" in plots[2]


def test_the_terminal_names_the_aligner_of_each_score(files, capsys):
    rows = analyze(files, "first", "second", gold=files / "gold", quiet=False)
    said = capsys.readouterr().err
    for name, own in (("first", rows[:3]), ("second", rows[3:])):
        scores = ", ".join(f"{row.metric} {100 * row.value:.1f}" for row in own)
        assert re.search(rf"^{name}: .* links in 3 pairs.*, {scores}$", said, re.MULTILINE)


def test_without_gold_links_the_first_aligner_is_the_reference(files):
    assert analyze(files, "first", "second", show=1) == []
    page = write_report([files / "run"], files / "page.html").html.read_text()
    assert "also in first" in page
    assert "F1 with first" in page


def test_words_of_links_and_of_gold_links_are_numbered_on_their_own(files):
    (files / "one").write_text("1-1 2-2 4-4\n1-1 2-2\n\n")
    with pytest.raises(UserError, match=r"numbered from 1 \(use --links-one-based\)"):
        analyze(files, "one", gold=files / "gold")
    rows = analyze(files, "one", gold=files / "gold", links_one_based=True)
    assert {row.metric: row.value for row in rows}["precision"] == 1


def test_a_limit_compares_the_first_pairs(files):
    rows = analyze(files, "first", "second", gold=files / "gold", limit=1)
    values = {(row.settings["system"], row.metric): row.value for row in rows}
    assert values["first", "recall"] == pytest.approx(3 / 4)
    assert values["second", "precision"] == pytest.approx(3 / 4)
    assert {row.n for row in rows} == {1}
    (files / "limited").write_text((files / "first").read_text().split("\n")[0] + "\n")  # as words --limit 1 writes it
    limited = analyze(files, "limited", gold=files / "gold", limit=1, out=files / "limited-run")
    assert [row.value for row in limited if row.metric == "recall"] == [pytest.approx(3 / 4)]
    with pytest.raises(UserError, match=r"there is no pair 2 .*use 1 to 1"):
        analyze(files, "first", out=files / "other", limit=1, sentences=[2])


def test_links_that_are_dropped_are_counted(files, capsys):
    (files / "first").write_bytes(b"0-0 1-1 9-9\n\xff\n\n")
    analyze(files, "first", lenient=True, quiet=False)
    said = capsys.readouterr().err
    assert "first: links dropped: 1 invalid UTF-8, 1 beyond the sentence\n" in said
    assert "first: 2 links in 3 pairs" in said


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        ((), {}, "no links are given"),
        (("first", "first"), {}, "two files of links are called 'first'"),
        (("short",), {}, "short: 1 lines of links for 3 sentence pairs"),
        (("beyond",), {}, "beyond: pair 1: the link 9-0"),
        (("first",), {"sentences": [4]}, "there is no pair 4"),
        (("first",), {"gold": "smallworld"}, "only for pairs of the small world"),
    ],
)
def test_mistakes_leave_nothing_behind(files, names, more, message):
    (files / "short").write_text("0-0\n")
    (files / "beyond").write_text("9-0\n\n\n")
    with pytest.raises(UserError, match=message):
        analyze(files, *names, **more)
    assert not (files / "run").exists()
