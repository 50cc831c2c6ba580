"""The audit: what is in a data set, told before anything trains on it."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import N_, _, listed, pgettext
from lightbox.data.cards import Card
from lightbox.data.inspection import (
    WIDEST,
    SizeOnly,
    inspect_files,
    interval_width,
    size_only,
    treatment,
)

SPLITS = (N_("train"), N_("val"), N_("test"), "")
PREDICTS = 0.6  # AUC from which the size is called informative on the label
MAX_NAMED = 5  # files that an error names before it only counts them


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

    def groups(self, key: str = "group") -> dict[str, set[str]]:
        """Patients or slides per published split, by `group` or by `alternative`."""
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
            where += " and ".join(name or "the set" for name in splits)
            labels, groups = same["label"].nunique(), set(same["group"]) - {""}
            images = ", ".join(same["image"])
            rows.append((sha256[:12], len(same), where, labels, len(groups), images))
        columns = ["sha256", "files", "where", "labels", "groups", "images"]
        table = pd.DataFrame(rows, columns=columns)
        return table.sort_values("images", ignore_index=True)

    def bad(self) -> pd.DataFrame:
        """Unusable files: `image` and `reason`."""
        return _listed(self.files, "problem", "reason")

    def odd(self) -> pd.DataFrame:
        """Usable files of unusual mode: `image` and `treatment`."""
        return _listed(self.usable, "odd", "treatment")

    def sizes(self) -> pd.DataFrame:
        """Image sizes, most frequent first: `width`, `height`, then a class each."""
        usable = self.usable
        sizes = pd.crosstab([usable["width"], usable["height"]], usable["label"])
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

    def findings(self) -> list[str]:
        """Say what was found, in short sentences with a number each."""
        return [
            *_images(self),
            *_groups(self),
            *_files(self),
            *_sizes(self),
            *_val(self),
        ]


def _listed(files: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """List the files for which a column says something."""
    rows = files.loc[files[column] != "", ["image", column]]
    return rows.rename(columns={column: name}).reset_index(drop=True)


def _images(audit: Audit) -> list[str]:
    usable = audit.usable
    sizes = {name: int((usable["split"] == name).sum()) for name in audit.splits}
    text = (
        _("{images:,} usable images in {classes} classes: {splits}.")
        if any(sizes)
        else _("{images:,} usable images in {classes} classes, no split published.")
    )
    parts = [
        _("{count:,} {split}").format(count=count, split=_(name))
        for name, count in sizes.items()
    ]
    first = usable[usable["split"] == audit.splits[0]]
    shares = first["label"].value_counts(normalize=True)
    largest = _(
        "{name} is the largest class with {percent:.1f}% of {where}: always answering "
        "it is that often right there."
    )
    classes, where = len(audit.card.classes), _(audit.splits[0]) or _("the set")
    name, percent = shares.index[0], 100 * shares.iloc[0]
    return [
        text.format(images=len(usable), classes=classes, splits=listed(parts)),
        largest.format(name=name, percent=percent, where=where),
    ]


def _group_words(kind: str) -> tuple[str, str, str]:
    """Name groups, a number of them and none; Chinese has a measure word for each."""
    if kind == "patient":
        none = pgettext("patients", "0 shared between splits")
        return _("Patients"), pgettext("patients", "{count:,}"), none
    none = pgettext("slides", "0 shared between splits")
    return _("Slides"), pgettext("slides", "{count:,}"), none


def _key_sentence(audit: Audit, key: str, meaning: str) -> str:
    """Count the groups per split under one way to read the key."""
    groups, counted, none = _group_words(str(audit.card.group))
    held = [
        _("{count} in {split}").format(
            count=counted.format(count=len(members)), split=_(name) or _("the set")
        )
        for name, members in audit.groups(key).items()
    ]
    pairs = []
    for pair, number in audit.shared(key).items():
        one, other = map(_, pair.split(" and "))
        if number:
            text = _("{count} in both {one} and {other}")
            count = counted.format(count=number)
            pairs.append(text.format(count=count, one=one, other=other))
    text = (
        _("{groups} by {key}: {counts}; {shared}.")
        if len(held) > 1
        else _("{groups} by {key}: {counts}.")
    )
    return text.format(
        groups=groups, key=_(meaning), counts=listed(held), shared=listed(pairs) or none
    )


def _groups(audit: Audit) -> list[str]:
    card = audit.card
    if not card.group:
        return [_("0 file names tell the patient: every image counts as its own.")]
    said = [_key_sentence(audit, "group", card.group_key)]
    if card.alternative_key:
        said.append(_key_sentence(audit, "alternative", card.alternative_key))
        text = _("Of these 2 keys {key} is used: {reason}.")
        said.append(text.format(key=_(card.group_key), reason=_(card.key_reason)))
    if unknown := int((audit.usable["group"] == "").sum()):
        text = _(
            "{count:,} file names follow no known pattern: each of these images counts "
            "as its own {group}."
        )
        said.append(text.format(count=unknown, group=_(card.group)))
    return said


def _files(audit: Audit) -> list[str]:
    same, bad, odd = audit.duplicates(), audit.bad(), audit.odd()
    across = int(same["where"].str.startswith("across").sum())
    conflicts, apart = (int((same[name] > 1).sum()) for name in ("labels", "groups"))
    more = ""
    if conflicts:
        more += _(", {count} with different labels").format(count=conflicts)
    if apart:
        text = _(", {count} under different {group}s")
        more += text.format(count=apart, group=_(str(audit.card.group)))
    text = _(
        "{groups} groups of byte-identical files ({files} files): {within} within a "
        "split, {across} across splits{more}."
    )
    unusable = (
        _("{bad} of {files:,} files are unusable and left out.")
        if len(bad)
        else _("{bad} of {files:,} files are unusable.")
    )
    numbers = {"groups": len(same), "files": int(same["files"].sum())}
    said = [
        text.format(**numbers, within=len(same) - across, across=across, more=more),
        unusable.format(bad=len(bad), files=len(audit.files)),
    ]
    if len(odd):
        text = _(
            "{count} files have an unusual mode and are converted; the table says how."
        )
        said.append(text.format(count=len(odd)))
    return said


def _sizes(audit: Audit) -> list[str]:
    usable, found = audit.usable, audit.size_only
    low, high = usable[["width", "height"]].agg(["min", "max"]).itertuples(index=False)
    if found.sizes == 1:
        text = _(
            "All images are {width} x {height} px (1 size): the size cannot give the "
            "label away."
        )
        return [text.format(**low._asdict())]
    sizes = _("{sizes:,} image sizes; widths {wide} px, heights {high} px.").format(
        sizes=found.sizes,
        wide=f"{low.width}-{high.width}",
        high=f"{low.height}-{high.height}",
    )
    if found.auc is None:
        text = _(
            "Whether the size predicts the label cannot be tested in {images} images: "
            "a class has fewer than 2 groups."
        )
    elif found.auc >= PREDICTS:
        text = _(
            "Width, height and aspect alone reach an AUC of {auc:.2f} ({folds}-fold): "
            "the size gives the label away in part; read every result beside this "
            "number."
        )
    else:
        text = _(
            "Width, height and aspect alone reach an AUC of {auc:.2f} ({folds}-fold): "
            "the size says next to nothing about the label."
        )
    return [sizes, text.format(images=len(usable), auc=found.auc, folds=found.folds)]


def _val(audit: Audit) -> list[str]:
    if "train" not in audit.splits:
        return []
    count = int((audit.usable["split"] == "val").sum())
    if count == 0:
        return [_("0 val images are published: there is nothing to select on.")]
    width = interval_width(count)
    text = (
        _(
            "{count:,} val images: at 90 % accuracy the 95 % Wilson interval is "
            "{width:.1f} points wide, too small to select on."
        )
        if width > WIDEST
        else _(
            "{count:,} val images: at 90 % accuracy the 95 % Wilson interval is "
            "{width:.1f} points wide, large enough to select on."
        )
    )
    return [text.format(count=count, width=width * 100)]


def audit(
    table: pd.DataFrame, card: Card, folder: Path, *, on_bad_image: str = "skip"
) -> Audit:
    """Look at every file and say what the set holds.

    Raises:
        DataError: No usable image; or an unusable one under `stop`.
    """
    facts = inspect_files(folder, list(table["image"]))
    files = pd.concat([table.reset_index(drop=True), facts], axis=1)
    unlabelled = (files["label"] == "") & (files["problem"] == "")
    files.loc[unlabelled, "problem"] = "no label row for this image"
    good = files["problem"] == ""
    bad = files[~good]
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
    channels = card.channels or (1 if files.loc[good, "grey"].all() else 3)
    said = [treatment(row, channels) for row in files.itertuples()]
    files["odd"] = pd.Series(said, index=files.index, dtype=object).where(good, "")
    return Audit(card, files, channels, size_only(files[good]))
