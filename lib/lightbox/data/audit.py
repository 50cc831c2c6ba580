"""The audit: what is in a data set, told before anything trains on it."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

from lightbox.data.audit_text import sentences
from lightbox.data.cards import Card
from lightbox.data.checks import SizeOnly, size_only, treatments
from lightbox.data.inspection import inspect_files
from lightbox.data.notes import Note
from lightbox.errors import DataError

SPLITS = ("train", "val", "test", "")
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

    def findings(self, language: str = "en") -> list[str]:
        """What was found, as short sentences with a number each.

        Args:
            language: `en` or `zh`.
        """
        return [note.say(language) for note in self.notes()]


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
