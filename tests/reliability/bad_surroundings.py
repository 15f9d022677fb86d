"""Cases: the network, the disk, other runs, memory, and a training that goes astray."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

from bad_input import REDIAL, ROOT, Case, NotHereError, Project, replaced
from bad_parameters import asked, of_the_gate
from bad_tables import TRAINING_KEEPS, TRAINING_SPENDS, not_a_number, trained_before, weights
from local_server import Respond, Server, answer, content, drop, free_port, local_server, trickle
from self_signed import self_signed

from stages.recommender.corpora import fetching
from stages.recommender.corpora.checksums import sha256_of
from stages.recommender.corpora.patience import Patience

Spoil = Callable[[Project], object]
FEW = Patience(attempts=2, first_wait=0.01, longest_wait=0.05, timeout=10.0)
SHORT = Patience(attempts=2, first_wait=0.01, longest_wait=0.05, timeout=0.3)
ONCE = Patience(attempts=1, first_wait=0.01, longest_wait=0.05, timeout=1.0)
TWICE = Patience(attempts=2, first_wait=0.01, longest_wait=0.05, timeout=1.0)

# --- HTTP ----------------------------------------------------------------------------------------

HTTP = "HTTP"
PATH = "/redial_dataset.zip"
STOPPED = (".cache/downloads/*.partial", ".cache/downloads/*.validator")
"""What a download leaves to go on with."""
BROUGHT = (".cache/downloads/*",)


def ask(project: Project, url: str, patience: Patience = FEW) -> None:
    """Have ReDial's archive come from a URL."""
    project.set("redial.zip.location", url)
    with suppress(ValueError):  # it is no URL
        project.call(_download(url).path.name.partition("-")[0], "<key>")
    project.during(
        replaced("stages.download_redial", "fetched", partial(fetching.fetched, patience=patience))
    )


def _download(url: str) -> fetching._Download:
    return fetching._Download(url, "", None, "", None, fetching.DOWNLOADS, FEW)


def from_server(
    *responses: Callable[[bytes], Respond], patience: Patience = FEW, checked: bool = False
) -> Spoil:
    """Have ReDial's archive come from a server that answers so; each is told the archive."""

    def spoil(project: Project) -> None:
        whole = Path(REDIAL).read_bytes()
        if checked:
            project.set("redial.zip.sha256", sha256_of(Path(REDIAL)))
        server = start(project)
        ask(project, server.serve(PATH, *(respond(whole) for respond in responses)), patience)

    return spoil


def start(project: Project, certificate: Path | None = None) -> Server:
    """A server for as long as the stage runs."""
    server = project.during(local_server(certificate))
    project.call(server.base, "http://host" if certificate is None else "https://host")
    return server


def always(response: Respond) -> Callable[[bytes], Respond]:
    return lambda _: response


def whole(archive: bytes) -> Respond:
    return content(archive)


