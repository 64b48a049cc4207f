"""Nasty files: every reader gives text, or one clear error, or counts what it drops; never anything else."""

import gzip
import io
import json
import random
import zipfile
from collections import Counter

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paralign.corpus.deduplicate import hash_texts, sentence_hashes
from paralign.corpus.exclusion import excluded_sentences
from paralign.errors import UserError
from paralign.formats.conllu import read_conllu
from paralign.formats.lexicon import read_lexicon
from paralign.formats.links import read_gold, read_links
from paralign.results import read_results
from paralign.sources.readers import (
    read_mining,
    read_pairs,
    read_questions,
    read_sentence_pairs,
    read_tagged,
    read_text,
)
from paralign.sources.specs import parse_pairs, parse_text
from paralign.text.words import word_spans

CONLLU = """# sent_id = 1
# text = Er isst.
1 Er er PRON PPER _ 2 nsubj _ _
2 isst essen VERB VVFIN _ 0 root _ SpaceAfter=No
3 . . PUNCT $. _ 2 punct _ _

# sent_id = 2
1-2 zum _ _ _ _ _ _ _ _
1 zu zu ADP _ _ 2 case _ _
2 Haus Haus NOUN _ _ 0 root _ _
2.1 x x X _ _ _ _ _ _

"""
CONLLU = "\n".join(line if line.startswith("#") else line.replace(" ", "\t") for line in CONLLU.split("\n"))
ANSWER = {"id": "q1", "question": "Was ist schön?", "answers": [{"text": "Rom", "answer_start": 0}]}
SQUAD = json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "Rom ist schön.", "qas": [ANSWER]}]}]})
TMX = """<?xml version="1.0"?><tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en"><seg>Hi <ph>x</ph>.</seg></tuv><tuv xml:lang="de"><seg>Hallo.</seg></tuv></tu>
<tu><tuv lang="de-DE"><seg>a</seg></tuv></tu></body></tmx>
"""
ROW = json.dumps({"schema": 1, "task": "pos", "metric": "accuracy", "language": "de", "value": 0.5, "split": "test"})


def drain(found):
    """What comes out can be used as text is used later."""
    for item in found:
        texts = [t for t in (getattr(item, name, None) for name in ("source", "target", "text")) if isinstance(t, str)]
        texts += [part for part in item if isinstance(part, str)] if isinstance(item, tuple) else []
        hash_texts(texts)
        sentence_hashes(texts)
        for text in texts:
            word_spans(text)


def of_pairs(path, **more):
    drain(read_pairs(parse_pairs(f"en-de={path}"), **more))


def of_text(path, **more):
    drain(read_text(parse_text(f"de={path}"), **more))


def twins(path, **more):
    other = path.with_name("other.de")
    other.write_text("eins\nzwei\n")
    drain(read_pairs(parse_pairs(f"en-de={path},{other}"), **more))


def mining(path, **more):
    stem = path.with_name("bucc")
    for ending in ("en", "de", "gold"):
        path.with_name(f"bucc.{ending}").write_bytes(path.read_bytes())
    read_mining(parse_pairs(f"en-de={stem}"), **more)


def results(path, lenient, dropped):
    read_results(path)


def of(reader, **given):
    """A reader of a file of one language, or of a path."""

    def read(path, **more):
        drain(reader(path, **given, **more))

    return read


def german(reader, **given):
    return lambda path, **more: drain(reader(parse_text(f"de={path}"), **given, **more))


def kept_out(path, lenient, dropped):
    excluded_sentences([path], lenient=lenient)


