"""The data card: what a set is, what the audit found, what was done about it."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.data import Dataset
from lightbox.display import Figure, Prose, Table, escape_markdown
from lightbox.figures import WIDTH, theme

MOST_ROWS = 12  # of a listing on the page; its CSV has them all
_WORDS = {
    "field": ("Field", "項目"),
    "value": ("Value", "內容"),
    "title": ("Name", "名稱"),
    "task": ("Task", "任務"),
    "classes": ("Classes", "類別"),
    "positive": ("Positive class", "陽性類別"),
    "channels": ("Channels", "通道數"),
    "group": ("Images share", "影像共屬"),
    "licence": ("Licence", "授權"),
    "citation": ("Citation", "引用"),
    "source": ("Source", "來源"),
    "folder": ("Folder", "資料夾"),
    "fingerprint": ("Fingerprint", "資料指紋"),
    "caption_card": ("The data card.", "資料卡。"),
    "caption_groups": (
        "Patients or slides per split, and how many occur in two splits, under each "
        "way to read the key from a file name; the first is the one used.",
        "各資料集的病人或切片數，以及同時出現在兩個資料集中的數目；依檔名讀取識別碼的"
        "方式分列，第一列為採用者。",
    ),
    "caption_duplicates": (
        "Byte-identical files: {shown} of {all} groups.",
        "內容完全相同的檔案：{all} 組中的 {shown} 組。",
    ),
    "caption_files": (
        "Files that are damaged, not what their name says, or of an unusual mode: "
        "{shown} of {all}.",
        "損壞、名實不符或色彩模式特殊的檔案：{all} 個中的 {shown} 個。",
    ),
    "none_duplicates": (
        "No two files are byte-identical.",
        "沒有內容完全相同的檔案。",
    ),
    "none_files": (
        "No file is damaged, wrongly named or of an unusual mode.",
        "沒有損壞、名實不符或色彩模式特殊的檔案。",
    ),
    "none_groups": (
        "The files name no patient and no slide, so images of one patient may lie "
        "on both sides of a split: results can be too good, by an unknown amount.",
        "檔名不含病人或切片識別碼，同一病人的影像可能分屬不同資料集，結果可能過於樂觀，"
        "程度未知。",
    ),
    "one_size": (
        "All {count:,} images are {width} x {height} pixels.",
        "{count:,} 張影像皆為 {width} x {height} 像素。",
    ),
    "caption_sizes": (
        "Width and height of the images as they came, before resizing.",
        "影像的原始寬與高（縮放前）。",
    ),
    "width": ("Width, px", "寬，px"),
    "height": ("Height, px", "高，px"),
}


def card(dataset: Dataset, language: str = "en") -> Table:
    """Say what the set is: task, source, licence, citation.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A table of fields and values.
    """
    about = dataset.card
    source = about.doi and f"https://doi.org/{about.doi}"
    values = {
        "title": about.title,
        "task": about.task,
        "classes": ", ".join(dataset.classes),
        "positive": dataset.positive or "",
        "channels": str(dataset.channels),
        "group": " ".join(filter(None, [about.group, about.group_key])),
        "licence": about.licence,
        "citation": about.citation,
        "source": source or about.source,
        "folder": dataset.folder.name,
        "fingerprint": dataset.fingerprint,
    }
    frame = pd.DataFrame(
        [
            {
                _say("field", language): _say(key, language),
                _say("value", language): text,
            }
            for key, text in values.items()
            if text
        ]
    )
    return Table(frame, "tbl-card", _say("caption_card", language))


def findings(dataset: Dataset, language: str = "en") -> Prose:
    """List what the audit found, each with its number.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A bulleted list.
    """
    return _bullets(dataset.audit.findings(language))


def changes(dataset: Dataset, language: str = "en") -> Prose:
    """List what was changed before training, and what must be said of the set.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A bulleted list.
    """
    return _bullets([note.say(language) for note in dataset.notes])


def groups(dataset: Dataset, language: str = "en") -> Table | Prose:
    """Count patients or slides per split, and those that two splits share.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A row per way to read the key, or a sentence where there is no key.
    """
    frame = dataset.audit.tables().get("groups")
    if frame is None:
        return Prose(_say("none_groups", language))
    shown = frame.drop(columns="used")
    caption = _say("caption_groups", language)
    return Table(shown, "tbl-groups", caption, csv=frame, file="groups.csv")


def duplicates(dataset: Dataset, language: str = "en") -> Table | Prose:
    """Name the groups of byte-identical files.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A row per group, or a sentence where there is none.
    """
    frame = dataset.audit.tables().get("duplicates")
    if frame is None:
        return Prose(_say("none_duplicates", language))
    shown = frame[["where", "files", "images"]].head(MOST_ROWS)
    caption = _say("caption_duplicates", language).format(
        shown=len(shown), all=len(frame)
    )
    return Table(shown, "tbl-duplicates", caption, csv=frame, file="duplicates.csv")


def files(dataset: Dataset, language: str = "en") -> Table | Prose:
    """Name the files that were left out or converted, and why.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A row per file, or a sentence where there is none.
    """
    tables = dataset.audit.tables()
    found = [tables[name] for name in ("bad_files", "odd_files") if name in tables]
    if not found:
        return Prose(_say("none_files", language))
    frame = pd.concat(found, ignore_index=True).fillna("")
    shown = frame.head(MOST_ROWS)
    caption = _say("caption_files", language).format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-files", caption, csv=frame, file="files.csv")


def sizes(dataset: Dataset, language: str = "en") -> Figure | Prose:
    """Show width against height of the images as they came.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A scatter, or a sentence where all images have one size.
    """
    found = dataset.audit.tables()["sizes"]
    if len(found) == 1:
        size = found.iloc[0]
        return Prose(
            _say("one_size", language).format(
                count=size["all"], width=size["width"], height=size["height"]
            )
        )
    rows = found.melt(
        ["width", "height"], [name for name in dataset.classes if name in found]
    )
    rows = rows[rows["value"] > 0]
    names = [_say("width", language), _say("height", language)]
    with theme(*names, *dataset.classes):
        drawing = Drawing(figsize=(WIDTH, WIDTH * 0.42), layout="constrained")
        axis = drawing.subplots()
        # Thousands of sizes would be thousands of shapes: pixels do for the dots.
        sns.scatterplot(
            rows,
            x="width",
            y="height",
            hue="variable",
            size="value",
            sizes=(6, 60),
            size_norm=(1, max(20, int(rows["value"].max()))),
            alpha=0.45,
            linewidth=0,
            palette="colorblind",
            rasterized=True,
            ax=axis,
        )
        axis.set(xlabel=names[0], ylabel=names[1])
        keep = len(set(rows["variable"])) + 1
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(handles[1:keep], labels[1:keep], frameon=False)
        sns.despine(ax=axis)
        return Figure(drawing, "fig-sizes", _say("caption_sizes", language))


def _say(key: str, language: str) -> str:
    return _WORDS[key][language == "zh"]


def _bullets(lines: list[str]) -> Prose:
    return Prose("\n".join(f"- {escape_markdown(line)}" for line in lines))
