"""Spanish."""

from __future__ import annotations

from itertools import pairwise

from paralign.smallworld.concepts import GENDER, HUMAN, MOMENTS, MONTHS, NOUNS
from paralign.smallworld.grammar import CaselessGrammar, Phrase, Token, gap_role, table
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning

__all__ = ["Spanish"]

# concept, singular, gender, and the plural where it is not regular (-s after a vowel, else -es)
_NOUNS = table("""
man hombre m | woman mujer f | child niño m | teacher profesor m | doctor médico m | friend amigo m | boy chico m
girl chica f | student estudiante m | farmer granjero m | mother madre f | father padre m | neighbor vecino m
king rey m | soldier soldado m | queen reina f | writer escritor m | son hijo m | daughter hija f | singer cantante m
cook cocinero m | painter pintor m | policeman policía m | guest invitado m | driver conductor m | lawyer abogado m
grandmother abuela f | engineer ingeniero m | hunter cazador m | thief ladrón m ladrones | musician músico m
baby bebé m | prince príncipe m | princess princesa f | nurse enfermera f | tourist turista m | worker obrero m
journalist periodista m | judge juez m jueces | fisherman pescador m | merchant comerciante m | poet poeta m
scientist científico m | gardener jardinero m | monk monje m | baker panadero m | waiter camarero m
dog perro m | cat gato m | horse caballo m | bird pájaro m | cow vaca f | mouse ratón m ratones | fish pez m peces
elephant elefante m | lion león m leones | tiger tigre m | bear oso m | sheep oveja f | goat cabra f | monkey mono m
duck pato m | rabbit conejo m | wolf lobo m | snake serpiente f | fox zorro m | frog rana f | camel camello m
donkey burro m
apple manzana f | cake pastel m | egg huevo m | banana plátano m | orange naranja f | tomato tomate m | mango mango m
carrot zanahoria f | onion cebolla f | bread pan m | rice arroz m arroces | meat carne f | cheese queso m | soup sopa f
water agua f | milk leche f | tea té m | coffee café m | juice zumo m | wine vino m | beer cerveza f
book libro m | letter carta f | newspaper periódico m | story historia f | poem poema m | magazine revista f
film película f | song canción f canciones
key llave f | bag bolsa f | ball pelota f | phone teléfono m | picture cuadro m | clock reloj m | cup taza f
bottle botella f | box caja f | knife cuchillo m | hat sombrero m | lamp lámpara f | gift regalo m | camera cámara f
pen bolígrafo m | toy juguete m | map mapa m | coin moneda f | ring anillo m | ticket billete m
umbrella paraguas m paraguas | mirror espejo m | basket cesta f | blanket manta f | candle vela f | spoon cuchara f
guitar guitarra f | shirt camisa f | shoe zapato m | coat abrigo m | table mesa f | chair silla f | bed cama f
car coche m | bicycle bicicleta f | boat barco m | door puerta f | window ventana f | flower flor f | tree árbol m
house casa f | school escuela f | hospital hospital m | library biblioteca f | museum museo m | restaurant restaurante m
hotel hotel m | church iglesia f | shop tienda f | station estación f estaciones | kitchen cocina f | office oficina f
factory fábrica f | theater teatro m | cinema cine m | castle castillo m | temple templo m | airport aeropuerto m
city ciudad f | village pueblo m | park parque m | garden jardín m jardines | market mercado m | forest bosque m
field campo m | bridge puente m | river río m | lake lago m | mountain montaña f | island isla f
morning mañana f | evening tarde f | night noche f
""")
# concept, infinitive; third person: present singular, preterite singular and plural, future singular; participle;
# third person singular of the present subjunctive
_VERBS = table("""
see ver ve vio vieron verá visto vea | eat comer come comió comieron comerá comido coma
read leer lee leyó leyeron leerá leído lea | buy comprar compra compró compraron comprará comprado compre
give dar da dio dieron dará dado dé | go ir va fue fueron irá ido vaya
sleep dormir duerme durmió durmieron dormirá dormido duerma
work trabajar trabaja trabajó trabajaron trabajará trabajado trabaje
like apreciar aprecia apreció apreciaron apreciará apreciado aprecie
drink beber bebe bebió bebieron beberá bebido beba
write escribir escribe escribió escribieron escribirá escrito escriba
open abrir abre abrió abrieron abrirá abierto abra | love amar ama amó amaron amará amado ame
come venir viene vino vinieron vendrá venido venga | hear oír oye oyó oyeron oirá oído oiga
live vivir vive vivió vivieron vivirá vivido viva | wait aguardar aguarda aguardó aguardaron aguardará aguardado aguarde
find hallar halla halló hallaron hallará hallado halle | send enviar envía envió enviaron enviará enviado envíe
play jugar juega jugó jugaron jugará jugado juegue | laugh reír ríe rio rieron reirá reído ría
lose perder pierde perdió perdieron perderá perdido pierda | help ayudar ayuda ayudó ayudaron ayudará ayudado ayude
show mostrar muestra mostró mostraron mostrará mostrado muestre
meet encontrar encuentra encontró encontraron encontrará encontrado encuentre
catch atrapar atrapa atrapó atraparon atrapará atrapado atrape | make hacer hace hizo hicieron hará hecho haga
sing cantar canta cantó cantaron cantará cantado cante | close cerrar cierra cerró cerraron cerrará cerrado cierre
sell vender vende vendió vendieron venderá vendido venda | wash lavar lava lavó lavaron lavará lavado lave
clean limpiar limpia limpió limpiaron limpiará limpiado limpie
dance bailar baila bailó bailaron bailará bailado baile | run correr corre corrió corrieron correrá corrido corra
tell contar cuenta contó contaron contará contado cuente
feed alimentar alimenta alimentó alimentaron alimentará alimentado alimente
repair reparar repara reparó repararon reparará reparado repare | cut cortar corta cortó cortaron cortará cortado corte
call llamar llama llamó llamaron llamará llamado llame | swim nadar nada nadó nadaron nadará nadado nade
steal robar roba robó robaron robará robado robe | break romper rompe rompió rompieron romperá roto rompa
cry llorar llora lloró lloraron llorará llorado llore | throw lanzar lanza lanzó lanzaron lanzará lanzado lance
hide esconder esconde escondió escondieron esconderá escondido esconda
choose elegir elige eligió eligieron elegirá elegido elija
understand entender entiende entendió entendieron entenderá entendido entienda
lend prestar presta prestó prestaron prestará prestado preste
explain explicar explica explicó explicaron explicará explicado explique
push empujar empuja empujó empujaron empujará empujado empuje
pull arrastrar arrastra arrastró arrastraron arrastrará arrastrado arrastre
lift levantar levanta levantó levantaron levantará levantado levante
smile sonreír sonríe sonrió sonrieron sonreirá sonreído sonría
admire admirar admira admiró admiraron admirará admirado admire
touch tocar toca tocó tocaron tocará tocado toque | say decir dice dijo dijeron dirá dicho diga
think pensar piensa pensó pensaron pensará pensado piense | know saber sabe supo supieron sabrá sabido sepa
believe creer cree creyó creyeron creerá creído crea | hope esperar espera esperó esperaron esperará esperado espere
""")
# concept, masculine singular (-o is -a in the feminine), and the plural where it is not regular
_ADJECTIVES = table("""
old viejo | young joven jóvenes | big grande | small pequeño | new nuevo | beautiful bonito | happy feliz felices
tired cansado | red rojo | rich rico | poor pobre | sad triste | clever inteligente | hungry hambriento | white blanco
black negro | expensive caro | famous famoso | strong fuerte | friendly amable | brave valiente
interesting interesante | heavy pesado | long largo | blue azul | green verde | yellow amarillo | fresh fresco
sweet dulce | hot caliente | cold frío | dirty sucio | dangerous peligroso | lazy perezoso | angry enfadado
strange extraño | modern moderno | quiet tranquilo | important importante | round redondo
""")
_WORDS = table("""
Anna Anna | Peter Peter | Maria María | David David | Laura Laura | Thomas Thomas | Sara Sara | Daniel Daniel
Julia Julia | Paul Paul | Lisa Lisa | Ravi Ravi | Eva Eva | Amit Amit | Meera Meera | Oscar Óscar | Priya Priya
Victor Víctor | Weber Weber | Rossi Rossi | Kumar Kumar | Garcia García | Novak Novak | Silva Silva
Keller Keller | Lopez López | Berlin Berlín | Paris París | London Londres | Delhi Delhi | Beijing Pekín | Rome Roma
Tokyo Tokio | New_York Nueva_York | Vienna Viena | Shanghai Shanghái | Madrid Madrid | Moscow Moscú | Mumbai Bombay
France Francia | India India | China China | Germany Alemania | Japan Japón | Italy Italia | Spain España
Egypt Egipto | he él | she ella | they ellos | who quién | what qué | where dónde
two dos | three tres | four cuatro | five cinco | six seis | seven siete | eight ocho | nine nueve | ten diez
in en | on sobre | under bajo | behind detrás | near cerca | with con | for para | to a
today hoy | yesterday ayer | now ahora | soon pronto | often a_menudo | always siempre | sometimes a_veces
Monday lunes | Tuesday martes | Wednesday miércoles | Thursday jueves | Friday viernes | Saturday sábado
Sunday domingo | January enero | February febrero | March marzo | April abril | May mayo | June junio | July julio
August agosto | September septiembre | October octubre | November noviembre | December diciembre
slowly lentamente | quickly rápidamente | quietly silenciosamente | carefully cuidadosamente | patiently pacientemente
and y | but pero | because porque | when cuando | that que | not no | be ser estar
""")
# singular of: present, imperfect (the past of a state), future, present subjunctive
_COPULAS = {"ser": ("es", "era", "será", "sea"), "estar": ("está", "estaba", "estará", "esté")}
_PASSING = frozenset({"happy", "tired", "hungry", "angry", "dirty", "fresh", "hot", "cold"})
"""Adjectives with *estar*. *Sad* has *estar* for people and animals, *ser* for a song."""
_STRESSED_A = frozenset({"water"})
"""Feminine nouns with a stressed *a-*: *el agua fría*."""
_DEAR, _GOODS = frozenset({"love", "like", "feed"}), frozenset({"eat", "buy", "sell", "steal"})
"""Verbs with the same object marking for all animals: like persons, or like things."""
_OF_SOME = frozenset({"like", "admire", "understand"})
"""Verbs whose object is not a bare plural: *lee libros*, but *aprecia unos libros*."""
_FIXED = {"veces": "NOUN", "menudo": "ADJ"}
_CONTRACTED = {("de", "el"): "del", ("a", "el"): "al"}


