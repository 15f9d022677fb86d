import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_project
import torch
from torch.nn import functional

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.gate import READINGS, GatedRecommender
from stages.recommender.modeling.losses import softmax_cross_entropy
from stages.recommender.modeling.model_folder import load_model
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import load_params
from stages.recommender.serving.recommender import Recommender
from stages.recommender.training.gate_examples import GateExamples
from stages.recommender.training.gate_run import GateRun
from stages.recommender.training.results import metrics_of, write_results
from stages.recommender.training.run import Inputs, ModelRun
from stages.recommender.training.scoring import ranking_table, score

pytestmark = pytest.mark.usefixtures("here")

GATE = "softmax-gate"


@pytest.fixture
def inputs(here: Path, tiny_encoder: Path) -> Inputs:
    small_project.write_encoder(tiny_encoder, artifacts.ENCODER)
    return Inputs(
        small_project.title_tables(),
        {},
        small_project.movies(),
        small_project.known_for(),
        artifacts.ENCODER,
        small_project.movie_texts(),
    )


def run_of(inputs: Inputs, *changes: Mapping[str, Any]) -> ModelRun:
    small_project.write_params(Path("params.yaml"), *changes)
    params = load_params()
    return ModelRun(params.models[GATE], params, inputs, GateRun)


def test_a_written_gate_gives_its_rankings_again(inputs: Inputs) -> None:
    trained = run_of(inputs, {"gate": {"repeats": 2}}).train()
    write_results(GATE, trained, inputs)
    config, model, _, movies = load_model(artifacts.MODELS / GATE)
    assert isinstance(model, GatedRecommender)
    assert config == trained.config
    titles = load_params().titles
    assert (config.text_form, config.max_tokens, config.titles) == (
        "titles",
        titles.max_tokens,
        titles,
    )
    assert movies.equals(inputs.movies)
    kept = trained.model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())
    [first, _] = run_of(inputs, {"gate": {"repeats": 2}})._trainings
    tables = []
    for reading in ("whole", "before", "turn"):
        table = inputs.examples[reading, "test"]
        examples = first._dialogues(reading, "test")
        scored = score(model, None, examples, softmax_cross_entropy, 7, first.machine)
        tables.append(ranking_table(reading, 0, table, scored.rankings))
    again = pa.concat_tables(tables)
    path = artifacts.RANKINGS / f"{GATE}.parquet"
    written = artifacts.read_table(path, artifacts.RANKING_SCHEMA, "train")
    assert written.slice(0, again.num_rows).equals(again)
    metrics = metrics_of(trained)
    assert metrics["epochs"] == 3
    assert set(metrics["test"]) == {  # type: ignore[call-overload]
        "all",
        "new",
        "before",
        "paper split",
        "turn",
        "turn fresh",
    }


