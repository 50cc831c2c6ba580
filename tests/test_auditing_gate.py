"""No report is rendered from a table that its own predictions do not give."""

import io
import re

import nbformat
import pandas as pd
import pytest
from example_runs import make_run, study

from lightbox.base import paths
from lightbox.base.errors import ReportError
from lightbox.build import check_results
from lightbox.comparison.results import results_table
from lightbox.runs import store

TISSUES = ("TUMOR", "STROMA", "LYMPHO")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A function that puts runs into a store of their own."""
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path / "home"))
    paths.runs().mkdir(parents=True)

    def keep(runs):
        return [
            store.write(f"{k:016x}", run.record, run.history, run.predictions, {})
            for k, run in enumerate(runs)
        ]

    return keep


def notebook(folder, runs, changes=()):
    """An executed notebook whose results were changed: row, column, value."""
    data, metadata = results_table(runs)._repr_mimebundle_()
    frame = pd.read_csv(io.StringIO(data["text/csv"]), dtype=str, keep_default_na=False)
    for row, column, value in changes:
        frame.loc[row, column] = value
    data["text/csv"] = frame.to_csv(index=False)
    output = nbformat.v4.new_output("execute_result", data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("lb.results_table(runs)", outputs=[output])
    path = folder / "01" / "01.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_an_honest_table_passes(kept, tmp_path):
    check_results(notebook(tmp_path, kept(study())))


def test_an_honest_table_of_three_classes_passes(kept, tmp_path):
    run = make_run("resnet18", classes=TISSUES, positive=None)
    check_results(notebook(tmp_path, kept([run])))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("test_accuracy", "0.8512", "no k/300"),
        ("test_accuracy", "0.860000", "no confusion table"),
        ("test_f1", "0.5", "no confusion table"),
        ("test_f1", "-0.2", "outside 0 to 1"),
        ("test_nll", "0.01", "the table says 0.01, the predictions of the run give"),
        ("test_precision", "high", "'high' is no number"),
        ("test_auroc", "", "the table says nothing"),
    ],
)
def test_a_tampered_value_stops_the_report(kept, tmp_path, column, value, said):
    runs = kept(study())
    place = re.escape(f"results.csv, row 2 (run {runs[1].id}), {column}: ")
    with pytest.raises(ReportError, match=place) as caught:
        check_results(notebook(tmp_path, runs, [(1, column, value)]))
    assert said in str(caught.value)
    assert "not rendered" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"), [("test_accuracy", "0.6667"), ("test_sensitivity", "0.9")]
)
def test_a_tampered_table_of_three_classes(kept, tmp_path, column, value):
    runs = kept([make_run("resnet18", classes=TISSUES, positive=None)])
    with pytest.raises(ReportError, match=f"row 1 .*{column}"):
        check_results(notebook(tmp_path, runs, [(0, column, value)]))


def test_a_run_that_the_store_has_no_more_cannot_be_audited(kept, tmp_path):
    path = notebook(tmp_path, study())
    with pytest.raises(ReportError, match=r"row 1 .*the store has no such run"):
        check_results(path)


def test_the_command_renders_nothing_of_a_tampered_table(kept, tmp_path, monkeypatch):
    from rich.console import Console

    from lightbox import build
    from lightbox.build import Execution, make
    from lightbox.display.provenance import CONTEXT
    from lightbox.settings.studies import Study

    runs, folder = kept(study()), tmp_path / "report"
    path = notebook(folder, runs, [(0, "test_accuracy", "0.8512")])
    monkeypatch.setattr(build, "execute", lambda *_, **__: Execution(path, None))
    chosen = Study("demo", tmp_path, {"01": {}})
    monkeypatch.setenv(CONTEXT, "")
    with pytest.raises(ReportError, match=r"results\.csv, row 1"):
        make(
            chosen, folder, formats=("html",), command="x", console=Console(quiet=True)
        )
    assert not list(folder.rglob("*.html"))
    assert not list(folder.rglob("*.csv"))
