"""What the pipeline imports is what ``requirements.in`` asks for, not what is pulled in beside."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported() -> dict[str, set[str]]:
    """The files under ``stages/`` that import a module of others, by the module's first part."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "stages").rglob("*.py"):
        for module in modules_of(ast.parse(path.read_text(encoding="utf-8"))):
            first = module.partition(".")[0]
            if first not in sys.stdlib_module_names and first != "stages":
                found.setdefault(first, set()).add(str(path.relative_to(ROOT)))
    return found


def modules_of(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported somewhere in a file, within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def asked_for() -> set[str]:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    names = (re.match(r"[\w.-]+", line) for line in lines)
    return {normal(name[0]) for name in names if name}


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_each_import_of_the_pipeline_is_asked_for() -> None:
    modules = imported()
    assert {"torch", "pyarrow", "ruamel", "sklearn"} <= modules.keys()
    distributions = packages_distributions()
    missing = {
        module: sorted(files)
        for module, files in sorted(modules.items())
        if not asked_for().intersection(map(normal, distributions[module]))
    }
    assert missing == {}
