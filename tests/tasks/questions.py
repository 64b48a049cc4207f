"""Questions of the small world and by hand, tokenizers that know their letters, and a head that knows."""

import json

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from paralign.encoder import train_tokenizer
from paralign.formats.items import Question
from paralign.smallworld import World
from paralign.tasks.question_answering import AnswerConfig, QuestionAnswering
from paralign.tasks.span_head import SpanHead
from tests.tasks.datasets import dataset

SENTENCES = {tag: [World(0).sentence(k, tag).text for k in range(90)] for tag in ("en", "de", "zh", "hi")}
GAP = {"zh": ""}


def question(context, answer, *, asked="who ?", name="q", start=None) -> Question:
    starts = (context.index(answer) if start is None else start,) if answer else ()
    return Question(name, asked, context, (answer,) if answer else (), starts)


def world_question(language: str, index: int, sentences: int, *, name: str | None = None) -> Question:
    """Some words of a sentence of a paragraph; the sentence itself is the question."""
    made = [World(0).sentence(index * 17 + k, language) for k in range(sentences)]
    gap = GAP.get(language, " ")
    context = gap.join(s.text for s in made)
    chosen = index % sentences
    begin = sum(len(s.text) + len(gap) for s in made[:chosen])
    spans = made[chosen].spans
    # A noun and up to two words after it; of articles and full stops alone no score finds anything left.
    first = [k for k, tag in enumerate(made[chosen].upos) if tag in ("NOUN", "PROPN")][-1]
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


def squad(tmp_path, items):
    rows = [
        {"context": i.context, "qas": [{"id": i.id, "question": i.question,
         "answers": [{"text": t, "answer_start": s} for t, s in zip(i.answers, i.starts, strict=True)]}]}
        for i in items
    ]  # fmt: skip
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": rows}]}))
    return path


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
        return train_tokenizer(SENTENCES["de"], kind="bpe", size=330, family="roberta")
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
