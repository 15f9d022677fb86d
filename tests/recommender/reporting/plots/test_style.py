import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from stages.recommender.reporting.plots import style
from stages.recommender.reporting.plots.style import DARK, LIGHT, NARROW, WIDE, Colours, Look

ALT = "<b>\"'&"


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_text_in_any_colour_can_be_read(colours: Colours) -> None:
    ground = luminance(colours.ground)
    for colour in (colours.ink, colours.muted, *colours.series):
        lighter, darker = sorted([luminance(colour), ground], reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, colour


def test_both_themes_have_the_same_properties() -> None:
    assert list(LIGHT.properties) == list(DARK.properties)
    assert len(set(LIGHT.properties.values())) == len(LIGHT.properties)


def test_known_variants_keep_their_colour_and_marker() -> None:
    alone = style.variant_colours(["rnn"])
    among = style.variant_colours(["gate", "rnn", "baseline", "text"])
    assert alone["rnn"] == among["rnn"]
    assert len(set(among.values())) == 4
    assert len(set(style.variant_markers(list(among)).values())) == 4


def test_trainers_are_told_apart_by_dashes() -> None:
    dashes = style.trainer_dashes(["softmax", "original", "weighted", "focal"])
    assert dashes["weighted"] == ()
    assert len(set(dashes.values())) == 4
    assert style.line_style(()) == "solid"
    assert style.line_style((4, 2)) == (0, (4, 2))


def test_a_look_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    with WIDE.applied():
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("look", "name"), [(WIDE, "wide"), (NARROW, "narrow")])
def test_an_inline_picture_is_one_well_formed_element(look: Look, name: str) -> None:
    with look.applied():
        figure = look.figure(2.0)
        axes = figure.add_subplot()
        axes.plot([1, 2], [3, 4], color=LIGHT.series[0])
        axes.text(1, 3, "--><script>", color=LIGHT.ink)
    picture = style.inline_svg(figure, "curves", ALT)
    element = ElementTree.fromstring(picture.replace("xlink:href", "href"))
    assert element.get("aria-label") == ALT
    assert element.get("class") == name
    assert element.get("viewBox") == f"0 0 {look.width * 72:g} 144"
    references = re.findall(r'(?:href="|url\()#([\w-]+)', picture)
    ids = set(re.findall(r'\bid="([\w-]+)"', picture))
    assert all(each.startswith("curves-") for each in ids)
    assert references and set(references) <= ids
    assert "var(--series-0)" in picture and "var(--ink)" in picture
    assert "script" not in picture
    assert not set(re.findall(r"#[0-9a-f]{6}\b", picture)) & set(LIGHT.properties.values())
