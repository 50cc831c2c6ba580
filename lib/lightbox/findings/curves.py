"""Reading learning curves: a rule each for what a teacher would point at.

A rule takes a finished run and answers with a finding, or None where the curves
do not show it. `RULES` lists them in the order in which they are read out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from lightbox.baseline import majority_answer
from lightbox.display import escape_markdown
from lightbox.findings.base import Finding, percent, plural
from lightbox.findings.steps import (
    cut_batches,
    plateau,
    rate_too_high,
    rate_too_low,
    val_too_small,
)

# Thresholds of the rules. They separate what a reader would call visible on a
# plot from noise; they are not significance levels.
RISE = 0.10  # of the lowest val loss: val loss has turned up
GAP = 0.05  # of accuracy: train is ahead of val
BOUNCE = 0.10  # of the epoch before: a step of val loss that counts as a jump
TURNS = 3  # changes of direction of such steps: val loss swings

Rule = Callable[[Any], Finding | None]


def kept_epoch(run: Any) -> Finding:
    """Say which epoch's weights were tested."""
    history, best = run.history, run.record["result"]["best_epoch"]
    row = history[history["epoch"] == best].iloc[0]
    total, loss, accuracy = len(history), row["val_loss"], row["val_accuracy"]
    return Finding(
        "kept_epoch",
        f"The weights of epoch {best} of {total} were kept (val loss {loss:.3f}, "
        f"val accuracy {percent(accuracy)} %).",
        f"保留第 {best} 個週期（共 {total} 個）的權重：驗證損失 {loss:.3f}，"
        f"驗證準確率 {percent(accuracy)} %。",
        {"best_epoch": best, "epochs": total, "val_loss": float(loss)},
    )


def not_finite(run: Any) -> Finding | None:
    """Notice a loss that became infinite or not a number."""
    losses = run.history[["train_loss", "val_loss"]].to_numpy(dtype=float)
    bad = ~np.isfinite(losses).all(axis=1)
    if not bad.any():
        return None
    epoch = int(run.history["epoch"].iloc[int(np.argmax(bad))])
    return Finding(
        "not_finite",
        f"From epoch {epoch} on the loss is not a finite number: the learning rate "
        f"of {run.record['config']['learning_rate']:g} is too high for this run.",
        f"自第 {epoch} 個週期起損失不是有限值：學習率 "
        f"{run.record['config']['learning_rate']:g} 對此次訓練過高。",
        {"epoch": epoch},
    )


def diverged(run: Any) -> Finding:
    """Say that nothing was tested, when it ended and why."""
    epochs, why = len(run.history), run.record["result"].get("message", "")
    return Finding(
        "diverged",
        f"Training diverged after {plural(epochs, 'whole epoch')}, so nothing was "
        f"tested: {escape_markdown(why)}.",
        f"訓練在 {epochs} 個完整週期後發散，未進行測試：{escape_markdown(why)}。",
        {"epochs": epochs},
    )


def overfitting(run: Any) -> Finding | None:
    """Notice a val loss that rises after the best epoch while train goes on down."""
    history, best = run.history, run.record["result"]["best_epoch"]
    kept = history[history["epoch"] == best].iloc[0]
    last = history.iloc[-1]
    rise = last["val_loss"] - kept["val_loss"]
    fall = kept["train_loss"] - last["train_loss"]
    if not (rise > RISE * kept["val_loss"] and fall > 0):
        return None
    share = rise / kept["val_loss"]
    return Finding(
        "overfitting",
        f"After epoch {best} the val loss rose by {rise:.3f} ({100 * share:.0f} %) "
        f"while the train loss fell by {fall:.3f}: overfitting.",
        f"第 {best} 個週期之後，驗證損失上升 {rise:.3f}（{100 * share:.0f} %），"
        f"訓練損失仍下降 {fall:.3f}：已過擬合。",
        {"rise": float(rise), "fall": float(fall), "after": best},
    )


