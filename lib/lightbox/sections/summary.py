"""Section 05: what the sections of one report found together."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from lightbox.base import paths
from lightbox.base.errors import ReportError
from lightbox.base.words import language, words
from lightbox.comparison.conclusions import limits
from lightbox.comparison.results import results_frame
from lightbox.comparison.runs import finished
from lightbox.display.cells import decimals
from lightbox.display.names import run_names
from lightbox.display.outputs import Callout, Prose, Table, escape_markdown
from lightbox.display.provenance import report_context
from lightbox.display.sentences import interval, percent, plural
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.significance import tied_with
from lightbox.report import blocks
from lightbox.report import blocks as pieces
from lightbox.runs import store
from lightbox.sections.section import Section

# By the beginning of the network's name, the longest that fits.
NETWORKS = {
    "alexnet": "Krizhevsky A. One weird trick for parallelizing convolutional neural "
    "networks. 2014. arXiv:1404.5997.",
    "alexnet_2012": "Krizhevsky A, Sutskever I, Hinton GE. ImageNet classification "
    "with deep convolutional neural networks. Advances in Neural Information "
    "Processing Systems 25, 2012, 1097–1105.",
    "convnext": "Liu Z, Mao H, Wu CY, et al. A ConvNet for the 2020s. CVPR 2022. "
    "arXiv:2201.03545.",
    "densenet": "Huang G, Liu Z, van der Maaten L, Weinberger KQ. Densely connected "
    "convolutional networks. CVPR 2017. doi:10.1109/CVPR.2017.243.",
    "efficientnet": "Tan M, Le QV. EfficientNet: rethinking model scaling for "
    "convolutional neural networks. ICML 2019. arXiv:1905.11946.",
    "googlenet": "Szegedy C, Liu W, Jia Y, et al. Going deeper with convolutions. CVPR "
    "2015, 1–9. doi:10.1109/CVPR.2015.7298594.",
    "mobilenet_v2": "Sandler M, Howard A, Zhu M, et al. MobileNetV2: inverted "
    "residuals and linear bottlenecks. CVPR 2018. arXiv:1801.04381.",
    "resnet": "He K, Zhang X, Ren S, Sun J. Deep residual learning for image "
    "recognition. CVPR 2016, 770–778. doi:10.1109/CVPR.2016.90.",
    "shufflenet_v2": "Ma N, Zhang X, Zheng HT, Sun J. ShuffleNet V2: practical "
    "guidelines for efficient CNN architecture design. ECCV 2018. arXiv:1807.11164.",
    "squeezenet": "Iandola FN, Han S, Moskewicz MW, et al. SqueezeNet: AlexNet-level "
    "accuracy with 50x fewer parameters. 2016. arXiv:1602.07360.",
    "swin": "Liu Z, Lin Y, Cao Y, et al. Swin Transformer: hierarchical vision "
    "transformer using shifted windows. ICCV 2021. arXiv:2103.14030.",
    "vgg": "Simonyan K, Zisserman A. Very deep convolutional networks for large-scale "
    "image recognition. ICLR 2015. arXiv:1409.1556.",
    "vit": "Dosovitskiy A, Beyer L, Kolesnikov A, et al. An image is worth 16x16 "
    "words: transformers for image recognition at scale. ICLR 2021. arXiv:2010.11929.",
}
LOSSES = {
    "focal": "Lin TY, Goyal P, Girshick R, He K, Dollár P. Focal loss for dense object "
    "detection. ICCV 2017. arXiv:1708.02002.",
}

OPTIMIZERS = {
    "adam": "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015. "
    "arXiv:1412.6980.",
    "adamw": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR "
    "2019. arXiv:1711.05101.",
    "rmsprop": "Tieleman T, Hinton G. Lecture 6.5, RMSProp. Coursera: Neural Networks "
    "for Machine Learning, 2012.",
    "sgd": "Robbins H, Monro S. A stochastic approximation method. Annals of "
    "Mathematical Statistics 22(3):400–407, 1951. doi:10.1214/aoms/1177729586.",
}

IMAGENET = (
    "Russakovsky O, Deng J, Su H, et al. ImageNet large scale visual recognition "
    "challenge. International Journal of Computer Vision 115:211–252, 2015. "
    "doi:10.1007/s11263-015-0816-y."
)

# Behind what sections 01 and 04 show of runs.
EVIDENCE = (
    "Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. "
    "ICML 2017. arXiv:1706.04599.",
    "Piepho HP. An algorithm for a letter-based representation of all-pairwise "
    "comparisons. Journal of Computational and Graphical Statistics 13(2):456–466, "
    "2004. doi:10.1198/1061860043515.",
    "Selvaraju RR, Cogswell M, Das A, et al. Grad-CAM: visual explanations from deep "
    "networks via gradient-based localization. ICCV 2017. arXiv:1610.02391.",
)

# Behind every table: intervals, tests, seeds, and the programs that compute.
ALWAYS = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "Journal of the American Statistical Association 22(158):209–212, 1927. "
    "doi:10.1080/01621459.1927.10502953.",
    "McNemar Q. Note on the sampling error of the difference between correlated "
    "proportions or percentages. Psychometrika 12(2):153–157, 1947. "
    "doi:10.1007/BF02295996.",
    "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more "
    "correlated receiver operating characteristic curves: a nonparametric approach. "
    "Biometrics 44(3):837–845, 1988. doi:10.2307/2531595.",
    "Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics "
    "53(2):567–578, 1997. doi:10.2307/2533958.",
    "Efron B. Better bootstrap confidence intervals. Journal of the American "
    "Statistical Association 82(397):171–185, 1987. doi:10.2307/2289144.",
    "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian "
    "Journal of Statistics 6(2):65–70, 1979.",
    "Bouthillier X, Delaunay P, Bronzi M, et al. Accounting for variance in machine "
    "learning benchmarks. MLSys 2021. arXiv:2103.03098.",
    "Paszke A, Gross S, Massa F, et al. PyTorch: an imperative style, high-performance "
    "deep learning library. NeurIPS 2019. arXiv:1912.01703.",
)


def cited(runs: Sequence[Any]) -> list[str]:
    """List the papers on what runs used, and on how they were judged.

    Args:
        runs: Finished runs; may be none.

    Returns:
        References, sorted by their first author.
    """
    configs = [run.config for run in runs]
    found = set(ALWAYS) | (set(EVIDENCE) if runs else set())
    for config in configs:
        fitting = [name for name in NETWORKS if config.model.startswith(name)]
        if fitting:
            found.add(NETWORKS[max(fitting, key=len)])
        for papers, key in ((LOSSES, "loss"), (OPTIMIZERS, "optimizer")):
            if getattr(config, key) in papers:
                found.add(papers[getattr(config, key)])
        if "IMAGENET" in config.weights:
            found.add(IMAGENET)
    return sorted(found, key=str.casefold)


RESULTS = "results.csv"


@dataclass(frozen=True)
class Summary:
    """The sections that could be read.

    Attributes:
        runs: Per notebook stem, in reading order, its finished runs.
        missing: Per stem that could not be read, why: English, Chinese.
        section: The section that asked.
        in_report: Whether it is part of a report; else the runs are the store's.
    """

    runs: dict[str, list[Any]]
    missing: dict[str, tuple[str, str]]
    section: Section
    in_report: bool

    @property
    def all_runs(self) -> list[Any]:
        """Every run once, whichever sections show it."""
        return list(
            {run.id: run for runs in self.runs.values() for run in runs}.values()
        )


def collect(section: Section) -> Summary:
    """Read the sections of the report that this notebook is executed for.

    Args:
        section: The summary's section; its `sections` chooses among the others.

    Returns:
        Their runs. Outside a report: the store's finished runs on these images.
    """
    folder, wanted = report_context().folder, section.settings.sections
    if not folder:
        known = _stored(section)
        return Summary({"store": known} if known else {}, {}, section, False)
    files = {path.stem: path for path in sorted(Path(folder).glob("*/*.ipynb"))}
    files = {stem: p for stem, p in files.items() if p.parent.name == stem}
    files.pop(section.name, None)
    runs: dict[str, list[Any]] = {}
    missing: dict[str, tuple[str, str]] = {}
    for stem in wanted or files:
        if stem not in files:
            missing[stem] = ("it was not executed", "尚未執行")
            continue
        ids = _run_ids(files[stem])
        found = [run for run in map(store.find, ids) if run is not None]
        same = [r for r in found if _same_data(r, section)]
        if len(same) < len(ids):
            missing[stem] = (
                f"{len(ids) - len(same)} of {plural(len(ids), 'run')} is on other "
                "images, or no longer in the store",
                f"{len(ids)} 次訓練中有 {len(ids) - len(same)} 次使用其他影像，"
                "或已不在儲存區",
            )
        if same:
            runs[stem] = same
    return Summary(runs, missing, section, True)


def _run_ids(notebook: Path) -> list[str]:
    """Read the runs of an executed notebook off its table of results."""
    try:
        chapter = blocks.read(nbformat.read(notebook, as_version=4))
    except (OSError, ValueError, nbformat.reader.NotJSONError, ReportError):
        return []
    for block in chapter.blocks:
        if isinstance(block, pieces.Table) and block.file == RESULTS:
            frame = pd.read_csv(io.StringIO(block.csv), dtype={"run_id": str})
            return list(frame.get("run_id", pd.Series(dtype=str)).dropna())
    return []


def _stored(section: Section) -> list[Any]:
    """Find the store's finished runs on these images."""
    found = [store.find(folder.name) for folder in sorted(paths.runs().glob("[!.]*"))]
    return [run for run in found if run is not None and _same_data(run, section)]