TAGGED = "de:Er\tO\nde:wohnt\tO\nde:in\tO\nde:Rom\tB-LOC\n\nx\tI-PER\n"
INFERENCE = "premise\thypo\tlabel\nA man eats.\tHe eats.\tentailment\n"
ALWAYS = {"duplicate", "missing language"}
"""Counted without being asked: doubles of a lexicon, units of a memory in other languages."""
# Ending, an ordinary file, and who reads it.
SEEDS = [
    (".tsv", "Hi.\tHallo!\nb\td\tmore\n", of_pairs),
    (".txt", "Hi. ||| Hallo!\nb ||| d\n", of_pairs),
    (".jsonl", '{"translation": {"en": "Hi.", "de": "Hallo!"}}\n{"en": "a", "deu": null}\n', of_pairs),
    (".tmx", TMX, of_pairs),
    (".en", "one\ntwo\n", twins),
    (".txt", "Ein Satz.\n\nNoch einer.\n", of_text),
    (".conllu", CONLLU, of_text),
    (".conllu", CONLLU, of(read_conllu)),
    (".tsv", TAGGED, german(read_tagged)),
    (".tsv", INFERENCE, german(read_sentence_pairs)),
    (".jsonl", '{"sentence1": "a", "sentence2": "b", "gold_label": "neutral"}\n', german(read_sentence_pairs)),
    (".json", SQUAD, of(read_questions, languages=("de", "de"))),
    (".txt", "cat Katze\ndog\tHund\n", of(read_lexicon)),
    (".txt", "Haus {n} :: house\nHund {m} | Hunde :: dog | dogs\n", of(read_lexicon)),
    (".txt", "0-0 1-2 2p1\n\n1-1\n", of(read_links)),
    (".gold", "1 1 1 S\n1 2 3 P\n2 1 1\n", of(read_gold, sizes=[(4, 4), (3, 3), (2, 2)])),
    (".tsv", "en-0001\tHi.\nen-0002\tb\n", mining),
    (".txt", "Ein Satz.\nNoch einer.\n", kept_out),
    (".tsv", TAGGED, kept_out),
    (".conllu", CONLLU, kept_out),
    (".json", SQUAD, kept_out),
    (".jsonl", '{"text": "Hi."}\n', kept_out),
    (".jsonl", ROW + "\n", results),
]
NASTY = [
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n", b"\t", b"\t\t", b" ||| ", b"\x1c"),
    *("\u2028\u0085\u0640".encode(), ("e\u0301" * 50).encode(), "\U0001f600".encode(), b"\xed\xa0\x80"),
    *(b"\\ud800", b"\\u0000", b"<!ENTITY x 'y'>", b"&x;", b"<![CDATA[", b"]]>", b"</tu>", b"<tu>"),
    *(b"{", b"}", b"[" * 2000, b"]", b'"', b"'", b"null", b"NaN", b"1e999", b"-1", b"9" * 400, b"x" * 70_000),
    *(b"#", b"# text = ", b"1-2\t", b"0\t", b"_", b"-DOCSTART-", b"B-", b"I-LOC", b"O", b"::", b"|"),
]


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """A few wounds."""
    for _ in range(rng.randint(1, 5)):
        place, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
        kind = rng.randrange(6)
        if kind == 0:
            data = data[:place] + rng.choice(NASTY) + data[place:]
        elif kind == 1:
            data = data[:place] + rng.choice(NASTY) + data[end:]
        elif kind == 2:
            data = data[:place]
        elif kind == 3 and data:
            place = min(place, len(data) - 1)
            data = data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]
        elif kind == 4:
            data = data[:place] + data[place:end] * 2 + data[end:]
        else:
            lines = data.split(b"\n")
            rng.shuffle(lines)
            data = b"\n".join(lines)
    return data


def packed(data: bytes, how: str) -> bytes:
    if how == ".gz":
        return gzip.compress(data, mtime=0)
    if how == ".zst":
        return zstandard.ZstdCompressor().compress(data)
    return data


def check(folder, number, seed, lenient, how):
    """Spoil a file, before or after it is packed, and read it."""
    ending, text, read = SEEDS[number]
    rng = random.Random(seed)
    data = text.encode()
    if how and rng.random() < 0.5:
        data = spoilt(packed(data, how), rng)
    else:
        data = packed(spoilt(data, rng), how)
    path = folder / f"file{ending}{how}"
    path.write_bytes(data)
    told = reads(lambda dropped: read(path, lenient=lenient, dropped=dropped))
    assert lenient or not set(told) - ALWAYS


def reads(read):
    """One clear error, or what was dropped."""
    dropped: Counter[str] = Counter()
    try:
        read(dropped)
    except UserError as error:
        said = str(error)
    else:
        return dropped
    assert said.strip()
    assert "\n" not in said
    return Counter()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(SEEDS) - 1), st.integers(0, 10**9), st.booleans(), st.sampled_from(["", "", ".gz", ".zst"]))
def test_nasty_files(tmp_path_factory, number, seed, lenient, how):
    check(tmp_path_factory.mktemp("nasty"), number, seed, lenient, how)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_very_many_nasty_files(tmp_path, number):
    for seed in range(2_000):
        check(tmp_path, number, seed, bool(seed % 2), ["", "", ".gz", ".zst"][seed % 4])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.booleans())
def test_nasty_archives(tmp_path_factory, seed, lenient):
    folder, rng = tmp_path_factory.mktemp("nasty"), random.Random(seed)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for ending in ("en", "de"):
            lines = b"one\ntwo\nthree\n"
            archive.writestr(f"x.en-de.{ending}", spoilt(lines, rng) if rng.random() < 0.5 else lines)
    data = out.getvalue()
    path = folder / "a.zip"
    path.write_bytes(spoilt(data, rng) if rng.random() < 0.7 else data)
    reads(lambda dropped: of_pairs(path, lenient=lenient, dropped=dropped))
