"""The words of the tables of evidence: English, then the Chinese of Taiwan."""

from collections.abc import Mapping

from lightbox.words import look_up, words

PAIRS: dict[str, tuple[str, str]] = {
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
        " †: the end of the range that is searched; val images that are all classified "
        "correctly set no temperature.",
        "†：搜尋範圍的端點；驗證影像全部答對時無法決定溫度。",
    ),
}


def evidence_words(language: str) -> Mapping[str, str]:
    """Look up the words of the tables of evidence, and all others.

    Args:
        language: `"en"` or `"zh"`.

    Returns:
        A mapping from key to word or sentence; some hold `{fields}` to fill.

    Raises:
        ParameterError: If the language is neither of the two.
    """
    return {**words(language), **look_up(PAIRS, language)}
