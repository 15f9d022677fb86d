import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from served_models import READ_TITLES, write_gate

from stages.recommender.dialogues.contexts import mention_contexts
from stages.recommender.errors import UserError
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.model_folder import load_model
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.serving import recommender as recommender_module
from stages.recommender.serving.recommender import Recommender, Request, _best
from stages.recommender.serving.sentences import LightEncoder, load_encoder
from stages.recommender.tokens import load_tokenizer

BABADOOK, ALIEN, TOYS = 100, 101, 102
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def recommender(models: Path) -> Recommender:
    return Recommender.load(models / "weighted-rnn")


def test_scores_are_those_of_the_model_for_the_text_as_it_was_trained(
    models: Path, recommender: Recommender
) -> None:
    answer = recommender.recommend("scary like Alien and Toy Story", k=50, exclude_mentioned=False)
    _, model, encoder, _ = load_model(models / "weighted-rnn")
    ids = recommender._tokenizer.encode("scary like @ and @").ids
    with torch.inference_mode():
        sentence = encoder(Ragged(torch.tensor(ids), torch.tensor([len(ids)])))
        logits = model(sentence, Ragged(torch.tensor([1, 2]), torch.tensor([2])))[0]
    found = {movie.redial_id - 100: movie.score for movie in answer.recommendations}
    assert [found[index] for index in range(len(logits))] == pytest.approx(
        logits.tolist(), abs=1e-5
    )
    scores = [movie.score for movie in answer.recommendations]
    assert scores == sorted(scores, reverse=True)
    assert [movie.rank for movie in answer.recommendations] == list(range(1, len(logits) + 1))


def test_a_gate_reads_the_words_around_mentions(tmp_path: Path, tiny_encoder: Path) -> None:
    folder = write_gate(tmp_path, tiny_encoder)
    given = [ALIEN, TOYS, BABADOOK]  # the last is not in the text: a message of its own
    answer = Recommender.load(folder).recommend(
        "scary like Alien and Toy Story", given, k=50, exclude_mentioned=False
    )
    _, model, encoder, _ = load_model(folder)
    tokenizer = load_tokenizer(tiny_encoder, max_tokens=None)
    ids = tokenizer.encode("scary like Alien and Toy Story [SEP] The Babadook").ids
    pieces = [["scary like ", " and ", " [SEP] ", ""]]
    [around] = mention_contexts(pieces, tokenizer, READ_TITLES.context_tokens)
    with torch.inference_mode():
        sentence = encoder(Ragged(torch.tensor(ids), torch.tensor([len(ids)])))
        mentions = Ragged(torch.tensor([1, 2, 0]), torch.tensor([3]))
        contexts = Ragged(torch.tensor(around), torch.tensor([len(around)]))
        logits = model(sentence, mentions, contexts=contexts)[0]
        unread = model(sentence, mentions)[0]
    found = {movie.redial_id - 100: movie.score for movie in answer.recommendations}
    scores = torch.tensor([found[index] for index in range(len(logits))])
    torch.testing.assert_close(scores, logits, atol=1e-5, rtol=1e-5)
    assert (logits - unread).abs()[:3].min() > 1e-3


