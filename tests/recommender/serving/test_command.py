import json
import os
import shutil
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from served_models import write_gate, write_models
from typer.testing import CliRunner

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.serving import web
from stages.recommender.serving.command import app
from stages.recommender.serving.recommender import Recommender

ROOT = Path(__file__).parents[3]
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


def test_json_names_each_value_as_the_api_does(models: Path) -> None:
    (answer,) = asked(models, "scary like Alien", "--json", "-m", "weighted-rnn")
    assert list(answer) == ["text", "model", "mentions", "recommendations"]
    assert (answer["text"], answer["model"]) == ("scary like Alien", "weighted-rnn")
    movie = answer["recommendations"][0]
    assert {"rank", "redial_id", "movielens_id", "title", "year", "score", "tags"} < set(movie)
    assert set(movie["nearest_requests"][0]) == {"text", "similarity"}
    causes = [cause for each in answer["recommendations"] for cause in each["pulled_up_by"]]
    assert {cause["movie"]["title"] for cause in causes} == {"Alien"}
    assert all(set(cause) == {"movie", "contribution"} for cause in causes)


def test_quotes_may_be_left_out(models: Path) -> None:
    assert run(models, "scary", "like", "Alien").startswith("scary like Alien\nunderstood: Alien")
    assert "100  The Babadook" in run(models, "movies", "the", "babad")


def test_bytes_of_another_encoding_are_no_failure(models: Path) -> None:
    result = CliRunner().invoke(
        app,
        ["--json"],
        input=b"caf\xe9 like Alien\n",
        env={"RECOMMEND_MODELS": str(models)},
        catch_exceptions=False,
    )
    assert json.loads(result.output)["text"] == "caf\ufffd like Alien"
    # as Python reads such an argument
    assert asked(models, "caf\udce9", "--json")[0]["text"] == "caf?"


def test_each_line_of_standard_input_is_a_request(models: Path) -> None:
    answers = asked(models, "--json", given="scary\n\n funny \n")
    assert [answer["text"] for answer in answers] == ["scary", "funny"]


def test_a_program_that_waits_for_each_answer_gets_it(models: Path) -> None:
    command = [sys.executable, "-m", "stages.recommender.serving.command", "--json", "-k", "1"]
    environment = {**os.environ, "RECOMMEND_MODELS": str(models)}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        patience = threading.Timer(120, asking.kill)
        patience.start()
        for request in ("scary", "funny"):
            asking.stdin.write(f"{request}\n")
            assert json.loads(asking.stdout.readline())["text"] == request
        rest, _ = asking.communicate()
        patience.cancel()
    assert (rest, asking.returncode) == ("", 0)


def test_mentions_replace_what_was_found_and_may_repeat(models: Path) -> None:
    arguments = ["like Alien", "--json", "--mention", "100", "--mention", "103", "--repeat"]
    (answer,) = asked(models, *arguments, "-k", "50")
    assert [mention["movie"]["redial_id"] for mention in answer["mentions"]] == [BABADOOK, 103]
    assert {100, 103} <= {movie["redial_id"] for movie in answer["recommendations"]}


def test_a_mention_may_be_given_by_its_title(models: Path) -> None:
    arguments = ["like Alien", "--json", "--mention", "the babadook", "--mention", "103"]
    (answer,) = asked(models, *arguments)
    assert [mention["movie"]["redial_id"] for mention in answer["mentions"]] == [BABADOOK, 103]


def with_titles(models: Path, target: Path, *named: tuple[str, int]) -> None:
    """A model in another folder, its first movies called so, with their years."""
    folder = target / "weighted-rnn"
    shutil.copytree(models / "weighted-rnn", folder)
    movies = artifacts.read_table(folder / "movies.parquet", artifacts.MOVIE_SCHEMA, "train")
    rows = movies.to_pylist()
    for row, (title, year) in zip(rows, named, strict=False):
        row |= {"title": title, "year": year}
    table = movies.from_pylist(rows, schema=artifacts.MOVIE_SCHEMA)
    artifacts.write_table(folder / "movies.parquet", table, artifacts.MOVIE_SCHEMA)