def _same_data(run: Any, section: Section) -> bool:
    return run.data.fingerprint == section.data.fingerprint


def remarks(found: Summary) -> Callout | None:
    """Say what the summary could not read.

    Args:
        found: The sections.

    Returns:
        A box, or None where nothing is missing.
    """
    zh = language() == "zh"
    if not found.in_report:
        text = (
            "本頁不在報告之中，因此列出儲存區中使用這些影像的所有訓練。"
            "`lightbox report params/<study>` 會將各節彙整於此。"
            if zh
            else "This page is not part of a report, so it lists every finished run on "
            "these images that the store has. `lightbox report params/<study>` puts "
            "the sections of one study together here."
        )
        return Callout(text, "note")
    if not found.missing:
        return None
    lines = [f"- `{stem}`: {why[zh]}." for stem, why in found.missing.items()]
    head = "以下各節未完整納入：" if zh else "Not, or not wholly, part of this summary:"
    return Callout("\n".join([head, "", *lines]), "warning")


def results(found: Summary) -> Table | Prose:
    """Put the runs of every section into one table.

    Args:
        found: The sections.

    Returns:
        The table, a row a run and section; a sentence where there is none.
    """
    if not found.runs:
        return Prose(
            {
                "en": "No section has trained anything yet, so there is nothing to "
                "sum up: run the other sections first.",
                "zh": "各節尚未訓練任何模型，因此無可彙整：請先執行其他各節。",
            }[language()]
        )
    terms, rows, frames = words(), [], []
    word = {"en": "Section", "zh": "節"}[language()]
    for stem, runs in found.runs.items():
        frames.append(results_frame(runs).assign(section=stem))
        for number, (run, name) in enumerate(zip(runs, run_names(runs), strict=True)):
            scores, result = score_run(run), run.result
            rows.append(
                {
                    word: _title(stem) if number == 0 else "",
                    {"en": "Run", "zh": "訓練"}[language()]: name,
                    terms["accuracy_interval"]: (
                        f"{percent(scores['accuracy'])} "
                        f"({interval(scores.low, scores.high)})"
                        if scores.num_images and not result.diverged
                        else terms["by_divergence"]
                    ),
                    terms["nll"]: decimals(scores["nll"], 3),
                    terms["time"]: decimals(result.train_seconds, 1),
                }
            )
    caption = {
        "en": "Every run of every section, on the same test images, with 95 % Wilson "
        "intervals. A run that several sections show was trained once.",
        "zh": "各節的所有訓練，使用相同的測試影像，附 95 % Wilson 信賴區間。"
        "多節共用的訓練只執行一次。",
    }[language()]
    csv = pd.concat(frames, ignore_index=True)
    return Table(pd.DataFrame(rows), "tbl-summary", caption, csv=csv, file=RESULTS)


