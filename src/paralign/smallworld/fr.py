"""French."""

from __future__ import annotations

from itertools import pairwise

from paralign.smallworld.concepts import MOMENTS, MONTHS
from paralign.smallworld.grammar import CaselessGrammar, Phrase, Token, gap_role, table
from paralign.smallworld.meaning import Adjunct, Clause, Entity

__all__ = ["French"]

# concept, singular, gender, and the plural where it is not regular
_NOUNS = table("""
man homme m | woman femme f | child enfant m | teacher professeur m | doctor médecin m | friend ami m
boy garçon m | girl fillette f | student étudiant m | farmer fermier m | mother mère f | father père m
neighbor voisin m | king roi m | soldier soldat m | queen reine f | writer écrivain m | son fils m fils
daughter fille f | singer chanteur m | cook cuisinier m | painter peintre m | policeman policier m | guest invité m
driver conducteur m | lawyer avocat m | grandmother grand-mère f grands-mères | engineer ingénieur m | hunter chasseur m
thief voleur m | musician musicien m | baby bébé m | prince prince m | princess princesse f | nurse infirmière f
tourist touriste m | worker ouvrier m | journalist journaliste m | judge juge m | fisherman pêcheur m
merchant marchand m | poet poète m | scientist scientifique m | gardener jardinier m | monk moine m
baker boulanger m | waiter serveur m
dog chien m | cat chat m | horse cheval m chevaux | bird oiseau m oiseaux | cow vache f | mouse souris f souris
fish poisson m | elephant éléphant m | lion lion m | tiger tigre m | bear ours m ours | sheep mouton m | goat chèvre f
monkey singe m | duck canard m | rabbit lapin m | wolf loup m | snake serpent m | fox renard m | frog grenouille f
camel chameau m chameaux | donkey âne m
apple pomme f | cake gâteau m gâteaux | egg œuf m | banana banane f | orange orange f | tomato tomate f
mango mangue f | carrot carotte f | onion oignon m
bread pain m | rice riz m | meat viande f | cheese fromage m | soup soupe f
water eau f | milk lait m | tea thé m | coffee café m | juice jus m | wine vin m | beer bière f
book livre m | letter lettre f | newspaper journal m journaux | story histoire f | poem poème m | magazine magazine m
film film m | song chanson f
key clé f | bag sac m | ball ballon m | phone téléphone m | picture image f | clock horloge f | cup tasse f
bottle bouteille f | box boîte f | knife couteau m couteaux | hat chapeau m chapeaux | lamp lampe f
gift cadeau m cadeaux | camera caméra f | pen stylo m | toy jouet m | map carte f | coin pièce f | ring bague f
ticket billet m | umbrella parapluie m | mirror miroir m | basket panier m | blanket couverture f
candle bougie f | spoon cuillère f | guitar guitare f | shirt chemise f | shoe chaussure f
coat manteau m manteaux | table table f | chair chaise f | bed lit m | car voiture f | bicycle vélo m
boat bateau m bateaux | door porte f | window fenêtre f | flower fleur f | tree arbre m
house maison f | school école f | hospital hôpital m hôpitaux | library bibliothèque f | museum musée m
restaurant restaurant m | hotel hôtel m | church église f | shop magasin m | station gare f | kitchen cuisine f
office bureau m bureaux | factory usine f | theater théâtre m | cinema cinéma m | castle château m châteaux
temple temple m | airport aéroport m | city ville f | village village m | park parc m | garden jardin m
market marché m | forest forêt f | field champ m | bridge pont m | river rivière f | lake lac m | mountain montagne f
island île f | morning matin m | evening soir m | night nuit f
""")
# concept, infinitive, present third person singular and plural, participle, future singular; "e" where the past has être
_VERBS = table("""
see voir voit voient vu verra | eat manger mange mangent mangé mangera | read lire lit lisent lu lira
buy acheter achète achètent acheté achètera | give donner donne donnent donné donnera
go aller va vont allé ira e | sleep dormir dort dorment dormi dormira
work travailler travaille travaillent travaillé travaillera | like apprécier apprécie apprécient apprécié appréciera
drink boire boit boivent bu boira | write écrire écrit écrivent écrit écrira | open ouvrir ouvre ouvrent ouvert ouvrira
love aimer aime aiment aimé aimera | come venir vient viennent venu viendra e
hear entendre entend entendent entendu entendra | live habiter habite habitent habité habitera
wait attendre attend attendent attendu attendra | find trouver trouve trouvent trouvé trouvera
send envoyer envoie envoient envoyé enverra | play jouer joue jouent joué jouera | laugh rire rit rient ri rira
lose perdre perd perdent perdu perdra | help aider aide aident aidé aidera
show montrer montre montrent montré montrera | meet rencontrer rencontre rencontrent rencontré rencontrera
catch attraper attrape attrapent attrapé attrapera | make faire fait font fait fera
sing chanter chante chantent chanté chantera | close fermer ferme ferment fermé fermera
sell vendre vend vendent vendu vendra | wash laver lave lavent lavé lavera
clean nettoyer nettoie nettoient nettoyé nettoiera | dance danser danse dansent dansé dansera
run courir court courent couru courra | tell raconter raconte racontent raconté racontera
feed nourrir nourrit nourrissent nourri nourrira | repair réparer répare réparent réparé réparera
cut couper coupe coupent coupé coupera | call appeler appelle appellent appelé appellera
swim nager nage nagent nagé nagera | steal voler vole volent volé volera | break casser casse cassent cassé cassera
cry pleurer pleure pleurent pleuré pleurera | throw lancer lance lancent lancé lancera
hide cacher cache cachent caché cachera | choose choisir choisit choisissent choisi choisira
understand comprendre comprend comprennent compris comprendra | lend prêter prête prêtent prêté prêtera
explain expliquer explique expliquent expliqué expliquera | push pousser pousse poussent poussé poussera
pull tirer tire tirent tiré tirera | lift soulever soulève soulèvent soulevé soulèvera
smile sourire sourit sourient souri sourira | admire admirer admire admirent admiré admirera
touch toucher touche touchent touché touchera | say dire dit disent dit dira | think penser pense pensent pensé pensera
know savoir sait savent su saura | believe croire croit croient cru croira | hope espérer espère espèrent espéré espérera
""")
# concept, masculine, feminine, masculine plural where irregular ("-" where regular), masculine before a vowel
_ADJECTIVES = table("""
old vieux vieille vieux vieil | young jeune jeune | big grand grande | small petit petite
new nouveau nouvelle nouveaux nouvel | beautiful beau belle beaux bel | happy heureux heureuse heureux
tired fatigué fatiguée | red rouge rouge | rich riche riche | poor pauvre pauvre | sad triste triste
clever intelligent intelligente | hungry affamé affamée | white blanc blanche | black noir noire
expensive cher chère | famous célèbre célèbre | strong fort forte | friendly aimable aimable
brave courageux courageuse courageux | interesting intéressant intéressante | heavy lourd lourde
long long longue | blue bleu bleue | green vert verte | yellow jaune jaune | fresh frais fraîche frais
sweet sucré sucrée | hot chaud chaude | cold froid froide | dirty sale sale | dangerous dangereux dangereuse dangereux
lazy paresseux paresseuse paresseux | angry furieux furieuse furieux | strange étrange étrange
modern moderne moderne | quiet calme calme | important important importante | round rond ronde
""")
_WORDS = table("""
Anna Anna | Peter Peter | Maria Maria | David David | Laura Laura | Thomas Thomas | Sara Sara | Daniel Daniel
Julia Julia | Paul Paul | Lisa Lisa | Ravi Ravi | Eva Eva | Amit Amit | Meera Meera | Oscar Oscar | Priya Priya
Victor Victor | Weber Weber | Rossi Rossi | Kumar Kumar | Garcia Garcia | Novak Novak | Silva Silva
Keller Keller | Lopez Lopez | Berlin Berlin | Paris Paris | London Londres | Delhi Delhi | Beijing Pékin | Rome Rome
Tokyo Tokyo | New_York New_York | Vienna Vienne | Shanghai Shanghai | Madrid Madrid | Moscow Moscou | Mumbai Mumbai
France France | India Inde | China Chine | Germany Allemagne | Japan Japon | Italy Italie | Spain Espagne
Egypt Égypte | he il | she elle | they ils | who qui | what que | where où
two deux | three trois | four quatre | five cinq | six six | seven sept | eight huit | nine neuf | ten dix
in dans | on sur | under sous | behind derrière | near près | with avec | for pour | to à
today aujourd'hui | yesterday hier | now maintenant | soon bientôt | often souvent | always toujours | sometimes parfois
Monday lundi | Tuesday mardi | Wednesday mercredi | Thursday jeudi | Friday vendredi | Saturday samedi
Sunday dimanche | January janvier | February février | March mars | April avril | May mai | June juin | July juillet
August août | September septembre | October octobre | November novembre | December décembre
slowly lentement | quickly rapidement | quietly silencieusement | carefully prudemment | patiently patiemment
and et | but mais | because parce_que | when quand | that que | not pas | be être
""")
_BEFORE_NOUN = frozenset({"old", "young", "big", "small", "new", "beautiful"})
_AT = frozenset(
    {
        "school",
        "market",
        "hospital",
        "cinema",
        "theater",
        "airport",
        "station",
        "office",
        "restaurant",
        "museum",
        "library",
        "hotel",
        "church",
        "factory",
    }
)
"""Places with *à* instead of *dans*."""
_COUNTRIES = frozenset({"France", "India", "China", "Germany", "Italy", "Spain", "Egypt"})
"""Feminine countries: *en France*; Japan is masculine: *au Japon*."""
_VOWELS = frozenset("aeiouyhàâäéèêëîïôöùûüœAEIOUHÀÂÉÈÊÎÔŒ")
_ELIDED = {"le": "l'", "la": "l'", "de": "d'", "ne": "n'", "que": "qu'"}
_UNELIDED = frozenset({"huit"})
_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


