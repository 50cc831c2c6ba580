"""What a notebook starts with: checked parameters, the data, the provenance."""

import ast
import shlex
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from lightbox.base.words import _, pgettext, set_language
from lightbox.display.provenance import Provenance, notice, portable, report_context
from lightbox.settings.parameters import DataParameters, TrainingParameters, validate

# torch and scikit-learn take seconds to import: a wrong parameter is told before.
if TYPE_CHECKING:
    from lightbox.comparison.runs import Runs
    from lightbox.data.dataset import Dataset

MARK = "# Parameters"  # first line of the parameters cell, and of papermill's


class Section:
    """One notebook's section of the report, by its stem and its checked parameters."""

    def __init__(self, name: str, settings: DataParameters):
        self.name, self.settings = name, settings

    @cached_property
    def data(self) -> "Dataset":
        """The images, found, audited and split; opened once."""
        return self.opened(self.settings)

    def opened(self, settings: DataParameters) -> "Dataset":
        """Open images, such as this section's own in another split."""
        from lightbox.data.dataset import open_dataset

        return open_dataset(
            settings.dataset,
            settings.data_dir,
            seed=settings.seed,
            on_bad_image=settings.on_bad_image,
            split_by=settings.split_by,
            classes=settings.classes,
        )

    def train(self) -> "Runs":
        """Train every run of the section's plan that the store does not have.

        Raises:
            TypeError: The section has no training parameters.
        """
        from lightbox.comparison.runs import Runs
        from lightbox.runs.plan import run_all

        if not isinstance(self.settings, TrainingParameters):
            raise TypeError(f"{self.name} does not train")
        return Runs(run_all(self.settings, self.data))

    def range_test(self) -> pd.DataFrame:
        """Try learning rates on each model, under its first configuration."""
        from lightbox.runs.plan import configurations
        from lightbox.runs.range_test import range_test

        first: dict[str, Any] = {}
        for config, weights in configurations(self.settings):
            first.setdefault(config.model, (config, weights))
        tested = [range_test(c, self.data, weights=w) for c, w in first.values()]
        return pd.concat(tested, ignore_index=True)

    def references(self) -> pd.DataFrame | None:
        """Read the study's `reference.csv`: numbers as its source printed them.

        None where the study has none or is not known.
        """
        study = report_context().study
        path = Path(study) / "reference.csv"
        return pd.read_csv(path) if study and path.is_file() else None

    def provenance(self) -> Provenance:
        """Say from what this page was made, and how to make it again."""
        from lightbox.runs.environment import environment

        settings, compute = self.settings, None
        if isinstance(settings, TrainingParameters):
            # torch, which takes seconds, where something trains and nowhere else.
            from lightbox.training.devices import resolve

            compute = resolve(settings.device, settings.precision)
        made = environment(compute and compute.device)
        hardware = made["hardware"] + (f"; {compute.precision}" if compute else "")
        packages = ", ".join(f"{k} {v}" for k, v in made["packages"].items())
        data = _("{title}, fingerprint {fingerprint}").format(
            title=self.data.card.title, fingerprint=self.data.fingerprint
        )
        facts = [
            [pgettext("provenance", "commit"), made["commit"]],
            [pgettext("provenance", "data"), data],
            [pgettext("provenance", "parameters"), _flat(settings.model_dump())],
            [pgettext("provenance", "hardware"), hardware],
            [
                pgettext("provenance", "versions"),
                f"Python {made['python']}, {packages}",
            ],
            [pgettext("provenance", "made"), made["finished"]],
        ]
        heading = {"title", "author", "course", "date", "language"}
        return Provenance(
            **settings.model_dump(include=heading),
            notice=notice(synthetic=self.data.card.synthetic),
            facts=facts,
            command=report_context().command or self._papermill(),
        )

    def _papermill(self) -> str:
        """Write the command that runs this notebook with these parameters."""
        given = self.settings.model_dump(exclude_defaults=True)
        words = ["papermill", f"notebooks/{self.name}.ipynb", "out.ipynb"]
        if given:
            words += ["-y", _flat(given)]
        return shlex.join(words)


def start(name: str, namespace: dict[str, Any]) -> Section:
    """Check a notebook's parameters before anything slow begins.

    Raises:
        ParameterError: One line that names each wrong parameter.
        WeightsError: A weights file does not exist.
    """
    cells = namespace.get("In", [])
    values = {key: namespace[key] for key in _assigned(cells) if key in namespace}
    settings = validate(name, values)
    set_language(settings.language)
    if isinstance(settings, TrainingParameters):
        from lightbox.runs import plan

        plan.check(settings)
    return Section(name, settings)


def _assigned(cells: list[str]) -> list[str]:
    """Name what the parameters cell and papermill's injected cell assign.

    The latest of each counts, so that a corrected typing error is forgotten.
    """
    latest: dict[bool, str] = {}
    for cell in cells:
        if cell.startswith(MARK):
            latest[cell.splitlines()[0].strip() == MARK] = cell
    found: dict[str, None] = {}
    for cell in latest.values():
        for node in ast.parse(cell).body:
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            found |= {t.id: None for t in targets if isinstance(t, ast.Name)}
    return list(found)


def _flat(values: dict[str, Any]) -> str:
    """Write parameters as one line of YAML that papermill's `-y` reads back."""
    values = {name: portable(value, name) for name, value in values.items()}
    style = {"default_flow_style": True, "sort_keys": False, "width": 10**6}
    return yaml.safe_dump(values, allow_unicode=True, **style).strip()
