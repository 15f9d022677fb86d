"""The same bytes from the same run: device, threads, kernels, seeds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from stages.recommender.errors import UserError
from stages.recommender.params import Compute
from stages.recommender.training import processes
from stages.recommender.training.allocation import keep_freed_memory

_CPU_ALLOCATOR = "DefaultCPUAllocator"
"""In the message of what torch raises where the CPU's memory does not suffice."""


@dataclass(frozen=True)
class Machine:
    """What a run computes on."""

    device: torch.device
    threads: int
    precision: torch.dtype

    def autocast(self, cache: bool = True) -> torch.autocast:
        """The context in which models compute: mixed precision where ``precision`` is bfloat16.

        Args:
            cache: Keep a weight's bfloat16 copy for its next use within the context.
        """
        enabled = self.precision is torch.bfloat16
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=cache
        )

    def seed(self, seed: int) -> None:
        """Seed the draws of this machine's device; ``torch.manual_seed`` asks for all others."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def __str__(self) -> str:
        """All that the last digits depend on; what one machine caches, another must not read."""
        kind = "cpu"
        if self.device.type == "cuda":
            kind = torch.cuda.get_device_name(self.device)
        capability = torch.backends.cpu.get_cpu_capability()
        precision = str(self.precision).removeprefix("torch.")
        return f"{kind} {capability} {self.threads} threads {precision} torch {torch.__version__}"


def prepare(compute: Compute) -> Machine:
    """Choose the device, and make torch deterministic and quick in this process.

    Args:
        compute: Device, threads and precision.

    Raises:
        UserError: The device is not here.
    """
    # cuBLAS reads it when CUDA starts; cuDNN's recurrent networks need it too
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    # as use_deterministic_algorithms, which imports torch's compiler too: seconds in every stage
    torch.set_deterministic_debug_mode("error")
    # no result depends on memory that nothing has written; filling it costs a tenth of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    keep_freed_memory()
    torch.set_num_threads(compute.threads)
    name = compute.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if processes.count() > 1:
        name = _device_of_process(name)
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"compute.device is {compute.device}, but this machine has "
            f"{torch.cuda.device_count()} GPUs that torch can use; set compute.device to auto"
        )
    if device.type == "cuda" and processes.count() > 1:
        torch.cuda.set_device(device)
    bfloat16 = compute.precision == "bfloat16" or (
        compute.precision == "auto" and device.type == "cuda"
    )
    return Machine(device, compute.threads, torch.bfloat16 if bfloat16 else torch.float32)


def _device_of_process(name: str) -> str:
    """A GPU of its own, or the CPU."""
    if name == "cpu":
        return name
    if name != "cuda":
        raise UserError(
            f"compute.device is {name}, one GPU for several processes; set it to auto, for one each"
        )
    place = processes.number_here()
    if place >= torch.cuda.device_count():
        raise UserError(
            f"this machine has {torch.cuda.device_count()} GPUs that torch can use, too few for "
            "one a process; start fewer processes or set compute.device to cpu"
        )
    return f"cuda:{place}"


@contextmanager
def within_memory(smaller: str) -> Iterator[None]:
    """Tell in one sentence where a device's memory does not suffice; also a decorator.

    Args:
        smaller: The parameters that make what runs within take less.

    Raises:
        UserError: It did not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and _CPU_ALLOCATOR not in str(error):
            raise
        device, other = "this machine's", "take a machine with more"
        if isinstance(error, torch.OutOfMemoryError):
            device, other = "the GPU's", "set compute.device to cpu"
        raise UserError(
            f"{device} memory does not suffice; lower {smaller}, end what else uses it, or {other}"
        ) from None


def derived_seed(*parts: int) -> int:
    """A 64-bit seed that depends on all parts.

    Dropout is seeded anew from (seed, step, process) before every step, and a data order from
    (seed, epoch), so that resuming needs no saved random state. A last part of 0 changes nothing.
    """
    high, low = np.random.SeedSequence(parts).generate_state(2)
    return (int(high) << 32 | int(low)) & (2**63 - 1)
