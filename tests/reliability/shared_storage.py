"""Data, models and the run-cache shared through a bucket, as docs/shared-storage.md says.

Run as ``python tests/reliability/shared_storage.py`` it starts an S3 server on this machine, runs
the small sample pipeline in one clone, pushes, and reproduces it in two others that train nothing;
what it finds goes to ``docs/reliability/storage.json``.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from preloaded import preloaded_python  # noqa: E402
from sections import Section, machine, write_section  # noqa: E402
from small_pipeline import STAGES, make_checkout  # noqa: E402

BUCKET = "team-recommender"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
IGNORED = "/.cache/\n/site-cache/\n__pycache__/\n.*.partial\n"
RESULTS = ("data", "metrics", "models", "dvc.lock")


@contextmanager
def s3_server() -> Iterator[tuple[str, Any]]:
    """An S3 on this machine with an empty bucket: its URL, and a client of it."""
    import boto3
    from moto.server import ThreadedMotoServer
    from werkzeug.serving import WSGIRequestHandler

    # else it names every request on stderr
    log, WSGIRequestHandler.log_request = WSGIRequestHandler.log_request, lambda *_, **__: None
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        client.create_bucket(Bucket=BUCKET)
        yield url, client
    finally:
        server.stop()
        WSGIRequestHandler.log_request = log


@dataclass(frozen=True)
class Clone:
    """A clone of the team's repository.

    Attributes:
        folder: Where it lies.
        python: What runs DVC and its stages in it.
    """

    folder: Path
    python: Path

    def git(self, *words: str) -> None:
        """Run git in it."""
        self._run("git", "-c", "user.name=team", "-c", "user.email=team@localhost", *words)

    def dvc(self, *words: str) -> str:
        """Run DVC in it; what it says."""
        return self._run(str(self.python), "-m", "dvc", *words)

    def repro(self, *options: str) -> set[str]:
        """Run ``dvc repro`` in it; the stages that ran."""
        return set(re.findall(r"Running stage '([^']+)'", self.dvc("repro", *options)))

    def results(self) -> dict[str, bytes]:
        """Every file that the pipeline is for, and the lock."""
        found: dict[str, bytes] = {}
        for name in RESULTS:
            top = self.folder / name
            for path in [top, *top.rglob("*")]:
                if path.is_file() and path.name != ".gitignore":
                    found[str(path.relative_to(self.folder))] = path.read_bytes()
        return found

    def _run(self, *command: str) -> str:
        kept = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=kept
            | CREDENTIALS
            | {
                "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": "",
                "DVC_NO_ANALYTICS": "true",
                "DVC_SITE_CACHE_DIR": str(self.folder / "site-cache"),
                "OMP_WAIT_POLICY": "PASSIVE",
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
        return done.stdout


class Team:
    """One repository and one bucket.

    Args:
        folder: For the clones.
        python: What runs DVC and the stages.
        url: Of the S3 server.
        encoder: Folder with an encoder's files.
        short: Without the ladder and the comparison's pictures.
    """

    def __init__(self, folder: Path, python: Path, url: str, encoder: Path, short: bool) -> None:
        self._folder, self._python, self._url = folder, python, url
        self.first = Clone(folder / "first", python)
        make_checkout(self.first.folder, encoder, short)
        (self.first.folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
        self.first.git("init", "--quiet", "--initial-branch=main")
        self.first.dvc("init", "--quiet", "--force")
        self.first.dvc("remote", "add", "--default", "storage", f"s3://{BUCKET}/recommender")
        self.first.dvc("remote", "modify", "storage", "endpointurl", url)
        self.commit()

    def commit(self) -> None:
        """Commit all of the first clone."""
        self.first.git("add", "--all")
        self.first.git("commit", "--quiet", "--message=all")

    def another(self, name: str, with_lock: bool) -> Clone:
        """Another clone of the same repository, perhaps of a branch where nothing was run."""
        clone = Clone(self._folder / name, self._python)
        clone.folder.mkdir()
        clone.git("clone", "--quiet", str(self.first.folder), ".")
        if not with_lock:
            (clone.folder / "dvc.lock").unlink()
        return clone


def bucket_content(client: Any) -> list[dict[str, Any]]:
    """What lies in the bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [each for page in pages for each in page.get("Contents", [])]


def main() -> None:
    """Try it, and write the section."""
    from tiny_encoder import write_tiny_encoder

    with (
        tempfile.TemporaryDirectory() as name,
        s3_server() as (url, client),
        preloaded_python(Path(name)) as python,
    ):
        folder = Path(name)
        encoder = folder / "encoder"
        encoder.mkdir()
        write_tiny_encoder(encoder)
        team = Team(folder, python, url, encoder, short=False)
        rows = []

        def timed(what: str, clone: Clone, *commands: tuple[str, ...]) -> None:
            started = time.monotonic()
            ran: set[str] = set()
            for first, *words in commands:
                ran |= clone.repro(*words) if first == "repro" else clone.dvc(first, *words) and ran
            seconds = time.monotonic() - started
            same = sum(reference.get(key) == value for key, value in clone.results().items())
            shown = "; ".join(f"`dvc {' '.join(words)}`" for words in commands)
            trained = sum(stage.startswith("train@") for stage in ran)
            which = f" ({', '.join(sorted(ran))})" if 0 < len(ran) < 3 else ""
            rows.append(
                [what, shown, f"{len(ran)}{which}", str(trained), f"{same}", f"{seconds:.0f}"]
            )

        started = time.monotonic()
        ran = team.first.repro()
        seconds = time.monotonic() - started
        team.commit()
        reference = team.first.results()
        trained = sum(stage.startswith("train@") for stage in ran)
        rows.append(
            [
                "first clone",
                "`dvc repro`",
                str(len(ran)),
                str(trained),
                str(len(reference)),
                f"{seconds:.0f}",
            ]
        )
        timed("first clone", team.first, ("push", "--run-cache"))
        objects = bucket_content(client)
        timed("clone with its `dvc.lock`", team.another("second", True), ("pull",), ("repro",))
        timed(
            "clone without it",
            team.another("third", False),
            ("fetch", "--run-cache"),
            ("repro", "--pull"),
        )
    size = sum(each["Size"] for each in objects) / 2**20
    write_section(
        "storage",
        Section(
            title="Shared storage",
            says=(
                f"The small sample pipeline ({len(STAGES)} stages) ran in one clone, which pushed "
                f"{len(objects)} objects, {size:.1f} MiB, to a bucket of an S3 server on the same "
                "machine. A second clone pulled them, and a third, which had no `dvc.lock`, took "
                f"the run-cache: of the {len(reference)} files of data, metrics and models and the "
                "lock, the table says how many are the same bytes. What a team has to set is in "
                "[docs/shared-storage.md](docs/shared-storage.md)."
            ),
            command="make storage",
            machine=machine(),
            columns=[
                "where",
                "commands",
                "stages that ran",
                "models trained",
                "files the same",
                "seconds",
            ],
            rows=rows,
        ),
    )


if __name__ == "__main__":
    main()
