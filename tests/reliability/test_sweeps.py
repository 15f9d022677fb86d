import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sweeps import Sweep

DVC_YAML = f"""
stages:
  train:
    cmd: {sys.executable} train.py
    params: [loss.pos_weight]
    metrics:
    - score.json:
        cache: false
"""
# the second value waits for ever, as long as it is to be killed
STAGE = """
import json, os, time
from pathlib import Path
from ruamel.yaml import YAML

root = Path(os.environ["DVC_ROOT"])
value = YAML().load(Path("params.yaml"))["loss"]["pos_weight"]
with (root / "ran.log").open("a") as log:
    log.write(f"{value}\\n")
while value == 2 and (root / "slow").exists():
    time.sleep(0.1)
Path("score.json").write_text(json.dumps(value))
"""


def test_a_killed_sweep_goes_on_and_trains_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text("loss:\n  pos_weight: 0\n")
    (tmp_path / "train.py").write_text(STAGE)
    (tmp_path / ".gitignore").write_text("/ran.log\n/slow\n")
    (tmp_path / "slow").touch()
    for command in (
        "git init -q",
        "git config user.name t",
        "git config user.email t@localhost",
        f"{shlex.quote(sys.executable)} -m dvc init -q",
        "git add .",
        "git commit -qm all",
    ):
        subprocess.run(shlex.split(command), cwd=tmp_path, check=True)
    sweep = Sweep(tmp_path, "loss.pos_weight", [1, 2], "train")
    try:
        sweep.queue()
        sweep.start(jobs=2)
        # one value is done, the other one is being trained
        ran = tmp_path / "ran.log"
        sweep.wait_for(lambda: len(sweep.finished()) == 1 and "2" in ran.read_text().split(), 120)
        before = sweep.finished()
        assert sweep.kill() >= 3  # a worker, DVC and its stage
        (tmp_path / "slow").unlink()
        sweep.go_on(jobs=1)
        sweep.wait_for(lambda: set(sweep.results("score.json").values()) == {"1", "2"}, 120)
        assert before.items() <= sweep.finished().items()
        assert Counter(ran.read_text().split()) == {"1": 1, "2": 2}
    finally:
        sweep.kill()
