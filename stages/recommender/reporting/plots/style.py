"""How every picture looks and becomes bytes: colours, markers, lines, sizes, fonts.

A picture is drawn for a :class:`Look`, wide or narrow, in the light theme's colours; within a page
it takes the page's theme (:func:`inline_svg`). The same call gives the same bytes: a fixed font
that comes with matplotlib, no date, no version in the file.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stages.recommender.reporting import results

Choice = TypeVar("Choice")

_MARKERS = ("o", "s", "^", "D", "v", "P")
_TRAINER_DASHES: Mapping[str, tuple[float, ...]] = {"weighted": (), "original": (4, 2)}
_OTHER_DASHES: tuple[tuple[float, ...], ...] = ((1, 1.4), (6, 1.5, 1, 1.5), (8, 2))
_DOTS_PER_INCH = 160
_POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Colours:
    """The colours of one theme, told apart with any of the common colour blindnesses.

    Attributes:
        ink: Text and what is to be seen first.
        muted: Secondary text and marks.
        faint: Grid lines.
        ground: What the picture stands on.
        series: One a variant; each has a contrast of at least 4.5 to 1 with the ground.
    """

    ink: str
    muted: str
    faint: str
    ground: str
    series: tuple[str, ...]

    @property
    def properties(self) -> dict[str, str]:
        """The colours by the name of the CSS property that holds them in a page."""
        named = {
            "--ink": self.ink,
            "--muted": self.muted,
            "--faint": self.faint,
            "--ground": self.ground,
        }
        return named | {f"--series-{place}": colour for place, colour in enumerate(self.series)}


LIGHT = Colours(
    ink="#1c2024",
    muted="#5b636c",
    faint="#e2e5e9",
    ground="#ffffff",
    series=("#1450e0", "#bd4d0f", "#2a8457", "#8c1c8c", "#493200", "#444648"),
)
DARK = Colours(
    ink="#e8eaed",
    muted="#a0a8b1",
    faint="#30363d",
    ground="#14171a",
    series=("#5c92ff", "#f2682f", "#2ce09a", "#e070bc", "#f3cb2e", "#ced5db"),
)


@dataclass(frozen=True)
class Look:
    """For which page a picture is drawn.

    Attributes:
        narrow: For a phone, in one column.
    """

    narrow: bool = False

    @property
    def width(self) -> float:
        """The picture's width in inches."""
        return 3.7 if self.narrow else 9.6

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Everything drawn within has this look, whatever matplotlib was set to before."""
        size = 8.0 if self.narrow else 9.5
        with _defaults():
            mpl.rcParams.update(
                {
                    "font.family": "DejaVu Sans",
                    "font.size": size,
                    "axes.titlesize": size + 1,
                    "axes.titleweight": "bold",
                    "axes.titlelocation": "left",
                    "axes.titlepad": 8,
                    "axes.labelsize": size,
                    "axes.labelcolor": LIGHT.muted,
                    "axes.edgecolor": LIGHT.faint,
                    "axes.facecolor": "none",
                    "axes.spines.top": False,
                    "axes.spines.right": False,
                    "axes.spines.left": False,
                    "axes.axisbelow": True,
                    "grid.color": LIGHT.faint,
                    "grid.linewidth": 0.8,
                    "xtick.color": LIGHT.faint,
                    "ytick.color": LIGHT.faint,
                    "xtick.labelcolor": LIGHT.muted,
                    "ytick.labelcolor": LIGHT.muted,
                    "xtick.labelsize": size - 0.5,
                    "ytick.labelsize": size - 0.5,
                    "ytick.major.size": 0,
                    "ytick.minor.size": 0,
                    "xtick.minor.size": 0,
                    "text.color": LIGHT.ink,
                    "figure.facecolor": LIGHT.ground,
                    "figure.constrained_layout.w_pad": 0.08,
                    "figure.constrained_layout.h_pad": 0.08,
                    "legend.frameon": False,
                    "legend.fontsize": size,
                    "lines.linewidth": 1.7,
                    "lines.solid_capstyle": "round",
                }
            )
            yield

    def figure(self, height: float) -> Figure:
        """An empty figure of this look's width.

        Args:
            height: In inches.
        """
        figure = Figure(figsize=(self.width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure


WIDE = Look()
NARROW = Look(narrow=True)


def variant_colours(variants: Sequence[str]) -> dict[str, str]:
    """A colour a variant; the known variants keep theirs whoever else is drawn."""
    return _assigned(variants, LIGHT.series)


def variant_markers(variants: Sequence[str]) -> dict[str, str]:
    """A marker a variant, so that colour is not all that tells them apart."""
    return _assigned(variants, _MARKERS)


def trainer_dashes(trainers: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """On and off lengths in line widths a trainer, empty for a solid line."""
    others = [trainer for trainer in dict.fromkeys(trainers) if trainer not in _TRAINER_DASHES]
    dashes = {
        trainer: _OTHER_DASHES[place % len(_OTHER_DASHES)] for place, trainer in enumerate(others)
    }
    known = {each: value for each, value in _TRAINER_DASHES.items() if each in trainers}
    return known | dashes


def line_style(
    dashes: tuple[float, ...],
) -> Literal["solid"] | tuple[float, tuple[float, ...]]:
    """Dashes as matplotlib takes them."""
    return (0, dashes) if dashes else "solid"


def bare(axes: Axes, grid: str) -> None:
    """Leave grid lines across one axis, ``x`` or ``y``, and nothing else."""
    axes.grid(visible=True, axis="x" if grid == "x" else "y")
    axes.tick_params(length=0)


def png(figure: Figure) -> bytes:
    """The figure as PNG on its own ground."""
    buffer = io.BytesIO()
    with _defaults():
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def inline_svg(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as an ``svg`` element of a page, its letters drawn as shapes.

    Its colours are the CSS properties of :attr:`Colours.properties`, so that it follows the page's
    theme, and its ground is the page's.

    Args:
        figure: The figure, drawn in the colours of :data:`LIGHT`.
        name: What its ids begin with; another one for every picture of a page.
        alt: What it shows, in words.
    """
    buffer = io.StringIO()
    with _defaults():
        mpl.rcParams.update({"svg.hashsalt": "reporting", "svg.fonttype": "path"})
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    document = buffer.getvalue()
    content = document[document.index(">", document.index("<svg")) + 1 :]
    content = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    content = _numbered(content)
    content = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", content)
    properties = {colour: f"var({named})" for named, colour in LIGHT.properties.items()}
    content = re.sub(r"#[0-9a-f]{6}\b", lambda found: properties.get(found[0], found[0]), content)
    content = re.sub(r"\s*\n\s*", "\n", content)
    width, height = (inches * _POINTS_PER_INCH for inches in figure.get_size_inches())
    root = Markup('<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {:g} {:g}">').format(
        "narrow" if width < _POINTS_PER_INCH * WIDE.width else "wide", alt, width, height
    )
    return root + Markup(content)


def _numbered(content: str) -> str:
    """SVG with its ids of markers and clip paths numbered, in the order in which they are used.

    Matplotlib hashes coordinates into them, whose last digits a layout does not always repeat.
    """
    hashed = dict.fromkeys(re.findall(r"#([mp][0-9a-f]{10})\b", content))
    numbers = {each: f"{each[0]}{number}" for number, each in enumerate(hashed)}
    return re.sub(
        r'(?<=["#])[mp][0-9a-f]{10}\b', lambda found: numbers.get(found[0], found[0]), content
    )


@contextmanager
def _defaults() -> Iterator[None]:
    """Matplotlib as it comes, whatever a user's own settings file says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        yield


def _assigned(variants: Sequence[str], choices: Sequence[Choice]) -> dict[str, Choice]:
    known = len(results.VARIANTS)
    others = [variant for variant in results.in_order(variants) if variant not in results.VARIANTS]
    places = {variant: place for place, variant in enumerate(results.VARIANTS)}
    places |= {variant: known + place for place, variant in enumerate(others)}
    return {each: choices[places[each] % len(choices)] for each in results.in_order(variants)}
