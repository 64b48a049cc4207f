"""Language tags: one canonical tag for each language, whatever code or name a file uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.languages import parse_derived

__all__ = ["best_variant", "canonical_tag", "find_tag", "known_tags", "pair_tag", "variant_of"]

# One language per line: the canonical tag (ISO 639-1 if there is one, otherwise 639-3), then all other codes (639-2 B
# and T, 639-3, members of a macrolanguage that corpora use for the macrolanguage), then English names in CamelCase.
_TABLE = """
af afr Afrikaans
gsw AlsatianGerman SwissGerman Alemannic
am amh Amharic
an arg Aragonese
ang OldEnglish
ar ara arb Arabic StandardArabic
arq AlgerianArabic
ary MoroccanArabic
arz EgyptianArabic
as asm Assamese
ast Asturian
awa Awadhi
az aze azj Azerbaijani
ba bak Bashkir
be bel Belarusian
bem Bemba
ber Berber
bg bul Bulgarian
bho Bhojpuri
bm bam Bambara
bn ben Bengali Bangla
bo tib bod Tibetan
br bre Breton
bs bos Bosnian
bxr Buriat
ca cat Catalan Valencian
cbk Chavacano
ce che Chechen
ceb Cebuano
ch cha Chamorro
ckb CentralKurdish Sorani
cop Coptic
kw cor Cornish
crh CrimeanTatar
cs cze ces Czech
csb Kashubian
cu chu OldChurchSlavonic ChurchSlavic
cv chv Chuvash
cy wel cym Welsh
da dan Danish
de ger deu German
dv div Divehi Dhivehi Maldivian
dsb LowerSorbian
dtp kzj Kadazandusun CentralDusun CoastalKadazan
dz dzo Dzongkha
ee ewe Ewe
el gre ell Greek ModernGreek
en eng English
eo epo Esperanto
es spa Spanish Castilian
et est ekk Estonian
eu baq eus Basque
fa per fas pes Persian Farsi WesternPersian
ff ful Fulah Fula
fi fin Finnish
fil Filipino
fj fij Fijian
fo fao Faroese
fr fre fra French
fro OldFrench
fur Friulian
fy fry WesternFrisian Frisian
ga gle Irish
gd gla ScottishGaelic Gaelic
gl glg Galician
gn grn gug Guarani
got Gothic
grc AncientGreek
gu guj Gujarati
gv glv Manx
ha hau Hausa
haw Hawaiian
he heb iw Hebrew ModernHebrew
hi hin Hindi
hmn Hmong
hr hrv scr Croatian
hsb UpperSorbian
ht hat Haitian HaitianCreole
hu hun Hungarian
hy arm hye Armenian EasternArmenian
hyw WesternArmenian
ia ina Interlingua
id ind in Indonesian
ie ile Interlingue Occidental
ig ibo Igbo
ilo Ilocano Iloko
io ido Ido
is ice isl Icelandic
it ita Italian
iu iku Inuktitut
ja jpn Japanese
jv jav jw Javanese
ka geo kat Georgian
kab Kabyle
kk kaz Kazakh
km khm Khmer CentralKhmer Cambodian
kmr ku kur Kurdish NorthernKurdish Kurmanji
kn kan Kannada
ko kor Korean
kok gom Konkani
kpv Komi KomiZyrian
krl Karelian
ks kas Kashmiri
ky kir Kyrgyz Kirghiz
la lat Latin
lb ltz Luxembourgish
lfn LinguaFrancaNova
lg lug Ganda Luganda
lij Ligurian
lmo Lombard
ln lin Lingala
lo lao Lao
lt lit Lithuanian
lv lav lvs Latvian
lzh ClassicalChinese LiteraryChinese
mag Magahi
mai Maithili
max NorthMoluccanMalay
mey HassaniyaArabic Hassaniyya
mg mlg plt Malagasy
mhr chm Mari EasternMari MeadowMari
mi mao mri Maori
mk mac mkd Macedonian
ml mal Malayalam
mn mon khk Mongolian
mni Manipuri Meitei
mr mar Marathi
ms may msa zsm Malay StandardMalay
mt mlt Maltese
my bur mya Burmese
myv Erzya
nan MinNan Hokkien
nap Neapolitan
nb nob no nor Norwegian NorwegianBokmal NorwegianBokmål Bokmal Bokmål
nd nde NorthNdebele Ndebele
nds LowGerman LowSaxon
ne nep npi Nepali
new NepalBhasa Newari
nl dut nld Dutch Flemish
nn nno NorwegianNynorsk Nynorsk
nso NorthernSotho Pedi Sepedi
nv nav Navajo
ny nya Nyanja Chichewa Chewa
oc oci Occitan
om orm gaz Oromo
or ori ory Odia Oriya
orv OldEastSlavic OldRussian
os oss Ossetian
pa pan Punjabi Panjabi EasternPunjabi
pam Pampanga Kapampangan
pap Papiamento
pcm NigerianPidgin Naija
pl pol Polish
pms Piedmontese
pnb WesternPunjabi
prs Dari
ps pus pbt Pashto Pushto
pt por Portuguese
qu que quy quz Quechua
rm roh Romansh
rn run Rundi Kirundi
ro rum ron mo mol Romanian Moldavian
ru rus Russian
rw kin Kinyarwanda
sa san Sanskrit
sah Yakut Sakha
sc srd Sardinian
scn Sicilian
sco Scots
sd snd Sindhi
se sme NorthernSami
shi Tachelhit
si sin Sinhala Sinhalese
sk slo slk Slovak
sl slv Slovenian Slovene
sm smo Samoan
sn sna Shona
so som Somali
sq alb sqi als Albanian ToskAlbanian
sr srp scc Serbian
ss ssw Swati Swazi
st sot SouthernSotho Sotho
su sun Sundanese
sv swe Swedish
sw swa swh swc Swahili
szl Silesian
ta tam Tamil
te tel Telugu
tg tgk Tajik
th tha Thai
ti tir Tigrinya
tk tuk Turkmen
tl tgl Tagalog
tn tsn Tswana Setswana
to ton Tongan Tonga
tr tur Turkish
ts tso Tsonga
tt tat Tatar
tw twi Twi
ty tah Tahitian
tzl Talossan
udm Udmurt
ug uig Uyghur Uighur
uk ukr Ukrainian
ur urd Urdu
uz uzb uzn Uzbek NorthernUzbek
ve ven Venda
vec Venetian
vi vie Vietnamese
vo vol Volapuk Volapük
wa wln Walloon
war Waray
wo wol Wolof
wuu WuChinese Shanghainese Wu
xh xho Xhosa
yi yid ydd Yiddish
yo yor Yoruba
yue Cantonese YueChinese
zh chi zho cmn Chinese Mandarin MandarinChinese
zu zul Zulu
"""


def _plain(name: str) -> str:
    return re.sub(r"[\s_()-]+", "", name).casefold()


_CODES: dict[str, str] = {}
_NAMES: dict[str, str] = {}
for _row in _TABLE.split("\n"):
    for _word in _row.split():
        (_CODES if _word.islower() else _NAMES)[_plain(_word)] = _row.split()[0]

# Subtags after the language: script, region, variant, encoding (zh-Hant-TW, de_DE.UTF-8).
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_](?:[A-Za-z]{4}|[A-Za-z]{2}|\d{3}|\d\w{3}|\w{5,8}))*(?:[.@][\w-]+)?")
# The script in which a language is written there; tags name either the region or the script.
_SCRIPTS = {"cn": "hans", "sg": "hans", "tw": "hant", "hk": "hant", "mo": "hant"}
_PRIVATE = re.compile(r"(.+?)-x-([a-z0-9]{1,8}(?:-[a-z0-9]{1,8})*)", re.IGNORECASE)


def canonical_tag(tag: str) -> str:
    """Return the canonical tag of a language: ``deu``, ``ger``, ``German`` and ``de-DE`` are all ``de``.

    ISO 639-1 codes are kept; 639-2 and 639-3 codes and English names (in any case) are mapped to them. Script, region
    and encoding are removed (``zh-Hant-TW`` → ``zh``, ``de_DE.UTF-8`` → ``de``). A private-use part is kept, because it
    denotes another language: ``eng-x-inv`` → ``en-x-inv``. So are the transformations of a derived language
    (:mod:`paralign.languages`): ``eng~inv+trans`` → ``en~trans+inv``.

    Raises:
        UserError: for an unknown language or transformation, with the most similar one.

    >>> canonical_tag("German"), canonical_tag("zh-Hant-TW")
    ('de', 'zh')
    """
    text = tag.strip()
    derived = parse_derived(text)
    if derived is not None:
        return replace(derived, base=canonical_tag(derived.base)).name
    private = _PRIVATE.fullmatch(text)
    if private:
        return f"{canonical_tag(private[1])}-x-{private[2].lower()}"
    plain = _plain(text)
    canonical = _CODES.get(text.casefold()) or _NAMES.get(plain)
    locale = _LOCALE.fullmatch(text)
    if canonical is None and locale:
        canonical = _CODES.get(locale[1].casefold())
    if canonical is None:
        short = len(plain) <= 3
        hint = did_you_mean(plain, _CODES if short else _NAMES)
        if hint.startswith("available:"):
            hint = "use an ISO 639 code (de, zh, ceb) or an English name"
        raise UserError(f"unknown language {tag!r}", hint=hint)
    return canonical


def known_tags() -> list[str]:
    """Return all canonical tags, sorted, without private-use and derived ones."""
    return sorted(set(_CODES.values()))


@lru_cache(maxsize=4096)
def find_tag(word: str) -> str:
    """Return the canonical tag of a word, or an empty string if it is not a language."""
    try:
        return canonical_tag(word)
    except UserError:
        return ""


def variant_of(tag: str) -> str:
    """Return the tag if it names a script, a region or another variant, which its canonical form lacks, else "".

    >>> variant_of("zh-CN"), variant_of("German"), variant_of("pt_BR.UTF-8")
    ('zh-CN', '', 'pt-BR')
    """
    text = re.split(r"[.@~]", tag.strip(), maxsplit=1)[0].replace("_", "-")
    return text if _subtags(text) else ""


def best_variant(tags: Iterable[str], wanted: str) -> int | None:
    """Return the index of the tag that fits the one asked for best, the first of several; ``None`` if no tag fits.

    All tags of the language fit, best the same script or region, then the language alone, then other variants.

    Args:
        tags: tags of any form; a tag of another language does not fit.
        wanted: the tag asked for, a canonical one or one with script or region.

    >>> best_variant(["zh-TW", "en", "zh-CN"], "zh-Hans")
    2
    """
    return _best_variant(tuple(tags), wanted)


@lru_cache(maxsize=4096)
def _best_variant(tags: tuple[str, ...], wanted: str) -> int | None:
    ranks = [_variant_rank(tag, wanted) for tag in tags]
    best = max(ranks, default=())
    return ranks.index(best) if best else None


def _variant_rank(tag: str, wanted: str) -> tuple[int, ...]:
    """Return a rank that is higher for a better fit; empty for another language."""
    if not find_tag(tag) or find_tag(tag) != find_tag(wanted):
        return ()
    given, asked = _subtags(tag), _subtags(wanted)
    return (given == asked, len(given & asked), not given)


def _subtags(tag: str) -> frozenset[str]:
    """Return the subtags after the language, and the script of a region of Chinese."""
    parts = re.split(r"[-_]", re.split(r"[.@~]", tag.strip(), maxsplit=1)[0].casefold())
    if not _LOCALE.fullmatch(tag.strip()) or "x" in parts or _CODES.get(parts[0]) is None:
        return frozenset()
    scripts = {_SCRIPTS[part] for part in parts[1:] if part in _SCRIPTS and _CODES[parts[0]] == "zh"}
    return frozenset(parts[1:]) | scripts


def pair_tag(source: str, target: str) -> str:
    """Join two tags in the form of ``--pairs``: ``en-de``, or ``en:zh-CN`` if a tag has a hyphen."""
    separator = ":" if "-" in source + target else "-"
    return f"{source}{separator}{target}"