def test_a_written_gate_keeps_its_encoder_and_answers_requests(inputs: Inputs) -> None:
    trained = run_of(inputs, {"training": {"trainable_layers": "all"}}).train()
    model = trained.model
    assert isinstance(model, GatedRecommender)
    model.near.bias.data.fill_(-math.inf)  # no neighbour votes
    write_results(GATE, trained, inputs)
    answer = Recommender.load(artifacts.MODELS / GATE).recommend("I liked Movie 4", [104], k=30)
    assert [mention.movie.index for mention in answer.mentions] == [4]
    answered = [movie.redial_id for movie in answer.recommendations]
    assert sorted(answered) == [100 + index for index in range(30) if index != 4]
    scores = [movie.score for movie in answer.recommendations]
    assert scores == sorted(scores, reverse=True)
    # what was recommended beside the mention is pulled up by it
    lift = model.cooccurrence(Ragged(torch.tensor([4]), torch.tensor([1])))[0]
    for movie in answer.recommendations:
        if movie.reasons.pulled_up_by:
            assert lift[movie.redial_id - 100] > 0
    written = artifacts.MODELS / GATE / "encoder" / "model.safetensors"
    assert written.read_bytes() == (inputs.encoder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("paper", [False, True])
def test_what_is_counted_is_what_is_trained_on(inputs: Inputs, paper: bool) -> None:
    """On the paper's split too: nothing of its test part is counted."""
    [run] = run_of(inputs)._trainings
    if paper:
        rows = inputs.examples["whole", "train"]["paper_split"].to_pylist()
        of_train = torch.tensor([row for row, part in enumerate(rows) if part == "train"])
        whole = run._dialogues("whole", "train").take(of_train)
    else:
        whole = run._dialogues("whole", "train")
    lessons = run._lessons(whole, paper)
    assert isinstance(lessons, GateExamples)
    taken = []
    for (reading, split), table in inputs.examples.items():
        for row in table.to_pylist():
            wanted = row["paper_split"] == "train" if paper else split == "train"
            if wanted and (reading != "whole" or split == "train"):
                taken.append(row)
    assert sorted(lessons.dialogues.tolist()) == sorted(row["conversation_id"] for row in taken)
    model = run._model(run._sizes(None), lessons)
    assert isinstance(model, GatedRecommender)
    for movie in range(small_project.MOVIES):
        naming = {r["conversation_id"] for r in taken if movie in r["mentions"] + r["labels"]}
        assert model.cooccurrence.named[movie] == len(naming)
        assert model.neighbours.naming[movie] == len(naming)


def test_a_remembered_dialogue_has_the_vector_of_it_as_a_whole(inputs: Inputs) -> None:
    [run] = run_of(inputs)._trainings
    trainee = run._trainee(
        run._lessons(run._dialogues("whole", "train")), run._dialogues("whole", "validation")
    )
    model, lessons = trainee.model, trainee.train
    assert isinstance(model, GatedRecommender) and isinstance(lessons, GateExamples)
    whole = lessons.take(torch.where(lessons.readings == READINGS.index("whole"))[0])
    vectors = run._vectors(whole, "sentence vectors, whole train").float()
    keys = model.neighbours.keys[whole.remembered]
    torch.testing.assert_close(keys, functional.normalize(vectors, dim=1))
    assert sorted(whole.remembered.tolist()) == list(range(len(model.neighbours.keys)))


def test_all_texts_of_the_readings_that_it_needs_are_of_training(inputs: Inputs) -> None:
    [run] = run_of(inputs)._trainings
    validation = run._dialogues("whole", "validation")
    trainee = run._trainee(run._lessons(run._dialogues("whole", "train")), validation)
    assert trainee.train.inputs()[2].lengths.min() > 0  # all are counted
    assert validation.inputs()[2].lengths.max() == 0
    assert set(validation.remembered.tolist()) == {-1}


@pytest.mark.parametrize("layers", ["all", 1])
def test_an_encoder_that_learns_is_written_beside_the_gate(
    inputs: Inputs, layers: str | int
) -> None:
    run = run_of(inputs, {"gate": {"trainable_layers": layers, "repeats": 1}})
    trained = run.train()
    write_results(GATE, trained, inputs)
    config, model, encoder, _ = load_model(artifacts.MODELS / GATE)
    assert config.gate is not None and config.gate.trainable_layers == layers
    [first] = run._trainings
    begins_with = first._learning_encoder().state_dict()
    learnt = {
        name
        for name, value in encoder.state_dict().items()
        if not torch.equal(value, begins_with[name])
    }
    assert learnt
    assert any("layer.0" in name or "embeddings" in name for name in learnt) == (layers == "all")
    # a movie's text stands for it as the encoder read it before it learned
    assert isinstance(model, GatedRecommender) and isinstance(trained.model, GatedRecommender)
    assert torch.equal(model.movie_texts, trained.model.movie_texts)
    texts = first._movie_texts  # type: ignore[attr-defined]
    assert torch.equal(model.text_mean, texts.vectors.mean(0))
    scored = score(
        model, encoder, first._dialogues("before", "test"), softmax_cross_entropy, 7, first.machine
    )
    table = ranking_table("before", 0, inputs.examples["before", "test"], scored.rankings)
    path = artifacts.RANKINGS / f"{GATE}.parquet"
    written = artifacts.read_table(path, artifacts.RANKING_SCHEMA, "train").to_pylist()
    assert [row for row in written if row["reading"] == "before"] == table.to_pylist()


def test_without_a_gpu_the_time_of_an_encoder_that_learns_is_told(
    inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    [frozen] = run_of(inputs)._trainings
    frozen._foretell(600)
    assert capsys.readouterr().err == ""
    [learning] = run_of(inputs, {"gate": {"trainable_layers": 1}})._trainings
    learning._foretell(600)
    assert capsys.readouterr().err == (
        "No GPU is used: a training of the gate takes about 10 minutes here. On a frozen encoder "
        "it takes minutes: leave out the preset tuned-gate, or the value given for "
        "gate.trainable_layers\n"
    )


def test_messages_name_the_gates_own_parameters(inputs: Inputs) -> None:
    [run] = run_of(inputs, {"gate": {"trainable_layers": 1, "repeats": 1}})._trainings
    trainee = run._trainee(
        run._lessons(run._dialogues("whole", "train")), run._dialogues("whole", "validation")
    )
    names = trainee.names
    assert names.of_step(True) == (
        "gate.encoder_learning_rate, gate.learning_rate or gate.rule_learning_rate"
    )
    assert names.of_memory(True, True) == (
        "gate.batch, gate.movie_batch, titles.max_tokens, titles.max_turn_tokens or "
        "titles.max_movie_tokens"
    )
    assert (names.trainable_layers, names.tags) == ("gate.trainable_layers", "texts")
    with pytest.raises(UserError, match=r"^gate\.trainable_layers is 7, but"):
        run_of(inputs, {"gate": {"trainable_layers": 7}})._trainings[0]._learning_encoder()


@pytest.mark.parametrize(("of_movies", "told"), [(False, "turn"), (True, "movie")])
def test_want_of_memory_for_vectors_names_where_the_gates_texts_are_cut(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch, of_movies: bool, told: str
) -> None:
    def raising(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SentenceEncoder, "forward", raising)
    [run] = run_of(inputs, {"gate": {"repeats": 1}})._trainings
    with pytest.raises(UserError, match=rf"titles\.max_{told}_tokens, end"):
        _ = run._movie_texts if of_movies else run._dialogues("turn", "test")  # type: ignore[attr-defined]
