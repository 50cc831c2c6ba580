"""Shallow networks against deep ones, as a table and in words."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.display import Table
from lightbox.divergence import finished_only
from lightbox.findings.base import Finding, interval, percent, plural
from lightbox.tables import decimals
from lightbox.words import look_up
from lightbox.zoo import costs, names

# English, Chinese.
_HEADERS = {
    "group": ("Group", "組別"),
    "networks": ("Networks", "網路"),
    "count": ("Runs", "次數"),
    "mean_accuracy": ("Mean accuracy, %", "平均準確率，%"),
    "mean_nll": ("Mean NLL, nats", "平均 NLL，nat"),
    "mean_time": ("Mean time, s", "平均時間，秒"),
}


@finished_only
def depth_groups(
    runs: Sequence[Any],
    language: str = "en",
    *,
    shallow_below: int = 30,
    label: str = "tbl-depth",
) -> Table:
    """Average the shallow networks and the deep ones.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        shallow_below: Networks of fewer layers are shallow.
        label: The table's label.

    Returns:
        The table: a row a group that has networks; diverged runs are left out.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    heads = look_up(_HEADERS, language)
    numbers = costs(runs).assign(name=names(runs, language))
    numbers = numbers[numbers["accuracy"].notna()]
    titles = {
        "en": (f"shallow (< {shallow_below})", f"deep (≥ {shallow_below})"),
        "zh": (f"淺層（< {shallow_below}）", f"深層（≥ {shallow_below}）"),
    }[language]
    comma = "、" if language == "zh" else ", "
    rows, full = [], []
    for title, deep in zip(titles, (False, True), strict=True):
        part = numbers[(numbers["depth"] >= shallow_below) == deep]
        if part.empty:
            continue
        means = part[["accuracy", "nll", "seconds"]].mean()
        full.append({"group": title, "runs": len(part)} | means.to_dict())
        rows.append(
            {
                heads["group"]: title,
                heads["networks"]: comma.join(part["name"]),
                heads["count"]: str(len(part)),
                heads["mean_accuracy"]: decimals(100 * means["accuracy"], 1),
                heads["mean_nll"]: decimals(means["nll"], 3),
                heads["mean_time"]: decimals(means["seconds"], 1),
            }
        )
    caption = {
        "en": f"Networks of fewer than {shallow_below} layers against the others; "
        "unweighted means over runs.",
        "zh": f"少於 {shallow_below} 層的網路與其餘網路；各次訓練的未加權平均。",
    }[language]
    return Table(pd.DataFrame(rows), label, caption, csv=pd.DataFrame(full))


def by_depth(table: pd.DataFrame, shallow_below: int) -> Finding | None:
    """Compare the groups' ranges: means of few networks prove nothing on depth."""
    deep = table["depth"] >= shallow_below
    if deep.all() or not deep.any():
        return None
    parts = [table[~deep], table[deep]]
    means = [part["accuracy"].mean() for part in parts]
    spans = [(part["accuracy"].min(), part["accuracy"].max()) for part in parts]
    apart = spans[0][1] < spans[1][0] or spans[1][1] < spans[0][0]
    (a, b), (one, two) = (len(p) for p in parts), (interval(*s) for s in spans)
    times = [part["seconds"].mean() for part in parts]
    return Finding(
        "depth",
        f"The {plural(a, 'run')} below {shallow_below} layers reach "
        f"{percent(means[0])} % on average ({one}) in {times[0]:.1f} s, the {b} from "
        f"{shallow_below} on {percent(means[1])} % ({two}) in {times[1]:.1f} s. Their "
        f"ranges {'do not overlap' if apart else 'overlap'}; the networks differ in "
        "much besides their depth, so the means say nothing on depth as a cause.",
        f"少於 {shallow_below} 層的 {a} 次訓練平均 {percent(means[0])} %（{one}），"
        f"平均 {times[0]:.1f} 秒；{shallow_below} 層以上的 {b} 次平均 "
        f"{percent(means[1])} %（{two}），平均 {times[1]:.1f} 秒。兩者範圍"
        f"{'不重疊' if apart else '重疊'}；網路間的差異不只深度，"
        "平均值不能說明深度是原因。",
        {"means": means, "apart": apart},
    )
