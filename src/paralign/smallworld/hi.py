"""Hindi (Devanagari)."""

from __future__ import annotations

from typing import ClassVar

from paralign.smallworld.concepts import ANIMATE, MOMENTS, MONTHS, WEEKDAYS
from paralign.smallworld.grammar import Grammar, Phrase, Token, gap_role, table
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning

__all__ = ["Hindi"]

# concept, noun, gender; "fixed" marks a masculine in -ā that does not change in the direct plural and oblique
_NOUNS = table("""
man आदमी m | woman औरत f | child बच्चा m | teacher शिक्षक m | doctor डॉक्टर m | friend दोस्त m | boy लड़का m | girl लड़की f
student छात्र m | farmer किसान m | mother माँ f | father पिता m fixed | neighbor पड़ोसी m | king राजा m fixed | soldier सैनिक m
queen रानी f | writer लेखक m | son बेटा m | daughter बेटी f | singer गायक m | cook रसोइया m | painter चित्रकार m
policeman पुलिसवाला m | guest मेहमान m | driver ड्राइवर m | lawyer वकील m | grandmother दादी f | engineer इंजीनियर m
hunter शिकारी m | thief चोर m | musician संगीतकार m | baby शिशु m | prince राजकुमार m | princess राजकुमारी f | nurse नर्स f
tourist पर्यटक m | worker मज़दूर m | journalist पत्रकार m | judge न्यायाधीश m | fisherman मछुआरा m | merchant व्यापारी m
poet कवि m | scientist वैज्ञानिक m | gardener माली m | monk भिक्षु m | baker बेकर m | waiter वेटर m
dog कुत्ता m | cat बिल्ली f | horse घोड़ा m | bird पक्षी m | cow गाय f | mouse चूहा m | fish मछली f | elephant हाथी m
lion शेर m | tiger बाघ m | bear भालू m | sheep भेड़ f | goat बकरी f | monkey बंदर m | duck बत्तख f | rabbit खरगोश m
wolf भेड़िया m | snake साँप m | fox लोमड़ी f | frog मेंढक m | camel ऊँट m | donkey गधा m
apple सेब m | cake केक m | egg अंडा m | banana केला m | orange संतरा m | tomato टमाटर m | mango आम m | carrot गाजर f
onion प्याज़ m | bread ब्रेड f | rice चावल m | meat मांस m | cheese पनीर m | soup सूप m | water पानी m | milk दूध m | tea चाय f
coffee कॉफ़ी f | juice रस m | wine शराब f | beer बीयर f
book किताब f | letter चिट्ठी f | newspaper अख़बार m | story कहानी f | poem कविता f | magazine पत्रिका f | film फ़िल्म f | song गीत m
key चाबी f | bag थैला m | ball गेंद f | phone फ़ोन m | picture तस्वीर f | clock घड़ी f | cup प्याला m | bottle बोतल f
box डिब्बा m | knife चाकू m | hat टोपी f | lamp दीपक m | gift तोहफ़ा m | camera कैमरा m | pen कलम f | toy खिलौना m
map नक्शा m | coin सिक्का m | ring अँगूठी f | ticket टिकट m | umbrella छाता m | mirror आईना m | basket टोकरी f
blanket कंबल m | candle मोमबत्ती f | spoon चम्मच m | guitar गिटार m | shirt कमीज़ f | shoe जूता m | coat कोट m
table मेज़ f | chair कुर्सी f | bed पलंग m | car कार f | bicycle साइकिल f | boat नाव f | door दरवाज़ा m | window खिड़की f
flower फूल m | tree पेड़ m
house घर m | school स्कूल m | hospital अस्पताल m | library पुस्तकालय m | museum संग्रहालय m | restaurant रेस्टोरेंट m
hotel होटल m | church गिरजाघर m | shop दुकान f | station स्टेशन m | kitchen रसोई f | office दफ़्तर m | factory कारख़ाना m
theater थिएटर m | cinema सिनेमाघर m | castle क़िला m | temple मंदिर m | airport एयरपोर्ट m | city शहर m | village गाँव m
park पार्क m | garden बगीचा m | market बाज़ार m | forest जंगल m | field खेत m | bridge पुल m | river नदी f | lake झील f
mountain पहाड़ m | island द्वीप m
""")
# concept, infinitive, then: "ne" if the subject of the perfective takes ने; a marker of the object (से, का, की);
# "+word:gender" a noun or adjective before the verb ("-" no gender: it does not agree)
_VERBS = table("""
see देखना ne | eat खाना ne | read पढ़ना ne | buy ख़रीदना ne | give देना ne | go जाना | sleep सोना | work करना ne +काम:m
like करना ne +पसंद:- | drink पीना ne | write लिखना ne | open खोलना ne | love करना ne से +प्यार:m | come आना | hear सुनना ne
live रहना | wait करना ne +इंतज़ार:m | find पाना ne | send भेजना ne | play खेलना | laugh हँसना | lose खोना ne
help करना ne की +मदद:f | show दिखाना ne | meet मिलना से | catch पकड़ना ne | make बनाना ne | sing गाना ne
close करना ne +बंद:- | sell बेचना ne | wash धोना ne | clean करना ne +साफ़:- | dance नाचना | run दौड़ना | tell सुनाना ne
feed खिलाना ne | repair करना ne +ठीक:- | cut काटना ne | call बुलाना ne | swim तैरना | steal चुराना ne | break तोड़ना ne
cry रोना | throw फेंकना ne | hide छिपाना ne | choose चुनना ne | understand समझना ne | lend देना ne +उधार:- | explain समझाना ne
push धकेलना ne | pull खींचना ne | lift उठाना ne | smile मुस्कुराना | admire करना ne की +प्रशंसा:f | touch छूना ne
say कहना ne | think सोचना ne | know जानना ne | believe मानना ne | hope करना ne +उम्मीद:f
""")
_ADJECTIVES = table("""
old बूढ़ा | young जवान | big बड़ा | small छोटा | new नया | beautiful सुंदर | happy खुश | tired थका | red लाल | rich अमीर | poor ग़रीब
sad उदास | clever चतुर | hungry भूखा | white सफ़ेद | black काला | expensive महँगा | famous प्रसिद्ध | strong ताकतवर
friendly मिलनसार | brave बहादुर | interesting दिलचस्प | heavy भारी | long लंबा | blue नीला | green हरा | yellow पीला
fresh ताज़ा | sweet मीठा | hot गरम | cold ठंडा | dirty गंदा | dangerous ख़तरनाक | lazy आलसी | angry नाराज़ | strange अजीब
modern आधुनिक | quiet शांत | important महत्वपूर्ण | round गोल
""")
_WORDS = table("""
Anna अन्ना | Peter पीटर | Maria मारिया | David डेविड | Laura लौरा | Thomas थॉमस | Sara सारा | Daniel डैनियल
Julia जूलिया | Paul पॉल | Lisa लीसा | Ravi रवि | Eva ईवा | Amit अमित | Meera मीरा | Oscar ऑस्कर | Priya प्रिया
Victor विक्टर | Weber वेबर | Rossi रॉसी | Kumar कुमार | Garcia गार्सिया | Novak नोवाक | Silva सिल्वा
Keller केलर | Lopez लोपेज़ | Berlin बर्लिन | Paris पेरिस | London लंदन | Delhi दिल्ली | Beijing बीजिंग | Rome रोम
Tokyo टोक्यो | New_York न्यूयॉर्क | Vienna वियना | Shanghai शंघाई | Madrid मैड्रिड | Moscow मॉस्को | Mumbai मुंबई
France फ़्रांस | India भारत | China चीन | Germany जर्मनी | Japan जापान | Italy इटली | Spain स्पेन | Egypt मिस्र
he वह | she वह | they वे | who कौन | what क्या | where कहाँ
two दो | three तीन | four चार | five पाँच | six छह | seven सात | eight आठ | nine नौ | ten दस
in में | on पर | under के_नीचे | behind के_पीछे | near के_पास | with के_साथ | for के_लिए | to को
today आज | yesterday कल | now अब | soon जल्द | often अक्सर | always हमेशा | sometimes कभी-कभी
Monday सोमवार | Tuesday मंगलवार | Wednesday बुधवार | Thursday गुरुवार | Friday शुक्रवार | Saturday शनिवार | Sunday रविवार
January जनवरी | February फ़रवरी | March मार्च | April अप्रैल | May मई | June जून | July जुलाई | August अगस्त
September सितंबर | October अक्टूबर | November नवंबर | December दिसंबर | morning सुबह | evening शाम | night रात
slowly धीरे-धीरे | quickly जल्दी | quietly चुपचाप | carefully सावधानीपूर्वक | patiently धैर्यपूर्वक
and और | but लेकिन | because क्योंकि | when जब | that कि | not नहीं | be होना
""")
# Perfective masculine singular, plural, feminine singular, plural where the stem does not determine them.
_PERFECTIVES = table("""
कर किया किए की कीं | दे दिया दिए दी दीं | पी पिया पिए पी पीं | जा गया गए गई गईं | छू छुआ छुए छुई छुईं
""")
_FUTURES = table("दे देगा देंगे देगी देंगी | पी पिएगा पिएँगे पिएगी पिएँगी | छू छुएगा छुएँगे छुएगी छुएँगी")
_PRONOUNS = {"he": ("वह", "उसने"), "she": ("वह", "उसने"), "they": ("वे", "उन्होंने")}
_VOWELS = "ािीुूेैोौआइईउऊएओ"


