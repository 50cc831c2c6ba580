"""The parameters of every section and run: names, types, units, ranges, defaults.

papermill only warns about a name that a notebook does not have, and YAML reads `1e-4`
as text: values are coerced to the declared type or refused, before anything is slow.
"""

import itertools
import math
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.settings.checking import checked, shown


def _no_bool(value: Any) -> Any:
    """Refuse True and False where a number is meant: pydantic reads them as 1, 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


def _one_line(value: Any) -> Any:
    """Dates and numbers that YAML read from a title are text all the same."""
    typed = isinstance(value, Date | int | float) and not isinstance(value, bool)
    return str(value) if typed else value


def _home(value: str) -> str:
    """Refuse a folder whose `~` stands for nobody's home."""
    try:
        Path(value).expanduser()
    except RuntimeError:
        raise ValueError("there is no such user's home: write the path out") from None
    return value


Whole = Annotated[int, BeforeValidator(_no_bool)]
Real = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Line = Annotated[str, BeforeValidator(_one_line), Field(max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=500)]
Folder = Annotated[Name, AfterValidator(_home)]
Seed = Annotated[Whole, Field(ge=0, le=2**31 - 1)]
Strategy = Literal["feature_extraction", "fine_tuning", "partial"]
MOST_POINTS = 1_000  # of a grid, and of sets: what a course can train
LONGEST_NAME = 80  # of a set, in letters: it heads rows of tables


class ImageSettings(BaseModel):
    """The images, as a section and each of its runs have them."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    dataset: Name = "phantom-chest"  # a registered set, or "folder"
    image_size: Whole = Field(default=64, ge=16, le=1024)  # pixels, square
    resize: Literal["squash", "crop", "pad"] = "squash"
    seed: Seed = 0


class DataParameters(ImageSettings):
    """What every section has: the images, and how the report is headed."""

    data_dir: Folder | None = None  # folder of the images, where not the usual one
    on_bad_image: Literal["skip", "stop"] = "skip"
    split_by: Literal["group", "image"] = "group"  # group: patient or slide
    classes: list[Name] = []  # which, in this order; empty takes all
    language: Literal["en", "zh"] = "en"
    title: Line = "Transfer learning on medical images"
    author: Line = ""
    course: Line = ""
    date: Line = ""


class TrainingSettings(ImageSettings):
    """How a network is built and trained, in a section and in each of its runs."""

    first_trainable: Name | None = None  # layer name, for the strategy `partial`
    frozen: tuple[Name, ...] = ()  # layers frozen under `partial`: features.2:30
    first_layer: Literal["sum", "reinitialise"] = "sum"  # of one-channel images
    head: Literal["linear", "mlp_64", "mlp_32"] = "linear"
    output: Literal["softmax", "sigmoid"] = "softmax"
    weights: Name = "none"  # "none", an enum such as IMAGENET1K_V1, or a file
    loss: Literal["cross_entropy", "weighted_cross_entropy", "focal"] = "cross_entropy"
    gamma: Real = Field(default=2.0, ge=0, le=10)  # of the focal loss
    optimizer: Literal["sgd", "rmsprop", "adam", "adamw"] = "adam"
    momentum: Real = Field(default=0.0, ge=0, lt=1)  # of SGD and RMSprop
    schedule: Literal["constant", "step", "cosine", "one_cycle"] = "constant"
    augmentation: Literal["none", "light"] = "none"
    sampling: Literal["natural", "balanced"] = "natural"
    epochs: Whole = Field(default=10, ge=1, le=1000)
    batch_size: Whole = Field(default=32, ge=1, le=4096)  # images
    learning_rate: Real = Field(default=1e-3, gt=0, le=10)
    patience: Whole = Field(default=5, ge=0, le=1000)  # epochs; 0 switches it off
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"


class RunSettings(TrainingSettings):
    """One run's configuration: what it is a function of, besides data and procedure.

    No `auto` is left in it, `weights` is named in full, and what the run does not use
    (`gamma` without a focal loss) has its neutral value.
    """

    model: Name
    strategy: Strategy
    name: str = ""  # the label of a set, which the run's id does not depend on

    @model_validator(mode="after")
    def _neutral(self) -> "RunSettings":
        """Give what this run does not use one value: it is the same run then."""
        unused: dict[str, Any] = {} if self.loss == "focal" else {"gamma": 0.0}
        if self.strategy != "partial":
            unused |= {"first_trainable": None, "frozen": ()}
        for name, value in unused.items():
            object.__setattr__(self, name, value)
        return self


# What a set or a grid may vary: all but what belongs to the section or the machine.
VARIABLE = tuple(
    name
    for name in RunSettings.model_fields
    if name not in {"dataset", "seed", "device", "precision"}
)


class TrainingParameters(TrainingSettings, DataParameters):
    """What a section that trains has: settings for runs of several kinds."""

    models: list[Name] = Field(default=["resnet18"], min_length=1)
    strategies: list[Strategy] = Field(
        default=["feature_extraction", "fine_tuning"], min_length=1
    )
    seeds: list[Seed] = []  # of training; empty takes `seed` alone


class TransferParameters(TrainingParameters):
    """Feature extraction against fine-tuning, and the naive split on request."""

    leakage: bool = False  # train on a split by image too, and show both


class HyperParameters(TrainingParameters):
    """Sets of settings, or a grid of them, laid over the section's own."""

    sets: list[dict[str, Any]] = []
    grid: dict[str, list[Any]] = {}
    range_test: bool = False

    @model_validator(mode="after")
    def _known(self) -> "HyperParameters":
        for name in itertools.chain(*self.sets, self.grid):
            if name not in VARIABLE:
                hint = did_you_mean(name, VARIABLE)
                allowed = hint or f"; there are {', '.join(VARIABLE)}"
                raise ValueError(f"unknown setting {shown(name)}{allowed}")
        for name, values in self.grid.items():
            if not values:
                raise ValueError(f"grid.{name} is empty: give at least one value")
        points = math.prod(map(len, self.grid.values()))
        if points > MOST_POINTS or len(self.sets) > MOST_POINTS:
            raise ValueError(
                f"a grid of {points:,} points and {len(self.sets):,} sets: at most "
                f"{MOST_POINTS:,} of each can be trained"
            )
        names = [one.get("name", "") for one in self.sets] + self.grid.get("name", [])
        for name in names:
            if not isinstance(name, str | int | float) or len(str(name)) > LONGEST_NAME:
                raise ValueError(
                    f"name = {shown(name)}: a text of at most {LONGEST_NAME} letters"
                )
        return self


