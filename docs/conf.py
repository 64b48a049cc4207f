"""Sphinx configuration: `make docs`.

The source folder is the repository's root, so that links between Markdown files work here as they do on the code host.
"""

import os
import sys
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from paralign import __version__

project = "paralign"
author = "The paralign authors"
copyright = author
version = release = __version__

root_doc = "docs/index"
source_suffix = {".md": "markdown"}
include_patterns = [
    "docs/**",
    "*.md",
    "benchmarks/README.md",
    "src/paralign/models/*/README.md",
    "src/paralign/demo_pairs/*.md",
]
exclude_patterns = ["build", "dist", "runs", ".*"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.programoutput",
]
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # `paralign ... --help`
os.environ["COLUMNS"] = "84"
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
add_module_names = False

html_theme = "furo"
html_title = f"paralign {__version__}"


def unlink_folders(app: Sphinx, doctree: nodes.document) -> None:
    """Links to folders work on the code host only; here they become plain text."""
    place = Path(app.env.doc2path(app.env.current_document.docname)).parent
    for link in list(doctree.findall(pending_xref)):
        if link["reftype"] == "myst" and (place / link["reftarget"]).is_dir():
            link.replace_self(link.children)


def keep_colons(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Begin attributes with an empty comment: napoleon takes text before a colon in their first line for a type."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", unlink_folders)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon
