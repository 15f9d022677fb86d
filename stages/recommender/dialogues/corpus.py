"""All examples of a corpus, for every reading and split."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from stages.recommender.dialogues import splits
from stages.recommender.dialogues.examples import example_table, with_contexts
from stages.recommender.dialogues.readings import READINGS, Request
from stages.recommender.dialogues.roles import with_roles
from stages.recommender.dialogues.text import text_form
from stages.recommender.errors import UserError
from stages.recommender.params import Dialogues
from stages.recommender.tokens import load_tokenizer

Examples = tuple[tuple[str, str], pa.Table]
"""A reading and a split, and examples of theirs."""

_OUTPUT: dict[str, dict[str, tuple[str, ...]]] = {
    "corrected": {split: (split,) for split in splits.SPLITS},
    "notebook": {
        splits.TRAIN: (splits.TRAIN,),
        splits.VALIDATION: (splits.TRAIN,),
        splits.TEST: (splits.VALIDATION, splits.TEST),
    },
}
"""Where the dialogues of a split go, by protocol. Under the notebook's the validation split *is*
the test split and all of the training file is trained on, so that the epoch is selected on the
test score, as the notebook does."""


class CorpusTokenizer:
    """Makes examples of raw dialogues, as many at a time as they are given.

    Args:
        conversations: The ids of all dialogues of the training file.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        encoder: Folder with the encoder's files.
        params: How dialogues become examples.
        readings: Which of :data:`READINGS` to make; ``whole`` among them for :meth:`check`.
        reach: How many tokens on either side of a mention are kept beside the text; 0: none.
    """

    def __init__(
        self,
        conversations: Sequence[int],
        movies: pa.Table,
        encoder: Path,
        params: Dialogues,
        readings: Collection[str] = tuple(READINGS),
        reach: int = 0,
    ) -> None:
        redial_ids = movies["redial_id"].to_pylist()
        self._index = dict(zip(redial_ids, movies["index"].to_pylist(), strict=True))
        named = zip(redial_ids, movies["title"].to_pylist(), strict=True)
        self._form = text_form(params.text_form, {movie: title for movie, title in named if title})
        official, paper = splits.assign_training_file(
            conversations, params.test_fraction, params.validation_fraction, params.split_seed
        )
        self._paper_split = dict(zip(conversations, paper, strict=True))
        self._official_split = dict(zip(conversations, official, strict=True))
        self._params = params
        self._tokenizers = {
            name: load_tokenizer(encoder, params.max_tokens, READINGS[name].keeps)
            for name in readings
        }
        self._reach = reach
        self._uncut = load_tokenizer(encoder, max_tokens=None) if reach else None
        self._filled: set[str] = set()

    def examples(self, file: str, dialogues: pa.Table) -> Iterator[Examples]:
        """The examples of some dialogues, those of one reading and split together.

        Args:
            file: The file that they are of, ``train`` or ``test``.
            dialogues: Of ``artifacts.DIALOGUE_SCHEMA``.

        Yields:
            A reading and a split, with a table of ``artifacts.EXAMPLE_SCHEMA``, or of
            ``artifacts.TITLE_EXAMPLE_SCHEMA`` with what is around the mentions; it may be empty.
        """
        read = list(with_roles(dialogues, self._params.protocol))
        for name, tokenizer in self._tokenizers.items():
            requests: dict[str, list[Request]] = defaultdict(list)
            for dialogue in read:
                for request in READINGS[name].requests(dialogue, self._form):
                    for split in self._splits(file, request.conversation_id):
                        requests[split].append(request)
            for split in splits.SPLITS:
                table = example_table(requests[split], self._index, tokenizer, self._paper_split)
                if name == "whole" and table.num_rows:
                    self._filled.add(split)
                if self._uncut is not None:
                    table = with_contexts(table, requests[split], self._uncut, self._reach)
                yield (name, split), table

    def check(self) -> None:
        """See that there is something to train on, to select by, and to test with.

        Raises:
            UserError: A split has had no example of the reading that models train on.
        """
        for split in splits.SPLITS:
            if split not in self._filled:
                raise UserError(
                    f"the {split} split has no example: no dialogue in it has text of the seeker "
                    "and a recommended movie; use more dialogues or another "
                    "dialogues.validation_fraction"
                )

    def _splits(self, file: str, conversation: int) -> tuple[str, ...]:
        """Where a dialogue goes; nowhere, if it is of the test file and the split the paper's."""
        paper = self._params.split == "paper"
        if file == splits.TEST:
            split = None if paper else splits.TEST
        else:
            split = (self._paper_split if paper else self._official_split)[conversation]
        return () if split is None else _OUTPUT[self._params.protocol][split]


def tokenize_corpus(
    raw: Mapping[str, pa.Table],
    movies: pa.Table,
    encoder: Path,
    params: Dialogues,
    readings: Collection[str] = tuple(READINGS),
) -> dict[tuple[str, str], pa.Table]:
    """Make every example, in memory; see :class:`CorpusTokenizer`.

    Args:
        raw: The ``train`` and the ``test`` file's dialogues, of ``artifacts.DIALOGUE_SCHEMA``.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        encoder: Folder with the encoder's files.
        params: How dialogues become examples.
        readings: Which of :data:`READINGS` to make, ``whole`` among them.

    Returns:
        A table of ``artifacts.EXAMPLE_SCHEMA`` by (reading, split).

    Raises:
        UserError: A split has no example of the reading that models train on.
    """
    conversations = raw[splits.TRAIN]["conversation_id"].to_pylist()
    tokenizer = CorpusTokenizer(conversations, movies, encoder, params, readings)
    parts: dict[tuple[str, str], list[pa.Table]] = defaultdict(list)
    for file, dialogues in raw.items():
        for made, table in tokenizer.examples(file, dialogues):
            parts[made].append(table)
    tokenizer.check()
    return {made: pa.concat_tables(tables) for made, tables in parts.items()}
