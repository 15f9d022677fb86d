"""A real browser without a window: Debian's Chromium, driven by its own chromedriver."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

Browser = webdriver.Chrome

DESKTOP, PHONE = 1280, 390

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
)
_NOTHING_PAST_THE_PROXY = "--proxy-bypass-list=<-loopback>"


def missing() -> str | None:
    """What is not installed that a browser needs, as a sentence; ``None`` where all is there."""
    if _chromium() is None or shutil.which("chromedriver") is None:
        absent = "Chromium" if _chromium() is None else "chromedriver"
        return f"{absent} is not installed (Debian: chromium and chromium-driver)"
    return None


@contextmanager
def started(reaches_this_machine: bool = False) -> Iterator[Browser]:
    """A browser that reaches no other machine, with console and network logged.

    Args:
        reaches_this_machine: Whether it reaches servers of this machine.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = _chromium() or ""
    flags = _FLAGS if reaches_this_machine else (*_FLAGS, _NOTHING_PAST_THE_PROXY)
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as browser:
        yield browser


def show(browser: Browser, address: str, width: int, theme: str, height: int = 900) -> None:
    """Open the page in a window of a width, under a colour scheme."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == PHONE},
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


def requested(browser: Browser) -> list[str]:
    """The addresses that were asked for since the network's log was last read."""
    messages = [json.loads(entry["message"])["message"] for entry in logged(browser, "performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def ask(browser: Browser, expression: str) -> Any:
    """The value of an expression in the page."""
    return browser.execute_script(f"return {expression}")


def _chromium() -> str | None:
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)
