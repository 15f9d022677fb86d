"""How a rung is trained: as any model, but with parameters that are constants of the ladder's."""

from stages.recommender.training.names import Names
from stages.recommender.training.run import SeedRun

_RUNGS = "in stages/recommender/ladder/rungs.py"
_CORPUS = "in stages/recommender/ladder/corpus.py"
NAMES = Names(
    rates=(f"head_learning_rate {_RUNGS}",),
    request_batch="dialogue_batch",
    tag_batch=f"tag_batch {_RUNGS}",
    request_tokens=(f"REQUEST_TOKENS {_CORPUS}",),
    tag_tokens=(f"TAG_TOKENS {_CORPUS}",),
    evaluation_batch=f"the batch of Evaluation {_RUNGS}",
)
"""Of what a rung reads; its encoder is frozen."""


class RungRun(SeedRun):
    """The training of a rung with one seed; see :class:`SeedRun`."""

    def _names(self) -> Names:
        return NAMES
