"""Questions: rows and windows, no lost characters, scores, twins."""

import json
import runpy
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import paralign
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.items import Question
from paralign.metrics.mlqa import mlqa_exact
from paralign.sources.readers import read_questions
from paralign.tasks import find_task
from paralign.tasks.question_answering import Answer, AnswerConfig, QuestionAnswering
from paralign.tasks.span_head import SpanHead
from paralign.training import TrainingConfig
from tests.oracles import all_spans
from tests.tasks.datasets import dataset
from tests.tasks.questions import (
    HAND,
    SENTENCES,
    Knowing,
    by_character,
    question,
    scored,
    squad,
    world_question,
)

# -- what is read


def test_the_gold_answers_are_those_of_each_question():
    items = dataset([question("Rome is old.", "Rome"), question("Rome is old.", "")])
    assert list(QuestionAnswering().gold_of(items)) == [("Rome",), ()]


@pytest.mark.parametrize(
    ("tags", "language", "direction"),
    [("en", "en", None), ("zh-CN", "zh", None), ("pt-BR", "pt", None), ("th-Thai", "th", None), ("sr-Latn", "sr", None),
     ("eng-x-inv", "en-x-inv", None), ("zh-cn", "zh", None), ("de-en", "de", "en-de"), ("DE-EN", "de", "en-de"),
     ("zh-CN:en", "zh", "en-zh"), ("ar:zh-TW", "ar", "zh-ar"), ("German-English", "de", "en-de")],
)  # fmt: skip
def test_languages_of_context_and_question(tags, language, direction, tmp_path):
    items = [question("Ann sings .", "Ann", name=str(k)) for k in range(3)]
    data = find_task("qa").read(f"{tags}={squad(tmp_path, items)}", lenient=False, dropped=Counter(), limit=2)
    assert (data.language, data.direction, list(data)) == (language, direction, items[:2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("de-de=x", "same"),
        ("xx=x", "unknown language 'xx'"),
        ("en=", "path"),
        ("en~trans-en=x", r"en~trans and en do not share their pieces \(derive both languages by trans, or neither\)"),
        ("en-en~trans+inv=x", r"en and en~trans\+inv do not share their pieces"),
    ],
)
def test_specs_that_cannot_be_read(spec, message):
    with pytest.raises(UserError, match=message):
        find_task("qa").read(spec, lenient=False, dropped=Counter(), limit=None)


def test_questions_without_answers_can_be_answered(tmp_path, encoder):
    path = squad(tmp_path, [replace(question("Ann sings .", ""), id="only")])
    task = QuestionAnswering()
    data = task.read(f"en={path}", lenient=False, dropped=Counter(), limit=None, labeled=False)
    ((item, answer),) = task.answers(encoder, SpanHead(encoder), data)
    assert answer.text
    assert answer.text in item.context
    assert not task.cut


# -- rows


