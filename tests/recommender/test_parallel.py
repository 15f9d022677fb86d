import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from dvc.repo import Repo
from ruamel.yaml import YAML

from stages.recommender import parallel
from stages.recommender.errors import UserError
from stages.recommender.params import Compute

ROOT = Path(__file__).parents[2]

DVC_YAML = """
stages:
  tokenize_tags:
    cmd: python -m stages.train tokenize_tags
    outs:
    - tokenize_tags
  tokenize_titles:
    cmd: python -m stages.train tokenize_titles
    outs:
    - tokenize_titles
  fit_baselines:
    cmd: python -m stages.train fit_baselines
    outs:
    - fit_baselines
  train:
    foreach: ${models}
    do:
      cmd: python -m stages.train ${key}
      deps:
      - tokenize_tags
      outs:
      - ${key}
  climb_ladder:
    cmd: python -m stages.train climb_ladder
    outs:
    - climb_ladder
  ablate:
    cmd: python -m stages.train ablate
    deps:
    - tokenize_titles
    outs:
    - ablate
  compare:
    cmd: python -m stages.train compare
    deps:
    - ablate
    - climb_ladder
    - original-baseline
    - weighted-rnn
    outs:
    - compare
"""
STAGE = """
import os
import sys
from pathlib import Path

name = sys.argv[1]
if name == "original-baseline" and Path("full").exists():
    sys.exit("error: no GPU memory; lower training.dialogue_batch")
Path(name).write_text(name)
with Path("ran.txt").open("a") as ran:
    ran.write(f"{name}\\n")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline of the project's shape with two models."""
    folder = tmp_path / "project"
    (folder / "stages").mkdir(parents=True)
    (folder / "stages" / "train.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["models"] = {n: params["models"][n] for n in ("original-baseline", "weighted-rnn")}
    yaml.dump(params, folder / "params.yaml")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    Repo.init(str(folder), no_scm=True).close()
    monkeypatch.chdir(folder)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["parallel", *arguments])
    parallel.main()


def ran() -> list[str]:
    names = Path("ran.txt").read_text().split()
    Path("ran.txt").unlink()
    return names