def noun_forms(noun: str, gender: str, fixed: bool = False) -> tuple[str, str, str, str]:
    """Return direct and oblique singular, direct and oblique plural."""
    if gender == "m":
        if noun.endswith("ा") and not fixed:
            stem = noun[:-1]
            return noun, stem + "े", stem + "े", stem + "ों"
        return noun, noun, noun, _oblique_plural(noun)
    if noun.endswith(("ी", "ई")):
        plural = noun[:-1] + ("ियाँ" if noun.endswith("ी") else "इयाँ")
    else:
        plural = noun + ("एँ" if _vowel_final(noun) else "ें")
    return noun, noun, plural, _oblique_plural(noun)


def _vowel_final(noun: str) -> bool:
    """Return whether the word ends in a vowel, nasalized (माँ) or not."""
    return noun.removesuffix("ँ")[-1] in _VOWELS


def _oblique_plural(noun: str) -> str:
    if noun.endswith(("ी", "ि")):
        return noun[:-1] + "ियों"
    if noun.endswith("ई"):
        return noun[:-1] + "इयों"
    if noun.endswith("ू"):
        return noun[:-1] + "ुओं"
    return noun + ("ओं" if _vowel_final(noun) else "ों")


def agree(form: str, gender: str, plural: bool, oblique: bool = False) -> str:
    """Return an adjective, participle or postposition in -ā in agreement; others do not change."""
    if form == "नया":
        return "नई" if gender == "f" else "नए" if plural or oblique else form
    if not form.endswith("ा"):
        return form
    return form[:-1] + ("ी" if gender == "f" else "े" if plural or oblique else "ा")


