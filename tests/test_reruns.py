"""What a change reruns, seen in a finished repository with the project's own dvc.yaml.

The stage scripts are replaced by one that writes a digest of all that its stage depends on to
each of its outputs: what changes anything changes the outputs, and a whole run takes seconds.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import networkx
import pytest
from declared_stages import ROOT, declared_stages, stage_named
from dvc.repo import Repo
from dvc.utils.serialize._yaml import parse_yaml
from ruamel.yaml import YAML

VARIANTS = ("baseline", "rnn", "multitask", "rnn-multitask")
ORIGINAL = [f"train@original-{variant}" for variant in VARIANTS]
WEIGHTED = [f"train@weighted-{variant}" for variant in VARIANTS]
EIGHT = [*ORIGINAL, *WEIGHTED]
GATE = "train@softmax-gate"
MODELS = [*EIGHT, GATE]
WITH_TAGS = [name for name in EIGHT if name.endswith("multitask")]

FROM_EXAMPLES = ["fit_baselines", *MODELS, "compare"]
FROM_DIALOGUES = ["tokenize_dialogues", *FROM_EXAMPLES]
FROM_TITLES = ["tokenize_titles", "ablate"]
FROM_ROLES = [*FROM_TITLES, *FROM_DIALOGUES]
FROM_MOVIE_MAP = ["build_movie_map", "tokenize_tags", *FROM_ROLES]
FROM_ENCODER = ["download_encoder", "tokenize_tags", *FROM_ROLES, "climb_ladder"]
LADDER = ["climb_ladder", "compare"]
ABLATION = ["ablate", "compare"]
DOWNLOADS = ["download_redial", "download_movielens", "download_encoder"]
EVERYTHING = [*DOWNLOADS, *FROM_MOVIE_MAP, *LADDER]

STUB = """\
import hashlib
import json
import sys
from pathlib import Path

name = "@".join([Path(__file__).stem, *sys.argv[1:]])
stage = json.loads(Path("declared.json").read_text())[name]
digest = hashlib.sha256(name.encode())
params = json.loads(Path("params.json").read_text())
for param in stage["params"]:
    digest.update(f"{param}: {params[param]}".encode())
for given in stage["reads"]:
    inside = sorted(path for path in Path(given).rglob("*") if "__pycache__" not in path.parts)
    for path in inside or [Path(given)]:
        if path.is_file():
            digest.update(path.read_bytes())
for written in stage["writes"]:
    Path(written).parent.mkdir(parents=True, exist_ok=True)
    Path(written).write_text(json.dumps(digest.hexdigest()))
with Path("ran.txt").open("a") as ran:
    ran.write(f"{name}\\n")
