"""The audit: what is in a data set, told before anything trains on it."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.data.cards import Card, Note
from lightbox.data.inspection import (
    WIDEST,
    SizeOnly,
    inspect_files,
    interval_width,
    size_only,
    treatments,
)


@dataclass(frozen=True)
class Audit:
    """What the file pass and the reader found, as published, before any change.

    Args:
        card: The card that the reader filled.
        files: One row per listed image: the reader's columns, those of the file
            pass, and `odd`, what is done about an unusual mode ("" for none).
        channels: 1 or 3, how the set is decoded.
        size_only: Whether the size alone predicts the label.
    """

    card: Card
    files: pd.DataFrame
    channels: int
    size_only: SizeOnly

    @property
    def usable(self) -> pd.DataFrame:
        """Rows whose file decodes and has a label."""
        return self.files[self.files["problem"] == ""]

    @property
    def splits(self) -> list[str]:
        """Published splits in order; `[""]` where none is published."""
        present = set(self.files["split"])
        return [split for split in SPLITS if split in present]

    def counts(self) -> pd.DataFrame:
        """Usable images per class (rows) and published split (columns), with sums."""
        table = pd.crosstab(self.usable["label"], self.usable["split"])
        table = table.reindex(
            list(self.card.classes), columns=self.splits, fill_value=0
        )
        table.columns = [name or "all" for name in self.splits]
        if len(self.splits) > 1:
            table["all"] = table.sum(axis=1)
        table.loc["all"] = table.sum()
        table.index.name = "class"
        return table.reset_index()

    def groups(self, key: str = "group") -> dict[str, set[str]]:
        """Patients or slides per published split.

        Args:
            key: `group`, the key in use, or `alternative`.
        """
        known = self.usable[self.usable[key] != ""]
        return {
            split: set(known.loc[known["split"] == split, key]) for split in self.splits
        }

    def shared(self, key: str = "group") -> dict[str, int]:
        """Count the groups that two published splits share, by `"train and test"`."""
        held = self.groups(key)
        return {
            f"{one} and {other}": len(held[one] & held[other])
            for one, other in combinations(held, 2)
        }

    def duplicates(self) -> pd.DataFrame:
        """Groups of byte-identical files.

        Returns:
            One row a group: `sha256`, `files` (count), `where` ("within train" or
            "across train and test"), `labels` (1 unless labels conflict), `groups`
            (different patients or slides among them), `images`.
        """
        repeated = self.usable[self.usable["sha256"].duplicated(keep=False)]
        rows = []
        for sha256, same in repeated.groupby("sha256"):
            splits = [name for name in SPLITS if name in set(same["split"])]
            where = "across " if len(splits) > 1 else "within "
            rows.append(
                {
                    "sha256": sha256[:12],
                    "files": len(same),
                    "where": where + " and ".join(name or "the set" for name in splits),
                    "labels": same["label"].nunique(),
                    "groups": (same["group"][same["group"] != ""]).nunique(),
                    "images": ", ".join(same["image"]),
                }
            )
        columns = ["sha256", "files", "where", "labels", "groups", "images"]
        return pd.DataFrame(rows, columns=columns).sort_values(
            "images", ignore_index=True
        )

    def bad(self) -> pd.DataFrame:
        """Unusable files: `image` and `reason`."""
        rows = self.files.loc[self.files["problem"] != "", ["image", "problem"]]
        return rows.rename(columns={"problem": "reason"}).reset_index(drop=True)

    def odd(self) -> pd.DataFrame:
        """Usable files of unusual mode: `image` and `treatment`."""
        rows = self.usable.loc[self.usable["odd"] != "", ["image", "odd"]]
        return rows.rename(columns={"odd": "treatment"}).reset_index(drop=True)

    def sizes(self) -> pd.DataFrame:
        """Image sizes, most frequent first: `width`, `height`, then a class each."""
        sizes = pd.crosstab(
            [self.usable["width"], self.usable["height"]], self.usable["label"]
        )
        sizes["all"] = sizes.sum(axis=1)
        sizes = sizes.sort_values("all", ascending=False, kind="stable").reset_index()
        sizes.columns.name = None
        return sizes

    def group_table(self) -> pd.DataFrame:
        """Groups per split and shared ones, a row per key; empty without groups."""
        keys = {"group": self.card.group_key, "alternative": self.card.alternative_key}
        rows = []
        for key, meaning in keys.items():
            if meaning and self.card.group:
                held = self.groups(key)
                row: dict[str, object] = {"key": str(meaning), "used": key == "group"}
                row |= {name or "all": len(members) for name, members in held.items()}
                row |= {f"in {pair}": n for pair, n in self.shared(key).items()}
                rows.append(row)
        return pd.DataFrame(rows)

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables that are not empty, ready to be shown.

        Returns:
            Of `counts`, `groups`, `duplicates`, `bad_files`, `odd_files`, `sizes`
            those with rows.
        """
        tables = {
            "counts": self.counts(),
            "groups": self.group_table(),
            "duplicates": self.duplicates(),
            "bad_files": self.bad(),
            "odd_files": self.odd(),
            "sizes": self.sizes(),
        }
        return {name: table for name, table in tables.items() if len(table)}

    def notes(self) -> list[Note]:
        """What was found, as sentences with a number each, in both languages."""
        return sentences(self)

    def findings(self) -> list[str]:
        """What was found, as short sentences with a number each."""
        return [note.say() for note in self.notes()]


