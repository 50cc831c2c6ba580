"""What figures of predictions share: their words, plain names, the best run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lightbox.metrics import score_run
from lightbox.words import look_up

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
PAIRS: dict[str, tuple[str, str]] = {
    # Curves.
    "fpr": ("False-positive rate (1 − specificity)", "偽陽性率（1 − 特異度）"),
    "tpr": ("True-positive rate (sensitivity)", "真陽性率（敏感度）"),
    "recall_axis": ("Recall (sensitivity)", "召回率（敏感度）"),
    "precision_axis": ("Precision", "精確率"),
    "chance": (
        "an answer at random: diagonal, and precision {share:.2f}, the share of "
        "positives",
        "隨機作答：對角線，以及精確率 {share:.2f}（陽性比例）",
    ),
    "chance_mean": (
        "an answer at random: diagonal, and precision {share:.2f}, a class's mean "
        "share",
        "隨機作答：對角線，以及精確率 {share:.2f}（各類別的平均比例）",
    ),
    "areas": (
        "{name}: AUROC {auroc:.3f} ({auroc_low:.3f}–{auroc_high:.3f}), "
        "AP {ap:.3f} ({ap_low:.3f}–{ap_high:.3f})",
        "{name}：AUROC {auroc:.3f}（{auroc_low:.3f}–{auroc_high:.3f}），"
        "AP {ap:.3f}（{ap_low:.3f}–{ap_high:.3f}）",
    ),
    "caption_roc": (
        "ROC (left) and precision-recall curves (right) on the {images:,} test "
        "images. {of} The legend gives the area under the ROC curve (AUROC) and the "
        "average precision (AP), each with its 95 % interval; {bands} pointwise 95 % "
        "bands. Intervals and bands come from {resamples:,} resamples of the "
        "{groups}.{seeds}",
        "{images:,} 張測試影像上的 ROC 曲線（左）與精確率–召回率曲線（右）。{of}"
        "圖例為 ROC 曲線下面積（AUROC）與平均精確率（AP），各附 95 % 信賴區間；"
        "{bands}逐點 95 % 信賴帶。區間與信賴帶皆來自對{groups}的 {resamples:,} 次"
        "重抽樣。{seeds}",
    ),
    "of_positive": ("The positive class is {name}.", "陽性類別為 {name}。"),
    "of_classes": (
        "They are means over {count} classes, each against the rest.",
        "曲線為 {count} 個類別各自對其餘類別的平均。",
    ),
    "left_out": (
        " Without a test image, and left out: {names}.",
        "沒有測試影像而未列入：{names}。",
    ),
    "bands_all": ("shaded are", "陰影為"),
    "bands_one": (
        "shaded, for {name} (lowest NLL on val), are",
        "陰影為 {name}（驗證集 NLL 最低）的",
    ),
    "patients": ("{count:,} patients or slides", " {count:,} 位病人（或切片）"),
    "single_images": (
        "images, as their names give no patient",
        "影像（檔名未提供病人）",
    ),
    "seeds_averaged": (
        " Runs that differ in their seed alone share a line, the mean of their curves.",
        "僅種子不同的訓練共用一條線，為其曲線的平均。",
    ),
    "no_roc": (
        "No ROC curve is drawn: the {images:,} test images are all of one class.",
        "未繪製 ROC 曲線：{images:,} 張測試影像皆屬同一類別。",
    ),
    # The best run's images.
    "is": ("true: {name}", "真實：{name}"),
    "said": ("said: {name}", "答案：{name}"),
    "patient": ("patient {name}", "病人 {name}"),
    "no_patient": ("patient not known", "病人不詳"),
    "caption_gallery": (
        "The {shown} most confident errors of {run} among its {errors} on the "
        "{images:,} test images; the run is the one with the lowest NLL on val. Under "
        "each image: file, patient or slide, true class and answer, and the "
        "probability p of the answer. Images are shown as the network sees them.",
        "{run}（驗證集 NLL 最低的訓練）在 {images:,} 張測試影像上的 {errors} 個錯誤中，"
        "信心最高的 {shown} 個。各影像下方為檔名、病人或切片、真實類別與答案，"
        "以及該答案的機率 p。影像以網路所見的樣子呈現。",
    ),
    "caption_gallery_all": (
        "All {errors} errors of {run} on the {images:,} test images, the most "
        "confident first; the run is the one with the lowest NLL on val. Under "
        "each image: file, patient or slide, true class and answer, and the "
        "probability p of the answer. Images are shown as the network sees them.",
        "{run}（驗證集 NLL 最低的訓練）在 {images:,} 張測試影像上的全部 {errors} "
        "個錯誤，依信心由高至低排列。各影像下方為檔名、病人或切片、真實類別與答案，"
        "以及該答案的機率 p。影像以網路所見的樣子呈現。",
    ),
    "no_errors": (
        "{run}, the run with the lowest NLL on val, made 0 errors on the {images:,} "
        "test images: there is none to show.",
        "驗證集 NLL 最低的訓練 {run} 在 {images:,} 張測試影像上有 0 個錯誤，"
        "沒有可顯示的影像。",
    ),
    # Grad-CAM.
    "caption_gradcam": (
        "Grad-CAM of {run}, the run with the lowest NLL on val, at layer {layer}: each "
        "test image, and beneath it where the layer's features spoke for the class "
        "that was answered. The layer sees {height} × {width} cells, enlarged here."
        "{coarse} {chosen} Every map is scaled to its own maximum, so that the colours "
        "of two images do not compare.{empty} A map says where a network looked, not "
        "why, and not whether it was right to.",
        "{run}（驗證集 NLL 最低的訓練）在 {layer} 層的 Grad-CAM：上為測試影像，"
        "下為該層特徵支持所給答案之處。該層為 {height} × {width} 格，此處放大顯示。"
        "{coarse}{chosen}每張圖以自身最大值為準，兩張影像的顏色不可互相比較。{empty}"
        "此圖只說明網路看了哪裡，不說明原因，也不表示看對了地方。",
    ),
    "gradcam_coarse": (
        " So few cells hardly place anything; larger images have more.",
        "格數如此之少，幾乎無法定位；影像越大，格數越多。",
    ),
    "gradcam_right": (
        "Shown are the most confident right answers of each class",
        "依序為各類別信心最高的正確答案",
    ),
    "gradcam_wrong": (
        " and the {count} most confident errors.",
        "與信心最高的 {count} 個錯誤。",
    ),
    "gradcam_no_wrong": ("; there are no errors.", "；沒有錯誤。"),
    "gradcam_empty": (
        " {count} of the {total} maps are empty: no feature of the layer spoke for "
        "that answer.",
        "{total} 張圖中有 {count} 張為空白：該層沒有特徵支持該答案。",
    ),
    "no_convolution": (
        "Grad-CAM is not drawn for {run}, the run with the lowest NLL on val: it "
        "weighs the maps of a convolution, and this network has none beside the one "
        "that cuts the image into patches.",
        "未對驗證集 NLL 最低的訓練 {run} 繪製 Grad-CAM：此方法對卷積層的特徵圖加權，"
        "而此網路除了切分影像區塊的卷積以外沒有卷積層。",
    ),
    # Calibration.
    "confidence": ("Confidence", "信心"),
    "accuracy_axis": ("Accuracy", "準確率"),
    "images_axis": ("Images", "影像數"),
    "perfect": ("perfect calibration", "完美校準"),
    "before": ("as trained", "訓練後"),
    "after": ("after temperature scaling", "溫度校準後"),
    "ece_only": ("ECE {before:.3f}", "ECE {before:.3f}"),
    # Where the next text breaks if it is too long.
    "ece_break": (", ", "，"),
    "ece_change": (
        "ECE {before:.3f} → {after:.3f}, T = {temperature:.2f}",
        "ECE {before:.3f} → {after:.3f}，T = {temperature:.2f}",
    ),
    "caption_reliability": (
        "Confidence against accuracy on the {images:,} test images, in {bins} equal "
        "bins of the confidence, which is the probability of the answer given; beneath "
        "it, how many images each bin has. A point below the diagonal is "
        "overconfident. Bars are 95 % Wilson intervals, which count images as "
        "independent. The temperature T divides the logits and is fitted on val "
        "(not where val has no error); it changes no answer. ECE is the mean distance "
        "from the diagonal over the images.{left}",
        "{images:,} 張測試影像上的信心與準確率，依信心（所給答案的機率）分為 {bins} 個"
        "等寬區間；下方為各區間的影像數。低於對角線表示過度自信。誤差線為 95 % Wilson "
        "信賴區間，將影像視為獨立。溫度 T 除以 logit，由驗證集求得"
        "（驗證集沒有錯誤時不求），不改變任何答案。"
        "ECE 為各影像與對角線距離的平均。{left}",
    ),
    "left_runs": (
        " Of {total} runs, the {shown} with the lowest NLL on val are drawn.",
        "{total} 次訓練中，僅繪製驗證集 NLL 最低的 {shown} 次。",
    ),
}


def seeing_words(language: str) -> Mapping[str, str]:
    """Look up the words of these figures.

    Args:
        language: `"en"` or `"zh"`.

    Returns:
        A mapping from key to word or sentence; some hold `{fields}` to fill.

    Raises:
        ParameterError: If the language is neither of the two.
    """
    return look_up(PAIRS, language)


def literal(text: str) -> str:
    r"""Make a name stand for itself in a drawing, where `$` would begin a formula.

    Args:
        text: A file, patient, class or run.

    Returns:
        One line: dollars behind a backslash, and a mark in the place of every
        character that cannot be printed.
    """
    shown = "".join(char if char.isprintable() else UNPRINTABLE for char in text)
    return shown.replace("$", r"\$")


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """Take the middle out of a name that is too long for its place.

    Args:
        text: A file, patient or class.
        fits: Whether a text has room.

    Returns:
        The name, with an ellipsis where something is left out.
    """
    for kept in range(len(text), 0, -1):
        left_out = "…" if kept < len(text) else ""
        shown = text[: (kept + 1) // 2] + left_out + text[len(text) - kept // 2 :]
        if fits(shown):
            return shown
    return "…"


def best_run(runs: Sequence[Any]) -> int:
    """Find the run whose val images had the lowest NLL, a measure of any loss.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        Its place; the first of several, and of runs without val images.
    """
    return int(np.argmin(val_losses(runs)))


def val_losses(runs: Sequence[Any]) -> np.ndarray:
    """Measure runs as one may choose them by: on val, never on test.

    Args:
        runs: Finished runs.

    Returns:
        The NLL of each on val, (N,); infinite without val images.
    """
    return np.nan_to_num([score_run(run, "val")["nll"] for run in runs], nan=np.inf)
