import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_project
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.model_folder import load_model
from stages.recommender.params import Loss, load_params
from stages.recommender.training import run as run_module
from stages.recommender.training.batches import DialogueExamples
from stages.recommender.training.checkpoints import Checkpoints, EpochRecord, Progress
from stages.recommender.training.determinism import prepare
from stages.recommender.training.loop import Trainee
from stages.recommender.training.results import metrics_of, write_results
from stages.recommender.training.run import Inputs, ModelRun, SeedRun, Trained
from stages.recommender.training.scoring import ranking_table, score

pytestmark = pytest.mark.usefixtures("here")

MULTITASK = "weighted-rnn-multitask"
Tables = Mapping[tuple[str, str], pa.Table]


@pytest.fixture
def inputs(here: Path, tiny_encoder: Path) -> Inputs:
    small_project.write_encoder(tiny_encoder, artifacts.ENCODER)
    return Inputs(
        small_project.example_tables(),
        small_project.tag_tables(),
        small_project.movies(),
        small_project.known_for(),
        artifacts.ENCODER,
    )


def with_examples(inputs: Inputs, examples: Tables) -> Inputs:
    return replace(inputs, examples={**inputs.examples, **examples})


def run_of(inputs: Inputs, *changes: Mapping[str, Any], name: str = MULTITASK) -> ModelRun:
    small_project.write_params(Path("params.yaml"), *changes)
    params = load_params()
    return ModelRun(params.models[name], params, inputs)


def readings(trained: Trained) -> dict[tuple[str, int], list[int]]:
    """The conversations that were answered, by reading and repeat."""
    found: dict[tuple[str, int], list[int]] = {}
    for row in trained.rankings.select(["reading", "repeat", "conversation_id"]).to_pylist():
        found.setdefault((row["reading"], row["repeat"]), []).append(row["conversation_id"])
    return found


def conversations(table: pa.Table, *paper_splits: str) -> list[int]:
    rows = table.select(["conversation_id", "paper_split"]).to_pylist()
    return [
        row["conversation_id"]
        for row in rows
        if not paper_splits or row["paper_split"] in paper_splits
    ]


# --- what is trained on ------------------------------------------------------------------------


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Trainee]:
    """What would be trained; the models stay as they are made."""
    trainees: list[Trainee] = []

    def fit(trainee: Trainee, *_: object) -> Progress:
        trainees.append(trainee)
        return Progress(history=[EpochRecord(1, 0, 0, 0, 0, 0, 0)], best_epoch=1)

    monkeypatch.setattr(run_module, "fit", fit)
    return trainees


def digests(*tables: pa.Table) -> list[str]:
    return [DialogueExamples.from_table(table).digest() for table in tables]


def part(tables: list[pa.Table], split: str) -> pa.Table:
    table = pa.concat_tables(tables)
    return table.filter(pa.array([row == split for row in table["paper_split"].to_pylist()]))


def trained_on(trainees: list[Trainee]) -> list[list[str]]:
    return [[trainee.train.digest(), trainee.validation.digest()] for trainee in trainees]


def test_the_papers_split_trains_on_its_own_part(inputs: Inputs, fitted: list[Trainee]) -> None:
    trained = run_of(inputs).train()
    train, validation = (inputs.examples["whole", split] for split in ("train", "validation"))
    file = [train, validation]
    assert trained_on(fitted) == [
        digests(train, validation),
        digests(part(file, "train"), part(file, "validation")),
    ]
    assert readings(trained) == {
        ("whole", 0): conversations(inputs.examples["whole", "test"]),
        ("before", 0): conversations(inputs.examples["before", "test"]),
        ("turn", 0): conversations(inputs.examples["turn", "test"]),
        ("paper-split", 0): conversations(pa.concat_tables(file), "test"),
    }
    # each from its own beginning, which is the same
    first, second = (trainee.model.state_dict() for trainee in fitted)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["head.1.weight"].data_ptr() != second["head.1.weight"].data_ptr()


