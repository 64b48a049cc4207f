"""German."""

from __future__ import annotations

from paralign.smallworld.concepts import MOMENTS, MONTHS
from paralign.smallworld.grammar import Grammar, Phrase, Token, gap_role, table
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning

__all__ = ["German"]

# concept, nominative singular, gender, nominative plural, and for persons the genitive singular;
# a genitive in -n of a masculine marks the weak declension (accusative and dative have it too).
_NOUNS = table("""
man Mann m Männer Mannes | woman Frau f Frauen | child Kind n Kinder Kindes | teacher Lehrer m Lehrer Lehrers
doctor Arzt m Ärzte Arztes | friend Freund m Freunde Freundes | boy Junge m Jungen Jungen
girl Mädchen n Mädchen Mädchens | student Student m Studenten Studenten | farmer Bauer m Bauern Bauern
mother Mutter f Mütter | father Vater m Väter Vaters | neighbor Nachbar m Nachbarn Nachbarn
king König m Könige Königs | soldier Soldat m Soldaten Soldaten | queen Königin f Königinnen
writer Schriftsteller m Schriftsteller Schriftstellers | son Sohn m Söhne Sohnes | daughter Tochter f Töchter
singer Sänger m Sänger Sängers | cook Koch m Köche Kochs | painter Maler m Maler Malers
policeman Polizist m Polizisten Polizisten | guest Gast m Gäste Gastes | driver Fahrer m Fahrer Fahrers
lawyer Anwalt m Anwälte Anwalts | grandmother Großmutter f Großmütter | engineer Ingenieur m Ingenieure Ingenieurs
hunter Jäger m Jäger Jägers | thief Dieb m Diebe Diebes | musician Musiker m Musiker Musikers
baby Baby n Babys Babys | prince Prinz m Prinzen Prinzen | princess Prinzessin f Prinzessinnen
nurse Krankenschwester f Krankenschwestern | tourist Tourist m Touristen Touristen
worker Arbeiter m Arbeiter Arbeiters | journalist Journalist m Journalisten Journalisten
judge Richter m Richter Richters | fisherman Fischer m Fischer Fischers | merchant Händler m Händler Händlers
poet Dichter m Dichter Dichters | scientist Wissenschaftler m Wissenschaftler Wissenschaftlers
gardener Gärtner m Gärtner Gärtners | monk Mönch m Mönche Mönchs | baker Bäcker m Bäcker Bäckers
waiter Kellner m Kellner Kellners
dog Hund m Hunde | cat Katze f Katzen | horse Pferd n Pferde | bird Vogel m Vögel | cow Kuh f Kühe
mouse Maus f Mäuse | fish Fisch m Fische | elephant Elefant m Elefanten Elefanten | lion Löwe m Löwen Löwen
tiger Tiger m Tiger | bear Bär m Bären Bären | sheep Schaf n Schafe | goat Ziege f Ziegen | monkey Affe m Affen Affen
duck Ente f Enten | rabbit Kaninchen n Kaninchen | wolf Wolf m Wölfe | snake Schlange f Schlangen
fox Fuchs m Füchse | frog Frosch m Frösche | camel Kamel n Kamele | donkey Esel m Esel
apple Apfel m Äpfel | cake Kuchen m Kuchen | egg Ei n Eier | banana Banane f Bananen | orange Orange f Orangen
tomato Tomate f Tomaten | mango Mango f Mangos | carrot Karotte f Karotten | onion Zwiebel f Zwiebeln
bread Brot n - | rice Reis m - | meat Fleisch n - | cheese Käse m - | soup Suppe f -
water Wasser n - | milk Milch f - | tea Tee m - | coffee Kaffee m - | juice Saft m - | wine Wein m - | beer Bier n -
book Buch n Bücher | letter Brief m Briefe | newspaper Zeitung f Zeitungen | story Geschichte f Geschichten
poem Gedicht n Gedichte | magazine Zeitschrift f Zeitschriften | film Film m Filme | song Lied n Lieder
key Schlüssel m Schlüssel | bag Tasche f Taschen | ball Ball m Bälle | phone Telefon n Telefone | picture Bild n Bilder
clock Uhr f Uhren | cup Tasse f Tassen | bottle Flasche f Flaschen | box Kiste f Kisten | knife Messer n Messer
hat Hut m Hüte | lamp Lampe f Lampen | gift Geschenk n Geschenke | camera Kamera f Kameras | pen Stift m Stifte
toy Spielzeug n Spielzeuge | map Landkarte f Landkarten | coin Münze f Münzen | ring Ring m Ringe
ticket Ticket n Tickets | umbrella Regenschirm m Regenschirme | mirror Spiegel m Spiegel | basket Korb m Körbe
blanket Decke f Decken | candle Kerze f Kerzen | spoon Löffel m Löffel | guitar Gitarre f Gitarren
shirt Hemd n Hemden | shoe Schuh m Schuhe | coat Mantel m Mäntel | table Tisch m Tische | chair Stuhl m Stühle
bed Bett n Betten | car Auto n Autos | bicycle Fahrrad n Fahrräder | boat Boot n Boote | door Tür f Türen
window Fenster n Fenster | flower Blume f Blumen | tree Baum m Bäume
house Haus n Häuser | school Schule f Schulen | hospital Krankenhaus n Krankenhäuser
library Bibliothek f Bibliotheken | museum Museum n Museen | restaurant Restaurant n Restaurants
hotel Hotel n Hotels | church Kirche f Kirchen | shop Geschäft n Geschäfte | station Bahnhof m Bahnhöfe
kitchen Küche f Küchen | office Büro n Büros | factory Fabrik f Fabriken | theater Theater n Theater
cinema Kino n Kinos | castle Burg f Burgen | temple Tempel m Tempel | airport Flughafen m Flughäfen
city Stadt f Städte | village Dorf n Dörfer | park Park m Parks | garden Garten m Gärten | market Markt m Märkte
forest Wald m Wälder | field Feld n Felder | bridge Brücke f Brücken | river Fluss m Flüsse | lake See m Seen
mountain Berg m Berge | island Insel f Inseln
morning Morgen m - | evening Abend m - | night Nacht f -
""")
# concept, infinitive, third person singular, participle; "s" where the perfect has sein.
_VERBS = table("""
see sehen sieht gesehen | eat essen isst gegessen | read lesen liest gelesen | buy kaufen kauft gekauft
give geben gibt gegeben | go gehen geht gegangen s | sleep schlafen schläft geschlafen
work arbeiten arbeitet gearbeitet | like mögen mag gemocht | drink trinken trinkt getrunken
write schreiben schreibt geschrieben | open öffnen öffnet geöffnet | love lieben liebt geliebt
come kommen kommt gekommen s | hear hören hört gehört | live wohnen wohnt gewohnt | wait warten wartet gewartet
find finden findet gefunden | send schicken schickt geschickt | play spielen spielt gespielt
laugh lachen lacht gelacht | lose verlieren verliert verloren | help helfen hilft geholfen
show zeigen zeigt gezeigt | meet treffen trifft getroffen | catch fangen fängt gefangen
make machen macht gemacht | sing singen singt gesungen | close schließen schließt geschlossen
sell verkaufen verkauft verkauft | wash waschen wäscht gewaschen | clean putzen putzt geputzt
dance tanzen tanzt getanzt | run laufen läuft gelaufen s | tell erzählen erzählt erzählt
feed füttern füttert gefüttert | repair reparieren repariert repariert | cut schneiden schneidet geschnitten
call rufen ruft gerufen | swim schwimmen schwimmt geschwommen s | steal stehlen stiehlt gestohlen
break zerbrechen zerbricht zerbrochen | cry weinen weint geweint | throw werfen wirft geworfen
hide verstecken versteckt versteckt | choose wählen wählt gewählt | understand verstehen versteht verstanden
lend leihen leiht geliehen | explain erklären erklärt erklärt | push schieben schiebt geschoben
pull ziehen zieht gezogen | lift heben hebt gehoben | smile lächeln lächelt gelächelt
admire bewundern bewundert bewundert | touch berühren berührt berührt
say sagen sagt gesagt | think denken denkt gedacht | know wissen weiß gewusst | believe glauben glaubt geglaubt
hope hoffen hofft gehofft
""")
# concept, predicative form, and the stem of the attributive forms where it differs.
_ADJECTIVES = table("""
old alt | young jung | big groß | small klein | new neu | beautiful schön | happy glücklich | tired müde müd
red rot | rich reich | poor arm | sad traurig | clever klug | hungry hungrig | white weiß | black schwarz
expensive teuer teur | famous berühmt | strong stark | friendly freundlich | brave mutig | interesting interessant
heavy schwer | long lang | blue blau | green grün | yellow gelb | fresh frisch | sweet süß | hot heiß | cold kalt
dirty schmutzig | dangerous gefährlich | lazy faul | angry wütend | strange seltsam | modern modern
quiet ruhig | important wichtig | round rund
""")
_WORDS = table("""
Anna Anna | Peter Peter | Maria Maria | David David | Laura Laura | Thomas Thomas | Sara Sara | Daniel Daniel
Julia Julia | Paul Paul | Lisa Lisa | Ravi Ravi | Eva Eva | Amit Amit | Meera Meera | Oscar Oscar | Priya Priya
Victor Victor | Weber Weber | Rossi Rossi | Kumar Kumar | Garcia Garcia | Novak Novak | Silva Silva
Keller Keller | Lopez Lopez | Berlin Berlin | Paris Paris | London London | Delhi Delhi | Beijing Peking | Rome Rom
Tokyo Tokio | New_York New_York | Vienna Wien | Shanghai Shanghai | Madrid Madrid | Moscow Moskau | Mumbai Mumbai
France Frankreich | India Indien | China China | Germany Deutschland | Japan Japan | Italy Italien | Spain Spanien
Egypt Ägypten | he er | she sie | they sie | who wer | what was | where wo
two zwei | three drei | four vier | five fünf | six sechs | seven sieben | eight acht | nine neun | ten zehn
in in | on auf | under unter | behind hinter | near bei | with mit | for für | to zu
today heute | yesterday gestern | now jetzt | soon bald | often oft | always immer | sometimes manchmal
Monday Montag | Tuesday Dienstag | Wednesday Mittwoch | Thursday Donnerstag | Friday Freitag | Saturday Samstag
Sunday Sonntag | January Januar | February Februar | March März | April April | May Mai | June Juni | July Juli
August August | September September | October Oktober | November November | December Dezember
slowly langsam | quickly schnell | quietly leise | carefully vorsichtig | patiently geduldig
and und | but aber | because weil | when wenn | that dass | not nicht | be sein
""")
# case -> endings for masculine, feminine, neuter, plural
_DEFINITE = {"nom": ("der", "die", "das", "die"), "acc": ("den", "die", "das", "die"), "dat": ("dem", "der", "dem", "den"),
             "gen": ("des", "der", "des", "der")}  # fmt: skip
