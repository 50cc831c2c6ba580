"""The reader's language: English where it is said, everything else in one catalogue.

A module says `_("The val loss was still falling, by {fall:.3f}.")` and fills the
fields afterwards; `ngettext` knows plurals, `pgettext` one English word with two
meanings, `N_` marks a text that is kept at the top of a module and said later by
`_`. The catalogue is `locale/<tag>.po`; `make words` collects what is said, and
`make check` fails on what has no translation or is no longer said.
"""

import gettext as _standard
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from io import BytesIO
from typing import Any, TypeVar

from nbformat import NotebookNode

from lightbox.base import paths
from lightbox.base.errors import ParameterError, did_you_mean

T = TypeVar("T")
LANGUAGES = ("en", "zh")  # what the parameter `language` may be
SOURCE = "en"  # what the library and the notebooks are written in
TAGS = {"en": "en", "zh": "zh_TW"}  # the catalogue's, a POSIX locale
FOLDER = paths.PACKAGE / "locale"

# Not a context variable: a kernel runs each cell in a context of its own.
_chosen = SOURCE


def language() -> str:
    """Tell which language is spoken now: one of `LANGUAGES`."""
    return _chosen


def set_language(name: str) -> None:
    """Choose the language of all that is said from now on; `lb.start` does it once.

    Raises:
        ParameterError: The language is none of `LANGUAGES`.
    """
    global _chosen
    if name not in LANGUAGES:
        raise ParameterError(
            f"language {name!r} is not known; choose 'en' or 'zh'"
            f"{did_you_mean(str(name), LANGUAGES)}"
        )
    _chosen = name


@contextmanager
def in_language(name: str) -> Iterator[None]:
    """Speak a language within a block, such as that of a chapter or of a record."""
    before = language()
    set_language(name)
    try:
        yield
    finally:
        set_language(before)


def said_in(name: str, function: Callable[..., T], *args: Any, **fields: Any) -> T:
    """Call a function in a language: `said_in("zh", run_names, runs)`."""
    with in_language(name):
        return function(*args, **fields)


