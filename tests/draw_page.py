"""Pictures of the page, light and dark, for the README: ``make screenshots``.

    python tests/draw_page.py models

serves the models of a folder, asks one of the page's examples in a real browser, and writes
``docs/page-light.png`` and ``docs/page-dark.png``.
"""

import base64
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from headless import DESKTOP, Browser, ask, missing, show, started  # noqa: E402
from load_api import serving  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from stages.recommender import artifacts  # noqa: E402
from stages.recommender.serving.web_examples import EXAMPLE_REQUESTS  # noqa: E402

EXAMPLE = 3
"""Of the page's examples: Halloween."""
MOVIES = 5
"""As many as are seen."""


def draw(browser: Browser, address: str, theme: str, target: Path) -> None:
    """Ask an example and write what is seen as a PNG file."""

    def until(expression: str) -> None:
        WebDriverWait(browser, 60, 0.1).until(lambda _: ask(browser, expression))

    show(browser, address, DESKTOP, theme)
    until("document.querySelector('#model input')?.value")
    browser.find_elements(By.CSS_SELECTOR, "#examples button")[EXAMPLE].click()
    until("document.querySelectorAll('#answers li').length > 0")
    below = ask(
        browser,
        f"document.querySelectorAll('#answers li')[{MOVIES - 1}].getBoundingClientRect().bottom",
    )
    clip = {"x": 0, "y": 0, "width": DESKTOP, "height": below + 12, "scale": 1}
    seen = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    with artifacts.atomic_file(target) as partial:
        partial.write_bytes(base64.b64decode(seen["data"]))
    print(f"{target.relative_to(ROOT)}: {EXAMPLE_REQUESTS[EXAMPLE]}")


def main() -> None:
    """Draw the page of the models of a folder."""
    if lacking := missing():
        sys.exit(lacking)
    models = Path(sys.argv[1]) if len(sys.argv) > 1 else artifacts.MODELS
    with serving(models) as (address, _), started(reaches_this_machine=True) as browser:
        for theme in ("light", "dark"):
            draw(browser, address, theme, ROOT / "docs" / f"page-{theme}.png")


if __name__ == "__main__":
    main()