def best(found: Summary) -> Prose:
    """Name the most accurate run of each section and what is tied with it.

    Args:
        found: The sections.

    Returns:
        A bullet a section.
    """
    lines = []
    for stem, all_runs in found.runs.items():
        runs = finished(all_runs)
        if not runs:
            continue
        names, scores = run_names(runs), [score_run(run) for run in runs]
        top = max(range(len(runs)), key=lambda k: scores[k]["accuracy"])
        tied = tied_with(runs, top) if len(runs) > 1 else []
        row, title = scores[top], _title(stem)
        value = f"{percent(row['accuracy'])} % ({interval(row.low, row.high)})"
        listed = ("、" if language() == "zh" else "; ").join(names[k] for k in tied)
        if language() == "zh":
            text = f"- **{title}**：{names[top]}，{value}。"
            text += f"與之平手者（精確 McNemar、Holm）：{listed}。" if tied else ""
            text += "其餘皆顯著較低。" if not tied and len(runs) > 1 else ""
        else:
            text = f"- **{title}.** {names[top]}, {value}."
            text += f" Tied with it (exact McNemar, Holm): {listed}." if tied else ""
            text += " Every other run is worse." if not tied and len(runs) > 1 else ""
        lines.append(text)
    return Prose("\n".join(lines))


