"""The reporting checklist: filled from data and runs, silent where they are."""

import json
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from example_runs import make_run, study

from lightbox.base.words import said_in
from lightbox.comparison.runs import Runs
from lightbox.data.cards import CARDS
from lightbox.display.provenance import CONTEXT
from lightbox.sections.checklist import answers, checklist, items
from lightbox.sections.summary import Summary, collect_sections


def section(dataset="chest-xray", *, groups=True, bad=2, **settings):
    """A summary's section on 12 images of 6 patients."""
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
    table = pd.DataFrame(
        {
            "image": [f"{k}.jpeg" for k in range(12)],
            "split": splits,
            "label": ["PNEUMONIA", "PNEUMONIA", "NORMAL"] * 4,
            "group": [f"p{k // 2}" if groups else "" for k in range(12)],
        }
    )
    audit = SimpleNamespace(
        bad=lambda: [None] * bad, sizes=lambda: pd.DataFrame({"width": [224, 300]})
    )
    data = SimpleNamespace(
        card=CARDS[dataset],
        table=table,
        classes=("NORMAL", "PNEUMONIA"),
        channels=1,
        audit=audit,
        fingerprint="f" * 64,
    )
    given = {"title": "X-rays", "classes": [], "split_by": "group", "seed": 3}
    given |= {"sections": []}
    return SimpleNamespace(
        name="05_summary",
        settings=SimpleNamespace(**(given | settings)),
        data=data,
        provenance=lambda: SimpleNamespace(command="lightbox report params/x"),
    )


def summary(runs=(), labels=(), **given):
    runs = {"01_x": Runs(runs)} if runs else {}
    return Summary(runs, {}, section(**given), True, frozenset(labels))


def filled(runs=(), language="en", **given):
    table = said_in(language, checklist, summary(runs, **given))
    return table, dict(zip(table.frame.iloc[:, 0], table.frame.iloc[:, 3], strict=True))


def test_items_are_numbered_once_and_every_answer_has_one():
    keys = [item.key for item in items()]
    assert len(set(keys)) == len(keys)
    assert set(answers(summary(study()))) <= set(keys)
    numbers = [n for item in items() for n in item.claim.split(", ") if n]
    assert numbers == sorted(numbers, key=int)
    assert len(set(numbers)) == len(numbers)
    assert set(map(int, numbers)) <= set(range(1, 45))


def test_data_and_runs_fill_the_items():
    _, said = filled(study())
    assert said["Data source, licence"].endswith("Licence: CC BY 4.0")
    assert said["Assignment to splits"].startswith("train 6, val 2, test 4 images")
    assert said["Level at which splits are disjoint"] == (
        "patient: 0 of 6 patients are in more than one split"
    )
    assert said["Missing or unusable data"] == "2 unusable files left out"
    assert said["Class imbalance"].startswith("66.7 % of train is PNEUMONIA")
    assert "ResNet-18 (11.2 M), VGG-16 (134.3 M)" in said["Model"]
    assert said["Initialisation"] == "ResNet18_Weights.IMAGENET1K_V1"
    assert "batch sizes 32; epochs at most 10; patience 3" in said["Training"]
    assert said["Performance"].startswith("highest accuracy of 4 runs: VGG-16")
    assert said["Robustness"] == "not tested: one seed, one split"


@pytest.mark.parametrize(
    "topic",
    ["Ethical approval", "Characteristics of patients", "Funding", "De-identification"],
)
def test_what_nobody_recorded_is_not_known(topic):
    _, said = filled(study())
    assert said[topic] == "not known"


def test_without_runs_nothing_is_said_of_models():
    table, said = filled()
    for topic in ("Model", "Training", "Performance", "Software and versions"):
        assert said[topic] == "not known"
    assert "0 runs" in table.caption
    filled_in = (table.frame.iloc[:, 3] != "not known").sum()
    assert f"{filled_in} of {len(items())} are filled" in table.caption


def test_unknown_patients_and_a_split_by_image_are_told():
    _, said = filled(groups=False)
    assert "no patient or slide known for 12 of 12" in said["Missing or unusable data"]
    assert (
        "a patient may be in two splits" in said["Level at which splits are disjoint"]
    )
    found = summary()
    found.section.data.table.loc[0, "split"] = "test"
    rows = checklist(found).frame
    said = rows.set_index("Topic").loc["Level at which splits are disjoint"]
    assert said.iloc[-1] == "image: 1 of 6 patients are in more than one split"


def test_synthetic_images_and_seeds():
    runs = [make_run(seed=seed) for seed in (0, 1, 2)]
    _, said = filled(runs, dataset="phantom-chest")
    assert said["Prospective or retrospective"].startswith("synthetic")
    assert said["Robustness"] == "3 seeds"


def test_chinese_and_a_title_that_is_escaped():
    table, said = filled(study(), "zh", title="<b>肺炎</b> & co")
    assert said["經費來源"] == "未知"
    assert "4 組實驗" in table.caption
    page = table._repr_mimebundle_()[0]["text/html"]
    assert "<b>肺炎" not in page
    assert "&lt;b&gt;肺炎&lt;/b&gt; &amp; co" in page
    assert table.file == "checklist.csv"


def test_a_figure_that_a_section_shows_is_reported(tmp_path, monkeypatch):
    shown = {"lightbox": {"kind": "figure", "label": "fig-gradcam", "caption": "Maps."}}
    output = nbformat.v4.new_output(
        "execute_result", {"image/svg+xml": "<svg/>"}, metadata=shown
    )
    cell = nbformat.v4.new_code_cell("lb.maps()", outputs=[output])
    path = tmp_path / "01_x" / "01_x.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    monkeypatch.setenv(CONTEXT, json.dumps({"folder": str(tmp_path)}))
    labels = collect_sections(section()).labels
    _, said = filled(study(), labels=labels)
    assert said["Explainability"] == "shown: Grad-CAM"
    assert said["Calibration"] == "not known"
    assert filled(study())[1]["Explainability"] == "not known"
    assert filled(labels=labels)[1]["Explainability"] == "not known"
