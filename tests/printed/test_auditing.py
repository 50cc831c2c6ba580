"""The audit: what cannot be is found, what true tables print is never flagged."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lightbox.base.errors import DataError, ParameterError
from lightbox.base.words import said_in
from lightbox.cli import main
from lightbox.display.outputs import Prose
from lightbox.display.provenance import CONTEXT
from lightbox.printed.audit import examine as audit
from lightbox.printed.audit import metric_audit, reference_audit, stated
from lightbox.printed.confusion import FORMULAS, fit
from lightbox.printed.numbers import Column, parse, read_heading
from lightbox.printed.table import Counts, read_counts

PARAMS = Path(__file__).resolve().parents[2] / "params"
CHEST = stated({"test": 624}, {"test": 390})


def reference(study):
    return audit(PARAMS / study / "reference.csv").remarks


def rules(source, counts=CHEST):
    return [remark.rule for remark in audit(source, counts=counts).remarks]


def only(study, rule):
    (found,) = [remark for remark in reference(study) if remark.rule == rule]
    return found


# The printed tables of the studies: E1 to E5, E8 of what is wrong in them.


def test_a_precision_that_is_specificity_is_named_with_the_true_one():
    found = only("alexnet-vgg19", "renamed")
    assert '"test_precision" is specificity' in found.text
    assert "all 6 rows are consistent, under the printed one 0" in found.text
    assert "AlexNet SGD 386 + 112 = 498" in found.text
    assert "precision 0.760, F1 0.860, not 0.6452" in found.text
    assert (
        "「test_precision」其實是特異度"
        in said_in("zh", only, "alexnet-vgg19", "renamed").text
    )
    assert found.evidence["precision"] == pytest.approx(386 / 508)
    assert found.evidence["f1"] == pytest.approx(772 / 898)
    assert {heading for _, heading in found.entries} == {"test_precision", "test_f1"}


def test_accuracies_that_are_no_fraction_are_counted():
    found = only("chest-xray", "impossible")
    assert found.evidence == {"tested": 8, "impossible": 7, "total": 624}
    assert "7 of 8 values are no k/624" in found.text
    # 540/624 = 0.86538 is the one that is.
    assert "ResNet-18 fine-tuned, focal loss" not in [row for row, _ in found.entries]


def test_an_imbalance_that_was_denied_and_an_accuracy_that_is_the_majoritys():
    found = only("fundus", "imbalance")
    assert found.evidence == pytest.approx(
        {"train": 1519 / 1920, "val": 506 / 640, "test": 506 / 640}
    )
    assert found.text.count("79.1 % diseased") == 3
    near = only("fundus", "majority")
    assert "VGG-16 set 2 82.0 %" in near.text
    assert "2.9 points above" in near.text


def test_a_lead_of_three_images_of_600_is_a_tie():
    found = only("histology-zoo", "tie")
    assert "DenseNet121 is highest with 561 of 600" in found.text
    assert "ResNet18 (558, p >= 0.25)" in found.text
    assert found.evidence["leads"] == [3, 4]


def test_sixteen_images_are_too_few():
    found = only("chest-xray", "small")
    assert "14 of 16 right has a 95 % Wilson interval of 0.64 to 0.97" in found.text
    assert "its 8 PNEUMONIA images are all bacterial" in found.text


def test_losses_of_two_functions_are_not_compared():
    found = only("chest-xray", "losses")
    assert "cross_entropy 0.5351–0.7647; focal 0.1067–0.1242" in found.text


def test_val_above_test_by_more_than_chance():
    found = only("alexnet-vgg19", "gap")
    assert found.evidence["rows"] == 4
    # 0.9534 over 782 against 0.900641 over 624: 5.3 points, 3.7 standard errors.
    assert found.evidence["gaps"][-1] == pytest.approx(5.2759)
    # The table itself says how its val was made.
    assert "val was split off by image" in found.text
    assert "逐影像切分" in said_in("zh", only, "alexnet-vgg19", "gap").text


def test_a_gap_of_a_table_that_does_not_say_how_it_was_split():
    table = pd.DataFrame(
        {"run": ["A"], "val_images": [782], "val_accuracy": [0.95]}
        | {"test_images": [624], "test_accuracy": [0.80]}
    )
    (found,) = [r for r in audit(table).remarks if r.rule == "gap"]
    assert "val may share patients with train, or test differs" in found.text


def test_feature_extraction_below_what_others_reached_is_no_evidence_against_it():
    found = only("chest-xray", "below")
    # Wilson of floor(0.7533 x 624) = 470 and of 439 of 624, against 0.8317 and 0.8622.
    assert "ResNet-18 feature extraction 0.7533 (71.8–78.5 %) against 83.2 %" in (
        found.text
    )
    assert "VGG-16 feature extraction 0.7047 (66.7–73.8 %) against 86.2 %" in (
        found.text
    )
    assert "no evidence against pretrained features" in found.text
    # Fine-tuned VGG-16 has 0.8623 against 0.8739: within its interval.
    assert "VGG-16 fine-tuned" not in [row for row, _ in found.entries]
    assert not found.wrong


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,strategy\na,b\n", "its columns are model, strategy"),
        (
            "model,strategy,test_accuracy,source\nresnet18,fine_tuning,91,x\n",
            r"line 2: test_accuracy .*91.* is no fraction",
        ),
        (b"\xff\xfe\x00", "no readable table"),
    ],
)
def test_a_published_file_that_is_none_is_refused(tmp_path, text, message):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "published.csv").write_bytes(content)
    (tmp_path / "table.csv").write_text("run,test_accuracy,test_images\nA,0.5,624\n")
    with pytest.raises(DataError, match=message):
        audit(tmp_path / "table.csv")


def test_the_counts_of_the_studies_are_the_published_ones(shared_data):
    for split in ("train", "test"):
        counts = read_counts(PARAMS / "chest-xray" / "counts.csv")[split]
        for (label, kind), number in counts.subtypes.items():
            word = {"bacterial": "bacteria", "viral": "virus"}[kind]
            folder = shared_data / "chest_xray" / split / label
            assert len(list(folder.glob(f"*{word}*"))) == number
        folder = shared_data / "chest_xray" / split / "NORMAL"
        assert len(list(folder.iterdir())) == counts.classes["NORMAL"]
    names = {"train": "Training", "val": "Validation", "test": "Testing"}
    for split, counts in read_counts(PARAMS / "fundus" / "counts.csv").items():
        path = shared_data / "rfmid_labels" / f"RFMiD_{names[split]}_Labels.csv"
        sick = pd.read_csv(path)["Disease_Risk"]
        assert (counts.positives, counts.images) == (sick.sum(), len(sick))


# What a heading and a cell say.


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Accuracy", ("accuracy", "test", "", False, False)),
        ("Test acc. (%)", ("accuracy", "test", "", False, True)),
        ("驗證準確率", ("accuracy", "val", "", False, False)),
        ("召回率（%）", ("recall", "test", "", False, True)),
        ("測試集精確率", ("precision", "test", "", False, False)),
        ("特異度", ("specificity", "test", "", False, False)),
        ("F1-score", ("f1", "test", "", False, False)),
        ("Sens.", ("recall", "test", "", False, False)),
        ("ROC AUC", ("auroc", "test", "", False, False)),
        ("mean_val_accuracy", ("accuracy", "val", "mean", True, False)),
        ("first_val_accuracy", ("accuracy", "val", "first", False, False)),
        ("train images", ("images", "train", "", False, False)),
    ],
)
def test_headings(heading, column):
    assert read_heading(heading) == Column(heading, *column)


@pytest.mark.parametrize(
    "heading",
    ["accuracy_per_second", "test_accuracy_low", "epochs", "majority_accuracy", "備註"],
)
def test_other_columns_are_left_alone(heading):
    assert read_heading(heading) is None


@pytest.mark.parametrize(
    ("text", "scale", "value", "half"),
    [
        ("0.87", 1, 0.87, 0.005),
        ("87.3", 100, 0.873, 0.0005),
        ("87.3 %", 1, 0.873, 0.0005),
        ("87,3", 100, 0.873, 0.0005),
        ("0.930", 1, 0.93, 0.0005),
        ("**0.93**", 1, 0.93, 0.005),
        ("87.3 (84.1–90.0)", 100, 0.873, 0.0005),
        ("1", 1, 1.0, 0.5),
    ],
)
def test_cells(text, scale, value, half):
    found = parse(text, where="here", scale=scale)
    assert (found.value, found.half) == pytest.approx((value, half))


def test_empty_cells_and_means():
    for text in ("", "–", "n/a", "NaN"):
        assert parse(text, where="here") is None
    assert parse("0.87 ± 0.01", where="here").averaged
    assert parse("1,341", where="here", count=True).value == 1341
    with pytest.raises(DataError, match="here: 'good' is no number"):
        parse("good", where="here")
    with pytest.raises(DataError, match="no count"):
        parse("3.5", where="here", count=True)


# Hand-made tables.


def test_fractions_by_hand():
    # 0.8750 = 546/624; 0.8755 lies between 546 and 547.
    frame = pd.DataFrame({"model": ["a", "b"], "accuracy": ["0.8750", "0.8755"]})
    (found,) = [r for r in audit(frame, counts=CHEST).remarks if r.wrong]
    assert found.entries == (("b", "accuracy"),)
    assert "(546 = 0.8750, 547 = 0.8766)" in found.text
    # Recall is a fraction of the positives, specificity of the negatives.
    frame = pd.DataFrame({"recall": ["0.5026"], "specificity": ["0.5026"]})
    (found,) = [r for r in audit(frame, counts=CHEST).remarks if r.wrong]
    assert found.entries == (("row 1", "specificity"),)  # 196/390, and 117.6/234


def test_the_entry_to_blame_is_named_with_the_value_it_should_have():
    # TP 363, TN 213 of 390 and 234.
    row = {
        "model": "a",
        "accuracy": "0.9231",
        "recall": "0.9308",
        "specificity": "0.9103",
        "precision": "0.9453",
        "f1": "0.9380",
    }
    assert rules(pd.DataFrame([row])) == []
    (found,) = audit(pd.DataFrame([row | {"f1": "0.9204"}]), counts=CHEST).remarks
    assert found.rule == "inconsistent"
    assert found.entries == (("a", "f1"),)
    assert "the others agree and give f1 0.9380" in found.text


def test_swapped_columns_are_recognised():
    # Recall and precision in each other's place, three rows.
    truth = [(363, 213), (386, 112), (350, 200)]
    rows = []
    for tp, tn in truth:
        rows.append(
            {
                "accuracy": f"{(tp + tn) / 624:.4f}",
                "recall": f"{tp / (tp + 234 - tn):.4f}",
                "precision": f"{tp / 390:.4f}",
            }
        )
    (found,) = [r for r in audit(pd.DataFrame(rows), counts=CHEST).remarks if r.wrong]
    assert found.rule == "renamed"
    assert '"recall" is precision' in found.text
    assert '"precision" is recall' in found.text


def test_means_over_seeds_are_no_counts():
    frame = pd.DataFrame(
        {
            "accuracy": ["0.8484 ± 0.012", "0.8654"],
            "recall": ["0.95 ± 0.01", "0.9308"],
        }
    )
    assert rules(frame) == []


def test_the_report_of_scikit_learn(tmp_path):
    path = tmp_path / "report.csv"
    lines = [
        ",precision,recall,f1-score,support",
        "NORMAL,0.9655,0.4786,0.6400,234",
        "PNEUMONIA,0.7598,0.9897,0.8597,390",
        "accuracy,,,0.7981,624",
        "macro avg,0.8627,0.7342,0.7499,624",
    ]
    path.write_text("\n".join(lines))
    counts = stated({"test": 624}, {})
    assert [r for r in audit(path, counts=counts).remarks if r.wrong] == []
    path.write_text("\n".join(lines).replace("0.8597", "0.8697"))
    (found,) = [r for r in audit(path, counts=counts).remarks if r.wrong]
    assert found.entries == (("PNEUMONIA", "f1-score"),)


def test_metrics_may_stand_in_rows():
    frame = pd.DataFrame(
        {
            "": ["準確率", "召回率", "精確率"],
            "AlexNet SGD": ["0.798077", "0.9897", "0.4786"],
            "AlexNet Adam": ["0.923077", "0.9308", "0.9103"],
        }
    )
    assert rules(frame) == ["renamed"]


def test_without_counts_identities_are_tested():
    frame = pd.DataFrame({"precision": ["0.80"], "recall": ["0.60"], "f1": ["0.75"]})
    (found,) = audit(frame).remarks  # 2 * 0.48 / 1.4 = 0.686
    # Means over classes need not obey it, so that it is no error by itself.
    assert (found.rule, found.wrong) == ("averages", False)
    assert "from 0.6806 to 0.6908" in found.text
    frame = pd.DataFrame(
        {"accuracy": ["0.95"], "recall": ["0.90"], "specificity": ["0.92"]}
    )
    assert rules(frame, None) == ["averages"]
    assert rules(frame.assign(accuracy="0.91"), None) == []


def test_values_out_of_range():
    frame = pd.DataFrame({"accuracy": ["103"], "loss": ["-0.2"]})
    assert rules(frame, None) == ["impossible", "impossible"]


def test_counts_in_columns_and_a_confusion_table():
    frame = pd.DataFrame(
        {"TP": [363], "FN": [27], "FP": [21], "TN": [213], "recall": ["0.931"]}
    )
    assert rules(frame, None) == []
    assert rules(frame.assign(recall="0.941"), None) != []
    frame = pd.DataFrame({"n": [624], "positives": [390], "accuracy": ["0.8484"]})
    assert rules(frame, None) == ["impossible"]


@pytest.mark.parametrize(("second", "tied"), [(558, True), (556, True), (555, False)])
def test_ties_by_the_smallest_p(second, tied):
    # b = 3, 5, 6 and c = 0: p = 2 ** (1 - b) = 0.25, 0.0625, 0.03125.
    frame = pd.DataFrame({"accuracy": [f"{561 / 600:.6f}", f"{second / 600:.6f}"]})
    assert rules(frame, stated({"test": 600}, {})) == (["tie"] if tied else [])


def test_the_sentences_of_a_notebook(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("model,準確率\n<b>a_b</b>,0.8484\n", encoding="utf-8")
    said = metric_audit(path, images=624)
    assert isinstance(said, Prose)
    assert said.markdown.startswith("- **Impossible.** ")
    assert r"\<b\>a\_b" in said.markdown
    assert said_in("zh", metric_audit, path, images=624).markdown.startswith(
        "- **不可能**："
    )
    assert "found nothing wrong" in metric_audit(path, images=10_000).markdown
    assert "not known" in metric_audit(path).markdown


def test_a_section_audits_its_own_part_of_the_source(monkeypatch):
    section = type("Section", (), {"name": "02_hyperparameters"})()
    given = json.dumps({"study": str(PARAMS / "chest-xray")})
    monkeypatch.setenv(CONTEXT, given)
    assert "3 of 4 values are no k/624" in reference_audit(section).markdown
    section.name = "04_model_zoo"
    assert reference_audit(section) is None
    monkeypatch.delenv(CONTEXT)
    assert reference_audit(section) is None


# Bad input.


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no table"),
        ("accuracy\n", "no rows"),
        ("model,epochs\na,3\n", "no column is a metric; it has model, epochs"),
        ("model,acuracy\na,0.9\n", "did you mean 'accuracy'"),
        ("model,accuracy\na,high\n", "a, accuracy: 'high' is no number"),
        ("model,accuracy\na,1e400\n", "'1e400' is no number"),
        ("model,accuracy\na,84,84\n", "more cells than headings"),
        ("accuracy,acc\n0.9,0.9\n", "the same metric"),
        ("accuracy\n0.9\n92\n", r"0\.9 \(row 1\) and 92 \(row 2\) in one column"),
        ("n,positives,accuracy\n10,12,0.9\n", "12 positives among 10 images"),
        ("n,accuracy\n0,0.9\n", "0 images; at least 1"),
        ("n,accuracy\n500,0.9\n", "says 500 images, the counts given with it say 624"),
    ],
)
def test_bad_tables(tmp_path, text, match):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=match):
        audit(path, counts=CHEST)


def test_bad_files_and_options(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        audit(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(DataError, match="no text"):
        audit(tmp_path / "picture.csv")
    with pytest.raises(DataError, match="there cannot be more"):
        metric_audit(pd.DataFrame({"acc": [0.5]}), images=10, positives=11)
    with pytest.raises(ParameterError, match="did you mean 'test'"):
        metric_audit(pd.DataFrame({"acc": [0.5]}), images={"tets": 10})
    (tmp_path / "counts.csv").write_text("split,class,images\nval,a,many\n")
    (tmp_path / "table.csv").write_text("accuracy\n0.5\n")
    with pytest.raises(DataError, match=r"counts\.csv, line 2: 'many'"):
        audit(tmp_path / "table.csv")


def test_the_command(tmp_path):
    out = tmp_path / "found" / "audit.csv"
    table = str(PARAMS / "chest-xray" / "reference.csv")
    done = CliRunner().invoke(main, ["audit", table, "--csv", str(out)])
    assert done.exit_code == 1
    assert "✗ 0.8484" in done.output
    assert "1. Impossible: test_accuracy: 7 of 8" in done.output
    kept = pd.read_csv(out)
    assert (kept["rule"] == "impossible").sum() == 7
    assert kept.loc[0, "printed"] == 0.8484
    table = str(PARAMS / "histology-zoo" / "reference.csv")
    done = CliRunner().invoke(main, ["audit", table, "--language", "zh"])
    assert done.exit_code == 0
    assert "平手" in done.output
    markdown = tmp_path / "table.md"
    markdown.write_text("| model | acc (%) |\n|---|--:|\n| a | 84.84 |\n")
    done = CliRunner().invoke(main, ["audit", str(markdown), "--images", "624"])
    assert done.exit_code == 1
    for words, said in (
        ([str(tmp_path / "no.csv")], "cannot be read"),
        ([str(markdown), "--images", "many"], "--images 'many'"),
    ):
        done = CliRunner().invoke(main, ["audit", *words])
        assert done.exit_code == 2
        assert said in done.output


# True tables are never flagged, made-up ones mostly are.


@st.composite
def confusion(draw, most=400):
    positives = draw(st.integers(1, most))
    negatives = draw(st.integers(1, most))
    tp = draw(st.integers(0, positives))
    tn = draw(st.integers(0, negatives))
    return positives, negatives, tp, tn


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4),
    confusion(),
    st.integers(2, 6),
    st.booleans(),
)
def test_tables_of_true_confusions_are_never_flagged(shares, first, digits, percent):
    positives, negatives, *_ = first
    rows = []
    for one, other in shares:
        tp, tn = round(one * positives), round(other * negatives)
        line = {
            name: 100**percent * float(formula(tp, tn, positives, negatives))
            for name, formula in FORMULAS.items()
        }
        places = max(digits - 2 * percent, 0)
        rows.append({k: f"{v:.{places}f}" for k, v in line.items()})
    heading = " (%)" if percent else ""
    frame = pd.DataFrame(rows).rename(columns=lambda name: name + heading)
    counts = {"test": Counts(positives + negatives, positives)}
    assert not [
        remark for remark in audit(frame, counts=counts).remarks if remark.wrong
    ]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(2000, 9999), min_size=4, max_size=4, unique=True))
def test_numbers_without_a_cause_are_flagged(values):
    names = ("accuracy", "recall", "precision", "specificity")
    row = {
        name: f"{value / 1e4:.4f}" for name, value in zip(names, values, strict=True)
    }
    right = 0.625 * values[1] + 0.375 * values[3]
    assume(abs(right - values[0]) > 20)  # else accuracy follows from the two
    assert [r for r in audit(pd.DataFrame([row]), counts=CHEST).remarks if r.wrong]


CELLS = ["0.9", "92.3", "0", "1", "", "–", "0.8 ± 0.1", "87,3", "abc", "-0.2", "50 %"]
HEADINGS = [
    "accuracy",
    "召回率",
    "F1",
    "loss",
    "n",
    "positives",
    "TP",
    "TN",
    "model",
    "",
]


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.sampled_from(HEADINGS), min_size=1, max_size=5, unique=True).flatmap(
        lambda names: st.fixed_dictionaries(
            {
                name: st.lists(st.sampled_from(CELLS), min_size=2, max_size=2)
                for name in names
            }
        )
    )
)
def test_any_table_is_audited_or_refused_in_one_line(columns):
    try:
        said = list(
            said_in("zh", audit, pd.DataFrame(columns), counts=CHEST).frame()["finding"]
        )
    except DataError as error:
        said = [str(error)]
    assert all(text and "\n" not in text for text in said)


def test_every_fit_is_found():
    # All tables of 3 and 2 whose accuracy is 0.6: TP + TN = 3.
    found = fit({"accuracy": parse("0.60", where="x")}, 3, 2)
    assert found.tp.tolist() == [1, 2, 3]
    assert found.first.tolist() == found.last.tolist() == [2, 1, 0]
    assert found.count == 3
    assert found.ends("recall")[0].tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert math.isclose(found.ends("f1")[1].max(), 0.75)


@settings(deadline=None, max_examples=60)
@given(
    # Small enough to try every table.
    confusion(most=63),
    st.sampled_from(sorted(FORMULAS)),
    st.sampled_from(sorted(FORMULAS)),
)
def test_the_runs_of_fits_are_those_of_trying_all(known, one, other):
    positives, negatives, tp, tn = known
    printed = {
        name: parse(
            f"{float(FORMULAS[name](tp, tn, positives, negatives)):.2f}", where="x"
        )
        for name in (one, other)
    }
    expected = {
        (a, b)
        for a in range(positives + 1)
        for b in range(negatives + 1)
        if all(
            v.low <= float(FORMULAS[n](a, b, positives, negatives)) <= v.high
            for n, v in printed.items()
        )
    }
    found = fit(printed, positives, negatives)
    pairs = {
        (a, b)
        for a, low, high in zip(found.tp, found.first, found.last, strict=True)
        for b in range(low, high + 1)
    }
    assert pairs == expected
    assert (tp, tn) in pairs
