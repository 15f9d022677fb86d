"""What is imported is what ``requirements.in`` asks for, not what is pulled in beside."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported(*folders: str) -> dict[str, set[str]]:
    """The files under folders that import a module of others, by the module's first part."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    # tests and scripts import each other by their bare names
    own = {"stages", "tests"} | {path.stem for path in paths if ROOT / "stages" not in path.parents}
    found: dict[str, set[str]] = {}
    for path in paths:
        for module in modules_of(ast.parse(path.read_text(encoding="utf-8"))):
            first = module.partition(".")[0]
            if first not in sys.stdlib_module_names | own:
                found.setdefault(first, set()).add(str(path.relative_to(ROOT)))
    return found


def modules_of(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported somewhere in a file, within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def asked_for(*files: str) -> set[str]:
    lines = [line for file in files for line in (ROOT / file).read_text("utf-8").splitlines()]
    names = (re.match(r"[\w.-]+", line) for line in lines)
    return {normal(name[0]) for name in names if name}


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def not_asked_for(modules: dict[str, set[str]], asked: set[str]) -> dict[str, list[str]]:
    distributions = packages_distributions()
    return {
        module: sorted(files)
        for module, files in sorted(modules.items())
        if module in distributions and not asked.intersection(map(normal, distributions[module]))
    }


def test_each_import_of_the_pipeline_is_asked_for() -> None:
    modules = imported("stages")
    assert (
        {"torch", "pyarrow", "ruamel", "sklearn"} <= modules.keys() <= {*packages_distributions()}
    )
    assert not_asked_for(modules, asked_for("requirements.in")) == {}


def test_each_import_of_tests_and_documents_is_asked_for() -> None:
    # what shared storage's test needs may not be installed
    modules = imported("tests", "docs")
    assert {"pytest", "aiohttp", "boto3"} <= modules.keys()
    assert not_asked_for(modules, asked_for("requirements.in", "requirements-s3.in")) == {}
