"""Does the lower precision cost accuracy? Five seeds of real radiographs, twice.

    .venv/bin/python tests/benchmarks/accuracy.py

ResNet-18 from random weights, 64 px, fine-tuned on ../shared/data/chest_xray, once
in float32 and once in the machine's own precision, the same seeds for both. The mean
test AUC of the lower precision should lie within one standard error of float32's.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from lightbox.base import paths
from lightbox.data import dataset as data
from lightbox.runs import plan
from lightbox.runs.environment import hardware
from lightbox.settings.parameters import validate
from lightbox.training.devices import resolve

PROJECT = Path(__file__).resolve().parents[2]
REAL = PROJECT / ".." / "shared" / "data" / "chest_xray"
SECTION = "01_feature_extraction_vs_fine_tuning"


def areas(precision: str, given: argparse.Namespace) -> list[float]:
    """Train every seed and take its area under the test ROC curve."""
    settings = validate(
        SECTION,
        {
            "dataset": "folder",
            "data_dir": str(given.folder),
            "models": ["resnet18"],
            "weights": "none",
            "strategies": ["fine_tuning"],
            "image_size": given.size,
            "epochs": given.epochs,
            "learning_rate": 1e-3,
            "patience": 0,
            "seeds": list(range(given.seeds)),
            "precision": precision,
        },
    )
    # The order of the seeds is the plan's; the set and its split are one.
    dataset = data.open_dataset("folder", given.folder, seed=0)
    plan.check(settings)
    found = []
    for run in plan.run_all(settings, dataset):
        test = run.predictions[run.predictions["split"] == "test"]
        positive = dataset.classes[-1]
        score = roc_auc_score(test["label"] == positive, test[f"prob_{positive}"])
        found.append(float(score))
    return found


def main() -> None:
    """Train, compare, print and write down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=REAL, help="of two classes")
    given = parser.parse_args()
    if not given.folder.is_dir():
        raise SystemExit(f"{given.folder} is not here")
    compute = resolve()
    if compute.precision == "float32":
        raise SystemExit("this machine computes in float32 anyway: nothing to compare")
    out = paths.data() / "benchmarks"
    with tempfile.TemporaryDirectory() as home:
        os.environ["LIGHTBOX_HOME"] = home
        found = {name: areas(name, given) for name in ("float32", compute.precision)}
    means = {name: float(np.mean(values)) for name, values in found.items()}
    full = np.array(found["float32"])
    error = float(full.std(ddof=1) / np.sqrt(len(full)))
    difference = means[compute.precision] - means["float32"]
    out.mkdir(parents=True, exist_ok=True)
    facts = {
        "hardware": hardware(compute.device),
        "auc": found,
        "standard_error": error,
    }
    (out / "accuracy.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    print(f"{facts['hardware']}; {given.seeds} seeds, {given.epochs} epochs")
    for name, values in found.items():
        line = " ".join(f"{value:.4f}" for value in values)
        print(f"{name:10} mean test AUC {means[name]:.4f}   ({line})")
    print(f"difference {difference:+.4f}, standard error of float32 {error:.4f}")


if __name__ == "__main__":
    main()
