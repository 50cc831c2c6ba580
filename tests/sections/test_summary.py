"""The summary reads executed notebooks of one report, and says what it lacks."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from example_runs import make_run, study

from lightbox.base import paths
from lightbox.base.words import said_in
from lightbox.comparison.results import results_table
from lightbox.display.provenance import CONTEXT
from lightbox.runs import store
from lightbox.runs.store import Run
from lightbox.sections import summary
from lightbox.sections.summary import cited


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A store with the runs of `study`, under ids that a store has."""
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(CONTEXT, raising=False)
    paths.runs().mkdir(parents=True)
    kept = []
    for number, run in enumerate(study()):
        name = f"{number:016x}"
        record = run.record | {"id": name}
        kept.append(store.write(name, record, run.history, run.predictions, {}))
    return kept


def section(*wanted, synthetic=True):
    card = SimpleNamespace(
        synthetic=synthetic,
        citation="Kermany D. Labeled images. 2018.",
        title="Images",
        doi="10.17632/x",
        licence="CC BY 4.0",
    )
    return SimpleNamespace(
        name="05_summary",
        settings=SimpleNamespace(sections=list(wanted)),
        data=SimpleNamespace(fingerprint="f" * 64, card=card),
        provenance=lambda: SimpleNamespace(command="lightbox report params/x"),
    )


def write_notebook(folder: Path, stem: str, runs: list[Run]) -> None:
    """An executed notebook with one table of results."""
    data, metadata = results_table(runs)._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("lb.results_table(runs)", outputs=[output])
    path = folder / stem / f"{stem}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def test_sections_of_a_report_come_into_one_table(home, tmp_path, monkeypatch):
    folder = tmp_path / "report"
    monkeypatch.setenv(CONTEXT, json.dumps({"folder": str(folder)}))
    write_notebook(folder, "01_feature_extraction_vs_fine_tuning", home)
    write_notebook(folder, "04_model_zoo", [home[1], home[3]])
    found = summary.collect_sections(section())
    assert {stem: len(runs) for stem, runs in found.runs.items()} == {
        "01_feature_extraction_vs_fine_tuning": 4,
        "04_model_zoo": 2,
    }
    assert len(found.all_runs) == 4
    assert summary.summary_remarks(found) is None
    table = summary.summary_table(found)
    assert len(table.frame) == 6
    assert table.frame["Section"].tolist()[3:5] == ["", "Networks"]
    assert list(table.csv["section"])[-1] == "04_model_zoo"
    said = summary.best_table(found).markdown.splitlines()
    assert len(said) == 2
    assert "VGG-16 · fine-tuning, 88.3 % (84.2–91.5). Tied with it" in said[0]
    assert said[1].startswith("- **Networks.** VGG-16")


def test_what_is_missing_is_said(home, tmp_path, monkeypatch):
    folder = tmp_path / "report"
    monkeypatch.setenv(CONTEXT, json.dumps({"folder": str(folder)}))
    other = store.find(home[0].id)
    gone = replace(other, id="f" * 16)
    write_notebook(folder, "02_hyperparameters", [home[1], gone])
    found = summary.collect_sections(section("02_hyperparameters", "04_model_zoo"))
    assert [run.id for run in found.runs["02_hyperparameters"]] == [home[1].id]
    text = summary.summary_remarks(found).markdown
    assert "`02_hyperparameters`: 1 of 2 runs is on other images" in text
    assert "`04_model_zoo`: it was not executed" in text


def test_outside_a_report_the_stores_runs_on_these_images_are_listed(home):
    found = summary.collect_sections(section())
    assert [run.id for run in found.runs["store"]] == [run.id for run in home]
    assert "not part of a report" in summary.summary_remarks(found).markdown
    elsewhere = section()
    elsewhere.data.fingerprint = "0" * 64
    empty = summary.collect_sections(elsewhere)
    assert "nothing to sum up" in summary.summary_table(empty).markdown
    assert summary.best_table(empty).markdown == ""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_limits_sources_and_command(home, language):
    found = summary.collect_sections(section())
    limits = said_in(language, summary.summary_limits, found).markdown
    assert "300" in limits
    assert {"en": "synthetic", "zh": "合成"}[language] in limits
    sources = said_in(language, summary.sources, found).markdown
    assert "doi:10.17632/x" in sources
    assert "CC BY 4.0" in sources
    assert "1. He K," in sources
    assert (
        "lightbox report params/x"
        in said_in(language, summary.how_to_repeat, found).markdown
    )


def test_papers_are_those_of_what_was_used():
    old = make_run("alexnet_2012", weights="none", optimizer="sgd")
    new = make_run("alexnet", loss="focal", gamma=2.0)
    assert any("25, 2012" in paper for paper in cited([old]))
    assert not any("One weird trick" in paper for paper in cited([old]))
    assert not any("ImageNet large scale" in paper for paper in cited([old]))
    assert any("One weird trick" in paper for paper in cited([new]))
    assert any("Focal loss" in paper for paper in cited([new]))
    assert not any("Focal loss" in paper for paper in cited([old]))
    assert cited([]) == sorted(cited([]), key=str.casefold)
