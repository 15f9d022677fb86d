import struct

import made_up_report
import pytest

from stages.recommender.reporting import pictures
from stages.recommender.reporting.content import Report


def test_pictures_stand_in_the_order_of_the_page(report: Report) -> None:
    assert [picture.name for picture in pictures.pictures(report)] == [
        "ladder",
        "models",
        "ablation",
        "learning-curve",
        "training-curves",
        "weighted-over-original",
        "against-published",
        "coverage",
        "error-analysis",
    ]


def test_without_data_there_are_no_pictures() -> None:
    assert pictures.pictures(Report(corpus="none", run={})) == []
    baselines = Report(corpus="none", run={}, results=made_up_report.results().head(2))
    assert [picture.name for picture in pictures.pictures(baselines)] == ["models"]


def test_every_picture_is_told_in_words(report: Report) -> None:
    told = {picture.name: picture.alt for picture in pictures.pictures(report)}
    assert told["ladder"] == (
        "nDCG@10 (all) over 3 rungs, from 0.044 (the notebook) to 0.100 (+ loss)"
    )
    assert told["models"] == (
        "nDCG@10 (all) of 6 models and baselines with 95% intervals, best first: "
        "mentions-then-popular with 0.210"
    )
    assert told["ablation"] == (
        "What softmax-gate loses without each of 2 parts, with 95% intervals; "
        "most of nDCG@10 (all) without counts: \N{MINUS SIGN}0.100"
    )
    assert told["learning-curve"] == (
        "nDCG@10 (all) of softmax-gate from 0.250 on 2,000 dialogues to 0.300 on 8,000 dialogues"
    )
    assert told["training-curves"].endswith(
        "for 4 models; the highest nDCG@10 is 0.090, weighted-baseline"
    )
    assert told["coverage"].endswith("96.0% of mentions, 90.0% of movies")
    assert told["error-analysis"] == (
        "nDCG@10 (all) of weighted-rnn-multitask (first seed of 3) by movies mentioned, "
        "label in training"
    )


@pytest.mark.parametrize("name", ["ladder", "coverage"])
def test_a_png_has_no_version_and_no_date_in_it(report: Report, name: str) -> None:
    picture = next(each for each in pictures.pictures(report) if each.name == name)
    content = picture.png()
    assert content == picture.png()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append(content[at + 4 : at + 8])
        at += 12 + length
    assert set(chunks) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