class French(CaselessGrammar):
    """French: agreement, elision, contraction, *ne ... pas*, questions with *est-ce que*; the past is the *passé composé*.

    *du, des, au, aux* are one word (ADP) and *l', d', qu', n'* words of their own without a space after.
    """

    language = "fr"
    space_before_question = True
    lexicon = _NOUNS | _VERBS | _ADJECTIVES | _WORDS
    contracted = _CONTRACTED

    def adjective(self, concept: str, gender: str, plural: bool) -> str:
        """Return the adjective in gender and number."""
        entry = self.lexicon[concept]
        if gender == "f":
            return entry[1] + ("s" if plural else "")
        return (entry[2] if len(entry) > 2 else entry[0] + "s") if plural else entry[0]

    @staticmethod
    def participle(form: str, gender: str, plural: bool) -> str:
        """Return a participle in gender and number."""
        form += "e" if gender == "f" else ""
        return form + ("s" if plural and not form.endswith("s") else "")

    def noun(self, e: Entity, key: str, negated: bool = False) -> Phrase:
        """Return a noun with determiner (``negated``: *de* for an indefinite article), number, adjectives, owner and relative clause."""
        entry = self.lexicon[e.concept]
        lemma, gender = entry[0], entry[1]
        form = (entry[2] if len(entry) > 2 else lemma + "s") if e.plural else lemma
        head = Token(form, lemma, "NOUN", key)
        tokens: list[Token] = []
        early = e.adjective in _BEFORE_NOUN
        if e.definite:
            article = "les" if e.plural else "la" if gender == "f" else "le"
            tokens.append(Token(article, "le", "DET", key + ".det").under(head, "det"))
        elif e.count:
            number = self.lemma(e.count)
            tokens.append(Token(number, number, "NUM", key + ".num").under(head, "nummod"))
        else:
            bare = negated or (early and e.plural)
            article = "de" if bare else "des" if e.plural else "une" if gender == "f" else "un"
            tokens.append(Token(article, "un", "DET", key + ".det").under(head, "det"))
        tokens.append(head)
        if e.adjective:
            adjective = Token(
                self.adjective(e.adjective, gender, e.plural), self.lemma(e.adjective), "ADJ", key + ".adj"
            )
            tokens.insert(len(tokens) - early, adjective.under(head, "amod"))
            before_vowel = self.lexicon[e.adjective][3:]
            if early and before_vowel and gender == "m" and not e.plural and form[0] in _VOWELS:
                adjective.form = before_vowel[0]
        if e.owner is not None:
            owner = self.entity(e.owner, key + "w")
            mark = Token("de", "de", "ADP", key + "w.case").under(owner.head, "case")
            tokens += [mark, *owner.under(head, "nmod")]
        if e.relative is not None:
            role = gap_role(e.relative)
            clause = self.clause(e.relative, key + "r", gap=e)
            form = "qui" if role == "subject" else "que"
            relative = Token(form, form, "PRON", key + "r.rel").under(clause.head, "nsubj" if form == "qui" else "obj")
            tokens += [relative, *clause.under(head, "acl:relcl")]
        return Phrase(head, tokens)

    def clause(self, c: Clause, key: str, gap: Entity | None = None, reported: bool = False) -> Phrase:
        """Return a finite clause; questions have *est-ce que*, except about the subject and with *où est*.

        A ``reported`` past (after a past verb of speech) is the pluperfect.
        """
        controller = c.subject or gap or Entity("who")
        plural, gender = controller.is_plural, self.gender(controller)
        question_word = self.question_phrase(c, key)
        inverted = False
        if c.verb == "be":
            form = (("est", "sont"), ("était", "étaient"))[c.tense == "past"][plural]
            trailing: list[Token] = []
            if c.adjective:
                head = Token(self.adjective(c.adjective, gender, plural), self.lemma(c.adjective), "ADJ", key + "v")
                trailing = [head]
            elif c.place is not None:
                place = self.adjunct(c.place, key + "p")
                head, trailing = place.head, place.tokens
            else:
                assert question_word is not None
                head, inverted = question_word, c.subject is None or c.subject.concept not in ("he", "she", "they")
            finite = Token(form, "être", "AUX", key + "v.cop").under(head, "cop")
            verbs = [finite]
        else:
            head = Token("", self.lemma(c.verb), "VERB", key + "v")
            finite, verbs, trailing = head, [head], []
            _, singular, plural_form, participle, future, *with_etre = self.lexicon[c.verb]
            if c.tense == "present":
                head.form = plural_form if plural else singular
            elif c.tense == "future":
                head.form = future[:-1] + "ont" if plural else future
            else:
                head.form = participle
                if with_etre:
                    head.form = self.participle(participle, gender, plural)
                    form = ("étaient" if plural else "était") if reported else "sont" if plural else "est"
                    finite = Token(form, "être", "AUX", key + "v.aux")
                else:
                    form = ("avaient" if plural else "avait") if reported else "ont" if plural else "a"
                    finite = Token(form, "avoir", "AUX", key + "v.aux")
                    if gap is not None and c.subject is not None:
                        head.form = self.participle(participle, self.gender(gap), gap.is_plural)
                finite.under(head, "aux")
                verbs = [finite]
                trailing = [head]
        if question_word is not None and question_word is not head:
            question_word.under(head, {"qui": "nsubj", "que": "obj", "où": "advmod"}[question_word.form])
        if c.negated:
            ne = Token("ne", "ne", "ADV", key + "n").under(head, "advmod")
            pas = Token("pas", "pas", "ADV", key + "n").under(head, "advmod")
            verbs = [ne, *verbs, pas]
        if c.frequency:
            verbs.append(
                Token(self.lemma(c.frequency), self.lemma(c.frequency), "ADV", key + "f").under(head, "advmod")
            )
        rest = [*verbs, *trailing, *(self.complements(c, key, head) if c.verb != "be" else [])]
        subject = self.entity(c.subject, key + "s").under(head, "nsubj") if c.subject is not None else []
        opening: list[Token] = [question_word] if question_word is not None else []
        if c.asks in ("whether", "what", "where") and not inverted:
            opening += self.est_ce_que(head, key)
        tokens = [*opening, *rest, *subject] if inverted else [*opening, *subject, *rest]
        if c.time:
            time = self.time(c.time, key + "t", head)
            tokens = [*time, self.mark(",", head), *tokens] if c.fronted else [*tokens, *time]
        if c.complement is not None:
            inner = self.clause(c.complement, key + "k", reported=c.tense == "past")
            mark = Token("que", "que", "SCONJ", key + "k.mark").under(inner.head, "mark")
            tokens += [mark, *inner.under(head, "ccomp")]
        return Phrase(head, tokens)

    def complements(self, c: Clause, key: str, head: Token) -> list[Token]:
        """Return what follows the verb: manner, object, recipient, goal, company and place."""
        tokens: list[Token] = []
        if c.manner:
            tokens.append(Token(self.lemma(c.manner), self.lemma(c.manner), "ADV", key + "m").under(head, "advmod"))
        if c.object is not None:
            tokens += self.entity(c.object, key + "o", c.negated).under(head, "obj")
        for role, e in (("r", c.recipient), ("g", c.goal)):
            if e is not None:
                tokens += self.adjunct(Adjunct("to", e), key + role).under(head, "obl")
        for role, adjunct in (("x", c.company), ("p", c.place)):
            if adjunct is not None:
                tokens += self.adjunct(adjunct, key + role).under(head, "obl")
        return tokens

    def est_ce_que(self, head: Token, key: str) -> list[Token]:
        """Return the question phrase, tagged as one adverb of two words."""
        first = Token("est-ce", "est-ce", "ADV", key + "ask").under(head, "advmod")
        return [first, Token("que", "que", "SCONJ", key + "ask").under(first, "fixed")]

    def adjunct(self, adjunct: Adjunct, key: str) -> Phrase:
        """Return a preposition phrase, headed by its noun."""
        ground = self.entity(adjunct.ground, key)
        concept = adjunct.ground.concept
        form = self.lemma(adjunct.relation)
        if adjunct.ground.is_name and adjunct.relation in ("in", "to"):
            form = {"Japan": "au"}.get(concept, "en" if concept in _COUNTRIES else "à")
        elif adjunct.relation == "in" and concept in _AT:
            form = "à"
        case = Token(form, form, "ADP", key + ".case").under(ground.head, "case")
        tokens = [case]
        if form == "au":
            case.lemma = "à"
        if adjunct.relation == "near":
            case.upos = "ADV"
            tokens.append(Token("de", "de", "ADP", key + ".case").under(case, "fixed"))
        return Phrase(ground.head, [*tokens, *ground.tokens])

    def time(self, concept: str, key: str, head: Token) -> list[Token]:
        """Return a time adverb, or *lundi, en mai, le matin, la nuit*."""
        lemma = self.lemma(concept)
        if concept in MOMENTS:
            return [Token(lemma, lemma, "ADV", key).under(head, "advmod")]
        noun = Token(lemma, lemma, "NOUN", key).under(head, "obl")
        if concept in MONTHS:
            return [Token("en", "en", "ADP", key + ".case").under(noun, "case"), noun]
        if concept in self.lexicon and len(self.lexicon[concept]) > 1:
            article = "la" if self.lexicon[concept][1] == "f" else "le"
            return [Token(article, "le", "DET", key + ".det").under(noun, "det"), noun]
        return [noun]

    def adjust(self, tokens: list[Token]) -> list[Token]:
        """Elide before vowels and mute h, then contract *de* and *à* with the article."""
        for token, after in pairwise(tokens):
            if token.form in _ELIDED and after.form[0] in _VOWELS and after.form not in _UNELIDED:
                token.form = _ELIDED[token.form]
                after.space = False
        return super().adjust(tokens)