def train_ahead(run: Any) -> Finding | None:
    """Notice a train accuracy well above val at the epoch that was kept."""
    history, best = run.history, run.record["result"]["best_epoch"]
    kept = history[history["epoch"] == best].iloc[0]
    gap = kept["train_accuracy"] - kept["val_accuracy"]
    if not gap > GAP:
        return None
    return Finding(
        "train_ahead",
        f"At epoch {best} train accuracy was {percent(kept['train_accuracy'])} %, "
        f"{100 * gap:.1f} points above val.",
        f"第 {best} 個週期的訓練準確率為 {percent(kept['train_accuracy'])} %，"
        f"高於驗證 {100 * gap:.1f} 個百分點。",
        {"gap": float(gap), "epoch": best},
    )


def swinging(run: Any) -> Finding | None:
    """Notice a val loss that jumps up and down again and again."""
    losses = run.history["val_loss"].to_numpy(dtype=float)
    steps = np.diff(losses)
    big = steps[np.abs(steps) > BOUNCE * losses[:-1]]
    # Falling and then rising is one turn, and no swing.
    turns = int(np.sum(np.sign(big[1:]) != np.sign(big[:-1])))
    if turns < TURNS:
        return None
    rate = run.record["config"]["learning_rate"]
    return Finding(
        "swinging",
        f"The val loss swings: its steps of more than {100 * BOUNCE:.0f} % changed "
        f"direction {turns} times, which speaks for a learning rate lower than "
        f"{rate:g} or a larger val set.",
        f"驗證損失震盪：超過 {100 * BOUNCE:.0f} % 的變動有 {turns} 次轉向，"
        f"宜降低學習率（目前為 {rate:g}）或擴大驗證集。",
        {"turns": turns},
    )


def never_above_majority(run: Any) -> Finding | None:
    """Notice a run whose val accuracy never beat the majority answer."""
    answer, counts = majority_answer(run), run.record["data"]["counts"]["val"]
    total = sum(counts.values())
    if total == 0:
        return None
    share, top = counts.get(answer, 0) / total, float(run.history["val_accuracy"].max())
    # Half an image of tolerance: the accuracy is a rounded quotient of counts.
    if top > share + 0.5 / total:
        return None
    return Finding(
        "never_above_majority",
        f"Val accuracy never rose above {percent(top)} %; the majority answer alone "
        f"has {percent(share)} % there.",
        f"驗證準確率最高僅 {percent(top)} %，一律答多數類別即有 {percent(share)} %。",
        {"top": top, "majority": share},
    )


def stopped(run: Any) -> Finding:
    """Say what ended the training."""
    config, result = run.record["config"], run.record["result"]
    if result["stopped"] == "patience":
        return Finding(
            "stopped",
            f"Early stopping ended it after {plural(config['patience'], 'epoch')} "
            "without a lower val loss.",
            f"驗證損失連續 {config['patience']} 個週期未再降低，提早停止。",
            {"by": "patience", "patience": config["patience"]},
        )
    return Finding(
        "stopped",
        f"It ended at the limit of {plural(config['epochs'], 'epoch')}.",
        f"訓練到上限 {config['epochs']} 個週期為止。",
        {"by": "epochs", "epochs": config["epochs"]},
    )


def still_improving(run: Any) -> Finding | None:
    """Notice a run that the epoch limit cut off while val loss still fell."""
    history, result = run.history, run.record["result"]
    if result["stopped"] != "epochs" or len(history) < 2:
        return None
    fall = float(history["val_loss"].iloc[-2] - history["val_loss"].iloc[-1])
    if result["best_epoch"] != history["epoch"].iloc[-1] or not fall > 0:
        return None
    return Finding(
        "still_improving",
        f"The val loss was still falling, by {fall:.3f} in the last epoch: more than "
        f"{plural(len(history), 'epoch')} may help.",
        f"最後一個週期的驗證損失仍下降 {fall:.3f}：超過 {len(history)} "
        "個週期可能更好。",
        {"fall": fall, "epochs": len(history)},
    )


RULES: tuple[Rule, ...] = (
    kept_epoch,
    not_finite,
    overfitting,
    train_ahead,
    swinging,
    plateau,
    rate_too_high,
    rate_too_low,
    never_above_majority,
    stopped,
    still_improving,
    val_too_small,
    cut_batches,
)


def read_curves(run: Any) -> list[Finding]:
    """Apply every rule to one run.

    Args:
        run: A finished run with at least one epoch.

    Returns:
        What the rules found, in the order of `RULES`.
    """
    if run.record["result"].get("diverged"):
        return [diverged(run)]
    return [found for rule in RULES if (found := rule(run)) is not None]
