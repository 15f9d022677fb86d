import torch
from served_models import GATE

from stages.recommender.dialogues.contexts import NOTHING, OTHER_MENTION
from stages.recommender.modeling.mention_context import MARKS, MentionContext


def test_all_marks_and_tokens_have_a_vector_and_a_place() -> None:
    torch.manual_seed(0)
    context = MentionContext(vocabulary=5, reach=2, params=GATE).eval()
    assert len(context.words.weight) == 5 + MARKS
    assert min(NOTHING, OTHER_MENTION) == -MARKS
    rows = torch.tensor([[NOTHING, 0, 4, OTHER_MENTION], [0, NOTHING, 4, OTHER_MENTION]])
    first, second = context(rows)
    linear = context.hidden[1]
    words = context.words.weight[[1, 2, 6, 0]].flatten()  # marks come first, -2 before -1
    torch.testing.assert_close(first, (linear.weight @ words + linear.bias).clamp(min=0))
    assert not torch.equal(first, second)
    assert first.shape == (GATE.context_hidden_size,)