def test_a_row_is_question_and_context_as_the_tokenizer_dresses_them(encoder):
    items = [world_question(tag, k, 2) for tag in ("en", "de", "zh") for k in range(15)]
    for index, row in enumerate(QuestionAnswering().examples(encoder, items, None)):
        item = items[index]
        encoded = encoder.tokenizer(item.question, item.context, return_offsets_mapping=True)
        prefix, middle, suffix = encoder.template.pair
        assert [*prefix, *row.pieces[0], *middle, *row.pieces[1], *suffix] == encoded["input_ids"]
        context = [place for place, part in enumerate(encoded.sequence_ids()) if part == 1]
        assert row.targets.tolist() == [context[0], context[-1]]
        start, end = item.starts[0], item.starts[0] + len(item.answers[0])
        first, last = (encoded.char_to_token(0, at, sequence_index=1) for at in (start, end - 1))
        assert row.labels.tolist() == [first, last]
        assert row.item == index


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 400), st.integers(1, 30), st.integers(16, 200), st.integers(1, 150), st.integers(1, 60), st.data()
)
def test_windows_contain_every_piece_and_every_short_span(encoder, pieces, asked, longest, stride, answer, data):
    word = "a"
    config = AnswerConfig(max_pieces=longest, stride=stride, max_question=20, max_answer=answer)
    task = QuestionAnswering(config)
    at = data.draw(st.integers(0, max(0, pieces - 1)))
    long = data.draw(st.integers(1, min(answer, max(1, pieces - at))))
    context = " ".join([word] * pieces) or "\u200d"
    gold = " ".join([word] * long) if pieces else ""
    item = question(context, gold, asked=" ".join([word] * asked), start=2 * at)
    rows = task.examples(encoder, [item], None)
    limit = min(longest, encoder.max_pieces)
    space = limit - 3
    kept = min(asked, 20, space // 2)
    shown = []
    for row in rows:
        assert len(row.pieces[0]) == kept
        assert len(row) + 3 <= limit
        first, last = row.targets
        assert first == 2 + kept
        assert last - first + 1 == len(row.pieces[1]) == len(row.note)
        shown.append([int(offset) // 2 for offset in row.note[:, 0]])
        inside = {at, at + long - 1} <= set(shown[-1]) and pieces
        assert row.labels.tolist() == (
            [first + at - shown[-1][0], first + at + long - 1 - shown[-1][0]] if inside else [0, 0]
        )
    assert sorted({place for window in shown for place in window}) == list(range(pieces))
    room = space - kept
    if answer <= room // 2:
        assert any({at, at + long - 1} <= set(window) for window in shown) or not pieces
    if stride <= room - answer + 1:  # windows long enough: BERT's own
        wanted = all_spans.document_spans(pieces, room, stride)
        assert [(window[0], window[-1] + 1) for window in shown if window] == [span for span in wanted if pieces]
    assert (task.cut[f"questions cut to {kept} pieces"] == 1) == (asked > kept)


def test_answers_that_cannot_be_labeled_are_counted(encoder):
    task = QuestionAnswering(AnswerConfig(max_pieces=24))
    words = " ".join(SENTENCES["en"][:6])
    rows = task.examples(encoder, [question(words, words), question("Ann \u200d sings", "\u200d")], None)
    assert all(row.labels.tolist() == [0, 0] for row in rows)
    assert task.cut == {"answers longer than a window": 1, "answers without pieces": 1}


# -- no lost characters


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "metaspace", "uncased"])
def test_the_answer_is_exact_to_the_character(kind):
    """Also where the tokenizer leaves out marks and joiners, and where a context takes many windows."""
    encoder = Encoder.from_scratch("bert:1x32", by_character(kind), max_length=140, dropout=0.0).eval()
    head = Knowing(encoder)
    task = QuestionAnswering(AnswerConfig(max_pieces=100, max_answer=48))
    for language, rows in HAND.items():
        items = [
            question(text, answer, name=f"{k}-{n}", asked=text[:3])
            for k, (text, answers) in enumerate(rows)
            for n, answer in enumerate(answers)
        ]
        for item, answer in task.answers(encoder, head, dataset(items, language)):
            assert answer.text == item.answers[0]
            assert answer.start == item.starts[0]
        for normalize in ("squad", "mlqa"):
            found = scored(encoder, head, items, language, normalize=normalize, max_pieces=100, max_answer=48)
            end = "_mlqa" if normalize == "mlqa" else ""
            assert found == {f"f1{end}": 1.0, f"exact_match{end}": 1.0}


@pytest.mark.parametrize("language", ["en", "de", "zh"])
@pytest.mark.parametrize("longest", [384, 40])
def test_a_head_that_knows_scores_all_of_the_small_world(language, longest, encoder):
    items = [world_question(language, k, 1 + k % 9) for k in range(40)]
    found = scored(encoder, Knowing(encoder), items, language, max_pieces=longest, normalize="mlqa")
    assert found == {"f1_mlqa": 1.0, "exact_match_mlqa": 1.0}


@pytest.mark.parametrize("tags", ["en", "de", "es", "fr", "hi", "zh", "zh-en", "hi-de"])
def test_the_questions_of_the_small_world_can_all_be_answered(tags, encoder):
    task = QuestionAnswering(AnswerConfig(normalize="mlqa"))
    data = task.read(f"{tags}=smallworld:0-40", lenient=False, dropped=Counter(), limit=None)
    scores = task.evaluate(encoder, Knowing(encoder), data)
    assert {score.metric: score.value for score in scores} == {"f1_mlqa": 1.0, "exact_match_mlqa": 1.0}
    assert not task.cut


@pytest.mark.parametrize("answer", [" Ann", "  Ann", "Ann ", " Ann sang \n"])
def test_spaces_around_a_gold_answer_are_not_learnt(answer):
    """The space before a word belongs to the word's piece."""
    encoder = Encoder.from_scratch("bert:1x32", by_character("bpe"), max_length=140, dropout=0.0)
    context = "then  Ann sang \n twice"
    (row,) = QuestionAnswering().examples(encoder, [question(context, answer)], None)
    first, last = row.labels - row.targets[0]
    assert context[row.note[first][0] : row.note[last][1]].strip() == answer.strip()
    assert all(context[slice(*row.note[k])].strip() for k in (first, last))


# -- scores


def test_scores_are_squads_or_mlqas():
    item = Question("q", "wo?", "In dem Haus.", ("Haus",), (7,))
    there = Answer("Dem „Haus“", 3, 0.0)
    squad_task, mlqa_task = QuestionAnswering(), QuestionAnswering(AnswerConfig(normalize="mlqa"))
    assert squad_task.score_item(item, there, "de") == {"f1": (0.0, 1.0), "exact_match": (0.0, 1.0)}
    assert mlqa_task.score_item(item, there, "de") == {"f1_mlqa": (1.0, 1.0), "exact_match_mlqa": (1.0, 1.0)}
    assert mlqa_task.score_item(item, there, "en")["exact_match_mlqa"] == (
        0.0,
        1.0,
    )  # the context's language has the articles
    assert next(iter(squad_task.score_item(item, there, "de"))) == "f1"


def test_the_direction_of_generalized_transfer_is_recorded(encoder, tmp_path):
    path = squad(tmp_path, [question("Anna singt .", "Anna")])
    task = QuestionAnswering()
    data = task.read(f"de-en={path}", lenient=False, dropped=Counter(), limit=None)
    assert {s.where.direction for s in task.evaluate(encoder, Knowing(encoder), data)} == {"en-de"}


def test_the_baseline_is_the_sentence_most_like_the_question():
    context = "Bob ran. Ann saw the red house in 3.5 hours. Who is she?"
    items = [
        question(context, "Ann", asked="Who saw a red house?"),
        question("甲在北京。乙在上海！", "乙", asked="谁在上海？"),
        question("One. Two.", "One", asked="xyz"),
    ]
    guess = QuestionAnswering().baseline_answers(dataset(items, "zh"))["sentence"]
    assert [guess(item).text for item in items] == ["Ann saw the red house in 3.5 hours.", "乙在上海！", "One."]
    baselines = QuestionAnswering().baselines(dataset([items[0], items[2]]))
    assert baselines["sentence"]["exact_match"] == 0.5
    # Without "the": ann saw red house in 35 hours, of which one word is right.
    assert baselines["sentence"]["f1"] == pytest.approx((2 * (1 / 7) / (1 + 1 / 7) + 1) / 2)


def test_predictions_are_what_the_official_scorer_reads(tmp_path, encoder):
    items = [world_question("zh", k, 2, name=f'id "{k}"') for k in range(3)]
    task = QuestionAnswering(AnswerConfig(n_best=4))
    head = SpanHead(encoder)
    answered = list(task.answers(encoder, head, dataset(items, "zh")))
    path, beside = task.write(tmp_path / "p.v1.json", iter(answered))
    assert (path, beside) == (tmp_path / "p.v1.json", tmp_path / "p.v1.nbest.json")
    assert json.loads(path.read_text(encoding="utf-8")) == {item.id: answer.text for item, answer in answered}
    best = json.loads(beside.read_text(encoding="utf-8"))
    for item, answer in answered:
        assert [one["text"] for one in best[item.id]] == [one.text for one in answer.n_best]
        assert best[item.id][0]["text"] == answer.text
        assert sum(one["probability"] for one in best[item.id]) == pytest.approx(1)
    task.write(tmp_path / "none.json", [])
    assert json.loads((tmp_path / "none.json").read_text()) == {}
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "none.json", "none.nbest.json", "p.v1.json", "p.v1.nbest.json"]  # fmt: skip