def perfective(stem: str, gender: str, plural: bool) -> str:
    """Return the perfective participle, used alone as simple past."""
    column = (2 if gender == "f" else 0) + plural
    if stem in _PERFECTIVES:
        return _PERFECTIVES[stem][column]
    if stem[-1] in _VOWELS:
        return stem + ("या", "ए", "ई", "ईं")[column]
    return stem + ("ा", "े", "ी", "ीं")[column]


def future(stem: str, gender: str, plural: bool) -> str:
    """Return the future, third person."""
    column = (2 if gender == "f" else 0) + plural
    if stem in _FUTURES:
        return _FUTURES[stem][column]
    if stem[-1] in _VOWELS:
        return stem + ("एगा", "एँगे", "एगी", "एँगी")[column]
    return stem + ("ेगा", "ेंगे", "ेगी", "ेंगी")[column]


class Hindi(Grammar):
    """Hindi: verb last, postpositions with the oblique, ने in the perfective, habitual present and simple future."""

    language = "hi"
    lexicon = _NOUNS | _VERBS | _ADJECTIVES | _WORDS
    stop = "।"
    forms: ClassVar = {concept: noun_forms(entry[0], entry[1], len(entry) > 2) for concept, entry in _NOUNS.items()}

    def lemma(self, concept: str) -> str:
        """Return the dictionary form; of a conjunct verb both words (मदद करना)."""
        form, *notes = self.lexicon[concept]
        first = next((note[1:].partition(":")[0] + " " for note in notes if note[0] == "+"), "")
        return first + form

    def meaning(self, meaning: Meaning) -> Phrase:
        """Return the main clause with the second clause: जब …, तब first, others last."""
        main = self.clause(meaning.clause, "")
        if meaning.second is None:
            return main
        second = self.clause(meaning.second, "2")
        conjunction = str(meaning.conjunction)
        form = self.lemma(conjunction)
        comma = self.mark(",", second.head)
        if conjunction == "when":
            mark = Token(form, form, "ADV", "conj").under(second.head, "mark")
            then = Token("तब", "तब", "ADV").under(main.head, "advmod")
            return Phrase(main.head, [mark, *second.under(main.head, "advcl"), comma, then, *main.tokens])
        if conjunction == "because":
            mark = Token(form, form, "SCONJ", "conj").under(second.head, "mark")
            return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "advcl")])
        mark = Token(form, form, "CCONJ", "conj").under(second.head, "cc")
        return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "conj")])

    def entity(self, e: Entity, key: str, post: str = "", case: str = "") -> Phrase:
        """Return a noun phrase with the postposition ``post`` (``case`` is its key), oblique if there is one."""
        if e.concept in _PRONOUNS:
            direct, ergative = _PRONOUNS[e.concept]
            token = Token(ergative if post == "ने" else direct, direct, "PRON", key)
            return Phrase(token, [token])
        later = e.conjunct is not None
        phrase = self.name(e, key) if e.is_name else self.noun(e, key, "" if later else post, case, oblique=bool(post))
        if e.conjunct is not None:
            self.coordinate(phrase, self.entity(e.conjunct, key + "c", post, case), key)
        elif e.is_name:
            phrase.tokens += self.postposition(post, phrase.head, case)
        return phrase

    def postposition(self, post: str, head: Token, case: str) -> list[Token]:
        """Return the words of a postposition; compound ones (के नीचे) are two words, both case."""
        return [Token(form, form, "ADP", case).under(head, "case") for form in post.split()]

    def noun(self, e: Entity, key: str, post: str, case: str, oblique: bool) -> Phrase:
        """Return a noun with number, adjective, owner, postposition and relative clause."""
        gender = self.lexicon[e.concept][1]
        form = self.forms[e.concept][2 * e.plural + oblique]
        head = Token(form, self.lemma(e.concept), "NOUN", key)
        tokens: list[Token] = []
        if e.owner is not None:
            owner = agree("का", gender, e.plural, oblique)
            tokens += self.entity(e.owner, key + "w", owner, key + "w.case").under(head, "nmod")
            tokens[-1].lemma = "का"
        if e.relative is not None and e.definite:
            that = ("उन" if oblique else "वे") if e.plural else "उस" if oblique else "वह"
            tokens.append(Token(that, "वह", "DET", key + ".det").under(head, "det"))
        if e.count:
            number = self.lemma(e.count)
            tokens.append(Token(number, number, "NUM", key + ".num").under(head, "nummod"))
        elif not e.definite and not e.plural:
            tokens.append(Token("एक", "एक", "NUM", key + ".det").under(head, "nummod"))
        if e.adjective:
            lemma = self.lemma(e.adjective)
            adjective = Token(agree(lemma, gender, e.plural, oblique), lemma, "ADJ", key + ".adj")
            tokens.append(adjective.under(head, "amod"))
        tokens += [head, *self.postposition(post, head, case)]
        if e.relative is not None:
            clause = self.clause(e.relative, key + "r", gap=e)
            comma, closing = self.mark(",", clause.head), self.mark(",", clause.head)
            tokens += [comma, *clause.under(head, "acl:relcl"), closing]
        return Phrase(head, tokens)

    def relative(self, c: Clause, key: str, gap: Entity, ergative: bool) -> tuple[Token, str]:
        """Return the relative pronoun, one word with its marker (जिसने, जिसे, जिससे), and its role."""
        plural = gap.is_plural
        if gap_role(c) == "subject":
            form = ("जिन्होंने" if plural else "जिसने") if ergative else "जो"
            return Token(form, "जो", "PRON", key + ".rel"), "nsubj"
        marker = self.marker(c)
        form = ("जिन" if plural else "जिस") + marker if marker else "जिन्हें" if plural else "जिसे"
        return Token(form, "जो", "PRON", key + ".rel"), "obj"

    def marker(self, c: Clause) -> str:
        """Return the postposition of the verb's object where it is not को."""
        return next((form for form in self.lexicon[c.verb][1:] if form in ("से", "का", "की")), "")

    def clause(self, c: Clause, key: str, gap: Entity | None = None) -> Phrase:
        """Return a clause: subject, time, frequency, company, place, recipient, object, manner, goal, negation, verb."""
        if c.verb == "be":
            return self.state(c, key)
        infinitive, *notes = self.lexicon[c.verb]
        stem = infinitive.removesuffix("ना")
        ergative = c.tense == "past" and "ne" in notes
        head = Token("", infinitive, "VERB", key + "v")
        compound = next((note[1:].split(":") for note in notes if note[0] == "+"), None)
        marker = self.marker(c)
        animate = c.object is not None and (c.object.concept in ANIMATE or c.object.is_name)
        if animate and not marker and c.recipient is None:  # never two को in one clause
            marker = "को"
        controller = c.subject or (gap if gap is not None and c.subject is None else Entity("who"))
        if not ergative:
            gender, plural = self.gender(controller), controller.is_plural
        elif compound is not None and compound[1] != "-":
            gender, plural = compound[1], False
        elif c.object is not None and not marker:
            gender, plural = self.gender(c.object), c.object.is_plural
        else:
            gender, plural = "m", False
        opening: list[Token] = []
        if gap is not None:
            pronoun, role = self.relative(c, key, gap, ergative)
            opening = [pronoun.under(head, role)]
        if c.asks == "whether":
            opening = [Token("क्या", "क्या", "PART", key + "ask").under(head, "discourse")]
        subject: list[Token] = []
        if c.subject is not None:
            subject = self.entity(c.subject, key + "s", "ने" if ergative else "", key + "s.case").under(head, "nsubj")
        time = self.time(c.time, key + "t", head) if c.time else []
        tokens = [*opening, *time, *subject] if c.fronted else [*opening, *subject, *time]
        if c.frequency:
            tokens.append(
                Token(self.lemma(c.frequency), self.lemma(c.frequency), "ADV", key + "f").under(head, "advmod")
            )
        for role, adjunct in (("x", c.company), ("p", c.place)):
            if adjunct is not None:
                tokens += self.adjunct(adjunct, key + role).under(head, "obl")
        if c.recipient is not None:
            tokens += self.entity(c.recipient, key + "r", "को", key + "r.case").under(head, "iobj")
        if c.object is not None:
            tokens += self.entity(c.object, key + "o", marker, key + "o.case").under(head, "obj")
        if c.manner:
            tokens.append(Token(self.lemma(c.manner), self.lemma(c.manner), "ADV", key + "m").under(head, "advmod"))
        if c.goal is not None:
            goal = (
                self.entity(c.goal, key + "g") if c.goal.is_name else self.noun(c.goal, key + "g", "", "", oblique=True)
            )
            tokens += goal.under(head, "obl")
        if c.asks in ("who", "what", "where"):
            form = "किसने" if c.asks == "who" and ergative else self.lemma(c.asks)
            upos, role, part = {
                "who": ("PRON", "nsubj", "s"),
                "what": ("PRON", "obj", "o"),
                "where": ("ADV", "advmod", "p"),
            }[c.asks]
            tokens.append(Token(form, self.lemma(c.asks), upos, key + part).under(head, role))
        if compound is not None:
            upos = "ADJ" if compound[1] == "-" else "NOUN"
            tokens.append(Token(compound[0], compound[0], upos, key + "v").under(head, "compound"))
        if c.negated:
            tokens.append(Token("नहीं", "नहीं", "PART", key + "n").under(head, "advmod"))
        tokens.append(head)
        if c.tense == "past":
            head.form = perfective(stem, gender, plural)
        elif c.tense == "future":
            head.form = future(stem, gender, plural)
        else:
            head.form = agree(stem + "ता", gender, plural)
            tokens.append(Token("हैं" if plural else "है", "होना", "AUX", key + "v.aux").under(head, "aux"))
        if c.complement is not None:
            inner = self.clause(c.complement, key + "k")
            mark = Token("कि", "कि", "SCONJ", key + "k.mark").under(inner.head, "mark")
            tokens += [mark, *inner.under(head, "ccomp")]
        return Phrase(head, tokens)

    def state(self, c: Clause, key: str) -> Phrase:
        """Return an adjective or a place with the copula."""
        assert c.subject is not None
        gender, plural = self.gender(c.subject), c.subject.is_plural
        if c.adjective:
            lemma = self.lemma(c.adjective)
            head = Token(agree(lemma, gender, plural), lemma, "ADJ", key + "v")
            trailing = [head]
        elif c.place is not None:
            place = self.adjunct(c.place, key + "p")
            head, trailing = place.head, place.tokens
        else:
            head = Token("कहाँ", "कहाँ", "ADV", key + "p")
            trailing = [head]
        if c.tense == "past":
            form = ("थीं" if plural else "थी") if gender == "f" else "थे" if plural else "था"
        else:
            form = "हैं" if plural else "है"
        tokens = self.entity(c.subject, key + "s").under(head, "nsubj") + trailing
        if c.negated:
            tokens.append(Token("नहीं", "नहीं", "PART", key + "n").under(head, "advmod"))
        tokens.append(Token(form, "होना", "AUX", key + "v.cop").under(head, "cop"))
        if c.asks == "whether":
            tokens.insert(0, Token("क्या", "क्या", "PART", key + "ask").under(head, "discourse"))
        return Phrase(head, tokens)

    def adjunct(self, adjunct: Adjunct, key: str) -> Phrase:
        """Return a postposition phrase, headed by its noun."""
        return self.entity(adjunct.ground, key, self.lemma(adjunct.relation), key + ".case")

    def time(self, concept: str, key: str, head: Token) -> list[Token]:
        """Return a time adverb, or a noun with को or में."""
        lemma = self.lemma(concept)
        if concept in MOMENTS:
            return [Token(lemma, lemma, "ADV", key).under(head, "advmod")]
        upos = "PROPN" if concept in WEEKDAYS or concept in MONTHS else "NOUN"
        noun = Token(lemma, lemma, upos, key).under(head, "obl")
        if concept == "morning":
            return [noun]
        case = "में" if concept in MONTHS else "को"
        return [noun, Token(case, case, "ADP", key + ".case").under(noun, "case")]
