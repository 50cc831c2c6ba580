"""Generated image sets that stand in for the real ones: no download, any size.

Three sets mimic the published ones in folder layout, file names (patient and
slide keys included), image format, class balance and difficulty. They are
drawings, not data: nothing learned from them says anything about medicine.

How hard they are, at 64 x 64 px, on the full sets of seeds 0 and 1. Linear: the
best of four logistic regressions on the standardised pixels, chosen on test in
its favour. Network: four 3 x 3 convolutions (16 to 96 channels) with batch
normalisation, global pooling, 8 epochs of Adam; range over two seeds of the
network (chest) or three.

| set       | score, test split              | linear       | network      |
|-----------|--------------------------------|--------------|--------------|
| chest     | balanced accuracy              | 0.76 to 0.79 | 0.88 to 0.93 |
| chest     | AUC                            | 0.87 to 0.88 | 0.97 to 0.98 |
| histology | balanced accuracy, 8 classes   | 0.56 to 0.58 | 0.87 to 0.96 |
| fundus    | AUC                            | 0.71 to 0.75 | 0.89 to 0.96 |

Histology has no published split: three tenths of the tiles, drawn at random.
Mean and spread of the brightness alone reach a balanced accuracy of 0.53 to
0.57 (chest) and an AUC of about 0.5 (fundus).
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
from filelock import FileLock

from lightbox.base.errors import DataError, did_you_mean
from lightbox.base.progress import track
from lightbox.data.phantoms import chest, fundus, histology
from lightbox.data.phantoms.drawing import Rng, save

# Each has a `plan` of its items and a `draw` of one; `fundus` has label tables too.
SETS = {
    "phantom-chest": chest,
    "phantom-histology": histology,
    "phantom-fundus": fundus,
}
NAMES = tuple(SETS)
MANIFEST = "phantom.json"


def generate(name: str, folder: Path, *, seed: int = 0, scale: float = 1.0) -> Path:
    """Write a generated set, unless the same one is already there.

    A generated set of another name, seed or scale in `folder` is replaced. The same
    seed gives the same bytes; `scale` multiplies the number of images.

    Raises:
        DataError: An argument out of range, or files that were not generated.
    """
    if name not in SETS:
        known = f"there are {', '.join(NAMES)}{did_you_mean(name, NAMES)}"
        raise DataError(f"no generated set {name!r}; {known}")
    if seed < 0:
        raise DataError(f"seed = {seed}; it must be 0 or more")
    if not 0 < scale <= 100:
        raise DataError(f"scale = {scale}; it must be above 0 and at most 100")
    folder = Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        wanted = {"name": name, "seed": seed, "scale": scale, "drawn_by": _version()}
        if not _is_there(folder, wanted):
            _write(SETS[name], folder, wanted)
    return folder


def _version() -> str:
    """Hash the drawing code, so that a set drawn by older code is renewed."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    return code.hexdigest()[:16]


def _is_there(folder: Path, wanted: dict) -> bool:
    """Tell whether `folder` holds the wanted set; refuse foreign files."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = found.pop("files")
    except (OSError, ValueError, KeyError, AttributeError):
        raise DataError(
            f"{folder} holds files but is no generated set (no readable {MANIFEST}); "
            "move them away or name another folder"
        ) from None
    # A file that was deleted since is drawn again with the rest of its set.
    return found == wanted and files <= _count(folder)


def _count(folder: Path) -> int:
    """Count the files below `folder`, the manifest left out."""
    return sum(p.is_file() and p.name != MANIFEST for p in folder.rglob("*"))


def _write(kind: ModuleType, folder: Path, manifest: dict) -> None:
    """Draw every image beside `folder`, then move the whole into place."""
    name, seed = manifest["name"], manifest["seed"]

    def stream(*key: int) -> Rng:
        entropy = [seed, NAMES.index(name), *key]
        return np.random.default_rng(np.random.SeedSequence(entropy))

    items = kind.plan(stream(0), manifest["scale"])
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for item in track(items, f"drawing {name}", len(items), "images"):
            (work / item.path).parent.mkdir(parents=True, exist_ok=True)
            image = kind.draw(item, stream(1, item.subject), stream(2, item.stream))
            save(image, work / item.path)
        tables = fundus.tables(items) if kind is fundus else {}
        for path, text in tables.items():
            (work / path).write_bytes(text.encode("utf-8-sig"))
        manifest = manifest | {"files": _count(work)}
        text = json.dumps(manifest, indent=2) + "\n"
        (work / MANIFEST).write_text(text, encoding="utf-8")
        work.chmod(0o755)  # mkdtemp makes it private
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
