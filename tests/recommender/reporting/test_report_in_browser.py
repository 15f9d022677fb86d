"""The page in a real browser: Debian's Chromium, driven by its own chromedriver."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # whatever wants out goes to a port where nobody listens
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
)
DESKTOP, PHONE = 1280, 390

Browser = webdriver.Chrome


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "Chromium" if chromium is None else "chromedriver"
        pytest.skip(f"{missing} is not installed (Debian: chromium and chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as started:
        yield started


@pytest.fixture(scope="module")
def address(page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


def show(browser: Browser, address: str, width: int, theme: str) -> None:
    """Open the page in a window of a width, under a colour scheme."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": theme}]},
    )
    browser.get(address)


def logged(browser: Browser, kind: str) -> list[dict[str, Any]]:
    """What was logged since the last call, as ``browser`` or ``performance``."""
    found: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return found


def ask(browser: Browser, expression: str) -> Any:
    """The value of an expression in the page."""
    return browser.execute_script(f"return {expression}")


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
    assert [kind for kind, *_ in shown] == ["narrow" if width == PHONE else "wide"] * 7
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
    messages = [json.loads(entry["message"])["message"] for entry in logged(browser, "performance")]
    fetched = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert fetched
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
