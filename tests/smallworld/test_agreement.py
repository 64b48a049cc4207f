"""Agreement in generated sentences, checked against small rule tables written for these tests."""

from __future__ import annotations

import itertools

import pytest

from paralign.smallworld import Sentence, World

SENTENCES = 1500


def sentences(language: str, seed: int = 8) -> list[Sentence]:
    world = World(seed)
    return [world.sentence(index, language) for index in range(SENTENCES)]


def children(sentence: Sentence, word: int, deprel: str) -> list[int]:
    """Zero-based dependents of a zero-based word."""
    pairs = zip(sentence.heads, sentence.deprels, strict=True)
    return [i for i, (head, rel) in enumerate(pairs) if head == word + 1 and rel == deprel]


DER = {
    "m": {"nom": "der", "acc": "den", "dat": "dem"},
    "f": {"nom": "die", "acc": "die", "dat": "der"},
    "n": {"nom": "das", "acc": "das", "dat": "dem"},
}
EIN = {
    "m": {"nom": "ein", "acc": "einen", "dat": "einem"},
    "f": {"nom": "eine", "acc": "eine", "dat": "einer"},
    "n": {"nom": "ein", "acc": "ein", "dat": "einem"},
}
GERMAN = {  # nouns whose singular and plural differ
    **dict.fromkeys(["Mann", "Hund", "Apfel", "Baum", "Park"], "m"),
    **dict.fromkeys(["Frau", "Katze", "Schule", "Blume"], "f"),
    **dict.fromkeys(["Kind", "Haus", "Buch", "Auto", "Pferd"], "n"),
}
CONTRACTED = {"im": "dem", "beim": "dem", "zum": "dem", "am": "dem", "zur": "der"}


def german_case(sentence: Sentence, noun: int) -> str | None:
    """Case by function: subjects nominative, objects accusative, prepositions their own."""
    head = sentence.heads[noun] - 1
    match sentence.deprels[noun]:
        case "nsubj":
            return "nom"
        case "obj":
            return "dat" if sentence.lemmas[head] == "helfen" else "acc"
        case "iobj":
            return "dat"
        case "obl":
            prepositions = {sentence.lemmas[i] for i in children(sentence, noun, "case")}
            return "acc" if prepositions == {"für"} else "dat"
    return None


def test_german_articles_and_adjectives() -> None:
    checked = 0
    for s in sentences("de"):
        for noun, form in enumerate(s.words):
            case = german_case(s, noun)
            if case is None or form != s.lemmas[noun] or form not in GERMAN:
                continue
            gender = GERMAN[form]
            articles = [s.words[i].lower() for i in children(s, noun, "det")]
            prepositions = [s.words[i] for i in children(s, noun, "case")]
            articles += [CONTRACTED[form] for form in prepositions if form in CONTRACTED]
            if not articles:
                continue
            (article,) = articles
            weak = article[0] == "d"
            expected = DER[gender][case] if weak else EIN[gender][case]
            assert article.removeprefix("k") == expected, s.text
            for adjective in children(s, noun, "amod"):
                if case == "dat" or (case == "acc" and gender == "m"):
                    ending = "en"
                elif weak or gender == "f":
                    ending = "e"
                else:
                    ending = {"m": "er", "n": "es"}[gender]
                stem = s.words[adjective].removesuffix(ending)
                assert s.lemmas[adjective].startswith(stem[:3]), s.text
                assert not stem.endswith("e"), s.text
            checked += 1
    assert checked > 400


def test_german_verb_positions() -> None:
    """The finite verb ends subordinate clauses; in main statements exactly one constituent precedes it."""
    for s in sentences("de"):
        root = s.heads.index(0)
        auxiliaries = children(s, root, "aux") + children(s, root, "cop")
        finite = auxiliaries[0] if auxiliaries else root
        if s.text[-1] == ".":
            dependents = [i for i, head in enumerate(s.heads[:finite]) if head == root + 1]
            before = [i for i in dependents if s.deprels[i] != "punct"]
            assert len(before) == 1, s.text
        for word, relation in enumerate(s.deprels):
            if relation in ("acl:relcl", "ccomp", "advcl"):
                verbs = children(s, word, "aux") + children(s, word, "cop")
                last = max([word, *verbs])
                if verbs:
                    assert last == verbs[0], s.text
                assert s.words[last + 1] in (",", ".", "?"), s.text


FRENCH = {  # nouns with a plural in s
    **dict.fromkeys(["livre", "chien", "enfant", "homme", "jardin"], "m"),
    **dict.fromkeys(["femme", "maison", "école", "lettre", "vache", "pomme"], "f"),
}
VOWELS = "aeiouâàéèêëîïôûùœ"


