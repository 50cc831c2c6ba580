"""A real browser, as a reader of a report has one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, list[str], list[str]]]:
    """Open a file in Chromium, on a phone without a network, with scripts allowed.

    Args:
        path: An HTML file.

    Yields:
        The page; addresses that it asked for beside its own and `data:`; what the
        console, errors and dialogs said.
    """
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    said: list[str] = []

    def note(request: Any) -> None:
        if not request.url.startswith(("data:", path.as_uri())):
            asked.append(request.url)

    def dismiss(dialog: Any) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"]
        )
        context = browser.new_context(
            offline=True,
            java_script_enabled=True,
            viewport={"width": 390, "height": 800},
        )
        page = context.new_page()
        page.on("request", note)
        page.on("dialog", dismiss)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        yield page, asked, said
        browser.close()
