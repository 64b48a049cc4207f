"""Hand-written sentences for hand-built meanings: what a speaker of each language would say."""

from __future__ import annotations

import pytest

from paralign.smallworld import LANGUAGES, Adjunct, Clause, Entity, Meaning
from paralign.smallworld.world import get_grammar, link_words

READER = Meaning(
    Clause(
        "see",
        subject=Entity("man", adjective="old", relative=Clause("read", object=Entity("book"))),
        object=Entity("dog", definite=False),
    )
)
GIFT = Meaning(
    Clause(
        "give",
        subject=Entity("Anna"),
        object=Entity("book", plural=True, adjective="red"),
        recipient=Entity("child", plural=True),
        tense="past",
        time="yesterday",
        fronted=True,
    )
)
HUNGER = Meaning(
    Clause("buy", subject=Entity("girl"), object=Entity("apple", definite=False), tense="past", negated=True),
    "because",
    Clause("be", subject=Entity("she"), adjective="hungry", tense="past"),
)
JOURNEY = Meaning(
    Clause(
        "go",
        subject=Entity("queen", plural=True),
        goal=Entity("Berlin"),
        company=Adjunct("with", Entity("student", plural=True, definite=False, count="two")),
        tense="future",
        asks="whether",
    )
)
SONG = Meaning(
    Clause(
        "hear",
        object=Entity("song", relative=Clause("sing", subject=Entity("boy"), tense="past")),
        tense="past",
        asks="who",
    )
)
REPORT = Meaning(
    Clause(
        "say",
        subject=Entity("doctor"),
        complement=Clause(
            "sleep",
            subject=Entity("cat", owner=Entity("teacher")),
            frequency="often",
            place=Adjunct("under", Entity("tree")),
        ),
    )
)
HOUSE = Meaning(Clause("be", subject=Entity("house", adjective="small"), asks="where"))
WHEN = Meaning(
    Clause("drink", subject=Entity("king"), object=Entity("water"), manner="slowly", time="night"),
    "when",
    Clause("laugh", subject=Entity("Maria", surname="Rossi")),
)
SALE = Meaning(
    Clause(
        "sell",
        subject=Entity("farmer"),
        object=Entity("horse", definite=False),
        recipient=Entity("king"),
        tense="past",
    )
)
HELP = Meaning(
    Clause(
        "help",
        subject=Entity("nurse", plural=True),
        object=Entity("Ravi"),
        place=Adjunct("in", Entity("New_York")),
        tense="past",
    )
)
MICE = Meaning(
    Clause("see", subject=Entity("bird", adjective="big"), object=Entity("mouse", plural=True), negated=True)
)
SAID = Meaning(
    Clause(
        "say",
        subject=Entity("Eva"),
        tense="past",
        complement=Clause("go", subject=Entity("they"), goal=Entity("market"), tense="past"),
    )
)

