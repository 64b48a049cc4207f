"""Answer scores of SQuAD and MLQA with loops over characters and lists, in exact fractions."""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Callable
from fractions import Fraction

ARTICLES = {
    "en": ["a", "an", "the"],
    "es": ["un", "una", "unos", "unas", "el", "la", "los", "las"],
    "vi": ["của", "là", "cái", "chiếc", "những"],
    "de": ["ein", "eine", "einen", "einem", "eines", "einer", "der", "die", "das", "den", "dem", "des"],
    "hi": [],
    "zh": [],
}
ASCII_PUNCTUATION = {chr(c) for c in range(33, 127) if not chr(c).isalnum()}


@functools.cache
def all_punctuation() -> set[str]:
    kinds = ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")
    return {c for c in map(chr, range(sys.maxunicode)) if unicodedata.category(c) in kinds} | ASCII_PUNCTUATION


def is_word_character(char: str) -> bool:
    return char == "_" or char.isalnum()


def without_articles(text: str, articles: list[str]) -> str:
    """Cut the text into runs of word characters and of others; a run that is an article becomes a space."""
    runs: list[str] = []
    for char in text:
        if runs and is_word_character(runs[-1][-1]) == is_word_character(char):
            runs[-1] += char
        else:
            runs.append(char)
    return "".join(" " if run in articles else run for run in runs)


def squad_normal(text: str) -> str:
    text = "".join([c for c in text.lower() if c not in ASCII_PUNCTUATION])
    return " ".join(without_articles(text, ARTICLES["en"]).split())


def mlqa_tokens(text: str, language: str) -> list[str]:
    text = "".join([c for c in text.lower() if c not in all_punctuation()])
    if language == "ar":
        # Every alif followed by lam, from the left, inside words too.
        kept, at = "", 0
        while at < len(text):
            pair = text[at : at + 2] == "\u0627\u0644"
            kept += " " if pair else text[at]
            at += 2 if pair else 1
        text = kept
    else:
        text = without_articles(text, ARTICLES[language])
    tokens = [""]
    for char in text:
        if char.isspace():
            tokens.append("")
        elif language == "zh" and 0x4E00 <= ord(char) <= 0x9FA5:
            tokens += [char, ""]
        else:
            tokens[-1] += char
    return [token for token in tokens if token]


def overlap_f1(guess: list[str], truth: list[str]) -> Fraction:
    left = list(truth)
    same = 0
    for token in guess:
        if token in left:
            left.remove(token)
            same += 1
    return Fraction(2 * same, len(guess) + len(truth)) if same else Fraction(0)


def scores(prediction: str, golds: list[str], tokens: Callable[[str], list[str]]) -> tuple[int, Fraction]:
    """Exact match and F1, each the best over the gold answers."""
    exact = [int(tokens(prediction) == tokens(gold)) for gold in golds]
    return max(exact), max(overlap_f1(tokens(prediction), tokens(gold)) for gold in golds)
