"""Translation memories: nothing is lost in silence, and one bad unit is one bad unit."""

import re
import zipfile
from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import paralign
from paralign.__main__ import main
from paralign.commands.convert_corpus import convert_corpus
from paralign.errors import UserError
from paralign.formats import streams
from paralign.formats.lines import write_lines
from paralign.formats.tmx import read_tmx, to_tmx_lines
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, parse_pairs, parse_text

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4"><header srclang="en"/><body>\n'
TAIL = "</body></tmx>\n"


def unit(*variants):
    return "<tu>" + "".join(f'<tuv xml:lang="{tag}"><seg>{text}</seg></tuv>' for tag, text in variants) + "</tu>\n"


def memory(folder, *units, head=HEAD):
    file = folder / "a.tmx"
    file.write_text(head + "".join(units) + TAIL, encoding="utf-8")
    return file


def texts(file, tags="en-de", **options):
    return [(pair.source, pair.target) for pair in read_pairs(parse_pairs(f"{tags}={file}"), **options)]


# -- entities

DTDS = ["", '<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n', '<!DOCTYPE tmx PUBLIC "-//X//Y" "http://x.invalid/tmx14.dtd">\n']


@pytest.mark.parametrize("dtd", DTDS)
def test_the_entities_of_html_are_text(tmp_path, dtd):
    head = HEAD.replace("<tmx", dtd + "<tmx")
    file = memory(
        tmp_path, unit(("en", "5&nbsp;kg&mdash;no more&hellip;"), ("de", "f&uuml;r &lt;5&nbsp;&euro;")), head=head
    )
    assert texts(file) == [("5 kg—no more…", "für <5 €")]


@pytest.mark.parametrize("dtd", DTDS)
def test_an_entity_without_a_text_is_an_error(tmp_path, dtd):
    bad = unit(("en", "our &product; is"), ("de", "unser &product; ist"))
    head = HEAD.replace("<tmx", dtd + "<tmx")
    file = memory(tmp_path, unit(("en", "a"), ("de", "b")), bad, unit(("en", "c"), ("de", "d")), head=head)
    with pytest.raises(UserError, match="undefined entity &product;") as error:
        texts(file)
    assert error.value.where == f"{file}:{4 + bool(dtd)}"
    dropped = Counter()
    assert texts(file, lenient=True, dropped=dropped) == [("a", "b"), ("c", "d")]
    assert dropped == {"undefined entity": 1}


# -- damage

DAMAGE = {
    "control": lambda k: unit(("en", f"x &#x1F; {k}"), ("de", "y")),
    "ampersand": lambda k: unit(("en", f"x & y {k}"), ("de", "y")),
    "less": lambda k: unit(("en", f"x < y {k}"), ("de", "y")),
    "no end of seg": lambda k: unit(("en", f"x {k}"), ("de", "y")).replace("</seg>", "", 1),
    "no end of unit": lambda k: unit(("en", f"x {k}"), ("de", "y")).replace("</tu>", ""),
    "attribute": lambda k: unit(("en", f"x {k}"), ("de", "y")).replace("<tu>", '<tu a="1" a="2">'),
    "quote": lambda k: unit(("en", f"x {k}"), ("de", "y")).replace('"en"', '"en'),
    "entity": lambda k: unit(("en", f"x &nothing; {k}"), ("de", "y")),
    "raw control": lambda k: unit(("en", f"x \x02 {k}"), ("de", "y")),
}