GOLD = [
    (READER, "en", "The old man who reads the book sees a dog."),
    (READER, "de", "Der alte Mann, der das Buch liest, sieht einen Hund."),
    (READER, "fr", "Le vieil homme qui lit le livre voit un chien."),
    (READER, "zh", "读书的年老的男人看见一只狗。"),
    (READER, "hi", "वह बूढ़ा आदमी, जो किताब पढ़ता है, एक कुत्ते को देखता है।"),
    (READER, "es", "El hombre viejo que lee el libro ve un perro."),
    (GIFT, "en", "Yesterday Anna gave the red books to the children."),
    (GIFT, "de", "Gestern hat Anna den Kindern die roten Bücher gegeben."),
    (GIFT, "fr", "Hier, Anna a donné les livres rouges aux enfants."),
    (GIFT, "zh", "昨天安娜送给了孩子们红色的书。"),
    (GIFT, "hi", "कल अन्ना ने बच्चों को लाल किताबें दीं।"),
    (GIFT, "es", "Ayer, Anna dio los libros rojos a los niños."),
    (HUNGER, "en", "The girl did not buy an apple because she was hungry."),
    (HUNGER, "de", "Das Mädchen hat keinen Apfel gekauft, weil sie hungrig war."),
    (HUNGER, "fr", "La fillette n'a pas acheté de pomme parce qu'elle était affamée."),
    (HUNGER, "zh", "女孩没有买苹果，因为她很饥饿。"),
    (HUNGER, "hi", "लड़की ने एक सेब नहीं ख़रीदा, क्योंकि वह भूखी थी।"),
    (HUNGER, "es", "La chica no compró una manzana porque ella estaba hambrienta."),
    (JOURNEY, "en", "Will the queens go to Berlin with two students?"),
    (JOURNEY, "de", "Werden die Königinnen mit zwei Studenten nach Berlin gehen?"),
    (JOURNEY, "fr", "Est-ce que les reines iront à Berlin avec deux étudiants ?"),
    (JOURNEY, "zh", "女王们会跟两个学生去柏林吗？"),
    (JOURNEY, "hi", "क्या रानियाँ दो छात्रों के साथ बर्लिन जाएँगी?"),
    (JOURNEY, "es", "¿Irán las reinas a Berlín con dos estudiantes?"),
    (SONG, "en", "Who heard the song that the boy sang?"),
    (SONG, "de", "Wer hat das Lied, das der Junge gesungen hat, gehört?"),
    (SONG, "fr", "Qui a entendu la chanson que le garçon a chantée ?"),
    (SONG, "zh", "谁听见了男孩唱的歌？"),
    (SONG, "hi", "वह गीत, जिसे लड़के ने गाया, किसने सुना?"),
    (SONG, "es", "¿Quién oyó la canción que el chico cantó?"),
    (REPORT, "en", "The doctor says that the teacher's cat often sleeps under the tree."),
    (REPORT, "de", "Der Arzt sagt, dass die Katze des Lehrers oft unter dem Baum schläft."),
    (REPORT, "fr", "Le médecin dit que le chat du professeur dort souvent sous l'arbre."),
    (REPORT, "zh", "医生说老师的猫经常在树下面睡觉。"),
    (REPORT, "hi", "डॉक्टर कहता है कि शिक्षक की बिल्ली अक्सर पेड़ के नीचे सोती है।"),
    (REPORT, "es", "El médico dice que el gato del profesor duerme a menudo bajo el árbol."),
    (HOUSE, "en", "Where is the small house?"),
    (HOUSE, "de", "Wo ist das kleine Haus?"),
    (HOUSE, "fr", "Où est la petite maison ?"),
    (HOUSE, "zh", "小房子在哪里？"),
    (HOUSE, "hi", "छोटा घर कहाँ है?"),
    (HOUSE, "es", "¿Dónde está la casa pequeña?"),
    (WHEN, "en", "When Maria Rossi laughs, the king drinks the water slowly at night."),
    (WHEN, "de", "Wenn Maria Rossi lacht, trinkt der König in der Nacht das Wasser langsam."),
    (WHEN, "fr", "Quand Maria Rossi rit, le roi boit lentement l'eau la nuit."),
    (WHEN, "zh", "玛丽亚·罗西大笑的时候，国王夜里慢慢地喝水。"),
    (SALE, "en", "The farmer sold a horse to the king."),
    (SALE, "de", "Der Bauer hat dem König ein Pferd verkauft."),
    (SALE, "fr", "Le fermier a vendu un cheval au roi."),
    (SALE, "zh", "农民卖给了国王一匹马。"),
    (SALE, "hi", "किसान ने राजा को एक घोड़ा बेचा।"),
    (SALE, "es", "El granjero vendió un caballo al rey."),
    (HELP, "en", "The nurses helped Ravi in New York."),
    (HELP, "de", "Die Krankenschwestern haben Ravi in New York geholfen."),
    (HELP, "fr", "Les infirmières ont aidé Ravi à New York."),
    (HELP, "zh", "护士们在纽约帮助了拉维。"),
    (HELP, "hi", "नर्सों ने न्यूयॉर्क में रवि की मदद की।"),
    (HELP, "es", "Las enfermeras ayudaron a Ravi en Nueva York."),
    (MICE, "en", "The big bird does not see the mice."),
    (MICE, "de", "Der große Vogel sieht die Mäuse nicht."),
    (MICE, "fr", "Le grand oiseau ne voit pas les souris."),
    (MICE, "zh", "大鸟没有看见老鼠。"),
    (MICE, "hi", "बड़ा पक्षी चूहों को नहीं देखता है।"),
    (MICE, "es", "El pájaro grande no ve a los ratones."),
    (SAID, "en", "Eva said that they went to the market."),
    (SAID, "de", "Eva hat gesagt, dass sie zum Markt gegangen sind."),
    (SAID, "fr", "Eva a dit qu'ils étaient allés au marché."),
    (SAID, "zh", "伊娃说他们去了市场。"),
    (SAID, "hi", "ईवा ने कहा कि वे बाज़ार गए।"),
    (SAID, "es", "Eva dijo que ellos habían ido al mercado."),
    (WHEN, "hi", "जब मारिया रॉसी हँसती है, तब राजा रात को पानी धीरे-धीरे पीता है।"),
    (WHEN, "es", "Cuando María Rossi ríe, el rey bebe lentamente el agua por la noche."),
]