def dropped(archive: bytes) -> Respond:
    return content(archive, stop_at=len(archive) // 2)


def only_the_other_half(archive: bytes) -> Respond:
    def respond(handler: Any) -> None:
        asked = handler.headers.get("Range") == f"bytes={len(archive) // 2}-"
        (content(archive) if asked else answer(400))(handler)

    return respond


def dropped_without_ranges(archive: bytes) -> Respond:
    return content(archive, stop_at=len(archive) // 2, ranges=False)


def one_byte_short(archive: bytes) -> Respond:
    return content(archive, stop_at=len(archive) - 1, etag=None)


def longer_than_announced(archive: bytes) -> Respond:
    def respond(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(archive) // 2))
        handler.end_headers()
        handler.wfile.write(archive)
        handler.close_connection = True

    return respond


def no_answer(_: Any) -> None:
    time.sleep(1.5)


def untrusted(project: Project) -> None:
    certificate = self_signed(project.root.parent / "certificate.pem")
    server = start(project, certificate)
    ask(project, server.serve(PATH, content(b"")))


def plain_where_tls_is_asked(project: Project) -> None:
    server = start(project)
    ask(project, server.serve(PATH, content(b"")).replace("http://", "https://"))
    project.call(server.base.replace("http://", "https://"), "https://host")


def nobody_there(project: Project) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    project.call(url, "http://host")
    ask(project, url + PATH)


def at(url: str) -> Spoil:
    return lambda project: ask(project, url)


def with_a_query(project: Project) -> None:
    server = start(project)
    ask(project, server.url(f"{PATH}?for=me&until=2030"))


def from_hub(*responses: Respond) -> Spoil:
    """Have the encoder come from a hub that answers so."""

    def spoil(project: Project) -> None:
        from stages.recommender.corpora.encoder_files import gather_encoder

        server = start(project)
        os.environ["HF_ENDPOINT"] = server.base
        hub = project.params["encoder"]["hub"]
        for name in (file["name"] for file in project.params["encoder"]["files"]):
            server.serve(f"/{hub['repository']}/resolve/{hub['revision']}/{name}", *responses)
        project.set("encoder.source", "hub")
        gather = partial(gather_encoder, patience=FEW)
        project.during(replaced("stages.download_encoder", "gather_encoder", gather))

    return spoil


def redirect(location: str) -> Callable[[bytes], Respond]:
    return always(answer(302, Location=location))


ANSWERS: list[tuple[str, Spoil, tuple[str, ...]]] = [
    ("401", from_server(always(answer(401))), ()),
    ("403", from_server(always(answer(403))), ()),
    ("404", from_server(always(answer(404))), ()),
    ("404, with a query in the URL", with_a_query, ()),
    ("410", from_server(always(answer(410))), ()),
    ("429", from_server(always(answer(429, Retry_After="0"))), ()),
    ("429, then the file", from_server(always(answer(429, Retry_After="0")), whole), BROUGHT),
    ("500", from_server(always(answer(500))), ()),
    ("500, then the file", from_server(always(answer(500)), whole), BROUGHT),
    ("503", from_server(always(answer(503))), ()),
    ("no answer", from_server(always(no_answer), patience=SHORT), ()),
    ("no answer, then the file", from_server(always(no_answer), whole, patience=TWICE), BROUGHT),
    (
        "silent in the middle",
        from_server(lambda archive: content(archive, pause=1.5), patience=ONCE),
        STOPPED,
    ),
    (
        "a byte now and then",
        from_server(lambda archive: trickle(archive, 0.05), patience=ONCE),
        STOPPED,
    ),
    ("dropped before it answers", from_server(always(drop)), ()),
    ("dropped half-way, then resumed", from_server(dropped, only_the_other_half), BROUGHT),
    (
        "dropped half-way, then another edition",
        from_server(dropped, lambda archive: content(archive, etag='"2"')),
        BROUGHT,
    ),
    ("dropped half-way, then 503", from_server(dropped, always(answer(503))), STOPPED),
    ("dropped half-way again and again", from_server(dropped_without_ranges), STOPPED),
    ("a byte less than announced", from_server(one_byte_short), STOPPED),
    ("more than announced", from_server(longer_than_announced), BROUGHT),
    ("more than announced, with a checksum", from_server(longer_than_announced, checked=True), ()),
    ("a page that asks to log in", from_server(always(answer(200, b"<html>Log in"))), BROUGHT),
    (
        "another file than the checksum says",
        from_server(always(answer(200, b"<html>Log in")), checked=True),
        (),
    ),
    ("an endless redirect", from_server(redirect(PATH)), ()),
    ("a redirect to a file", from_server(redirect("file:///etc/passwd")), ()),
    ("a redirect to FTP", from_server(redirect("ftp://127.0.0.1/a.zip")), ()),
    ("a certificate signed by itself", untrusted, ()),
    ("no TLS where it is asked for", plain_where_tls_is_asked, ()),
    ("nobody listens", nobody_there, ()),
    ("no such host", at("http://no-such-host.invalid/a.zip"), ()),
    ("FTP", at("ftp://127.0.0.1/a.zip"), ()),
    ("a file's URL", at("file:///etc/passwd"), ()),
    ("no URL", at("http://[::1/a.zip"), ()),
    ("a password in the URL", at("https://me:secret@127.0.0.1/a.zip"), ()),
    ("a token in the URL", at("https://secret@127.0.0.1/a.zip"), ()),
    ("a token in the URL's query", at("https://127.0.0.1/a.zip?a=1&access_token=secret"), ()),
    ("a signature in the URL's query", at("https://127.0.0.1/a?X-Amz-Signature=secret"), ()),
]
HUB: list[tuple[str, Spoil]] = [
    ("the hub: 404", from_hub(answer(404))),
    ("the hub: 503", from_hub(answer(503))),
    ("the hub: a repository that is closed", from_hub(answer(401))),
]

# --- the disk ------------------------------------------------------------------------------------

DISK = "full disk"
READ_ONLY = "read-only folder"
PAGE = 4096


def mounted(*words: str) -> None:
    """Mount, or say that this machine does not let us."""
    command = ["mount", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotHereError(f"no small disk can be mounted here: {error}") from None
    if done.returncode:
        raise NotHereError(f"no small disk can be mounted here: {done.stderr.strip()}")


@contextmanager
def small_disk(folder: Path, left: int) -> Iterator[None]:
    """A disk of its own for a folder and what is in it, with so many bytes free."""
    content = folder.with_name(f"{folder.name}.content")
    folder.mkdir(exist_ok=True)
    shutil.copytree(folder, content)
    mounted("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder))
    try:
        shutil.copytree(content, folder, dirs_exist_ok=True)
        shutil.rmtree(content)
        state = os.statvfs(folder)
        free = state.f_bavail * state.f_frsize - left
        with (folder / "everything else").open("wb") as rest:
            os.posix_fallocate(rest.fileno(), 0, free)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full(folder: str, left: int = PAGE) -> Spoil:
    """Leave so many bytes free where a folder lies."""
    return lambda project: project.during(small_disk(Path(folder), left))


def full_for_a_download(project: Project) -> None:
    full(".cache", 2 * PAGE)(project)
    from_server(whole)(project)


@contextmanager
def not_to_be_written(folder: Path) -> Iterator[None]:
    """A folder that nobody may write to."""
    folder.mkdir(exist_ok=True)
    if os.geteuid():
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    # the administrator may write to all that is not mounted read-only
    mounted("--bind", str(folder), str(folder))
    try:
        mounted("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def read_only(folder: str) -> Spoil:
    def spoil(project: Project) -> None:
        # whoever is not the administrator is told so
        project.call(os.strerror(errno.EACCES), os.strerror(errno.EROFS))
        project.during(not_to_be_written(Path(folder)))

    return spoil


def read_only_for_a_download(project: Project) -> None:
    read_only(".cache")(project)
    from_server(whole)(project)


def checkout(project: Project) -> None:
    """What a workspace is made of."""
    for name in ("dvc.yaml", ".dvcignore", "stages"):
        Path(name).symlink_to(ROOT / name)
    asked("workspace", "neu")(project)


def full_for_a_workspace(project: Project) -> None:
    checkout(project)
    full("runs", 0)(project)


def read_only_for_a_workspace(project: Project) -> None:
    checkout(project)
    read_only("runs")(project)


WRITERS: list[tuple[str, str, Spoil, tuple[str, ...]]] = [
    ("a download", "download_redial", full_for_a_download, STOPPED),
    ("dialogues", "download_redial", full("data", 2 * PAGE), ()),
    ("MovieLens", "download_movielens", full("data"), ()),
    ("the encoder", "download_encoder", full("data", 4 * PAGE), ()),
    ("the map", "build_movie_map", full("data", 0), ()),
    ("the map's figures", "build_movie_map", full("metrics", 0), ()),
    ("examples", "tokenize_dialogues", full("data", 9 * PAGE), ()),
    ("tag examples", "tokenize_tags", full("data"), ()),
    ("a checkpoint", "train", full(".cache", 4 * PAGE), TRAINING_KEEPS),
    ("a model", "train", full("models", 4 * PAGE), TRAINING_KEEPS),
    ("a model, not a byte left", "train", full("models", 0), TRAINING_KEEPS),
    ("rankings", "train", full("data", 0), TRAINING_KEEPS),
    ("metrics", "train", full("metrics", 0), TRAINING_KEEPS),
    ("a workspace", "recommender.workspace", full_for_a_workspace, ("runs/neu*",)),
]
CLOSED: list[tuple[str, str, Spoil, tuple[str, ...]]] = [
    ("for a download", "download_redial", read_only_for_a_download, ()),
    ("for dialogues", "download_redial", read_only("data/raw"), ()),
    ("for the encoder", "download_encoder", read_only("data"), ()),
    ("for the map", "build_movie_map", read_only("data"), ()),
    ("for the map's figures", "build_movie_map", read_only("metrics"), ()),
    ("for examples", "tokenize_dialogues", read_only("data"), ()),
    ("for tag examples", "tokenize_tags", read_only("data"), ()),
    ("for checkpoints", "train", read_only(".cache"), ()),
    ("for a model", "train", read_only("models"), TRAINING_KEEPS),
    ("for a workspace", "recommender.workspace", read_only_for_a_workspace, ()),
]

# --- two runs at once ----------------------------------------------------------------------------


@contextmanager
def held_for_a_while(lock: Path) -> Iterator[None]:
    """A lock that another holds when the stage begins."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        def release() -> None:
            # when the stage has said that it waits
            deadline = time.monotonic() + 30
            while "waiting for" not in _said() and time.monotonic() < deadline:
                time.sleep(0.01)
            fcntl.flock(file, fcntl.LOCK_UN)

        waiting = threading.Thread(target=release)
        waiting.start()
        try:
            yield
        finally:
            waiting.join()


def _said() -> str:
    return sys.stderr.getvalue() if isinstance(sys.stderr, StringIO) else ""


def another_workspace(project: Project) -> None:
    checkout(project)
    Path("runs").mkdir()
    with ExitStack() as stack:
        file = stack.enter_context(Path("runs/.neu.lock").open("a"))
        fcntl.flock(file, fcntl.LOCK_EX)
        project.during(stack.pop_all())


def another_download(project: Project) -> None:
    from_server(whole)(project)
    path = _download(project.params["redial"]["zip"]["location"]).path
    project.during(held_for_a_while(path.with_name(f"{path.name}.lock")))


def another_training(project: Project) -> None:
    folder = trained_before(project)
    project.during(held_for_a_while(folder.with_name(f"{folder.name}.lock")))


TWO: list[tuple[Any, ...]] = [
    ("in one workspace", "recommender.workspace", another_workspace, ("runs*",)),
    ("of one download", "download_redial", another_download, BROUGHT),
    ("of one training", "train", another_training, TRAINING_KEEPS, TRAINING_SPENDS),
]

# --- memory, and numbers that are none -----------------------------------------------------------


def no_gpu_memory(module: str, name: str) -> Spoil:
    """Have a function find the GPU's memory used up, as torch tells of it."""

    def raising(*_: object, **__: object) -> NoReturn:
        import torch

        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 "
            "GiB of which 1.10 GiB is free.\nIncluding non-PyTorch memory, this process has 6 GiB"
        )

    return lambda project: project.during(replaced(f"stages.recommender.{module}", name, raising))


def no_memory(module: str, name: str) -> Spoil:
    """Have a function ask the machine for more memory than there can be."""

    def asking(*_: object, **__: object) -> object:
        import torch

        return torch.empty(2**50)

    return lambda project: project.during(replaced(f"stages.recommender.{module}", name, asking))


def no_memory_for_a_table(project: Project) -> None:
    def asking(*_: object) -> object:
        import numpy as np

        return np.empty(2**55)

    project.during(replaced("stages.build_movie_map", "build_catalogue", asking))


def frozen(spoil: Spoil) -> Spoil:
    """On a frozen encoder."""

    def both(project: Project) -> None:
        project.set("training.trainable_layers", "none")
        spoil(project)

    return both


def no_gpu(project: Project) -> None:
    project.during(patch("torch.cuda.device_count", lambda: 0))
    project.set("compute.device", "cuda:7")


def astray(**values: float) -> Spoil:
    """Train with other values of section ``training``, keeping the state after every step.

    Half of the steps of three epochs warm up.
    """

    def spoil(project: Project) -> None:
        project.during(replaced("stages.recommender.training.loop", "CHECKPOINT_SECONDS", 0))
        for key, value in {"epochs": 3, "warmup_fraction": 0.5, **values}.items():
            project.set(f"training.{key}", value)

    return spoil


def astray_gate(**values: object) -> Spoil:
    """Likewise, the gate with other values of section ``gate``."""

    def spoil(project: Project) -> None:
        astray()(project)
        for key, value in {"epochs": 3, **values}.items():
            project.set(f"gate.{key}", value)

    return of_the_gate(spoil)


def astray_ladder(project: Project) -> None:
    """Likewise, the ladder, whose rates are constants."""
    astray()(project)

    def rising(step: int, *_: object) -> float:
        return 1e35 if step > 1 else 0.0

    project.during(replaced("stages.recommender.training.loop", "schedule", rising))


def infinite_loss(project: Project) -> None:
    project.set("loss.pos_weight", 1e38)


MEMORY: list[tuple[str, str, Spoil, tuple[str, ...]]] = [
    (
        "of a GPU, in a training step",
        "train",
        no_gpu_memory("training.loop", "multi_hot"),
        TRAINING_KEEPS,
    ),
    (
        "of a GPU, in evaluation",
        "train",
        no_gpu_memory("training.scoring", "multi_hot"),
        TRAINING_KEEPS,
    ),
    (
        "of a GPU, for sentence vectors",
        "train",
        frozen(no_gpu_memory("modeling.encoder.SentenceEncoder", "forward")),
        TRAINING_KEEPS,
    ),
    (
        "of the machine, in a training step",
        "train",
        no_memory("training.loop", "multi_hot"),
        TRAINING_KEEPS,
    ),
    (
        "of a GPU, in a training step of the gate",
        "train",
        of_the_gate(no_gpu_memory("training.loop", "multi_hot")),
        TRAINING_KEEPS,
    ),
    (
        "of a GPU, for sentence vectors of the gate",
        "train",
        of_the_gate(no_gpu_memory("modeling.encoder.SentenceEncoder", "forward")),
        TRAINING_KEEPS,
    ),
    (
        "of the machine, in a training step of the ladder",
        "climb_ladder",
        no_memory("training.loop", "multi_hot"),
        TRAINING_KEEPS,
    ),
    ("of the machine, for a table", "build_movie_map", no_memory_for_a_table, ()),
    ("no such GPU", "train", no_gpu, ()),
]
STATE = (".cache/training/*/state.safetensors",)
NO_STATE = (".cache/training", ".cache/training/*.lock")
FROZEN_NO_STATE = (*NO_STATE, ".cache/vectors", ".cache/vectors/*")
NUMBERS: list[tuple[str, str, Spoil, tuple[str, ...], tuple[str, ...]]] = [
    (
        "the heads' rate is too high",
        "train",
        astray(head_learning_rate=1e30),
        TRAINING_KEEPS,
        STATE,
    ),
    (
        "the encoder's rate is too high",
        "train",
        astray(encoder_learning_rate=1e30),
        TRAINING_KEEPS,
        STATE,
    ),
    ("the loss is infinite at once", "train", infinite_loss, NO_STATE, ()),
    ("the encoder's weights are no numbers", "train", weights(not_a_number), NO_STATE, ()),
    (
        "the encoder's weights are no numbers, and it is frozen",
        "train",
        frozen(weights(not_a_number)),
        FROZEN_NO_STATE,
        (),
    ),
    (
        "the gate's rate is too high",
        "train",
        astray_gate(learning_rate=1e30),
        TRAINING_KEEPS,
        STATE,
    ),
    (
        "the rate of the gate's encoder is too high",
        "train",
        astray_gate(trainable_layers="all", encoder_learning_rate=1e30),
        TRAINING_KEEPS,
        STATE,
    ),
    (
        "a rate of the ladder is too high",
        "climb_ladder",
        astray_ladder,
        TRAINING_KEEPS,
        STATE,
    ),
]
CASES = [
    *(Case(HTTP, name, "download_redial", spoil, keeps) for name, spoil, keeps in ANSWERS),
    Case(
        HTTP,
        "a password in the URL of MovieLens",
        "download_movielens",
        lambda p: p.set("movielens.zip.location", "https://me:secret@127.0.0.1/a.zip"),
    ),
    *(Case(HTTP, name, "download_encoder", spoil) for name, spoil in HUB),
    *(Case(DISK, *case) for case in WRITERS),
    *(Case(READ_ONLY, *case) for case in CLOSED),
    *(Case("two runs at once", *case) for case in TWO),
    *(Case("too little memory", *case) for case in MEMORY),
    *(
        Case("the loss turns NaN", name, stage, spoil, keeps, must_keep=must_keep)
        for name, stage, spoil, keeps, must_keep in NUMBERS
    ),
]