# -- code-switching


def test_the_answers_of_twins_follow_the_context():
    own = Question("7", "Wer singt?", "Dort singt Anna.", ("Anna",), (11,))
    other = Question("7", "Who sings?", "Ann sings.", ("Ann",), (0,))
    assert QuestionAnswering().code_switch(own, other) == (
        Question("7", "Wer singt?", "Ann sings.", ("Ann",), (0,)),
        Question("7", "Who sings?", "Dort singt Anna.", ("Anna",), (11,)),
    )


def test_all_windows_of_both_twins_are_in_one_batch(encoder):
    def made(language):
        return [world_question(language, k, 1 + 2 * (k % 4)) for k in range(24)]

    config = AnswerConfig(max_pieces=60, max_answer=10)
    task = QuestionAnswering(config)
    english, german = made("en"), made("de")
    batches = task.batches(
        encoder, [dataset(german, "de")], TrainingConfig(batch=20, seed=1), switch_with=dataset(english)
    )

    def alone(q, c):
        rows = QuestionAnswering(config).examples(encoder, [replace(c, question=q.question)], None)
        return [(*row.pieces[0].tolist(), -1, *row.pieces[1].tolist()) for row in rows]

    twins = [alone(g, e) + alone(e, g) for g, e in zip(german, english, strict=True)]
    assert max(map(len, twins)) > 4
    originals = {row for q in (*german, *english) for row in alone(q, q)}
    seen = Counter()
    for step in range(batches.steps_per_epoch):
        batch = batches.batch(step)
        view = batch.view("example")
        rows = [tuple(row.tolist()) for row in np.split(view.ids, view.starts[1:])]
        wanted = [row for k in batch.ids for row in twins[k]]
        prefix, middle, suffix = (len(part) for part in encoder.template.pair)
        found = []
        for row, first in zip(rows, view.masked[::2] - view.starts, strict=True):
            found.append((*row[prefix : first - middle], -1, *row[first : len(row) - suffix]))
        assert found == wanted
        assert not originals & set(found)
        seen.update(batch.ids.tolist())
    assert seen == Counter(range(24))


