import shutil
from pathlib import Path

from ruamel.yaml import YAML

from stages.recommender.params import Params
from stages.recommender.yaml_files import checked, read_yaml
from tests.benchmarks.eight import only_the_eight

ROOT = Path(__file__).parents[1]


def test_all_but_the_eight_is_left_out(tmp_path: Path) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    models = only_the_eight(tmp_path)
    assert models == [
        f"{trainer}-{variant}"
        for trainer in ("original", "weighted")
        for variant in ("baseline", "rnn", "multitask", "rnn-multitask")
    ]
    params = checked(Params, read_yaml(tmp_path / "params.yaml"), tmp_path / "params.yaml")
    assert list(params.models) == models
    stages = YAML().load(tmp_path / "dvc.yaml")["stages"]
    made = {str(out) for stage in stages.values() for out in stage.get("outs", ())}
    needed = {dep for dep in stages["compare"]["deps"] if dep.startswith("metrics/")}
    assert needed == {"metrics/coverage.json", "metrics/history"}
    assert "metrics/coverage.json" in made
    assert {"climb_ladder", "ablate"}.isdisjoint(stages)
