import re
from ast import literal_eval
from pathlib import Path

import grimp
import pytest
from served_models import write_gate

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
QUOTED = re.findall(r"<!-- (\S+) -->\n```\n(.*?)\n```", README, flags=re.DOTALL)


@pytest.mark.parametrize(("path", "table"), QUOTED, ids=[path for path, _ in QUOTED])
def test_quoted_table_is_the_file(path: str, table: str) -> None:
    assert table == (ROOT / path).read_text(encoding="utf-8").rstrip("\n")


def test_tables_are_quoted() -> None:
    assert len(QUOTED) == 20


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_no_module_imports_from_below_itself_in_the_map() -> None:
    library = re.search(
        r"^stages/recommender/\n(.*?)^tests/", README, flags=re.DOTALL | re.MULTILINE
    )
    assert library is not None
    # each line: names, two spaces or more, what they are
    lines = [re.split(r" {2,}", line.strip())[0] for line in library[1].splitlines()]
    level = {name.strip("/"): at for at, line in enumerate(lines) for name in line.split(", ")}
    here = ROOT / "stages" / "recommender"
    assert {path.parent.name for path in here.glob("*/__init__.py")} <= set(level)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        graph = grimp.build_graph("stages", cache_dir=None)
    downwards = [
        (module, imported)
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if (one := level.get(part_of(module))) is not None
        and (other := level.get(part_of(imported))) is not None
        and other > one
    ]
    assert downwards == []


def part_of(module: str) -> str:
    """The part of the library that a module is of: its name within ``stages.recommender``."""
    return ".".join(module.split(".")[2:3])


def test_the_python_example_runs(
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_gate(tmp_path / "runs" / "redial", tiny_encoder)
    monkeypatch.chdir(tmp_path)
    (example,) = PYTHON
    exec(example, {})
    assert len(literal_eval(capsys.readouterr().out)) == 5