@pytest.mark.parametrize("kind", list(DAMAGE))
def test_one_bad_unit_is_the_only_one_that_is_lost(tmp_path, kind):
    good = [unit(("en", f"number {k}"), ("de", f"Nummer {k}")) for k in range(300)]
    file = memory(tmp_path, *good[:4], DAMAGE[kind](4), *good[5:])
    with pytest.raises(UserError, match=r"malformed TMX|undefined entity|unit begins inside") as error:
        texts(file)
    # A unit without an end is noticed at the next one.
    assert error.value.where == f"{file}:{8 if kind == 'no end of unit' else 7}"
    dropped = Counter()
    assert texts(file, lenient=True, dropped=dropped) == [(f"number {k}", f"Nummer {k}") for k in range(300) if k != 4]
    assert dropped.total() == 1


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([None, None, *DAMAGE]), min_size=1, max_size=12),
    st.sampled_from([5, 64, 1 << 18]),
    st.sampled_from(["utf-8", "utf-16", "utf-16-be", "iso-8859-1", "gb18030"]),
)
def test_every_good_unit_is_kept_whatever_is_wrong_with_the_others(tmp_path_factory, kinds, block, encoding):
    file = tmp_path_factory.mktemp("tmx") / "a.tmx"
    units = [DAMAGE[kind](k) if kind else unit(("en", f"n {k}"), ("de", f"ü {k}")) for k, kind in enumerate(kinds)]
    file.write_bytes((HEAD.replace("UTF-8", encoding) + "".join(units) + TAIL).encode(encoding))
    dropped = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_BLOCK", block)
        rows = read_tmx(str(file), ("en", "de"), lenient=True, dropped=dropped)
        try:
            found = list(rows)
        except UserError:
            found = []
    wanted = [k for k, kind in enumerate(kinds) if kind is None]
    assert [row[1:] for row in found] == [(f"n {k}", f"ü {k}") for k in wanted]
    # Lines are those of the file, also behind an error.
    assert [row[0] for row in found] == [3 + k for k in wanted]
    # A unit without an end is noticed at the tag of the next; if that tag is bad too, the parser says so once.
    once = sum(pair == ("no end of unit", "attribute") for pair in pairwise(kinds))
    assert dropped.total() == sum(kind is not None for kind in kinds) - once


def test_shares_are_those_of_the_units(tmp_path, capsys, base):
    good = [unit(("en", f"The number {k} is here."), ("de", f"Die Nummer {k} ist hier.")) for k in range(300)]
    file = memory(tmp_path, *good[:4], DAMAGE["control"](4), *good[5:])
    words = f"corpus build --pairs en-de={file} --model {base} --out {tmp_path}/out --set data.min_pieces=1 --lenient"
    assert main(words.split()) == 0
    assert "99.7" in re.sub(r"\u202f|\u00a0", " ", capsys.readouterr().err)
    assert main(f"corpus check --pairs en-de={file} --out {tmp_path}/check --lenient".split()) in (0, 3)
    assert "300 lines" in capsys.readouterr().err


def test_undecodable_bytes_are_errors_of_their_unit(tmp_path):
    file = tmp_path / "a.tmx"
    units = [unit(("en", f"n {k}"), ("de", f"ü {k}")) for k in range(4)]
    data = (HEAD.replace("UTF-8", "utf-8") + "".join(units) + TAIL).encode()
    file.write_bytes(data.replace("ü 2".encode(), b"\xff 2"))
    with pytest.raises(UserError, match="malformed TMX"):
        texts(file)
    assert texts(file, lenient=True) == [(f"n {k}", f"ü {k}") for k in (0, 1, 3)]
    file.write_bytes(data.replace(b'"utf-8"', b'"klingon"'))
    with pytest.raises(UserError, match="cannot be decoded as 'klingon'"):
        texts(file)


# -- variants


@pytest.mark.parametrize(
    ("wanted", "tags", "found"),
    [
        ("zh-CN", ["zh-TW", "zh-CN"], "zh-CN"),
        ("zh-TW", ["zh-CN", "zh-TW"], "zh-TW"),
        ("zh-Hans", ["zh-Hant", "zh-CN"], "zh-CN"),
        ("zh-HK", ["zh-CN", "zh", "zh-TW"], "zh-TW"),
        ("zh", ["zh-TW", "zh", "zh-CN"], "zh"),
        ("zh", ["zh-TW", "zh-CN"], "zh-TW"),
        ("pt-BR", ["pt-PT", "pt", "pt_br"], "pt_br"),
        ("pt-BR", ["pt-PT", "pt"], "pt"),
        ("pt-BR", ["pt-PT"], "pt-PT"),
        ("Portuguese", ["pt-PT", "pt-BR"], "pt-PT"),
    ],
)
def test_the_variant_asked_for_is_read(tmp_path, wanted, tags, found):
    file = memory(tmp_path, unit(("en", "a"), *((tag, tag) for tag in tags)))
    assert texts(file, f"en:{wanted}") == [("a", found)]
    assert texts(file, f"{wanted}:en") == [(found, "a")]
    lines = tmp_path / "a.jsonl"
    lines.write_text("{" + '"en": "a", ' + ", ".join(f'"{tag}": "{tag}"' for tag in tags) + "}\n")
    assert texts(lines, f"en:{wanted}") == [("a", found)]


