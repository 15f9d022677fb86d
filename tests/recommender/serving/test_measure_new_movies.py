"""The figures are worked out by hand; movies 1, 2, 3 and 5 of 6 were never seen."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import small_project
import torch
from scipy.stats import rankdata
from served_models import GATE, write_gate

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.cooccurrence import Cooccurrence
from stages.recommender.modeling.gate import BEFORE, READINGS, GatedRecommender
from stages.recommender.modeling.mention_context import MentionContext
from stages.recommender.modeling.model_folder import load_model
from stages.recommender.modeling.neighbours import Neighbours
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.serving import measure_new_movies
from stages.recommender.serving.measure_new_movies import TARGET, AddedAgain, figures, main

UNSEEN = torch.tensor([False, True, True, True, False, True])


def marked(rows: list[list[int]]) -> torch.Tensor:
    found = torch.zeros(len(rows), len(UNSEEN), dtype=torch.bool)
    for row, movies in enumerate(rows):
        found[row, movies] = True
    return found


def test_figures_are_those_worked_out_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_new_movies, "AMONG_NEW", (1, 3))
    monkeypatch.setattr(measure_new_movies, "AMONG_ALL", (3, 4))
    scores = torch.tensor([[9.0, 1, 5, 3, 4, 3], [0.0, 7, 2, 3, 9, 1]])
    found = figures(scores, UNSEEN, marked([[0], []]), marked([[3], [1, 2]]))
    # the first request mentions 0: of 1, 2, 3, 5 movie 2 is above 3, and 5 is level with it: rank
    # 2.5; of 1 to 5 movies 2 and 4 are above it: rank 3.5. The second: ranks 1 and 3; 2 and 4.
    expected = {
        "percentile": [1.5 / 3, (1 + 1 / 3) / 2],
        "chance percentile": [0.5, 0.5],
        "recall@1 among new": [0, 0.5],
        "chance recall@1 among new": [1 / 4, 1 / 4],
        "recall@3 among new": [1, 1],
        "chance recall@3 among new": [3 / 4, 3 / 4],
        "recall@3 among all": [0, 0.5],
        "chance recall@3 among all": [3 / 5, 3 / 6],
        "recall@4 among all": [1, 1],
        "chance recall@4 among all": [4 / 5, 4 / 6],
    }
    assert {name: values.tolist() for name, values in found.items()} == pytest.approx(
        {name: pytest.approx(values) for name, values in expected.items()}
    )


def test_movies_that_are_added_again_have_nothing_but_their_texts() -> None:
    torch.manual_seed(0)
    width = 5
    named = Ragged(torch.tensor([0, 2, 4, 0, 2, 0, 5]), torch.tensor([3, 2, 2]))
    recommended = Ragged(torch.tensor([2, 4, 2, 0]), torch.tensor([2, 1, 1]))
    counts = Cooccurrence.count(named, recommended, 6, GATE.shrinkage)
    vectors = torch.randn(6, width)
    neighbours = Neighbours(3, 7, 6, width, GATE).remember(torch.randn(3, width), named)
    model = GatedRecommender(vectors, counts, neighbours, MentionContext(9, 1, GATE), GATE)
    model.start_from(torch.randn(20, width))
    model.eval()
    unseen = counts.named == 0  # 1 and 3; 5 is named, and alone of those never recommended
    again = AddedAgain(model, unseen, vectors[unseen])
    sentences, readings = torch.randn(2, width), torch.tensor([BEFORE, BEFORE])
    mentions = Ragged(torch.tensor([4, 0, 5]), torch.tensor([2, 1]))
    with torch.no_grad():
        model.bias[unseen] = 100.0  # what training has made of them
        before, after = model(sentences, mentions, readings), again(sentences, mentions, readings)
        read = [(sentences - model.mean) / model.deviation, model.reading(readings)]
        query = model.text_query(model.hidden(torch.cat(read, dim=1)))
        explored = model.bias[5] + 4 * query @ model.movie_texts[unseen].T
    torch.testing.assert_close(after[:, ~unseen], before[:, ~unseen])
    torch.testing.assert_close(after[:, unseen], explored)
    with torch.no_grad():
        mentioned = again(sentences[:1], Ragged(torch.tensor([3]), torch.tensor([1])), readings[:1])
        model.by_number += 1
        raised = AddedAgain(model, unseen, vectors[unseen])(
            sentences[:1], Ragged(torch.tensor([3]), torch.tensor([1])), readings[:1]
        )
    torch.testing.assert_close(raised - mentioned, torch.tensor([[0.0, 0, 0, 1, 0, 0]]))


def write_data(root: Path, movies: int) -> None:
    for seed, reading in enumerate(READINGS, start=1):
        table = small_project.with_contexts(small_project.examples(12, seed, [None]), seed)
        for name in ("mentions", "labels"):
            rows = [[movie % movies for movie in row] for row in table[name].to_pylist()]
            place = table.column_names.index(name)
            table = table.set_column(
                place, table.schema.field(name), pa.array(rows, table.schema.field(name).type)
            )
        path = root / artifacts.TITLES / reading / "test.parquet"
        artifacts.write_table(path, table, artifacts.TITLE_EXAMPLE_SCHEMA)
    texts = small_project.movie_texts().slice(0, movies)
    artifacts.write_table(root / artifacts.MOVIE_TEXTS, texts, artifacts.MOVIE_TEXT_SCHEMA)


def test_a_model_is_measured_from_its_folder(
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_gate(tmp_path / "work", tiny_encoder)
    config, model, encoder, _ = load_model(folder)
    write_data(tmp_path / "work", config.movies)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["measure", "work/models"])
    main()
    found = artifacts.read_json(TARGET / "new-movies.json", "measure")
    written = (TARGET / "new-movies.txt").read_text(encoding="utf-8")
    assert written == capsys.readouterr().out
    assert found["movies that training never saw"] == config.movies - 4
    assert set(found["readings"]) == set(READINGS)
    # once more, request by request, with another library's ranks
    path = tmp_path / "work" / artifacts.TITLES / "turn" / "test.parquet"
    percentiles, labels = [], 0
    for row in artifacts.read_table(path, artifacts.TITLE_EXAMPLE_SCHEMA, "").to_pylist():
        candidates = sorted(set(range(4, config.movies)) - set(row["mentions"]))
        wanted = sorted(set(candidates) & set(row["labels"]))
        if not wanted:
            continue
        with torch.inference_mode():
            sentence = encoder(
                Ragged(torch.tensor(row["input_ids"]), torch.tensor([len(row["input_ids"])]))
            )
            mentions = Ragged(
                torch.tensor(row["mentions"], dtype=torch.int64),
                torch.tensor([len(row["mentions"])]),
            )
            scores = model(sentence, mentions, torch.tensor([READINGS.index("turn")]))[0]  # type: ignore[call-arg]
        below = rankdata(scores[candidates].numpy()) - 1
        of_labels = [below[candidates.index(movie)] / (len(candidates) - 1) for movie in wanted]
        percentiles.append(np.mean(of_labels))
        labels += len(wanted)
    turn = found["readings"]["turn"]
    assert (turn["requests"], turn["labels"]) == (len(percentiles), labels)
    value = turn["figures"]["percentile"]["as trained"]
    assert value["value"] == pytest.approx(np.mean(percentiles), abs=1e-4)
    assert value["low"] <= value["value"] <= value["high"]
    assert turn["figures"]["percentile"]["chance"] == 0.5


def test_it_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["measure", str(tmp_path / "models")])
    with pytest.raises(UserError, match=r"no model is trained in .* dvc repro train@softmax-gate"):
        main()


def test_a_gate_whose_encoder_learned_is_refused(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # its movies' texts were read before, new ones would be read otherwise
    folder = write_gate(tmp_path, tiny_encoder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["gate"]["trainable_layers"] = 1
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    target = tmp_path / "target"
    monkeypatch.setattr(sys, "argv", ["measure", str(folder.parent), "--write", str(target)])
    with pytest.raises(UserError, match="can recommend no new ones"):
        main()
    assert not target.exists()