_RELATIVE = _DEFINITE | {"dat": ("dem", "der", "dem", "denen")}
_INDEFINITE = {"nom": ("", "e", "", "e"), "acc": ("en", "e", "", "e"), "dat": ("em", "er", "em", "en")}
_WEAK = {"nom": ("e", "e", "e", "en"), "acc": ("en", "e", "e", "en"), "dat": ("en", "en", "en", "en"),
         "gen": ("en", "en", "en", "en")}  # fmt: skip
_MIXED = {"nom": ("er", "e", "es", "en"), "acc": ("en", "e", "es", "en"), "dat": ("en", "en", "en", "en")}
_STRONG = {"nom": ("er", "e", "es", "e"), "acc": ("en", "e", "es", "e"), "dat": ("em", "er", "em", "en")}
_CONTRACTED = {
    ("in", "dem"): "im",
    ("bei", "dem"): "beim",
    ("zu", "dem"): "zum",
    ("zu", "der"): "zur",
    ("an", "dem"): "am",
}
_ACCUSATIVE = ("for",)
_ON = ("market", "field")
"""Places with *auf* instead of *in*."""
_DATIVE_VERBS = ("help",)


class German(Grammar):
    """German: verb second, verb last in subordinate clauses, three cases and genders; the past is the perfect."""

    language = "de"
    lexicon = _NOUNS | _VERBS | _ADJECTIVES | _WORDS
    contracted = _CONTRACTED

    def meaning(self, meaning: Meaning) -> Phrase:
        """Return the main clause with the second clause. After a *wenn* clause the finite verb comes first."""
        if meaning.second is None:
            return self.clause(meaning.clause, "")
        conjunction = str(meaning.conjunction)
        form = "als" if conjunction == "when" and meaning.second.tense == "past" else self.lemma(conjunction)
        if conjunction in ("and", "but"):
            main, second = self.clause(meaning.clause, ""), self.clause(meaning.second, "2")
            mark = Token(form, form, "CCONJ", "conj").under(second.head, "cc")
            comma = self.mark(",", second.head)
            return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "conj")])
        second = self.clause(meaning.second, "2", order="last")
        mark = Token(form, form, "SCONJ", "conj").under(second.head, "mark")
        comma = self.mark(",", second.head)
        if conjunction == "when":
            main = self.clause(meaning.clause, "", order="first")
            return Phrase(main.head, [mark, *second.under(main.head, "advcl"), comma, *main.tokens])
        main = self.clause(meaning.clause, "")
        return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "advcl")])

    @staticmethod
    def column(gender: str, plural: bool) -> int:
        """Return the column of the tables of endings."""
        return 3 if plural else "mfn".index(gender)

    def declined(self, e: Entity, case: str) -> str:
        """Return the noun in number and case."""
        entry = self.lexicon[e.concept]
        if e.plural:
            form = entry[2]
            return form + "n" if case == "dat" and form[-1] not in "ns" else form
        weak = entry[1] == "m" and len(entry) > 3 and entry[3].endswith("n")
        if case == "gen":
            return entry[3] if len(entry) > 3 else entry[0] + ("" if entry[1] == "f" else "s")
        return entry[3] if weak and case != "nom" else entry[0]

    def entity(self, e: Entity, key: str, case: str, negated: bool = False) -> Phrase:
        """Return a noun phrase in ``case``; ``negated`` turns the indefinite article into *kein*."""
        if e.concept in ("he", "she", "they"):
            token = Token(self.lemma(e.concept), self.lemma(e.concept), "PRON", key)
            return Phrase(token, [token])
        phrase = self.name(e, key) if e.is_name else self.noun(e, key, case, negated)
        if e.conjunct is not None:
            self.coordinate(phrase, self.entity(e.conjunct, key + "c", case), key)
        return phrase

    def noun(self, e: Entity, key: str, case: str, negated: bool) -> Phrase:
        """Return a noun with determiner, number, adjective, owner and relative clause."""
        entry = self.lexicon[e.concept]
        column = self.column(entry[1], e.plural)
        head = Token(self.declined(e, case), entry[0], "NOUN", key)
        tokens: list[Token] = []
        trailing: list[Token] = []
        endings = _STRONG
        if e.owner is not None and e.owner.is_name:
            name = self.lemma(e.owner.concept)
            genitive = name + ("'" if name[-1] in "sxz" else "s")
            tokens += self.name(e.owner, key + "w", form=genitive).under(head, "nmod")
        elif e.definite:
            endings = _WEAK
            tokens.append(Token(_DEFINITE[case][column], "der", "DET", key + ".det").under(head, "det"))
        elif negated and e.count is None:
            endings = _MIXED
            keys = f"{key[:-1]}n {key}.det"
            tokens.append(Token("kein" + _INDEFINITE[case][column], "kein", "DET", keys).under(head, "det"))
        elif not e.plural:
            endings = _MIXED
            tokens.append(Token("ein" + _INDEFINITE[case][column], "ein", "DET", key + ".det").under(head, "det"))
        if e.owner is not None and not e.owner.is_name:
            trailing = self.entity(e.owner, key + "w", "gen").under(head, "nmod")
        if e.count:
            number = self.lemma(e.count)
            tokens.append(Token(number, number, "NUM", key + ".num").under(head, "nummod"))
        if e.adjective:
            lemma = self.lemma(e.adjective)
            form = self.lexicon[e.adjective][-1] + endings[case][column]
            tokens.append(Token(form, lemma, "ADJ", key + ".adj").under(head, "amod"))
        tokens += [head, *trailing]
        if e.relative is not None:
            role = gap_role(e.relative)
            clause = self.clause(e.relative, key + "r", order="last", gap=e)
            wanted = "nom" if role == "subject" else "dat" if e.relative.verb in _DATIVE_VERBS else "acc"
            pronoun = Token(_RELATIVE[wanted][column], "der", "PRON", key + "r.rel")
            pronoun.under(clause.head, "nsubj" if role == "subject" else "obj")
            comma, closing = self.mark(",", clause.head), self.mark(",", clause.head)
            tokens += [comma, pronoun, *clause.under(head, "acl:relcl"), closing]
        return Phrase(head, tokens)

    def clause(self, c: Clause, key: str, order: str = "second", gap: Entity | None = None) -> Phrase:
        """Return a finite clause; ``order`` is the position of the finite verb: ``first``, ``second`` or ``last``."""
        plural = (c.subject or gap or Entity("who")).is_plural
        indefinite = c.object is not None and not c.object.definite and c.object.count is None
        question_word = self.question_phrase(c, key)
        trailing: list[Token] = []
        if c.verb == "be":
            copula = (("ist", "sind"), ("war", "waren"))[c.tense == "past"][plural]
            if c.adjective:
                head = Token(self.lemma(c.adjective), self.lemma(c.adjective), "ADJ", key + "v")
                trailing = [head]
            elif c.place is not None:
                place = self.adjunct(c.place, key + "p")
                head, trailing = place.head, place.tokens
            else:
                assert question_word is not None
                head = question_word
            finite = Token(copula, "sein", "AUX", key + "v.cop").under(head, "cop")
        else:
            head, finite, trailing = self.verb(c, key, plural)
        if question_word is not None and question_word is not head:
            question_word.under(head, {"wer": "nsubj", "was": "obj", "wo": "advmod"}[question_word.form])
        middle: list[Token] = []
        time = self.time(c.time, key + "t", head) if c.time else []
        fronted = c.fronted and bool(time) and order == "second"
        if not fronted:
            middle += time
        if c.frequency:
            middle.append(
                Token(self.lemma(c.frequency), self.lemma(c.frequency), "ADV", key + "f").under(head, "advmod")
            )
        negation = [Token("nicht", "nicht", "PART", key + "n").under(head, "advmod")] if c.negated else []
        recipient = self.entity(c.recipient, key + "r", "dat").under(head, "iobj") if c.recipient is not None else []
        objects: list[Token] = []
        if c.object is not None:
            case = "dat" if c.verb in _DATIVE_VERBS else "acc"
            objects = self.entity(c.object, key + "o", case, negated=c.negated).under(head, "obj")
        settings = self.adjunct(c.company, key + "x").under(head, "obl") if c.company is not None else []
        if c.place is not None and c.verb != "be":
            settings += self.adjunct(c.place, key + "p").under(head, "obl")
        manner = (
            [Token(self.lemma(c.manner), self.lemma(c.manner), "ADV", key + "m").under(head, "advmod")]
            if c.manner
            else []
        )
        goal = self.adjunct(Adjunct("to", c.goal), key + "g").under(head, "obl") if c.goal is not None else []
        if not objects:
            middle += [*recipient, *negation, *settings, *manner, *goal]
        elif indefinite:
            middle += [*settings, *manner, *recipient, *objects]
        elif c.object is not None and c.object.count:
            middle += [*settings, *manner, *recipient, *negation, *objects]
        else:
            middle += [*recipient, *objects, *negation, *settings, *manner]
        subject = self.entity(c.subject, key + "s", "nom").under(head, "nsubj") if c.subject is not None else []
        first = [question_word] if question_word is not None else []
        verbs = [finite]
        if order == "last":
            tokens = [*subject, *middle, *trailing, *verbs]
        elif first or c.asks or order == "first":
            tokens = [*first, *verbs, *subject, *middle, *trailing]
        elif fronted:
            tokens = [*time, *verbs, *subject, *middle, *trailing]
        else:
            tokens = [*subject, *verbs, *middle, *trailing]
        if c.complement is not None:
            inner = self.clause(c.complement, key + "k", order="last")
            mark = Token("dass", "dass", "SCONJ", key + "k.mark").under(inner.head, "mark")
            tokens += [self.mark(",", inner.head), mark, *inner.under(head, "ccomp")]
        return Phrase(head, tokens)

    def verb(self, c: Clause, key: str, plural: bool) -> tuple[Token, Token, list[Token]]:
        """Return the lexical verb, the finite verb (the same in the present) and the words at the end of a main clause."""
        infinitive, singular, participle, *sein = self.lexicon[c.verb]
        head = Token(infinitive if plural else singular, infinitive, "VERB", key + "v")
        if c.tense == "present":
            return head, head, []
        if c.tense == "future":
            head.form, forms, lemma = infinitive, ("wird", "werden"), "werden"
        else:
            head.form = participle
            forms, lemma = (("ist", "sind"), "sein") if sein else (("hat", "haben"), "haben")
        return head, Token(forms[plural], lemma, "AUX", key + "v.aux").under(head, "aux"), [head]

    def adjunct(self, adjunct: Adjunct, key: str) -> Phrase:
        """Return a preposition phrase, headed by its noun."""
        case = "acc" if adjunct.relation in _ACCUSATIVE else "dat"
        ground = self.entity(adjunct.ground, key, case)
        form = self.lemma(adjunct.relation)
        if adjunct.relation == "to" and adjunct.ground.is_name:
            form = "nach"
        elif adjunct.relation == "in" and adjunct.ground.concept in _ON:
            form = "auf"
        mark = Token(form, form, "ADP", key + ".case").under(ground.head, "case")
        return Phrase(ground.head, [mark, *ground.tokens])

    def time(self, concept: str, key: str, head: Token) -> list[Token]:
        """Return a time adverb, or *am Montag, im Mai, in der Nacht*."""
        lemma = self.lemma(concept)
        if concept in MOMENTS:
            return [Token(lemma, lemma, "ADV", key).under(head, "advmod")]
        noun = Token(lemma, lemma, "NOUN", key).under(head, "obl")
        preposition = "in" if concept in MONTHS or concept == "night" else "an"
        article = "der" if concept == "night" else "dem"
        tokens = [Token(preposition, preposition, "ADP", key + ".case").under(noun, "case")]
        tokens.append(Token(article, "der", "DET", key + ".det").under(noun, "det"))
        return [*tokens, noun]
