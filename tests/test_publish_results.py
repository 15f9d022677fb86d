from pathlib import Path

import pytest
from docs_scripts import docs_script

ROOT = Path(__file__).parents[1]
publish = docs_script("publish_results")

RUN = {
    "metrics/report/models.txt": "new table\n",
    "metrics/report/ladder.png": "picture",
    "metrics/report/report.html": "page",
    "metrics/summary.json": "{}",
    "metrics/coverage.json": "{}",
    "metrics/ladder.json": "{}",
    "metrics/ablation.json": "{}",
    "data/examples/figures.json": "{}",
    "params.yaml": "redial:\n  source: zip\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in RUN.items():
        path = tmp_path / "runs" / "redial" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    old = "before\n<!-- docs/results/frozen/models.txt -->\n```\nold\ntable\n```\nafter\n"
    (tmp_path / "README.md").write_text(old)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/scaling.md").write_text(old)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["publish_results.py", "runs/redial", "frozen"])
    return tmp_path


def test_results_are_copied_and_quoted(project: Path) -> None:
    publish.main()
    copied = {path.name for path in Path("docs/results/frozen").iterdir()}
    assert copied == {Path(name).name for name in RUN} - {"report.html", "params.yaml"}
    for page in ("README.md", "docs/scaling.md"):
        assert Path(page).read_text() == (
            "before\n<!-- docs/results/frozen/models.txt -->\n```\nnew table\n```\nafter\n"
        )


def test_tables_alone_are_quoted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish.main()
    Path("docs/results/frozen/models.txt").write_text("a benchmark's\n")
    monkeypatch.setattr("sys.argv", ["publish_results.py"])
    publish.main()
    assert "```\na benchmark's\n```" in Path("README.md").read_text()


def test_invented_movies_are_not_published(project: Path) -> None:
    Path("runs/redial/params.yaml").write_text("redial:\n  source: sample\n")
    with pytest.raises(SystemExit, match="whose movies are invented"):
        publish.main()
    assert not Path("docs/results").exists()


def test_an_unfinished_run_is_not_published(project: Path) -> None:
    Path("runs/redial/metrics/ladder.json").unlink()
    with pytest.raises(SystemExit, match=r"not finished: .*metrics/ladder\.json"):
        publish.main()
    assert not Path("docs/results").exists()


def test_the_readme_quotes_its_tables_as_they_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert publish.quote_tables(text, ROOT) == text
