"""The table at the end: what was tried, what was lost, what was silently wrong."""

from collections.abc import Callable

import pytest
from rich.console import Console
from rich.table import Table

LEDGER: list[tuple[str, int, int, int, str]] = []


@pytest.fixture
def tell() -> Callable[..., None]:
    """Enter a row of the table: fault, times tried, lost, silently wrong, remark."""

    def enter(fault: str, tried: int, lost: int, wrong: int, remark: str = "") -> None:
        LEDGER.append((fault, tried, lost, wrong, remark))

    return enter


def pytest_terminal_summary() -> None:
    """Print the table, also where a test failed."""
    table = Table(title="Faults injected", title_justify="left")
    table.add_column("fault")
    for name in ("tried", "lost", "silently wrong"):
        table.add_column(name, justify="right")
    table.add_column("remark")
    for fault, tried, lost, wrong, remark in LEDGER:
        table.add_row(fault, f"{tried:,}", str(lost), str(wrong), remark)
    Console(width=120).print(table)
