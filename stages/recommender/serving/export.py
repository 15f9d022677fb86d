"""A trained model as a folder for the Hugging Face hub.

The folder is the model's own, so that ``Recommender.load`` reads it, with the model card
(``README.md``) and, beside the encoder, the three files by which sentence-transformers loads it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.model_folder import CONFIG, ENCODER, WEIGHTS
from stages.recommender.serving.model_card import model_card


def export_model(model: Path, folder: Path, metrics: Path) -> None:
    """Write a model for the hub, whole or not at all.

    Args:
        model: The folder of a trained model.
        folder: To write.
        metrics: The folder of metrics: the model's own, and the summary with its intervals. What
            the model was trained on is taken from the parameters beside that folder.

    Raises:
        UserError: ``folder`` is there already, the model or its metrics are missing, or the
            parameters are no YAML.
    """
    if folder.exists():
        raise UserError(f"{folder} is there already; name a folder that is not")
    if not (model / CONFIG).is_file() or not (model / WEIGHTS).is_file():
        raise UserError(f"{model} holds no whole model; train it: dvc repro train@{model.name}")
    own = artifacts.read_json(metrics / f"{model.name}.json", f"train@{model.name}")
    with artifacts.atomic_folder(folder) as partial:
        shutil.copytree(model, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
        _complete_encoder(partial / ENCODER, artifacts.read_json(partial / CONFIG, "train"))
        artifacts.write_text(partial / "README.md", model_card(model, own, metrics))


def _complete_encoder(encoder: Path, config: dict[str, Any]) -> None:
    """What sentence-transformers reads beside a transformer: its modules, pooling and length."""
    (encoder / "manifest.json").unlink(missing_ok=True)
    width = artifacts.read_json(encoder / "config.json", "train")["hidden_size"]
    package = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{package}.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{package}.Pooling"},
    ]
    artifacts.write_json(encoder / "modules.json", modules)
    pooling = {
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": config["model"]["pooling"] == "cls",
        "pooling_mode_mean_tokens": config["model"]["pooling"] == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    artifacts.write_json(encoder / "1_Pooling" / "config.json", pooling)
    length = {"max_seq_length": config["max_tokens"], "do_lower_case": False}
    artifacts.write_json(encoder / "sentence_bert_config.json", length)
    tokenizer = encoder / "tokenizer_config.json"
    if not tokenizer.is_file():  # an encoder from a folder may have the tokenizer alone
        artifacts.write_json(
            tokenizer,
            {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"},
        )
