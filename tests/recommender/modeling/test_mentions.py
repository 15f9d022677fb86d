import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.recommender.modeling.mentions import MentionNetwork
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import Mentions

MOVIES = 7


def network(reads_padding: bool = False, most: int = 4) -> MentionNetwork:
    torch.manual_seed(3)
    params = Mentions(max=most, embedding_size=5, hidden_size=3, reads_padding=reads_padding)
    return MentionNetwork(MOVIES, params)


def mentions(*rows: list[int]) -> Ragged:
    return Ragged(
        torch.tensor([m for row in rows for m in row], dtype=torch.int64),
        torch.tensor([len(row) for row in rows]),
    )


def alone(net: MentionNetwork, row: list[int]) -> torch.Tensor:
    """Both final states of one sequence, with no batch around it."""
    _, states = net.gru(net.embedding(torch.tensor([row])))
    return torch.cat([states[0, 0], states[1, 0]])


def test_reads_the_mentions_only() -> None:
    net = network()
    vectors = net(mentions([1, 2, 3], [], [6], [0, 0]))
    torch.testing.assert_close(vectors[0], alone(net, [1, 2, 3]))
    torch.testing.assert_close(vectors[2], alone(net, [6]))
    torch.testing.assert_close(vectors[3], alone(net, [0, 0]))
    assert vectors[1].tolist() == [0.0] * 6


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, MOVIES - 1), max_size=6), min_size=1, max_size=6))
def test_gradients_are_those_of_each_sequence_alone(rows: list[list[int]]) -> None:
    together, apart = network(), network()
    weights = torch.linspace(-1, 1, len(rows) * together.width).reshape(len(rows), -1)
    vectors = together(mentions(*rows))
    if not any(rows):
        assert not vectors.requires_grad  # nothing is read, nothing learns
        return
    (vectors * weights).sum().backward()
    for row, weight in zip(rows, weights, strict=True):
        if row:
            (alone(apart, row[: apart.most]) * weight).sum().backward()
    for name, parameter in together.named_parameters():
        torch.testing.assert_close(parameter.grad, apart.get_parameter(name).grad)


def test_reads_the_first_mentions_only() -> None:
    net = network(most=2)
    torch.testing.assert_close(net(mentions([1, 2, 3]))[0], alone(net, [1, 2]))


def test_no_mention_at_all() -> None:
    assert network()(mentions([], [])).tolist() == [[0.0] * 6] * 2


def test_notebook_reads_its_padding() -> None:
    net = network(reads_padding=True)
    vectors = net(mentions([1], []))
    torch.testing.assert_close(vectors[0], alone(net, [1, MOVIES, MOVIES, MOVIES]))
    torch.testing.assert_close(vectors[1], alone(net, [MOVIES] * 4))


def test_padding_has_no_embedding_to_learn() -> None:
    net = network(reads_padding=True)
    net(mentions([1])).sum().backward()
    assert net.embedding.weight.grad is not None
    assert net.embedding.weight.grad[MOVIES].tolist() == [0.0] * 5
