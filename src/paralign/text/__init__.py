"""Text on disk → pairs → a token store: readers, words, treebanks, cleaning, batches."""

from paralign.text.build import Tokenize, build_store
from paralign.text.clean import FilterConfig, Seen, hash_texts, sentence_hashes
from paralign.text.columns import Tagged, read_tagged
from paralign.text.conllu import UPOS, Tree, read_conllu, read_trees, write_conllu
from paralign.text.excluded import excluded_sentences
from paralign.text.generated import conllu_from_smallworld
from paralign.text.lexicon import read_lexicon
from paralign.text.lines import MAX_LINE, read_lines
from paralign.text.mining import MiningSet, read_mining
from paralign.text.normalise import normalise, plain_key
from paralign.text.readers import Pair, read_pairs, read_text
from paralign.text.sentence_pairs import SentencePair, read_sentence_pairs
from paralign.text.specs import PairSpec, TextSpec, parse_pairs, parse_text
from paralign.text.split import split_corpus
from paralign.text.squad import Question, read_questions
from paralign.text.store import TokenStore, share_kept
from paralign.text.tags import canonical, known_tags
from paralign.text.words import piece_words, word_pieces, word_spans

__all__ = [
    "MAX_LINE",
    "UPOS",
    "FilterConfig",
    "MiningSet",
    "Pair",
    "PairSpec",
    "Question",
    "Seen",
    "SentencePair",
    "Tagged",
    "TextSpec",
    "TokenStore",
    "Tokenize",
    "Tree",
    "build_store",
    "canonical",
    "conllu_from_smallworld",
    "excluded_sentences",
    "hash_texts",
    "known_tags",
    "normalise",
    "parse_pairs",
    "parse_text",
    "piece_words",
    "plain_key",
    "read_conllu",
    "read_lexicon",
    "read_lines",
    "read_mining",
    "read_pairs",
    "read_questions",
    "read_sentence_pairs",
    "read_tagged",
    "read_text",
    "read_trees",
    "sentence_hashes",
    "share_kept",
    "split_corpus",
    "word_pieces",
    "word_spans",
    "write_conllu",
]
