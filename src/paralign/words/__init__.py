"""Word alignment: which word of a sentence translates which of its translation."""
