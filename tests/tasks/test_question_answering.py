"""Questions: windows, spans, no lost characters, scores."""

import itertools
import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from paralign.encoder import Encoder, train_tokenizer
from paralign.errors import UserError
from paralign.objectives import Step
from paralign.smallworld import World
from paralign.tasks import find_task
from paralign.tasks.dataset import Dataset
from paralign.tasks.examples import example_view
from paralign.tasks.question_answering import Answer, AnswerConfig, Candidate, QuestionAnswering
from paralign.tasks.span_head import SpanHead, ranked_spans
from paralign.text.squad import Question
from paralign.training import Learner, Trainer, TrainingConfig
from tests.oracles import all_spans

SENTENCES = {tag: [World(0).sentence(k, tag).text for k in range(90)] for tag in ("en", "de", "zh", "hi")}
GAP = {"zh": ""}


def question(context, answer, *, asked="who ?", name="q", start=None) -> Question:
    starts = (context.index(answer) if start is None else start,) if answer else ()
    return Question(name, asked, context, (answer,) if answer else (), starts)


def dataset(items, language="en") -> Dataset:
    return Dataset(f"{language}=made", language, lambda dropped: iter(items), limit=None, dropped=Counter())


def world_question(language: str, index: int, sentences: int, *, name: str | None = None) -> Question:
    """Some words of a sentence of a paragraph, asked for by the words before."""
    made = [World(0).sentence(index * 17 + k, language) for k in range(sentences)]
    gap = GAP.get(language, " ")
    context = gap.join(s.text for s in made)
    chosen = index % sentences
    begin = sum(len(s.text) + len(gap) for s in made[:chosen])
    spans = made[chosen].spans
    first = index % len(spans)
    start, end = begin + spans[first][0], begin + spans[min(first + index % 3, len(spans) - 1)][1]
    return Question(name or f"{index}", made[chosen].text, context, (context[start:end],), (start,))


def scored(encoder, head, items, language="en", **config):
    scores = QuestionAnswering(AnswerConfig(**config)).evaluate(encoder, head, dataset(items, language))
    return {score.metric: score.value for score in scores}


class Knowing(SpanHead):
    """Finds what the labels say."""

    def decode(self, states):
        out = []
        for row, size in enumerate(len(found) for found in super().decode(states)):
            scores = np.zeros((size, 2), np.float32)
            first = states.view.masked[2 * row] - states.view.starts[row]
            for side, label in enumerate(states.view.labels[2 * row : 2 * row + 2]):
                scores[label - first + 1 if label else 0, side] = 5
            out.append(scores)
        return out


# -- what is read


def squad(tmp_path, items):
    rows = [
        {"context": i.context, "qas": [{"id": i.id, "question": i.question,
         "answers": [{"text": t, "answer_start": s} for t, s in zip(i.answers, i.starts, strict=True)]}]}
        for i in items
    ]  # fmt: skip
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": rows}]}))
    return path


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


@pytest.mark.parametrize(("spec", "message"), [("de-de=x", "same"), ("xx=x", "unknown language 'xx'"), ("en=", "path")])
def test_specs_that_cannot_be_read(spec, message):
    with pytest.raises(UserError, match=message):
        find_task("qa").read(spec, lenient=False, dropped=Counter(), limit=None)


def test_questions_without_answers_can_be_answered(tmp_path, encoder):
    path = squad(tmp_path, [replace(question("Ann sings .", ""), id="only")])
    task = QuestionAnswering()
    data = task.read(f"en={path}", lenient=False, dropped=Counter(), limit=None, labelled=False)
    ((item, answer),) = task.answers(encoder, SpanHead(encoder), data)
    assert answer.text
    assert answer.text in item.context
    assert not task.cut


# -- rows


def test_a_row_is_question_and_context_as_the_tokenizer_dresses_them(encoder):
    items = [world_question(tag, k, 2) for tag in ("en", "de", "zh") for k in range(15)]
    for index, row in enumerate(QuestionAnswering().examples(encoder, items)):
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
def test_windows_show_every_piece_and_every_short_span(encoder, pieces, asked, longest, stride, answer, data):
    word = "a"
    config = AnswerConfig(max_pieces=longest, stride=stride, max_question=20, max_answer=answer)
    task = QuestionAnswering(config)
    at = data.draw(st.integers(0, max(0, pieces - 1)))
    long = data.draw(st.integers(1, min(answer, max(1, pieces - at))))
    context = " ".join([word] * pieces) or "\u200d"
    gold = " ".join([word] * long) if pieces else ""
    item = question(context, gold, asked=" ".join([word] * asked), start=2 * at)
    rows = task.examples(encoder, [item])
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


