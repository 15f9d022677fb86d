from pathlib import Path

import pyarrow as pa
import pytest
import small_project
import torch

from stages import ablate
from stages.recommender import artifacts
from stages.recommender.ablation.ablate import ALTERED, FRACTIONS
from stages.recommender.ablation.parts import PARTS
from stages.recommender.ablation.run import AblatedRun
from stages.recommender.errors import UserError
from stages.recommender.training import loop

TRAININGS = 1 + len(PARTS) + len(FRACTIONS)


@pytest.fixture
def project(here: Path, tiny_encoder: Path) -> Path:
    """A folder with all that the stage reads; each training has one epoch."""
    small_project.write_project(
        here, tiny_encoder, {"ablation": {"epochs": 1, "seed": 5, "repeats": 1}}
    )
    for path in (here / artifacts.TITLES).glob("*/test.parquet"):
        path.unlink()
    return here


def trainings(monkeypatch: pytest.MonkeyPatch, most: int = 99) -> list[str]:
    """The identities of the trainings from now on; the process ends after ``most``."""
    trained: list[str] = []
    plain = AblatedRun.answers

    def counted(run: AblatedRun) -> pa.Table:
        if len(trained) == most:
            raise KeyboardInterrupt
        trained.append(run.identity())
        return plain(run)

    monkeypatch.setattr(AblatedRun, "answers", counted)
    return trained


def kept(project: Path) -> list[Path]:
    return list((project / ".cache" / "ablation").glob("*.parquet"))


def test_an_ablation_that_is_ended_goes_on_and_ends_in_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        first = trainings(patch, most=5)
        with pytest.raises(KeyboardInterrupt):
            ablate.main()
    assert len(first) == len(kept(project)) == 5
    assert not artifacts.ABLATION.exists()
    with monkeypatch.context() as patch:
        rest = trainings(patch)
        ablate.main()
    assert len({*first, *rest}) == len(first) + len(rest) == TRAININGS
    assert kept(project) == []
    assert list((project / ".cache" / "training").glob("*/")) == []
    resumed = artifacts.ABLATION.read_bytes()
    with monkeypatch.context() as patch:
        undisturbed = trainings(patch)
        ablate.main()
    assert undisturbed == [*first, *rest]
    assert artifacts.ABLATION.read_bytes() == resumed
    found = artifacts.read_json(artifacts.ABLATION, "ablate")
    assert (found["model"], found["epochs"], found["repeats"]) == ("softmax-gate", 1, 1)
    assert [part["name"] for part in found["parts"]] == [part.name for part in PARTS]
    assert [point["dialogues"] for point in found["curve"]] == [7, 13, 26]
    assert found["curve"][-1]["scores"] == found["scores"]
    assert [each["name"] for each in found["altered"]] == list(ALTERED)
    for part in found["parts"]:
        for column, change in part["changes"].items():
            lost = part["scores"][column]["value"] - found["scores"][column]["value"]
            assert change["value"] == pytest.approx(lost)
    never, gate, order = (each["scores"]["all ndcg@10"]["value"] for each in found["altered"])
    assert never < gate <= 1
    # all movies are ranked, so that the best order is perfect
    assert order == pytest.approx(1.0)
    # without its mentions an answer has nothing to decide
    new = [each["scores"]["new ndcg@10"] for each in found["altered"][:2]]
    assert new == [found["scores"]["new ndcg@10"]] * 2


def test_a_missing_input_is_told_and_nothing_is_written(project: Path) -> None:
    artifacts.MOVIE_TEXTS.unlink()
    with pytest.raises(UserError, match=r"movies\.parquet is missing.*tokenize_titles"):
        ablate.main()
    assert not artifacts.ABLATION.exists()


def test_want_of_memory_names_the_gates_parameters(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "_step", raising)
    with pytest.raises(UserError, match=r"; lower gate\.batch or gate\.movie_batch, end"):
        ablate.main()
