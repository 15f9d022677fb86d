"""The command ``recommend``: requests in, movies out, on the terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from stages.recommender.errors import UserError, run_stage
from stages.recommender.serving.models_folder import (
    MEASURES,
    READINGS,
    default_models,
    find_model,
    metrics_of,
    trained_models,
)
from stages.recommender.serving.waiting_lines import Readable, waiting_lines

if TYPE_CHECKING:
    from stages.recommender.serving.catalogue import Catalogue
    from stages.recommender.serving.recommender import Answer, Recommender

_LINES_AT_ONCE = 64
_LONGEST_REASON = 70
_FILE_WIDTH = 140
"""Columns of what is written to a file."""
_BLANK = re.compile(r"[\t\n\v\f\r\x85]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class RequestFirst(TyperGroup):
    """A group whose first word, when it is no command's name, is a request."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command ``ask`` before a request."""
        own = {"--help", "--install-completion", "--show-completion"}
        nothing = not args and not ctx.resilient_parsing  # a shell completes: a command's name
        if nothing or (args and args[0] not in self.commands and args[0] not in own):
            args = ["ask", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=RequestFirst,
    help='Movies for a request in plain words: recommend "something scary, like The Babadook"',
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Models = Annotated[
    Path | None,
    typer.Option(
        "--models", envvar="RECOMMEND_MODELS", help="Folder of trained models.", show_default=False
    ),
]


def _complete_model(ctx: typer.Context, incomplete: str) -> list[str]:
    names = [model.name for model in trained_models(ctx.params.get("models") or default_models())]
    return [name for name in names if name.startswith(incomplete)]


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Which trained model answers; the best one if not given.",
        autocompletion=_complete_model,
        show_default=False,
    ),
]

NewMovies = Annotated[
    Path | None,
    typer.Option(
        "--new-movies",
        help="CSV file of movies to add: title,year,genres,tags; see the README.",
        show_default=False,
    ),
]


@app.command()
def ask(
    request: Annotated[
        list[str] | None,
        typer.Argument(help="In plain words; without one, a request a line from standard input."),
    ] = None,
    model: Model = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many movies.")] = 10,
    mention: Annotated[
        list[str] | None,
        typer.Option(
            help="Title or id of a movie the request is about; may be repeated; replaces what was "
            "found."
        ),
    ] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Recommend mentioned movies as well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a request.")] = False,
    models: Models = None,
    new_movies: NewMovies = None,
) -> None:
    """Recommend movies for a request (the word `ask` may be left out)."""
    from stages.recommender.serving.api_schemas import AnswerJson
    from stages.recommender.serving.recommender import Request

    recommender = _load(model, models, new_movies)
    mentions = [_id_of(recommender.catalogue, each) for each in mention or ()]
    for batch in _batches(request):
        asked = [Request(text, mentions or None, k, not repeat) for text in batch]
        for answer in recommender.recommend_batch(asked):
            if as_json:
                row = {"text": answer.text} | AnswerJson.of(recommender.name, answer).model_dump()
                print(json.dumps(row, ensure_ascii=False), flush=True)
            else:
                _show(answer)


def _id_of(catalogue: Catalogue, movie: str) -> int:
    """The id of a movie that is named by its id or its title, which may be a number as well."""
    if re.fullmatch(r"-?[0-9]{1,18}", movie) and catalogue.find(int(movie)) is not None:
        return int(movie)
    called = catalogue.called(movie)
    if not called:
        raise UserError(
            f"no movie of the catalogue is called {movie} or has it as its id; find one with: "
            'recommend movies "part of its title"'
        )
    if len(called) > 1:
        several = ", ".join(f"{each.redial_id} {_printable(each.name)}" for each in called)
        raise UserError(f"{movie} may be any of {several}; name one by its id")
    return called[0].redial_id


def _batches(words: list[str] | None) -> Iterator[list[str]]:
    """The requests to answer together: one by one where a person types them, else all there are."""
    if words:
        yield [_readable(" ".join(words))]
        return
    if sys.stdin.isatty():
        print("Ask for a movie, a request a line; Ctrl-D ends.", file=sys.stderr)
    at_once = 1 if sys.stdin.isatty() else _LINES_AT_ONCE
    stream = cast(Readable, sys.stdin.buffer)
    for lines in waiting_lines(stream, sys.stdin.encoding, at_once):
        if requests := [line.strip() for line in lines if line.strip()]:
            yield requests


def _readable(text: str) -> str:
    """Text without the bytes that a terminal or a file has in another encoding."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _load(model: str | None, models: Path | None, new_movies: Path | None) -> Recommender:
    found = find_model(model, models or default_models())
    from stages.recommender.serving.recommender import Recommender

    return Recommender.load(found.folder, new_movies)


def _console() -> Console:
    """As wide as the terminal; of a fixed width where the output goes to a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=_FILE_WIDTH, highlight=False)


