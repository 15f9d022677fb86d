import os

import pytest
import torch

from stages.recommender.errors import UserError
from stages.recommender.params import Compute
from stages.recommender.training.determinism import Machine, derived_seed, prepare, within_memory


def compute(device: str = "cpu", threads: int = 1, precision: str = "auto") -> Compute:
    return Compute.model_validate({"device": device, "threads": threads, "precision": precision})


def test_a_process_is_made_deterministic() -> None:
    machine = prepare(compute())
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.backends.cudnn.benchmark
    assert torch.get_num_threads() == 1
    assert machine == Machine(torch.device("cpu"), 1, torch.float32)


def test_auto_is_the_gpu_that_is_there_with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for there, device, precision in (
        (True, "cuda", torch.bfloat16),
        (False, "cpu", torch.float32),
    ):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        machine = prepare(compute("auto"))
        assert (machine.device.type, machine.precision) == (device, precision)
        assert prepare(compute("auto", precision="float32")).precision is torch.float32
        assert prepare(compute("auto", precision="bfloat16")).precision is torch.bfloat16


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=r"compute\.device is cuda:2, but .* has 2 GPUs .* auto"):
        prepare(compute("cuda:2"))


def test_a_machine_is_named_after_all_that_last_digits_depend_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu = torch.device("cpu")
    names = {
        str(Machine(cpu, 1, torch.float32)),
        str(Machine(cpu, 2, torch.float32)),
        str(Machine(cpu, 1, torch.bfloat16)),
    }
    monkeypatch.setattr(torch, "__version__", "9.9")
    names.add(str(Machine(cpu, 1, torch.float32)))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "another")
    names.add(str(Machine(cpu, 1, torch.float32)))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    names.add(str(Machine(torch.device("cuda"), 1, torch.float32)))
    assert len(names) == 6


def test_bfloat16_is_mixed_precision() -> None:
    weights = torch.ones(2, 2)
    for precision in (torch.float32, torch.bfloat16):
        with Machine(torch.device("cpu"), 1, precision).autocast():
            assert (weights @ weights).dtype is precision


def test_a_seed_depends_on_all_parts_and_on_nothing_else() -> None:
    seeds = {derived_seed(seed, step) for seed in range(20) for step in range(200)}
    assert len(seeds) == 4_000
    assert all(0 <= seed < 2**63 for seed in seeds)
    # numpy promises to keep a SeedSequence's stream
    assert derived_seed(42, 7) == 8_400_447_655_315_631_758


def test_only_want_of_memory_is_told_as_such() -> None:
    @within_memory("a.batch")
    def raising(error: Exception) -> None:
        raise error

    with pytest.raises(UserError, match=r"^the GPU's memory does not suffice; lower a\.batch, "):
        raising(torch.OutOfMemoryError("CUDA out of memory"))
    for error in (RuntimeError("shapes do not fit"), ValueError("DefaultCPUAllocator")):
        with pytest.raises(type(error), match=str(error)):
            raising(error)
