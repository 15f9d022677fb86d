import pytest
import torch
from served_models import GATE

from stages.recommender.dialogues.contexts import COUNTS, NOTHING, OTHER_MENTION
from stages.recommender.modeling.mention_context import MARKS, MentionContext


def test_all_marks_and_tokens_have_a_vector_and_a_place() -> None:
    torch.manual_seed(0)
    context = MentionContext(vocabulary=5, reach=2, params=GATE).eval()
    assert len(context.words.weight) == 5 + MARKS
    assert min(NOTHING, OTHER_MENTION) == -MARKS
    tokens = [[NOTHING, 0, 4, OTHER_MENTION], [0, NOTHING, 4, OTHER_MENTION]]
    first, second = context(torch.tensor([[*row, 2, 99, 7, 46] for row in tokens]))
    linear = context.hidden[1]
    words = context.words.weight[[1, 2, 6, 0]].flatten()  # marks come first, -2 before -1
    # 7 words are more than 6 and at most 8, the eighth class; 46 are more than all
    classes = zip(context.places, (2, 15, 7, 14), strict=True)
    places = [place.weight[number] for place, number in classes]
    read = torch.cat([words, *places])
    torch.testing.assert_close(first, (linear.weight @ read + linear.bias).clamp(min=0))
    assert not torch.equal(first, second)
    assert first.shape == (GATE.context_hidden_size,)


@pytest.mark.parametrize("number", range(COUNTS))
def test_each_number_of_a_place_is_read_apart(number: int) -> None:
    torch.manual_seed(0)
    context = MentionContext(vocabulary=5, reach=1, params=GATE).eval()
    row = torch.tensor([[1, 2, 0, 0, 0, 0]]).repeat(3, 1)
    row[1, 2 + number], row[2, 2 + number] = 1, 2
    found = context(row)
    assert len({tuple(vector.tolist()) for vector in found}) == 3