def _printable(text: str) -> str:
    """A text without what a terminal obeys rather than shows: C0, C1, escape, delete."""
    return _CONTROL.sub("", _BLANK.sub(" ", text))


def _cell(text: str, style: str = "") -> Text:
    """A text to be shown as it is, whatever Rich or the terminal would make of it."""
    return Text(_printable(text), style=style)


def _show(answer: Answer) -> None:
    console = _console()
    console.print(_cell(answer.text, "bold"))
    if answer.mentions:
        named = ", ".join(mention.movie.name for mention in answer.mentions)
        console.print(_cell(f"understood: {named}", "dim"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("movie")
    table.add_column("score", justify="right")
    table.add_column("known for")
    table.add_column("because of")
    for movie in answer.recommendations:
        title = movie.title or f"movie {movie.redial_id}"
        causes = [cause.movie for cause in movie.reasons.pulled_up_by[:2]]
        because = ", ".join(cause.title or cause.name for cause in causes)
        if not because and movie.reasons.nearest_requests:
            because = f"asked before: {_shortened(movie.reasons.nearest_requests[0].text)}"
        table.add_row(
            str(movie.rank),
            _cell(title if movie.year is None else f"{title} ({movie.year})"),
            f"{movie.score:.2f}",
            _cell(", ".join(movie.reasons.tags[:3])),
            _cell(because),
        )
    console.print(table)
    console.print()


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1].rstrip()}…"


@app.command()
def movies(
    query: Annotated[list[str], typer.Argument(help="Part of a title, with its year or without.")],
    model: Model = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many movies.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="JSON.")] = False,
    models: Models = None,
    new_movies: NewMovies = None,
) -> None:
    """Search the catalogue for a title."""
    found = find_model(model, models or default_models())
    from stages.recommender.serving.catalogue import read_catalogue

    hits = read_catalogue(found.folder, new_movies).search(" ".join(query), k)
    if as_json:
        print(json.dumps([asdict(movie) for movie in hits], ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("id", justify="right")
    for heading in ("movie", "genres", "known for"):
        table.add_column(heading)
    for movie in hits:
        table.add_row(
            str(movie.redial_id),
            _cell(movie.name),
            _cell(", ".join(movie.genres)),
            _cell(", ".join(movie.tags[:3])),
        )
    _console().print(table if hits else "no movie is called so")


@app.command("models")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="JSON.")] = False, models: Models = None
) -> None:
    """List the trained models with their scores on the test split."""
    folder = models or default_models()
    find_model(None, folder)  # tells how to train one where there is none
    trained = trained_models(folder, metrics_of(folder))
    if as_json:
        rows = [{"name": m.name, "folder": str(m.folder), "scores": m.scores} for m in trained]
        print(json.dumps(rows))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model")
    columns = [(reading, measure) for reading in READINGS for measure in MEASURES]
    for reading, measure in columns:
        table.add_column(f"{measure} ({reading})", justify="right")
    for model in trained:
        scores = [model.scores.get(reading, {}).get(measure) for reading, measure in columns]
        table.add_row(
            _cell(model.name), *("-" if score is None else f"{score:.4f}" for score in scores)
        )
    _console().print(table)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="To write; must not exist.")],
    model: Model = None,
    models: Models = None,
) -> None:
    """Write a model as a folder for the Hugging Face hub, with its model card."""
    all_models = models or default_models()
    found = find_model(model, all_models)
    from stages.recommender.serving.export import export_model

    export_model(found.folder, folder, metrics_of(all_models))
    print(f"{folder}: ready for the hub; load it with Recommender.load, its encoder/ with")
    print("sentence_transformers.SentenceTransformer")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8000,
    models: Models = None,
    new_movies: NewMovies = None,
) -> None:
    """Open the page and the HTTP API on this machine."""
    folder = models or default_models()
    if new_movies is not None:  # what is wrong with them is told now, not at the first request
        from stages.recommender.serving import catalogue

        readers = []
        for model in trained_models(folder):
            with suppress(UserError):  # a damaged model is told to who asks it
                if catalogue.reads_movie_texts(model.folder):
                    readers.append(model.folder)
        catalogue.read_catalogue(
            readers[0] if readers else folder / catalogue.READS_MOVIE_TEXTS, new_movies
        )
    web = import_module("stages.recommender.serving.web")  # only here: it takes a second
    web.serve(folder, host, port, new_movies=new_movies)


def main() -> None:
    """Run the command; a user's mistake is told in one sentence."""
    run_stage(app)


if __name__ == "__main__":
    main()