def test_a_title_of_no_movie_or_of_several_is_told(models: Path, tmp_path: Path) -> None:
    with_titles(models, tmp_path, ("Alien", 2030), ("Alien", 1979))
    for named, told in (
        ("alien", r"alien may be any of 100 Alien \(2030\), 101 Alien \(1979\); name one by its"),
        ("Aliens", r"is called Aliens or has it as its id; find one with: recommend movies"),
    ):
        with pytest.raises(UserError, match=told):
            run_plainly(tmp_path, "hi", "--mention", named)
    (answer,) = asked(tmp_path, "hi", "--json", "--mention", "alien (1979)")
    assert [mention["movie"]["redial_id"] for mention in answer["mentions"]] == [ALIEN]


def test_a_number_is_an_id_where_the_catalogue_has_it_else_a_title(
    models: Path, tmp_path: Path
) -> None:
    with_titles(models, tmp_path, ("300", 2006), ("103", 2007))
    for named, redial_id in (("300", 100), ("103", 103), ("103 (2007)", 101)):
        (answer,) = asked(tmp_path, "hi", "--json", "--mention", named)
        assert [mention["movie"]["redial_id"] for mention in answer["mentions"]] == [redial_id]
    with pytest.raises(UserError, match="is called 1917 or has it as its id"):
        run_plainly(tmp_path, "hi", "--mention", "1917")


def test_nothing_that_is_shown_commands_the_terminal(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weighted-rnn"
    shutil.copytree(models / "weighted-rnn", folder)
    movies = artifacts.read_table(folder / "movies.parquet", artifacts.MOVIE_SCHEMA, "train")
    rows = movies.to_pylist()
    rows[0] |= {"title": "Babadook\x1b]0;owned\x07\x9b31m\nTwo", "year": None}
    table = movies.from_pylist(rows, schema=artifacts.MOVIE_SCHEMA)
    artifacts.write_table(folder / "movies.parquet", table, artifacts.MOVIE_SCHEMA)
    requests = artifacts.read_table(folder / "requests.parquet", artifacts.REQUEST_SCHEMA, "train")
    texts = pa.array([f"\x1b[2Jask {row}\x7f" for row in range(requests.num_rows)])
    changed = requests.set_column(requests.column_names.index("text"), "text", texts)
    artifacts.write_table(folder / "requests.parquet", changed, artifacts.REQUEST_SCHEMA)
    shown = run(tmp_path, "hi\x1b[31m", "-k", "50") + run(tmp_path, "movies", "babadook")
    assert "Babadook]0;owned31m Two" in shown
    assert "asked before: [2Jask " in shown
    assert "hi[31m\n" in shown
    assert {letter for letter in shown if unicodedata.category(letter) == "Cc"} == {"\n"}


def test_a_folder_is_listed_by_its_name(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "weighted-rnn", tmp_path / "models" / "a[red]b")
    assert run(tmp_path / "models", "models").splitlines()[1].split() == [
        "a[red]b",
        *("-", "-", "-", "-"),
    ]


def run_plainly(models: Path, *arguments: str) -> None:
    CliRunner().invoke(
        app, [*arguments], env={"RECOMMEND_MODELS": str(models)}, catch_exceptions=False
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("recommend mo", {"movies", "models"}),
        ("recommend -m orig", {"original-baseline"}),
        ("recommend movies -m wei", {"weighted-rnn"}),
    ],
)
def test_a_shell_completes_commands_and_models(models: Path, line: str, expected: set[str]) -> None:
    asking = {
        "_RECOMMEND_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
        "RECOMMEND_MODELS": str(models),
    }
    result = CliRunner().invoke(app, [], env=asking, prog_name="recommend")
    assert set(result.output.split()) == expected


def test_a_port_that_none_can_have_is_told(models: Path) -> None:
    result = CliRunner().invoke(app, ["serve", "--port", "65536", "--models", str(models)])
    assert result.exit_code == 2
    assert "less than or equal to 65535" in result.output


def test_a_damaged_model_keeps_no_other_from_being_served(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = write_models(tmp_path, tiny_encoder)
    write_gate(tmp_path, tiny_encoder)
    (models / "weighted-rnn" / "config.json").write_text("{", encoding="utf-8")
    new = tmp_path / "new.csv"
    new.write_text("title\nNosferatu\n", encoding="utf-8")
    served: list[Path] = []
    monkeypatch.setattr(web, "serve", lambda folder, *_, **__: served.append(folder))
    run(models, "serve", "--new-movies", str(new))
    assert served == [models]
    new.write_text("name\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["serve", "--new-movies", str(new), "--models", str(models)])
    assert "name is no header" in str(result.exception)


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
