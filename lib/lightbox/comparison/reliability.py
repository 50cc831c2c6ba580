"""Confidence against accuracy, and what one temperature mends."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from lightbox.base.words import evidence_words, look_up
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.cells import ABSENT, heads, spread
from lightbox.display.names import literal, run_names, seed_groups
from lightbox.display.outputs import Figure, Table
from lightbox.display.style import (
    GREY,
    MAX_HEIGHT,
    PALETTE,
    WIDTH,
    columns_of,
    theme,
    titles_of,
)
from lightbox.evaluation.calibration import (
    BINS,
    MEASURES,
    Calibrated,
    calibrate,
)
from lightbox.evaluation.metrics import score_run, val_losses

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


def seeing_words() -> Mapping[str, str]:
    """Look up the words of these figures.

    Returns:
        A mapping from key to word or sentence; some hold `{fields}` to fill.
    """
    return look_up(PAIRS)


PANELS_PER_ROW = 4
MOST = 12  # panels that a page holds
WIDEST = 2.4  # inches of a panel
BESIDE = 4.6  # inches that the legend needs in one line
BEFORE, AFTER = PALETTE[0], PALETTE[3]


@finished_only
def reliability_diagram(
    runs: Sequence[Any], *, label: str = "fig-reliability"
) -> Figure:
    """Draw confidence against accuracy of each run on the test images.

    Args:
        runs: Finished runs, at least one; of more than twelve, those with the
            lowest NLL on val are drawn.
        label: The figure's label.

    Returns:
        The figure: a panel a run with a histogram of its confidences beneath, as
        trained and after a temperature that was fitted on val.

    Raises:
        DataError: If there is no run, or runs differ in their data.

    Source:
        Guo et al. 2017, arXiv 1706.04599, figure 1, with intervals added.
    """
    check_same_data(runs)
    terms, all_names = seeing_words(), run_names(list(runs))
    kept = np.sort(np.argsort(val_losses(runs), kind="stable")[:MOST])
    names = [literal(all_names[k]) for k in kept]
    found = [calibrate(runs[k]) for k in kept]
    columns = columns_of(len(kept), PANELS_PER_ROW)
    rows = math.ceil(len(kept) / columns)
    wide = 84 // columns
    titles = [
        "\n".join([title, _errors(each, terms, wide)])
        for title, each in zip(titles_of(names, wide), found, strict=True)
    ]
    # No answer of K classes is less sure than 1 / K.
    start = math.floor(BINS / len(runs[0].data.classes)) / BINS
    lines = 1 + max(title.count("\n") for title in titles)
    with theme(*names, *terms.values()):
        width = min(WIDTH, max(3.0, WIDEST * columns))
        side = width / columns - 0.35
        legend = 0.3 if width > BESIDE else 0.6
        height = min(rows * (1.33 * side + 0.55 + 0.14 * lines) + legend, MAX_HEIGHT)
        figure = Drawing(figsize=(width, height), layout="constrained")
        axes = figure.subplots(
            2 * rows, columns, squeeze=False, sharex=True, height_ratios=[3, 1] * rows
        )
        for histogram in axes[1::2].flat[1:]:
            histogram.sharey(axes[1, 0])
        for position in range(rows * columns):
            block, column = divmod(position, columns)
            diagram, histogram = axes[2 * block, column], axes[2 * block + 1, column]
            if position >= len(kept):
                diagram.set_axis_off()
                histogram.set_axis_off()
                continue
            _diagram(diagram, found[position], start)
            _histogram(histogram, found[position])
            diagram.set_title(titles[position])
            diagram.tick_params(labelleft=column == 0, labelbottom=False)
            histogram.tick_params(labelleft=column == 0, labelbottom=True)
            histogram.set_xlabel(terms["confidence"])
            if column == 0:
                diagram.set_ylabel(terms["accuracy_axis"])
                histogram.set_ylabel(terms["images_axis"])
        figure.legend(
            handles=_legend(terms, any(each.after is not None for each in found)),
            loc="outside upper center",
            ncols=3 if width > BESIDE else 1,
        )
        left = terms["left_runs"].format(total=len(runs), shown=len(kept))
        caption = terms["caption_reliability"].format(
            images=int(found[0].before["images"].sum()),
            bins=BINS,
            left=left if len(kept) < len(runs) else "",
        )
        return Figure(figure, label, caption)


def _errors(found: Calibrated, terms: Any, wide: int) -> str:
    """Write the line of the title that has the errors."""
    before, after = found.errors
    if found.after is None:
        return terms["ece_only"].format(before=before)
    text = terms["ece_change"].format(
        before=before, after=after, temperature=found.temperature
    )
    return text if len(text) <= wide else text.replace(terms["ece_break"], "\n", 1)


def _diagram(axis: Any, found: Calibrated, start: float) -> None:
    """Draw the points of each bin with their intervals, on the diagonal."""
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    styles = [(found.before, BEFORE, "o", BEFORE), (found.after, AFTER, "s", "white")]
    for table, color, marker, face in styles:
        if table is None:
            continue
        filled = table[table["images"] > 0]
        # Beside 0 and 1, rounding may put a bound past the value it bounds.
        bars = np.maximum(
            [
                filled["accuracy"] - filled["accuracy_low"],
                filled["accuracy_high"] - filled["accuracy"],
            ],
            0,
        )
        axis.errorbar(
            filled["confidence"],
            filled["accuracy"],
            yerr=bars,
            color=color,
            marker=marker,
            markerfacecolor=face,
            markersize=3.5,
            linewidth=1.0,
            elinewidth=0.7,
        )
    axis.set(xlim=(start, 1.02), ylim=(-0.03, 1.04))
    axis.xaxis.set_major_locator(ticker.MaxNLocator(nbins=4, steps=[1, 2, 5]))
    axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axis.set_yticks([0, 0.5, 1])
    axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))


def _histogram(axis: Any, found: Calibrated) -> None:
    """Draw how many images each bin has."""
    edges = np.append(found.before["low"], 1.0)
    axis.stairs(found.before["images"], edges, fill=True, color=BEFORE, alpha=0.35)
    if found.after is not None:
        axis.stairs(found.after["images"], edges, color=AFTER, linewidth=1.0)
    axis.yaxis.set_major_locator(ticker.MaxNLocator(nbins=2, integer=True))


def _legend(terms: Any, scaled_too: bool) -> list[Line2D]:
    """Explain the points and the diagonal."""
    handles = [
        Line2D([], [], color=BEFORE, marker="o", markersize=3.5, label=terms["before"]),
        Line2D(
            [],
            [],
            color=AFTER,
            marker="s",
            markersize=3.5,
            markerfacecolor="white",
            label=terms["after"],
        ),
        Line2D(
            [],
            [],
            color=GREY,
            linewidth=0.8,
            linestyle=(0, (4, 3)),
            label=terms["perfect"],
        ),
    ]
    return handles if scaled_too else [handles[0], handles[2]]


@finished_only
def calibration_table(runs: Sequence[Any], *, label: str = "tbl-calibration") -> Table:
    """Show ECE, NLL and Brier score on test before and after temperature scaling.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        label: The table's label.

    Returns:
        The table, with a row a run in `calibration.csv`.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = evidence_words(), seed_groups(runs)
    first = [group[0] for group in groups]
    rows, full, marked = [], [], False
    for head, group in zip(heads(first, brief=True), groups, strict=True):
        lines = [calibrate(run).scores for run in group]
        full += [
            {"run_id": run.id, "seed": run.config.seed} | line
            for run, line in zip(group, lines, strict=True)
        ]
        cells = {
            name: spread(
                [line[name] for line in lines], 2 if name == "temperature" else 3
            )
            for name in lines[0]
        }
        unset = any(math.isnan(line["temperature"]) for line in lines)
        marked |= unset
        row = head | {terms["temperature"]: cells["temperature"] + "†" * unset}
        for name in MEASURES:
            row[terms["before"].format(name=terms[name])] = cells[name]
            row[terms["after"].format(name=terms[name])] = cells[f"{name}_scaled"]
        rows.append(row)
    images = score_run(runs[0]).num_images
    caption = terms["caption_calibration"].format(images=images, bins=BINS)
    if any(len(group) > 1 for group in groups):
        caption += terms["caption_seeds"]
    if marked:
        caption += terms["caption_bound"]
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption,
        csv=pd.DataFrame(full),
        file="calibration.csv",
    )
