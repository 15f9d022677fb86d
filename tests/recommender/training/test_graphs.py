"""CUDA graphs of the encoder; what needs a GPU is skipped without one and says so."""

from pathlib import Path

import pytest
import torch

from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.determinism import Machine
from stages.recommender.training.graphs import GraphedEncoder, SortedEncoder, training_encoder

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
CPU = Machine(torch.device("cpu"), 1, torch.float32)
TEXTS = 4


def texts(seed: int, device: str = "cpu") -> Ragged:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 60, (TEXTS,), generator=generator)
    values = torch.randint(5, 60, (int(lengths.sum()),), generator=generator)
    return Ragged(values.to(device), lengths)


def test_on_a_cpu_a_batch_goes_through_the_encoder_itself(tiny_encoder: Path) -> None:
    encoder = SentenceEncoder(tiny_encoder, "mean", "all")
    assert training_encoder(encoder, TEXTS, CPU) is encoder


def test_a_frozen_encoder_encodes_no_batch() -> None:
    assert training_encoder(None, TEXTS, CPU) is None


@pytest.mark.parametrize("count", [1, 3, 4, 5])
def test_a_batch_in_parts_is_the_whole_batch(tiny_encoder: Path, count: int) -> None:
    encoder = SentenceEncoder(tiny_encoder, "mean", "all").eval()
    given: list[int] = []

    def part(tokens: Ragged) -> torch.Tensor:
        given.append(len(tokens))
        vectors: torch.Tensor = encoder(tokens)
        return vectors

    tokens = texts(1).take(torch.tensor([3, 1, 0, 2, 1])[:count])
    vectors = SortedEncoder([part, part, part], [2, 2, 2])(tokens)
    assert given == [2] * (count // 2) + [1] * (count % 2)
    torch.testing.assert_close(vectors, encoder(tokens))


@on_a_gpu
class TestGraphs:
    machine = Machine(torch.device("cuda"), 1, torch.bfloat16)

    def test_vectors_and_gradients_are_those_of_the_encoder(self, tiny_encoder: Path) -> None:
        encoder = SentenceEncoder(tiny_encoder, "mean", "all").to("cuda").eval()
        graphed = GraphedEncoder(encoder, TEXTS, self.machine)
        for seed in (1, 2, 3, 1):
            tokens = texts(seed, "cuda")
            found = []
            for encode in (encoder, graphed):
                encoder.zero_grad()
                with self.machine.autocast():
                    vectors = encode(tokens)
                vectors.square().sum().backward()
                found.append(vectors.detach().clone())
                found += [p.grad.clone() for p in encoder.parameters() if p.grad is not None]
                del vectors
            half = len(found) // 2
            for expected, actual in zip(found[:half], found[half:], strict=True):
                assert (actual - expected).norm() <= 0.03 * expected.norm() + 1e-6

    def test_dropout_does_not_depend_on_when_a_graph_was_captured(self, tiny_encoder: Path) -> None:
        encoder = SentenceEncoder(tiny_encoder, "mean", "all").to("cuda").train()
        drawn = []
        for before in ([], [2, 3]):
            graphed = GraphedEncoder(encoder, TEXTS, self.machine)
            for seed in before:
                torch.manual_seed(seed)
                graphed(texts(seed, "cuda")).sum().backward()
            torch.manual_seed(7)
            drawn.append(graphed(texts(1, "cuda")).detach().clone())
            torch.manual_seed(7)
            drawn.append(graphed(texts(1, "cuda")).detach().clone())
        for other in drawn[1:]:
            assert torch.equal(drawn[0], other)

    def test_a_batch_that_is_not_full_is_encoded_too(self, tiny_encoder: Path) -> None:
        encoder = SentenceEncoder(tiny_encoder, "mean", "all").to("cuda").eval()
        graphed = GraphedEncoder(encoder, TEXTS, self.machine)
        part = texts(1, "cuda").take(torch.tensor([0, 2]))
        with torch.no_grad(), self.machine.autocast():
            expected = encoder(part)
        with self.machine.autocast():
            actual = graphed(part)
        assert actual.shape == expected.shape
        assert (actual - expected).norm() <= 0.03 * expected.norm()

    def test_a_large_batch_goes_in_parts(self, tiny_encoder: Path) -> None:
        encoder = SentenceEncoder(tiny_encoder, "mean", "all").to("cuda").eval()
        sorting = training_encoder(encoder, 150, self.machine)
        assert isinstance(sorting, SortedEncoder)
        tokens = texts(1, "cuda").take(torch.arange(140) % TEXTS)
        with torch.no_grad(), self.machine.autocast():
            expected = encoder(tokens)
        with self.machine.autocast():
            actual = sorting(tokens)
        assert (actual - expected).norm() <= 0.03 * expected.norm()
