import math

import pytest
import torch
from ragged_rows import ragged
from torch import Tensor
from torch.nn import functional

from stages.recommender.modeling.cooccurrence import FLOOR, Cooccurrence
from stages.recommender.modeling.gate import BEFORE, READINGS, RULES, GatedRecommender
from stages.recommender.modeling.mention_context import MentionContext
from stages.recommender.modeling.neighbours import Neighbours
from stages.recommender.params import Gate

GATE = Gate(
    trainable_layers="none",
    encoder_learning_rate=1e-5,
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
    context = MentionContext(vocabulary=9, reach=1, params=GATE)
    model = GatedRecommender(torch.randn(MOVIES, WIDTH), counts, neighbours, context, GATE)
    model.start_from(torch.randn(20, WIDTH))
    return model.eval()


def query_of(gate: GatedRecommender, sentences: Tensor, reading: int) -> Tensor:
    standard = (sentences - gate.mean) / gate.deviation
    reading_vector = gate.reading.weight[reading].expand(len(sentences), -1)
    query: Tensor = gate.text_query(gate.hidden(torch.cat([standard, reading_vector], dim=1)))
    return query


def explored(gate: GatedRecommender, sentence: Tensor, reading: int) -> Tensor:
    """What is said of movies by popularity and text alone: (1, width) → (movies,)."""
    query = query_of(gate, sentence, reading)
    by_text = 4 * functional.normalize(query, dim=1) @ gate.movie_texts.T * query.norm()
    return gate.bias + by_text[0]


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
    with torch.no_grad():
        gate.from_start[TURN, 0] += 1.0  # 3
        gate.from_end[TURN, 0] += 10.0  # 0
        gate.by_number[TURN, 2] += 100.0  # all, since there are three
        gate.by_number[WHOLE, 2] += 1000.0
        gate.repeat.bias += 0.25
    after = gate(sentence, mentions, readings)
    expected = torch.tensor([[110.25, 100.25, 0.0, 101.25]])
    torch.testing.assert_close(after - before, expected, atol=1e-4, rtol=0)


def test_each_time_that_a_movie_is_mentioned_its_words_are_read(gate: GatedRecommender) -> None:
    sentences, mentions = torch.randn(2, WIDTH), ragged([[3, 1, 3], [0]])
    readings = torch.tensor([TURN, WHOLE])
    contexts = ragged([[5, 6, -1, 7, 8, -2], [4, 4]])
    unread = gate(sentences, mentions, readings)
    torch.testing.assert_close(gate(sentences, mentions, readings, None, contexts), unread)
    with torch.no_grad():
        gate.repeat_said.weight.normal_()
        said = gate.repeat_said(gate.context(contexts.values.view(4, 2)))  # (mentions, readings)
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
    assert gate.bias.tolist() == pytest.approx([math.log(s + FLOOR) for s in shares])
    sentence = torch.randn(1, WIDTH)
    torch.testing.assert_close(gate.tag_logits(sentence)[0], explored(gate, sentence, BEFORE))
    assert torch.allclose(gate.movie_texts.norm(dim=1), torch.ones(MOVIES))


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
    unknown = gate.bias[[0, 2]].mean()  # never recommended
    [query] = query_of(gate, sentence, BEFORE)
    # (0, 0, 0, 3, 4) and (2, 0, 0, 0, 0), brought to length 1; no lift
    by_text = [4 * (0.6 * query[3] + 0.8 * query[4]), 4 * query[0]]
    torch.testing.assert_close(after[MOVIES:], unknown + torch.stack(by_text))
    again = larger(sentence, ragged([[1, MOVIES + 1, 3]]))  # it may be mentioned as well
    assert again.isfinite().all()
    assert len(gate.bias) == MOVIES
    state = GatedRecommender(
        torch.zeros(MOVIES + 2, WIDTH),
        larger.cooccurrence,
        Neighbours(3, 7, MOVIES + 2, WIDTH, GATE),
        MentionContext(9, 1, GATE),
        GATE,
    )
    state.load_state_dict(larger.state_dict())


def test_where_every_movie_was_recommended_a_new_one_stands_by_the_rarest(
    gate: GatedRecommender,
) -> None:
    gate.cooccurrence.share.copy_(torch.tensor([0.5, 0.25, 0.75, 0.5]))
    larger = gate.with_new_movies(torch.randn(1, WIDTH))
    assert torch.equal(larger.bias[MOVIES:], gate.bias[1:2])


def test_all_rules_are_parameters(gate: GatedRecommender) -> None:
    found = [name for name, _ in gate.named_parameters() if name.startswith(RULES)]
    lifts = ["lift.weight", "lift.bias", "near.weight", "near.bias"]
    assert found == ["from_start", "from_end", "by_number", *lifts]
    assert all(p.numel() for p in gate.parameters())
