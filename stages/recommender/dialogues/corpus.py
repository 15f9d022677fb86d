"""All examples of a corpus, for every reading and split."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.recommender.dialogues import splits
from stages.recommender.dialogues.examples import example_table, figures
from stages.recommender.dialogues.readings import READINGS, Request
from stages.recommender.dialogues.roles import with_roles
from stages.recommender.dialogues.text import text_form
from stages.recommender.errors import UserError
from stages.recommender.params import Dialogues
from stages.recommender.tokens import load_tokenizer


def tokenize_corpus(
    raw: Mapping[str, pa.Table],
    movies: pa.Table,
    encoder: Path,
    params: Dialogues,
    readings: Collection[str] = tuple(READINGS),
) -> tuple[dict[tuple[str, str], pa.Table], dict[str, Any]]:
    """Make every example.

    Under the notebook's protocol the validation split *is* the test split and all of the training
    file is trained on, so that the epoch is selected on the test score, as the notebook does.

    Args:
        raw: The ``train`` and the ``test`` file's dialogues, of ``artifacts.DIALOGUE_SCHEMA``.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        encoder: Folder with the encoder's files.
        params: How dialogues become examples.
        readings: Which of :data:`READINGS` to make, ``whole`` among them.

    Returns:
        A table of ``artifacts.EXAMPLE_SCHEMA`` by (reading, split), and the corpus's figures.

    Raises:
        UserError: A split has no example of the reading that models train on.
    """
    redial_ids = movies["redial_id"].to_pylist()
    index = dict(zip(redial_ids, movies["index"].to_pylist(), strict=True))
    named = zip(redial_ids, movies["title"].to_pylist(), strict=True)
    titles = {movie: title for movie, title in named if title}
    form = text_form(params.text_form, titles)
    dialogues = {part: list(with_roles(table, params.protocol)) for part, table in raw.items()}
    conversations = [dialogue.conversation_id for dialogue in dialogues[splits.TRAIN]]
    official, paper = splits.assign_training_file(
        conversations, params.test_fraction, params.validation_fraction, params.split_seed
    )
    paper_split = dict(zip(conversations, paper, strict=True))
    official_split = dict(zip(conversations, official, strict=True))

    tables: dict[tuple[str, str], pa.Table] = {}
    for name in readings:
        reading = READINGS[name]
        requests = {
            part: [
                request
                for dialogue in dialogues[part]
                for request in reading.requests(dialogue, form)
            ]
            for part in raw
        }
        tokenizer = load_tokenizer(encoder, params.max_tokens, reading.keeps)
        for split, chosen in _split(requests, official_split, paper_split, params).items():
            tables[name, split] = example_table(chosen, index, tokenizer, paper_split)
    for split in splits.SPLITS:
        if not tables["whole", split].num_rows:
            raise UserError(
                f"the {split} split has no example: no dialogue in it has text of the seeker and "
                "a recommended movie; use more dialogues or another dialogues.validation_fraction"
            )
    return tables, _figures(raw, tables, movies.num_rows)


def _split(
    requests: Mapping[str, list[Request]],
    official: Mapping[int, str],
    paper: Mapping[int, str],
    params: Dialogues,
) -> dict[str, list[Request]]:
    assigned = paper if params.split == "paper" else official

    def of_training_file(*names: str) -> list[Request]:
        return [r for r in requests[splits.TRAIN] if assigned[r.conversation_id] in names]

    test = of_training_file(splits.TEST) if params.split == "paper" else requests[splits.TEST]
    if params.protocol == "notebook":
        train = of_training_file(splits.TRAIN, splits.VALIDATION)
        return {splits.TRAIN: train, splits.VALIDATION: test, splits.TEST: test}
    return {
        splits.TRAIN: of_training_file(splits.TRAIN),
        splits.VALIDATION: of_training_file(splits.VALIDATION),
        splits.TEST: test,
    }


def _figures(
    raw: Mapping[str, pa.Table],
    tables: Mapping[tuple[str, str], pa.Table],
    movies: int,
) -> dict[str, Any]:
    readings: dict[str, dict[str, Any]] = {}
    for (reading, split), table in tables.items():
        readings.setdefault(reading, {})[split] = figures(table, movies)
    return {
        "movies": movies,
        "dialogues": {part: table.num_rows for part, table in raw.items()},
        "first_speaker_is_initiator": {part: _initiator_first(t) for part, t in raw.items()},
        "examples": readings,
    }


def _initiator_first(table: pa.Table) -> int:
    return sum(
        bool(row["messages"]) and row["messages"][0]["sender_id"] == row["initiator_id"]
        for row in table.select(["initiator_id", "messages"]).to_pylist()
    )
