from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.errors import UserError
from stages.recommender.yaml_files import read_yaml


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds nothing but should map keys to values; mend it"),
        ("# only a comment\n", "holds nothing but should map keys to values; mend it"),
        ("- a\n- b\n", "holds a list but should map keys to values; mend it"),
        ("loss\n", "holds 'loss' (text) but should map keys to values; mend it"),
        (
            "loss:\n\tpos_weight: 1\n",
            "is no YAML in line 2: while scanning for the next token found character '\\t' that "
            "cannot start any token; mend it there",
        ),
        (
            "seed: 1\nepochs: 2\nseed: 3\n",
            'is no YAML in line 3: while constructing a mapping found duplicate key "seed" with '
            'value "3" (original value: "1"); mend it there',
        ),
        (
            "loss:\n  pos_weight: 1\n tag_weight: 2\n",
            "is no YAML in line 3: while parsing a block mapping expected <block end>, but found "
            "'<block mapping start>'; mend it there",
        ),
        (
            "readings: [turn\nseed: 1\n",
            "is no YAML in line 2: while parsing a flow sequence expected ',' or ']', but got "
            "':'; mend it there",
        ),
        (
            "a: 'open\n",
            "is no YAML in line 2: while scanning a quoted scalar found unexpected end of stream; "
            "mend it there",
        ),
        (
            "a: *nowhere\n",
            "is no YAML in line 1: found undefined alias 'nowhere'; mend it there",
        ),
        (
            "a: !!python/object/apply:os.system [echo]\n",
            "is no YAML in line 1: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.system'; mend it there",
        ),
        ("since: 2024-13-01\n", "is no YAML: month must be in 1..12; mend it there"),
        (
            "a: 1\n---\nb: 2\n",
            "is no YAML in line 2: expected a single document in the stream but found another "
            "document; mend it there",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_yaml(path)
    assert str(raised.value) == f"{path} {told}"


def test_what_nests_too_deeply_is_told(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("a: " + "[" * 500)
    with pytest.raises(UserError, match=r"some\.yaml is no YAML: maximum recursion depth .*; mend"):
        read_yaml(path)


def test_text_of_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_bytes("titel: Amélie".encode("latin-1"))
    with pytest.raises(UserError, match=r"some\.yaml is no UTF-8 text \(.*\); save it as UTF-8$"):
        read_yaml(path)


@given(
    content=st.binary(max_size=60) | st.text("a:-[]{}\n \t'\"#&*!|>%@`?,\ufeff\0é1").map(str.encode)
)
def test_any_file_is_a_mapping_or_told_in_one_line(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(read_yaml(path), dict)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
