"""How well titles are found in text, measured on real dialogues.

``python -m stages.recommender.serving.measure_linking MODEL`` puts titles in the place of the ids
in the test messages, finds them again, and writes ``metrics/linking.json``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stages.recommender import artifacts
from stages.recommender.corpora.mentions import MENTION
from stages.recommender.errors import UserError, run_stage
from stages.recommender.modeling.model_folder import REQUESTS
from stages.recommender.serving.catalogue import Catalogue, Movie, read_catalogue
from stages.recommender.serving.linking import TitleLinker
from stages.recommender.serving.reasons import load_training_requests

OUTPUT = Path("metrics/linking.json")

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


def messages_of(split: str) -> list[str]:
    """All messages of a split's dialogues."""
    table = artifacts.read_table(
        artifacts.REDIAL / f"{split}.parquet", artifacts.DIALOGUE_SCHEMA, "download_redial"
    )
    return [message["text"] for row in table["messages"].to_pylist() for message in row]


def main() -> None:
    """Measure with the titles of a trained model."""
    if len(sys.argv) not in {2, 3}:
        raise UserError("name a model's folder, such as models/weighted-rnn")
    folder = Path(sys.argv[1])
    split = sys.argv[2] if len(sys.argv) == 3 else "test"
    catalogue = read_catalogue(folder)
    requests = load_training_requests(folder / REQUESTS, catalogue)
    linker = TitleLinker(catalogue, None if requests is None else requests.usage())
    messages = messages_of(split)
    figures = {form: measure(linker, messages, catalogue, form) for form in FORMS}
    if split == "test":
        artifacts.write_json(OUTPUT, figures)
    for form, found in figures.items():
        print(f"{form:28}precision {found['precision']:.4f}   recall {found['recall']:.4f}")


if __name__ == "__main__":
    run_stage(main)
