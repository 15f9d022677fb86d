"""The page in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from headless import DESKTOP, PHONE, Browser, ask, logged, missing, requested, show, started
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from served_models import HOSTILE, served

_PATIENCE = 180.0
"""Seconds; a machine with much else to do takes a minute to open a page."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if lacking := missing():
        pytest.skip(lacking)
    with started(reaches_this_machine=True) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(models: Path) -> Iterator[str]:
    with served(models) as address:
        yield address


def until(browser: Browser, expression: str) -> None:
    WebDriverWait(browser, _PATIENCE, poll_frequency=0.05).until(
        lambda _: ask(browser, expression), f"never true: {expression}"
    )


def texts(browser: Browser, selector: str) -> list[str]:
    found: list[str] = ask(
        browser, f"[...document.querySelectorAll('{selector}')].map(e => e.textContent.trim())"
    )
    return found


def open_page(browser: Browser, address: str, width: int, theme: str) -> None:
    show(browser, address, width, theme)
    until(browser, "document.querySelector('#request textarea')?.checkVisibility()")
    until(browser, "document.querySelector('#model input').value !== ''")


def choose(browser: Browser, selector: str, option: str) -> None:
    """Choose from a list by keyboard: go down to the option, a key at a time, and take it."""
    field = browser.find_element(By.CSS_SELECTOR, f"{selector} input")
    active = f"document.querySelector('{selector} input').getAttribute('aria-activedescendant')"
    pointed_at = f"document.getElementById({active})?.textContent ?? ''"
    while option not in (before := ask(browser, pointed_at)):
        field.send_keys(Keys.ARROW_DOWN)
        until(browser, f"({pointed_at}) !== {json.dumps(before)}")
    field.send_keys(Keys.ENTER)


@pytest.mark.parametrize(("width", "theme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_from_a_request_to_two_lists_by_keyboard(
    browser: Browser, address: str, width: int, theme: str
) -> None:
    logged(browser, "browser")
    requested(browser)
    open_page(browser, address, width, theme)
    field = browser.find_element(By.CSS_SELECTOR, "#request textarea")
    field.send_keys("Scary like Alien and The Babadook <i>")
    until(browser, "document.querySelectorAll('#mentioned li').length === 2")
    assert texts(browser, "#mentioned li span") == ["Alien", "The Babadook"]

    field.send_keys(Keys.SHIFT, Keys.ENTER)
    until(browser, "document.querySelectorAll('#answers li').length === 10")
    assert {"Alien", "The Babadook"}.isdisjoint(texts(browser, "#answers b"))
    assert HOSTILE in texts(browser, "#answers b")
    assert "Because of" in texts(browser, "#answers ol")[0]
    assert "<b>scary</b> request" in texts(browser, "#answers details")[0]

    browser.find_element(By.CSS_SELECTOR, "#mentioned button").send_keys(Keys.ENTER)
    until(browser, "document.querySelectorAll('#mentioned li').length === 1")
    assert texts(browser, "#mentioned li span") == ["The Babadook"]
    until(browser, "!document.querySelector('#answers').textContent.includes('Because of Alien')")

    browser.find_element(By.CSS_SELECTOR, "#query input, #query textarea").send_keys("nemo")
    until(browser, "document.querySelector('#found li')?.textContent.includes('Finding Nemo')")
    browser.find_element(By.CSS_SELECTOR, "#found button").send_keys(Keys.SPACE)
    until(browser, "document.querySelectorAll('#mentioned li').length === 2")

    choose(browser, "#other", "original-baseline")
    until(browser, "document.querySelectorAll('#answers section').length === 2")
    assert sorted(texts(browser, "#answers h2")) == ["original-baseline", "weighted-rnn"]
    sides = ask(
        browser,
        "[...document.querySelectorAll('#answers section')].map(s => s.getBoundingClientRect().x)",
    )
    assert (sides[0] < sides[1]) == (width == DESKTOP)

    assert ask(browser, "document.documentElement.scrollWidth") <= width
    assert ask(browser, "window.hacked === undefined")
    assert ask(browser, "document.querySelectorAll('#answers img, #answers li i').length") == 0
    dark = ask(browser, "document.body.classList.contains('dark')")
    assert dark == (theme == "dark")
    assert [entry for entry in logged(browser, "browser") if entry["level"] == "SEVERE"] == []
    asked = [url for url in requested(browser) if not url.startswith("data:")]
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(address)] == []
    assert [url for url in asked if "/queue/" in url] == []


def test_another_model_answers_an_example(browser: Browser, address: str) -> None:
    open_page(browser, address, DESKTOP, "light")
    browser.find_element(By.CSS_SELECTOR, "#examples button").click()
    until(browser, "document.querySelector('#answers h2')?.textContent === 'weighted-rnn'")
    assert texts(browser, "#mentioned li span") == ["Toy Story", "Finding Nemo"]
    first = texts(browser, "#answers b")
    choose(browser, "#model", "original-baseline")
    until(browser, "document.querySelector('#answers h2')?.textContent === 'original-baseline'")
    assert texts(browser, "#answers b") != first


def test_the_page_says_that_nothing_is_trained(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path / "models") as address:
        show(browser, address, PHONE, "light")
        until(browser, "document.querySelector('.notice')")
        assert "no model is trained" in texts(browser, ".notice")[0]
        assert "dvc repro train@" in texts(browser, ".notice")[0]
        assert not ask(browser, "document.querySelector('#request')?.checkVisibility() ?? false")
