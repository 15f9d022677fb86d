import pyarrow as pa

from stages.recommender.dialogues import splits
from stages.recommender.ladder.corpus import Corpus
from stages.recommender.ladder.rungs import Setup

RIGHT = Setup(protocol="corrected")
VALIDATED = Setup(protocol="corrected", selects_on="validation")


def parts(corpus: Corpus, setup: Setup) -> list[pa.Table]:
    examples = corpus.inputs(setup).examples
    assert set(examples) == {("whole", split) for split in splits.SPLITS}
    return [examples["whole", split] for split in splits.SPLITS]


def test_what_selects_on_the_test_split_trains_on_all_other_dialogues(corpus: Corpus) -> None:
    train, validation, test = parts(corpus, RIGHT)
    own_train, own_validation, own_test = parts(corpus, VALIDATED)
    assert validation.equals(test)
    assert test.equals(own_test)
    assert train.equals(pa.concat_tables([own_train, own_validation]))
    chosen, rest = (set(t["conversation_id"].to_pylist()) for t in (own_validation, own_train))
    assert chosen
    assert not chosen & rest


def test_the_notebook_reads_another_speaker_as_the_seeker(corpus: Corpus) -> None:
    train, validation, test = parts(corpus, Setup())
    assert validation.equals(test)
    right = parts(corpus, RIGHT)[0]
    texts = [
        dict(zip(table["conversation_id"].to_pylist(), table["text"].to_pylist(), strict=True))
        for table in (train, right)
    ]
    shared = texts[0].keys() & texts[1].keys()
    assert 0 < sum(texts[0][each] != texts[1][each] for each in shared) < len(shared)


def test_titles_replace_the_mask_in_the_same_examples(corpus: Corpus) -> None:
    titles = Setup(protocol="corrected", selects_on="validation", text_form="titles")
    for masked, named in zip(parts(corpus, VALIDATED), parts(corpus, titles), strict=True):
        assert masked["conversation_id"].equals(named["conversation_id"])
        assert masked["labels"].equals(named["labels"])
        assert not masked["text"].equals(named["text"])


def test_the_join_changes_the_tags_movies_and_nothing_else(corpus: Corpus) -> None:
    by_id = corpus.inputs(RIGHT)
    by_title = corpus.inputs(Setup(protocol="corrected", join="title"))
    assert by_id.movies["redial_id"].equals(by_title.movies["redial_id"])
    assert not by_id.movies["movielens_id"].equals(by_title.movies["movielens_id"])
    assert not by_id.tags["train"].equals(by_title.tags["train"])
    assert by_id.examples["whole", "train"].equals(by_title.examples["whole", "train"])


def test_what_rungs_share_is_made_once(corpus: Corpus) -> None:
    padded, unpadded = (corpus.inputs(Setup(reads_padding=each)) for each in (True, False))
    assert padded.examples["whole", "train"] is unpadded.examples["whole", "train"]
    assert padded.tags is unpadded.tags
    assert padded.movies is unpadded.movies


def test_texts_are_cut_where_the_encoder_stops_reading(corpus: Corpus) -> None:
    assert corpus.request_tokens == 64
    longest = max(map(len, parts(corpus, RIGHT)[0]["input_ids"].to_pylist()))
    assert longest == 64