@pytest.mark.parametrize(("meaning", "language", "text"), GOLD)
def test_text(meaning: Meaning, language: str, text: str) -> None:
    assert get_grammar(language).sentence(meaning).text == text


def test_every_gold_meaning_is_in_every_language() -> None:
    for meaning in (READER, GIFT, HUNGER, JOURNEY, SONG, REPORT, HOUSE, WHEN, SALE, HELP, MICE, SAID):
        assert {language for other, language, _ in GOLD if other is meaning} == set(LANGUAGES)


@pytest.mark.parametrize(
    ("target", "pharaoh"),
    [
        ("de", "0-0 1-1 2-2 3-4 4-7 5-5 6-6 7-9 8-10 9-11 10-12"),
        ("fr", "0-0 1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8 9-9 10-10"),
        ("zh", "1-3 2-5 3-2 4-0 6-1 7-6 8-7 9-9 10-10"),
        ("hi", "0-0 1-1 2-2 3-4 4-6 6-5 7-12 8-9 9-10 10-14"),
        ("es", "0-0 1-2 2-1 3-3 4-4 5-5 6-6 7-7 8-8 9-9 10-10"),
    ],
)
def test_links_of_the_reader(target: str, pharaoh: str) -> None:
    pairs = link_words(get_grammar("en").sentence(READER), get_grammar(target).sentence(READER))
    assert pairs == tuple(tuple(map(int, pair.split("-"))) for pair in pharaoh.split())


def test_links_many_to_one() -> None:
    """*aux* is *to the*, *keinen* is *not an*; *not* is both *n'* and *pas*."""
    english, french = get_grammar("en").sentence(GIFT), get_grammar("fr").sentence(GIFT)
    words = {(english.words[i], french.words[j]) for i, j in link_words(english, french)}
    assert {("to", "aux"), ("the", "aux"), ("the", "les"), ("children", "enfants")} <= words
    english, german = get_grammar("en").sentence(HUNGER), get_grammar("de").sentence(HUNGER)
    words = {(english.words[i], german.words[j]) for i, j in link_words(english, german)}
    assert {("did", "hat"), ("not", "keinen"), ("an", "keinen"), ("because", "weil")} <= words
    french = get_grammar("fr").sentence(HUNGER)
    words = {(english.words[i], french.words[j]) for i, j in link_words(english, french)}
    assert {("not", "n'"), ("not", "pas"), ("because", "parce"), ("because", "qu'"), ("did", "a")} <= words


def test_spanish_links() -> None:
    """*al* is *to the*; *?* is both marks of the question; the *a* of objects is the Hindi *ko*."""
    english, spanish = get_grammar("en").sentence(SALE), get_grammar("es").sentence(SALE)
    words = {(english.words[i], spanish.words[j]) for i, j in link_words(english, spanish)}
    assert {("to", "al"), ("the", "al"), ("king", "rey"), ("a", "un")} <= words
    english, spanish = get_grammar("en").sentence(JOURNEY), get_grammar("es").sentence(JOURNEY)
    words = {(english.words[i], spanish.words[j]) for i, j in link_words(english, spanish)}
    assert {("?", "¿"), ("?", "?"), ("go", "Irán"), ("to", "a"), ("with", "con")} <= words
    assert not any(source == "Will" for source, _ in words)
    hindi, spanish = get_grammar("hi").sentence(MICE), get_grammar("es").sentence(MICE)
    words = {(hindi.words[i], spanish.words[j]) for i, j in link_words(hindi, spanish)}
    assert ("को", "a") in words


