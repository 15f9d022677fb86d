import math

import pytest
import torch
from ragged_rows import ragged
from torch import Tensor, nn
from torch.nn import functional

from stages.recommender.modeling.cooccurrence import FLOOR, Cooccurrence
from stages.recommender.modeling.gate import BEFORE, READINGS, GatedRecommender, Member
from stages.recommender.modeling.neighbours import Neighbours
from stages.recommender.params import Gate

GATE = Gate(
    trainable_layers="none",
    encoder_learning_rate=1e-5,
    members=2,
    hidden_size=6,
    dropout=0.5,
    sentence_dropout=0.5,
    context_embedding_size=3,
    context_hidden_size=4,
    shrinkage=2.0,
    neighbours=2,
    neighbour_sharpness=3.0,
    neighbour_mentions=0.5,
    movie_text_weight=0.2,
    learning_rate=0.001,
    rule_learning_rate=0.03,
    epochs=1,
    batch=4,
    movie_batch=4,
    repeats=1,
)
MOVIES, WIDTH = 4, 5
WHOLE, TURN = READINGS.index("whole"), READINGS.index("turn")


@pytest.fixture
def gate() -> GatedRecommender:
    torch.manual_seed(0)
    counts = Cooccurrence.count(
        ragged([[0, 1, 2], [0, 1], [0, 3]]), ragged([[1, 2], [1], [0, 3]]), MOVIES, GATE.shrinkage
    )
    neighbours = Neighbours(3, 7, MOVIES, WIDTH, GATE)
    neighbours.remember(torch.randn(3, WIDTH), ragged([[0, 1, 2], [0, 1], [0, 3]]))
    model = GatedRecommender(torch.randn(MOVIES, WIDTH), counts, neighbours, 9, 1, GATE)
    model.start_from(torch.randn(20, WIDTH))
    return model.eval()


def hidden_of(gate: GatedRecommender, member: Member, sentences: Tensor, reading: int) -> Tensor:
    standard = (sentences - gate.mean) / gate.deviation
    reading_vector = member.reading.weight[reading].expand(len(sentences), -1)
    hidden: Tensor = member.hidden(torch.cat([standard, reading_vector], dim=1))
    return hidden


def explored(gate: GatedRecommender, sentence: Tensor, reading: int) -> Tensor:
    """The mean over the members of what they say of new movies: (1, width) → (movies,)."""
    every = []
    for member in gate.members:
        query = member.text_query(hidden_of(gate, member, sentence, reading))
        by_text = 4 * functional.normalize(query, dim=1) @ gate.movie_texts.T * query.norm()
        every.append(member.bias + by_text[0])
    return (every[0] + every[1]) / 2


def test_an_untrained_gate_adds_its_start_to_each_distinct_mention(gate: GatedRecommender) -> None:
    sentences = torch.randn(3, WIDTH)
    mentions = ragged([[2, 0, 2], [2, 0], [2, 0]])
    readings = torch.tensor([WHOLE, BEFORE, TURN])
    found = gate(sentences, mentions, readings)
    lift = math.log1p(math.exp(0.5)) * gate.cooccurrence(ragged([[2, 0]] * 3))
    lift += math.log1p(math.exp(-0.5)) * gate.neighbours(
        gate.neighbours.nearest_to(sentences, ragged([[2, 0]] * 3))
    )
    of_new = [explored(gate, sentences[[n]], int(reading)) for n, reading in enumerate(readings)]
    rest = found - lift - torch.stack(of_new)
    expected = [[4.0, 0.0, 4.0, 0.0], [0.0] * 4, [2.0, 0.0, 2.0, 0.0]]
    torch.testing.assert_close(rest, torch.tensor(expected), atol=1e-5, rtol=0)


def test_a_mention_is_told_by_its_place_and_by_the_number_of_mentions(
    gate: GatedRecommender,
) -> None:
    sentence, readings = torch.randn(1, WIDTH), torch.tensor([TURN])
    mentions = ragged([[3, 1, 3, 0]])  # 3, 1, 0 in this order
    before = gate(sentence, mentions, readings)
    one, other = gate.members
    with torch.no_grad():
        one.from_start[TURN, 0] += 1.0  # 3
        one.from_end[TURN, 0] += 10.0  # 0
        one.by_number[TURN, 2] += 100.0  # all, since there are three
        other.by_number[WHOLE, 2] += 1000.0
        other.repeat.bias += 0.5
    after = gate(sentence, mentions, readings)
    # the mean of two members
    expected = torch.tensor([[55.25, 50.25, 0.0, 50.75]])
    torch.testing.assert_close(after - before, expected, atol=1e-4, rtol=0)


def test_each_time_that_a_movie_is_mentioned_its_words_are_read(gate: GatedRecommender) -> None:
    sentences, mentions = torch.randn(2, WIDTH), ragged([[3, 1, 3], [0]])
    readings = torch.tensor([TURN, WHOLE])
    contexts = ragged([[5, 6, -1, 7, 8, -2], [4, 4]])
    unread = gate(sentences, mentions, readings)
    torch.testing.assert_close(gate(sentences, mentions, readings, None, contexts), unread)
    with torch.no_grad():
        every = []
        for member in gate.members:
            member.repeat_said.weight.normal_()
            every.append(member.repeat_said(member.context(contexts.values.view(4, 2))))
        said = (every[0] + every[1]) / 2  # (mentions, readings)
    found = gate(sentences, mentions, readings, None, contexts) - unread
    expected = torch.zeros(2, MOVIES)
    expected[0, 3] = said[0, TURN] + said[2, TURN]
    expected[0, 1] = said[1, TURN]
    expected[1, 0] = said[3, WHOLE]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    nothing = gate(sentences, ragged([[], []]), readings, None, ragged([[], []]))
    torch.testing.assert_close(nothing, gate(sentences, ragged([[], []]), readings))