def test_french_elision_and_contraction() -> None:
    for s in sentences("fr"):
        words = [word.lower() for word in s.words]
        for i, (word, after) in enumerate(itertools.pairwise(words)):
            vowel = (after[0] in VOWELS or after[0] == "h") and after != "huit"
            if word in ("le", "la", "de", "ne", "que"):
                assert not vowel, s.text
            if word.endswith("'"):
                assert vowel, s.text
                assert s.spans[i][1] == s.spans[i + 1][0], s.text
            elif after not in ".,":
                assert s.spans[i][1] + 1 == s.spans[i + 1][0], s.text
            assert (word, after) not in {("de", "le"), ("de", "les"), ("à", "le"), ("à", "les")}, s.text


def test_french_agreement() -> None:
    checked = 0
    for s in sentences("fr"):
        for noun, lemma in enumerate(s.lemmas):
            if lemma not in FRENCH or s.upos[noun] != "NOUN":
                continue
            plural = s.words[noun].endswith("s")
            for i in children(s, noun, "det"):
                articles = {"m": "le l' un", "f": "la l' une"}[FRENCH[lemma]]
                allowed = {"de", "d'", *("les des" if plural else articles).split()}
                assert s.words[i].lower() in allowed, s.text
                checked += 1
            for i in children(s, noun, "amod"):
                form = s.words[i].lower()
                assert (form[-1] in "sx") == plural or s.lemmas[i].endswith(("x", "s")), s.text
                if FRENCH[lemma] == "f":
                    assert form.rstrip("s").endswith("e"), s.text
    assert checked > 200


def test_english_articles_and_verbs() -> None:
    irregular = {"has", "is", "was", "does"}
    for s in sentences("en"):
        for word, after in zip(s.words, s.words[1:], strict=False):
            if word.lower() in ("a", "an"):
                assert (word.lower() == "an") == (after[0] in "aeiou"), s.text
        for verb, upos in enumerate(s.upos):
            auxiliaries = [s.words[i].lower() for i in children(s, verb, "aux")]
            if upos != "VERB":
                continue
            if auxiliaries:
                assert s.words[verb] == s.lemmas[verb], s.text
                assert auxiliaries[0] in {"do", "does", "did", "will"}, s.text
            for subject in children(s, verb, "nsubj"):
                if s.words[subject].lower() == "they":
                    assert s.words[verb] != s.lemmas[verb] + "s", s.text
                    assert not irregular & set(auxiliaries), s.text


HINDI = {  # nouns and their gender
    **dict.fromkeys(["आदमी", "लड़का", "बच्चा", "शिक्षक", "कुत्ता", "सेब", "केक"], "m"),
    **dict.fromkeys(["औरत", "लड़की", "रानी", "बिल्ली", "गाय", "किताब", "चिट्ठी"], "f"),
}


def test_hindi_verb_agreement() -> None:
    checked = {"habitual": 0, "ergative": 0}
    for s in sentences("hi"):
        for verb, upos in enumerate(s.upos):
            subjects = children(s, verb, "nsubj")
            if upos != "VERB" or not subjects:
                continue
            (subject,) = subjects
            ergative = any(s.words[i] == "ने" for i in children(s, subject, "case"))
            auxiliaries = [s.words[i] for i in children(s, verb, "aux")]
            if ergative:
                assert not auxiliaries, s.text
                objects = [i for i in children(s, verb, "obj") if s.lemmas[i] in HINDI]
                if objects and not children(s, objects[0], "case") and not children(s, verb, "compound"):
                    feminine = s.words[verb].removesuffix("ं").endswith(("ी", "ई"))
                    assert feminine == (HINDI[s.lemmas[objects[0]]] == "f"), s.text
                    checked["ergative"] += 1
            elif s.lemmas[subject] in HINDI and auxiliaries and not children(s, subject, "conj"):
                ending = s.words[verb][-2:]
                if HINDI[s.lemmas[subject]] == "f":
                    assert ending == "ती", s.text
                else:
                    assert ending == ("ते" if auxiliaries == ["हैं"] else "ता"), s.text
                checked["habitual"] += 1
    assert min(checked.values()) > 25, checked


CLASSIFIERS = {
    "狗": "只",
    "书": "本",
    "马": "匹",
    "鱼": "条",
    "桌子": "张",
    "汽车": "辆",
    "花": "朵",
    "信": "封",
    "老师": "位",
}


def test_chinese_classifiers() -> None:
    checked = 0
    for s in sentences("zh"):
        for noun, lemma in enumerate(s.lemmas):
            for number in children(s, noun, "nummod"):
                (classifier,) = children(s, number, "clf")
                assert classifier == number + 1, s.text
                if lemma in CLASSIFIERS:
                    assert s.words[classifier] == CLASSIFIERS[lemma], s.text
                    checked += 1
                assert not s.words[noun].endswith("们"), s.text
    assert checked > 40


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh", "hi", "es"])
def test_questions_end_in_question_marks(language: str) -> None:
    world = World(8)
    for index in range(SENTENCES):
        asks = world.meaning(index).clause.asks
        assert (world.sentence(index, language).text[-1] in "?？") == (asks is not None)
