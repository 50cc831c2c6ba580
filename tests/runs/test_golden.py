"""What the training procedure computes is what it computed when it got its number.

Run ids hold `PROCEDURE` in place of a hash of the sources: an edit of a comment
retrains nothing, and an edit of behaviour is noticed here. Where it was meant, raise
`PROCEDURE` in runs/config.py with a line of history, and renew the stored predictions:

    RENEW_GOLDEN=1 python -m pytest tests/runs/test_golden.py
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lightbox.data import dataset
from lightbox.runs import plan
from lightbox.runs.config import PROCEDURE
from lightbox.settings.parameters import validate

GOLDEN = Path(__file__).with_name("golden.csv")
# Other processors round otherwise, by some 1e-5; whatever a change of behaviour moves
# below this no reader of a probability would see.
TOLERANCE = 1e-3
REMEDY = (
    "the training procedure computes something else than PROCEDURE = {number} did: if "
    "that was meant, raise PROCEDURE in runs/config.py with a line of history, and renew "
    "the golden predictions by RENEW_GOLDEN=1 python -m pytest tests/runs/test_golden.py"
)
RUNS = {
    "feature_extraction": {"learning_rate": 0.01},
    "fine_tuning": {
        "learning_rate": 0.003,
        "loss": "focal",
        "augmentation": "light",
        "sampling": "balanced",
        "schedule": "cosine",
    },
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Made images of two classes, three dark ones to a light one."""
    root = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for split, count in {"train": 20, "test": 4}.items():
        for label, times in (("dark", 3), ("light", 1)):
            (root / split / label).mkdir(parents=True)
            for i in range(count * times):
                pixels = draw.integers(0, 180, (24, 24), dtype=np.uint8)
                pixels[:12] += 70 if label == "light" else 0
                Image.fromarray(pixels).save(root / split / label / f"{i}.png")
    return dataset.open_dataset("folder", root, seed=0)


def probabilities(images, strategy, **changes):
    """Train one epoch; a row per val and test image."""
    values = {"dataset": "folder", "models": ["conv_model"], "image_size": 16}
    values |= {"strategies": [strategy], "epochs": 1, "batch_size": 8}
    values |= {"device": "cpu", "precision": "float32"} | RUNS[strategy] | changes
    settings = validate("01_feature_extraction_vs_fine_tuning", values)
    (run,) = plan.run_all(settings, images)
    found = run.predictions[["image", "prob_light"]].assign(strategy=strategy)
    return found[["strategy", "image", "prob_light"]]


@pytest.fixture
def golden(home, images):
    if os.environ.get("RENEW_GOLDEN"):
        found = pd.concat([probabilities(images, strategy) for strategy in RUNS])
        found.to_csv(GOLDEN, index=False, float_format="%.6f")
    return pd.read_csv(GOLDEN)


def distance(golden, found):
    """Give the largest distance of a probability from the stored one."""
    both = golden.merge(found, on=["strategy", "image"], validate="1:1")
    assert len(both) == len(found)
    return (both["prob_light_x"] - both["prob_light_y"]).abs().max()


@pytest.mark.parametrize("strategy", RUNS)
def test_the_procedure_computes_what_it_did(images, golden, strategy):
    found = probabilities(images, strategy)
    assert distance(golden, found) < TOLERANCE, REMEDY.format(number=PROCEDURE)


@pytest.mark.parametrize(
    ("strategy", "change"),
    [
        ("feature_extraction", {"seed": 1}),
        ("feature_extraction", {"learning_rate": 0.011}),
        ("feature_extraction", {"batch_size": 9}),
        ("feature_extraction", {"loss": "weighted_cross_entropy"}),
        ("fine_tuning", {"seed": 1}),
        ("fine_tuning", {"learning_rate": 0.0033}),
        ("fine_tuning", {"gamma": 2.2}),
        ("fine_tuning", {"augmentation": "none"}),
        ("fine_tuning", {"sampling": "natural"}),
        ("fine_tuning", {"schedule": "constant"}),
        ("fine_tuning", {"optimizer": "adamw", "learning_rate": 0.0032}),
    ],
)
def test_a_small_change_would_be_noticed(images, golden, strategy, change):
    found = probabilities(images, strategy, **change)
    assert distance(golden, found) > 2 * TOLERANCE
