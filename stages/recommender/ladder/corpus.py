"""The examples and tags of each rung, made in memory from the raw corpora."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.dialogues.corpus import tokenize_corpus
from stages.recommender.ladder.rungs import Setup
from stages.recommender.movies.catalogue import build_catalogue
from stages.recommender.movies.movie_map import build_movie_map
from stages.recommender.training.encoder_limits import most_tokens
from stages.recommender.training.run import Inputs

REQUEST_TOKENS, TAG_TOKENS = 512, 64
"""Where the notebook cuts its texts."""


class Corpus:
    """The raw corpora, and what has been made of them so far: rungs share most of it.

    Args:
        redial: Raw dialogues, ``train`` and ``test``, of ``artifacts.DIALOGUE_SCHEMA``.
        movielens: Raw ``movies`` and ``tags``, of their schemas in ``artifacts``.
        encoder: Folder with the encoder's files.
    """

    def __init__(
        self, redial: Mapping[str, pa.Table], movielens: Mapping[str, pa.Table], encoder: Path
    ) -> None:
        self._redial = redial
        self._movielens = movielens
        self._encoder = encoder
        self._catalogue = build_catalogue(list(redial.values()))
        self._movies: dict[str, pa.Table] = {}
        self._tags: dict[str, dict[str, pa.Table]] = {}
        self._examples: dict[tuple[str, str], dict[tuple[str, str], pa.Table]] = {}
        most = most_tokens(encoder)
        self.request_tokens = min(REQUEST_TOKENS, most)
        """Where requests are cut: as in the notebook, or what the encoder reads."""
        self._tag_tokens = min(TAG_TOKENS, most)

    def inputs(self, setup: Setup) -> Inputs:
        """What a rung is trained on and scored with, ``whole`` reading.

        Raises:
            UserError: A split has no example, or there are too few tags.
        """
        movies = self._movies_of(setup)
        return Inputs(
            examples=self._examples_of(setup, movies),
            tags=self._tags_of(setup),
            movies=movies,
            # read only where a model's folder is written, which no rung does
            known_for=artifacts.KNOWN_FOR_SCHEMA.empty_table(),
            encoder=self._encoder,
        )

    def _movies_of(self, setup: Setup) -> pa.Table:
        if setup.join not in self._movies:
            self._movies[setup.join] = build_movie_map(
                self._catalogue,
                self._movielens["movies"],
                self._movielens["tags"],
                setup.movie_map(),
            )
        return self._movies[setup.join]

    def _tags_of(self, setup: Setup) -> dict[str, pa.Table]:
        # reads with pandas, which the stage's start would wait for
        from stages.recommender.tags import tag_examples

        if setup.join not in self._tags:
            self._tags[setup.join] = tag_examples(
                [self._movielens["tags"]],
                self._movies_of(setup),
                self._encoder,
                setup.tags(self._tag_tokens),
            )
        return self._tags[setup.join]

    def _examples_of(self, setup: Setup, movies: pa.Table) -> dict[tuple[str, str], pa.Table]:
        kind = (setup.protocol, setup.text_form)
        if kind not in self._examples:
            dialogues = setup.dialogues(self.request_tokens)
            tables = tokenize_corpus(self._redial, movies, self._encoder, dialogues, ["whole"])
            self._examples[kind] = tables
        made = {split: self._examples[kind]["whole", split] for split in splits.SPLITS}
        # under the notebook's protocol the validation split is the test split already
        if setup.selects_on == "test" and setup.protocol != "notebook":
            made[splits.TRAIN] = pa.concat_tables([made[splits.TRAIN], made[splits.VALIDATION]])
            made[splits.VALIDATION] = made[splits.TEST]
        return {("whole", split): table for split, table in made.items()}
