"""What was typed becomes checked parameters, or one line that says why not."""

import unicodedata
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lightbox.base.errors import ParameterError, did_you_mean

Checked = TypeVar("Checked", bound=BaseModel)
DIGITS = 18  # of a whole number: more fits no field, and Python may refuse to write it
DEPTH = 8  # of lists in lists: more is a reference to itself
ITEMS = 10_000  # of a value: more is a file that names the same list again and again
ALLOWED = "\n\t"  # control characters that YAML's folded titles end in


def checked(model: type[Checked], values: dict[str, Any]) -> Checked:
    """Validate what was typed, and turn what is wrong into one line.

    Raises:
        ParameterError: One line that names each wrong parameter, what was given
            and what is allowed.
    """
    for name, value in values.items():
        if not isinstance(name, str):
            raise ParameterError(f"{shown(name)} is no name of a parameter")
        problem = _unusable(name) or _unusable(value)
        if problem:
            raise ParameterError(f"{shown(name)}: {problem}")
    try:
        return model(**values)
    except ValidationError as error:
        lines = [_explain(model, problem) for problem in error.errors()]
    # Unions and lists report one problem per member: name each parameter once.
    raise ParameterError("; ".join(dict.fromkeys(lines)))


def shown(value: Any) -> str:
    """Quote a value that was typed, in at most 80 characters of printable text."""
    try:
        text = ascii(value) if _unusable(value) else repr(value)
    except ValueError:  # a number that Python refuses to write out
        text = f"a number of more than {DIGITS} digits"
    return text if len(text) <= 80 else text[:77] + "..."


def _unusable(value: Any) -> str:
    """Say what no parameter may hold, before anything tries to read or print it."""
    stack, count = [(value, 0)], 0
    while stack:
        item, depth = stack.pop()
        count += 1
        if count > ITEMS or depth > DEPTH:
            return (
                f"a list inside lists, deeper than {DEPTH} or with more than "
                f"{ITEMS:,} items: a few plain values are meant"
            )
        if isinstance(item, str):
            for char in item:  # the first that no file name or terminal can hold
                if unicodedata.category(char) in {"Cc", "Cs"} and char not in ALLOWED:
                    return f"the character {char!a} cannot be part of a value"
        elif isinstance(item, int) and abs(item) >= 10**DIGITS:
            return f"a number of more than {DIGITS} digits"
        elif isinstance(item, dict):
            stack += [(part, depth + 1) for pair in item.items() for part in pair]
        elif isinstance(item, list | tuple | set | frozenset):
            stack += [(part, depth + 1) for part in item]
    return ""


def _explain(model: type[BaseModel], problem: Any) -> str:
    """Turn one of pydantic's problems into a clause of the error line."""
    if not problem["loc"]:  # a rule over several parameters: it names them itself
        return problem["msg"].removeprefix("Value error, ")
    name, given = str(problem["loc"][0]), problem["input"]
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(name, model.model_fields)
        listed = f"; there are {', '.join(model.model_fields)}"
        return f"unknown parameter {shown(name)}{hint or listed}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message.replace("valid tuple", "valid list")  # as YAML has it
    hint = ""
    if problem["type"] == "literal_error" and isinstance(given, str):
        allowed = problem["ctx"]["expected"].replace(" or ", ", ").split(", ")
        hint = did_you_mean(given, [option.strip("'") for option in allowed])
    return f"{name} = {shown(given)}: {message[0].lower()}{message[1:]}{hint}"


def absolute(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Count a relative `data_dir` from the folder where it was typed."""
    given = values.get("data_dir")
    if not isinstance(given, str) or not given or _unusable(given):
        return dict(values)
    try:
        path = (folder / Path(given).expanduser()).resolve()
    except (RuntimeError, OSError):  # no such user's home; a loop of links
        return dict(values)
    return {**values, "data_dir": str(path)}