def limitations(found: Summary) -> Prose:
    """Say what all sections together cannot show.

    Args:
        found: The sections.

    Returns:
        Bullets, each with its number.
    """
    zh, card, runs = language() == "zh", found.section.data.card, found.all_runs
    lines = []
    if runs:
        lines.append(limits(finished(runs) or runs).say())
        blind = sum(run.config.weights == "none" for run in runs)
        if blind:
            lines.append(
                f"{len(runs)} 次訓練中有 {blind} 次未使用預訓練權重，"
                "不能說明遷移學習的效果。"
                if zh
                else f"{blind} of {plural(len(runs), 'run')} began from random weights "
                "and says nothing about transfer from ImageNet."
            )
        lines.append(
            f"同一測試集評估了 {len(runs)} 個模型；各節內以 Holm 校正，節與節之間則否。"
            if zh
            else f"One test set judged {plural(len(runs), 'model')}: p-values are "
            "adjusted within a section, not across sections."
        )
    if card.synthetic:
        lines.append(
            "影像為合成影像，任何數字都不具醫學意義。"
            if zh
            else "The images are synthetic: no number here is about medicine."
        )
    return Prose("\n".join(f"- {line}" for line in lines))


def sources(found: Summary) -> Prose:
    """Cite the data and the papers.

    Args:
        found: The sections.

    Returns:
        The data's citation and licence, then a list of references.
    """
    card = found.section.data.card
    data = escape_markdown(str(card.citation or f"{card.title}."))
    data += f" doi:{card.doi}." if card.doi else ""
    licence = escape_markdown(str(card.licence))
    head = f"**資料**：{data}" if language() == "zh" else f"**Data.** {data}"
    if licence:
        head += (
            f" （授權：{licence}）" if language() == "zh" else f" Licence: {licence}."
        )
    listed = "\n".join(f"1. {paper}" for paper in cited(found.all_runs))
    return Prose(f"{head}\n\n{listed}")


def again(found: Summary) -> Prose:
    """Give the command, and what makes its answer the same.

    Args:
        found: The sections.

    Returns:
        A sentence and the command.
    """
    command = found.section.provenance().command
    said = {
        "en": "Typed in a clone of the project, this makes the report again. On the "
        "same machine the predictions are the same to the byte; another processor, "
        "GPU or release rounds otherwise, and results move within their intervals.",
        "zh": "在專案資料夾中輸入以下指令即可重製本報告。同一台機器上的預測逐位元相同；"
        "換處理器、GPU 或版本則捨入不同，結果會在區間內變動。",
    }[language()]
    return Prose(f"{said}\n\n```sh\n{command}\n```")


def _title(stem: str) -> str:
    """Write a notebook's stem as the name of its section."""
    titles = {
        "00_data": ("Data", "資料"),
        "01_feature_extraction_vs_fine_tuning": (
            "Feature extraction or fine-tuning",
            "特徵擷取與微調",
        ),
        "02_hyperparameters": ("Hyper-parameters", "超參數"),
        "03_focal_loss": ("Losses", "損失函數"),
        "04_model_zoo": ("Networks", "網路"),
        "store": ("Store", "儲存區"),
    }
    return titles[stem][language() == "zh"] if stem in titles else stem