# -- learning


def test_the_example_trains_scores_and_writes(base, tmp_path):
    module = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "question_answering.py"))
    specs = []
    for language in ("en", "de"):
        path = squad(tmp_path, [world_question(language, k, 2) for k in range(24)])
        specs.append(f"{language}={path.rename(tmp_path / f'{language}.json')}")
    german = f"de-en={tmp_path / 'de.json'}"  # questions are German here: the direction is what is recorded
    settings = ["training.epochs=1", "task.normalize=mlqa", "task.n_best=3"]
    written = module["main"](str(base), tmp_path / "out", specs[0], [*specs, german], settings)
    assert [path.name for path in written] == [
        f"predictions-{k}.{kind}" for k in range(3) for kind in ("json", "nbest.json")
    ]
    rows = [json.loads(line) for line in (tmp_path / "out" / "run" / "results.jsonl").open()]
    assert {(row["language"], row["metric"], row["where"]["direction"]) for row in rows} == {
        (language, metric, direction)
        for language, direction in (("en", None), ("de", None), ("de", "en-de"))
        for metric in ("f1_mlqa", "exact_match_mlqa")
    }
    for row, file in zip(rows[1::2], written[::2], strict=True):  # what is written has the score that is recorded
        texts = json.loads(file.read_text(encoding="utf-8"))
        golds = {q.id: q.answers for q in read_questions(tmp_path / f"{row['language']}.json",
                 languages=(row["language"],) * 2)}  # fmt: skip
        right = [mlqa_exact(text, golds[name], row["language"])[0] for name, text in texts.items()]
        assert (row["metric"], row["value"], row["n"]) == ("exact_match_mlqa", pytest.approx(np.mean(right)), 24)


@pytest.mark.parametrize(
    ("path", "normalize", "suffix"),
    [
        ("MLQA_V1/test/test-context-de-question-de.json", "auto", "_mlqa"),
        ("mlqa.json", "auto", "_mlqa"),
        ("data/test-context-de-question-en.json", "auto", "_mlqa"),
        ("xquad.de.json", "auto", ""),
        ("mlqa/a/b/c/xquad.de.json", "auto", ""),
        ("MLQA_V1/test/test-context-de-question-de.json", "squad", ""),
        ("xquad.de.json", "mlqa", "_mlqa"),
    ],
)
def test_files_of_mlqa_are_scored_as_by_mlqa(path, normalize, suffix, encoder, tmp_path):
    file = tmp_path / "x" / "y" / path
    file.parent.mkdir(parents=True)
    squad(tmp_path, [world_question("de", k, 2) for k in range(3)]).rename(file)
    task = QuestionAnswering(AnswerConfig(normalize=normalize))
    data = task.read(f"de={file}", lenient=False, dropped=Counter(), limit=None)
    assert [score.metric for score in task.evaluate(encoder, Knowing(encoder), data)] == [
        f"f1{suffix}", f"exact_match{suffix}",
    ]  # fmt: skip
    assert {metric for scores in task.baselines(data).values() for metric in scores} == {
        f"f1{suffix}", f"exact_match{suffix}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "normalize", "warned"),
    [("zh=xquad.json", "auto", True), ("zh-TW=x.json", "squad", True), ("ja=x.json", "auto", True),
     ("zh=mlqa.json", "auto", False), ("zh=xquad.json", "mlqa", False), ("de=xquad.json", "auto", False)],
)  # fmt: skip
def test_scores_of_chinese_by_squads_rules_are_warned_about(name, normalize, warned):
    from types import SimpleNamespace

    data = SimpleNamespace(name=name, language=name.partition("=")[0])
    warnings = QuestionAnswering(AnswerConfig(normalize=normalize)).warnings(data)
    assert ["task.normalize=mlqa" in text for text in warnings] == [True] * warned


def test_the_warning_reaches_the_run(base, tmp_path):
    path = squad(tmp_path, [world_question("zh", k, 2) for k in range(4)])
    paralign.finetune(str(base), task="qa", train="en=smallworld:0-16", eval=[f"zh={path}"], out=tmp_path / "run",
                      overrides=["training.steps=1", "training.batch=4"], quiet=True)  # fmt: skip
    alarms = json.loads((tmp_path / "run" / "run.json").read_text())["alarms"]
    assert [text for text in alarms if "SQuAD's scorer counts an answer in zh as one word" in text]
