"""The notebook's way of training and evaluating, as the reference for speed.

It tokenizes each text when it is asked for, pads it to 512 tokens, a tag to 64, makes dense
multi-hot labels one by one, computes in float32, and evaluates with scikit-learn row by row on the
CPU.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from sklearn.metrics import ndcg_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModel, AutoTokenizer

MAX_TOKENS, MAX_TAG_TOKENS, MAX_MENTIONS = 512, 64, 20


class NotebookDataset(Dataset):  # type: ignore[type-arg]
    """Requests, each made into padded tensors when it is asked for."""

    def __init__(self, table: pa.Table, encoder: Path, movies: int) -> None:
        self.texts = table["text"].to_pylist()
        self.mentions = table["mentions"].to_pylist()
        self.labels = table["labels"].to_pylist()
        self.tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
        self.movies = movies

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        encoded = self.tokenizer(
            self.texts[row],
            truncation=True,
            padding="max_length",
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
        mentions = self.mentions[row][:MAX_MENTIONS]
        mentions = mentions + [self.movies] * (MAX_MENTIONS - len(mentions))
        labels = torch.zeros(self.movies)
        for movie in self.labels[row]:
            labels[movie] = 1.0
        return {
            "input_ids": encoded["input_ids"][0],
            "attention_mask": encoded["attention_mask"][0],
            "mentions": torch.tensor(mentions),
            "labels": labels,
        }


class NotebookTags(Dataset):  # type: ignore[type-arg]
    """Tags, each made into padded tensors when it is asked for."""

    def __init__(self, table: pa.Table, encoder: Path) -> None:
        self.tags = table["tag"].to_pylist()
        self.movies = table["movie"].to_pylist()
        self.tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)

    def __len__(self) -> int:
        return len(self.tags)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        encoded = self.tokenizer(
            self.tags[row],
            truncation=True,
            padding="max_length",
            max_length=MAX_TAG_TOKENS,
            return_tensors="pt",
        )
        return {
            "input_ids": encoded["input_ids"][0],
            "attention_mask": encoded["attention_mask"][0],
            "movie": torch.tensor(self.movies[row]),
        }


class NotebookModel(nn.Module):
    """Encoder, mean pooling, head; with mentions, a GRU that reads its padding; a head for tags."""

    def __init__(self, encoder: Path, movies: int, reads_mentions: bool, learns_tags: bool) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(encoder, local_files_only=True)
        self.reads_mentions = reads_mentions
        if reads_mentions:
            self.embedding = nn.Embedding(movies + 1, 256, padding_idx=movies)
            self.gru = nn.GRU(256, 128, batch_first=True, bidirectional=True)
        self.head = _head(384 + 256 * reads_mentions, movies)
        if learns_tags:
            self.tag_head = _head(384, movies)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, mentions: Tensor) -> Tensor:
        features = self._sentences(input_ids, attention_mask)
        if self.reads_mentions:
            states = self.gru(self.embedding(mentions))[1]
            features = torch.cat([features, states[0], states[1]], dim=1)
        logits: Tensor = self.head(features)
        return logits

    def tag_logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(tags, movies)."""
        logits: Tensor = self.tag_head(self._sentences(input_ids, attention_mask))
        return logits

    def _sentences(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        mask = attention_mask.unsqueeze(-1).float()
        mean: Tensor = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return mean


def _head(width: int, movies: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(0.1), nn.Linear(width, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, movies)
    )


class NotebookTraining:
    """Its optimisation, a step at a time, over the examples in their order.

    Args:
        table: Requests.
        tags: Tags, of which each step has 64 as well; ``None``: a model without.
        encoder: A model's folder.
        movies: Size of the catalogue.
        device: That computes.
        reads_mentions: Whether the model has the GRU.
        pos_weight: Of the requests' loss.
        tag_weight: Of the tags'.
    """

    def __init__(
        self,
        table: pa.Table,
        tags: pa.Table | None,
        encoder: Path,
        movies: int,
        device: torch.device,
        reads_mentions: bool,
        pos_weight: float,
        tag_weight: float,
    ) -> None:
        self.device = device
        self.model = NotebookModel(encoder, movies, reads_mentions, tags is not None).to(device)
        self._tag_weight = tag_weight
        self._tags = None
        if tags is not None:
            self._tags = iter(DataLoader(NotebookTags(tags, encoder), 64, num_workers=0))
        dataset = NotebookDataset(table, encoder, movies)
        self._batches = iter(DataLoader(dataset, batch_size=32, num_workers=0))
        self._loss = nn.BCEWithLogitsLoss(pos_weight=torch.full((movies,), pos_weight).to(device))
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-5)

    def loss_of_next(self) -> Tensor:
        """The loss of the next batch, that of the next tags included."""
        batch = {name: values.to(self.device) for name, values in next(self._batches).items()}
        labels = batch.pop("labels")
        loss: Tensor = self._loss(self.model(**batch), labels)
        if self._tags is not None:
            tags = {name: values.to(self.device) for name, values in next(self._tags).items()}
            movies = tags.pop("movie")
            logits = self.model.tag_logits(**tags)
            loss = loss + self._tag_weight * nn.functional.cross_entropy(logits, movies)
        return loss

    def step(self) -> float:
        """One step on the next batch; its loss."""
        self.model.train()
        self._optimizer.zero_grad()
        loss = self.loss_of_next()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        return loss.item()


def evaluate(logits: Tensor, labels: np.ndarray) -> tuple[float, float]:
    """nDCG@10 and Recall@10, row by row on the CPU.

    Args:
        logits: (examples, movies)
        labels: Dense multi-hot. (examples, movies)
    """
    scores = logits.cpu().numpy()
    gains, recalls = [], []
    for row in range(len(scores)):
        gains.append(ndcg_score(labels[row : row + 1], scores[row : row + 1], k=10))
        best = np.argsort(scores[row])[::-1][:10]
        recalls.append(labels[row][best].sum() / labels[row].sum())
    return float(np.mean(gains)), float(np.mean(recalls))