def test_what_cannot_be_learnt_is_no_answer_and_counted(encoder):
    task = QuestionAnswering(AnswerConfig(max_pieces=24))
    words = " ".join(SENTENCES["en"][:6])
    rows = task.examples(encoder, [question(words, words), question("Ann \u200d sings", "\u200d")])
    assert all(row.labels.tolist() == [0, 0] for row in rows)
    assert task.cut == {"answers longer than a window": 1, "answers the tokenizer makes no piece of": 1}


# -- the head


def test_the_loss_is_cross_entropy_over_the_candidates_row_by_row(encoder):
    task = QuestionAnswering(AnswerConfig(max_pieces=40, max_answer=8))
    items = [world_question(tag, k, 1 + k % 4) for tag in ("en", "zh") for k in range(8)]
    items += [question("\u200d", ""), question(" \u200d x", "")]
    rows = task.examples(encoder, items)
    assert len(rows) > len(items)
    view = example_view(encoder, rows)
    batch = type("Batch", (), {"view": lambda self, name: view})()
    torch.manual_seed(3)
    head = SpanHead(encoder)
    torch.nn.init.normal_(head.linear.weight)
    torch.nn.init.normal_(head.linear.bias)
    loss = head(Step(encoder, batch))["span"]
    loss.backward()
    assert torch.isfinite(head.linear.weight.grad).all()
    states = encoder.encode(view).flat.detach().tolist()
    weight, bias = head.linear.weight.tolist(), head.linear.bias.tolist()
    wanted = sum(
        all_spans.row_loss(states[start : start + length], weight, bias, *row.targets.tolist(), row.labels.tolist())
        for row, start, length in zip(rows, view.starts, view.lengths, strict=True)
    )
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    assert head.counts(batch) == {"span": len(rows)}


def test_a_head_that_knows_nothing_loses_the_logarithm_of_the_candidates(encoder):
    rows = QuestionAnswering().examples(encoder, [world_question("en", k, 2) for k in range(5)])
    view = example_view(encoder, rows)
    head = SpanHead(encoder)
    torch.nn.init.zeros_(head.linear.weight)
    loss = head(Step(encoder, type("Batch", (), {"view": lambda self, name: view})()))["span"]
    assert loss.item() == pytest.approx(sum(math.log(len(row.pieces[1]) + 1) for row in rows), rel=1e-5)


def test_scores_are_those_of_cls_and_the_context(encoder):
    rows = QuestionAnswering(AnswerConfig(max_pieces=30)).examples(
        encoder, [world_question("en", k, 3) for k in range(4)] + [question("\u200d", "")]
    )
    view = example_view(encoder, rows)
    head = SpanHead(encoder)
    with torch.no_grad():
        states = encoder.encode(view)
        found = head.decode(states)
        every = head.linear(states.flat).numpy()
    for row, start, scores in zip(rows, view.starts, found, strict=True):
        first, last = row.targets
        np.testing.assert_allclose(
            scores, every[[start, *range(start + first, start + last + 1)]], rtol=1e-5, atol=1e-6
        )


# -- spans

FEW = st.integers(-3, 3).map(float)  # few values: many equal scores
PIECES = st.lists(st.tuples(FEW, FEW), max_size=9)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=3), st.integers(1, 10))
def test_spans_come_best_first_and_all_of_them(windows, longest):
    given_ = [np.array([(9.0, 9.0), *window], np.float32) for window in windows]
    wanted, before = [], 0
    for window in windows:
        for i in range(len(window)):
            for j in range(i, min(len(window), i + longest)):
                wanted.append((before + i, before + j, window[i][0] + window[j][1]))
        before += len(window)
    wanted.sort(key=lambda span: (-span[2], span[0], span[1]))
    assert list(ranked_spans(given_, longest)) == wanted


