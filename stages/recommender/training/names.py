"""What messages call the parameters that a training reads."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names under which a user finds what a training reads.

    Made without arguments, those of the models that section ``training`` is for. A training whose
    parameters stand elsewhere brings names of its own, so that what trains all of them tells none
    from another.

    Attributes:
        trainable_layers: Which of the encoder's layers learn.
        encoder_rate: The learning rate of those layers.
        rates: What else makes a step greater, other learning rates first.
        request_batch: Requests a step.
        tag_batch: The auxiliary task's examples a step.
        request_tokens: Where requests are cut.
        tag_tokens: Where the auxiliary task's texts are cut.
        evaluation_batch: Examples scored at once.
        tags: The auxiliary task's examples themselves, beside their loss.
    """

    trainable_layers: str = "training.trainable_layers"
    encoder_rate: str = "training.encoder_learning_rate"
    rates: tuple[str, ...] = ("training.head_learning_rate",)
    request_batch: str = "training.dialogue_batch"
    tag_batch: str = "training.tag_batch"
    request_tokens: tuple[str, ...] = ("dialogues.max_tokens",)
    tag_tokens: tuple[str, ...] = ("tags.max_tokens",)
    evaluation_batch: str = "evaluation.batch"
    tags: str = "tags"

    def of_step(self, encoder_learns: bool) -> str:
        """What makes a step's change of the weights smaller."""
        return either([*([self.encoder_rate] if encoder_learns else []), *self.rates])

    def of_memory(self, encoder_learns: bool, with_tags: bool) -> str:
        """What makes a step take less memory."""
        found = [self.request_batch, *([self.tag_batch] if with_tags else [])]
        if encoder_learns:  # else its texts are vectors already, of one width
            found += [*self.request_tokens, *(self.tag_tokens if with_tags else ())]
        return either(found)


def either(names: Sequence[str]) -> str:
    """Names as alternatives: ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