def test_what_pulled_a_movie_up_is_the_loss_without_it(
    models: Path, recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    least = 0.02
    monkeypatch.setattr(recommender_module, "_LEAST_CONTRIBUTION", least)
    answer = recommender.recommend("scary like Alien and Toy Story", k=50, exclude_mentioned=False)
    _, model, encoder, _ = load_model(models / "weighted-rnn")
    ids = recommender._tokenizer.encode("scary like @ and @").ids
    with torch.inference_mode():
        sentence = encoder(Ragged(torch.tensor(ids), torch.tensor([len(ids)]))).expand(3, -1)
        mentions = Ragged(torch.tensor([1, 2, 2, 1]), torch.tensor([2, 1, 1]))
        both, without_alien, without_toys = model(sentence, mentions)
    lost = {ALIEN: both - without_alien, TOYS: both - without_toys}
    shown = 0
    for movie in answer.recommendations:
        losses = {cause: float(loss[movie.redial_id - 100]) for cause, loss in lost.items()}
        expected = {cause: loss for cause, loss in losses.items() if loss >= least}
        causes = movie.reasons.pulled_up_by
        assert {cause.movie.redial_id: cause.contribution for cause in causes} == pytest.approx(
            expected, abs=1e-5
        )
        contributions = [cause.contribution for cause in causes]
        assert contributions == sorted(contributions, reverse=True)
        shown += len(causes)
    assert 0 < shown < int((torch.stack([*lost.values()]) > 0).sum())


def test_mentioned_movies_are_left_out_unless_asked_for(recommender: Recommender) -> None:
    def ids(*, exclude: bool) -> set[int]:
        answer = recommender.recommend("like Alien", k=50, exclude_mentioned=exclude)
        return {movie.redial_id for movie in answer.recommendations}

    assert ids(exclude=False) - ids(exclude=True) == {ALIEN}


@given(
    st.lists(st.sampled_from([-float("inf"), -1.5, 0.0, 2.0]), min_size=1, max_size=30),
    st.integers(1, 40),
)
def test_the_best_come_first_and_of_equal_ones_the_first(scores: list[float], k: int) -> None:
    finite = [movie for movie, score in enumerate(scores) if score > -float("inf")]
    expected = sorted(finite, key=lambda movie: (-scores[movie], movie))[:k]
    assert _best(torch.tensor(scores), k).tolist() == expected


def test_mentions_may_be_given_or_ruled_out(recommender: Recommender) -> None:
    def understood(mentions: list[int] | None) -> list[tuple[int, str]]:
        answer = recommender.recommend("I liked Alien", mentions)
        return [(mention.movie.redial_id, mention.how) for mention in answer.mentions]

    assert understood(None) == [(ALIEN, "exact")]
    assert understood([]) == []
    assert understood([TOYS, ALIEN, TOYS]) == [(ALIEN, "exact"), (TOYS, "given")]


@pytest.mark.parametrize("rows_at_once", [1, 7, 256])
def test_a_batch_is_its_requests_one_by_one(
    recommender: Recommender, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommender_module, "_ROWS_AT_ONCE", rows_at_once)
    requests = [
        Request("scary like Alien", k=3),
        Request("funny movies"),
        Request("", [TOYS], k=50, exclude_mentioned=False),
    ]
    together = recommender.recommend_batch(requests * 30)
    for row, answer in enumerate(together):
        asked = requests[row % 3]
        alone = recommender.recommend(asked.text, asked.mentions, asked.k, asked.exclude_mentioned)
        assert [movie.redial_id for movie in answer.recommendations] == [
            movie.redial_id for movie in alone.recommendations
        ]
        assert [movie.score for movie in answer.recommendations] == pytest.approx(
            [movie.score for movie in alone.recommendations], abs=1e-5
        )
    assert recommender.recommend_batch([]) == []


def test_reasons_are_requests_that_were_answered_with_the_movie(recommender: Recommender) -> None:
    answer = recommender.recommend("something scary", k=13)
    for movie in answer.recommendations:
        index = movie.redial_id - 100
        rows = [int(near.text.rsplit(" ", 1)[1]) for near in movie.reasons.nearest_requests]
        assert len(rows) == 2
        assert all(row % 13 == index for row in rows)
        first, second = (near.similarity for near in movie.reasons.nearest_requests)
        assert 1 >= first >= second >= -1
    tags = {movie.redial_id: movie.reasons.tags for movie in answer.recommendations}
    assert tags[BABADOOK] == ["pixar", "toys"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("  ",), "the request is empty"),
        (("hi", [7]), "no movie of the catalogue has the id 7; find one with: recommend movies"),
        (("hi", None, 0), "0 movies cannot be recommended"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told(
    recommender: Recommender, arguments: tuple[object, ...], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        recommender.recommend(*arguments)  # type: ignore[arg-type]


def test_a_folder_without_its_title_usage_says_how_to_make_it(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weighted-rnn"
    shutil.copytree(models / "weighted-rnn", folder)
    (folder / "title_usage.parquet").unlink()
    told = r"title_usage.parquet is missing; make it with: dvc repro train@weighted-rnn"
    with pytest.raises(UserError, match=told):
        Recommender.load(folder)


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_folder_without_its_tokenizer_says_to_train_again(
    models: Path, tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "weighted-rnn"
    shutil.copytree(models / "weighted-rnn", folder)
    tokenizer = folder / "encoder" / "tokenizer.json"
    tokenizer.unlink()
    if content is not None:
        tokenizer.write_text(content, encoding="utf-8")
    told = r"tokenizer.json is missing or no tokenizer; .* dvc repro -f -s train@weighted-rnn$"
    with pytest.raises(UserError, match=told):
        Recommender.load(folder)


def test_a_request_is_checked_without_answering_it(recommender: Recommender) -> None:
    recommender.check(Request("scary", [BABADOOK, ALIEN], 1))
    for request, told in (
        (Request("scary", [BABADOOK, 7]), "no movie of the catalogue has the id 7"),
        (Request("scary", k=0), "0 movies cannot be recommended"),
        (Request(" ", []), "the request is empty"),
    ):
        with pytest.raises(UserError, match=told):
            recommender.check(request)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_light_encoder_gives_the_vectors_of_the_one_in_training(
    tiny_encoder: Path, pooling: str
) -> None:
    light = load_encoder(tiny_encoder, pooling)
    assert isinstance(light, LightEncoder)
    texts = Ragged(torch.tensor([2, 9, 3, 2, 11, 12, 13, 3]), torch.tensor([3, 5]))
    with torch.inference_mode():
        expected = SentenceEncoder(tiny_encoder, pooling, "none").eval()(texts)
        torch.testing.assert_close(light(texts), expected, atol=1e-5, rtol=1e-5)


def test_serving_imports_no_training() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        graph = grimp.build_graph("stages", cache_dir=None)
    library = "stages.recommender"
    chains = graph.find_shortest_chains(f"{library}.serving", f"{library}.training")
    assert chains == set()


def test_loading_imports_nothing_heavy(models: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from stages.recommender.serving.recommender import Recommender\n"
        "Recommender.load(Path(sys.argv[1])).recommend('scary')\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(models / "weighted-rnn")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"transformers", "sklearn", "scipy", "datasets", "pandas"}.isdisjoint(
        done.stdout.split()
    )