def test_a_filled_variant_is_read_before_an_empty_one(tmp_path):
    file = memory(tmp_path, unit(("en-US", " "), ("en-GB", "colour"), ("de-DE", ""), ("de-AT", "Farbe")))
    assert texts(file, "en:de-DE") == [("colour", "Farbe")]
    empty = memory(tmp_path, unit(("en", "a"), ("de", "")))
    assert texts(empty) == [("a", "")]


def test_a_spec_keeps_its_variants():
    spec = parse_pairs("en:zh-CN=a.tmx")
    assert spec == PairSpec("en", "zh", "a.tmx")
    assert spec.wanted == ("en", "zh-CN")
    assert str(spec) == "en:zh-CN=a.tmx"
    assert parse_pairs(str(spec)).wanted == spec.wanted
    assert parse_pairs("pt-BR~inv:en=a").wanted[0] == "pt-BR"
    assert str(parse_pairs("pt-BR~inv:en=a")) == "pt-BR~inv:en=a"


# -- inline codes


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ('one<ph type="lb"/>two', "one two"),
        ('one<ph type="x-br"/>two', "one two"),
        ("one<ph>&lt;br/&gt;</ph>two", "one two"),
        ("one<ph>&lt;BR&gt;</ph>two", "one two"),
        ("one<ph>&lt;w:br/&gt;</ph>two", "one two"),
        ("one<ph>\\n</ph>two", "one two"),
        ("one<ph>{\\par}</ph>two", "one two"),
        ("one<it pos='begin'>&lt;/p&gt;&lt;p&gt;</it>two", "one two"),
        ("one<ph>\n</ph>two", "one two"),
        ("one <ph type='lb'/> two", "one two"),
        ("<bpt i='1'>&lt;b&gt;</bpt>B<ept i='1'>&lt;/b&gt;</ept>old", "Bold"),
        ("co<ph>&lt;wbr/&gt;</ph>operate", "cooperate"),
        ("a<ph>\\nonbreaking</ph>b", "ab"),
        ("H<bpt i='1'>&lt;sub&gt;</bpt>2<ept i='1'>&lt;/sub&gt;</ept>O", "H2O"),
        ("x<ph/>y", "xy"),
        ("one<ph>&lt;br <sub>alt</sub>/&gt;</ph>two", "one two"),
    ],
)
def test_codes_that_stand_for_breaks_separate_words(tmp_path, segment, text):
    assert texts(memory(tmp_path, unit(("en", segment), ("de", "x")))) == [(text, "x")]


# -- messages


@pytest.mark.parametrize(
    ("units", "lenient", "message"),
    [
        (
            [unit(("en", "a")), unit(("de", "b")), unit(("de", "c"))],
            False,
            "none of the 3 units can be used as a pair of en and de .*1 have no de; 2 have no en",
        ),
        ([unit(("en", "a & b"), ("de", "c"))] * 2, True, "none of the 2 units .*2 were dropped: malformed TMX"),
        ([], False, "no translation unit in the file"),
        ([unit(("en", "a"), ("fr", "b"))], False, r"no unit in en and de \(the file has: en, fr\)"),
        ([unit(("en", "a"), ("", "b"))], False, "the file has: en and variants without xml:lang"),
    ],
)
def test_a_memory_without_a_pair_says_why(tmp_path, units, lenient, message):
    with pytest.raises(UserError, match=message):
        texts(memory(tmp_path, *units), lenient=lenient)


def test_an_error_behind_what_is_wanted_comes_after_it(tmp_path):
    file = memory(
        tmp_path, *(unit(("en", f"a {k}"), ("de", f"b {k}")) for k in range(3)), unit(("en", "a & b"), ("de", "c"))
    )
    found = read_pairs(parse_pairs(f"en-de={file}"))
    assert [next(found).source for _ in range(3)] == ["a 0", "a 1", "a 2"]
    with pytest.raises(UserError, match=r"a\.tmx:\d+: "):
        next(found)


# -- words

PRETTY = """    <tu>
      <tuv xml:lang="en">
        <seg>Open the red door number {k}.</seg>
      </tuv>
      <tuv xml:lang="de">
        <seg>Öffne die rote Tür Nummer {k}.</seg>
      </tuv>
    </tu>
"""


