"""``LANG=PATH`` and ``SRC-TGT=PATH``: from what the user names to items."""