def test_spans_of_long_windows_come_best_first_and_all_of_them():
    rng = np.random.default_rng(0)
    for kind in (rng.normal(size=(300, 2)), rng.integers(0, 2, (300, 2)), np.zeros((300, 2))):
        spans = list(ranked_spans([np.float32(kind)], 30))
        assert len(spans) == len({span[:2] for span in spans}) == 299 * 30 - 30 * 29 // 2
        assert spans == sorted(spans, key=lambda span: (-span[2], span[0], span[1]))
    assert list(ranked_spans([np.full((5, 2), np.nan, np.float32)], 3)) == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_answers_are_the_best_of_all_spans_of_all_windows(data):
    context = data.draw(st.text("ab \u3000", min_size=1, max_size=14))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(context)), min_size=2, max_size=8)))
    offsets = np.array(list(itertools.pairwise(cuts)))
    longest, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    windows, parts = [], []
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(offsets)))
        note = offsets[start : data.draw(st.integers(start, len(offsets)))]
        scores = data.draw(st.lists(st.tuples(FEW, FEW), min_size=len(note), max_size=len(note)))
        windows.append([(*pair, *span) for pair, span in zip(scores, note.tolist(), strict=True)])
        parts.append((type("Row", (), {"note": note})(), np.array([(9.0, 9.0), *scores], np.float32)))
    task = QuestionAnswering(AnswerConfig(max_answer=longest, n_best=n))
    answer = task.answer(question(context, ""), parts)
    best = all_spans.best_texts(context, windows, longest)
    assert len(answer.n_best) == min(n, len(best)) == len({one.text for one in answer.n_best})
    assert [one.score for one in answer.n_best] == sorted(best.values(), reverse=True)[:n]
    for one in answer.n_best:
        assert best[one.text] == one.score
        assert context.startswith(one.text, one.start)
    if best:
        assert (answer.text, answer.start, answer.score) == (*vars_of(answer.n_best[0])[:2], max(best.values()))
        total = sum(math.exp(one.score) for one in answer.n_best)
        assert [one.probability for one in answer.n_best] == pytest.approx(
            [math.exp(one.score) / total for one in answer.n_best]
        )
    else:
        assert answer.text == ""


def vars_of(candidate: Candidate):
    return candidate.text, candidate.start, candidate.score


def test_an_answer_in_a_later_window_wins_by_its_score(encoder):
    """And none crosses from one window into the next, where a span may look best of all."""
    context = "a b c d"
    rows = [type("Row", (), {"note": np.array([[2 * k, 2 * k + 1] for k in window])})() for window in ((0, 1), (2, 3))]
    first = np.array([[50, 50], [0, 0], [9, 0]], np.float32)
    second = np.array([[50, 50], [0, 9], [3, 3]], np.float32)
    answer = QuestionAnswering().answer(question(context, ""), list(zip(rows, (first, second), strict=True)))
    assert (answer.text, answer.start, answer.score) == ("b", 2, 9.0)
    answer = QuestionAnswering().answer(question(context, ""), list(zip(rows, (first, second + 1), strict=True)))
    assert (answer.text, answer.start, answer.score) == ("c", 4, 11.0)


# -- no lost characters

HAND = {
    "zh": [
        ("巴黎是法国的首都，人口约二百一十万。它位于塞纳河畔。", ["巴黎", "法国", "约二百一十万", "塞纳河畔。"]),
        ("《红楼梦》的作者是曹雪芹　（清代）。1791年出版。", ["《红楼梦》", "曹雪芹", "1791年", "曹雪芹　（清代）"]),
    ],
    "hi": [
        ("दिल्ली भारत की राजधानी है। यहाँ लगभग १.९ करोड़ लोग रहते हैं।", ["दिल्ली", "१.९ करोड़", "भारत की राजधानी", "हैं।"]),
        ("राष्ट्रपति डॉ॰ कलाम ने कहा, जगत्\u200d में क्\u200dष की बात", ["डॉ॰ कलाम", "क्\u200dष", "जगत्\u200d", "राष्ट्रपति"]),
    ],
    "ar": [
        ("وُلِدَ الشَّاعِرُ في القاهرة عام ١٩٣٢، ثم انتقل إلى بيروت.", ["الشَّاعِرُ", "القاهرة", "١٩٣٢", "بيروت", "في القاهرة"]),
        ("تقع \u200fالمدينة\u200f على نهر النيل؛", ["\u200fالمدينة\u200f", "نهر النيل", "النيل؛"]),
    ],
    "de": [
        ("Die Straße „Zur Mühle“ in Köln-Nippes (1898) ist 3,5 km.", ["„Zur Mühle“", "Köln-Nippes", "3,5 km"]),
        ("Er  zahlte 1.000 €\tund 5 % Zins\u00adsatz.", ["1.000 €", "5 %", "1.000 €\tund 5 %", "Zins\u00adsatz", "Er"]),
    ],
}  # fmt: skip