PREDICTS = 0.6  # AUC from which the size is called informative on the label
GROUPS_ZH = {"patient": "病人", "slide": "切片"}


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _images(audit: "Audit") -> list[Note]:
    usable = audit.usable
    classes = len(audit.card.classes)
    sizes = {name: int((usable["split"] == name).sum()) for name in audit.splits}
    parts = [f"{count:,} {name}" for name, count in sizes.items() if name]
    listed = f": {_and(parts)}" if parts else ", no split published"
    listed_zh = "：" + "、".join(parts) if parts else "，沒有公開的切分"
    first = usable[usable["split"] == audit.splits[0]]
    shares = first["label"].value_counts(normalize=True)
    where = audit.splits[0] or "the set"
    return [
        Note(
            f"{len(usable):,} usable images in {classes} classes{listed}.",
            f"共 {len(usable):,} 張可用影像，{classes} 個類別{listed_zh}。",
        ),
        Note(
            f"{shares.index[0]} is the largest class with {shares.iloc[0]:.1%} of "
            f"{where}: always answering it is that often right there.",
            f"最大的類別 {shares.index[0]} 占 {audit.splits[0] or '全部'} 的 "
            f"{shares.iloc[0]:.1%}：一律如此作答即有此準確率。",
        ),
    ]


def _key_sentence(audit: "Audit", key: str, meaning: str) -> Note:
    group = audit.card.group or ""
    held = {name: len(members) for name, members in audit.groups(key).items()}
    counts = [f"{count:,} in {name or 'the set'}" for name, count in held.items()]
    counts_zh = [f"{name or '全部'} {count:,}" for name, count in held.items()]
    shared = {pair: count for pair, count in audit.shared(key).items() if count}
    pairs = [f"{count:,} in both {pair}" for pair, count in shared.items()]
    pairs_zh = [
        f"{pair.replace(' and ', ' 與 ')} 共有 {count:,}"
        for pair, count in shared.items()
    ]
    tail, tail_zh = "", ""
    if len(held) > 1:
        tail = f"; {_and(pairs)}" if pairs else "; 0 shared between splits"
        tail_zh = "；" + ("、".join(pairs_zh) or "子集之間共有 0")
    zh = meaning.zh if isinstance(meaning, Note) else meaning
    return Note(
        f"{group.capitalize()}s by {meaning}: {_and(counts)}{tail}.",
        f"{GROUPS_ZH.get(group, group)}（鍵：{zh}）：{'、'.join(counts_zh)}{tail_zh}。",
    )


def _groups(audit: "Audit") -> list[Note]:
    card = audit.card
    if not card.group:
        return [
            Note(
                "0 file names tell the patient: every image counts as its own.",
                "檔名可辨識病人者 0 張：每張影像視為各自獨立。",
            )
        ]
    notes = [_key_sentence(audit, "group", card.group_key)]
    if card.alternative_key:
        notes.append(_key_sentence(audit, "alternative", card.alternative_key))
        reason = card.key_reason
        zh = reason.zh if isinstance(reason, Note) else reason
        notes.append(
            Note(
                f"Of these 2 keys {card.group_key} is used: {reason}.",
                f"兩種鍵中採用{card.group_key.zh}：{zh}。"
                if isinstance(card.group_key, Note)
                else f"兩種鍵中採用 {card.group_key}：{zh}。",
            )
        )
    unknown = int((audit.usable["group"] == "").sum())
    if unknown:
        notes.append(
            Note(
                f"{unknown:,} file names follow no known pattern: each of these "
                f"images counts as its own {card.group}.",
                f"{unknown:,} 個檔名不符合已知格式：這些影像各自視為獨立。",
            )
        )
    return notes


def _files(audit: "Audit") -> list[Note]:
    same = audit.duplicates()
    across = int(same["where"].str.startswith("across").sum())
    conflicts = int((same["labels"] > 1).sum())
    count = int(same["files"].sum())
    quarrel = f", {conflicts} with different labels" if conflicts else ""
    quarrel_zh = f"，其中 {conflicts} 組標籤不一致" if conflicts else ""
    apart = int((same["groups"] > 1).sum())
    if apart:
        quarrel += f", {apart} under different {audit.card.group}s"
        quarrel_zh += f"，其中 {apart} 組屬於不同群組"
    notes = [
        Note(
            f"{len(same)} groups of byte-identical files ({count} files): "
            f"{len(same) - across} within a split, {across} across splits{quarrel}.",
            f"位元組完全相同的檔案 {len(same)} 組（{count} 個檔案）："
            f"{len(same) - across} 組在同一子集內，{across} 組跨子集{quarrel_zh}。",
        )
    ]
    bad, odd = audit.bad(), audit.odd()
    left_out, left_out_zh = (" and left out", "，已排除") if len(bad) else ("", "")
    notes.append(
        Note(
            f"{len(bad)} of {len(audit.files):,} files are unusable{left_out}.",
            f"{len(audit.files):,} 個檔案中有 {len(bad)} 個無法使用{left_out_zh}。",
        )
    )
    if len(odd):
        notes.append(
            Note(
                f"{len(odd)} files have an unusual mode and are converted; the table "
                "says how.",
                f"{len(odd)} 個檔案的模式特殊，已轉換，方式見表。",
            )
        )
    return notes