"""


def files_to_write(outputs: tuple[Path, ...]) -> list[str]:
    """A file for each output; in a folder also those that another stage reads by name."""
    named = [path for stage in declared_stages() for path in stage.data]
    return sorted(
        {str(path if path.suffix else path / "content.json") for path in outputs}
        | {str(path) for path in named if path.suffix and set(path.parents) & set(outputs)}
    )


def declared() -> dict[str, dict[str, list[str]]]:
    return {
        stage.name: {
            "params": sorted(stage.params),
            "reads": sorted(map(str, [*stage.code, *stage.data])),
            "writes": files_to_write(stage.outputs),
        }
        for stage in declared_stages()
    }


def dig(params: Any, name: str) -> Any:
    for key in name.split("."):
        params = params[key]
    return params


def plain_yaml() -> YAML:
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.Representer.add_representer(OrderedDict, yaml.Representer.represent_dict)
    return yaml


class Project:
    """A copy of the project whose stages do next to nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.yaml = YAML()
        self.kept: dict[Path, bytes] = {}
        for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
            shutil.copy(ROOT / name, folder)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "stages", folder / "stages", ignore=ignored)
        for module in {stage.module for stage in declared_stages()}:
            (folder / Path(*module.split("."))).with_suffix(".py").write_text(STUB)
        (folder / "declared.json").write_text(json.dumps(declared()))
        Repo.init(str(folder), no_scm=True).close()

    def change(self, name: str, value: object) -> None:
        self._keep(self.folder / "params.yaml")
        params = self.yaml.load(self.folder / "params.yaml")
        *sections, last = name.split(".")
        section = dig(params, ".".join(sections))
        assert section[last] != value
        section[last] = value
        self.yaml.dump(params, self.folder / "params.yaml")

    def change_code(self, path: str) -> None:
        self._keep(self.folder / path)
        with (self.folder / path).open("a") as file:
            file.write("# changed\n" if path.endswith(".py") else "/* changed */\n")

    def _keep(self, path: Path) -> None:
        self.kept[path] = path.read_bytes()

    def reproduce(self) -> set[str]:
        """Run ``dvc repro``; the stages whose commands ran."""
        params = self.yaml.load(self.folder / "params.yaml")
        names = {name for stage in declared().values() for name in stage["params"]}
        (self.folder / "params.json").write_text(
            json.dumps({name: json.dumps(dig(params, name)) for name in names})
        )
        ran = self.folder / "ran.txt"
        ran.write_text("")
        with closing(Repo(str(self.folder))) as repo:
            repo.reproduce()
        return set(ran.read_text().split())

    def would_rerun(self) -> set[str]:
        """The stages that DVC finds changed, and those that follow them in its graph."""
        with closing(Repo(str(self.folder))) as repo, repo.lock:
            graph = repo.index.graph
            changed = [stage for stage in repo.index.stages if stage.changed_deps()]
            following = [other for stage in changed for other in networkx.ancestors(graph, stage)]
            return {stage.name for stage in [*changed, *following]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that has been run."""
    with pytest.MonkeyPatch.context() as patch:
        here = Path(sys.executable).parent
        patch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("DVC_NO_ANALYTICS", "true")
        # to keep comments, of which dvc.lock has none, takes most of DVC's time here
        patch.setattr("dvc.utils.serialize._yaml.parse_yaml_for_update", parse_yaml)
        patch.setattr("dvc.utils.serialize._yaml._get_yaml", plain_yaml)
        project = Project(tmp_path_factory.mktemp("finished"))
        patch.chdir(project.folder)
        assert project.reproduce() == set(EVERYTHING)
        yield project


@pytest.fixture
def only_looked_at(finished: Project) -> Iterator[None]:
    """Puts the finished project back as it was."""
    finished.kept.clear()
    yield
    for path, content in finished.kept.items():
        path.write_bytes(content)


def test_the_stages_are_the_ones_of_this_table() -> None:
    assert {stage.name for stage in declared_stages()} == set(EVERYTHING)


def test_nothing_changed_runs_nothing(finished: Project) -> None:
    assert finished.reproduce() == set()
    lock = Path("dvc.lock").read_bytes()
    dvc = [sys.executable, "-m", "dvc"]
    told = subprocess.run([*dvc, "repro"], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "Data and pipelines are up to date."
    assert "Running stage" not in told
    status = subprocess.run([*dvc, "status"], capture_output=True, text=True, check=True).stdout
    assert status == "Data and pipelines are up to date.\n"
    assert Path("dvc.lock").read_bytes() == lock


@pytest.mark.parametrize(
    ("name", "value", "rerun"),
    [
        ("loss.tag_weight", 0.0005, [*[m for m in WEIGHTED if m in WITH_TAGS], "compare"]),
        ("tags.max_per_movie", 20, ["tokenize_tags", *WITH_TAGS, "compare"]),
        ("dialogues.validation_fraction", 0.2, FROM_ROLES),
        ("training.epochs", 3, [*MODELS, "compare"]),
        ("gate.epochs", 4, [GATE, *ABLATION]),
    ],
)
def test_a_changed_parameter_runs_its_share(
    finished: Project, name: str, value: object, rerun: list[str]
) -> None:
    finished.change(name, value)
    assert finished.reproduce() == set(rerun)


def test_what_was_run_before_is_taken_from_the_cache(finished: Project) -> None:
    outputs = [path for path in stage_named("compare").outputs if path.suffix]
    before = [path.read_text() for path in outputs]
    finished.change("loss.pos_weight", 1800)
    assert finished.reproduce() == {*WEIGHTED, "compare"}
    assert [path.read_text() for path in outputs] != before
    finished.change("loss.pos_weight", 1200)
    assert finished.reproduce() == set()
    assert [path.read_text() for path in outputs] == before


@pytest.mark.parametrize(
    ("path", "rerun"),
    [
        ("stages/compare.py", ["compare"]),
        ("stages/recommender/reporting/report.css", ["compare"]),
    ],
)
def test_changed_code_runs_its_stage_and_what_follows(
    finished: Project, path: str, rerun: list[str]
) -> None:
    finished.change_code(path)
    assert finished.reproduce() == set(rerun)


def test_what_a_killed_stage_left_reruns_nothing(finished: Project) -> None:
    left = [Path(folder, ".x.1.partial") for folder in ("data/rankings", "metrics/history")]
    for path in left:
        path.write_text("half")
    assert finished.would_rerun() == set()
    for path in left:
        path.unlink()


@pytest.mark.usefixtures("only_looked_at")
@pytest.mark.parametrize(
    ("name", "value", "rerun"),
    [
        ("loss.focal.enabled", True, [*WEIGHTED, "compare"]),
        ("loss.reduction", "sum", [*ORIGINAL, "compare"]),
        ("tags.seed", 7, ["tokenize_tags", *WITH_TAGS, "compare"]),
        ("dialogues.protocol", "notebook", FROM_ROLES),
        ("dialogues.text_form", "titles", FROM_DIALOGUES),
        ("training.trainable_layers", "none", [*MODELS, "compare"]),
        ("evaluation.batch", 32, [*MODELS, *ABLATION]),
        ("titles.tags_per_movie", 5, [*FROM_TITLES, GATE, "compare"]),
        ("evaluation.readings", ["before"], FROM_EXAMPLES),
        ("model.pooling", "cls", [*FROM_EXAMPLES, "ablate"]),
        ("compute.processes", 2, [*MODELS, "compare"]),
        ("compute.threads", 1, [*FROM_EXAMPLES, "climb_ladder", "ablate"]),
        ("ladder.epochs", 3, LADDER),
        ("ablation.seed", 3, ABLATION),
        ("gate.repeats", 5, [GATE, "compare"]),
        ("movie_map.join", "id", FROM_MOVIE_MAP),
        ("encoder.source", "package", FROM_ENCODER),
        ("redial.source", "zip", ["download_redial", *FROM_MOVIE_MAP, "climb_ladder"]),
        (
            "movielens.zip.sha256",
            None,
            ["download_movielens", *FROM_MOVIE_MAP, "climb_ladder"],
        ),
    ],
)
def test_a_parameter_would_rerun_its_share(
    finished: Project, name: str, value: object, rerun: list[str]
) -> None:
    finished.change(name, value)
    assert finished.would_rerun() == set(rerun)


@pytest.mark.usefixtures("only_looked_at")
@pytest.mark.parametrize(
    ("path", "rerun"),
    [
        ("stages/train.py", [*MODELS, "compare"]),
        ("stages/recommender/movie_texts.py", [*FROM_TITLES, GATE, "compare"]),
        ("stages/recommender/ablation/parts.py", ABLATION),
        ("stages/recommender/ladder/rungs.py", LADDER),
        ("stages/recommender/tags.py", ["tokenize_tags", *WITH_TAGS, *LADDER]),
        ("stages/recommender/evaluation/errors.py", ["compare"]),
        ("stages/recommender/evaluation/intervals.py", ["climb_ladder", *ABLATION]),
        ("stages/recommender/evaluation/metrics.py", [*FROM_EXAMPLES, "climb_ladder", "ablate"]),
        ("stages/recommender/modeling/losses.py", [*MODELS, "ablate", *LADDER]),
        ("stages/recommender/dialogues/roles.py", [*FROM_ROLES, "climb_ladder"]),
        ("stages/recommender/movies/titles.py", [*FROM_MOVIE_MAP, "climb_ladder"]),
        (
            "stages/recommender/corpora/redial.py",
            ["download_redial", *FROM_MOVIE_MAP, "climb_ladder"],
        ),
        ("stages/recommender/artifacts.py", EVERYTHING),
        ("stages/recommender/presets.py", []),
    ],
)
def test_code_would_rerun_its_stages_and_what_follows(
    finished: Project, path: str, rerun: list[str]
) -> None:
    finished.change_code(path)
    assert finished.would_rerun() == set(rerun)