def test_the_notebook_selects_on_the_test_split(inputs: Inputs, fitted: list[Trainee]) -> None:
    test = inputs.examples["whole", "test"]
    inputs = with_examples(inputs, {("whole", "validation"): test})
    trained = run_of(inputs, {"dialogues": {"protocol": "notebook"}}).train()
    train = inputs.examples["whole", "train"]
    assert trained_on(fitted) == [
        digests(train, test),
        digests(part([train], "train"), part([train], "validation")),
    ]
    assert readings(trained)["paper-split", 0] == conversations(train, "test")


def test_the_papers_split_in_use_is_not_trained_on_twice(inputs: Inputs) -> None:
    file = pa.concat_tables([inputs.examples["whole", split] for split in ("train", "validation")])
    inputs = with_examples(
        inputs,
        {("whole", split): part([file], split) for split in ("train", "validation", "test")},
    )
    trained = run_of(inputs, {"dialogues": {"split": "paper"}}).train()
    assert readings(trained)["paper-split", 0] == conversations(file, "test")
    answers = {
        reading: trained.rankings.filter(
            pa.array([row == reading for row in trained.rankings["reading"].to_pylist()])
        )["ranking"].to_pylist()
        for reading in ("whole", "paper-split")
    }
    assert answers["whole"] == answers["paper-split"]
    assert len(list((artifacts.CACHE / "training").glob("*.lock"))) == 1


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_a_part_of_the_papers_split_without_examples_is_told(
    inputs: Inputs, fitted: list[Trainee], missing: str
) -> None:
    kept = [split for split in ("train", "validation", "test") if split != missing]
    tables = {("whole", split): small_project.examples(6, 1, kept) for split in kept}
    tables |= {("whole", missing): small_project.examples(6, 2, kept)}
    with pytest.raises(UserError, match=f"the {missing} part of the paper's split has no example"):
        run_of(with_examples(inputs, tables)).train()


def test_no_further_readings(inputs: Inputs) -> None:
    run = run_of(inputs, {"evaluation": {"readings": []}})
    trained = run.train()
    assert readings(trained) == {("whole", 0): conversations(inputs.examples["whole", "test"])}
    write_results(MULTITASK, trained, inputs)
    written = artifacts.read_json(artifacts.METRICS / f"{MULTITASK}.json", "train")
    assert list(written["test"]) == ["all", "new"]


def test_only_a_variant_with_tags_reads_them(inputs: Inputs, fitted: list[Trainee]) -> None:
    without = replace(inputs, tags={})
    trained = run_of(without, name="original-rnn").train()
    assert [trainee.tags for trainee in fitted] == [None, None]
    assert trained.held_out_tag_loss is None
    run_of(inputs).train()
    assert fitted[-1].tags is not None
    assert fitted[-1].tags.movies.tolist() == inputs.tags["train"]["movie"].to_pylist()


def test_auto_weighs_positives_by_the_labels_of_the_examples_trained_on(
    inputs: Inputs, fitted: list[Trainee]
) -> None:
    run_of(inputs, {"loss": {"pos_weight": "auto"}}).train()
    for trainee in fitted:
        mean_labels = float(trainee.train.labels.lengths.double().mean())
        weight = trainee.objective.dialogue_loss.keywords["pos_weight"]  # type: ignore[attr-defined]
        assert weight == pytest.approx(small_project.MOVIES / mean_labels)


# --- several seeds -----------------------------------------------------------------------------


def test_repeats_have_seeds_of_their_own_and_the_first_model_is_kept(inputs: Inputs) -> None:
    once = run_of(inputs).train()
    twice = run_of(inputs, {"training": {"repeats": 2}}).train()
    other = run_of(inputs, {"training": {"seed": 43}, "evaluation": {"readings": []}}).train()
    assert list(readings(twice)) == [
        *[(reading, 0) for reading in ("whole", "before", "turn", "paper-split")],
        *[(reading, 1) for reading in ("whole", "before", "turn")],
    ]
    answers = [trained.rankings["ranking"].to_pylist() for trained in (once, twice, other)]
    count = small_project.COUNTS["test"]
    assert answers[1][: len(answers[0])] == answers[0]
    assert answers[1][len(answers[0]) :][:count] == answers[2]
    assert answers[2] != answers[0][:count]
    assert metrics_of(twice)["validation"] == metrics_of(once)["validation"]
    for name, weights in once.model.state_dict().items():
        assert torch.equal(twice.model.state_dict()[name], weights)


