"""The readers on real files; the folder is named by PARALIGN_SHARED or lies beside the repository."""

import os
from collections import Counter
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.sources.readers import read_pairs, read_trees
from paralign.sources.specs import parse_pairs, parse_text
from paralign.text.normalization import normalize

SHARED = Path(os.environ.get("PARALIGN_SHARED", Path(__file__).parents[2].parent / "shared"))
DATA = SHARED / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="no real data here")]


@pytest.mark.parametrize(("tag", "count"), [("ar", 11_446), ("bg", 15_175), ("zh", 21_116), ("de", 169_813)])
def test_tatoeba(tag: str, count: int) -> None:
    assert sum(1 for _ in read_pairs(parse_pairs(f"en-{tag}={DATA}/parallel/tatoeba/en-{tag}.tsv.gz"))) == count


def test_the_foreign_trailer() -> None:
    spec = parse_pairs(f"en-fr={DATA}/parallel/tatoeba/en-fr.tsv.gz")
    with pytest.raises(UserError, match=r"en-fr\.tsv\.gz:167131: a NUL byte"):
        list(read_pairs(spec))
    dropped: Counter[str] = Counter()
    assert sum(1 for _ in read_pairs(spec, lenient=True, dropped=dropped)) == 167_130
    assert dropped == {"NUL": 1}


@pytest.mark.parametrize(("tag", "count"), [("ar", 8_625), ("hi", 7_865), ("zh", 29_392)])
def test_libreoffice(tag: str, count: int) -> None:
    stem = f"{DATA}/parallel/libreoffice/LibreOffice.{tag}-en"
    assert sum(1 for _ in read_pairs(parse_pairs(f"{tag}-en={stem}.{tag}.gz,{stem}.en.gz"))) == count


@pytest.mark.parametrize("tag", ["en", "de", "fr", "hi", "es"])
def test_pud_against_the_conllu_package(tag: str) -> None:
    conllu = pytest.importorskip("conllu")
    (file,) = DATA.glob(f"pos-parse/*PUD/{tag}_pud-ud-test.conllu")
    trees = list(read_trees(parse_text(f"{tag}={file}")))
    parsed = conllu.parse(file.read_text(encoding="utf-8"))
    assert len(trees) == len(parsed) == 1_000
    for tree, sentence in zip(trees, parsed, strict=True):
        tokens = [token for token in sentence if isinstance(token["id"], int)]
        assert list(tree.words) == [normalize(token["form"]) for token in tokens]
        assert list(tree.heads) == [token["head"] for token in tokens]
        assert list(tree.upos) == [token["upos"] for token in tokens]
        assert list(tree.deprels) == [token["deprel"] for token in tokens]
        assert [tree.text[a:b] for a, b in tree.spans] == list(tree.words)
        if tag == "hi":  # without multi-word tokens the text is the treebank's own
            assert tree.text == normalize(sentence.metadata["text"])