def _sizes(audit: "Audit") -> list[Note]:
    usable, found = audit.usable, audit.size_only
    wide = f"{usable['width'].min()}-{usable['width'].max()}"
    high = f"{usable['height'].min()}-{usable['height'].max()}"
    if found.sizes == 1:
        only = f"{usable['width'].iloc[0]} x {usable['height'].iloc[0]}"
        return [
            Note(
                f"All images are {only} px (1 size): the size cannot give the "
                "label away.",
                f"所有影像皆為 {only} px（1 種尺寸）：尺寸不會洩漏標籤。",
            )
        ]
    notes = [
        Note(
            f"{found.sizes:,} image sizes; widths {wide} px, heights {high} px.",
            f"{found.sizes:,} 種影像尺寸；寬 {wide} px，高 {high} px。",
        )
    ]
    if found.auc is None:
        verdict = (
            f"Whether the size predicts the label cannot be tested in {len(usable)} "
            "images: a class has fewer than 2 groups."
        )
        zh = f"只有 {len(usable)} 張影像，無法檢驗尺寸是否能預測標籤。"
    else:
        strong = found.auc >= PREDICTS
        verdict = (
            f"Width, height and aspect alone reach an AUC of {found.auc:.2f} "
            f"({found.folds}-fold): the size "
            + (
                "gives the label away in part; read every result beside this number."
                if strong
                else "says next to nothing about the label."
            )
        )
        zh = f"僅憑寬、高與長寬比，AUC 即為 {found.auc:.2f}（{found.folds} 折）：" + (
            "尺寸部分洩漏標籤，解讀結果時須對照此值。"
            if strong
            else "尺寸幾乎不含標籤資訊。"
        )
    return [*notes, Note(verdict, zh)]


def _val(audit: "Audit") -> list[Note]:
    if "train" not in audit.splits:
        return []
    count = int((audit.usable["split"] == "val").sum())
    width = interval_width(count)
    if count == 0:
        return [
            Note(
                "0 val images are published: there is nothing to select on.",
                "公開的驗證影像為 0 張：沒有可用來選擇模型的資料。",
            )
        ]
    small = width > WIDEST
    verdict = "too small to select on" if small else "large enough to select on"
    verdict_zh = "不足以用來選擇模型" if small else "足以用來選擇模型"
    return [
        Note(
            f"{count:,} val images: at 90 % accuracy the 95 % Wilson interval is "
            f"{width * 100:.1f} points wide, {verdict}.",
            f"驗證影像 {count:,} 張：準確率 90 % 時 95 % Wilson 區間寬 "
            f"{width * 100:.1f} 個百分點，{verdict_zh}。",
        )
    ]


def sentences(audit: "Audit") -> list[Note]:
    """Put an audit into words.

    Args:
        audit: The finished audit.

    Returns:
        Sentences in the order of a data section: images, groups, files, sizes, val.
    """
    return [
        *_images(audit),
        *_groups(audit),
        *_files(audit),
        *_sizes(audit),
        *_val(audit),
    ]


SPLITS = ("train", "val", "test", "")
MAX_NAMED = 5  # files that an error names before it only counts them


def audit(
    table: pd.DataFrame, card: Card, folder: Path, *, on_bad_image: str = "skip"
) -> Audit:
    """Look at every file and say what the set holds.

    Args:
        table: The reader's rows.
        card: The reader's card.
        folder: The data folder.
        on_bad_image: `skip` lists unusable files, `stop` refuses the set.

    Returns:
        The audit, of the set as it lies there.

    Raises:
        DataError: No usable image; or an unusable one under `stop`.
    """
    facts = inspect_files(folder, list(table["image"]))
    files = pd.concat([table.reset_index(drop=True), facts], axis=1)
    unlabelled = (files["label"] == "") & (files["problem"] == "")
    files.loc[unlabelled, "problem"] = "no label row for this image"
    bad = files[files["problem"] != ""]
    if len(bad) and (on_bad_image == "stop" or len(bad) == len(files)):
        named = "; ".join(
            f"{row.image}: {row.problem}" for row in bad.head(MAX_NAMED).itertuples()
        )
        more = f"; and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        advice = (
            "no image is usable"
            if len(bad) == len(files)
            else "mend or remove them, or set on_bad_image to 'skip'"
        )
        raise DataError(
            f"{len(bad)} of {len(files)} images in {str(folder)!r} are unusable "
            f"({named}{more}): {advice}"
        )
    good = files["problem"] == ""
    channels = card.channels or (1 if files.loc[good, "grey"].all() else 3)
    files["odd"] = treatments(files, channels).where(good, "")
    return Audit(
        card=card, files=files, channels=channels, size_only=size_only(files[good])
    )
