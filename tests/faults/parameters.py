"""Parameter sets as nobody should type them, and what must become of each."""

import datetime
import string
from pathlib import Path

from hypothesis import strategies as st

from lightbox.base.errors import LightboxError
from lightbox.data.dataset import open_dataset
from lightbox.runs import plan
from lightbox.settings.parameters import (
    SECTIONS,
    VARIABLE,
    TrainingParameters,
    validate,
)
from lightbox.settings.studies import Study

# What a careful user types; the wrong values below are mixed in.
SOUND = {
    "dataset": ["folder"],
    "image_size": [16, 32, "64"],
    "resize": ["squash", "crop", "pad"],
    "on_bad_image": ["skip", "stop"],
    "split_by": ["group", "image"],
    "classes": [[], ["dark", "light"], ["light", "dark"]],
    "seed": [0, 7],
    "language": ["en", "zh"],
    "models": [["conv_model"], ["resnet18", "conv_model"]],
    "strategies": [["fine_tuning"], ["feature_extraction", "fine_tuning"], ["partial"]],
    "first_trainable": [None, "layer4", "classifier"],
    "frozen": [[], ["features.0"], ["features.2:3"]],
    "weights": ["none", "IMAGENET1K_V1"],
    "loss": ["cross_entropy", "focal"],
    "learning_rate": [1e-3, "1e-4"],
    "epochs": [1, 5],
    "batch_size": [8],
    "seeds": [[], [0, 1]],
    "sets": [[], [{"name": "a", "epochs": 2}, {"name": "b", "model": "resnet18"}]],
    "grid": [{}, {"epochs": [1, 2], "optimizer": ["sgd", "adam"]}],
    "gammas": [[1.0], [0, 2]],
    "device": ["auto", "cpu"],
    "precision": ["auto", "float32"],
}
TEXT = st.one_of(
    st.text(max_size=12),
    st.text(alphabet=string.printable, max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            "\0",
            "\n",
            "..",
            "/",
            "~",
            "~nobody/x",
            "\ud800",
            "模型",
            "𝔁" * 40,
            "a" * 5000,
            "/dev/null",
            "../" * 30,
            "nan",
            "null",
            "True",
            "resnet81",
            "IMAGENET1K_V9",
            "{}",
            "$(id)",
            "<script>",
            '#read("x")',
            "%s%d",
            "{0}",
            "'; drop",
            "\u202e",
            "e\u0301",
            ".pth",
            "x.pth",
            "folder",
            "layer1:",
            ":",
            ":3",
            "features.9:1",
            "layer4.*",
            "(",
        ]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from(
        [10**400, -(10**30), 2**31, 2**63, 1e308, -0.0, 1e-320, 0.5, 1.0, 3.7]
    ),
    st.floats(),
    TEXT,
    st.binary(max_size=4),
    st.dates(),
    st.just(datetime.datetime(2026, 1, 2, 3, 4)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(TEXT, st.sampled_from(VARIABLE), st.integers(0, 3), st.none()),
            inner,
            max_size=3,
        ),
        st.sets(st.integers(0, 3), max_size=2),
        st.tuples(inner),
    ),
    max_leaves=5,
)


def _settings_of_a_set(name: str) -> st.SearchStrategy:
    """A set or a grid whose names are right and whose values may be wrong."""
    one = st.dictionaries(
        st.sampled_from(VARIABLE),
        st.one_of(VALUES, st.sampled_from([v for p in SOUND.values() for v in p])),
        max_size=3,
    )
    if name == "sets":
        return st.lists(one, max_size=2)
    many = st.lists(st.one_of(SCALARS, st.sampled_from(SOUND["models"][1])), max_size=3)
    return st.dictionaries(st.sampled_from(VARIABLE), many, max_size=3)


def _value(name: str) -> st.SearchStrategy:
    parts = [st.sampled_from(SOUND[name])] * 2 if name in SOUND else []
    if name in {"sets", "grid"}:
        parts.append(_settings_of_a_set(name))
    return st.one_of(*parts, VALUES)


@st.composite
def parameter_sets(draw) -> tuple[str, dict]:
    """A section's stem and values for some of its parameters, or for none of its."""
    stem = draw(st.sampled_from(list(SECTIONS)))
    fields = list(SECTIONS[stem].model_fields)
    names = draw(st.lists(st.sampled_from(fields), max_size=4, unique=True))
    values = {name: draw(_value(name)) for name in names}
    if draw(st.integers(0, 9)) == 0:
        values[draw(TEXT)] = draw(SCALARS)
    return stem, values


def outcome(stem: str, values: dict, images: Path) -> str:
    """Take a parameter set the whole way to where training would begin.

    Args:
        stem: The notebook's.
        values: What was typed.
        images: A small data folder, for sets that name none.

    Returns:
        `accepted` or `refused`.

    Raises:
        AssertionError: A refusal that is not one line of printable text.
        Exception: Anything else that came out; a defect.
    """
    try:
        study = Study("study", images, {stem: {}})
        study.override(values)
        checked = Study("study", images, {stem: values}).validated(images)
        settings = validate(stem, checked.values[stem])
        if isinstance(settings, TrainingParameters):
            plan.check(settings)
        if settings.dataset == "folder" or not settings.dataset.startswith("phantom"):
            open_dataset(
                settings.dataset,
                settings.data_dir or images,
                seed=settings.seed,
                on_bad_image=settings.on_bad_image,
                split_by=settings.split_by,
                classes=settings.classes,
            )
    except LightboxError as error:
        said = str(error)
        assert said.strip(), "a refusal without a word"
        assert len(said.splitlines()) == 1, f"more than one line: {said!r}"
        said.encode()  # a terminal must be able to show it
        assert len(said) < 5000, f"{len(said)} characters: {said[:200]!r}"
        return "refused"
    return "accepted"
