import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"<!-- (\S+) -->\n```\n(.*?)\n```", README, flags=re.DOTALL)


@pytest.mark.parametrize(("path", "table"), QUOTED, ids=[path for path, _ in QUOTED])
def test_quoted_table_is_the_file(path: str, table: str) -> None:
    assert table == (ROOT / path).read_text(encoding="utf-8").rstrip("\n")


def test_tables_are_quoted() -> None:
    assert len(QUOTED) == 17


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
