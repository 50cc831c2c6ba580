"""Install Lightbox on Colab, run from a clone: `python lib/lightbox/colab.py`.

Colab's torch fits its GPU; replacing it costs minutes and may break it (NumPy's
ABI, torch against torchvision). So every package that is already there and
within our bounds is pinned to what it is, and only what is missing is added.
"""

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def constraints() -> list[str]:
    """Pin the heavy packages that are installed already.

    Returns:
        Lines such as `torch==2.11.0+cu130`, for pip's `--constraint`.
    """
    lines = []
    for name in ("torch", "torchvision", "numpy", "pandas", "scipy", "matplotlib"):
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return lines


def install() -> None:
    """Install the library and what it misses into this interpreter."""
    installer = [sys.executable, "-m", "pip", "install", "--quiet"]
    if shutil.which("uv"):  # there on Colab, and seconds instead of a minute
        installer = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "constraints.txt"
        pins.write_text("\n".join(constraints()), encoding="utf-8")
        command = [*installer, "--constraint", str(pins), "--editable", str(PROJECT)]
        subprocess.run(command, check=True)
    name = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["name"]
    print(f"{name} is installed; torch stays {importlib.metadata.version('torch')}")


if __name__ == "__main__":
    install()
