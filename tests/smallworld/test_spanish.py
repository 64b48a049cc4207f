"""Spanish: hand-written sentences, agreement in generated ones, and every verb form against a regular conjugation."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from paralign.smallworld import Adjunct, Clause, Entity, Meaning
from paralign.smallworld.concepts import VERBS
from paralign.smallworld.world import get_grammar
from tests.smallworld.test_agreement import children, sentences

SAID = [
    # personal a: people, names, animals when definite; not things, not what is eaten
    (Clause("see", subject=Entity("boy"), object=Entity("poet", definite=False)), "El chico ve a un poeta."),
    (Clause("see", subject=Entity("boy"), object=Entity("wolf")), "El chico ve al lobo."),
    (Clause("eat", subject=Entity("bear"), object=Entity("fish", plural=True)), "El oso come los peces."),
    (
        Clause("feed", subject=Entity("he"), object=Entity("duck", plural=True, definite=False)),
        "Él alimenta a unos patos.",
    ),
    (
        Clause("wash", subject=Entity("they"), object=Entity("cup", plural=True, definite=False), tense="future"),
        "Ellos lavarán tazas.",
    ),
    (
        Clause("admire", subject=Entity("Eva"), object=Entity("castle", plural=True, definite=False), tense="past"),
        "Eva admiró unos castillos.",
    ),
    # relatives about a person who is the object
    (
        Clause("smile", subject=Entity("judge", relative=Clause("call", subject=Entity("Oscar")))),
        "El juez a quien Óscar llama sonríe.",
    ),
    (
        Clause("cry", subject=Entity("son", plural=True, relative=Clause("hear", subject=Entity("Eva"), tense="past"))),
        "Los hijos a quienes Eva oyó lloran.",
    ),
    # ser and estar
    (Clause("be", subject=Entity("song"), adjective="sad"), "La canción es triste."),
    (Clause("be", subject=Entity("Anna"), adjective="sad", negated=True), "Anna no está triste."),
    (Clause("be", subject=Entity("soup"), adjective="hot", asks="whether", tense="past"), "¿Estaba caliente la sopa?"),
    (
        Clause("be", subject=Entity("door", plural=True), adjective="beautiful", asks="whether"),
        "¿Son bonitas las puertas?",
    ),
    (Clause("be", place=Adjunct("near", Entity("river")), asks="who"), "¿Quién está cerca del río?"),
    (
        Clause("be", subject=Entity("boat"), place=Adjunct("on", Entity("island"))),
        "El barco está en la isla.",
    ),
    (Clause("be", subject=Entity("pen"), place=Adjunct("on", Entity("bed"))), "El bolígrafo está sobre la cama."),
    # what comes first in a question
    (Clause("choose", subject=Entity("thief"), tense="past", asks="what"), "¿Qué eligió el ladrón?"),
    (
        Clause("work", subject=Entity("lawyer"), frequency="sometimes", asks="where"),
        "¿Dónde trabaja a veces el abogado?",
    ),
    (
        Clause(
            "open",
            subject=Entity("girl", relative=Clause("laugh", tense="past")),
            object=Entity("box"),
            asks="whether",
        ),
        "¿La chica que rio abre la caja?",
    ),
    # a feminine noun with el; y before i
    (
        Clause("drink", subject=Entity("cow"), object=Entity("water", adjective="cold"), tense="past"),
        "La vaca bebió el agua fría.",
    ),
    (
        Clause(
            "run",
            subject=Entity("woman", plural=True),
            place=Adjunct("in", Entity("Spain", conjunct=Entity("India"))),
            tense="past",
        ),
        "Las mujeres corrieron en España e India.",
    ),
    # moods and tenses of that-clauses
    (
        Clause(
            "hope",
            subject=Entity("monk"),
            complement=Clause(
                "give", subject=Entity("they"), object=Entity("map"), recipient=Entity("Maria"), tense="future"
            ),
        ),
        "El monje espera que ellos den el mapa a María.",
    ),
    (
        Clause(
            "hope",
            subject=Entity("cook", plural=True),
            complement=Clause("come", subject=Entity("guest"), goal=Entity("hotel"), negated=True, tense="future"),
        ),
        "Los cocineros esperan que el invitado no venga al hotel.",
    ),
    (
        Clause(
            "think",
            subject=Entity("she"),
            complement=Clause("write", subject=Entity("Ravi"), object=Entity("letter"), tense="past"),
            tense="past",
        ),
        "Ella pensó que Ravi había escrito la carta.",
    ),
    # times
    (
        Clause("play", subject=Entity("Lisa"), time="Monday", fronted=True, tense="past"),
        "El lunes, Lisa jugó.",
    ),
    (Clause("swim", subject=Entity("frog"), time="August"), "La rana nada en agosto."),
    (Clause("go", subject=Entity("king"), goal=Entity("Egypt"), time="morning"), "El rey va a Egipto por la mañana."),
]


@pytest.mark.parametrize(("clause", "text"), SAID, ids=[text for _, text in SAID])
def test_text(clause: Clause, text: str) -> None:
    assert get_grammar("es").sentence(Meaning(clause)).text == text


NOUNS = {  # nouns and their gender
    **dict.fromkeys(["perro", "niño", "hombre", "mapa", "árbol", "puente", "poeta"], "m"),
    **dict.fromkeys(["mujer", "casa", "flor", "ciudad", "llave", "carta", "noche"], "f"),
}
ARTICLES = {("m", False): "el un", ("f", False): "la una", ("m", True): "los unos", ("f", True): "las unas"}
VARIABLE = {"rojo", "viejo", "blanco", "pequeño", "nuevo", "cansado", "famoso", "sucio"}
ENDURING = {
    "bonito",
    "grande",
    "nuevo",
    "viejo",
    "joven",
    "rico",
    "caro",
    "famoso",
    "inteligente",
    "moderno",
    "redondo",
}
PASSING = {"cansado", "hambriento", "sucio", "enfadado", "caliente"}


def test_agreement() -> None:
    checked: Counter[object] = Counter()
    for s in sentences("es"):
        for noun, lemma in enumerate(s.lemmas):
            if lemma not in NOUNS or s.upos[noun] != "NOUN":
                continue
            gender, plural = NOUNS[lemma], s.words[noun] != lemma
            if plural:
                assert s.words[noun].endswith("s" if lemma[-1] in "aeo" else "es"), s.text
            contracted = [i for i in children(s, noun, "case") if s.words[i] in ("al", "del")]
            determiners = [s.words[i].lower() for i in children(s, noun, "det")]
            determiners += ["el"] * len(contracted)
            assert len(determiners) <= 1, s.text
            for word in determiners:
                assert word in ARTICLES[gender, plural].split(), s.text
                checked["article"] += 1
            described = children(s, noun, "amod")
            if s.deprels[noun] == "nsubj" and s.upos[s.heads[noun] - 1] == "ADJ":
                described.append(s.heads[noun] - 1)
            for i in described:
                if s.lemmas[i] in VARIABLE:
                    ending = {"m": "o", "f": "a"}[gender] + ("s" if plural else "")
                    assert s.words[i] == s.lemmas[i][:-1] + ending, s.text
                    checked["adjective"] += 1
                assert s.words[i].endswith("s") == plural, s.text
    assert min(checked.values()) > 30, checked


def test_contraction_and_marks() -> None:
    contracted = 0
    for s in sentences("es"):
        words = [word.lower() for word in s.words]
        pairs = set(itertools.pairwise(words))
        assert not {("a", "el"), ("de", "el"), ("al", "el"), ("del", "el")} & pairs, s.text
        contracted += "al" in words or "del" in words
        assert words.count("¿") == words.count("?"), s.text
        for i, word in enumerate(words[:-1]):
            together = word == "¿" or words[i + 1] in (",", ".", "?")
            assert (s.spans[i][1] == s.spans[i + 1][0]) == together, s.text
        if words[0] == "¿":
            assert s.upos[0] == "PUNCT", s.text
            assert s.words[1][0].isupper(), s.text
    assert contracted > 100


def test_persons_have_a_as_objects() -> None:
    """Names, *quien* and people have it, things never."""
    people = {"niño", "médico", "mujer", "hombre", "profesor", "amigo", "rey", "policía", "quien"}
    things = {"libro", "carta", "manzana", "casa", "canción", "llave", "pan", "leche"}
    checked: Counter[object] = Counter()
    for s in sentences("es"):
        for word in (i for i, relation in enumerate(s.deprels) if relation == "obj"):
            marks = [s.words[i] for i in children(s, word, "case")]
            assert marks in ([], ["a"], ["al"]), s.text
            if s.upos[word] == "PROPN" or s.lemmas[word] in people:
                assert marks, s.text
                checked["person"] += 1
            if s.lemmas[word] in things:
                assert not marks, s.text
                checked["thing"] += 1
    assert min(checked.values()) > 50, checked


def test_ser_and_estar() -> None:
    checked: Counter[object] = Counter()
    for s in sentences("es"):
        for word in range(len(s.words)):
            for copula in children(s, word, "cop"):
                lemma = s.lemmas[copula]
                if s.upos[word] == "ADJ":
                    assert s.lemmas[word] not in (ENDURING if lemma == "estar" else PASSING), s.text
                else:
                    assert lemma == "estar", s.text
                checked[lemma] += 1
    assert min(checked.values()) > 20, checked


def test_verbs_agree_and_follow_their_question_word() -> None:
    plurals = {"ellos", "niños", "hombres", "mujeres", "médicos", "amigos", "profesores", "perros", "gatos"}
    checked: Counter[object] = Counter()
    for s in sentences("es"):
        for verb, upos in enumerate(s.upos):
            finite = [*children(s, verb, "aux"), *children(s, verb, "cop"), verb][0]
            for subject in children(s, verb, "nsubj") if upos in ("VERB", "ADJ") else ():
                many = s.words[subject].lower() in plurals or bool(children(s, subject, "conj"))
                if many or s.upos[subject] == "PROPN" or s.lemmas[subject] in ("él", "ella", "quién"):
                    assert s.words[finite].lower().endswith("n") == many, s.text
                    checked[many] += 1
            for asked in (i for i in range(verb) if s.lemmas[i] in ("qué", "dónde", "quién")):
                if s.heads[asked] == verb + 1:
                    assert asked + 1 == finite, s.text
                    checked["asked"] += 1
    assert min(checked.values()) > 30, checked


def regular(infinitive: str) -> list[str]:
    """Present, preterite (two forms), future, participle, subjunctive of a regular Spanish verb."""
    stem, a = infinitive[:-2], infinitive.endswith("ar")
    soft = stem
    for ending, before_e in (("c", "qu"), ("g", "gu"), ("z", "c")) if a else ():
        if stem.endswith(ending):
            soft = stem.removesuffix(ending) + before_e
    if a:
        return [stem + "a", stem + "ó", stem + "aron", infinitive + "á", stem + "ado", soft + "e"]
    return [stem + "e", stem + "ió", stem + "ieron", infinitive + "á", stem + "ido", stem + "a"]


IRREGULAR = {
    "ver": "ve vio vieron verá visto vea",
    "leer": "lee leyó leyeron leerá leído lea",
    "creer": "cree creyó creyeron creerá creído crea",
    "dar": "da dio dieron dará dado dé",
    "ir": "va fue fueron irá ido vaya",
    "dormir": "duerme durmió durmieron dormirá dormido duerma",
    "escribir": "escribe escribió escribieron escribirá escrito escriba",
    "abrir": "abre abrió abrieron abrirá abierto abra",
    "romper": "rompe rompió rompieron romperá roto rompa",
    "venir": "viene vino vinieron vendrá venido venga",
    "oír": "oye oyó oyeron oirá oído oiga",
    "reír": "ríe rio rieron reirá reído ría",
    "sonreír": "sonríe sonrió sonrieron sonreirá sonreído sonría",
    "hacer": "hace hizo hicieron hará hecho haga",
    "decir": "dice dijo dijeron dirá dicho diga",
    "saber": "sabe supo supieron sabrá sabido sepa",
    "elegir": "elige eligió eligieron elegirá elegido elija",
}
STEM_CHANGING = {  # vowels change in the present and the subjunctive only
    "jugar": ("jug", "jueg"),
    "perder": ("perd", "pierd"),
    "mostrar": ("mostr", "muestr"),
    "encontrar": ("encontr", "encuentr"),
    "cerrar": ("cerr", "cierr"),
    "contar": ("cont", "cuent"),
    "entender": ("entend", "entiend"),
    "pensar": ("pens", "piens"),
    "enviar": ("envi", "enví"),
}


@pytest.mark.parametrize("concept", VERBS)
def test_conjugation(concept: str) -> None:
    infinitive, *forms = get_grammar("es").lexicon[concept]
    expected = IRREGULAR[infinitive].split() if infinitive in IRREGULAR else regular(infinitive)
    if infinitive in STEM_CHANGING:
        weak, strong = STEM_CHANGING[infinitive]
        expected[0], expected[5] = (expected[i].replace(weak, strong) for i in (0, 5))
    assert forms == expected
