"""What dvc.yaml declares for each stage is exactly what that stage imports, reads and writes."""

import ast
import hashlib
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grimp
import pytest
import torch
from declared_stages import ROOT, DeclaredStage, all_leaves, declared_stages, stage_named
from markupsafe import Markup
from params_file import HERE, write_params
from recorded_params import recorded

from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
from stages.recommender.errors import UserError
from stages.recommender.modeling.variants import VARIANTS
from stages.recommender.params import Sample, load_params
from stages.recommender.reporting.plots import style

NAMES = [stage.name for stage in declared_stages()]
MODELS = [name for name in NAMES if name.startswith("train@")]

# --- code --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        return grimp.build_graph("stages", cache_dir=None)


def says_something(file: Path) -> bool:
    """Whether a file has more than a docstring; a package's own file often has no more."""
    if file.name != "__init__.py":
        return True
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def imported_code(module: str, graph: grimp.ImportGraph) -> set[Path]:
    """The files that a module's import reads, those imported within functions among them."""
    files = set()
    for name in {module, *graph.find_upstream_modules(module)}:
        parts = name.split(".")
        packages = [Path(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
        files |= {path for path in packages if (ROOT / path).is_file()}
        files |= {path for path in [Path(*parts).with_suffix(".py")] if (ROOT / path).is_file()}
    return {path for path in files if says_something(ROOT / path)}


def files_of(paths: tuple[Path, ...]) -> set[Path]:
    """The files that paths stand for, a folder for all files in it."""
    files: set[Path] = set()
    for path in paths:
        inside = (ROOT / path).rglob("*") if (ROOT / path).is_dir() else [ROOT / path]
        files |= {
            found.relative_to(ROOT)
            for found in inside
            if found.is_file() and "__pycache__" not in found.parts
        }
    return files


@pytest.mark.parametrize("name", NAMES)
def test_the_declared_code_is_the_imported_code(name: str, imports: grimp.ImportGraph) -> None:
    stage = stage_named(name)
    declared = {
        path
        for path in files_of(stage.code)
        if path.suffix == ".py" and says_something(ROOT / path)
    }
    assert declared == imported_code(stage.module, imports)


@pytest.mark.parametrize("name", NAMES)
def test_declared_paths_exist_and_stand_once(name: str) -> None:
    code = stage_named(name).code
    assert [path for path in code if not (ROOT / path).exists()] == []
    assert [path for path in code if any(other in path.parents for other in code)] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_python_counts_with_the_modules_beside_it(name: str) -> None:
    stage = stage_named(name)
    declared = files_of(stage.code)
    folders = {path.parent for path in declared if path.suffix == ".py"} - {Path("stages")}
    beside = {
        file.relative_to(ROOT)
        for folder in folders
        for file in (ROOT / folder).iterdir()
        if file.is_file() and file.suffix != ".py"
    }
    assert {path for path in declared if path.suffix != ".py"} == beside


def test_every_module_of_the_library_belongs_to_a_stage() -> None:
    declared = {path for stage in declared_stages() for path in files_of(stage.code)}
    around = {
        Path("stages/recommender/job_runner.py"),
        Path("stages/recommender/mending.py"),
        Path("stages/recommender/parallel.py"),
        Path("stages/recommender/presets.py"),
        Path("stages/recommender/workspace.py"),
    }
    present = {
        path
        for path in files_of((Path("stages"),))
        if path.suffix == ".py" and path not in around and "serving" not in path.parts
    }
    assert {path for path in present - declared if says_something(ROOT / path)} == set()


# --- models ------------------------------------------------------------------------------------


def test_a_model_watches_what_its_trainer_and_variant_read() -> None:
    for name, entry in load_params(ROOT / "params.yaml").models.items():
        if entry.variant == "gate":
            assert entry.data == "data/titles"
            assert set(entry.watches) == {"gate", "titles", "training"}
            continue
        learns_tags = VARIANTS[entry.variant].learns_tags
        assert entry.data == ("data/tags" if learns_tags else "data/examples/figures.json"), name
        weighted = entry.trainer == "weighted"
        watched = {"loss.pos_weight", "loss.focal"} if weighted else {"loss.reduction"}
        if weighted and learns_tags:
            watched |= {"loss.tag_weight"}
        assert set(entry.watches) - {"training"} == watched, name


def test_there_is_a_model_for_each_trainer_and_variant() -> None:
    trainers = ("original", "weighted")
    of_text = [variant for variant in VARIANTS if variant != "gate"]
    eight = [f"train@{trainer}-{variant}" for trainer in trainers for variant in of_text]
    assert [*eight, "train@softmax-gate"] == MODELS


# --- parameters and outputs, from one run of every stage ----------------------------------------

TINY: dict[str, Any] = {
    "redial": {"source": "sample"},
    "movielens": {"source": "sample"},
    "sample": {"movies": 60, "train_dialogues": 60, "test_dialogues": 20},
    "encoder": {
        "source": "folder",
        "files": [
            {"name": name, "sha256": None}
            for name in ("config.json", "model.safetensors", "tokenizer.json")
        ],
    },
    "dialogues": {"max_tokens": 48},
    "titles": {"max_tokens": 48, "max_turn_tokens": 32, "max_movie_tokens": 16},
    "tags": {"max_tokens": 16},
    "model": {"hidden_size": 8, "mentions": {"embedding_size": 8, "hidden_size": 4}},
    "training": {"trainable_layers": 1, "head_learning_rate": 0.01, "epochs": 1},
    "gate": {
        "hidden_size": 8,
        "epochs": 1,
        "batch": 64,
        "movie_batch": 16,
        "repeats": 1,
    },
    "ladder": {"epochs": 1},
    "ablation": {"epochs": 1},
    "compute": {"device": "cpu", "threads": 1},
}

DVCS_OWN = {"data", "watches"}
"""The keys of a model that dvc.yaml reads, and no stage."""


WITHOUT_EFFECT = {
    f"train@weighted-{name}": {"loss.reduction"}
    | (set() if parts.learns_tags else {"loss.tag_weight"})
    for name, parts in VARIANTS.items()
    if name != "gate"
}
"""Parameters that are read with others, though nothing comes of it; tests below show that."""

OF_NO_ABLATION = {"gate.encoder_learning_rate", "gate.trainable_layers"}
"""What the ablation reads with the gate's other parameters: its encoder is frozen, whatever they
are."""

NOT_READ = {"train@softmax-gate": {"dialogues.max_tokens", "dialogues.text_form"}}
"""Parameters that dvc.yaml declares for all models, and one has in another form."""


@dataclass(frozen=True)
class StageRun:
    """What one stage did, alone with the data that it declares."""

    read: set[str]
    written: dict[Path, str]
    folder: Path = field(repr=False)


def copy(path: Path, source: Path, target: Path) -> None:
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    if (source / path).is_dir():
        shutil.copytree(source / path, target / path, dirs_exist_ok=True)
    else:
        shutil.copy(source / path, target / path)


def digests(folder: Path) -> dict[Path, str]:
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


def run(stage: DeclaredStage, folder: Path) -> StageRun:
    before = digests(folder)
    module = importlib.import_module(stage.module)
    with pytest.MonkeyPatch.context() as patch, recorded(module) as recording:
        patch.chdir(folder)
        patch.setattr("sys.argv", list(stage.command[2:]))
        module.main()
    after = digests(folder)
    assert before.items() <= after.items(), f"{stage.name} changed one of its inputs"
    written = {path: digest for path, digest in after.items() if path not in before}
    return StageRun(recording.read, written, folder)


@pytest.fixture(scope="module")
def tiny(tiny_encoder: Path) -> dict[str, Any]:
    return TINY | {"encoder": TINY["encoder"] | {"folder": str(tiny_encoder)}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the outputs of all stages are put together."""
    return tmp_path_factory.mktemp("finished")


@pytest.fixture(scope="module")
def runs(
    tiny: dict[str, Any], finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, StageRun]]:
    """Each stage run once in a folder that holds the data it declares and nothing else."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    done = {}
    with pytest.MonkeyPatch.context() as patch:
        # drawing reads nothing, and takes as long as all else
        patch.setattr(style, "png", lambda figure: b"")
        patch.setattr(style, "inline_svg", lambda figure, name, alt: Markup(""))
        for stage in declared_stages():
            folder = tmp_path_factory.mktemp(stage.name)
            write_params(folder / HERE, tiny)
            for path in stage.data:
                copy(path, finished, folder)
            done[stage.name] = run(stage, folder)
            for path in stage.outputs:
                copy(path, folder, finished)
    yield done
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def run_again(
    runs: Mapping[str, StageRun], name: str, tmp_path: Path, *changes: Mapping[str, Any]
) -> StageRun:
    """A stage run with the same data and other parameters."""
    stage = stage_named(name)
    for path in stage.data:
        copy(path, runs[name].folder, tmp_path)
    write_params(tmp_path / HERE, *changes)
    return run(stage, tmp_path)


@pytest.fixture(scope="module")
def other_sources(
    runs: dict[str, StageRun], tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """What the downloading stages read where the corpora and the encoder come from elsewhere."""
    folder = tmp_path_factory.mktemp("elsewhere")
    sample = Sample(seed=1, movies=20, train_dialogues=20, test_dialogues=5)
    write_redial_zip(sample, folder / "redial.zip")
    write_movielens_zip(sample, folder / "movielens.zip")
    sources: list[tuple[str, dict[str, Any]]] = [
        ("redial", {"source": "zip", "zip": {"location": "redial.zip", "sha256": None}}),
        ("redial", {"source": "hub"}),
        ("movielens", {"source": "zip", "zip": {"location": "movielens.zip", "sha256": None}}),
        ("encoder", {"source": "package", "package": "no_such_package"}),
        ("encoder", {"source": "hub"}),
    ]
    read = {f"download_{section}": set(runs[f"download_{section}"].read) for section, _ in sources}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        patch.setattr("time.sleep", lambda seconds: None)
        for section, change in sources:
            write_params(folder / HERE, tiny, {section: change})
            module = importlib.import_module(f"stages.download_{section}")
            with recorded(module) as recording:
                try:
                    module.main()
                except UserError as error:
                    # there is no such package, and no hub; all parameters are read by then
                    assert "no_such_package" in str(error) or "127.0.0.1:9" in str(error)
            read[f"download_{section}"] |= recording.read
    return read


def declared_leaves(stage: DeclaredStage) -> set[str]:
    return {
        leaf
        for leaf in all_leaves()
        if any(leaf == name or leaf.startswith(f"{name}.") for name in stage.params)
        and not (leaf.startswith("models.") and leaf.split(".")[-1] in DVCS_OWN)
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_declared_parameters_are_the_parameters_read(
    name: str, runs: dict[str, StageRun], other_sources: dict[str, set[str]]
) -> None:
    read = other_sources.get(name, runs[name].read)
    declared = declared_leaves(stage_named(name)) - NOT_READ.get(name, set())
    without_effect = WITHOUT_EFFECT | {"ablate": OF_NO_ABLATION}
    assert declared == read - without_effect.get(name, set())


def test_the_ablation_is_on_a_frozen_encoder_whatever_the_gate_is_on(
    runs: dict[str, StageRun], tiny: dict[str, Any], tmp_path: Path
) -> None:
    changed = {"gate": {"trainable_layers": "all", "encoder_learning_rate": 0.01}}
    assert run_again(runs, "ablate", tmp_path, tiny, changed).written == runs["ablate"].written


@pytest.mark.parametrize("name", ["weighted-baseline", "weighted-rnn", "weighted-multitask"])
def test_the_tags_weight_changes_only_models_that_learn_tags(
    name: str, runs: dict[str, StageRun], tiny: dict[str, Any], tmp_path: Path
) -> None:
    stage = f"train@{name}"
    again = run_again(runs, stage, tmp_path, tiny, {"loss": {"tag_weight": 3.0}})
    assert (again.written == runs[stage].written) == ("loss.tag_weight" in WITHOUT_EFFECT[stage])


@pytest.mark.parametrize("name", ["original-baseline", "weighted-multitask"])
def test_the_reduction_changes_only_models_of_the_original_trainer(
    name: str, runs: dict[str, StageRun], tiny: dict[str, Any], tmp_path: Path
) -> None:
    stage = f"train@{name}"
    again = run_again(runs, stage, tmp_path, tiny, {"loss": {"reduction": "sum"}})
    assert (again.written == runs[stage].written) == (stage in WITHOUT_EFFECT)


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_writes_what_it_declares_and_nothing_else(
    name: str, runs: dict[str, StageRun]
) -> None:
    outputs = stage_named(name).outputs
    written = runs[name].written
    assert [
        path for path in written if not any(out in [path, *path.parents] for out in outputs)
    ] == []
    assert [
        out for out in outputs if not any(out in [path, *path.parents] for path in written)
    ] == []


def test_no_two_stages_write_to_one_place() -> None:
    outputs = [path for stage in declared_stages() for path in stage.outputs]
    assert [path for path in outputs if any(other in path.parents for other in outputs)] == []
    assert len(set(outputs)) == len(outputs)


def test_git_ignores_what_dvc_keeps_and_nothing_else(tmp_path: Path) -> None:
    for name in (".gitignore", "data/.gitignore", "metrics/.gitignore", "models/.gitignore"):
        copy(Path(name), ROOT, tmp_path)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    outputs = [path for stage in declared_stages() for path in stage.outputs]
    told = subprocess.run(
        [*git, "check-ignore", *outputs], capture_output=True, text=True, check=True
    ).stdout
    cached = [path for stage in declared_stages() for path in stage.cached]
    assert [Path(line) for line in told.splitlines()] == cached
    assert set(outputs) - set(cached) == {Path("metrics/summary.json")}


def test_plots_show_the_curves_of_every_model(
    runs: dict[str, StageRun], finished: Path, tmp_path: Path
) -> None:
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True)
    for name in ("dvc.yaml", "params.yaml", ".dvc/plots"):
        copy(Path(name), ROOT, tmp_path)
    copy(Path("metrics"), finished, tmp_path)
    told = subprocess.run(
        [*dvc, "plots", "show", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    shown = json.loads(told.stdout)
    assert "errors" not in shown
    models = [name.removeprefix("train@") for name in MODELS]
    assert set(shown["data"]) == {f"metrics/history/{model}.csv" for model in models}
    for path, (plot,) in shown["data"].items():
        specification = plot["content"]
        *fields, of_tags = [panel["encoding"]["y"]["field"] for panel in specification["concat"]]
        assert fields == [
            "train_dialogue_loss",
            "eval_loss",
            "eval_ndcg_at_10",
            "eval_recall_at_10",
        ]
        (epoch,) = specification["data"]["values"]
        assert all(float(epoch[field]) >= 0 for field in fields)
        # the panel of a model that learns neither tags nor movie texts stays empty
        assert of_tags == "train_tag_loss"
        learns_more = Path(path).stem.endswith(("multitask", "gate"))
        assert float(epoch[of_tags]) > 0 if learns_more else epoch[of_tags] == ""
