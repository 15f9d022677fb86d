"""The page in a real browser: Debian's Chromium, driven by its own chromedriver."""

from collections.abc import Iterator

import pytest
from headless import DESKTOP, PHONE, Browser, ask, logged, missing, requested, show, started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if lacking := missing():
        pytest.skip(lacking)
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_page_fits_and_says_nothing_in_the_console(
    browser: Browser, address: str, width: int, theme: str
) -> None:
    show(browser, address, width, theme)
    assert ask(browser, "innerWidth") == width
    assert ask(browser, "document.documentElement.scrollWidth") <= width
    assert logged(browser, "browser") == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_pictures_are_drawn_for_the_width(browser: Browser, address: str, width: int) -> None:
    show(browser, address, width, "light")
    shown = ask(
        browser,
        "[...document.querySelectorAll('figure > svg')]"
        ".filter(svg => svg.checkVisibility())"
        ".map(svg => [svg.classList[0], svg.getBoundingClientRect().width,"
        " svg.getBoundingClientRect().height, svg.getAttribute('aria-label').length])",
    )
    assert [kind for kind, *_ in shown] == ["narrow" if width == PHONE else "wide"] * 9
    for _, drawn_width, drawn_height, told in shown:
        assert width * 0.6 < drawn_width <= width
        assert drawn_height > 100
        assert told > 20


def test_letters_of_the_pictures_are_there(browser: Browser, address: str) -> None:
    show(browser, address, DESKTOP, "light")
    empty = ask(
        browser,
        "[...document.querySelectorAll('svg.wide use')]"
        ".filter(use => use.getBoundingClientRect().height === 0).length",
    )
    # only blanks have no height
    assert empty < 0.2 * ask(browser, "document.querySelectorAll('svg.wide use').length")


def test_page_and_pictures_follow_the_theme(browser: Browser, address: str) -> None:
    seen = {}
    for theme in ("light", "dark"):
        show(browser, address, DESKTOP, theme)
        ground = ask(browser, "getComputedStyle(document.body).backgroundColor")
        letters = ask(
            browser,
            "getComputedStyle(document.querySelector('svg.wide g[style*=\"var(--ink)\"]')).fill",
        )
        seen[theme] = (ground, letters)
    assert seen["light"] == ("rgb(255, 255, 255)", "rgb(28, 32, 36)")
    assert seen["dark"] == ("rgb(20, 23, 26)", "rgb(232, 234, 237)")


def test_wide_tables_scroll_inside_their_box(browser: Browser, address: str) -> None:
    show(browser, address, PHONE, "light")
    boxes = ask(
        browser,
        "[...document.querySelectorAll('.scroll')].filter(box => box.checkVisibility())"
        ".map(box => [box.clientWidth, box.scrollWidth, getComputedStyle(box).overflowX])",
    )
    assert any(inside > outside for outside, inside, _ in boxes)
    assert all(outside <= PHONE and overflow == "auto" for outside, _, overflow in boxes)


def test_numbers_stand_below_one_another(browser: Browser, address: str) -> None:
    show(browser, address, DESKTOP, "light")
    edges = ask(
        browser,
        "[...document.querySelectorAll('#models figure table tbody tr')].slice(0, 6)"
        ".map(row => row.cells[1].getBoundingClientRect().right)",
    )
    assert len(edges) == 6 and len(set(edges)) == 1
    style = "getComputedStyle(document.querySelector('td.number'))"
    assert "tabular-nums" in ask(browser, f"{style}.fontVariantNumeric")
    assert ask(browser, f"{style}.textAlign") == "right"


def test_no_text_runs_as_code_and_nothing_is_fetched(browser: Browser, address: str) -> None:
    logged(browser, "performance")
    show(browser, address, DESKTOP, "light")
    assert ask(browser, "document.scripts.length") == 0
    fetched = requested(browser)
    assert fetched
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
