"""ROC and precision-recall: areas against scikit-learn, bands, what is drawn."""

import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from example_runs import make_run, study
from sklearn.metrics import average_precision_score, roc_auc_score

from lightbox.base.words import said_in
from lightbox.comparison.roc import roc_curves
from lightbox.display.outputs import Prose
from lightbox.display.style import POINTS
from lightbox.evaluation.bootstrap import group_weights
from lightbox.evaluation.curves import GRID, curves
from lightbox.evaluation.metrics import score_run


def example(decimals, seed=0, count=240, share=0.6):
    random = np.random.default_rng(seed)
    truth = random.random(count) < share
    return truth, np.round(random.normal(size=count) + truth, decimals)


def weights(count, resamples=300, size=2):
    return group_weights(np.arange(count) // size, resamples=resamples)


# Rounded to one digit, many images share a score.
@pytest.mark.parametrize("decimals", [9, 1])
def test_areas_are_those_of_scikit_learn(decimals):
    truth, scores = example(decimals)
    found = curves([(truth, scores)], weights(len(truth)))
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert found.average_precision == pytest.approx(
        average_precision_score(truth, scores), abs=1e-12
    )


def test_areas_of_several_tasks_are_their_means():
    tasks = [example(9), example(1, seed=1), example(0, seed=2, share=0.1)]
    found = curves(tasks, weights(240))
    assert found.auroc == pytest.approx(
        np.mean([roc_auc_score(*task) for task in tasks]), abs=1e-12
    )
    assert found.average_precision == pytest.approx(
        np.mean([average_precision_score(*task) for task in tasks]), abs=1e-12
    )


def test_bands_and_intervals_are_those_of_resamples_written_out():
    truth, scores = example(1, count=60)
    drawn = weights(60, resamples=40)
    found = curves([(truth, scores)], drawn)
    areas, averages, rates, precisions = [], [], [], []
    for row in drawn:
        picked = np.repeat(np.arange(60), row)
        one, two = truth[picked], scores[picked]
        areas.append(roc_auc_score(one, two))
        averages.append(average_precision_score(one, two))
        thresholds = np.unique(two)[::-1]
        true = np.array([(one & (two >= t)).sum() for t in thresholds])
        false = np.array([(~one & (two >= t)).sum() for t in thresholds])
        x = np.append(0, false / false[-1])
        rates.append(np.interp(GRID, x, np.append(0, true / true[-1])))
        first = [
            int(np.argmax(true >= max(1, np.ceil(at * true[-1] - 1e-9)))) for at in GRID
        ]
        precisions.append((true / (true + false))[first])
    pair = [0.025, 0.975]
    assert found.auroc_interval == pytest.approx(tuple(np.quantile(areas, pair)))
    assert found.average_precision_interval == pytest.approx(
        tuple(np.quantile(averages, pair))
    )
    assert found.roc_band == pytest.approx(np.quantile(rates, pair, axis=0))
    assert found.precision_band == pytest.approx(np.quantile(precisions, pair, axis=0))


def test_patients_of_several_images_widen_the_band():
    # Two images of a patient are the same image: half the information.
    truth, scores = (np.repeat(values, 2) for values in example(9, count=150))
    alone = curves([(truth, scores)], weights(300, size=1))
    paired = curves([(truth, scores)], weights(300, size=2))

    def width(found):
        return found.auroc_interval[1] - found.auroc_interval[0]

    assert 1.2 < width(paired) / width(alone) < 1.7


def test_resamples_without_a_class_are_left_out():
    truth = np.array([True] * 9 + [False])
    found = curves([(truth, np.arange(10.0))], weights(10, size=1))
    assert np.isfinite(found.auroc_interval).all()
    assert np.isfinite(found.roc_band).all()


def legend(drawing):
    return [text.get_text() for text in drawing.legends[0].get_texts()]


@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_legend_gives_the_areas_of_the_table(drawn, language):
    runs = study()
    figure = said_in(language, roc_curves, runs)
    assert figure.label == "fig-roc"
    for run, line in zip(runs, legend(drawn[0])[1:], strict=True):
        assert f"AUROC {score_run(run)['auroc']:.3f}" in line
    assert "2,000" in figure.caption
    assert "150" in figure.caption  # patients
    sizes = {text.get_fontsize() for text in drawn[0].findobj(mpl.text.Text)}
    assert min(sizes) >= POINTS


def test_more_than_four_runs_leave_the_band_to_the_best(drawn):
    runs = [make_run(f"model{k}") for k in range(6)]
    val = runs[4].predictions["split"] == "val"
    for name, sure in (("NORMAL", 0.0), ("PNEUMONIA", 1.0)):
        right = runs[4].predictions["label"] == "PNEUMONIA"
        runs[4].predictions.loc[val, f"prob_{name}"] = np.where(
            right[val], sure, 1 - sure
        )
    figure = roc_curves(runs)
    shades = drawn[0].axes[0].collections
    assert len(shades) == 1
    line = drawn[0].axes[0].lines[1 + 4]
    assert np.allclose(
        shades[0].get_facecolor()[0][:3], mpl.colors.to_rgb(line.get_color())
    )
    assert "shaded, for model4" in figure.caption


def test_seeds_share_a_line(drawn):
    runs = [make_run(seed=0), make_run(seed=1), make_run("vgg16")]
    figure = roc_curves(runs)
    mean = np.mean([score_run(run)["auroc"] for run in runs[:2]])
    assert len(legend(drawn[0])) == 3
    assert f"AUROC {mean:.3f}" in legend(drawn[0])[1]
    assert "mean of their curves" in figure.caption


def test_more_classes_are_averaged_and_an_absent_one_is_named(drawn):
    run = make_run(classes=("a", "b", "c"), positive=None)
    figure = roc_curves([run])
    assert f"AUROC {score_run(run)['auroc']:.3f}" in legend(drawn[0])[1]
    assert "means over 3 classes" in figure.caption
    test = run.predictions["split"] == "test"
    gone = test & (run.predictions["label"] == "c")
    kept = run.predictions[~gone]
    run = replace(run, predictions=kept)
    figure = roc_curves([run])
    assert "means over 2 classes" in figure.caption
    assert "left out: c" in figure.caption


def test_one_class_alone_gets_a_sentence():
    run = make_run(num_test=40)
    test = run.predictions["split"] == "test"
    run.predictions.loc[test, "label"] = "PNEUMONIA"
    answer = roc_curves([run])
    assert isinstance(answer, Prose)
    assert "all of one class" in answer.markdown


def test_a_dollar_in_a_name_is_no_formula(drawn):
    roc_curves([make_run(name="$x$"), make_run(name="$y$", seed=1)])
    assert legend(drawn[0])[1].startswith("ResNet-18 · fine-tuning · \\$x\\$")


def test_images_without_patients_are_named_so():
    run = make_run()
    run.predictions["group"] = ""
    assert "names give no patient" in roc_curves([run]).caption


def test_the_order_of_rows_does_not_matter():
    run, other = make_run(), make_run()
    shuffled = other.predictions.sample(frac=1, random_state=0)
    other = replace(other, predictions=shuffled)
    assert roc_curves([run]).svg == roc_curves([other]).svg


def test_no_torch_is_needed():
    code = (
        "import sys\n"
        "from lightbox.comparison import gallery, gradcam, reliability, roc\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
