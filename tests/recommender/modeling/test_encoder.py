import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AlbertConfig, AutoModel, DistilBertConfig, PretrainedConfig

from stages.recommender.errors import UserError
from stages.recommender.modeling import encoder as encoder_module
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.ragged import Ragged

TEXTS = [[2, 5, 6, 3], [2, 3], [2, 7, 8, 9, 10, 11, 3], [2, 5, 3], [2, 9, 9, 9, 9, 9, 9, 9, 3]]
TOKENS = Ragged(
    torch.tensor([token for text in TEXTS for token in text]),
    torch.tensor([len(text) for text in TEXTS]),
)


def by_hand(folder: Path, text: list[int], pooling: str) -> torch.Tensor:
    model = AutoModel.from_pretrained(folder).eval()
    hidden = model(input_ids=torch.tensor([text])).last_hidden_state[0]
    return hidden[0] if pooling == "cls" else hidden.mean(0)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("chunk_tokens", [1, 16, 10_000])
def test_each_text_is_encoded_as_if_alone(
    tiny_encoder: Path, pooling: str, chunk_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "CHUNK_TOKENS", chunk_tokens)
    encoder = SentenceEncoder(tiny_encoder, pooling, "none").eval()
    vectors = encoder(TOKENS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        torch.testing.assert_close(vector, by_hand(tiny_encoder, text, pooling))


def test_chunks_keep_to_the_budget(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "CHUNK_TOKENS", 10)
    encoder = SentenceEncoder(tiny_encoder, "mean", "none")
    order = torch.argsort(TOKENS.lengths, stable=True)
    chunks = [TOKENS.lengths[rows].tolist() for rows in encoder._chunks(TOKENS, order)]
    assert chunks == [[2, 3], [4], [7], [9]]


@pytest.mark.parametrize(("layers", "learning"), [("none", 0), (1, 1), (2, 2), ("all", 3)])
def test_trainable_layers(tiny_encoder: Path, layers: int | str, learning: int) -> None:
    encoder = SentenceEncoder(tiny_encoder, "mean", layers)
    parts = [encoder.transformer.encoder.layer[1], encoder.transformer.encoder.layer[0]]
    parts.append(encoder.transformer.embeddings)
    found = [all(p.requires_grad for p in part.parameters()) for part in parts]
    assert found == [True] * learning + [False] * (3 - learning)


def test_more_layers_than_there_are(tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match="trainable_layers is 3, but the encoder has 2 layers"):
        SentenceEncoder(tiny_encoder, "mean", 3)
    with pytest.raises(UserError, match=r"^gate\.trainable_layers is 9, but the encoder has 2"):
        SentenceEncoder(tiny_encoder, "mean", 9, "gate.trainable_layers")


def test_gradients_reach_every_text(tiny_encoder: Path) -> None:
    encoder = SentenceEncoder(tiny_encoder, "mean", "all").eval()
    encoder(TOKENS).sum().backward()
    gradient = encoder.transformer.embeddings.word_embeddings.weight.grad
    used = {token for text in TEXTS for token in text}
    assert {int(row) for row in gradient.abs().sum(1).nonzero()} == used


@pytest.mark.parametrize("chunk_tokens", [1, 16, 10_000])
def test_in_training_it_computes_what_it_does_otherwise_but_for_dropout(
    tiny_encoder: Path, chunk_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "CHUNK_TOKENS", chunk_tokens)
    encoder = SentenceEncoder(tiny_encoder, "mean", "all")
    direction = torch.randn(len(TEXTS), encoder.width)
    found = []
    for train, p in ((True, 1e-9), (False, 0.0)):  # nothing is dropped, though it might be
        for module in encoder.train(train).modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = p
        encoder.zero_grad()
        vectors = encoder(TOKENS)
        (vectors * direction).sum().backward()
        gradients = [parameter.grad for parameter in encoder.parameters()]
        found.append((vectors, *(each.clone() for each in gradients if each is not None)))
    assert len(found[0]) == len(found[1]) == 1 + len(list(encoder.parameters()))
    for learning, other in zip(*found, strict=True):
        torch.testing.assert_close(learning, other, atol=2e-6, rtol=1e-4)


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no encoder that can be loaded"):
        SentenceEncoder(tmp_path, "mean", "all")


def test_no_code_of_a_folder_is_run(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran = tmp_path / "encoder", tmp_path / "ran"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "of-its-own"
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Own"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass Config: ...\nclass Own: ...\n")
    monkeypatch.setattr("builtins.input", lambda _: "y")  # somebody who agrees to everything
    with pytest.raises(UserError, match="holds no encoder that can be loaded"):
        SentenceEncoder(folder, "mean", "none")
    assert not ran.exists()


@pytest.mark.parametrize(
    "config",
    [
        DistilBertConfig(
            vocab_size=40,
            max_position_embeddings=40,
            dim=16,
            n_layers=2,
            n_heads=2,
            hidden_dim=32,
        ),
        AlbertConfig(
            vocab_size=40,
            max_position_embeddings=40,
            embedding_size=8,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
        ),
    ],
    ids=lambda config: config.model_type,
)
def test_an_encoder_with_its_layers_elsewhere_learns_whole_or_not_at_all(
    config: PretrainedConfig, tmp_path: Path
) -> None:
    AutoModel.from_config(config).save_pretrained(tmp_path)
    for layers in ("none", "all"):
        encoder = SentenceEncoder(tmp_path, "mean", layers).eval()
        assert (encoder.width, encoder.sizes.vocabulary) == (16, 40)
        assert all(p.requires_grad == (layers == "all") for p in encoder.parameters())
        for text, vector in zip(TEXTS, encoder(TOKENS), strict=True):
            torch.testing.assert_close(vector, by_hand(tmp_path, text, "mean"))
    with pytest.raises(UserError, match="trainable_layers is 1, but the encoder keeps its layers"):
        SentenceEncoder(tmp_path, "mean", 1)