def by_character(kind: str):
    """As XLM-R's (a piece a character, words marked by their space), as BERT's uncased one, or of bytes, trimmed."""
    texts = [text for rows in HAND.values() for text, _ in rows]
    if kind == "wordpiece":
        return train_tokenizer(texts, size=900)
    if kind == "bpe":
        return train_tokenizer(texts, kind="bpe", size=400, family="roberta")
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    signs = sorted({sign for text in (*texts, "abcdeth1") for sign in text} | {"▁"})
    if kind == "uncased":
        vocabulary = {
            s: k for k, s in enumerate(dict.fromkeys([*special, *signs, *(f"##{s}" for s in signs), "<mask>"]))
        }
        backend = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
        backend.normalizer = normalizers.BertNormalizer(strip_accents=True, lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        words = [(sign, -3.0) for sign in signs] + [("▁Die", -2.0), ("▁in", -2.0), ("▁القاهرة", -2.0)]
        backend = Tokenizer(models.Unigram([(s, 0.0) for s in special] + words + [("<mask>", 0.0)], 3))
        backend.normalizer = normalizers.NFKC()
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
    ids = [(name, backend.token_to_id(name)) for name in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ids
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "metaspace", "uncased"])
def test_what_is_found_is_the_answer_to_the_last_character(kind):
    """Also where the tokenizer leaves out marks and joiners, and where a context takes many windows."""
    encoder = Encoder.from_scratch("bert:1x32", by_character(kind), max_length=140, dropout=0.0).eval()
    head = Knowing(encoder)
    task = QuestionAnswering(AnswerConfig(max_pieces=80, max_answer=60))
    for language, rows in HAND.items():
        items = [
            question(text, answer, name=f"{k}-{n}", asked=text[:9])
            for k, (text, answers) in enumerate(rows)
            for n, answer in enumerate(answers)
        ]
        for item, answer in task.answers(encoder, head, dataset(items, language)):
            assert answer.text == item.answers[0]
            assert answer.start == item.starts[0]
        for normalise in ("squad", "mlqa"):
            assert scored(encoder, head, items, language, normalise=normalise, max_pieces=80, max_answer=60) == {
                "f1": 1.0, "exact_match": 1.0}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de", "zh"])
@pytest.mark.parametrize("longest", [384, 40])
def test_a_head_that_knows_scores_all_of_the_small_world(language, longest, encoder):
    items = [world_question(language, k, 1 + k % 9) for k in range(40)]
    found = scored(encoder, Knowing(encoder), items, language, max_pieces=longest, normalise="mlqa")
    assert found == {"f1": 1.0, "exact_match": 1.0}


@pytest.mark.parametrize("answer", [" Ann", "Ann ", " Ann sang \n"])
def test_spaces_around_a_gold_answer_are_not_learnt(answer):
    """The space before a word belongs to the word's piece."""
    encoder = Encoder.from_scratch("bert:1x32", by_character("bpe"), max_length=140, dropout=0.0)
    context = "then Ann sang \n twice"
    (row,) = QuestionAnswering().examples(encoder, [question(context, answer)])
    first, last = row.labels - row.targets[0]
    assert context[row.note[first][0] : row.note[last][1]].strip() == answer.strip()


# -- scores


def test_scores_are_squads_or_mlqas():
    item = Question("q", "wo?", "In dem Haus.", ("dem Haus", "Haus"), (3, 7))
    there = Answer("Dem „Haus“", 3, 0.0)
    squad_task, mlqa_task = QuestionAnswering(), QuestionAnswering(AnswerConfig(normalise="mlqa"))
    assert squad_task.judge(item, there, "de") == {"f1": (0.5, 1.0), "exact_match": (0.0, 1.0)}
    assert mlqa_task.judge(item, there, "de") == {"f1": (1.0, 1.0), "exact_match": (1.0, 1.0)}
    assert mlqa_task.judge(item, there, "en")["exact_match"] == (0.0, 1.0)  # the context's language has the articles
    assert next(iter(squad_task.judge(item, there, "de"))) == "f1"


def test_the_direction_of_generalised_transfer_is_recorded(encoder, tmp_path):
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
    guess = QuestionAnswering().guesses(dataset(items, "zh"))["sentence"]
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
    assert QuestionAnswering().switch(own, other) == (
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
        rows = QuestionAnswering(config).examples(encoder, [replace(c, question=q.question)])
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


def test_thirty_two_questions_are_learnt_to_the_last(make_encoder, tmp_path):
    torch.manual_seed(0)
    encoder = make_encoder("bert:2x64")
    task = QuestionAnswering(AnswerConfig(max_pieces=90, max_answer=10))
    items = [world_question("en", k, 1 + k % 4) for k in range(32)]
    data = dataset(items)
    head = task.head(encoder)
    training = TrainingConfig(batch=16, steps=150, learning_rate=3e-3, precision="fp32", seed=0)
    batches = task.batches(encoder, [data], training)
    assert scored(encoder, head, items)["exact_match"] < 0.3
    Trainer(Learner(encoder, {head.name: head}), batches, training, run=tmp_path, settings={}, quiet=True).train()
    scores = {score.metric: score.value for score in task.evaluate(encoder, head, data)}
    assert scores == {"f1": 1.0, "exact_match": 1.0}