def test_a_failure_stops_no_other_and_the_lock_is_that_of_one_after_the_other(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other = project.parent / "other"
    shutil.copytree(project, other)
    with monkeypatch.context() as there:
        there.chdir(other)
        with closing(Repo()) as repo:
            repo.reproduce()
    Path("full").touch()
    with pytest.raises(UserError) as raised:
        run(monkeypatch, "--jobs", "2")
    assert str(raised.value) == (
        "1 of 4 trainings failed, the others are done; mend it and run the same command again"
    )
    told = "original-baseline failed: error: no GPU memory; lower training.dialogue_batch\n"
    assert capfd.readouterr().err.endswith(told)
    assert sorted(ran()) == [
        "ablate",
        "climb_ladder",
        "fit_baselines",
        "tokenize_tags",
        "tokenize_titles",
        "weighted-rnn",
    ]
    Path("full").unlink()
    run(monkeypatch, "--jobs", "2")
    # DVC took down what was trained last at the end
    assert ran() == ["original-baseline", "compare"]
    assert Path("dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()


def test_a_pipeline_may_lack_the_ladder_and_the_ablation(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = YAML()
    pipeline = yaml.load(project / "dvc.yaml")
    for name in parallel.BESIDE:
        del pipeline["stages"][name]
        pipeline["stages"]["compare"]["deps"].remove(name)
    yaml.dump(pipeline, project / "dvc.yaml")
    run(monkeypatch, "--jobs", "2")
    assert sorted(ran()) == [
        "compare",
        "fit_baselines",
        "original-baseline",
        "tokenize_tags",
        "tokenize_titles",
        "weighted-rnn",
    ]


@pytest.mark.usefixtures("project")
def test_where_nothing_has_to_run_no_model_is_asked(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    lock = Path("dvc.lock").read_bytes()
    ran()
    with monkeypatch.context() as again:
        again.setattr(parallel, "train", lambda *_, **__: pytest.fail("models were asked"))
        run(again)
    assert "up to date" in capfd.readouterr().out
    assert Path("dvc.lock").read_bytes() == lock
    Path("weighted-rnn").write_text("changed")
    run(monkeypatch)
    assert Path("weighted-rnn").read_text() == "weighted-rnn"


@pytest.mark.usefixtures("project")
def test_without_dvc_it_only_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_dvc(*_: Any, **__: Any) -> None:
        raise AssertionError("DVC was asked")

    monkeypatch.setattr(parallel, "run_command", no_dvc)
    run(monkeypatch, "--jobs", "2", "--without-dvc")
    assert sorted(ran()) == ["original-baseline", "weighted-rnn"]
    assert not Path("dvc.lock").exists()


@pytest.mark.parametrize("half", ["schema: '2.0'\nstages:\n  train@weighted-rnn:\n    cmd: py", ""])
def test_a_half_written_lock_stays_for_the_mending_and_hides_no_failure(
    half: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dvc_is_killed(*_: Any, **__: Any) -> int:
        (project / "dvc.lock").write_text(half)
        return -signal.SIGKILL

    monkeypatch.setattr(parallel, "run_command", dvc_is_killed)
    with pytest.raises(UserError, match="a stage failed, see above"):
        run(monkeypatch, "--jobs", "2")
    assert (project / "dvc.lock").read_text() == half


def test_a_pipeline_that_dvc_cannot_read_is_told_by_dvc_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--jobs", "2")
    lock = (project / "dvc.lock").read_bytes()
    with (project / "dvc.yaml").open("a") as file:
        file.write("  again: [no stage]\n")
    with pytest.raises(UserError, match="a stage failed, see above"):
        run(monkeypatch, "--jobs", "2")
    assert "dvc.yaml' validation failed" in capfd.readouterr().err
    assert (project / "dvc.lock").read_bytes() == lock


@pytest.mark.usefixtures("project")
def test_at_least_one_model_trains_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--jobs is 0, but at least one model"):
        run(monkeypatch, "--jobs", "0")


@pytest.mark.parametrize(
    ("device", "chosen", "count", "jobs", "seen"),
    [
        ("auto", None, 2, None, ["0", "1"]),
        ("auto", None, 2, 5, ["0", "1", "0", "1", "0"]),
        ("cuda", None, 4, 2, ["0", "1"]),
        ("auto", "3,GPU-5", 2, 3, ["3", "GPU-5", "3"]),
        # an unknown one and those after it are not there
        ("auto", "1,9", 1, None, ["1"]),
        ("cpu", None, 2, 3, [None, None, None]),
        ("cuda:1", None, 2, 2, [None, None]),
        ("cuda:1", None, 2, None, [None]),
        ("auto", None, 0, 2, [None, None]),
        ("auto", "", 0, None, [None, None, None]),
    ],
)
def test_models_are_spread_over_the_gpus(
    device: str,
    chosen: str | None,
    count: int,
    jobs: int | None,
    seen: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    # seven cores for two threads each
    monkeypatch.setattr(parallel, "cpu_count", lambda: 7)
    compute = Compute(device=device, threads=2, precision="auto")
    places = parallel.places(compute, jobs)
    assert [place.get("CUDA_VISIBLE_DEVICES") for place in places] == seen


@pytest.mark.parametrize(
    ("processes", "gpus", "jobs", "seen"),
    [
        (2, 5, None, ["0,1", "2,3"]),
        (2, 4, 3, ["0,1", "2,3", "0,1"]),
        (4, 2, None, ["0,1"]),
        (3, 0, None, [None, None]),
    ],
)
def test_a_model_that_trains_in_several_processes_has_as_many_gpus(
    processes: int,
    gpus: int,
    jobs: int | None,
    seen: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(parallel, "cpu_count", lambda: 7)
    compute = Compute(device="auto", threads=1, precision="auto", processes=processes)
    places = parallel.places(compute, jobs)
    assert [place.get("CUDA_VISIBLE_DEVICES") for place in places] == seen


@pytest.mark.parametrize(("jobs", "waits"), [(2, None), (3, None), (4, "PASSIVE")])
def test_threads_do_not_wait_by_spinning_where_there_are_more_than_cores(
    jobs: int, waits: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "cpu_count", lambda: 7)
    places = parallel.places(Compute(device="cpu", threads=2, precision="auto"), jobs)
    assert [place.get("OMP_WAIT_POLICY") for place in places] == [waits] * jobs
