"""Raw dialogues, movie map and tags → the gate's texts: examples with titles, and movies."""

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.dialogues.corpus import CorpusTokenizer
from stages.recommender.dialogues.example_files import example_writer
from stages.recommender.dialogues.raw import conversations, dialogues_of
from stages.recommender.errors import run_stage
from stages.recommender.movie_texts import movie_texts
from stages.recommender.params import Dialogues, load_params


def main() -> None:
    """Run the stage."""
    params = load_params()
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    tags = artifacts.read_batches(
        artifacts.MOVIELENS_TAGS,
        artifacts.MOVIELENS_TAG_SCHEMA,
        "download_movielens",
        rows=artifacts.TAG_ROWS,
    )
    titles, training = params.titles, conversations(splits.TRAIN)
    tokenizers = [
        CorpusTokenizer(
            training,
            movies,
            artifacts.ENCODER,
            _with_titles(params.dialogues, most),
            readings,
            titles.context_tokens,
        )
        for readings, most in (
            (("whole", "before"), titles.max_tokens),
            (("turn",), titles.max_turn_tokens),
        )
    ]
    with artifacts.atomic_folder(artifacts.TITLES) as folder:
        schema = artifacts.TITLE_EXAMPLE_SCHEMA
        with example_writer(folder, ("whole", "before", "turn"), schema) as write:
            for file in (splits.TRAIN, splits.TEST):
                for dialogues in dialogues_of(file):
                    for tokenizer in tokenizers:
                        for (reading, split), examples in tokenizer.examples(file, dialogues):
                            write(reading, split, examples)
        tokenizers[0].check()
        artifacts.write_table(
            folder / artifacts.MOVIE_TEXTS.name,
            movie_texts(tags, movies, artifacts.ENCODER, titles),
            artifacts.MOVIE_TEXT_SCHEMA,
        )


def _with_titles(given: Dialogues, max_tokens: int) -> Dialogues:
    return Dialogues(
        protocol=given.protocol,
        text_form="titles",
        split=given.split,
        test_fraction=given.test_fraction,
        validation_fraction=given.validation_fraction,
        split_seed=given.split_seed,
        max_tokens=max_tokens,
    )


if __name__ == "__main__":
    run_stage(main)
