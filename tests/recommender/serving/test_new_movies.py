import asyncio
import json
from pathlib import Path

import pytest
import torch
from served_models import READ_TITLES, write_gate, write_models
from typer.testing import CliRunner

from stages.recommender.errors import UserError
from stages.recommender.modeling.gate import GatedRecommender
from stages.recommender.modeling.model_folder import load_model
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.serving import new_movies
from stages.recommender.serving.api_models import LoadedModels
from stages.recommender.serving.api_schemas import RecommendRequest
from stages.recommender.serving.api_service import Service
from stages.recommender.serving.command import app
from stages.recommender.serving.models_folder import find_model
from stages.recommender.serving.new_movies import read_new_movies
from stages.recommender.serving.recommender import Recommender, _around
from stages.recommender.serving.web_page import Events, Visit

HEADER = "title,year,genres,tags\n"
WRITTEN = f"""{HEADER}Scary Movies,2031,Horror|Comedy,Scary|great|funny|scary
"Good Night, Moon",,,

"Funny Tag, The",2032,,great
"""
SCARY, MOON, FUNNY = -1, -2, -3


@pytest.fixture(scope="module")
def models(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grown")
    write_gate(root, tiny_encoder)
    return write_models(root, tiny_encoder)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("new") / "new.csv"
    path.write_text(WRITTEN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def grown(models: Path, written: Path) -> Recommender:
    return Recommender.load(models / "softmax-gate", new_movies=written)


# --- the file ----------------------------------------------------------------------------------


def test_a_file_is_read_as_people_and_spreadsheets_write_it(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("\ufeffTitle,Tags,Year\r\n 1917 ,War|, 2019 \r\n", encoding="utf-8", newline="")
    [movie] = read_new_movies(path).values()
    assert (movie.title, movie.year, movie.genres, movie.tags) == ("1917", 2019, [], ["war"])


def test_a_movie_is_known_by_its_line(written: Path) -> None:
    movies = read_new_movies(written)
    assert {line: movie.title for line, movie in movies.items()} == {
        2: "Scary Movies",
        3: "Good Night, Moon",
        5: "The Funny Tag",
    }
    assert movies[2].genres == ["Horror", "Comedy"]
    assert movies[2].tags == ["scary", "great", "funny"]
    assert movies[3].year is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: nothing is no header; write title,year,genres,tags there"),
        ("title;year\nUp;2009\n", "line 1: title;year is no header; write title,year,"),
        ("title,rating\nUp,5\n", "line 1: title,rating is no header"),
        ("title,title\nUp,Up\n", "line 1: title,title is no header"),
        (f"{HEADER}\nUp,soon,,\n", "line 3: year: input should be a valid integer"),
        (f"{HEADER}Up,1700,,\n", "line 2: year: input should be greater than or equal to 1870"),
        (f"{HEADER}Up (2009),,,\n", "line 2: title: it holds a year, which belongs in the column"),
        (f"{HEADER}?!,,,\n", "line 2: title: it has no letter and no number; mend it there"),
        (f"{HEADER},2009,,\n", "line 2: title: string should have at least 1 character"),
        (f"{HEADER}{'x' * 201},,,\n", "line 2: title: string should have at most 200"),
        (f"{HEADER}Up,2009,{'x' * 51},\n", "line 2: genres: string should have at most 50"),
        (f"{HEADER}Up,,,{'|'.join(map(str, range(101)))}\n", "line 2: tags: list should have at"),
        ("year,title\n2009\n", "line 2: title: field required; mend it there"),
        (f"{HEADER}Up,2009,a,b,c\n", 'line 2: 5 values for 4 columns; put a value that .* "quotes'),
        (f'{HEADER}"Up\n', "line 2: no CSV .unexpected end of data.; mend it there"),
        (f"{HEADER}Up,2009\nUP!,2009\n", "line 3: the movie of line 2 again; remove one of them"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"new\.csv, {told}") as raised:
        read_new_movies(path)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.csv"
    with pytest.raises(UserError, match=r"new.csv cannot be read \(No such file or directory\)"):
        read_new_movies(path)
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_new_movies(tmp_path)
    path.write_bytes(b"title\n\xff\xfe\n")
    with pytest.raises(UserError, match=r"new.csv is no UTF-8 text .*; save it as UTF-8"):
        read_new_movies(path)
    path.write_text("title\n" + "Up\n" * 400_000)
    with pytest.raises(UserError, match=r"has more than 1,000,000 bytes; make it shorter"):
        read_new_movies(path)
    monkeypatch.setattr(new_movies, "MOST_MOVIES", 2)
    path.write_text("title\nUp\nHer\nIt\n")
    with pytest.raises(UserError, match="line 4: more than 2 movies; make the file shorter"):
        read_new_movies(path)


# --- the model ---------------------------------------------------------------------------------


def test_old_movies_score_as_before_and_new_ones_by_their_texts(
    models: Path, grown: Recommender
) -> None:
    text = "scary movies i like"
    before = Recommender.load(models / "softmax-gate").recommend(text, [], k=50)
    after = grown.recommend(text, [], k=50)
    scores = {movie.redial_id: movie.score for movie in after.recommendations}
    assert {movie.redial_id: movie.score for movie in before.recommendations} == pytest.approx(
        {movie: score for movie, score in scores.items() if movie >= 0}, abs=1e-5
    )
    config, model, encoder, _ = load_model(models / "softmax-gate")
    assert isinstance(model, GatedRecommender)
    assert config.titles == READ_TITLES
    texts = [  # two tags a movie
        "Scary Movies (2031). Horror, Comedy. scary, great",
        "Good Night, Moon",
        "The Funny Tag (2032). great",
    ]
    ids = [grown._tokenizer.encode(each).ids[:24] for each in [*texts, text]]
    ids = [each if each[-1] == 3 else [*each[:-1], 3] for each in ids]  # cut before its end mark
    with torch.inference_mode():
        *vectors, sentence = encoder(
            Ragged(
                torch.tensor([token for each in ids for token in each]),
                torch.tensor(list(map(len, ids))),
            )
        )
        larger = model.with_new_movies(torch.stack(vectors))
        nothing = Ragged(torch.tensor([], dtype=torch.int64), torch.tensor([0]))
        logits = larger(sentence[None], nothing)[0, -3:]
    assert [scores[movie] for movie in (SCARY, MOON, FUNNY)] == pytest.approx(
        logits.tolist(), abs=1e-4
    )


def test_a_new_movie_is_recommended_found_and_mentioned(grown: Recommender) -> None:
    answer = grown.recommend("like the funny tag (2032)", k=50)
    [mention] = answer.mentions
    assert (mention.movie.redial_id, mention.surface) == (FUNNY, "the funny tag (2032)")
    found = {movie.redial_id: movie for movie in answer.recommendations}
    assert FUNNY not in found
    scary = found[SCARY]
    assert (scary.title, scary.year, scary.movielens_id) == ("Scary Movies", 2031, None)
    assert scary.reasons.tags == ["scary", "great", "funny"]
    assert scary.reasons.nearest_requests == []
    given = grown.recommend("", mentions=[MOON, 101], k=50, exclude_mentioned=False)
    assert [mention.movie.title for mention in given.mentions] == ["Good Night, Moon", "Alien"]
    pieces = _around("", given.mentions)
    assert grown._as_trained(pieces, given.mentions) == "Good Night, Moon [SEP] Alien"
    assert MOON in {movie.redial_id for movie in given.recommendations}
    assert grown.catalogue.search("scary mov")[0].redial_id == SCARY


def test_a_movie_that_the_model_knows_is_told(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("title\nUp\nthe alien\n")
    with pytest.raises(UserError, match=r"line 3: the model knows this movie already; remove it"):
        Recommender.load(models / "softmax-gate", path)


def test_a_model_that_reads_no_movie_texts_tells_which_one_does(
    models: Path, written: Path
) -> None:
    with pytest.raises(UserError, match=r"weighted-rnn .* no new ones; ask softmax-gate, trained"):
        Recommender.load(models / "weighted-rnn", written)


# --- command and API ---------------------------------------------------------------------------


def run(models: Path, *arguments: str) -> str:
    result = CliRunner().invoke(
        app, [*arguments], env={"RECOMMEND_MODELS": str(models)}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_adds_them(models: Path, written: Path) -> None:
    added = ["-m", "softmax-gate", "--new-movies", str(written), "--json"]
    answer = json.loads(run(models, "hi", "--mention", "-1", "--repeat", "-k", "50", *added))
    assert [mention["movie"]["title"] for mention in answer["mentions"]] == ["Scary Movies"]
    assert {SCARY, MOON, FUNNY} <= {movie["redial_id"] for movie in answer["recommendations"]}
    [found] = json.loads(run(models, "movies", "good night moon", *added, "-k", "1"))
    assert (found["redial_id"], found["title"]) == (MOON, "Good Night, Moon")


def test_serving_tells_at_once_what_is_wrong(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("title\nAlien\n")
    with pytest.raises(UserError, match="line 2: the model knows this movie already"):
        run(models, "serve", "--new-movies", str(path))
    with pytest.raises(UserError, match="dvc repro train@softmax-gate"):
        run(tmp_path, "serve", "--new-movies", str(path))


def test_models_that_read_no_texts_are_served_without_them(models: Path, written: Path) -> None:
    loaded = LoadedModels(written)
    plain, gate = (
        loaded.get(find_model(name, models)) for name in ("weighted-rnn", "softmax-gate")
    )
    assert plain.catalogue.find(SCARY) is None
    assert gate.catalogue.find(SCARY) is not None
    assert RecommendRequest(text="hi", mentions=[SCARY]).request().mentions == [SCARY]


def test_beside_a_model_that_does_not_know_it_a_new_movie_is_left_out(
    models: Path, written: Path
) -> None:
    service, visit = Service(models, written), Visit()

    async def ask() -> list[object]:
        movie = await service.movie(MOON, "softmax-gate")
        assert movie is not None
        visit.corrections = visit.corrections.with_movie(movie)
        return await Events(service).ask(
            "a quiet one", visit, "softmax-gate", "original-baseline", 5, True
        )

    try:
        chips, answers = asyncio.run(ask())
    finally:
        service.close()
    assert "Good Night, Moon" in str(chips)
    assert "original-baseline" in str(answers)
    assert "no movie" not in str(answers)


def test_a_gate_whose_encoder_learned_takes_no_new_movies(
    tmp_path: Path, tiny_encoder: Path, written: Path
) -> None:
    folder = write_gate(tmp_path, tiny_encoder)
    config = json.loads((folder / "config.json").read_text())
    config["gate"]["trainable_layers"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"softmax-gate .*trainable_layers: none"):
        Recommender.load(folder, written)
