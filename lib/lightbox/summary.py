"""What the sections of one report found together, as tables and text."""

import pandas as pd

from lightbox.display import Callout, Prose, Table, escape_markdown
from lightbox.divergence import finished
from lightbox.findings import limits
from lightbox.findings.base import interval, percent, plural
from lightbox.metrics import score_run
from lightbox.papers import cited
from lightbox.results import results_frame
from lightbox.siblings import RESULTS, Summary, collect
from lightbox.tables import decimals
from lightbox.ties import tied_with
from lightbox.words import run_names, words

__all__ = [
    "again",
    "best",
    "collect",
    "limitations",
    "remarks",
    "results",
    "sources",
]


def remarks(found: Summary, language: str = "en") -> Callout | None:
    """Say what the summary could not read.

    Args:
        found: The sections.
        language: `"en"` or `"zh"`.

    Returns:
        A box, or None where nothing is missing.
    """
    zh = language == "zh"
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


def results(found: Summary, language: str = "en") -> Table | Prose:
    """Put the runs of every section into one table.

    Args:
        found: The sections.
        language: `"en"` or `"zh"`.

    Returns:
        The table, a row a run and section; a sentence where there is none.
    """
    if not found.runs:
        return Prose(
            {
                "en": "No section has trained anything yet, so there is nothing to "
                "sum up: run the other sections first.",
                "zh": "各節尚未訓練任何模型，因此無可彙整：請先執行其他各節。",
            }[language]
        )
    terms, rows, frames = words(language), [], []
    word = {"en": "Section", "zh": "節"}[language]
    for stem, runs in found.runs.items():
        frames.append(results_frame(runs).assign(section=stem))
        for number, (run, name) in enumerate(
            zip(runs, run_names(runs, language), strict=True)
        ):
            scores, result = score_run(run), run.record["result"]
            rows.append(
                {
                    word: _title(stem, language) if number == 0 else "",
                    {"en": "Run", "zh": "訓練"}[language]: name,
                    terms["accuracy_interval"]: (
                        f"{percent(scores['accuracy'])} "
                        f"({interval(scores.low, scores.high)})"
                        if scores.num_images and not result["diverged"]
                        else terms["by_divergence"]
                    ),
                    terms["nll"]: decimals(scores["nll"], 3),
                    terms["time"]: decimals(result["train_seconds"], 1),
                }
            )
    caption = {
        "en": "Every run of every section, on the same test images, with 95 % Wilson "
        "intervals. A run that several sections show was trained once.",
        "zh": "各節的所有訓練，使用相同的測試影像，附 95 % Wilson 信賴區間。"
        "多節共用的訓練只執行一次。",
    }[language]
    csv = pd.concat(frames, ignore_index=True)
    return Table(pd.DataFrame(rows), "tbl-summary", caption, csv=csv, file=RESULTS)


def best(found: Summary, language: str = "en") -> Prose:
    """Name the most accurate run of each section and what is tied with it.

    Args:
        found: The sections.
        language: `"en"` or `"zh"`.

    Returns:
        A bullet a section.
    """
    lines = []
    for stem, all_runs in found.runs.items():
        runs = finished(all_runs)
        if not runs:
            continue
        names, scores = run_names(runs, language), [score_run(run) for run in runs]
        top = max(range(len(runs)), key=lambda k: scores[k]["accuracy"])
        tied = tied_with(runs, top) if len(runs) > 1 else []
        row, title = scores[top], _title(stem, language)
        value = f"{percent(row['accuracy'])} % ({interval(row.low, row.high)})"
        listed = ("、" if language == "zh" else "; ").join(names[k] for k in tied)
        if language == "zh":
            text = f"- **{title}**：{names[top]}，{value}。"
            text += f"與之平手者（精確 McNemar、Holm）：{listed}。" if tied else ""
            text += "其餘皆顯著較低。" if not tied and len(runs) > 1 else ""
        else:
            text = f"- **{title}.** {names[top]}, {value}."
            text += f" Tied with it (exact McNemar, Holm): {listed}." if tied else ""
            text += " Every other run is worse." if not tied and len(runs) > 1 else ""
        lines.append(text)
    return Prose("\n".join(lines))


def limitations(found: Summary, language: str = "en") -> Prose:
    """Say what all sections together cannot show.

    Args:
        found: The sections.
        language: `"en"` or `"zh"`.

    Returns:
        Bullets, each with its number.
    """
    zh, card, runs = language == "zh", found.section.data.card, found.all_runs
    lines = []
    if runs:
        lines.append(limits(finished(runs) or runs).say(language))
        blind = sum(run.record["config"]["weights"] == "none" for run in runs)
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


def sources(found: Summary, language: str = "en") -> Prose:
    """Cite the data and the papers.

    Args:
        found: The sections.
        language: `"en"` or `"zh"`.

    Returns:
        The data's citation and licence, then a list of references.
    """
    card = found.section.data.card
    data = escape_markdown(str(card.citation or f"{card.title}."))
    data += f" doi:{card.doi}." if card.doi else ""
    licence = escape_markdown(str(card.licence))
    head = f"**資料**：{data}" if language == "zh" else f"**Data.** {data}"
    if licence:
        head += f" （授權：{licence}）" if language == "zh" else f" Licence: {licence}."
    listed = "\n".join(f"1. {paper}" for paper in cited(found.all_runs))
    return Prose(f"{head}\n\n{listed}")


def again(found: Summary, language: str = "en") -> Prose:
    """Give the command, and what makes its answer the same.

    Args:
        found: The sections.
        language: `"en"` or `"zh"`.

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
    }[language]
    return Prose(f"{said}\n\n```sh\n{command}\n```")


def _title(stem: str, language: str) -> str:
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
    return titles[stem][language == "zh"] if stem in titles else stem
