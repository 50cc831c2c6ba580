"""Train, val and test: published where they can be, grouped folds where not."""

import warnings

import numpy as np
import pandas as pd

from lightbox.base.errors import DataError
from lightbox.data.cards import Note
from lightbox.data.inspection import WIDEST, interval_width

ATTEMPTS = 20  # shuffles of the groups before a split is called impossible
GOOD_FIT = 0.3  # a fold this near to the wanted size and class shares is taken


def _inseparable(table: pd.DataFrame, by: str) -> np.ndarray:
    """Number what must stay on one side: a group, and byte-identical files.

    Returns:
        Component number of each row, (N,) int.
    """
    # Imported where it is used, as is scikit-learn: the two take seconds, and sets
    # whose splits are published need neither.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    own = "image " + table["image"]
    known = (table["group"] != "") & (by == "group")
    groups = pd.factorize(table["group"].where(known, own))[0]
    if "sha256" not in table:
        return groups
    contents = pd.factorize(table["sha256"])[0]
    nodes = groups.max() + 1 + contents.max() + 1
    edges = (np.ones(len(table)), (groups, groups.max() + 1 + contents))
    graph = coo_array(edges, shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1][groups]


def _hold_out(
    labels: np.ndarray, groups: np.ndarray, *, fraction: float, seed: int
) -> np.ndarray | None:
    """Choose one fold of a stratified group k-fold that holds every class.

    Returns:
        Mask (N,) of the fold, or None where no fold has every class inside and
        outside in `ATTEMPTS` shuffles.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    classes, counts = np.unique(labels, return_counts=True)
    shares = counts / len(labels)
    folds = min(round(1 / fraction), len(np.unique(groups)), counts.max())
    if folds < 2:
        return None
    best, best_misfit = None, np.inf
    for attempt in range(ATTEMPTS):
        splitter = StratifiedGroupKFold(
            folds, shuffle=True, random_state=(seed + attempt) % 2**32
        )
        for _, inside in splitter.split(labels, labels, groups):
            mask = np.zeros(len(labels), dtype=bool)
            mask[inside] = True
            own = np.array([(labels[mask] == name).sum() for name in classes])
            if not own.all() or (own == counts).any():
                continue
            size = abs(mask.mean() - fraction) / fraction
            misfit = size + np.abs(own / own.sum() - shares).max()
            if misfit < best_misfit:
                best, best_misfit = mask, misfit
        if best_misfit < GOOD_FIT:
            break
    return best


def _carve(
    table: pd.DataFrame,
    part: np.ndarray,
    *,
    name: str,
    fraction: float,
    seed: int,
    by: str,
) -> np.ndarray:
    """Turn a fold of the rows in `part` into the split `name`.

    Returns:
        Mask over the whole table, (N,) bool.
    """
    rows = table[part]
    groups = _inseparable(rows, by)
    labels = rows["label"].to_numpy(dtype=object)
    # Few members make scikit-learn warn; presence of each class is checked here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fold = _hold_out(labels, groups, fraction=fraction, seed=seed)
    if fold is None:
        spread = pd.Series(groups).groupby(labels).nunique()
        rare = spread.idxmin()
        raise DataError(
            f"no {name} split can hold every class: {rare!r} comes from "
            f"{spread.min()} group(s) (patients, slides or single images) of "
            f"{len(np.unique(groups))}. Add images, drop that class, or split by image "
            "(then patients or slides are shared)"
        )
    mask = np.zeros(len(table), dtype=bool)
    mask[np.flatnonzero(part)[fold]] = True
    return mask


def _check_classes(table: pd.DataFrame, classes: tuple[str, ...]) -> None:
    for split in ("train", "val", "test"):
        present = set(table.loc[table["split"] == split, "label"])
        if missing := [name for name in classes if name not in present]:
            raise DataError(
                f"the {split} split has no usable image of {', '.join(missing)}: "
                "every class must be in every split"
            )


def assign_splits(
    table: pd.DataFrame,
    *,
    seed: int,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    classes: tuple[str, ...],
    by: str = "group",
) -> tuple[pd.DataFrame, list[Note]]:
    """Keep published splits; make what is missing or too small from train.

    A val set is too small when its interval at 90 % accuracy is wider than 10
    points. It is then set aside, not added to train: copies of the chest set with
    and without its 16 val images so give the same splits. The new val is a fold
    of train that is stratified by class and keeps groups, and byte-identical
    files, on one side.

    Args:
        table: Rows with `image`, `split`, `label`, `group`, and `sha256` where
            it is known, in any order.
        seed: Decides the folds, together with nothing else.
        val_fraction: Wanted share of val, 0 to 1.
        test_fraction: Wanted share of test where none is published, 0 to 1.
        classes: Every class, each of which must be in every split.
        by: `group` keeps groups on one side, `image` ignores them.

    Returns:
        The table sorted by image with `split` train, val or test in every row
        (without the rows of a val that was set aside), and notes on what changed.

    Raises:
        DataError: No train images, or a class that cannot be in every split.

    Source: scikit-learn's StratifiedGroupKFold; the fold nearest to the wanted
    size and class shares is taken rather than the first.
    """
    table = table.sort_values("image", ignore_index=True)
    split = table["split"].to_numpy(dtype=object).copy()
    notes: list[Note] = []
    published = set(split) - {""}
    if published and "train" not in published:
        raise DataError(
            f"there is a folder for {' and '.join(sorted(published))} but none for "
            "train: name it 'train'"
        )
    if not published:
        split[:] = "train"
    options = {"seed": seed, "fraction": test_fraction, "by": by}
    how, how_zh = "every image on its own", "每張影像各自獨立"
    if (table["group"] != "").any():
        how, how_zh = "grouped by patient or slide", "依病人或切片分組"
        if by == "image":
            how, how_zh = "patients or slides shared", "病人或切片跨子集共用"
    total = len(table)
    if "test" not in published:
        mask = _carve(table, split == "train", name="test", **options)
        split[mask] = "test"
        notes.append(
            Note(
                f"No test split is published: {mask.sum():,} of {total:,} images "
                f"became test ({mask.mean():.1%}; stratified, {how}, seed {seed}).",
                f"沒有公開的測試集：{total:,} 張影像中的 {mask.sum():,} 張作為測試集"
                f"（{mask.mean():.1%}；分層抽樣，{how_zh}，種子 {seed}）。",
            )
        )
        val_fraction = val_fraction / (1 - test_fraction)
    old = int((split == "val").sum())
    if interval_width(old) > WIDEST:
        part = split == "train"
        options = {"seed": seed, "fraction": val_fraction, "by": by}
        try:
            mask = _carve(table, part, name="val", **options)
        except DataError:
            if not old:
                raise
            mask = np.zeros(len(table), dtype=bool)  # the published one is kept
        new = int(mask.sum())
        if new > old:
            set_aside = split == "val"
            split[mask] = "val"
            table, split = table[~set_aside], split[~set_aside]
            notes.append(_val_note(old, new, int(part.sum()), (how, how_zh, seed)))
        else:
            width = interval_width(old) * 100
            notes.append(
                Note(
                    f"The published val split of {old} images is kept although its "
                    f"interval is {width:.0f} points wide: train holds no larger one.",
                    f"保留公開的 {old} 張驗證影像（區間寬 {width:.0f} 個百分點）："
                    "訓練集無法分出更大的驗證集。",
                )
            )
    table = table.assign(split=split).reset_index(drop=True)
    _check_classes(table, classes)
    return table, notes


def _val_note(old: int, new: int, train: int, how: tuple[str, str, int]) -> Note:
    """Say that, why and by what val was replaced."""
    width, narrow = interval_width(old) * 100, interval_width(new) * 100
    why = (
        f"The published val split of {old} images is too small to select on (at 90 % "
        f"accuracy its 95 % interval is {width:.0f} points wide) and was set aside"
        if old
        else "No val split is published"
    )
    why_zh = (
        f"公開的驗證集只有 {old} 張，不足以用來選擇模型（準確率 90 % 時 95 % 區間寬達 "
        f"{width:.0f} 個百分點），故不採用"
        if old
        else "沒有公開的驗證集"
    )
    return Note(
        f"{why}: {new:,} of the {train:,} train images became val, {train - new:,} "
        f"stay train (stratified, {how[0]}, seed {how[2]}; interval {narrow:.1f} "
        "points).",
        f"{why_zh}：{train:,} 張訓練影像中的 {new:,} 張改作驗證集，{train - new:,} 張"
        f"留作訓練（分層抽樣，{how[1]}，種子 {how[2]}；區間寬 {narrow:.1f} "
        "個百分點）。",
    )
