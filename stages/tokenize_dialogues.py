"""Raw dialogues and the movie map → examples with input ids, mentions and labels."""

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.dialogues.corpus import CorpusTokenizer
from stages.recommender.dialogues.example_files import example_writer
from stages.recommender.dialogues.figures import CorpusFigures
from stages.recommender.dialogues.raw import conversations, dialogues_of
from stages.recommender.dialogues.readings import READINGS
from stages.recommender.errors import run_stage
from stages.recommender.params import load_params


def main() -> None:
    """Run the stage."""
    params = load_params().dialogues
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    training = conversations(splits.TRAIN)
    tokenizer = CorpusTokenizer(training, movies, artifacts.ENCODER, params, READINGS)
    figures = CorpusFigures(movies.num_rows, READINGS)
    with artifacts.atomic_folder(artifacts.EXAMPLES) as folder:
        with example_writer(folder, READINGS) as write:
            for file in (splits.TRAIN, splits.TEST):
                for dialogues in dialogues_of(file):
                    figures.add_dialogues(file, dialogues)
                    for (reading, split), examples in tokenizer.examples(file, dialogues):
                        write(reading, split, examples)
                        figures.add_examples(reading, split, examples)
        tokenizer.check()
        artifacts.write_json(folder / artifacts.FIGURES.name, figures.summary())


if __name__ == "__main__":
    run_stage(main)
