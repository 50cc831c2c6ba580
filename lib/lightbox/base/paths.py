"""Every folder that Lightbox reads or writes, in one place."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def project() -> Path:
    """Find the project folder: the nearest one upwards that holds `notebooks/`.

    It is looked for above the current folder first, then above the installed
    package (an editable install), so that a clone wins over a stray install. Where
    none is found (Colab, a plain install), it is the current folder.
    """
    for start in (Path.cwd(), PACKAGE):
        for folder in (start, *start.parents):
            if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
                return folder
    return Path.cwd()


def home() -> Path:
    """Where data caches and runs live: `$LIGHTBOX_HOME`, or the project folder."""
    given = os.environ.get("LIGHTBOX_HOME", "").strip()
    return Path(given).expanduser().resolve() if given else project()


def data() -> Path:
    """Downloaded and generated images and the decoded caches."""
    return home() / "data"


def runs() -> Path:
    """The run store, one folder a run."""
    return home() / "runs"


def notebooks() -> Path:
    """The notebooks, one a section of the report."""
    return project() / "notebooks"


def params() -> Path:
    """The studies, one folder of YAML files each."""
    return project() / "params"


def reports() -> Path:
    """The reports that `lightbox report` writes."""
    return project() / "reports"