def _(message: str) -> str:
    """Say a text in the reader's language; without a translation, as it stands."""
    return _catalogue(language()).gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Say the form that goes with a count: `{count:,} image`, `{count:,} images`."""
    return _catalogue(language()).ngettext(one, many, count)


def pgettext(context: str, message: str) -> str:
    """Say a text whose English means two things, such as `run` and `Run` in heads."""
    return _catalogue(language()).pgettext(context, message)


def N_(message: str) -> str:  # noqa: N802 (the name that extractors know)
    """Mark a text of a constant, which is made before the language is known."""
    return message


def joined(sentences: list[str]) -> str:
    """Put sentences behind each other: Chinese has no space between them."""
    return ("" if language() == "zh" else " ").join(filter(None, sentences))


def listed(names: list[str], *, last: str = "") -> str:
    """Enumerate names: `a, b and c`, in Chinese a、b、c.

    Args:
        names: In the order to be read.
        last: The word before the last name, `and` where none is given.
    """
    if language() == "zh":
        return "、".join(names)
    head, tail = names[:-1], names[-1:]
    return f" {last or 'and'} ".join(filter(None, [", ".join(head), *tail]))


@cache
def _catalogue(name: str) -> _standard.NullTranslations:
    """Read a catalogue; the source language has none."""
    if name == SOURCE:
        return _standard.NullTranslations()
    # Babel takes a tenth of a second to import, and English does without.
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    whole = Catalog(locale=TAGS[name])
    for file in [FOLDER / f"{TAGS[name]}.po", *sorted(FOLDER.glob("parts/*.po"))]:
        if file.is_file():
            for message in read_po(file.open("rb"), locale=TAGS[name]):
                whole[message.id] = message
    write_mo(compiled, whole)
    compiled.seek(0)
    return _standard.GNUTranslations(compiled)


PAIRS: dict[str, tuple[str, str]] = {
    "model": ("Model", "模型"),
    "strategy": ("Strategy", "策略"),
    "feature_extraction": ("feature extraction", "特徵擷取"),
    "fine_tuning": ("fine-tuning", "微調"),
    "partial": ("partial fine-tuning", "部分微調"),
    "weights": ("Weights", "預訓練權重"),
    "image_size": ("Size, px", "影像邊長，px"),
    "epochs": ("Epochs", "週期數"),
    "batch_size": ("Batch", "批次大小"),
    "learning_rate": ("Learning rate", "學習率"),
    "seed": ("Seed", "亂數種子"),
    "seeds": ("Seeds", "種子數"),
    "set": ("Set", "設定組"),
    "loss_name": ("Loss function", "損失函數"),
    "optimizer": ("Optimizer", "最佳化器"),
    "momentum": ("Momentum", "動量"),
    "schedule": ("Schedule", "學習率排程"),
    "head": ("Head", "分類層"),
    "output": ("Output", "輸出"),
    "augmentation": ("Augmentation", "資料增強"),
    "sampling": ("Sampling", "取樣"),
    "resize": ("Resizing", "縮放方式"),
    "patience": ("Patience", "容忍週期數"),
    "first_layer": ("First layer", "第一層"),
    "first_trainable": ("Trains from", "可訓練起始層"),
    "frozen": ("Frozen", "凍結層"),
    "cross_entropy": ("cross-entropy", "交叉熵"),
    "weighted_cross_entropy": ("weighted cross-entropy", "加權交叉熵"),
    "focal": ("focal", "focal"),
    "sgd": ("SGD", "SGD"),
    "rmsprop": ("RMSprop", "RMSprop"),
    "adam": ("Adam", "Adam"),
    "adamw": ("AdamW", "AdamW"),
    "accuracy": ("Accuracy", "準確率"),
    "accuracy_percent": ("Accuracy, %", "準確率，%"),
    "accuracy_interval": ("Accuracy, % (95 % interval)", "準確率，%（95 % 信賴區間）"),
    "auroc": ("AUROC", "AUROC"),
    "sensitivity": ("Sens.", "敏感度"),
    "specificity": ("Spec.", "特異度"),
    "precision": ("Prec.", "精確率"),
    "f1": ("F1", "F1"),
    "nll": ("NLL, nats", "NLL，nat"),
    "time": ("Time, s", "時間，秒"),
    "parameters": ("Total, M", "參數，百萬"),
    "trainable": ("Trainable, M", "可訓練，百萬"),
    "majority": ("always {answer}", "一律答 {answer}"),
    "baseline": ("Majority answer", "多數類別"),
    "class": ("Class", "類別"),
    "split": ("Split", "資料集"),
    "train": ("train", "訓練"),
    "val": ("val", "驗證"),
    "test": ("test", "測試"),
    "images": ("Images", "影像數"),
    "groups": ("Patients or slides", "病人或切片數"),
    "share": ("{answer}, %", "{answer}，%"),
    "total": ("Total", "合計"),
    "epoch": ("Epoch", "週期"),
    "loss": ("Loss", "損失"),
    "log": ("log scale", "對數尺度"),
    "overfitting": ("overfitting", "過擬合"),
    "best_epoch": ("best epoch", "最佳週期"),
    "true": ("True class", "實際類別"),
    "predicted": ("Predicted class", "預測類別"),
    "caption_curves": (
        "Loss and accuracy per epoch on train and val. The vertical line and the "
        "dot mark the epoch whose weights were kept and tested.",
        "各週期在訓練集與驗證集上的損失與準確率。直線與圓點標示保留並用於測試的週期。",
    ),
    "caption_band": (
        " With several seeds the line is their mean, the band spans the lowest and "
        "the highest of those still training, and each dot is one seed.",
        "有多個種子時，線為平均，色帶為仍在訓練者的最低與最高值，每個圓點為一個種子。",
    ),
    "caption_losses_differ": (
        " The losses are of different kinds: their heights cannot be compared.",
        "各圖的損失函數不同，其數值高低不能互相比較。",
    ),
    "caption_confusion": (
        "Confusion matrices on the test split: images, and per cent of the true "
        "class. Rows are true, columns predicted classes.",
        "測試集的混淆矩陣：影像數與佔實際類別的百分比。列為實際類別，行為預測類別。",
    ),
    "caption_samples": (
        "Sample images of each class from the {split} split.",
        "{split}集中各類別的影像樣本。",
    ),
    "caption_counts": (
        "Images per class in each split.",
        "各資料集中每個類別的影像數。",
    ),
    "caption_comparison": (
        "Results on the {images} test images, with 95 % Wilson intervals. Sensitivity, "
        "precision and F1 are those of {positive}; total and trainable parameters are "
        "in millions (M). Bold marks the "
        "highest value of a column (the lowest for NLL and time) among the trained "
        "models and is no statement of significance. The last row answers with the "
        "class frequencies of train.",
        "{images} 張測試影像的結果。區間為 95 % Wilson 信賴區間；敏感度、精確率與 F1 "
        "以 {positive} 為準。粗體為已訓練模型中該欄的最高值（NLL 與時間為最低值），"
        "不表示差異顯著。最後一列以訓練集的類別比例作答。",
    ),
    "caption_seeds": (
        " Where a row has several seeds, it gives the mean ± the standard deviation "
        "over them.",
        "有多個種子的列，數值為各種子的平均 ± 標準差。",
    ),
    "caption_one_strategy": (
        " Every run: {strategy}.",
        "所有訓練皆為{strategy}。",
    ),
    "each_class": ("each class, averaged", "各類別平均"),
    "caption_per_class": (
        "Every class against the rest, on the {images} test images.",
        "{images} 張測試影像上，各類別對其餘類別的結果。",
    ),
    "caption_splits": (
        "Images per class and split.",
        "各資料集與類別的影像數。",
    ),
    "run": ("Run", "訓練"),
    "best": ("Best epoch", "最佳週期"),
    "epochs_run": ("Epochs run", "已訓練週期"),
    "stopped_by": ("Stopped by", "停止原因"),
    "by_patience": ("early stopping", "提早停止"),
    "by_epochs": ("limit of epochs", "週期上限"),
    "by_divergence": ("diverged", "發散"),
    "seconds_per_epoch": ("s per epoch", "每週期秒數"),
    "mean_train": ("Mean train acc., %", "平均訓練準確率，%"),
    "mean_val": ("Mean val acc., %", "平均驗證準確率，%"),
    "best_val": ("Best-epoch val acc., %", "最佳週期驗證準確率，%"),
    "train_loss": ("Train loss", "訓練損失"),
    "val_loss": ("Val loss", "驗證損失"),
    "train_accuracy": ("Train acc., %", "訓練準確率，%"),
    "val_accuracy": ("Val acc., %", "驗證準確率，%"),
    "seconds": ("Time, s", "時間，秒"),
    "caption_training": (
        "How training went. The means are over all epochs that were run, as course "
        "reports print them; the last column is of the epoch whose weights were kept.",
        "訓練過程。平均值涵蓋所有已訓練的週期（課程報告的算法）；"
        "最後一欄為保留權重之週期的數值。",
    ),
    "caption_epochs": (
        "Every epoch of every run. Bold marks the epoch whose weights were kept.",
        "每次訓練的每個週期。粗體為保留權重的週期。",
    ),
    "caption_grid": (
        "Val accuracy of the best epoch in per cent, over the two settings that vary "
        "most. {averaged}An empty cell was not run.",
        "最佳週期的驗證準確率（%），依變動最多的兩個設定排列。{averaged}空格表示未訓練。",
    ),
    "grid_averaged": (
        "A cell averages up to {count} runs that differ in other settings. ",
        "每格為至多 {count} 次其他設定不同的訓練之平均。",
    ),
    "no_grid": (
        "No map is drawn: it needs two settings that vary independently, and these "
        "{runs} runs vary in {axes}.",
        "未繪製熱圖：熱圖需要兩個各自變動的設定，而這 {runs} 次訓練變動的是{axes}。",
    ),
    "nothing": ("nothing", "零個設定"),
    "no_range": (
        "No learning-rate range test was asked for (`range_test: true` makes one).",
        "未要求學習率範圍測試（設定 `range_test: true` 即可執行）。",
    ),
    "rate_axis": ("Learning rate (log scale)", "學習率（對數尺度）"),
    "steepest": ("steepest descent at {rate}", "下降最快處 {rate}"),
    "caption_range": (
        "Learning-rate range test: the train loss of a batch while the rate rises "
        "step by step. The vertical line is where the smoothed loss falls fastest; a "
        "rate near it, or a little lower, is a start and no optimum.",
        "學習率範圍測試：學習率逐步升高時的批次訓練損失。"
        "直線為平滑後損失下降最快之處；在其附近或略低的學習率可作為起點，並非最佳值。",
    ),
    "loss_kind": ("Loss", "損失函數"),
    "brier": ("Brier", "Brier"),
    "ece": ("ECE", "ECE"),
    "threshold": ("Threshold", "門檻"),
    "recall_usual": ("{name} at {usual}", "{name}（{usual}）"),
    "recall_moved": ("{name}, moved", "{name}（移動後）"),
    "accuracy_usual": ("Accuracy at {usual}, %", "準確率（{usual}），%"),
    "accuracy_moved": ("Accuracy, moved, %", "準確率（移動後），%"),
    "caption_yardstick": (
        "Losses on one yardstick, on the {images} test images: NLL in nats, Brier "
        "score, and expected calibration error (ECE, {bins} equal bins of confidence) "
        "need no loss of training. Lower is better in these three.",
        "以同一尺度比較各損失函數（{images} 張測試影像）：NLL（nat）、Brier 分數、"
        "期望校準誤差（ECE，{bins} 個等寬信心區間）皆與訓練所用的損失無關，"
        "三者越低越好。",
    ),
    "caption_thresholds": (
        "Recall of each class and accuracy, in per cent, on the {images} test images, "
        "at the usual threshold of 0.5 and at the one with the highest Youden's J on "
        "val, frozen before test. A threshold is on the probability of {positive}. "
        "The row of cross-entropy, moved, is the control that retrains nothing.",
        "{images} 張測試影像上各類別的召回率與準確率（%）：門檻為 0.5，"
        "以及在驗證集上使 Youden's J 最大、測試前即固定的門檻。"
        "門檻作用於 {positive} 的機率。交叉熵移動門檻後的結果即為不需重新訓練的對照。",
    ),
    "caption_recalls": (
        "Recall of each class and accuracy, in per cent, on the {images} test images, "
        "answering with the likeliest class. With more than two classes there is no "
        "single threshold to move.",
        "{images} 張測試影像上各類別的召回率與準確率（%），以機率最高的類別作答。"
        "類別多於兩個時，沒有單一門檻可移動。",
    ),
    "caption_focal": (
        "The focal loss of one image against the probability p of its true class, "
        "class weights aside. "
        "Gamma 0 is cross-entropy; the larger gamma, the less an image counts that "
        "is already classified well.",
        "單張影像的 focal 損失（不計類別權重）與其真實類別機率 p 的關係。"
        "γ = 0 即交叉熵；γ 越大，已分類正確的影像影響越小。",
    ),
    "probability_axis": (
        "Probability of the true class, p",
        "真實類別的機率 p",
    ),
    "loss_axis": ("Loss of one image, nats", "單張影像的損失，nat"),
}


def words() -> Mapping[str, str]:
    """Look up the words of tables and figures."""
    return look_up(PAIRS)


def look_up(pairs: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Choose one language of pairs of words."""
    return {key: pair[LANGUAGES.index(language())] for key, pair in pairs.items()}


