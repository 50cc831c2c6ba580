"""What tests share: the project's folder, the real images, a store of their own."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from lightbox.base.words import SOURCE, set_language

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real images, or a skip that says what is missing."""
    folder = PROJECT / ".." / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real images (../shared/data) are not on this machine")
    return folder.resolve()


@pytest.fixture(autouse=True)
def speak_english():
    """Every test begins in the source language, whatever the one before spoke."""
    set_language(SOURCE)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty LIGHTBOX_HOME."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("LIGHTBOX_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def offline_uv() -> tuple[str, dict[str, str]]:
    """Uv and an environment in which it takes packages from its cache alone."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed: make test brings it")
    return uv, os.environ | {"UV_OFFLINE": "1"}


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The matplotlib figures, as they were before they became bytes."""
    from lightbox.display import outputs

    kept = []
    original = outputs.Figure.__init__

    def keep(self, drawing, label, caption):
        kept.append(drawing)
        original(self, drawing, label, caption)

    monkeypatch.setattr(outputs.Figure, "__init__", keep)
    return kept