# --- which of the encoder's layers learn -------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "learning"),
    [("none", set()), (1, {"layer.1"}), (2, {"layer.0", "layer.1"}), ("all", None)],
)
def test_the_written_encoder_has_learnt_where_it_should(
    inputs: Inputs, layers: int | str, learning: set[str] | None
) -> None:
    change = {"training": {"trainable_layers": layers}, "evaluation": {"readings": ["before"]}}
    trained = run_of(inputs, change).train()
    write_results(MULTITASK, trained, inputs)
    before = load_file(inputs.encoder / "model.safetensors")
    after = load_file(artifacts.MODELS / MULTITASK / "encoder" / "model.safetensors")
    assert after.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    if learning is None:
        assert any(name.startswith("embeddings") for name in changed)
        assert {"layer.0", "layer.1"} <= layers_of(changed)
    else:
        assert layers_of(changed) == learning
        assert all(".layer." in name for name in changed)
    manifest = artifacts.MODELS / MULTITASK / "encoder" / "manifest.json"
    assert manifest.is_file() == (layers == "none")


def layers_of(names: set[str]) -> set[str]:
    return {".".join(name.split(".")[1:3]) for name in names if ".layer." in name}


@pytest.mark.parametrize("layers", ["none", "all"])
def test_a_written_model_gives_its_rankings_again(inputs: Inputs, layers: str) -> None:
    trained = run_of(inputs, {"training": {"trainable_layers": layers}}).train()
    write_results(MULTITASK, trained, inputs)
    config, model, encoder, movies = load_model(artifacts.MODELS / MULTITASK)
    assert config == trained.config
    assert movies.equals(inputs.movies)
    params = load_params()
    machine = prepare(params.compute)
    loss = run_module.TRAINERS["weighted"](params.loss, config.movies, 1.0).dialogue_loss
    batch = params.evaluation.batch
    tables = []
    for reading in ("whole", "before", "turn"):
        table = inputs.examples[reading, "test"]
        examples = DialogueExamples.from_table(table)
        scored = score(model, encoder, examples, loss, batch, machine)
        tables.append(ranking_table(reading, 0, table, scored.rankings))
        if reading == "whole":
            assert scored.loss == pytest.approx(trained.test_loss, rel=1e-6)
    again = pa.concat_tables(tables)
    written = artifacts.read_table(
        artifacts.RANKINGS / f"{MULTITASK}.parquet", artifacts.RANKING_SCHEMA, "train"
    )
    assert written.slice(0, again.num_rows).equals(again)


