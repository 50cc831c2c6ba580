"""A study: `params/<study>/common.yaml` and one YAML file per notebook."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lightbox.base import paths
from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.settings.checking import absolute, shown
from lightbox.settings.parameters import SECTIONS, section, validate

COMMON = "common.yaml"


@dataclass(frozen=True)
class Study:
    """The notebooks of a report and the validated values of each.

    Attributes:
        values: Per notebook stem, in reading order, the values that were given
            (common, then the notebook's own, then the overrides).
    """

    name: str
    folder: Path
    values: dict[str, dict[str, Any]]

    def only(self, prefixes: tuple[str, ...]) -> "Study":
        """Keep the notebooks whose stem begins with one of `prefixes`; empty keeps all.

        Raises:
            ParameterError: A prefix that no notebook of the study has.
        """
        for prefix in prefixes:
            if not any(stem.startswith(prefix) for stem in self.values):
                raise ParameterError(
                    f"--only {prefix}: the study {self.name} has "
                    f"{', '.join(self.values)}{did_you_mean(prefix, self.values)}"
                )
        kept = {
            stem: values
            for stem, values in self.values.items()
            if not prefixes or stem.startswith(prefixes)
        }
        return replace(self, values=kept)

    def override(self, given: dict[str, Any]) -> "Study":
        """Set parameters; a name that only some notebooks have goes to those.

        Raises:
            ParameterError: A name that none of the notebooks has.
        """
        fields = {stem: set(section(stem).model_fields) for stem in self.values}
        known = set().union(*fields.values())
        for name in given:
            if name not in known:
                hint = did_you_mean(str(name), known)
                hint = hint or f"; there are {', '.join(sorted(known))}"
                raise ParameterError(f"unknown parameter {shown(name)}{hint}")
        values = {
            stem: old | {name: given[name] for name in given if name in fields[stem]}
            for stem, old in self.values.items()
        }
        return replace(self, values=values)

    def validated(self, folder: Path) -> "Study":
        """Check every value that was given, before a kernel starts.

        Raises:
            ParameterError: One line that names the notebook and the parameter.
        """
        checked = {}
        for stem, values in self.values.items():
            try:
                model = validate(stem, absolute(values, folder))
            except ParameterError as error:
                raise ParameterError(f"{stem}: {error}") from None
            checked[stem] = model.model_dump(include=set(values))
        return replace(self, values=checked)


def load(folder: Path) -> Study:
    """Read a study's YAML files.

    Args:
        folder: `params/<study>`, absolute or counted from the current folder;
            a bare name is looked for among the project's studies.

    Raises:
        ParameterError: No such folder, or a file that is no mapping of names.
    """
    if not folder.is_dir() and (paths.params() / folder).is_dir():
        folder = paths.params() / folder
    if not folder.is_dir():
        names = sorted(p.name for p in paths.params().glob("*") if p.is_dir())
        raise ParameterError(
            f"no study at {folder}: there are {', '.join(names) or 'none'}"
            f"{did_you_mean(folder.name, names)}"
        )
    common = _mapping(folder / COMMON) if (folder / COMMON).exists() else {}
    stems = [path.stem for path in sorted(folder.glob("*.yaml")) if path.name != COMMON]
    if not stems:
        raise ParameterError(
            f"{folder} holds no <notebook>.yaml: {', '.join(SECTIONS)}"
        )
    values = {}
    for stem in stems:
        section(stem)
        values[stem] = common | _mapping(folder / f"{stem}.yaml")
    return Study(folder.resolve().name, folder.resolve(), values)


def _mapping(path: Path) -> dict[str, Any]:
    """Read one YAML file of names and values, safely."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        # Beside its own error PyYAML lets those of dates, numbers and nesting out.
        reason = " ".join(str(error).split())
        raise ParameterError(f"{path} is no readable YAML: {reason}") from None
    if not isinstance(values, dict) or not all(isinstance(k, str) for k in values):
        raise ParameterError(f"{path}: names and values are needed, as in `epochs: 10`")
    return values