def test_words_writes_a_line_per_unit(tmp_path):
    file = memory(tmp_path, *(PRETTY.format(k=k) for k in range(30)))
    spec = f"en-de={file}"
    links, _ = paralign.align_words(spec, out=tmp_path / "links", method="ibm", quiet=True)
    assert len(links) == 30
    assert all((tmp_path / "links").read_text().splitlines())
    # The same lines as for the same text in TSV.
    convert_corpus([spec], str(tmp_path / "a.tsv"), quiet=True)
    paralign.align_words(f"en-de={tmp_path / 'a.tsv'}", out=tmp_path / "links.tsv", method="ibm", quiet=True)
    assert (tmp_path / "links.tsv").read_text() == (tmp_path / "links").read_text()
    one_line = tmp_path / "one.tmx"
    one_line.write_text(file.read_text().replace("\n", " "))
    paralign.align_words(f"en-de={one_line}", out=tmp_path / "links.one", method="ibm", quiet=True)
    assert (tmp_path / "links.one").read_text() == (tmp_path / "links").read_text()


def test_links_of_lines_do_not_belong_to_a_memory(tmp_path, base):
    file = memory(tmp_path, *(PRETTY.format(k=k) for k in range(60)))
    (tmp_path / "links").write_text("0-0\n" * 60)
    with pytest.raises(UserError, match="links cannot be read for treebanks and translation memories"):
        paralign.align(
            str(base),
            recipe="alignlm-mini",
            pairs=[f"en-de={file}"],
            links=[f"en-de={tmp_path / 'links'}"],
            out=tmp_path / "run",
            quiet=True,
        )


# -- writing


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\ufdd0", "\U0001ffff", "\x0b", "\x01", "\x1f"])
def test_what_is_written_is_xml_and_gives_the_same_pairs(tmp_path, character):
    (tmp_path / "a.tsv").write_text(f"The sale{character} begins.\tDer Verkauf{character} beginnt.\na\tb\n")
    convert_corpus([f"en-de={tmp_path / 'a.tsv'}"], str(tmp_path / "x.tmx"), quiet=True)
    tree = ElementTree.parse(tmp_path / "x.tmx")
    assert len(list(tree.iter("tu"))) == 2
    assert texts(tmp_path / "x.tmx") == texts(tmp_path / "a.tsv")
    assert len(texts(tmp_path / "x.tmx")) == 2


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=4))
def test_any_text_gives_xml(pairs):
    ElementTree.fromstring("\n".join(to_tmx_lines(pairs, ("en", "de"))).encode())


def test_hub_columns_and_text_specs_keep_the_variant(tmp_path):
    datasets = pytest.importorskip("datasets")
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict({"zh-TW": ["軟體"], "zh-CN": ["软件"]}).to_parquet(tmp_path / "set/train.parquet")
    assert [text for _, text in read_text(parse_text(f"zh-CN=hub:{tmp_path / 'set'}"))] == ["软件"]
    assert [text for _, text in read_text(parse_text(f"zh-TW=hub:{tmp_path / 'set'}"))] == ["軟體"]


def test_long_text_is_refused_but_a_long_code_is_not(tmp_path):
    write_lines(tmp_path / "a.tmx", [HEAD, unit(("en", f"a<ph>{'x ' * 40_000}</ph>b"), ("de", "c")), TAIL])
    assert texts(tmp_path / "a.tmx") == [("ab", "c")]


def test_a_memory_is_not_plain_text(tmp_path):
    file = memory(tmp_path, unit(("en", "a"), ("de", "b")))
    with pytest.raises(UserError, match=r"is a translation memory, not plain text \(write SRC-TGT=PATH"):
        list(read_text(parse_text(f"en={file}")))


@pytest.mark.parametrize(("tags", "text"), [("en:zh-CN", "软件"), ("en:zh-TW", "軟體"), ("en-zh", "軟體")])
def test_members_of_archives_keep_the_variant(tmp_path, tags, text):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for tag, line in (("en", "software"), ("zh_TW", "軟體"), ("zh_CN", "软件")):
            archive.writestr(f"x.en-zh.{tag}", f"{line}\n")
    assert texts(tmp_path / "a.zip", tags) == [("software", text)]
