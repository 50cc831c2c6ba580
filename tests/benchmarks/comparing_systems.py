"""Seconds of systems that took turns: ratios, a table, JSON and CSV."""

import csv
import json
import statistics
from pathlib import Path
from typing import Any

TITLES = {
    "limit": "limit (in-memory batch)",
    "lightbox": "Lightbox, decoded before",
    "first": "Lightbox, first call",
    "frozen": "Lightbox, features included",
    "tutorial": "PyTorch tutorial loop",
    "lightning": "Lightning",
    "fastai": "fastai",
}


def compared(
    table: str, seconds: dict[str, list[float]], ours: str, lowest: str | None
) -> list[dict[str, object]]:
    """Turn seconds into rows: medians, their range, and ratios turn by turn."""

    def ratio(name: str, base: str | None) -> float | None:
        if base is None:
            return None
        pairs = zip(seconds[name], seconds[base], strict=True)
        return statistics.median(mine / other for mine, other in pairs)

    return [
        {
            "table": table,
            "system": TITLES[name],
            "seconds": statistics.median(values),
            "lowest": min(values),
            "highest": max(values),
            "to_limit": ratio(name, lowest),
            "to_lightbox": ratio(name, ours),
        }
        for name, values in seconds.items()
    ]


def shown(title: str, rows: list[dict[str, object]]) -> str:
    """Lay rows out as a table."""
    lines = [title, ""]
    heads = ["system", "seconds", "lowest", "highest", "to limit", "to Lightbox"]
    lines.append(f"{heads[0]:32}" + "".join(f"{head:>13}" for head in heads[1:]))
    for row in rows:
        cells = [f"{row[name]:.2f}" for name in ("seconds", "lowest", "highest")]
        for name in ("to_limit", "to_lightbox"):
            cells.append("" if row[name] is None else f"{row[name]:.2f} x")
        lines.append(f"{row['system']:32}" + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join([*lines, ""])


def write_down(folder: Path, facts: dict[str, Any]) -> None:
    """Write `peers.json`, with every turn, and `peers.csv`, the tables' rows."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / "peers.json").write_text(text, encoding="utf-8")
    with (folder / "peers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(facts["rows"][0]))
        writer.writeheader()
        writer.writerows(facts["rows"])
