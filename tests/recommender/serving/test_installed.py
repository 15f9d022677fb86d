"""The project installed as others install it: a copy, not a link to the checkout."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest
import requests
from served_models import write_models

ROOT = Path(__file__).parents[3]
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", "requirements.lock")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the project alone is installed in; no package is fetched."""
    folder = tmp_path_factory.mktemp("installed")
    source, target = folder / "source", folder / "site-packages"
    shutil.copytree(
        ROOT / "stages", source / "stages", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in BUILT_FROM:
        shutil.copyfile(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *offline, str(source)], check=True)
    shutil.rmtree(source)
    return target


@pytest.fixture(scope="module")
def environment(
    installed: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    models = write_models(tmp_path_factory.mktemp("trained"), tiny_encoder)
    return {**os.environ, "PYTHONPATH": str(installed), "RECOMMEND_MODELS": str(models)}


def run(installed: Path, environment: dict[str, str], where: Path, *arguments: str) -> str:
    command = [installed / "bin" / "recommend", *arguments]
    return subprocess.run(
        command, cwd=where, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def test_models_and_movies_are_listed(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    models = json.loads(run(installed, environment, tmp_path, "models", "--json"))
    assert [model["name"] for model in models] == ["weighted-rnn", "original-baseline"]
    movies = json.loads(run(installed, environment, tmp_path, "movies", "babad", "--json"))
    assert [movie["title"] for movie in movies] == ["The Babadook"]


@pytest.fixture
def address(installed: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Of ``recommend serve``, which took a free port."""
    command = [installed / "bin" / "recommend", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split(" at ")[1].split()[0].rstrip("/")
        finally:
            server.terminate()


def test_serve_answers_by_page_and_api(address: str) -> None:
    assert requests.get(f"{address}/api/health", timeout=60).status_code == 200
    body = {"text": "scary like Alien", "k": 3}
    answer = requests.post(f"{address}/api/recommend", json=body, timeout=60).json()
    assert [mention["movie"]["title"] for mention in answer["mentions"]] == ["Alien"]
    assert len(answer["recommendations"]) == 3
    page = requests.get(address, timeout=60).text
    assert "What would you like to watch?" in page
    assert "#mentioned" in page  # from its own styles


def test_every_template_is_installed(installed: Path) -> None:
    there = {path.relative_to(ROOT) for path in (ROOT / "stages").rglob("*.*")}
    expected = {path for path in there if path.suffix in {".css", ".jinja"}}
    assert len(expected) >= 8
    assert {path for path in expected if not (installed / path).is_file()} == set()


def test_it_asks_for_what_the_lock_pins(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info/METADATA")
    asked = Parser().parsestr(metadata.read_text(encoding="utf-8")).get_all("Requires-Dist")
    assert asked == (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
