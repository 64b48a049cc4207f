"""Language tags, normalization, words and scripts."""
