"""Rules about imports that import-linter does not check (its contracts are in pyproject.toml)."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def module_name(path):
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def imported_names(source):
    """Yield (module, name) of every absolute import, also in functions and under TYPE_CHECKING; name is None for
    ``import module``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from ((node.module, alias.name) for alias in node.names)


def dependencies(name, source):
    modules = {f"{module}.{attribute}" if f"{module}.{attribute}" in MODULES else module
               for module, attribute in imported_names(source)}  # fmt: skip
    return modules & set(MODULES) - {name}


def test_no_cycle_not_even_of_annotations():
    graph = {name: dependencies(name, path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 1000
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_cycles_would_be_found():
    name = "paralign.errors"
    for source in (
        "if TYPE_CHECKING:\n    from paralign.config import Config",
        "def f():\n    from paralign import config",
        "import paralign.config",
    ):
        assert dependencies(name, source) == {"paralign.config"}


def test_no_private_name_of_another_module_is_imported():
    private = [
        f"{importer}: {module}.{name}"
        for importer, path in MODULES.items()
        for module, name in imported_names(path.read_text(encoding="utf-8"))
        if module.split(".")[0] == "paralign"
        and any(part.startswith("_") and not part.startswith("__") for part in (*module.split("."), name or ""))
    ]
    assert private == []
