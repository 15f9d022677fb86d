import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from stages.recommender import parallel, workspace
from stages.recommender.errors import UserError
from stages.recommender.params import load_params

ROOT = Path(__file__).parents[2]
RUN = Path("runs/mine")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with little code, in a folder whose name needs care, as the current folder."""
    folder = tmp_path / "a checkout, là"
    (folder / "stages" / "recommender").mkdir(parents=True)
    (folder / "stages" / "train.py").write_text("train = 1\n")
    (folder / "stages" / "recommender" / "errors.py").write_text("errors = 1\n")
    (folder / ".dvc" / "plots").mkdir(parents=True)
    (folder / ".dvc" / "plots" / "training.json").write_text("{}")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    for name in ("params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "presets", folder / "presets")
    monkeypatch.chdir(folder)
    return folder


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file with its digest and its time of change."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path)


# --- code ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("checkout")
def test_a_workspace_holds_the_checkouts_code_and_parameters() -> None:
    workspace.prepare(RUN, [], [])
    assert sorted(state(RUN)) == [
        ".dvcignore",
        "dvc.yaml",
        "params.yaml",
        "stages/recommender/errors.py",
        "stages/train.py",
    ]
    assert load_params(RUN / "params.yaml") == load_params()


@pytest.mark.usefixtures("checkout")
def test_what_is_up_to_date_is_not_touched() -> None:
    workspace.prepare(RUN, ["sample"], ["sample.seed=7"])
    before = state(RUN)
    workspace.prepare(RUN, ["sample"], ["sample.seed=7"])
    assert state(RUN) == before


def test_code_that_changed_is_brought_up_to_date(checkout: Path) -> None:
    workspace.prepare(RUN, [], [])
    (RUN / "data").mkdir()
    (RUN / "data" / "made").write_text("here")
    (RUN / "stages" / "__pycache__").mkdir()
    (RUN / "stages" / "__pycache__" / "train.pyc").write_text("compiled")
    (checkout / "stages" / "__pycache__").mkdir()
    (checkout / "stages" / "__pycache__" / "other.pyc").write_text("compiled")
    before = state(RUN)
    (checkout / "stages" / "train.py").unlink()
    (checkout / "stages" / "recommender" / "errors.py").write_text("errors = 2\n")
    (checkout / "stages" / "recommender" / "new").mkdir()
    (checkout / "stages" / "recommender" / "new" / "deep.py").write_text("deep = 1\n")
    workspace.prepare(RUN, [], [])
    after = state(RUN)
    assert before.keys() - after.keys() == {"stages/train.py"}
    assert after.keys() - before.keys() == {"stages/recommender/new/deep.py"}
    assert {name for name in before if after.get(name) != before[name]} == {
        "stages/train.py",
        "stages/recommender/errors.py",
    }
    assert (RUN / "stages" / "recommender" / "errors.py").read_text() == "errors = 2\n"


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("checkout")
def test_presets_come_over_the_checkouts_parameters_and_values_over_both() -> None:
    workspace.prepare(
        RUN,
        ["paper", "sample"],
        [
            "training.epochs=3",
            "training.head_learning_rate=2e-5",
            "loss.pos_weight=auto",
            "loss.focal.enabled=true",
            "evaluation.readings=[turn]",
            "redial.zip.sha256=null",
            "training.epochs=4",
        ],
    )
    params = load_params(RUN / "params.yaml")
    assert (params.redial.source, params.encoder.source) == ("sample", "package")
    assert params.encoder.hub.repository == "google-bert/bert-base-uncased"
    assert (params.training.epochs, params.training.dialogue_batch) == (4, 8)
    assert params.training.head_learning_rate == 2e-5
    assert (params.loss.pos_weight, params.loss.focal.enabled) == ("auto", True)
    assert params.evaluation.readings == ["turn"]
    assert params.redial.zip.sha256 is None
    # what nothing changed is as in the checkout
    assert params.tags == load_params().tags


def test_an_archive_here_is_told_from_another_of_its_name(checkout: Path) -> None:
    def checksums() -> tuple[str | None, str | None]:
        workspace.prepare(RUN, ["local"], [])
        params = load_params(RUN / "params.yaml")
        return params.redial.zip.sha256, params.movielens.zip.sha256

    assert checksums() == (None, None)  # what is not there is told by its stage
    (checkout / "redial_dataset.zip").write_text("one edition")
    first, other = checksums()
    assert first == hashlib.sha256(b"one edition").hexdigest()
    assert other is None
    (checkout / "redial_dataset.zip").write_text("another edition")
    assert checksums()[0] == hashlib.sha256(b"another edition").hexdigest()


@pytest.mark.parametrize(
    ("presets", "values", "told"),
    [
        ([], ["loss.pos_weigth=1"], "'loss.pos_weigth=1' sets no parameter; write section.key="),
        ([], ["loss.pos_weight"], "'loss.pos_weight' sets no parameter; write section.key="),
        ([], ["loss.pos_weight.x=1"], "'loss.pos_weight.x=1' sets no parameter; write section."),
        ([], ["=1"], "'=1' sets no parameter; write section.key=value as in params.yaml"),
        ([], [""], "'' sets no parameter; write section.key=value as in params.yaml"),
        ([], ["sample.seed=[1"], "the value in 'sample.seed=[1' is no YAML; put it in quotes"),
        (
            [],
            ["training.epochs=many"],
            "params.yaml under --set training.epochs: training.epochs is 'many' (text)",
        ),
        (
            [],
            ["training.epochs="],
            "params.yaml under --set training.epochs: training.epochs is nothing but",
        ),
        (
            [],
            ["loss=1"],
            "params.yaml under --set loss: loss is 1 but should map",
        ),
        (
            [],
            ["encoder.source=folder"],
            "params.yaml under --set encoder.source: encoder.source is folder, so",
        ),
        (
            ["smaple"],
            [],
            "no preset is called 'smaple'; the presets are: fast, frozen, local, mine",
        ),
        (
            ["mine"],
            [],
            "params.yaml under --preset mine: training.epoch is no parameter;",
        ),
    ],
)
def test_a_mistake_leaves_the_workspace_as_it_was(
    checkout: Path, presets: list[str], values: list[str], told: str
) -> None:
    (checkout / "presets" / "mine.yaml").write_text("training:\n  epoch: 1\n")
    before = state(checkout)
    for _ in range(2):
        with pytest.raises(UserError) as raised:
            workspace.prepare(RUN, presets, values)
        assert str(raised.value).startswith(told)
        # at first there was no workspace, then there is one
        assert state(checkout) == before
        assert RUN.exists() == any(name.startswith("runs") for name in before)
        workspace.prepare(RUN, [], ["sample.seed=5"])
        (checkout / "stages" / "train.py").write_text("train = 2\n")
        before = state(checkout)


def test_a_mistake_in_the_checkouts_parameters_is_told(checkout: Path) -> None:
    (checkout / "params.yaml").write_text("loss: [\n")
    with pytest.raises(UserError, match=r"^params\.yaml is no YAML in line 2: "):
        workspace.prepare(RUN, [], [])
    assert not RUN.exists()


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("redial.zip.location", "corpora/redial.zip", "{here}/corpora/redial.zip"),
        ("movielens.zip.location", "ml latest é.zip", "{here}/ml latest é.zip"),
        ("redial.zip.location", "/corpora/redial.zip", "/corpora/redial.zip"),
        ("redial.zip.location", "~/redial.zip", "{home}/redial.zip"),
        ("redial.zip.location", "~no such user/redial.zip", "{here}/~no such user/redial.zip"),
        ("redial.zip.location", "https://a.org/b.zip", "https://a.org/b.zip"),
        ("encoder.folder", "my encoder", "{here}/my encoder"),
        ("encoder.folder", "null", None),
    ],
)
def test_paths_are_taken_from_the_checkout(
    checkout: Path, key: str, given: str, kept: str | None
) -> None:
    workspace.prepare(RUN, [], [f"{key}={given}"])
    value: Any = read(RUN / "params.yaml")
    for step in key.split("."):
        value = value[step]
    home = Path("~").expanduser()
    assert value == (kept and kept.format(here=checkout, home=home))


def test_paths_in_parameters_and_presets_are_taken_from_the_checkout(checkout: Path) -> None:
    (checkout / "presets" / "mine.yaml").write_text("encoder:\n  folder: encoder\n")
    params = read(checkout / "params.yaml")
    params["redial"]["zip"]["location"] = "redial.zip"
    YAML().dump(params, checkout / "params.yaml")
    workspace.prepare(RUN, ["mine"], [])
    found = load_params(RUN / "params.yaml")
    assert found.redial.zip.location == str(checkout / "redial.zip")
    assert found.encoder.folder == str(checkout / "encoder")
    assert found.movielens.zip.location.startswith("https://")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/tmp/a"])
def test_a_workspace_lies_under_runs(name: str) -> None:
    with pytest.raises(UserError) as raised:
        workspace.workspace(name)
    assert str(raised.value) == (
        f"{name!r} names no folder under runs/; use letters, digits and hyphens"
    )
    assert workspace.workspace("my-run") == Path("runs/my-run")


# --- running -------------------------------------------------------------------------------------

STAGE = """
import sys
import time
from pathlib import Path
from stages.recommender import artifacts
from stages.recommender.errors import UserError, run_stage
from stages.recommender.params import load_params

