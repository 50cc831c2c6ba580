"""A hundred parameter sets as nobody should type them; `make faults` tries more."""

import pytest
from faults.images import make_folder
from faults.parameters import outcome, parameter_sets
from hypothesis import HealthCheck, given, settings


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("images"))


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(parameter_sets())
def test_every_parameter_set_is_accepted_or_refused_in_one_line(images, drawn):
    assert outcome(*drawn, images) in {"accepted", "refused"}


HUGE = 10**5000  # Python itself refuses to write it out


@pytest.mark.parametrize(
    "values",
    [
        {"seed": HUGE},
        {"epochs": -HUGE},
        {"title": HUGE},
        {"models": [HUGE]},
        {"sets": [{"epochs": HUGE}]},
        {"seeds": [-1]},
        {"data_dir": "a\0b"},
        {"data_dir": "~nobody-of-that-name/images"},
        {"data_dir": "x" * 5000},
        {"weights": "a\0b.pth"},
        {"weights": "x" * 5000 + ".pth"},
        {"title": "\ud800"},
        {"models": ["\ud800"]},
        {"sets": [{1: 2}]},
        {"sets": [{"name": [1]}]},
        {"sets": [{"name": "x" * 100}]},
        {"grid": {k: [1] * 100 for k in ("epochs", "seed", "batch_size")}},
        {"grid": {"epochs": [1, [2]]}},
        {"strategies": ["partial"], "frozen": ["features.9:1"]},
        {"strategies": ["partial"], "first_trainable": "("},
        {1: 2},
    ],
)
def test_what_broke_parsers_before_is_refused_in_one_line(images, values):
    assert outcome("02_hyperparameters", values, images) == "refused"
