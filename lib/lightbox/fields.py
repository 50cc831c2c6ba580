"""The types of parameters: what a value is coerced to, and what it may be."""

from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field


def _no_bool(value: Any) -> Any:
    """Refuse True and False where a number is meant: pydantic reads them as 1, 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


def _one_line(value: Any) -> Any:
    """Dates and numbers that YAML read from a title are text all the same."""
    if isinstance(value, Date | int | float) and not isinstance(value, bool):
        return str(value)
    return value


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
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Resize = Literal["squash", "crop", "pad"]
Language = Literal["en", "zh"]
FirstLayer = Literal["sum", "reinitialise"]
Head = Literal["linear", "mlp_64", "mlp_32"]
Output = Literal["softmax", "sigmoid"]
LossName = Literal["cross_entropy", "weighted_cross_entropy", "focal"]
OptimizerName = Literal["sgd", "rmsprop", "adam", "adamw"]
Schedule = Literal["constant", "step", "cosine", "one_cycle"]
Augmentation = Literal["none", "light"]
Sampling = Literal["natural", "balanced"]
