"""One training in several processes, as torchrun starts them: one a GPU, or some on a CPU.

Every process holds the whole model and reads its share of each batch; losses and gradients are
weighted by the shares and added up, so that each takes the step that one process would take with
the whole batch. Without dropout the loss curve is therefore that of one process up to rounding;
with it, up to chance, since each process draws dropout of its own.

Gradients are added up in one piece after the backward pass. ``DistributedDataParallel`` would
take shares of unequal sizes for equal, and groups gradients anew after its first step, so that a
training that goes on from a checkpoint would not end in the same bytes.

The first process alone writes files and tells what happens. The others take checkpoints and
sentence vectors from it, so that several machines need no common disk for these.

Without torchrun there is one process, and every function here does next to nothing.
"""

import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from stages.recommender.errors import UserError
from stages.recommender.params import Compute

_FROM_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(days=1)
"""How long processes wait while the first computes or writes; torchrun sees when one has died."""


def are_given() -> bool:
    """Whether torchrun, or what sets the same variables, has started this process."""
    return all(name in os.environ for name in _FROM_TORCHRUN)


def count() -> int:
    """How many processes train this model together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def number() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this one writes."""
    return number() == 0


def number_here() -> int:
    """Which of this machine's processes this is, from 0."""
    return int(os.environ["LOCAL_RANK"]) if count() > 1 else 0


@contextmanager
def together() -> Iterator[None]:
    """Train with the processes that torchrun has started, where it has.

    Only the first process prints. When one fails, it tells why, the others end without a word.

    Raises:
        UserError: The processes do not find each other.
    """
    if not are_given() or os.environ["WORLD_SIZE"] == "1":
        yield
        return
    store = _join()
    try:
        with _quiet():
            yield
    except BaseException:
        if _fails_first(store):
            raise
        sys.exit(1)
    distributed.destroy_process_group()


def _join() -> Store:
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store: Store
    with _answers():
        store, rank, size = next(rendezvous("env://"))
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE
        )
    return store


@contextmanager
def _quiet() -> Iterator[None]:
    if is_first():
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _fails_first(store: Store) -> bool:
    try:
        return store.add("failed", 1) == 1
    except RuntimeError:  # torchrun is gone as well
        return is_first()


def check(compute: Compute) -> None:
    """See that torchrun has started as many processes as the parameters ask for.

    Raises:
        UserError: They ask for more than one, and that is not their number.
    """
    if compute.processes not in (1, count()):
        raise UserError(
            f"compute.processes is {compute.processes}, but torchrun has started {count()} in all; "
            "make both the same"
        )


def launch(compute: Compute, module: str, *arguments: str) -> None:
    """Run a module in several processes of this machine, as ``torchrun --standalone`` does.

    Args:
        compute: How many, and the CPU threads of each.
        module: As after ``python -m``.
        arguments: Its own.

    Raises:
        SystemExit: One has failed and told why.
        UserError: One was killed.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.disable(logging.ERROR)  # the process that fails says it in its own words
    os.environ["OMP_NUM_THREADS"] = str(compute.threads)
    options = ["--standalone", f"--nproc-per-node={compute.processes}"]
    try:
        run(parse_args([*options, "-m", module, *arguments]))  # type: ignore[no-untyped-call]
    except SignalException:
        sys.exit(1)
    except ChildFailedError as error:
        place, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            sys.exit(1)
        raise UserError(
            f"process {place} of {compute.processes} was ended by "
            f"{signal.Signals(-failure.exitcode).name}; run the same command again to go on "
            "where this stopped"
        ) from None


def bounds(size: int) -> tuple[int, int]:
    """Where this process's share of ``size`` rows begins and ends.

    Shares differ by one row at most; one is empty where there are fewer rows than processes.
    """
    least, more = divmod(size, count())
    start = number() * least + min(number(), more)
    return start, start + least + (number() < more)


def begin_alike(model: nn.Module) -> None:
    """Give a model the weights and buffers that it has in the first process.

    Whatever each has drawn before, it need not rely on a seed.
    """
    if count() > 1:
        for tensor in model.state_dict().values():
            with _answers():
                distributed.broadcast(tensor, src=0)


def add_up(losses: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    """Put the sum of all processes' gradients in the place of this one's.

    A parameter that has a gradient in none keeps none.

    Args:
        losses: Added up as well. (n,) float32
        optimizer: Of the same float32 parameters in each process.

    Returns:
        The sums of the losses. (n,)
    """
    if count() == 1:
        return losses
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    # a network that finds nothing to read leaves no gradient; known on the CPU, no GPU is awaited
    has = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32)
    with _answers():
        distributed.all_reduce(has)
    learning = [p for p, some in zip(parameters, has.tolist(), strict=True) if some]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
    sums = torch.cat([losses, *(gradient.flatten() for gradient in gradients)])
    with _answers():
        distributed.all_reduce(sums)
    total, *parts = torch.split(sums, [len(losses), *(p.numel() for p in learning)])
    for parameter, part in zip(learning, parts, strict=True):
        parameter.grad = part.view_as(parameter)
    return total


def summed(value: Tensor) -> Tensor:
    """The sum of a value over all processes."""
    if count() > 1:
        value = value.clone()
        with _answers():
            distributed.all_reduce(value)
    return value


def whole(share: Tensor, size: int) -> Tensor:
    """What all processes found for their shares, one after the other.

    Args:
        share: A row for each of this one's :func:`bounds`; any row where they are empty.
        size: Rows in all.
    """
    if count() == 1:
        return share
    start, end = bounds(size)
    rows = share.new_zeros(size, *share.shape[1:])
    rows[start:end] = share[: end - start]
    with _answers():
        distributed.all_reduce(rows)
    return rows


def of_first(make: Callable[[], bytes]) -> bytes:
    """What the first process makes, in all of them."""
    if count() == 1:
        return make()
    content = bytearray(make() if is_first() else b"")
    size = torch.tensor(len(content))
    with _answers():
        distributed.broadcast(size, src=0)
    if not is_first():
        content = bytearray(int(size))
    if content:
        with _answers():
            distributed.broadcast(torch.frombuffer(content, dtype=torch.uint8), src=0)
    return bytes(content)


def tensor_of_first(make: Callable[[], Tensor]) -> Tensor:
    """A tensor, on the CPU, that the first process makes, in all of them."""
    if count() == 1:
        return make()
    return load(of_first(lambda: save({"made": make()})))["made"]


def agree_on(what: str, text: str) -> None:
    """See that a text is the same in all processes.

    Args:
        what: It stands for.
        text: Of this process.

    Raises:
        UserError: It is not that of the first.
    """
    if of_first(text.encode).decode() != text:
        raise UserError(
            f"process {number()} of {count()} has not the {what} of the first; give all machines "
            "the same code, params.yaml, data and kind of processor"
        )


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # gloo names its source file before what happened, and gives advice after it
        problem = re.sub(r"^\[\S+\] ", "", str(error)).splitlines()[0].partition(". ")[0]
        raise UserError(
            f"a process of this training does not answer ({problem}); run the same command again "
            "to go on where this stopped"
        ) from error
