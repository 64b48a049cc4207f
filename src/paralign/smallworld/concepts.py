"""The concepts of the small world and how they combine, independent of any language.

A concept is named by its English lemma. Every list is sorted from common to rare: earlier items are sampled more often.
The grammar of a language must have a lemma for every concept of ``CONCEPTS``.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ADJECTIVES",
    "ANIMATE",
    "CITIES",
    "CONCEPTS",
    "CONJUNCTIONS",
    "COUNTRIES",
    "DAYPARTS",
    "FEMALE",
    "FREQUENCIES",
    "GENDER",
    "HUMAN",
    "MALE",
    "MANNERS",
    "MASS",
    "MOMENTS",
    "MONTHS",
    "NOUNS",
    "NUMBERS",
    "PERSONS",
    "PLACE_NAMES",
    "POOLS",
    "PRONOUNS",
    "RELATIONS",
    "SURNAMES",
    "UNSUITED",
    "VERBS",
    "WEEKDAYS",
    "Adjective",
    "Verb",
]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


POOLS: dict[str, tuple[str, ...]] = {
    name: _words(words)
    for name, words in {
        # nouns by kind; these lists have all nouns
        "human": "man woman child teacher doctor friend boy girl student farmer mother father neighbor king "
        "soldier queen writer son daughter singer cook painter policeman guest driver lawyer grandmother "
        "engineer hunter thief musician baby prince princess nurse tourist worker journalist judge fisherman "
        "merchant poet scientist gardener monk baker waiter",
        "animal": "dog cat horse bird cow mouse fish elephant lion tiger bear sheep goat monkey duck rabbit wolf "
        "snake fox frog camel donkey",
        "food": "apple cake egg banana orange tomato mango carrot onion",
        "dish": "bread rice meat cheese soup",
        "drink": "water milk tea coffee juice wine beer",
        "reading": "book letter newspaper story poem magazine",
        "show": "film",
        "music": "song",
        "thing": "key bag ball phone picture clock cup bottle box knife hat lamp gift camera pen toy map coin ring "
        "ticket umbrella mirror basket blanket candle spoon guitar",
        "clothing": "shirt shoe coat",
        "furniture": "table chair bed",
        "vehicle": "car bicycle boat",
        "opening": "door window",
        "plant": "flower tree",
        "building": "house school hospital library museum restaurant hotel church shop station kitchen office "
        "factory theater cinema castle temple airport",
        "ground": "city village park garden market forest field",
        "landmark": "bridge river lake mountain island",
        "print": "book letter newspaper magazine",
        # selections used by verbs and relations
        "offspring": "friend son daughter mother father neighbor guest teacher doctor cook driver",
        "gift_like": "book gift letter flower key picture ring apple cake ball toy hat pen camera phone coin ticket "
        "map magazine guitar umbrella",
        "lent": "book umbrella pen bicycle camera coat car map ball hat guitar magazine key",
        "sold": "car house bicycle book horse cow boat ring picture phone guitar camera lamp table clock coat",
        "bought": "book car bicycle house bag hat coat shirt shoe phone cake flower newspaper ticket lamp clock ring "
        "horse camera guitar umbrella toy basket apple banana orange",
        "made": "cake soup toy chair basket table shirt candle ring",
        "repaired": "car bicycle clock phone chair boat lamp door camera shoe bridge window",
        "broken": "cup bottle window mirror lamp clock toy chair egg camera",
        "opened": "door window box bag bottle letter umbrella book gift",
        "closed": "door window box bottle",
        "washed": "car shirt cup coat apple spoon bottle knife carrot tomato",
        "cleaned": "window kitchen car shoe lamp mirror table office bicycle",
        "cut": "apple cake bread onion carrot tomato meat cheese orange",
        "thrown": "ball coin hat shoe key bottle",
        "moved": "table car box chair bicycle boat bed",
        "lifted": "box chair bag table basket child bottle baby guitar",
        "stolen": "car ring bicycle picture phone coin camera horse bag guitar",
        "written": "letter book story poem",
        "told": "story",
        "shown": "picture map book letter house garden film ring museum temple",
        "explained": "story poem map film picture letter",
        "seen": "dog man woman house film bird child horse car boat tree flower elephant mountain bridge castle lion "
        "picture snake island lake river",
        "heard": "song story bird dog singer child wolf musician guitar baby",
        "admired": "picture singer castle king queen poem writer flower temple musician poet bridge garden",
        "liked": "book film song tea coffee city park garden cake cheese village story poem restaurant "
        "picture dog cat horse",
        "loved": "dog cat child mother father friend daughter son horse woman man baby",
        "understood": "story poem letter film teacher song child map",
        "lost": "key book ring bag umbrella ticket phone hat letter coin ball shoe map pen",
        "fodder": "apple carrot bread banana meat egg cheese fish",
        "drunk_by_animals": "water milk",
        "prey": "mouse fish bird rabbit frog duck",
        "hunted": "fish thief bird horse mouse rabbit snake goat",
        "fed": "dog cat horse cow bird sheep goat duck rabbit fish child baby elephant donkey monkey",
        "touched": "picture flower horse lamp door snake candle guitar dog",
        "chosen": "book hat coat gift shirt ring flower film song cake phone bicycle hotel",
        "goal": "school market park hospital station library museum restaurant village house church airport office "
        "theater cinema garden hotel castle temple shop city factory",
        "dwelling": "house village city castle hotel",
        "workplace": "hospital school restaurant factory office library hotel shop museum kitchen garden market "
        "airport theater",
        # places: relation -> what it relates to
        "in": "park garden house school library city kitchen village museum hotel restaurant market hospital office "
        "station church forest shop theater castle temple factory field airport cinema",
        "on": "bridge mountain island",
        "on_top": "table chair bed",
        "under": "table tree bridge bed chair",
        "shelter": "tree bridge",
        "behind": "house school tree church door car station hotel castle",
        "near": "river house school lake station church tree bridge forest park hotel mountain window door temple",
    }.items()
}

_KINDS = _words(
    "human animal food dish drink reading show music thing clothing furniture vehicle opening plant building "
    "ground landmark"
)
NOUNS: dict[str, str] = {noun: kind for kind in _KINDS for noun in POOLS[kind]}
"""The kind of each noun."""
HUMAN = frozenset(POOLS["human"])
FEMALE = frozenset(_words("woman girl mother queen daughter grandmother princess nurse"))
MALE = frozenset(_words("man boy father king son prince"))
"""Nouns that *she* or *he* can refer to in every language."""
ANIMATE = HUMAN | frozenset(POOLS["animal"])
MASS = frozenset(POOLS["dish"] + POOLS["drink"])
"""Mass nouns; only singular and definite here."""

_WOMEN = _words("Anna Maria Laura Sara Julia Lisa Eva Meera Priya")
_MEN = _words("Peter David Thomas Daniel Paul Ravi Amit Oscar Victor")
PERSONS: tuple[str, ...] = tuple(name for pair in zip(_WOMEN, _MEN, strict=True) for name in pair)
SURNAMES: tuple[str, ...] = _words("Weber Rossi Kumar Garcia Novak Silva Keller Lopez")
CITIES: tuple[str, ...] = _words(
    "Berlin Paris London Delhi Beijing Rome Tokyo New_York Vienna Shanghai Madrid Moscow Mumbai"
)
COUNTRIES: tuple[str, ...] = _words("France India China Germany Japan Italy Spain Egypt")
PLACE_NAMES = frozenset(CITIES + COUNTRIES)
PRONOUNS: tuple[str, ...] = ("he", "she", "they")
GENDER: dict[str, str] = dict.fromkeys(_WOMEN, "f") | dict.fromkeys(_MEN, "m")
GENDER |= {"he": "m", "she": "f", "they": "m", "who": "m", "what": "m"}
"""Natural gender of person names and pronouns (a mixed or unknown group is masculine)."""


@dataclass(frozen=True, slots=True)
class Adjective:
    """An adjective: the kinds of noun it can modify, and whether it can be the predicate of *to be*."""

    kinds: tuple[str, ...]
    predicate: bool = True


_LIVING = ("human", "animal")
_GOODS = ("thing", "clothing", "furniture", "vehicle", "reading")
_COLORED = ("thing", "clothing", "furniture", "vehicle", "opening", "plant")
_PLACES = ("building", "ground", "landmark")
ADJECTIVES: dict[str, Adjective] = {
    "old": Adjective(_LIVING),
    "young": Adjective(_LIVING),
    "big": Adjective(("animal", "plant", "opening", *_GOODS, *_PLACES)),
    "small": Adjective(("animal", "plant", "opening", "food", *_GOODS, *_PLACES)),
    "new": Adjective((*_GOODS, "building", "show", "music")),
    "beautiful": Adjective(("plant", "music", *_GOODS, *_PLACES)),
    "happy": Adjective(("human",)),
    "tired": Adjective(_LIVING),
    "red": Adjective(_COLORED, predicate=False),
    "rich": Adjective(("human",)),
    "poor": Adjective(("human",)),
    "sad": Adjective(("human", "music")),
    "clever": Adjective(_LIVING),
    "hungry": Adjective(_LIVING),
    "white": Adjective((*_COLORED, "animal"), predicate=False),
    "black": Adjective((*_COLORED, "animal"), predicate=False),
    "expensive": Adjective(("thing", "clothing", "furniture", "vehicle", "building")),
    "famous": Adjective(("human", "building", "music", "show", "landmark")),
    "strong": Adjective(_LIVING),
    "friendly": Adjective(("human",)),
    "brave": Adjective(("human",)),
    "interesting": Adjective(("reading", "show")),
    "heavy": Adjective(("furniture", "vehicle")),
    "long": Adjective(("reading", "show", "landmark")),
    "blue": Adjective(_COLORED, predicate=False),
    "green": Adjective(_COLORED, predicate=False),
    "yellow": Adjective(_COLORED, predicate=False),
    "fresh": Adjective(("food", "dish")),
    "sweet": Adjective(("food",)),
    "hot": Adjective(("dish", "drink")),
    "cold": Adjective(("dish", "drink")),
    "dirty": Adjective(("clothing", "furniture", "vehicle", "opening")),
    "dangerous": Adjective(("animal", "ground", "landmark")),
    "lazy": Adjective(_LIVING),
    "angry": Adjective(("human",)),
    "strange": Adjective(("thing", "reading", "show", "human")),
    "modern": Adjective(("building", "ground")),
    "quiet": Adjective(("ground", "building")),
    "important": Adjective(("reading",)),
    "round": Adjective(("furniture",)),
}


_OFFSPRING = frozenset({"child", "boy", "girl", "baby", "son", "daughter"})
UNSUITED: dict[str, frozenset[str]] = {
    "old": _OFFSPRING,
    "young": frozenset({"grandmother", "child", "baby"}),
    "rich": frozenset({"baby"}),
    "famous": frozenset({"baby", "thief"}),
    "friendly": frozenset({"thief"}),
}
"""Nouns that an adjective cannot modify, although it can modify others of their kind."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb and its possible participants.

    ``frame`` is one of intransitive, transitive, ditransitive (object and recipient), motion (goal),
    dwelling (place), speech (that-clause). ``pairs`` are pools of subjects with pools of objects (or goals).
    A ``stative`` verb is used in the present only, and without manner.
    """

    frame: str
    pairs: tuple[tuple[str, str], ...]
    stative: bool = False
    manner: bool = False


def _transitive(objects: str, **more: bool) -> Verb:
    return Verb("transitive", tuple(("human", pool) for pool in objects.split()), **more)


def _ditransitive(objects: str) -> Verb:
    return Verb("ditransitive", (("human", objects),))


def _intransitive(subjects: str, manner: bool = False) -> Verb:
    return Verb("intransitive", tuple((pool, "") for pool in subjects.split()), manner=manner)


def _speech(stative: bool = False) -> Verb:
    return Verb("speech", (("human", ""),), stative=stative)


VERBS: dict[str, Verb] = {
    "see": Verb("transitive", (("human", "seen"), ("human", "human"), ("animal", "animal"))),
    "eat": Verb(
        "transitive",
        (("human", "food"), ("human", "dish"), ("human", "food"), ("animal", "fodder")),
        manner=True,
    ),
    "read": _transitive("reading", manner=True),
    "buy": _transitive("bought"),
    "give": _ditransitive("gift_like"),
    "go": Verb("motion", (("human", "goal"),)),
    "sleep": _intransitive("human animal"),
    "work": Verb("intransitive", (("human", "workplace"),), manner=True),
    "like": _transitive("liked", stative=True),
    "drink": Verb("transitive", (("human", "drink"), ("human", "drink"), ("animal", "drunk_by_animals")), manner=True),
    "write": _transitive("written", manner=True),
    "open": _transitive("opened", manner=True),
    "love": _transitive("loved", stative=True),
    "come": Verb("motion", (("human", "goal"),)),
    "hear": _transitive("heard"),
    "live": Verb("dwelling", (("human", "dwelling"),), stative=True),
    "wait": _intransitive("human", manner=True),
    "find": _transitive("lost"),
    "send": _ditransitive("gift_like"),
    "play": _intransitive("human"),
    "laugh": _intransitive("human"),
    "lose": _transitive("lost"),
    "help": _transitive("human"),
    "show": _ditransitive("shown"),
    "meet": _transitive("human"),
    "catch": Verb("transitive", (("human", "hunted"), ("animal", "prey"))),
    "make": _transitive("made"),
    "sing": _transitive("music", manner=True),
    "close": _transitive("closed", manner=True),
    "sell": _ditransitive("sold"),
    "wash": _transitive("washed", manner=True),
    "clean": _transitive("cleaned", manner=True),
    "dance": _intransitive("human"),
    "run": _intransitive("animal human"),
    "tell": _ditransitive("told"),
    "feed": _transitive("fed"),
    "repair": _transitive("repaired", manner=True),
    "cut": _transitive("cut", manner=True),
    "call": _transitive("human"),
    "swim": _intransitive("human animal", manner=True),
    "steal": _transitive("stolen"),
    "break": _transitive("broken"),
    "cry": _intransitive("human"),
    "throw": _transitive("thrown"),
    "hide": _transitive("lost"),
    "choose": _transitive("chosen", manner=True),
    "understand": _transitive("understood", stative=True),
    "lend": _ditransitive("lent"),
    "explain": _ditransitive("explained"),
    "push": _transitive("moved", manner=True),
    "pull": _transitive("moved", manner=True),
    "lift": _transitive("lifted", manner=True),
    "smile": _intransitive("human"),
    "admire": _transitive("admired"),
    "touch": _transitive("touched", manner=True),
    "say": _speech(),
    "think": _speech(),
    "know": _speech(stative=True),
    "believe": _speech(stative=True),
    "hope": _speech(stative=True),
}

NUMBERS: tuple[str, ...] = _words("two three four five six seven eight nine ten")
RELATIONS: tuple[str, ...] = _words("in on under behind near with for to")
MOMENTS: dict[str, tuple[str, ...]] = {
    "today": ("present", "past", "future"),
    "yesterday": ("past",),
    "now": ("present",),
    "soon": ("future",),
}
"""Adverbs of time, and the tenses they can be used with."""
WEEKDAYS: tuple[str, ...] = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS: tuple[str, ...] = _words(
    "January February March April May June July August September October November December"
)
DAYPARTS: tuple[str, ...] = ("morning", "evening", "night")
FREQUENCIES: tuple[str, ...] = ("often", "always", "sometimes")
MANNERS: tuple[str, ...] = ("slowly", "quickly", "quietly", "carefully", "patiently")
CONJUNCTIONS: tuple[str, ...] = ("and", "but", "because", "when", "that")

CONCEPTS: tuple[str, ...] = (
    *NOUNS,
    *PERSONS,
    *SURNAMES,
    *CITIES,
    *COUNTRIES,
    *PRONOUNS,
    "who",
    "what",
    "where",
    *ADJECTIVES,
    *VERBS,
    "be",
    *NUMBERS,
    *RELATIONS,
    *MOMENTS,
    *WEEKDAYS,
    *MONTHS,
    *DAYPARTS,
    *FREQUENCIES,
    *MANNERS,
    *CONJUNCTIONS,
    "not",
)
"""All concepts, each once. The grammar of a language has a lemma for each."""
