"""The items of the reporting checklist: their numbers, and their topics.

CLAIM is the 2024 update (Tejani et al., doi 10.1148/ryai.240300); TRIPOD+AI is
Collins et al. 2024, doi 10.1136/bmj-2023-078378. Topics are in our own words.
"""

from dataclasses import dataclass

Words = tuple[str, str]  # English, then the Chinese of Taiwan


@dataclass(frozen=True)
class Item:
    """A topic that a checklist asks for.

    Attributes:
        key: By which it is answered.
        claim: Number in CLAIM 2024, or "".
        tripod: Number in TRIPOD+AI, or "".
        topic: In English and in Traditional Chinese.
    """

    key: str
    claim: str
    tripod: str
    topic: Words


ITEMS = (
    Item("title", "1", "1", ("Title names the method", "標題指明方法")),
    Item("abstract", "2", "2", ("Structured abstract", "結構式摘要")),
    Item("background", "3", "3a", ("Clinical background", "臨床背景")),
    Item("objectives", "4", "4", ("Objectives", "研究目的")),
    Item("design", "5", "", ("Prospective or retrospective", "前瞻或回溯")),
    Item("goal", "6", "", ("Goal of the study", "研究目標")),
    Item("source", "7", "5a", ("Data source, licence", "資料來源與授權")),
    Item("dates", "", "5b", ("Dates of collection", "收集日期")),
    Item("eligibility", "8", "6b", ("Inclusion and exclusion", "納入與排除條件")),
    Item("preprocessing", "9", "7", ("Preprocessing", "前處理")),
    Item("subsets", "10", "", ("Choice of subsets", "子集的選取")),
    Item("deidentification", "11", "", ("De-identification", "去識別化")),
    Item("missing", "12", "11", ("Missing or unusable data", "缺漏或無法使用的資料")),
    Item("acquisition", "13", "", ("Image acquisition", "影像取得方式")),
    Item("reference", "14, 15", "8a", ("Reference standard", "參考標準")),
    Item("annotators", "16, 17", "8b", ("Who labelled the images", "標註者")),
    Item("raters", "18", "", ("Agreement of raters", "標註者一致性")),
    Item("assignment", "19", "12a", ("Assignment to splits", "切分方式")),
    Item(
        "disjoint", "20", "", ("Level at which splits are disjoint", "切分互斥的層級")
    ),
    Item("size", "21", "10", ("Sample size", "樣本數")),
    Item("model", "22", "22", ("Model", "模型")),
    Item("software", "23", "", ("Software and versions", "軟體與版本")),
    Item("initialisation", "24", "", ("Initialisation", "參數初始化")),
    Item("training", "25", "12c", ("Training", "訓練細節")),
    Item("imbalance", "", "13", ("Class imbalance", "類別不平衡")),
    Item("selection", "26", "", ("Choice of the final model", "最終模型的選擇")),
    Item("ensembling", "27", "", ("Ensembling", "模型集成")),
    Item("output", "", "15", ("Output of the model", "模型輸出")),
    Item("metrics", "28", "12e", ("Metrics", "評估指標")),
    Item("uncertainty", "29", "", ("Uncertainty and tests", "不確定性與檢定")),
    Item("calibration", "", "12e", ("Calibration", "校準")),
    Item("robustness", "30", "", ("Robustness", "穩健性")),
    Item("explanation", "31", "", ("Explainability", "可解釋性")),
    Item("internal", "32", "16", ("Internal test data", "內部測試資料")),
    Item("external", "33", "", ("External test data", "外部測試資料")),
    Item("fairness", "", "14", ("Fairness", "公平性")),
    Item("ethics", "", "17", ("Ethical approval", "倫理審查")),
    Item("registration", "34", "18d", ("Registration", "試驗註冊")),
    Item("patients", "", "19", ("Patient and public involvement", "病人與公眾參與")),
    Item("flow", "35", "20a", ("Images and patients included", "納入的影像與病人")),
    Item("demographics", "36", "20b", ("Characteristics of patients", "病人特徵")),
    Item("performance", "37, 38", "23a", ("Performance", "表現")),
    Item("failures", "39", "", ("Analysis of errors", "錯誤分析")),
    Item("limitations", "40", "26", ("Limitations", "限制")),
    Item("implications", "41", "27", ("Use in practice", "實務應用")),
    Item("protocol", "42", "18c", ("Protocol", "研究計畫書")),
    Item(
        "availability", "43", "18e, 18f", ("Availability of data, code", "資料與程式碼")
    ),
    Item("funding", "44", "18a", ("Funding", "經費來源")),
    Item("interests", "", "18b", ("Conflicts of interest", "利益衝突")),
)
UNKNOWN = ("not known", "未知")
HEADS = {
    "topic": ("Topic", "主題"),
    "claim": ("CLAIM", "CLAIM"),
    "tripod": ("TRIPOD+AI", "TRIPOD+AI"),
    "answer": ("This report", "本報告"),
}
CAPTION = (
    "Reporting checklist: items of CLAIM (2024 update) and TRIPOD+AI that apply. "
    "{known} of {all} are filled from the data and {runs}; what they do not say is "
    '"not known", for the author to add.',
    "報告檢核表：CLAIM（2024 年版）與 TRIPOD+AI 中適用的項目。{all} 項中的 {known} 項由"
    "資料與 {runs}填入；其餘為「未知」，由作者補充。",
)
# What a figure or table answers, by the beginning of its label.
CALIBRATION = {
    "fig-reliability": ("reliability diagram", "可靠度圖"),
    "tbl-calibration": ("ECE, Brier", "ECE、Brier"),
}
ERRORS = {
    "fig-errors": ("images of errors", "錯誤影像"),
    "fig-confusion": ("confusion matrices", "混淆矩陣"),
}
MAPS = {"fig-gradcam": ("Grad-CAM", "Grad-CAM")}
LEAKAGE = {
    "tbl-leakage": (
        "a split by image beside the one by patient",
        "依影像與依病人切分之對照",
    )
}
COMMON = (
    "accuracy, sensitivity, specificity, precision, F1, AUROC, NLL",
    "準確率、敏感度、特異度、精確率、F1、AUROC、NLL",
)
METRICS = {
    "tbl-evidence": (
        "balanced accuracy, average precision, Brier, ECE",
        "平衡準確率、平均精確率、Brier、ECE",
    )
}
UNCERTAINTY = {
    "tbl-results": ("95 % Wilson intervals", "95 % Wilson 信賴區間"),
    "tbl-evidence": (
        "95 % BCa bootstrap intervals over patients",
        "以病人為單位的 95 % BCa 自助法信賴區間",
    ),
    "tbl-ties": (
        "exact McNemar tests, adjusted after Holm",
        "精確 McNemar 檢定，以 Holm 校正",
    ),
    "tbl-pairs": (
        "DeLong and paired bootstrap, adjusted after Holm",
        "DeLong 檢定與成對自助法，以 Holm 校正",
    ),
}
