import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from served_models import write_gate, write_models

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.serving.export import export_model
from stages.recommender.serving.model_card import model_card
from stages.recommender.serving.recommender import Recommender, _tokens

ROOT = Path(__file__).parents[3]


def test_an_exported_folder_gives_the_same_rankings(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    export_model(models / "weighted-rnn", folder, models.parent / "metrics")
    answers = [
        Recommender.load(place).recommend("scary like Alien", k=50)
        for place in (models / "weighted-rnn", folder)
    ]
    assert answers[0] == answers[1]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense:")
    assert "| all       | ndcg@10   | 0.1000" in card
    with pytest.raises(UserError, match="is there already"):
        export_model(models / "weighted-rnn", folder, models.parent / "metrics")


def test_a_card_says_of_each_model_what_holds_for_it(tmp_path: Path, tiny_encoder: Path) -> None:
    models, metrics = write_models(tmp_path, tiny_encoder), tmp_path / "metrics"
    write_gate(tmp_path, tiny_encoder)
    shutil.copyfile(metrics / "weighted-rnn.json", metrics / "softmax-gate.json")

    def card(name: str) -> str:
        own = artifacts.read_json(metrics / f"{name}.json", "train")
        return " ".join(model_card(models / name, own, metrics).split())

    assert "head with one logit for each of 13 movies." in card("weighted-rnn")
    assert "never saw cannot be expected to be recommended." in card("weighted-rnn")
    assert "co-occurrences, is the least to compare with before use." in card("weighted-rnn")
    baseline = {"test": {"all": {"ndcg@10": 0.25}}}
    artifacts.write_json(metrics / "mentions-cooccurrence.json", baseline)
    assert "a gate that adds up, for each of 13 movies, how well" in card("softmax-gate")
    assert "dialogues most like the request" in card("softmax-gate")
    assert "is scored by its text alone" in card("softmax-gate")
    assert "has an nDCG@10 of 0.2500 under `all`: compare before use." in card("softmax-gate")


def test_the_exported_encoder_loads_in_sentence_transformers(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    export_model(models / "weighted-rnn", folder, models.parent / "metrics")
    text = "scary movies i like"
    code = (  # in a process of its own: importing it takes seconds and much memory
        "import sys; from sentence_transformers import SentenceTransformer\n"
        "model = SentenceTransformer(sys.argv[1], device='cpu')\n"
        "print(*model.encode(sys.argv[2]).tolist())"
    )
    encode = [sys.executable, "-c", code, str(folder / "encoder"), text]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        encode, cwd=ROOT, env=offline, stdout=subprocess.PIPE, text=True, check=True
    )
    recommender = Recommender.load(folder)
    expected = recommender._encoder(_tokens(recommender._tokenizer, [text]))[0]
    assert [*map(float, done.stdout.split())] == pytest.approx(expected.tolist(), abs=1e-5)


UNKNOWN, REAL, SAMPLE, PARTLY = (
    "",
    "redial:\n  source: zip\nmovielens:\n  source: zip\ndialogues:\n  protocol: corrected\n",
    "redial:\n  source: sample\nmovielens:\n  source: sample\ndialogues:\n  protocol: notebook\n",
    "redial:\nmovielens: sample\n",
)


@pytest.mark.parametrize(
    ("params", "said", "unsaid"),
    [
        (
            REAL,
            [
                "community-datasets/re_dial",
                "Epoch 2 of 3 was selected on validation dialogues alone.",
                "Trained on the dialogues of ReDial (Li et al. 2018).",
                "Titles and tags are MovieLens' (Harper and Konstan 2015).",
                "Test split, scored once. `all`",
                "movies up to early 2018",
                "ReDial: CC BY 4.0",
            ],
            ["sample", "invented"],
        ),
        (
            SAMPLE,
            [
                "license: apache-2.0 ",
                "Epoch 2 of 3 was selected on the test dialogues, as the notebook did it.",
                "Trained on a sample corpus:",
                "Titles and tags are invented likewise.",
                "Test split, scored once after it had selected the epoch, which flatters the",
            ],
            ["ReDial", "re_dial", "MovieLens", "2018", "validation dialogues"],
        ),
        (
            UNKNOWN,
            ["Epoch 2 of 3 was selected.", "name: test split", "license: other"],
            ["dialogues of ReDial", "re_dial", "MovieLens' (Harper", "2018", "sample", "notebook"],
        ),
        (PARTLY, ["Epoch 2 of 3 was selected."], ["re_dial", "sample", "notebook"]),
    ],
    ids=["real", "sample", "no parameters", "parameters of another shape"],
)
def test_a_card_says_what_the_parameters_beside_tell_and_no_more(
    tmp_path: Path, tiny_encoder: Path, params: str, said: list[str], unsaid: list[str]
) -> None:
    models = write_models(tmp_path, tiny_encoder)
    if params:
        (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    own = artifacts.read_json(tmp_path / "metrics" / "weighted-rnn.json", "train")
    card = model_card(models / "weighted-rnn", own, tmp_path / "metrics")
    assert isinstance(YAML(typ="safe").load(card.split("---\n")[1]), dict)
    words = " ".join(card.split())
    assert [sentence for sentence in said if sentence not in words] == []
    assert [sentence for sentence in unsaid if sentence in words] == []