def main():
    epochs = load_params().training.epochs
    if epochs == 1:
        raise UserError("one epoch is too little; take more")
    with artifacts.atomic_folder(artifacts.REPORT) as folder:
        if epochs == 2:
            print("waiting", flush=True)
            time.sleep(60)
        artifacts.write_text(folder / "models.txt", f"{epochs} epochs")
        artifacts.write_text(folder / "report.html", "")
        artifacts.write_text(folder / "curves.png", "")
    print("trained")

run_stage(main)
"""

ONE_MODEL = (
    "models={original-rnn: {trainer: original, variant: rnn, data: data/examples, "
    "watches: [training, training, training]}}"
)

DVC_YAML = """
stages:
  train:
    cmd: python -m stages.train
    deps:
    - stages/train.py
    params:
    - training.epochs
    outs:
    - metrics/report
"""


@pytest.fixture
def runnable(checkout: Path) -> Path:
    """The checkout with the library's own code and one stage."""
    shutil.copytree(
        ROOT / "stages",
        checkout / "stages",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (checkout / "stages" / "train.py").write_text(STAGE)
    (checkout / "dvc.yaml").write_text(DVC_YAML)
    return checkout


def command(*arguments: str) -> dict[str, Any]:
    return {
        "args": [sys.executable, "-m", "stages.recommender.workspace", "mine", *arguments],
        "env": {name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "text": True,
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(**command(*arguments), capture_output=True, check=False)


def test_a_run_shows_its_results_and_is_not_done_again(runnable: Path) -> None:
    first = run("--set", "training.epochs=3")
    assert first.returncode == 0, first.stderr
    assert "trained\n" in first.stdout
    results = (
        "\n3 epochs\nruns/mine/metrics/report/curves.png\nruns/mine/metrics/report/report.html\n"
    )
    assert first.stdout.endswith(results)
    assert (RUN / ".dvc" / "plots" / "training.json").is_file()
    again = run("--set", "training.epochs=3")
    assert again.returncode == 0
    assert "trained" not in again.stdout
    assert again.stdout.endswith(results)
    # what one workspace made, another one takes
    shutil.rmtree(RUN)
    taken = run("--set", "training.epochs=3")
    assert "trained" not in taken.stdout
    assert taken.stdout.endswith(results)
    # and nothing lies outside of the checkout
    assert (runnable / ".dvc" / "cache").is_dir()
    assert list(runnable.parent.iterdir()) == [runnable]


@pytest.mark.usefixtures("runnable")
def test_a_stages_mistake_is_told_and_nothing_left() -> None:
    failed = run("--set", "training.epochs=1")
    assert failed.returncode == 1
    assert "error: one epoch is too little; take more\n" in failed.stderr
    assert failed.stderr.endswith(
        "error: a stage failed, see above; mend it and run the same command again to go on from "
        "there (the workspace is runs/mine)\n"
    )
    assert list((RUN / "metrics").rglob("*")) == []


@pytest.mark.usefixtures("runnable")
def test_models_train_at_once_where_that_is_asked_for() -> None:
    failed = run("--jobs", "0")
    assert failed.returncode == 1
    assert "error: --jobs is 0, but at least one model must train at a time\n" in failed.stderr


@pytest.mark.usefixtures("runnable")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_order(number: signal.Signals) -> None:
    process = subprocess.Popen(
        **command("--set", "training.epochs=2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert any(line == "waiting\n" for line in process.stdout)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    sentence = "interrupted; run the same command again to go on where this stopped\n"
    # the stage says so, and the run
    assert told.count(sentence) == 2
    assert told.endswith(sentence)
    assert "Traceback" not in told
    assert list((RUN / "metrics").rglob("*")) == []


def started_until(waiting: str, cmd: str, runnable: Path) -> "subprocess.Popen[str]":
    """A run of two jobs in which a stage, whose command says that it waits, has begun to."""

    def stage(name: str) -> dict[str, str]:
        return {"cmd": cmd if name == waiting else "true"}

    stages: dict[str, Any] = {name: stage(name) for name in parallel.BEFORE}
    stages["train"] = {"foreach": "${models}", "do": stage("train")}
    YAML().dump({"stages": stages}, runnable / "dvc.yaml")
    process = subprocess.Popen(
        **command("--jobs", "2", "--set", ONE_MODEL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    assert any(line.endswith("waiting\n") for line in process.stdout)
    return process


SLOW_TO_END = """
import pathlib
import time

print("waiting", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    pathlib.Path("ended.txt").write_text("in order")
    raise SystemExit(1) from None
"""


@pytest.mark.parametrize(
    ("number", "waiting"), [(signal.SIGINT, "tokenize_tags"), (signal.SIGTERM, "train")]
)
def test_a_signal_waits_for_what_dvc_runs_of_several_jobs(
    number: signal.Signals, waiting: str, runnable: Path
) -> None:
    (runnable / "stages" / "slow.py").write_text(SLOW_TO_END)

    process = started_until(waiting, "python stages/slow.py", runnable)
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told.endswith("interrupted; run the same command again to go on where this stopped\n")
    assert (RUN / "ended.txt").read_text() == "in order"
    assert not any(each.is_running() for each in started)


@pytest.mark.usefixtures("runnable")
def test_a_second_run_is_told_of_the_first_even_when_that_was_killed_and_its_dvc_was_not() -> None:
    told = "error: another run works in runs/mine; wait until it has ended, then run again\n"
    process = subprocess.Popen(**command("--set", "training.epochs=2"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert any(line == "waiting\n" for line in process.stdout)
    [dvc] = psutil.Process(process.pid).children()
    second = run("--set", "training.epochs=3")
    assert (second.returncode, second.stderr) == (1, told)
    process.kill()
    process.wait()
    assert run("--set", "training.epochs=3").stderr == told
    os.killpg(dvc.pid, signal.SIGKILL)
    psutil.wait_procs([dvc])
    assert run("--set", "training.epochs=3").returncode == 0


@pytest.mark.parametrize("waiting", ["tokenize_tags", "train"])
def test_a_run_of_several_jobs_is_told_of_as_long_as_one_of_its_dvcs_is_there(
    waiting: str, runnable: Path
) -> None:
    process = started_until(waiting, "echo waiting; sleep 60", runnable)
    [several] = psutil.Process(process.pid).children()
    [dvc] = several.children()
    group = os.getpgid(dvc.pid)
    process.kill()
    process.wait()
    several.kill()
    psutil.wait_procs([several])
    with pytest.raises(UserError, match="another run works in runs/mine"), workspace.alone(RUN):
        pass
    os.killpg(group, signal.SIGKILL)
    psutil.wait_procs([dvc])
    with workspace.alone(RUN):
        pass


@pytest.mark.usefixtures("runnable")
def test_half_a_lock_is_mended() -> None:
    assert run("--set", "training.epochs=3").returncode == 0
    lock = RUN / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[:-60])
    again = run("--set", "training.epochs=3")
    assert again.returncode == 0, again.stderr
    assert "was half-written; what is done comes from DVC's cache" in again.stdout
    assert "trained\n" not in again.stdout
    assert lock.read_bytes() == whole
