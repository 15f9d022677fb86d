"""A ``python`` that has imported what the stages import before it starts.

Most of a small pipeline's time goes into importing torch, transformers and matplotlib, once a
stage. Run as a script with a folder, this imports them once, puts an executable ``python`` into
the folder, prints a line, and serves: what is started as ``python -m module ...`` is a process
forked from this one, in the caller's folder, environment and process group, with its files.
"""

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMPORTED = [
    "dvc.cli",
    "dvc.commands.config",
    "dvc.commands.init",
    "dvc.commands.repro",
    "dvc.repo",
    "dvc.repo.reproduce",
    "dvc_data.hashfile.db",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
]
"""What is imported late, beyond what the stages import at once."""

SHIM = """\
#!{python} -IS
import _signal

# told to the whole group, a signal reaches the real process by itself
for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    _signal.signal(number, _signal.SIG_IGN)
import array, json, os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect({address!r})
request = dict(
    argv=sys.argv[1:], cwd=os.getcwd(), env=dict(os.environ), group=os.getpgrp(), python=sys.argv[0]
)
socket.send_fds(link, [json.dumps(request).encode() + b"\\n"], [0, 1, 2])
sys.exit(int(link.makefile().readline() or 1))
"""


@contextmanager
def preloaded_python(folder: Path) -> Iterator[Path]:
    """An executable as described above, for as long as it is needed."""
    command = [sys.executable, str(Path(__file__).resolve()), str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield Path(server.stdout.readline().strip())
        finally:
            server.kill()


def main() -> None:
    """Serve until killed; a forked process leaves the loop and runs its module."""
    folder = Path(sys.argv[1])
    _import_all()
    address = folder / "socket"
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()
    shim = folder / "python"
    shim.write_text(SHIM.format(python=sys.executable, address=str(address)), encoding="utf-8")
    shim.chmod(0o755)
    # whoever has waited for it, nobody is left behind
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(shim, flush=True)
    while True:
        link, _ = listener.accept()
        if not os.fork():
            break
        link.close()
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, files = _receive(link)
    child = os.fork()
    if child:
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        with suppress(BrokenPipeError):  # killed with it
            link.sendall(f"{code if code >= 0 else 1}\n".encode())
        os._exit(0)
    link.close()
    _become(request, files)


def _import_all() -> None:
    sys.path.insert(0, str(ROOT))
    for path in sorted((ROOT / "stages").glob("*.py")):
        importlib.import_module(f"stages.{path.stem}")
    for name in IMPORTED:
        importlib.import_module(name)
    # the project's own modules are those of the folder that a process runs in
    for name in [name for name in sys.modules if name.partition(".")[0] == "stages"]:
        del sys.modules[name]
    own = {str(ROOT), str(Path(__file__).parent)}
    sys.path[:] = [path for path in sys.path if path not in own]
    # a collection would write to, and so copy, what the processes share
    gc.collect()
    gc.freeze()


def _receive(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    content, files, _, _ = socket.recv_fds(link, 1 << 20, 3)
    while not content.endswith(b"\n"):
        content += link.recv(1 << 20)
    return json.loads(content), list(array.array("i", files))


def _become(request: dict[str, Any], files: list[int]) -> None:
    try:
        os.setpgid(0, request["group"])
    except PermissionError:  # all of the group was killed before this process began
        os._exit(1)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    option, module, *arguments = request["argv"]
    assert option == "-m"
    sys.executable = request["python"]
    sys.path.insert(0, request["cwd"])
    sys.argv = ["-m", *arguments]  # as Python has it until it has found the module
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    # all that an interpreter does at its end but for taking apart what was imported
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
