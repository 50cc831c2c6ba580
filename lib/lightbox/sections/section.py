"""What a notebook starts with: checked parameters, the data, the provenance."""

import ast
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from lightbox.base.words import set_language
from lightbox.display.provenance import NOTICE, SYNTHETIC, Provenance
from lightbox.settings.parameters import DataParameters, TrainingParameters, validate

# torch and scikit-learn take seconds to import: a wrong parameter is told before.
if TYPE_CHECKING:
    from lightbox.data.dataset import Dataset
    from lightbox.runs.store import Run


# Set by `lightbox report` for its kernels.
COMMAND = "LIGHTBOX_COMMAND"  # what the user typed
STUDY = "LIGHTBOX_STUDY"  # folder of the YAML files
REPORT = "LIGHTBOX_REPORT"  # folder that the report goes to
MARK = "# Parameters"  # first line of the parameters cell, and of papermill's


class Section:
    """One notebook's section of the report.

    Args:
        name: The notebook's stem.
        settings: Its checked parameters.
    """

    def __init__(self, name: str, settings: DataParameters):
        self.name, self.settings = name, settings
        self._data: Dataset | None = None

    @property
    def data(self) -> "Dataset":
        """The images, found, audited and split; opened once."""
        if self._data is None:
            from lightbox.data.dataset import open_dataset

            self._data = open_dataset(
                self.settings.dataset,
                self.settings.data_dir,
                seed=self.settings.seed,
                on_bad_image=self.settings.on_bad_image,
                split_by=self.settings.split_by,
                classes=self.settings.classes,
            )
        return self._data

    def train(self) -> "list[Run]":
        """Train every run of the section that the store does not have.

        Returns:
            One run per configuration of the plan.

        Raises:
            TypeError: The section has no training parameters.
        """
        from lightbox.runs import plan

        if not isinstance(self.settings, TrainingParameters):
            raise TypeError(f"{self.name} does not train")
        return plan.run_all(self.settings, self.data)

    def range_test(self) -> pd.DataFrame:
        """Try learning rates on each model, under its first configuration.

        Returns:
            Columns model, learning_rate, loss; a row per step.
        """
        from lightbox.runs.plan import configurations
        from lightbox.runs.range_test import range_test

        first: dict[str, Any] = {}
        for config, weights in configurations(self.settings):
            first.setdefault(config.model, (config, weights))
        return pd.concat(
            [
                range_test(config, self.data, weights=weights)
                for config, weights in first.values()
            ],
            ignore_index=True,
        )

    def references(self) -> pd.DataFrame | None:
        """Read the numbers that the study's source printed.

        Returns:
            `reference.csv` of the study, all of it text and numbers as printed, or
            None where the study has none or is not known.
        """
        folder = os.environ.get(STUDY, "")
        path = Path(folder) / "reference.csv"
        return pd.read_csv(path) if folder and path.is_file() else None

    def provenance(self) -> Provenance:
        """Say from what this page was made, and how to make it again.

        Returns:
            The box that the report prints.
        """
        from lightbox.runs.environment import environment

        settings, compute = self.settings, None
        if isinstance(settings, TrainingParameters):
            # torch, which takes seconds, where something trains and nowhere else.
            from lightbox.training.devices import resolve

            compute = resolve(settings.device, settings.precision)
        made = environment(compute and compute.device)
        hardware = made["hardware"] + (f"; {compute.precision}" if compute else "")
        packages = ", ".join(f"{k} {v}" for k, v in made["packages"].items())
        facts = [
            ["commit", made["commit"]],
            ["data", f"{self.data.card.title}, fingerprint {self.data.fingerprint}"],
            ["parameters", _flat(settings.model_dump())],
            ["hardware", hardware],
            ["versions", f"Python {made['python']}, {packages}"],
            ["made", made["finished"]],
        ]
        notice = NOTICE[settings.language]
        if self.data.card.synthetic:
            notice += SYNTHETIC[settings.language]
        return Provenance(
            title=settings.title,
            author=settings.author,
            course=settings.course,
            date=settings.date,
            language=settings.language,
            notice=notice,
            facts=facts,
            command=os.environ.get(COMMAND) or self._papermill(),
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

    Args:
        name: The notebook's stem.
        namespace: The notebook's `globals()`.

    Returns:
        The section.

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
    return yaml.safe_dump(
        values,
        default_flow_style=True,
        sort_keys=False,
        width=10**6,
        allow_unicode=True,
    ).strip()
