"""Train several models at once.

``python -m stages.recommender.parallel [--jobs N]`` brings the whole pipeline up to date as
``dvc repro`` does, with N models training at once, each in a ``dvc repro -s`` of its own, and
leaves the same bytes in ``dvc.lock``; the ladder and the ablation count as one model each. The
models are spread over the GPUs that torch sees (``CUDA_VISIBLE_DEVICES`` chooses among them). One
that fails is told; the others go on.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from joblib import cpu_count

from stages.recommender.artifacts import atomic_file
from stages.recommender.errors import UserError, run_stage
from stages.recommender.job_runner import JobRunner, run_command
from stages.recommender.mending import is_whole
from stages.recommender.params import Compute, load_params
from stages.recommender.yaml_files import read_yaml

DVC = (sys.executable, "-m", "dvc", "--wait-for-lock")
BEFORE = ("tokenize_tags", "tokenize_titles", "fit_baselines")
"""The last stages before the trainings; DVC runs what they need."""
BESIDE = ("climb_ladder", "ablate")
"""Stages that train models of their own, none of which another stage reads; where they are in
``dvc.yaml``."""
LOCK = Path("dvc.lock")


def places(compute: Compute, jobs: int | None) -> list[dict[str, str]]:
    """Where models train at once: what each sees in its environment.

    Args:
        compute: A device of ``auto`` or ``cuda`` spreads them over all GPUs, in turn; of one that
            it names, such as ``cuda:1``, all take that one.
        jobs: How many; ``None``: one a GPU, or as many as have ``compute.threads`` cores each;
            with ``compute.processes`` a model, so many GPUs or times the cores.
    """
    if compute.device.startswith("cuda:"):
        return [{} for _ in range(jobs or 1)]
    gpus = _gpus() if compute.device in ("auto", "cuda") else []
    if not gpus:
        cores = compute.threads * compute.processes
        count = jobs or max(1, cpu_count() // cores)
        # a thread that waits for the others of its training spins on a core that another needs
        crowded = count * cores > cpu_count()
        return [{"OMP_WAIT_POLICY": "PASSIVE"} if crowded else {} for _ in range(count)]
    # fewer GPUs than processes are one group, and the training says so
    begins = range(0, max(1, len(gpus) - compute.processes + 1), compute.processes)
    groups = [",".join(gpus[begin : begin + compute.processes]) for begin in begins]
    return [
        {"CUDA_VISIBLE_DEVICES": groups[place % len(groups)]}
        for place in range(jobs or len(groups))
    ]


def _gpus() -> list[str]:
    """The names by which ``CUDA_VISIBLE_DEVICES`` chooses the GPUs that torch sees here."""
    import torch

    count = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (chosen.split(",") if chosen else [str(number) for number in range(count)])[:count]


def train(
    models: Sequence[str],
    compute: Compute,
    jobs: int | None,
    with_dvc: bool,
    held: Sequence[int] = (),
) -> None:
    """Train models, several at once, and with DVC what trains beside them.

    What takes longest begins first, so that at the end no core waits for another's long training.

    Args:
        models: Their names, as ``params.yaml`` lists them: from the simple ones to those built
            on them.
        compute: As ``params.yaml`` says.
        jobs: How many at once; see :func:`places`.
        with_dvc: Whether DVC runs each and takes down its results in ``dvc.lock``.
        held: Descriptors that hold the workspace for as long as a training has them.

    Raises:
        UserError: Some failed; the others are done.
    """
    longest_first = models[::-1]
    if with_dvc:
        there = read_yaml(Path("dvc.yaml"))["stages"]
        stages = {name: name for name in BESIDE if name in there}
        stages |= {model: f"train@{model}" for model in longest_first}
        commands: dict[str, tuple[str, ...]] = {
            job: (*DVC, "repro", "--quiet", "--single-item", stage) for job, stage in stages.items()
        }
    else:
        commands = {model: (sys.executable, "-m", "stages.train", model) for model in longest_first}
    outcomes = JobRunner(places(compute, jobs), held).run(commands)
    failed = {job: outcome for job, outcome in outcomes.items() if outcome.code}
    for job, outcome in failed.items():
        print(f"{job} failed: {outcome.last_line}", file=sys.stderr)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(commands)} trainings failed, the others are done; mend it and "
            "run the same command again"
        )


def sort_lock() -> None:
    """Put the entries of ``dvc.lock`` in the order in which one ``dvc repro`` writes them.

    DVC appends what is new, here in the order in which the trainings ended. A lock that is
    half-written stays as it is, to be mended before the next run; so does one beside a
    ``dvc.yaml`` that DVC cannot read, which it has told by then.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.reproduce import get_active_graph, plan_repro
    from dvc.utils.serialize import modify_yaml

    if not LOCK.is_file():
        return
    with suppress(DvcException), closing(Repo(_wait_for_lock=True)) as repo, repo.lock:
        if not LOCK.stat().st_size or not is_whole(LOCK):
            return
        planned = [stage.name for stage in plan_repro(get_active_graph(repo.index.graph))]
        place = {name: number for number, name in enumerate(planned)}
        with atomic_file(LOCK) as partial:
            shutil.copyfile(LOCK, partial)
            with modify_yaml(partial) as lock:
                # what is no stage any more stays where such entries stand, at the end
                entries = sorted(lock["stages"].items(), key=lambda e: place.get(e[0], len(place)))
                lock["stages"] = dict(entries)


def main() -> None:
    """Read the command line, run what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m stages.recommender.parallel")
    parser.add_argument("--jobs", type=int, help="models that train at once")
    parser.add_argument(
        "--without-dvc",
        action="store_true",
        help="only train, from the files in data/ to those in models/ and metrics/",
    )
    parser.add_argument(
        "--held",
        type=int,
        action="append",
        default=[],
        metavar="DESCRIPTOR",
        help="that holds the workspace, for what this command starts to keep open",
    )
    arguments = parser.parse_args()
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UserError(f"--jobs is {arguments.jobs}, but at least one model must train at a time")
    params = load_params()
    # stages are run as `python`, which must be this one
    here = f"{Path(sys.executable).parent}{os.pathsep}"
    os.environ["PATH"] = here + os.environ.get("PATH", "")
    if arguments.without_dvc:
        train(list(params.models), params.compute, arguments.jobs, with_dvc=False)
        return
    if _is_up_to_date(arguments.held):
        print("Data and pipelines are up to date.")
        return
    try:
        _reproduce(*BEFORE, held=arguments.held)
        train(
            list(params.models),
            params.compute,
            arguments.jobs,
            with_dvc=True,
            held=arguments.held,
        )
        _reproduce(held=arguments.held)
    finally:
        sort_lock()


def _is_up_to_date(held: Sequence[int]) -> bool:
    """Whether nothing has to run; asked once, since a DVC a model takes seconds each to say so."""
    command = [*DVC, "status", "--quiet"]
    return not run_command(command, stderr=subprocess.DEVNULL, pass_fds=held)


def _reproduce(*stages: str, held: Sequence[int]) -> None:
    if run_command([*DVC, "repro", *stages], pass_fds=held):
        raise UserError("a stage failed, see above; mend it and run the same command again")


if __name__ == "__main__":
    run_stage(main)
