"""A paired bootstrap of the difference between two runs' test NLL."""

from typing import Any

import numpy as np

from lightbox.metrics import EPSILON

RESAMPLES = 2000


def nll_difference(one: Any, two: Any, seed: int = 0) -> tuple[float, float, float]:
    """Compare the test NLL of two runs by a paired bootstrap over patients.

    Args:
        one: A finished run.
        two: Another on the same test images.
        seed: Of the resampling.

    Returns:
        NLL of `one` minus that of `two` in nats, and the bounds of its 95 %
        percentile interval from 2,000 resamples of groups (images, where a name
        gives no group).
    """
    tests = []
    for run in (one, two):
        test = run.predictions[run.predictions["split"] == "test"]
        tests.append(test.set_index("image").sort_index())
    first, second = (_image_nll(test) for test in tests)
    groups = tests[0]["group"].where(tests[0]["group"] != "", tests[0].index)
    codes = groups.factorize()[0]
    sums = np.bincount(codes, first - second)
    sizes = np.bincount(codes)
    draws = np.random.default_rng(seed).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), RESAMPLES
    )
    means = (draws @ sums) / (draws @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(sums.sum() / sizes.sum()), float(low), float(high)


def _image_nll(test: Any) -> np.ndarray:
    """The NLL of each image, clipped as in the metrics."""
    columns = [f"prob_{label}" for label in test["label"]]
    places = [test.columns.get_loc(column) for column in columns]
    likely = test.to_numpy()[np.arange(len(test)), places].astype(float)
    return -np.log(np.clip(likely, EPSILON, 1))