class FocalParameters(TrainingParameters):
    """Cross-entropy, its weighted form, and focal losses over a grid of gamma."""

    gammas: list[Real] = Field(default=[0.5, 1.0, 2.0, 5.0], min_length=1)


class ZooParameters(TrainingParameters):
    """Many networks, and where the shallow ones end."""

    shallow_below: Whole = Field(default=30, ge=1, le=1000)  # layers


class SummaryParameters(DataParameters):
    """What the other sections found."""

    sections: list[Name] = []  # stems; empty takes all that are there


SECTIONS: dict[str, type[DataParameters]] = {
    "00_data": DataParameters,
    "01_feature_extraction_vs_fine_tuning": TransferParameters,
    "02_hyperparameters": HyperParameters,
    "03_focal_loss": FocalParameters,
    "04_model_zoo": ZooParameters,
    "05_summary": SummaryParameters,
}


def section(name: str) -> type[DataParameters]:
    """Look a section's parameters up by the notebook's stem, such as `00_data`."""
    if name in SECTIONS:
        return SECTIONS[name]
    allowed, hint = ", ".join(SECTIONS), did_you_mean(name, SECTIONS)
    raise ParameterError(f"no notebook named {name!r}: there are {allowed}{hint}")


def validate(name: str, values: dict[str, Any]) -> DataParameters:
    """Check a section's parameters and coerce them to their types.

    Raises:
        ParameterError: One line that names each wrong parameter, what was
            given and what is allowed.
    """
    return checked(section(name), values)
