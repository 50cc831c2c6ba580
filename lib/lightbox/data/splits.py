"""Train, val and test: published where they can be, grouped folds where not."""

import warnings

import numpy as np
import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import N_
from lightbox.data.cards import Sentence
from lightbox.data.inspection import WIDEST, interval_width

VAL_FRACTION = 0.15  # wanted, of all images
TEST_FRACTION = 0.15  # wanted, where no test is published
ATTEMPTS = 20  # shuffles of the groups before a split is called impossible
GOOD_FIT = 0.3  # a fold this near to the wanted size and class shares is taken


def _inseparable(table: pd.DataFrame, by: str) -> np.ndarray:
    """Number what must stay on one side, (N,) int: a group, byte-identical files."""
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
    """Choose a fold with every class inside and outside: mask (N,), None without."""
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
    table: pd.DataFrame, *, name: str, fraction: float, seed: int, by: str
) -> np.ndarray:
    """Choose the rows of train, of all of `table`, that become the split `name`."""
    part = np.flatnonzero(table["split"] == "train")
    rows = table.iloc[part]
    groups = _inseparable(rows, by)
    labels = rows["label"].to_numpy(dtype=object)
    # Few members make scikit-learn warn; presence of each class is checked here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fold = _hold_out(labels, groups, fraction=fraction, seed=seed)
    if fold is None:
        spread = pd.Series(groups).groupby(labels).nunique()
        raise DataError(
            f"no {name} split can hold every class: {spread.idxmin()!r} comes from "
            f"{spread.min()} group(s) (patients, slides or single images) of "
            f"{len(np.unique(groups))}. Add images, drop that class, or split by image "
            "(then patients or slides are shared)"
        )
    mask = np.zeros(len(table), dtype=bool)
    mask[part[fold]] = True
    return mask


def _make_test(
    table: pd.DataFrame, how: Sentence, seed: int, by: str
) -> tuple[pd.DataFrame, Sentence]:
    """Take test from a set that publishes none."""
    mask = _carve(table, name="test", fraction=TEST_FRACTION, seed=seed, by=by)
    text = N_(
        "No test split is published: {test:,} of {total:,} images became test "
        "({percent:.1f}%; stratified, {how}, seed {seed})."
    )
    numbers = {"test": mask.sum(), "total": len(table), "percent": 100 * mask.mean()}
    note = Sentence(text, how=how, seed=seed, **numbers)
    return table.assign(split=table["split"].mask(mask, "test")), note


def _make_val(
    table: pd.DataFrame, how: Sentence, seed: int, by: str, fraction: float
) -> tuple[pd.DataFrame, Sentence]:
    """Take val from train in place of a published one that is too small, or of none."""
    old, train = (int((table["split"] == name).sum()) for name in ("val", "train"))
    try:
        mask = _carve(table, name="val", fraction=fraction, seed=seed, by=by)
    except DataError:
        if not old:
            raise
        mask = np.zeros(len(table), dtype=bool)  # the published one is kept
    new, width = int(mask.sum()), interval_width(old) * 100
    if new <= old:
        text = N_(
            "The published val split of {old} images is kept although its interval is "
            "{width:.0f} points wide: train holds no larger one."
        )
        return table, Sentence(text, old=old, width=width)
    text = (
        N_(
            "The published val split of {old} images is too small to select on (at "
            "90 % accuracy its 95 % interval is {width:.0f} points wide) and was set "
            "aside: {new:,} of the {train:,} train images became val, {left:,} stay "
            "train (stratified, {how}, seed {seed}; interval {narrow:.1f} points)."
        )
        if old
        else N_(
            "No val split is published: {new:,} of the {train:,} train images became "
            "val, {left:,} stay train (stratified, {how}, seed {seed}; interval "
            "{narrow:.1f} points)."
        )
    )
    numbers = {"old": old, "new": new, "train": train, "left": train - new}
    widths = {"width": width, "narrow": interval_width(new) * 100}
    kept = table[table["split"] != "val"].assign(split=table["split"].mask(mask, "val"))
    return kept, Sentence(text, how=how, seed=seed, **numbers, **widths)


def assign_splits(
    table: pd.DataFrame, *, seed: int, classes: tuple[str, ...], by: str = "group"
) -> tuple[pd.DataFrame, list[Sentence]]:
    """Keep published splits; make what is missing or too small from train.

    A val set is too small when its interval at 90 % accuracy is wider than 10
    points. It is then set aside, not added to train: copies of the chest set with
    and without its 16 val images so give the same splits.

    Returns:
        The table sorted by image with `split` train, val or test in every row
        (without the rows of a val that was set aside), and notes on what changed.

    Raises:
        DataError: No train images, or a class that cannot be in every split.

    Source: scikit-learn's StratifiedGroupKFold; the fold nearest to the wanted
    size and class shares is taken rather than the first.
    """
    table = table.sort_values("image", ignore_index=True)
    notes, fraction = [], VAL_FRACTION
    published = set(table["split"]) - {""}
    if published and "train" not in published:
        raise DataError(
            f"there is a folder for {' and '.join(sorted(published))} but none for "
            "train: name it 'train'"
        )
    if not published:
        table["split"] = "train"
    if not (table["group"] != "").any():
        how = Sentence(N_("every image on its own"))
    elif by == "image":
        how = Sentence(N_("patients or slides shared"))
    else:
        how = Sentence(N_("grouped by patient or slide"))
    if "test" not in published:
        table, note = _make_test(table, how, seed, by)
        notes.append(note)
        fraction = VAL_FRACTION / (1 - TEST_FRACTION)
    if interval_width(int((table["split"] == "val").sum())) > WIDEST:
        table, note = _make_val(table, how, seed, by, fraction)
        notes.append(note)
    for split in ("train", "val", "test"):
        present = set(table.loc[table["split"] == split, "label"])
        if missing := [name for name in classes if name not in present]:
            raise DataError(
                f"the {split} split has no usable image of {', '.join(missing)}: "
                "every class must be in every split"
            )
    return table.reset_index(drop=True), notes
