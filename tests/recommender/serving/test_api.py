"""The API as a client meets it, and the doors that stay closed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from served_models import SCORES, served, write_models

from stages.recommender.serving import api_batches
from stages.recommender.serving.api import BUSY
from stages.recommender.serving.api_schemas import LONGEST_TEXT
from stages.recommender.serving.recommender import Recommender

ALIEN, BABADOOK = 101, 100


@pytest.fixture(scope="module")
def address(models: Path) -> Iterator[str]:
    with served(models) as address:
        yield address


def post(address: str, path: str, **body: Any) -> requests.Response:
    return requests.post(f"{address}/api/{path}", json=body, timeout=30)


def test_it_answers_what_the_library_answers(address: str, models: Path) -> None:
    text = "scary like Alien, please"
    given = post(address, "recommend", text=text, k=4, model="weighted-rnn").json()
    expected = Recommender.load(models / "weighted-rnn").recommend(text, k=4)
    assert given["model"] == "weighted-rnn"
    assert [mention["movie"]["redial_id"] for mention in given["mentions"]] == [ALIEN]
    assert [(movie["rank"], movie["redial_id"]) for movie in given["recommendations"]] == [
        (movie.rank, movie.redial_id) for movie in expected.recommendations
    ]
    assert [movie["score"] for movie in given["recommendations"]] == pytest.approx(
        [movie.score for movie in expected.recommendations], abs=1e-5
    )
    assert ALIEN not in {movie["redial_id"] for movie in given["recommendations"]}
    near = given["recommendations"][0]["nearest_requests"]
    assert near[0]["text"].startswith("<b>scary</b> request")


def test_mentions_can_be_given(address: str) -> None:
    corrected = post(address, "recommend", text="like Alien", mentions=[BABADOOK]).json()
    assert [mention["movie"]["redial_id"] for mention in corrected["mentions"]] == [BABADOOK]
    assert post(address, "recommend", text="like Alien", mentions=[]).json()["mentions"] == []


def test_movies_are_understood_and_found(address: str) -> None:
    mentions = post(address, "understand", text="I liked The Babadook").json()["mentions"]
    assert [(m["movie"]["title"], m["span"]) for m in mentions] == [("The Babadook", [8, 20])]
    found = requests.get(f"{address}/api/movies", {"query": "babad"}, timeout=30).json()["movies"]
    assert found[0]["redial_id"] == BABADOOK


def test_models_come_best_first(address: str) -> None:
    told = requests.get(f"{address}/api/models", timeout=30).json()
    assert [model["name"] for model in told["models"]] == list(SCORES)
    assert told["default"] == next(iter(SCORES))
    assert told["models"][0]["scores"]["new"]["ndcg@10"] == 0.1
    assert requests.get(f"{address}/api/health", timeout=30).json() == {"status": "ok", "models": 2}


def test_its_description_is_served_from_here(address: str) -> None:
    paths = requests.get(f"{address}/api/openapi.json", timeout=30).json()["paths"]
    assert {"/api/recommend", "/api/understand", "/api/movies", "/api/models"} < set(paths)
    docs = requests.get(f"{address}/api/docs", timeout=30)
    assert docs.status_code == 200 and "https://" not in docs.text
    script = requests.get(f"{address}/api/docs/static/swagger-ui-bundle.js", timeout=30)
    assert script.status_code == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "text: field required"),
        ({"text": ""}, "the request is empty"),
        ({"text": 3}, "text: input should be a valid string"),
        ({"text": "a" * (LONGEST_TEXT + 1)}, "text: string should have at most 2000 characters"),
        ({"text": "a", "k": 0}, "k: input should be greater than or equal to 1"),
        ({"text": "a", "k": 101}, "k: input should be less than or equal to 100"),
        ({"text": "a", "k": True}, "k: input should be a number"),
        ({"text": "a", "mentions": [7]}, "no movie of the catalogue has the id 7"),
        ({"text": "a", "mentions": [2**63]}, "mentions.0: input should be less than"),
        ({"text": "a", "mentions": [1] * 51}, "mentions: list should have at most 50 items"),
        ({"text": "a", "model": "../../etc"}, "no model ../../etc is trained"),
        ({"text": "a", "file": "/etc/passwd"}, "file: extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_one_sentence(address: str, body: dict[str, Any], told: str) -> None:
    answer = post(address, "recommend", **body)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(told)


def test_no_json_is_told(address: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{address}/api/recommend", "{", headers=headers, timeout=30)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("the request is no JSON")


@pytest.mark.parametrize("text", ["\0", "😀" * 500, "\u202e", "a" * LONGEST_TEXT, "It (2017)"])
def test_any_text_is_answered(address: str, text: str) -> None:
    assert post(address, "recommend", text=text).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(address: str, chunked: bool) -> None:
    body: Any = (b"x" * 1000 for _ in range(70)) if chunked else b"x" * 70_000
    answer = requests.post(f"{address}/api/recommend", body, timeout=30)
    assert answer.status_code == 413
    assert "larger than 65536 bytes" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/upload",
        "/gradio_api/proxy=https://example.org/",
        "/gradio_api/info",
        "/gradio_api/run/ask",
        "/gradio_api/queue/join",
        "/gradio_api/queue/data",
        "/monitoring/summary",
        "/file=requirements.lock",
        "/docs",
    ],
)
def test_other_doors_are_closed(address: str, path: str) -> None:
    for method in ("GET", "POST"):
        assert requests.request(method, f"{address}{path}", timeout=30).status_code == 404


@pytest.mark.parametrize("path", ["/static/../../../etc/passwd", "/assets/%2e%2e/%2e%2e/routes.py"])
def test_no_path_leads_out(address: str, path: str) -> None:
    request = requests.Request("GET", address).prepare()
    request.url = f"{address}{path}"
    with requests.Session() as session:
        assert session.send(request, timeout=30).status_code in (403, 404)


def test_another_name_for_this_machine_is_refused(address: str) -> None:
    answer = requests.get(f"{address}/api/health", headers={"Host": "evil.example.org"}, timeout=30)
    assert answer.status_code == 400


def test_nobody_asks_too_often(models: Path) -> None:
    with served(models, requests_per_minute=3) as address:
        codes = [requests.get(f"{address}/api/models", timeout=30) for _ in range(5)]
    assert [answer.status_code for answer in codes] == [200, 200, 200, 429, 429]
    assert "try again in" in codes[-1].json()["error"]
    assert int(codes[-1].headers["Retry-After"]) > 0


def test_the_page_counts_as_well_but_for_its_files(models: Path) -> None:
    with served(models, requests_per_minute=3) as address:
        paths = ("/", "/theme.css", "/config", "/theme.css", "/gradio_api/startup-events", "/", "/")
        codes = [requests.get(f"{address}{path}", timeout=30).status_code for path in paths]
        heartbeat = requests.get(f"{address}/gradio_api/heartbeat/a", timeout=30)
        theme = requests.get(f"{address}/theme.css", timeout=30)
    assert codes == [200, 200, 200, 200, 200, 200, 429]
    assert (heartbeat.status_code, theme.status_code) == (429, 200)


def test_many_at_once_each_get_their_own_answer(address: str) -> None:
    def ask(number: int) -> bool:
        mention, k = 100 + number % 5, 1 + number % 4
        given = post(address, "recommend", text="scary", mentions=[mention], k=k).json()
        asked = [each["movie"]["redial_id"] for each in given["mentions"]]
        return asked == [mention] and len(given["recommendations"]) == k

    with ThreadPoolExecutor(50) as clients:
        assert all(clients.map(ask, range(200)))


def test_who_asks_when_too_many_wait_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_batches, "MOST_WAITING", 0)
    for answer in (
        post(address, "recommend", text="scary"),
        post(address, "understand", text="scary"),
        requests.get(f"{address}/api/movies", {"query": "babad"}, timeout=30),
    ):
        assert (answer.status_code, answer.json()) == (503, {"error": BUSY})


def test_a_best_model_that_cannot_be_loaded_leaves_the_others(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    models = write_models(tmp_path, tiny_encoder)
    (models / "weighted-rnn" / "title_usage.parquet").unlink()
    with served(models) as address:
        told = post(address, "recommend", text="scary")
        assert told.status_code == 503
        assert "title_usage.parquet is missing" in told.json()["error"]
        assert post(address, "recommend", text="scary", model="original-baseline").ok


def test_damaged_metrics_leave_a_model_its_answers(tmp_path: Path, tiny_encoder: Path) -> None:
    models = write_models(tmp_path, tiny_encoder)
    (tmp_path / "metrics" / "weighted-rnn.json").write_text('{"test": []}', encoding="utf-8")
    with served(models) as address:
        told = requests.get(f"{address}/api/models", timeout=30).json()
        assert [(model["name"], model["scores"] == {}) for model in told["models"]] == [
            ("original-baseline", False),
            ("weighted-rnn", True),
        ]
        assert post(address, "recommend", text="scary", model="weighted-rnn").ok


def test_nothing_trained_is_told(tmp_path: Path, tiny_encoder: Path) -> None:
    with served(tmp_path / "models") as address:
        for answer in (
            requests.get(f"{address}/api/health", timeout=30),
            post(address, "recommend", text="scary"),
        ):
            assert answer.status_code == 503
            assert "no model is trained" in answer.json()["error"]
        write_models(tmp_path, tiny_encoder)
        assert post(address, "recommend", text="scary").status_code == 200
