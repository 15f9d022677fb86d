"""How well titles are found in text, measured on real dialogues.

``python -m stages.recommender.serving.measure_linking MODELS`` (``make linking``) puts titles in
the place of the ids in the test messages, finds them again, and writes what came of it to
``docs/results/serving``: ``linking.json``, and ``linking.txt`` as a table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from stages.recommender import artifacts
from stages.recommender.corpora.mentions import MENTION
from stages.recommender.corpora.redial import SPLITS
from stages.recommender.errors import run_stage
from stages.recommender.serving.catalogue import Catalogue, Movie, read_catalogue
from stages.recommender.serving.linking import TitleLinker
from stages.recommender.serving.models_folder import find_model
from stages.recommender.serving.reasons import load_training_requests

TARGET = Path("docs/results/serving")

FORMS: dict[str, tuple[Callable[[Movie], str], Callable[[str], str]]] = {
    "as written": (lambda movie: movie.name, lambda text: text),
    "years dropped": (lambda movie: movie.title, lambda text: text),
    "lower case": (lambda movie: movie.name, str.lower),
    "years dropped, lower case": (lambda movie: movie.title, str.lower),
}
"""How a movie is written, and what is made of the message."""


def filled(
    message: str, catalogue: Catalogue, write: Callable[[Movie], str]
) -> tuple[str, list[tuple[int, int, Movie]]]:
    """A message with titles for ids, and where each stands.

    A movie without a title stays as it is.
    """
    pieces: list[str] = []
    spans: list[tuple[int, int, Movie]] = []
    end = length = 0
    for match in MENTION.finditer(message):
        movie = catalogue.find(int(match[1]))
        if movie is None or not movie.title:
            continue
        before, written = message[end : match.start()], write(movie)
        pieces += [before, written]
        spans.append((length + len(before), length + len(before) + len(written), movie))
        length += len(before) + len(written)
        end = match.end()
    return "".join([*pieces, message[end:]]), spans


def measure(
    linker: TitleLinker, messages: Iterable[str], catalogue: Catalogue, form: str
) -> dict[str, Any]:
    """Precision and recall over mentions.

    A mention is right where it overlaps the title and is its movie, or one of the same title and
    year that no text can tell from it.

    Args:
        linker: To measure.
        messages: With ids for movies.
        catalogue: The linker's.
        form: Of :data:`FORMS`.
    """
    write, alter = FORMS[form]
    right = linked = mentions = 0
    for message in messages:
        text, spans = filled(message, catalogue, write)
        altered = alter(text)
        if len(altered) != len(text):  # a letter that is two in lower case
            altered = text
        found = linker.link(altered)
        linked += len(found)
        mentions += len(spans)
        for start, end, movie in spans:
            right += any(
                link.span is not None
                and link.span[0] < end
                and link.span[1] > start
                and (link.movie.title, link.movie.year) == (movie.title, movie.year)
                for link in found
            )
    return {
        "mentions": mentions,
        "linked": linked,
        "right": right,
        "precision": round(right / max(1, linked), 4),
        "recall": round(right / max(1, mentions), 4),
    }


def messages_of(split: str, workspace: Path = Path()) -> list[str]:
    """All messages of a split's dialogues.

    Args:
        split: ``train`` or ``test``.
        workspace: The folder that ``data`` lies in.
    """
    file = workspace / artifacts.REDIAL / f"{split}.parquet"
    table = artifacts.read_table(file, artifacts.DIALOGUE_SCHEMA, "download_redial")
    return [message["text"] for row in table["messages"].to_pylist() for message in row]


def as_table(figures: dict[str, dict[str, Any]]) -> str:
    """The figures of each form, for a reader."""
    rows = [
        [form, found["mentions"], found["linked"], found["precision"], found["recall"]]
        for form, found in figures.items()
    ]
    headers = ["titles", "named", "linked", "precision", "recall"]
    return tabulate(rows, headers, floatfmt=".3f", intfmt=",")


def main() -> None:
    """Measure with the titles of a trained model."""
    parser = argparse.ArgumentParser(description="How well titles are found in text.")
    parser.add_argument(
        "models", type=Path, nargs="?", default=artifacts.MODELS, help="folder, beside data"
    )
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--write", type=Path, default=TARGET, help="folder for the figures")
    given = parser.parse_args()
    folder = find_model(models=given.models).folder
    catalogue = read_catalogue(folder)
    requests = load_training_requests(folder, catalogue)
    linker = TitleLinker(catalogue, None if requests is None else requests.title_usage())
    messages = messages_of(given.split, given.models.parent)
    figures = {form: measure(linker, messages, catalogue, form) for form in FORMS}
    table = as_table(figures)
    artifacts.write_json(
        given.write / "linking.json",
        {"split": given.split, "messages": len(messages), "forms": figures},
    )
    artifacts.write_text(given.write / "linking.txt", f"{table}\n")
    print(table)


if __name__ == "__main__":
    run_stage(main)
