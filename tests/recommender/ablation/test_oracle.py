import numpy as np
import pytest
from whole_rankings import whole_rankings

from stages.recommender.ablation.oracle import gated, reranked, without_mentions
from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.rankings import Rankings


def ndcg(answers: Rankings) -> list[float]:
    return metrics.ndcg(answers.ranking, answers.labels, 10).tolist()


# mentions 7, 8, 9; of the labels 9 is mentioned, 2 is ranked fourth, 5 is not ranked
ONE = whole_rankings([[7, 1, 9, 2, 8, 3]], [[7, 8, 9, 7]], [[2, 5, 9]])
BEST = 1 + 1 / np.log2(3) + 1 / np.log2(4)
"""Of three labels: ranks 1, 2 and 3."""


def test_a_perfect_order_puts_the_ranked_labels_first() -> None:
    ordered = reranked(ONE)
    assert ordered.ranking.tolist() == [[9, 2, 7, 1, 8, 3]]
    # the third label is not ranked
    assert ndcg(ordered) == pytest.approx([(1 + 1 / np.log2(3)) / BEST])
    assert ndcg(ONE) == pytest.approx([(1 / np.log2(4) + 1 / np.log2(5)) / BEST])


def test_a_perfect_gate_repeats_what_comes_again_and_nothing_else() -> None:
    decided = gated(ONE)
    assert decided.ranking.tolist() == [[9, 1, 2, 3, -1, -1]]
    # 9 at rank 1, 2 at rank 3
    assert ndcg(decided) == pytest.approx([(1 + 1 / np.log2(4)) / BEST])


def test_a_perfect_gate_repeats_what_was_not_ranked_as_well() -> None:
    answers = whole_rankings([[1, 2, 3]] * 2, [[6, 5], []], [[5, 6], [3]])
    assert gated(answers).ranking.tolist() == [[5, 6, 1], [1, 2, 3]]
    assert ndcg(gated(answers)) == pytest.approx([1.0, 0.5])


def test_never_to_repeat_leaves_the_new_movies() -> None:
    left = without_mentions(ONE)
    assert left.ranking.tolist() == [[1, 2, 3, -1, -1, -1]]
    assert ndcg(left) == pytest.approx([1 / np.log2(3) / BEST])


def test_no_merging_of_mentions_and_new_movies_beats_the_perfect_gate() -> None:
    random = np.random.default_rng(4)
    for _ in range(200):
        ranked = random.permutation(12)[:9].astype(np.int32)
        mentions = random.choice(12, 4, replace=False).tolist()
        labels = random.choice(12, 3, replace=False).tolist()
        answers = whole_rankings([ranked.tolist()], [mentions], [labels])
        new = [movie for movie in ranked if movie not in mentions]
        old = random.permutation(mentions).tolist()
        mine = sorted(random.choice(len(new) + 4, 4, replace=False).tolist())
        merged = list(new)
        for place, movie in zip(mine, old, strict=True):
            merged.insert(place, movie)
        merged = merged[:9] + [-1] * (9 - len(merged))
        other = whole_rankings([merged], [mentions], [labels])
        assert ndcg(gated(answers))[0] >= ndcg(other)[0] - 1e-12