EVIDENCE_PAIRS: dict[str, tuple[str, str]] = {
    "accuracy": ("Accuracy, %", "準確率，%"),
    "balanced_accuracy": ("Balanced acc., %", "平衡準確率，%"),
    "average_precision": ("AP", "AP"),
    "brier": ("Brier", "Brier"),
    "rank": ("Rank", "名次"),
    "run": ("Run", "訓練"),
    "correct": ("Correct", "答對"),
    "ties": ("Ties", "平手"),
    "first": ("First", "甲"),
    "second": ("Second", "乙"),
    "only": ("Only first / second correct", "僅甲／僅乙答對"),
    "lead": ("Lead, images (needed)", "領先張數（所需）"),
    "mcnemar": ("McNemar p", "McNemar p"),
    "auroc_gap": ("AUROC difference", "AUROC 差"),
    "delong": ("DeLong p", "DeLong p"),
    "nll_gap": ("NLL difference (95 % interval)", "NLL 差（95 % 信賴區間）"),
    "bootstrap": ("Bootstrap p", "自助法 p"),
    "temperature": ("Temperature", "溫度"),
    "before": ("{name}, as trained", "{name}，原始"),
    "after": ("{name}, scaled", "{name}，校準後"),
    "of_patients": (
        "{images:,} test images of {patients:,} patients or slides.",
        "{images:,} 張測試影像，{patients:,} 位病人（或切片）。",
    ),
    "of_images": (
        "{images:,} test images; as no name gives a patient, each counts as its own.",
        "{images:,} 張測試影像；檔名未提供病人，每張影像視為獨立。",
    ),
    "caption_evidence": (
        "Test scores with 95 % intervals. {whose} Below each: "
        "bias-corrected and accelerated bootstrap over patients, {resamples:,} "
        "resamples, the same ones for every row. AP: average precision{positive}. "
        "ECE: {bins} bins; its interval is corrected for the noise that raises it. "
        "The last row is what the class frequencies of train score.",
        "測試分數與 95 % 信賴區間。{whose}各值下方為以病人為單位的"
        "偏差校正加速（BCa）自助法區間，共 {resamples:,} 次重抽，各列相同。"
        "AP：平均精確率{positive}。ECE：{bins} 個區間，其信賴區間已扣除雜訊造成的高估。"
        "末列為僅依訓練集類別比例作答的分數。",
    ),
    "of_positive": (" of {name}", "（{name}）"),
    "over_classes": (", mean over classes", "（各類別平均）"),
    "caption_spread": (
        " Rows of several seeds give their mean, its interval (other patients, the "
        "same weights) and ± the standard deviation over seeds (the same patients).",
        "有多個種子者列出平均、其信賴區間（換病人、權重不變）"
        "與種子間標準差 ±（病人不變）。",
    ),
    "caption_no_bounds": (
        " No interval stands where every resample scores the same.",
        "各次重抽分數皆相同者不列區間。",
    ),
    "caption_pairs": (
        "Runs against each other. {whose} McNemar: exact, "
        "patients as units. DeLong: for images of patients (Obuchowski). NLL: paired "
        "bootstrap of {resamples:,} resamples of patients. All p after Holm over "
        "{pairs}. Differences: first less second; their intervals are of one pair. "
        "Needed: the lead from which one pair alone would have p < 0.05.",
        "兩兩比較。{whose}McNemar：精確檢定，以病人為單位。"
        "DeLong：考慮同一病人的多張影像（Obuchowski）。NLL：以病人為單位的成對自助法，"
        "{resamples:,} 次重抽。各 p 值皆經 {pairs} 組 Holm 校正；"
        "差為甲減乙，區間為單一組之區間。"
        "所需：單獨一組達到 p < 0.05 所需的領先張數。",
    ),
    "caption_best_pairs": (
        " Shown are the pairs with {name}, which is right most often; the CSV file has "
        "all {pairs}.",
        "僅列出與答對最多的 {name} 比較之各組；全部 {pairs} 組見 CSV 檔。",
    ),
    "caption_ties": (
        "Runs by test accuracy. {whose} Runs that share a letter are tied: exact "
        "McNemar with patients as units, Holm over {pairs}, p ≥ 0.05.",
        "依測試準確率排列。{whose}共用字母者平手："
        "以病人為單位的精確 McNemar 檢定，{pairs} 組經 Holm 校正後 p ≥ 0.05。",
    ),
    "caption_smallest": (
        " With {discordant} images in dispute, as in the median pair, a lead of {lead} "
        "({points} points) is the smallest that one test could show.",
        "以中位的一組而言，有 {discordant} 張影像對錯不同，"
        "單次檢定所能分辨的最小差距為 {lead} 張（{points} 個百分點）。",
    ),
    "caption_blind": (
        " With {discordant} images in dispute, as in the median pair, no lead could be "
        "shown.",
        "以中位的一組而言，僅 {discordant} 張影像對錯不同，任何差距皆無法分辨。",
    ),
    "caption_operating": (
        "Scores on the {images:,} test images at the usual threshold of 0.5 and below "
        "it at the one with the highest Youden's J on val, frozen before test. "
        "Sensitivity, precision and F1 are those of {positive}, whose probability the "
        "threshold is on.",
        "{images:,} 張測試影像在一般門檻 0.5 下的分數，"
        "其下為驗證集上 Youden J 最大的門檻（測試前已固定）。"
        "敏感度、精確率與 F1 皆指 {positive}，門檻即為其機率。",
    ),
    "caption_calibration": (
        "One temperature a run, fitted on its val images by NLL, and what it does to "
        "the {images:,} test images. Above 1 it softens a network that is too sure of "
        "itself. Answers, and with them accuracy, stay as they are. ECE: {bins} bins.",
        "各訓練以驗證影像的 NLL 擬合一個溫度，及其對 {images:,} 張測試影像的影響。"
        "大於 1 表示網路過度自信而予以軟化。答案與準確率不變。ECE：{bins} 個區間。",
    ),
    "caption_bound": (
        " †: no temperature, because val has no images, no errors, or an NLL that "
        "falls to the end of the range that is searched.",
        "†：沒有溫度，因為驗證集沒有影像、沒有錯誤，或其 NLL 下降至搜尋範圍的端點。",
    ),
}


