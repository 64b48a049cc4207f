"""Sources of text, ``LANG=PATH`` and ``SRC-TGT=PATH``: a file, the small world, or a derived language."""
