"""Checks on image modes, image sizes and the size of val."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

FOLDS = 5
ASSUMED_ACCURACY = 0.9
WIDEST = 0.10  # of the interval at that accuracy, for a val set to select on
MODES = {
    "1": "black and white; read as 8-bit grey",
    "P": "palette; read as RGB",
    "PA": "palette; read as RGB",
    "CMYK": "CMYK; read as RGB",
    "YCbCr": "YCbCr; read as RGB",
    "LAB": "LAB; read as RGB",
    "HSV": "HSV; read as RGB",
}


@dataclass(frozen=True)
class SizeOnly:
    """Whether the image size alone predicts the label.

    Args:
        auc: Cross-validated area under the ROC curve of a depth-3 tree on width,
            height and aspect (macro one-vs-rest for more than two classes);
            None where a class has too few images to fold.
        sizes: Number of different sizes.
        folds: Number of folds; 0 where nothing had to be fitted.
    """

    auc: float | None
    sizes: int
    folds: int


def _treatment(row: pd.Series, channels: int) -> str:
    """Say what is done about an unusual file; "" for an ordinary one."""
    said = []
    if row["depth"] == 16 and row["mode"] in {"RGB", "RGBA"}:
        said.append("16-bit colour; the upper 8 bits are read")
    elif row["depth"] == 16:
        top = row["highest"]
        said.append(f"16-bit; 65535 becomes 255 (its highest value is {top})")
    elif row["mode"] in MODES:
        said.append(MODES[row["mode"]])
    if row["alpha"]:
        said.append("transparency; laid on black")
    if channels == 1 and not row["grey"]:
        said.append("colours; read as luminance")
    elif channels == 3 and row["grey"] and row["mode"] not in {"RGB", "RGBA"}:
        said.append("one channel; repeated to three")
    if row["frames"] > 1:
        said.append(f"{row['frames']} frames; the first is read")
    if row["orientation"] not in {0, 1}:
        said.append(f"EXIF orientation {row['orientation']}; turned upright")
    return ", ".join(said)


def _ordinary(files: pd.DataFrame, channels: int) -> pd.Series:
    """Mark rows that need no treatment, so that only the others are looked at."""
    plain = (files["depth"] == 8) & (files["frames"] == 1) & ~files["alpha"]
    upright = files["orientation"].isin([0, 1])
    colour = files["grey"] if channels == 1 else files["mode"] == "RGB"
    modes = ["L", "RGB"] if channels == 1 else ["RGB"]
    return plain & upright & colour & files["mode"].isin(modes)


def treatments(files: pd.DataFrame, channels: int) -> pd.Series:
    """Say what is done about each file of an unusual mode.

    Args:
        files: Rows of the file pass.
        channels: 1 or 3, how the set is decoded.

    Returns:
        A phrase per row; "" for an ordinary file.
    """
    said = pd.Series("", index=files.index, dtype=object)
    for index in files.index[~_ordinary(files, channels)]:
        said[index] = _treatment(files.loc[index], channels)
    return said


def size_only(files: pd.DataFrame) -> SizeOnly:
    """Ask whether width, height and aspect alone predict the label.

    Args:
        files: Usable rows with `width`, `height`, `label`, `group`.

    Returns:
        The cross-validated AUC; 0.5 by definition where all sizes are one.
        Groups stay in one fold where they are known.
    """
    sizes = len(files[["width", "height"]].drop_duplicates())
    if sizes <= 1:
        return SizeOnly(auc=0.5, sizes=sizes, folds=0)
    labels = pd.factorize(files["label"], sort=True)[0]
    groups = files["group"].where(files["group"] != "", files["image"]).to_numpy()
    per_class = pd.Series(groups).groupby(labels).nunique()
    folds = min(FOLDS, int(per_class.min()))
    if folds < 2:
        return SizeOnly(auc=None, sizes=sizes, folds=0)
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    features = np.column_stack(
        [files["width"], files["height"], files["width"] / files["height"]]
    )
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=2, random_state=0)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    probabilities = cross_val_predict(
        tree, features, labels, groups=groups, cv=splitter, method="predict_proba"
    )
    if probabilities.shape[1] == 2:
        auc = roc_auc_score(labels, probabilities[:, 1])
    else:
        auc = roc_auc_score(labels, probabilities, multi_class="ovr")
    return SizeOnly(auc=float(auc), sizes=sizes, folds=folds)


def interval_width(count: int) -> float:
    """Width of the 95 % Wilson interval at an assumed accuracy of 90 %.

    Args:
        count: Number of images scored.

    Returns:
        Upper minus lower bound, 0 to 1; 1 where nothing is scored.

    Source: Wilson 1927, JASA 22:209.
    """
    if count == 0:
        return 1.0
    z, p = NormalDist().inv_cdf(0.975), ASSUMED_ACCURACY
    spread = np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return float(2 * z * spread / (1 + z**2 / count))