class Spanish(CaselessGrammar):
    """Spanish: agreement, personal *a*, *ser* and *estar*, *¿ ... ?* with the verb before its subject.

    *del, al* are one word (ADP), *¿* a word without a space after. Adjectives follow their noun. The past is the
    preterite, of *ser* and *estar* the imperfect, the pluperfect after a past verb of speech; *esperar que* has the
    subjunctive. Subjects are never dropped and objects never doubled by a clitic (*da un libro a María*), so that
    words correspond.
    """

    language = "es"
    lexicon = _NOUNS | _VERBS | _ADJECTIVES | _WORDS
    contracted = _CONTRACTED

    def meaning(self, meaning: Meaning) -> Phrase:
        """Return the sentence, with *¿* before a question."""
        phrase = super().meaning(meaning)
        if meaning.clause.asks:
            phrase.tokens.insert(0, Token("¿", "¿", "PUNCT", "end").under(phrase.head, "punct"))
        return phrase

    @staticmethod
    def plural(form: str, irregular: tuple[str, ...]) -> str:
        """Return the plural of a noun or adjective."""
        return irregular[0] if irregular else form + ("s" if form[-1] in "aeoéá" else "es")

    def adjective(self, concept: str, gender: str, plural: bool) -> str:
        """Return the adjective in gender and number."""
        lemma, *irregular = self.lexicon[concept]
        form = lemma[:-1] + "a" if gender == "f" and lemma[-1] == "o" else lemma
        return self.plural(form, tuple(irregular)) if plural else form

    def noun(self, e: Entity, key: str, bare: bool = False) -> Phrase:
        """Return a noun with determiner (``bare``: without *unos, unas*), number, adjective, owner and relative clause."""
        lemma, gender, *irregular = self.lexicon[e.concept]
        form = self.plural(lemma, tuple(irregular)) if e.plural else lemma
        head = Token(form, lemma, "NOUN", key)
        tokens: list[Token] = []
        column = 2 * e.plural + (gender == "f" and (e.plural or e.concept not in _STRESSED_A))
        if e.definite:
            article = ("el", "la", "los", "las")[column]
            tokens.append(Token(article, "el", "DET", key + ".det").under(head, "det"))
        elif e.count:
            number = self.lemma(e.count)
            tokens.append(Token(number, number, "NUM", key + ".num").under(head, "nummod"))
        elif not (bare and e.plural):
            article = ("un", "una", "unos", "unas")[column]
            tokens.append(Token(article, "uno", "DET", key + ".det").under(head, "det"))
        tokens.append(head)
        if e.adjective:
            form = self.adjective(e.adjective, gender, e.plural)
            tokens.append(Token(form, self.lemma(e.adjective), "ADJ", key + ".adj").under(head, "amod"))
        if e.owner is not None:
            owner = self.entity(e.owner, key + "w")
            mark = Token("de", "de", "ADP", key + "w.case").under(owner.head, "case")
            tokens += [mark, *owner.under(head, "nmod")]
        if e.relative is not None:
            tokens += self.relative(e, e.relative, key + "r").under(head, "acl:relcl")
        return Phrase(head, tokens)

    def relative(self, e: Entity, c: Clause, key: str) -> Phrase:
        """Return a relative clause: *que*, or *a quien* of persons who are its object."""
        clause = self.clause(c, key, gap=e)
        subject = gap_role(c) == "subject"
        whom = not subject and e.concept in HUMAN
        form = ("quienes" if e.is_plural else "quien") if whom else "que"
        pronoun = Token(form, "quien" if whom else "que", "PRON", key + ".rel")
        pronoun.under(clause.head, "nsubj" if subject else "obj")
        mark = [Token("a", "a", "ADP", key + ".rel.case").under(pronoun, "case")] if whom else []
        return Phrase(clause.head, [*mark, pronoun, *clause.tokens])

    def clause(self, c: Clause, key: str, gap: Entity | None = None, mood: str = "") -> Phrase:
        """Return a finite clause; ``mood`` is ``reported`` after a past verb of speech, ``subjunctive`` after *esperar*.

        In questions the verb comes first, but for those about the subject and where a relative clause would part
        the subject from the rest.
        """
        controller = c.subject or gap or Entity("who")
        question_word = self.question_phrase(c, key)
        trailing: list[Token] = []
        if c.verb == "be":
            head = question_word or Token("", "", "")
            if c.adjective:
                form = self.adjective(c.adjective, self.gender(controller), controller.is_plural)
                head = Token(form, self.lemma(c.adjective), "ADJ", key + "v")
                trailing = [head]
            elif c.place is not None:
                place = self.adjunct(c.place, key + "p")
                head, trailing = place.head, place.tokens
            verbs = [self.copula(c, controller, key, mood).under(head, "cop")]
        else:
            head = Token("", self.lemma(c.verb), "VERB", key + "v")
            verbs = self.verb(c, head, controller.is_plural, key, mood)
            trailing = self.complements(c, key, head)
        if question_word is not None and question_word is not head:
            question_word.under(head, {"quién": "nsubj", "qué": "obj", "dónde": "advmod"}[question_word.form])
        if c.negated:
            verbs.insert(0, Token("no", "no", "ADV", key + "n").under(head, "advmod"))
        if c.frequency:
            verbs += self.adverb(c.frequency, key + "f", head)
        subject = self.entity(c.subject, key + "s").under(head, "nsubj") if c.subject is not None else []
        if c.asks is None or (c.subject is not None and c.subject.relative is not None and question_word is None):
            tokens = [*subject, *verbs, *trailing]
        elif c.adjective:
            tokens = [*verbs, *trailing, *subject]  # ¿Está cansado el médico?
        else:
            tokens = [*verbs, *subject, *trailing]
        if question_word is not None:
            tokens.insert(0, question_word)
        if c.time:
            time = self.time(c.time, key + "t", head)
            tokens = [*time, self.mark(",", head), *tokens] if c.fronted else [*tokens, *time]
        if c.complement is not None:
            mood = "reported" if c.tense == "past" else "subjunctive" if c.verb == "hope" else ""
            inner = self.clause(c.complement, key + "k", mood=mood)
            mark = Token("que", "que", "SCONJ", key + "k.mark").under(inner.head, "mark")
            tokens += [mark, *inner.under(head, "ccomp")]
        return Phrase(head, tokens)

    @staticmethod
    def third(form: str, plural: bool) -> str:
        """Return the third person plural of a form that is made plural by *-n*."""
        return ("den" if form == "dé" else form + "n") if plural else form

    def verb(self, c: Clause, head: Token, plural: bool, key: str, mood: str) -> list[Token]:
        """Return the finite verb, or *haber* and the participle; sets the form of ``head``."""
        _, present, past, pasts, future, participle, subjunctive = self.lexicon[c.verb]
        if c.tense == "past" and mood:
            auxiliary = "había" if mood == "reported" else "haya"
            head.form = participle
            aux = Token(self.third(auxiliary, plural), "haber", "AUX", key + "v.aux").under(head, "aux")
            return [aux, head]
        if c.tense == "past":
            head.form = pasts if plural else past
        else:
            tensed = future if c.tense == "future" else present
            head.form = self.third(subjunctive if mood == "subjunctive" else tensed, plural)
        return [head]

    def copula(self, c: Clause, controller: Entity, key: str, mood: str) -> Token:
        """Return *ser* with qualities, *estar* with temporary states and with places."""
        living = controller.concept in GENDER or NOUNS.get(controller.concept) in ("human", "animal")
        passing = c.adjective in _PASSING or (c.adjective == "sad" and living)
        lemma = "estar" if passing or c.adjective is None else "ser"
        present, past, future, subjunctive = _COPULAS[lemma]
        form = subjunctive if mood == "subjunctive" else {"past": past, "future": future}.get(c.tense, present)
        if form == "es" and controller.is_plural:
            return Token("son", lemma, "AUX", key + "v.cop")
        return Token(self.third(form, controller.is_plural), lemma, "AUX", key + "v.cop")

    def complements(self, c: Clause, key: str, head: Token) -> list[Token]:
        """Return what follows the verb: manner, object, recipient, goal, company and place.

        Plural things are named without an article (*lee libros*), people and what a relative clause picks out with
        *unos*, unless negated.
        """
        tokens: list[Token] = []
        if c.manner:
            tokens += self.adverb(c.manner, key + "m", head)
        if c.object is not None:
            personal = self.personal(c.object, c.verb)
            some = personal or c.object.relative is not None or c.verb in _OF_SOME
            phrase = self.entity(c.object, key + "o", c.negated or not some)
            if personal:
                tokens.append(Token("a", "a", "ADP", key + "o.case").under(phrase.head, "case"))
            tokens += phrase.under(head, "obj")
        for role, e in (("r", c.recipient), ("g", c.goal)):
            if e is not None:
                tokens += self.adjunct(Adjunct("to", e), key + role).under(head, "obl")
        for role, adjunct in (("x", c.company), ("p", c.place)):
            if adjunct is not None:
                tokens += self.adjunct(adjunct, key + role).under(head, "obl")
        return tokens

    @staticmethod
    def personal(e: Entity, verb: str) -> bool:
        """Return whether an object has *a*: people always, animals mostly when definite."""
        if NOUNS.get(e.concept) == "animal":
            return verb in _DEAR or (e.definite and verb not in _GOODS)
        return e.concept in HUMAN or e.concept in GENDER

    def adverb(self, concept: str, key: str, head: Token) -> list[Token]:
        """Return an adverb; *a menudo* and *a veces* are fixed expressions of two words."""
        first, *rest = self.lemma(concept).split(" ")
        token = Token(first, first, "ADP" if rest else "ADV", key).under(head, "advmod")
        return [token, *(Token(word, word, _FIXED[word], key).under(token, "fixed") for word in rest)]

    def adjunct(self, adjunct: Adjunct, key: str) -> Phrase:
        """Return a preposition phrase, headed by its noun."""
        ground = self.entity(adjunct.ground, key)
        relation = adjunct.relation
        if relation == "on" and NOUNS.get(adjunct.ground.concept) == "landmark":
            relation = "in"  # en la montaña, en el puente
        form = self.lemma(relation)
        case = Token(form, form, "ADP", key + ".case").under(ground.head, "case")
        tokens = [case]
        if relation in ("near", "behind"):
            case.upos = "ADV"
            tokens.append(Token("de", "de", "ADP", key + ".case").under(case, "fixed"))
        return Phrase(ground.head, [*tokens, *ground.tokens])

    def time(self, concept: str, key: str, head: Token) -> list[Token]:
        """Return a time adverb, or *el lunes, en mayo, por la mañana*."""
        if concept in MOMENTS:
            return self.adverb(concept, key, head)
        lemma, *gender = self.lexicon[concept]
        noun = Token(lemma, lemma, "NOUN", key).under(head, "obl")
        if concept in MONTHS:
            return [Token("en", "en", "ADP", key + ".case").under(noun, "case"), noun]
        article = Token("la" if gender else "el", "el", "DET", key + ".det").under(noun, "det")
        if not gender:
            return [article, noun]
        return [Token("por", "por", "ADP", key + ".case").under(noun, "case"), article, noun]

    def adjust(self, tokens: list[Token]) -> list[Token]:
        """Join *¿* to a capital, turn *y* before an i into *e*, contract *de* and *a* with *el*."""
        if tokens[0].form == "¿":
            tokens[1].form = tokens[1].form[0].upper() + tokens[1].form[1:]
            tokens[1].space = False
        for token, after in pairwise(tokens):
            sound = after.form.lower().removeprefix("h")
            if token.form == "y" and sound[0] in "ií" and sound[1:2] not in ("a", "e", "o"):
                token.form = "e"
        return super().adjust(tokens)
