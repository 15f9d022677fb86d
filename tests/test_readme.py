import re
from ast import literal_eval
from pathlib import Path

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
    assert len(QUOTED) == 17


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


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
