import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stages.recommender.errors import UserError
from stages.recommender.serving.command import app
from stages.recommender.serving.export import export_model
from stages.recommender.serving.recommender import Recommender

BABADOOK, ALIEN = 100, 101


def run(models: Path, *arguments: str, given: str | None = None) -> str:
    result = CliRunner().invoke(
        app, [*arguments], input=given, env={"RECOMMEND_MODELS": str(models)}
    )
    assert result.exit_code == 0, result.output
    return result.output


def asked(models: Path, *arguments: str, given: str | None = None) -> list[Any]:
    return [json.loads(line) for line in run(models, *arguments, given=given).splitlines()]


def test_a_request_is_answered_in_a_table(models: Path) -> None:
    lines = run(models, "scary like Alien", "-k", "3").splitlines()
    assert lines[:2] == ["scary like Alien", "understood: Alien"]
    assert [line.split()[0] for line in lines[3:6]] == ["1", "2", "3"]


def test_json_is_what_the_library_answers(models: Path) -> None:
    (answer,) = asked(models, "scary like Alien", "--json", "-m", "original-baseline", "-k", "4")
    expected = Recommender.load(models / "original-baseline").recommend("scary like Alien", k=4)
    assert [movie["redial_id"] for movie in answer["recommendations"]] == [
        movie.redial_id for movie in expected.recommendations
    ]
    assert answer["mentions"][0]["movie"]["redial_id"] == ALIEN


def test_each_line_of_standard_input_is_a_request(models: Path) -> None:
    answers = asked(models, "--json", given="scary\n\n funny \n")
    assert [answer["text"] for answer in answers] == ["scary", "funny"]


def test_mentions_replace_what_was_found_and_may_repeat(models: Path) -> None:
    arguments = ["like Alien", "--json", "--mention", "100", "--mention", "103", "--repeat"]
    (answer,) = asked(models, *arguments, "-k", "50")
    assert [mention["movie"]["redial_id"] for mention in answer["mentions"]] == [BABADOOK, 103]
    assert {100, 103} <= {movie["redial_id"] for movie in answer["recommendations"]}


def test_the_catalogue_is_searched(models: Path) -> None:
    assert "100  The Babadook" in run(models, "movies", "babad")
    assert json.loads(run(models, "movies", "nothing like it", "--json")) == []


def test_models_are_listed_the_best_first(models: Path) -> None:
    lines = run(models, "models").splitlines()
    assert lines[0].split("  ")[0] == "model"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["weighted-rnn", "0.1000"],
        ["original-baseline", "0.0500"],
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["scary"], "no model is trained in .*; train all with: make run"), (["models"], "no model")],
)
def test_without_a_model_it_says_which_command_makes_one(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        CliRunner().invoke(
            app, arguments, env={"RECOMMEND_MODELS": str(tmp_path)}, catch_exceptions=False
        )


def test_an_unknown_model_is_told(models: Path) -> None:
    with pytest.raises(UserError, match=r"no model bert is trained .* only weighted-rnn, original"):
        CliRunner().invoke(
            app,
            ["hi", "-m", "bert"],
            env={"RECOMMEND_MODELS": str(models)},
            catch_exceptions=False,
        )


def test_an_exported_folder_gives_the_same_rankings(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    run(models, "export", str(folder))
    answers = [
        Recommender.load(place).recommend("scary like Alien", k=50)
        for place in (models / "weighted-rnn", folder)
    ]
    assert answers[0] == answers[1]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense:")
    assert "| all       | ndcg@10   | 0.1000" in card
    with pytest.raises(UserError, match="is there already"):
        run_export(models, folder)


def run_export(models: Path, folder: Path) -> None:
    export_model(models / "weighted-rnn", folder, models.parent / "metrics")
