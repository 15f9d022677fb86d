"""How training requests use words, counted and kept."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stages.recommender import artifacts
from stages.recommender.title_usage import TitleUsage

TITLES = ["The Babadook", "It", "Up", "Jack", "Her"]


def test_it_counts_words_pairs_capitals_and_mentions() -> None:
    texts = ["I don't like it @", "Like it? No, Jack. @ and @ [SEP] @"]
    usage = TitleUsage.of_requests(texts, [[3], [1, 0, 1]], TITLES)
    assert usage.mentions == Counter({1: 2, 3: 1, 0: 1})
    assert (usage.said["like"], usage.said["dont"], usage.said["like it"]) == (2, 1, 2)
    assert usage.capital == Counter({"jack": 1, "sep": 1})  # "Like" and "No" begin sentences
    assert usage.introduces == Counter({"it": 1, "and": 1, "": 2})


def test_it_is_the_same_where_titles_stand_for_mentions() -> None:
    masked = "I saw @ with Jack and @ @. It was for him"
    titled = "I saw Up with Jack and The Babadook Jack. It was for him"
    usage = TitleUsage.of_requests([titled], [[2, 0, 3]], TITLES)
    assert usage == TitleUsage.of_requests([masked], [[2, 0, 3]], TITLES)
    assert usage.said["jack"] == 1
    # the dialogue was cut before the last mention
    assert TitleUsage.of_requests([titled], [[2, 0, 3, 4]], TITLES) == TitleUsage(
        usage.mentions + Counter({4: 1}), usage.said, usage.capital, usage.introduces
    )


def test_the_table_has_a_row_for_words_that_are_said_or_introduce() -> None:
    usage = TitleUsage.of_requests(["we saw Jack, then @"], [[2]], TITLES)
    assert usage.to_table().to_pylist() == [
        {"words": words, "said": 1, "capital": capital, "introduces": introduces}
        for words, capital, introduces in [
            ("jack", 1, 0),
            ("jack then", 0, 0),
            ("saw", 0, 0),
            ("saw jack", 0, 0),
            ("then", 0, 1),
            ("we", 0, 0),
            ("we saw", 0, 0),
        ]
    ]


REQUESTS = st.lists(
    st.tuples(
        st.text(alphabet="aItU @.'\u2019\u00e9\n", max_size=20),
        st.lists(st.integers(0, len(TITLES) - 1), max_size=3),
    ),
    max_size=5,
)


@given(REQUESTS)
def test_what_is_kept_is_what_was_counted(requests: list[tuple[str, list[int]]]) -> None:
    texts, mentions = [text for text, _ in requests], [movies for _, movies in requests]
    usage = TitleUsage.of_requests(texts, mentions, TITLES)
    assert TitleUsage.from_table(usage.to_table(), usage.mentions) == usage


def test_the_file_is_the_same_whatever_order_words_came_in(tmp_path: Path) -> None:
    for name, texts in (("one", ["a b c", "d e @"]), ("other", ["d e @", "a b c"])):
        mentions = [[1] if "@" in text else [] for text in texts]
        table = TitleUsage.of_requests(texts, mentions, TITLES).to_table()
        artifacts.write_table(tmp_path / name, table, artifacts.TITLE_USAGE_SCHEMA)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
