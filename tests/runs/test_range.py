"""The range test: the section's own loss, refused where it cannot work."""

import numpy as np
import pytest
from PIL import Image

from lightbox.base.errors import ParameterError
from lightbox.data import dataset
from lightbox.runs import plan
from lightbox.runs.range_test import range_test
from lightbox.settings.parameters import validate
from lightbox.training.devices import seed_everything

SECTION = "02_hyperparameters"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three dark images to one light one, so that weights of classes matter."""
    root = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for split, count in {"train": 8, "test": 4}.items():
        for label, times in (("dark", 3), ("light", 1)):
            (root / split / label).mkdir(parents=True)
            for i in range(count * times):
                pixels = draw.integers(0, 255, (16, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / label / f"{i}.png")
    return dataset.open_dataset("folder", root, seed=0)


def first_loss(images, **changes):
    values = {"dataset": "folder", "models": ["conv_model"], "image_size": 16}
    values |= {"strategies": ["fine_tuning"], "device": "cpu", "precision": "float32"}
    settings = validate(SECTION, values | changes)
    (config, weights), *_ = plan.configurations(settings)
    seed_everything(0)
    return range_test(config, images, weights=weights)["loss"].iloc[0]


def test_the_sections_own_loss_is_tried(home, images):
    plain = first_loss(images)
    # Before anything is learnt p is about a half: the focal loss is a quarter of it.
    focal = first_loss(images, loss="focal", gamma=2.0)
    weighted = first_loss(images, loss="weighted_cross_entropy")
    assert plain == pytest.approx(np.log(2), rel=0.1)
    assert focal < plain / 2
    assert weighted != pytest.approx(plain, rel=1e-3)
    # One output, whose loss is that of two.
    single = first_loss(images, output="sigmoid")
    assert single == pytest.approx(np.log(2), rel=0.1)


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"grid": {"batch_size": [1]}}])
def test_a_range_test_on_single_images_is_refused_in_the_plan(changes):
    settings = validate(SECTION, {"range_test": True} | changes)
    with pytest.raises(ParameterError, match="range_test with batch_size = 1"):
        plan.check(settings)