def test_a_frozen_encoder_reads_each_text_once_for_all_models(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    forward = SentenceEncoder.forward

    def counted(self: SentenceEncoder, tokens: Any) -> torch.Tensor:
        encoded.append(len(tokens))
        return forward(self, tokens)

    monkeypatch.setattr(SentenceEncoder, "forward", counted)
    frozen = {"training": {"trainable_layers": "none"}}
    run_of(inputs, frozen).train()
    texts = [table.num_rows for table in (*inputs.examples.values(), *inputs.tags.values())]
    assert sorted(encoded) == sorted(texts)
    encoded.clear()
    run_of(inputs, frozen, name="original-rnn-multitask").train()
    assert encoded == []


# --- checkpoints -------------------------------------------------------------------------------


def folders(inputs: Inputs, fitted: list[Trainee], name: str, *changes: Mapping[str, Any]) -> str:
    """The folder of the first training's checkpoints."""
    [seed_run, *_] = run_of(inputs, *changes, name=name)._trainings
    seed_run.train()
    return seed_run._used[0].folder.name


DEPENDS: dict[str, Mapping[str, Any]] = {
    "seed": {"training": {"seed": 43}},
    "rate": {"training": {"head_learning_rate": 0.5}},
    "epochs": {"training": {"epochs": 4}},
    "layers": {"training": {"trainable_layers": 1}},
    "dropout": {"model": {"dropout": 0.2}},
    "positives": {"loss": {"pos_weight": 5.0}},
    "tags": {"loss": {"tag_weight": 0.5}},
    "threads": {"compute": {"threads": 2}},
    "evaluation batch": {"evaluation": {"batch": 3}},
}


def test_a_training_goes_on_only_where_all_that_it_depends_on_is_the_same(
    inputs: Inputs, fitted: list[Trainee]
) -> None:
    names = {what: folders(inputs, fitted, MULTITASK, c) for what, c in DEPENDS.items()}
    names["unchanged"] = folders(inputs, fitted, MULTITASK)
    names["variant"] = folders(inputs, fitted, "weighted-multitask")
    names["trainer"] = folders(inputs, fitted, "original-rnn-multitask")
    summed = {"loss": {"reduction": "sum"}}
    names["reduction"] = folders(inputs, fitted, "original-rnn-multitask", summed)
    tables = {("whole", "train"): inputs.examples["whole", "train"].slice(1)}
    names["examples"] = folders(with_examples(inputs, tables), fitted, MULTITASK)
    tables = {("whole", "validation"): inputs.examples["whole", "validation"].slice(1)}
    names["validation"] = folders(with_examples(inputs, tables), fitted, MULTITASK)
    fewer_tags = {split: table.slice(1) for split, table in inputs.tags.items()}
    other = replace(inputs, tags=fewer_tags)
    names["other tags"] = folders(other, fitted, MULTITASK)
    more_movies = small_project.movies(small_project.MOVIES + 1)
    other = replace(inputs, movies=more_movies)
    names["movies"] = folders(other, fitted, MULTITASK)
    assert len(set(names.values())) == len(names)


def test_what_it_does_not_depend_on_does_not_matter(inputs: Inputs, fitted: list[Trainee]) -> None:
    fewer = {"evaluation": {"readings": []}}
    heavier = {"loss": {"tag_weight": 0.5}}
    more = {"training": {"repeats": 2}}
    plain = folders(inputs, fitted, MULTITASK)
    assert plain == folders(inputs, fitted, MULTITASK, fewer)
    assert plain == folders(inputs, fitted, MULTITASK, more)
    for name in ("weighted-rnn", "original-rnn-multitask"):
        assert folders(inputs, fitted, name) == folders(inputs, fitted, name, heavier)


def test_a_new_trainer_depends_on_all_parameters_of_the_loss(inputs: Inputs) -> None:
    [seed_run] = run_of(inputs, name="weighted-rnn")._trainings
    every = set(Loss.model_fields)
    found = {}
    for trainer in ("original", "weighted", "softmax", "hinge"):
        seed_run.entry = seed_run.entry.model_copy(update={"trainer": trainer})
        found[trainer] = set(seed_run._loss_parameters())
    assert found == {
        "original": {"reduction"},
        "weighted": every - {"reduction", "tag_weight"},
        "softmax": set(),
        "hinge": every,
    }


def test_a_finished_training_is_not_repeated_and_then_forgotten(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(inputs)
    first = run.train()
    saved: list[Checkpoints] = []
    monkeypatch.setattr(Checkpoints, "save", lambda self, *_: saved.append(self))
    again = run_of(inputs)
    second = again.train()
    assert saved == []
    assert second.rankings.equals(first.rankings)
    assert metrics_of(second) == metrics_of(first)
    again.forget()
    assert not [path for path in (artifacts.CACHE / "training").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("name", "loss", "told"),
    [
        ("original-rnn", {}, "training.encoder_learning_rate or training.head_learning_rate"),
        (
            "weighted-rnn",
            {},
            "training.encoder_learning_rate, training.head_learning_rate or loss.pos_weight",
        ),
        (
            "weighted-rnn",
            {"focal": {"enabled": True}},
            "training.encoder_learning_rate, training.head_learning_rate or loss.focal.alpha",
        ),
    ],
)
def test_messages_name_what_the_trainer_reads(
    inputs: Inputs, fitted: list[Trainee], name: str, loss: Mapping[str, Any], told: str
) -> None:
    changes = {"loss": loss, "evaluation": {"readings": []}}
    run_of(inputs, changes, name=name).train()
    [trainee] = fitted
    assert trainee.names.of_step(encoder_learns=True) == told


# --- how long it takes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "seconds", "repeats", "told"),
    [
        (
            MULTITASK,
            60,
            1,
            "takes about 1 minute here, all 8 models at its pace about 8 minutes. On",
        ),
        (
            "weighted-rnn",
            60,
            3,
            "takes about 3 minutes here, all 8 models at its pace about 24 minutes, and those "
            "with tags longer. On",
        ),
        (MULTITASK, 3_600 * 10, 1, "takes about 10.0 hours here"),
        (MULTITASK, 5, 1, "takes about 1 minute here"),
    ],
)
def test_without_a_gpu_the_time_is_told(
    inputs: Inputs,
    capsys: pytest.CaptureFixture[str],
    name: str,
    seconds: float,
    repeats: int,
    told: str,
) -> None:
    changes = {"evaluation": {"readings": []}, "training": {"repeats": repeats}}
    first, *_ = run_of(inputs, changes, name=name)._trainings
    first._foretell(seconds)
    said = capsys.readouterr().err
    assert said.startswith(f"No GPU is used: {name} {told}")
    assert said.endswith(
        "On a frozen encoder training takes minutes: make run CORPUS=redial PRESET=frozen, or "
        "without a workspace dvc exp run -S training.trainable_layers=none "
        "-S training.head_learning_rate=0.001\n"
    )


def test_the_papers_split_takes_its_time_too(
    inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    [seed_run] = run_of(inputs)._trainings
    seed_run._foretell(60)
    file = [inputs.examples["whole", split] for split in ("train", "validation")]
    minutes = 1 + part(file, "train").num_rows / small_project.COUNTS["train"]
    assert f"{MULTITASK} takes about {minutes:.0f} minutes" in capsys.readouterr().err
    assert f"{minutes:.0f}" == "2"


def test_the_time_is_told_in_the_first_repeat_alone(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_by: list[bool] = []

    def fit(*arguments: object) -> Progress:
        told_by.append(arguments[-1] is not None)
        return Progress(history=[EpochRecord(1, 0, 0, 0, 0, 0, 0)], best_epoch=1)

    monkeypatch.setattr(run_module, "fit", fit)
    run_of(inputs, {"training": {"repeats": 3}, "evaluation": {"readings": []}}).train()
    assert told_by == [True, False, False]


def test_a_frozen_encoder_needs_no_warning(
    inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    [seed_run] = run_of(inputs, {"training": {"trainable_layers": "none"}})._trainings
    assert isinstance(seed_run, SeedRun)
    seed_run._foretell(1e6)
    assert capsys.readouterr().err == ""


def test_an_encoder_of_another_width_has_another_key(
    inputs: Inputs, fitted: list[Trainee], tmp_path: Path
) -> None:
    wider = tmp_path / "wider"
    shutil.copytree(inputs.encoder, wider)
    config = BertConfig.from_pretrained(wider)
    config.hidden_size, config.intermediate_size = 20, 40
    BertModel(config, add_pooling_layer=False).save_pretrained(wider)
    other = replace(inputs, encoder=wider)
    frozen = {"training": {"trainable_layers": "none"}}
    names = [folders(given, fitted, MULTITASK, frozen) for given in (inputs, other)]
    assert names[0] != names[1]
    widths = [
        trainee.train.vectors.shape[1] for trainee in fitted if trainee.train.vectors is not None
    ]
    assert widths == [16, 16, 20, 20]