def evidence_words() -> Mapping[str, str]:
    """Look up the words of the tables of evidence, and all others."""
    return {**words(), **look_up(EVIDENCE_PAIRS)}


def is_cjk(character: str) -> bool:
    """Whether a character needs the CJK font (ideographs, their punctuation)."""
    point = ord(character)
    # Mathematical letters and variation selectors lie there too.
    return point > 0x2E7F and not (
        0x1D400 <= point <= 0x1D7FF or 0xFE00 <= point <= 0xFE0F
    )


def guess_language(text: str) -> str:
    """Tell the language of a text by its script.

    Args:
        text: Any text.

    Returns:
        `"zh"` where at least a tenth of the letters are ideographs, else `"en"`.
    """
    letters = [c for c in text if c.isalpha()]
    return "zh" if 10 * sum(map(is_cjk, letters)) > len(letters) else "en"


def translated(notebook: NotebookNode, name: str) -> NotebookNode:
    """Put a notebook's prose into another language.

    Args:
        notebook: The notebook; it is left as it is.
        name: The language, one of `LANGUAGES`.

    Returns:
        A copy whose Markdown cells are translated; one that has been rewritten has no
        translation, and stays as it is.
    """
    copy = deepcopy(notebook)
    with in_language(name):
        for cell in copy.cells:
            if cell.cell_type == "markdown":
                cell.source = _(cell.source)
    return copy
