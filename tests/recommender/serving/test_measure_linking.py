import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from served_models import write_models
from test_linking import USAGE, catalogue

from stages.recommender import artifacts
from stages.recommender.serving import measure_linking
from stages.recommender.serving.linking import TitleLinker
from stages.recommender.serving.measure_linking import filled, measure

BABADOOK, IT_2017, IT_1990, UP = 100, 101, 102, 104


def test_titles_stand_in_the_place_of_ids() -> None:
    text, spans = filled(f"I saw @{UP} and @999, then @{BABADOOK}!", catalogue(), lambda m: m.name)
    assert text == "I saw Up (2009) and @999, then The Babadook (2014)!"
    named = [(text[start:end], movie.redial_id) for start, end, movie in spans]
    assert named == [("Up (2009)", UP), ("The Babadook (2014)", BABADOOK)]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # all three are told by their years, and "Get Out", which nobody meant, is linked
        ("as written", {"mentions": 3, "linked": 4, "right": 3, "precision": 0.75, "recall": 1.0}),
        # "It" that begins a sentence is a word; the next, for its capital letter, the later film
        ("years dropped", {"mentions": 3, "linked": 3, "right": 2, "recall": 0.6667}),
    ],
)
def test_precision_and_recall_over_mentions(form: str, expected: dict[str, Any]) -> None:
    messages = [f"@{BABADOOK} was good", f"@{IT_1990} or @{IT_2017}", "I never saw Get Out"]
    found = measure(TitleLinker(catalogue(), USAGE), messages, catalogue(), form)
    assert found | expected == found


def test_the_command_writes_figures_and_a_table(
    tiny_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = write_models(tmp_path, tiny_encoder)
    dialogue = {
        "conversation_id": 1,
        "initiator_id": 1,
        "respondent_id": 2,
        "messages": [
            {"sender_id": 1, "text": "I loved @100 and @103"},
            {"sender_id": 2, "text": "You may like @101 too"},
        ],
        "movies": [],
        "initiator_answers": [],
        "respondent_answers": [],
    }
    table = pa.Table.from_pylist([dialogue], schema=artifacts.DIALOGUE_SCHEMA)
    file = tmp_path / artifacts.REDIAL / "test.parquet"
    artifacts.write_table(file, table, artifacts.DIALOGUE_SCHEMA)
    monkeypatch.setattr(sys, "argv", ["measure", str(models), "--write", str(tmp_path / "out")])
    measure_linking.main()
    written = json.loads((tmp_path / "out" / "linking.json").read_text(encoding="utf-8"))
    assert (written["split"], written["messages"]) == ("test", 2)
    assert list(written["forms"]) == list(measure_linking.FORMS)
    assert {found["mentions"] for found in written["forms"].values()} == {3}
    shown = (tmp_path / "out" / "linking.txt").read_text(encoding="utf-8")
    assert capsys.readouterr().out == shown
    line = next(line for line in shown.splitlines() if line.startswith("as written"))
    found = written["forms"]["as written"]
    assert line.split()[-2:] == [f"{found['precision']:.3f}", f"{found['recall']:.3f}"]