def test_spanish_trees() -> None:
    sentence = get_grammar("es").sentence(JOURNEY)  # ¿ Irán las reinas a Berlín con dos estudiantes ?
    assert sentence.heads == (2, 0, 4, 2, 6, 2, 9, 9, 2, 2)
    assert " ".join(sentence.deprels) == "punct root det nsubj case obl case nummod obl punct"
    assert " ".join(sentence.upos) == "PUNCT VERB DET NOUN ADP PROPN ADP NUM NOUN PUNCT"
    assert " ".join(sentence.lemmas) == "¿ ir el reina a Berlín con dos estudiante ?"
    sentence = get_grammar("es").sentence(REPORT)
    # El médico dice que el gato del profesor duerme a menudo bajo el árbol .
    assert sentence.heads == (2, 3, 0, 9, 6, 9, 8, 6, 3, 9, 10, 14, 14, 9, 3)
    assert " ".join(sentence.deprels) == (
        "det nsubj root mark det nsubj case nmod ccomp advmod fixed case det obl punct"
    )
    assert " ".join(sentence.upos) == "DET NOUN VERB SCONJ DET NOUN ADP NOUN VERB ADP ADJ ADP DET NOUN PUNCT"
    sentence = get_grammar("es").sentence(MICE)  # El pájaro grande no ve a los ratones .
    assert sentence.heads == (2, 5, 2, 5, 0, 8, 8, 5, 5)
    assert " ".join(sentence.deprels) == "det nsubj amod advmod root case det obj punct"


def test_german_tree() -> None:
    sentence = get_grammar("de").sentence(READER)
    assert sentence.heads == (3, 3, 10, 8, 8, 7, 8, 3, 8, 0, 12, 10, 10)
    assert " ".join(sentence.deprels) == ("det amod nsubj punct nsubj det obj acl:relcl punct root det obj punct")
    assert " ".join(sentence.upos) == "DET ADJ NOUN PUNCT PRON DET NOUN VERB PUNCT VERB DET NOUN PUNCT"
    assert sentence.lemmas == (
        "der",
        "alt",
        "Mann",
        ",",
        "der",
        "der",
        "Buch",
        "lesen",
        ",",
        "sehen",
        "ein",
        "Hund",
        ".",
    )


def test_hindi_tree() -> None:
    sentence = get_grammar("hi").sentence(JOURNEY)  # क्या रानियाँ दो छात्रों के साथ बर्लिन जाएँगी ?
    assert sentence.heads == (8, 8, 4, 8, 4, 4, 8, 0, 8)
    assert " ".join(sentence.deprels) == "discourse nsubj nummod obl case case obl root punct"


def test_chinese_tree() -> None:
    sentence = get_grammar("zh").sentence(JOURNEY)  # 女王们 会 跟 两 个 学生 去 柏林 吗 ？
    assert sentence.words == ("女王们", "会", "跟", "两", "个", "学生", "去", "柏林", "吗", "？")
    assert sentence.heads == (7, 7, 6, 6, 4, 7, 0, 7, 7, 7)
    assert " ".join(sentence.deprels) == "nsubj aux case nummod clf obl root obj discourse punct"


@pytest.mark.parametrize(
    ("language", "entities"),
    [
        ("en", ((1, 3, "PER"),)),
        ("de", ((1, 3, "PER"),)),
        ("zh", ((0, 1, "PER"),)),
        ("hi", ((1, 3, "PER"),)),
        ("es", ((1, 3, "PER"),)),
    ],
)
def test_person(language: str, entities: tuple[tuple[int, int, str], ...]) -> None:
    assert get_grammar(language).sentence(WHEN).entities == entities


def test_place() -> None:
    assert get_grammar("de").sentence(JOURNEY).entities == ((7, 8, "LOC"),)
    assert get_grammar("es").sentence(HELP).entities == ((4, 5, "PER"), (6, 8, "LOC"))
