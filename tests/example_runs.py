"""Made-up finished runs: predictions of a known accuracy and plausible curves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lightbox.runs.store import Run


def changed(run, **parts):
    """The run with other values in a part of its record: `config={"loss": "focal"}`."""
    record = run.record | {
        key: run.record.get(key, {}) | part for key, part in parts.items()
    }
    made = Run.from_record(run.id, run.folder, record, run.history, run.predictions)
    return replace(made, reused=run.reused)


def make_history(val_loss, val_accuracy=None, train_loss=None, train_accuracy=None):
    """A history of given curves; what is not given falls or rises smoothly."""
    steps = np.arange(1, len(val_loss) + 1)
    falling = 0.7 * np.exp(-0.2 * steps)
    return pd.DataFrame(
        {
            "epoch": steps,
            "train_loss": falling if train_loss is None else train_loss,
            "train_accuracy": 1 - falling / 2
            if train_accuracy is None
            else train_accuracy,
            "val_loss": val_loss,
            "val_accuracy": 1 - np.asarray(val_loss) / 2
            if val_accuracy is None
            else val_accuracy,
            "learning_rate": 1e-4,
            "seconds": 2.0,
        }
    )


def make_predictions(labels, predicted, classes, split="test", seed=0):
    """Predictions whose highest probability is the given answer."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"split": split, "label": labels, "predicted": predicted})
    frame["image"] = [f"{split}/{i}.jpeg" for i in range(len(frame))]
    frame["group"] = [f"person{i // 2}" for i in range(len(frame))]
    sure = random.uniform(0.55, 0.99, len(frame))
    for name in classes:
        other = (1 - sure) / (len(classes) - 1)
        frame[f"prob_{name}"] = np.where(frame["predicted"] == name, sure, other)
    return frame


def make_run(
    model="resnet18",
    strategy="fine_tuning",
    *,
    right=None,
    accuracy=0.85,
    classes=("NORMAL", "PNEUMONIA"),
    positive="PNEUMONIA",
    num_test=300,
    val_loss=(0.52, 0.41, 0.33, 0.31, 0.34, 0.37, 0.42),
    history=None,
    seed=0,
    stopped="patience",
    counts=None,
    **config,
):
    """A finished run; `right` says which test images are classified correctly."""
    classes = list(classes)
    random = np.random.default_rng(sum(map(ord, model + strategy)) + seed)
    labels = np.array(classes)[
        (np.arange(num_test) * len(classes) * 5 // 8) % len(classes)
        if len(classes) > 2
        else (np.arange(num_test) % 8 < 5).astype(int)
    ]
    if right is None:
        right = random.random(num_test) < accuracy
    shift = random.integers(1, len(classes), num_test)
    index = np.array([classes.index(name) for name in labels])
    wrong = np.array(classes)[(index + shift) % len(classes)]
    test = make_predictions(labels, np.where(right, labels, wrong), classes)
    val = make_predictions(labels[:80], labels[:80], classes, "val")
    history = make_history(list(val_loss)) if history is None else history
    if counts is None:
        shares = {name: 100 + 190 * k for k, name in enumerate(classes)}
        counts = {split: dict(shares) for split in ("train", "val", "test")}
    parameters = {"resnet18": 11_177_538, "vgg16": 134_268_738}.get(model, 5_000_000)
    whole = strategy == "fine_tuning"
    record = {
        "config": {
            "dataset": "chest-xray",
            "model": model,
            "strategy": strategy,
            "weights": "ResNet18_Weights.IMAGENET1K_V1",
            "image_size": 224,
            "resize": "squash",
            "epochs": 10,
            "batch_size": 32,
            "learning_rate": 1e-4,
            "patience": 3,
            "seed": seed,
            "device": "cpu",
            "precision": "float32",
            "first_trainable": None,
            "frozen": [],
            "first_layer": "sum",
            "head": "linear",
            "output": "softmax",
            "loss": "cross_entropy",
            "gamma": 0.0,
            "optimizer": "adam",
            "momentum": 0.0,
            "schedule": "constant",
            "augmentation": "none",
            "sampling": "natural",
            "name": "",
        }
        | config,
        "data": {
            "fingerprint": "f" * 64,
            "classes": classes,
            "positive": positive,
            "channels": 1,
            "counts": counts,
        },
        "result": {
            "best_epoch": int(history["val_loss"].argmin()) + 1,
            "epochs_run": len(history),
            "stopped": stopped,
            "train_seconds": 212.25 if whole else 14.5,
            "parameters": parameters,
            "trainable_parameters": parameters if whole else 1026,
            "diverged": False,
            "depth": 18,
            "flops": 3.6e9,
            "peak_memory_bytes": 1.2e9,
            "train_images_per_second": 55.0,
            "inference_images_per_second": 170.0,
        },
    }
    return Run.from_record(
        "-".join(map(str, [model, strategy, seed, *config.values()])),
        Path("runs") / model,
        record,
        history,
        pd.concat([val, test], ignore_index=True),
    )


def study():
    """Two models by two strategies, as a section of a report has them."""
    fine = {"val_loss": (0.38, 0.29, 0.24, 0.22, 0.25, 0.29, 0.31)}
    slow = {
        "val_loss": (0.61, 0.55, 0.51, 0.48, 0.46, 0.445, 0.43, 0.42, 0.415, 0.41),
        "stopped": "epochs",
    }
    return [
        make_run("resnet18", "feature_extraction", accuracy=0.77, **slow),
        make_run("resnet18", "fine_tuning", accuracy=0.88, **fine),
        make_run("vgg16", "feature_extraction", accuracy=0.84, **slow),
        make_run("vgg16", "fine_tuning", accuracy=0.86, **fine),
    ]