def test_several_sets_of_mentions_share_the_sentence_that_they_are_said_in(
    gate: GatedRecommender,
) -> None:
    sentences, readings = torch.randn(2, WIDTH), torch.tensor([TURN, WHOLE])
    mentions, contexts = ragged([[3, 1], [0], []]), ragged([[5, 6, -1, 7], [4, 4], []])
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.normal_()
    shared = gate(sentences, mentions, readings, contexts=contexts, said_in=torch.tensor([1, 0, 1]))
    each = gate(sentences[[1, 0, 1]], mentions, readings[[1, 0, 1]], contexts=contexts)
    torch.testing.assert_close(shared, each)


def test_the_output_starts_from_popularity_and_movies_texts(gate: GatedRecommender) -> None:
    shares = [1 / 3, 2 / 3, 1 / 3, 1 / 3]
    for member in gate.members:
        assert member.bias.tolist() == pytest.approx([math.log(s + FLOOR) for s in shares])
    sentence = torch.randn(1, WIDTH)
    torch.testing.assert_close(gate.tag_logits(sentence)[0], explored(gate, sentence, BEFORE))
    assert torch.allclose(gate.movie_texts.norm(dim=1), torch.ones(MOVIES))


def test_each_member_answers_alone_in_training_and_the_mean_of_all_afterwards(
    gate: GatedRecommender,
) -> None:
    sentences, readings = torch.randn(2, WIDTH), torch.tensor([TURN, WHOLE])
    mentions, contexts = ragged([[3, 1], [0]]), ragged([[5, 6, -1, 7], [4, 4]])
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.normal_()
    for module in gate.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    answered = gate(sentences, mentions, readings, contexts=contexts)
    of_texts = gate.tag_logits(sentences)
    gate.train()
    apart = gate(sentences, mentions, readings, contexts=contexts)
    texts_apart = gate.tag_logits(sentences)
    assert apart.shape == texts_apart.shape == (4, MOVIES)
    torch.testing.assert_close((apart[:2] + apart[2:]) / 2, answered)
    torch.testing.assert_close((texts_apart[:2] + texts_apart[2:]) / 2, of_texts)
    assert not torch.allclose(apart[:2], apart[2:])
    # no member reads another's weights
    with torch.no_grad():
        for parameter in gate.members[1].parameters():
            parameter.normal_()
    again = gate(sentences, mentions, readings, contexts=contexts)
    assert torch.equal(again[:2], apart[:2])
    assert not torch.allclose(again[2:], apart[2:])


def test_vectors_are_standardised_by_those_of_training(gate: GatedRecommender) -> None:
    sentences = torch.tensor([[1.0] * WIDTH, [3.0] * WIDTH])
    gate.start_from(sentences)
    assert gate.mean.tolist() == [2.0] * WIDTH
    assert gate.deviation.tolist() == pytest.approx([math.sqrt(2)] * WIDTH)


def test_a_new_movie_stands_where_an_unknown_one_stands_but_for_its_text(
    gate: GatedRecommender,
) -> None:
    gate.cooccurrence.share.copy_(torch.tensor([0.0, 0.5, 0.0, 0.25]))
    mean = torch.arange(5.0)
    gate.text_mean.copy_(mean)
    texts = torch.tensor([[0.0, 1.0, 2.0, 6.0, 8.0], [2.0, 1.0, 2.0, 3.0, 4.0]])
    larger = gate.with_new_movies(texts)
    sentence, mentions = torch.randn(1, WIDTH), ragged([[1, 3]])
    before, after = gate(sentence, mentions)[0], larger(sentence, mentions)[0]
    torch.testing.assert_close(after[:MOVIES], before)
    expected = torch.zeros(2)
    for member in gate.members:
        unknown = member.bias[[0, 2]].mean()  # never recommended
        query = member.text_query(hidden_of(gate, member, sentence, BEFORE))[0]
        # (0, 0, 0, 3, 4) and (2, 0, 0, 0, 0), brought to length 1; no lift
        by_text = [4 * (0.6 * query[3] + 0.8 * query[4]), 4 * query[0]]
        expected += (unknown + torch.stack(by_text)) / 2
    torch.testing.assert_close(after[MOVIES:], expected)
    again = larger(sentence, ragged([[1, MOVIES + 1, 3]]))  # it may be mentioned as well
    assert again.isfinite().all()
    assert {len(member.bias) for member in gate.members} == {MOVIES}
    state = GatedRecommender(
        torch.zeros(MOVIES + 2, WIDTH),
        larger.cooccurrence,
        Neighbours(3, 7, MOVIES + 2, WIDTH, GATE),
        9,
        1,
        GATE,
    )
    state.load_state_dict(larger.state_dict())


def test_where_every_movie_was_recommended_a_new_one_stands_by_the_rarest(
    gate: GatedRecommender,
) -> None:
    gate.cooccurrence.share.copy_(torch.tensor([0.5, 0.25, 0.75, 0.5]))
    larger = gate.with_new_movies(torch.randn(1, WIDTH))
    for new, old in zip(larger.members, gate.members, strict=True):
        assert torch.equal(new.bias[MOVIES:], old.bias[1:2])


def test_all_rules_are_parameters(gate: GatedRecommender) -> None:
    lifts = ["lift.weight", "lift.bias", "near.weight", "near.bias"]
    of_each = ["from_start", "from_end", "by_number", *lifts]
    assert gate.rules() == tuple(f"members.{n}.{name}" for n in range(2) for name in of_each)
    assert all(p.numel() for p in gate.parameters())
