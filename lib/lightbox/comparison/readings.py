"""Reading learning curves: a rule each for what a teacher would point at.

A rule takes a finished run and answers with a finding, or None where the curves
do not show it. `RULES` lists them in the order in which they are read out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lightbox.base.words import language
from lightbox.comparison.conclusions import _heading
from lightbox.comparison.runs import check_same_data
from lightbox.data.inspection import WIDEST, interval_width
from lightbox.display.names import run_names
from lightbox.display.outputs import Prose, escape_markdown
from lightbox.display.sentences import Finding, percent, plural
from lightbox.evaluation.metrics import majority_answer

# Thresholds of what a reader would call visible on a plot.
FLAT = 0.02  # of the lowest val loss: epochs that differ by less are a plateau
FLAT_EPOCHS = 4  # and there are this many of them at the end
SLOW = 0.10  # of the first train loss: all that was lost in the whole run
EVEN = 0.5  # of the largest step: every step is at least that, so none levels off
MANY = 4  # epochs, the fewest from which a rate may be judged


def plateau(run: Any) -> Finding | None:
    """Notice a val loss that has stayed level, neither better nor worse."""
    losses = run.history["val_loss"].to_numpy(dtype=float)
    tail = losses[-FLAT_EPOCHS:]
    if len(losses) <= FLAT_EPOCHS or not np.isfinite(tail).all():
        return None
    # A curve that never left its start is not level after learning, but untaught.
    learned = losses[0] - tail.mean() > FLAT * losses.min()
    span = float(tail.max() - tail.min())
    if not learned or span > FLAT * losses.min():
        return None
    return Finding(
        "plateau",
        f"The val loss is on a plateau: over the last {FLAT_EPOCHS} epochs it moved by "
        f"{span:.3f}, less than {100 * FLAT:.0f} % of its lowest value; more epochs at "
        "this learning rate would change little.",
        f"驗證損失已進入平原：最後 {FLAT_EPOCHS} 個週期僅變動 {span:.3f}，不到最低值的 "
        f"{100 * FLAT:.0f} %；以此學習率再訓練更多週期，變化不大。",
        {"span": span, "epochs": FLAT_EPOCHS},
    )


def rate_too_high(run: Any) -> Finding | None:
    """Notice a train loss that did not fall: its steps overshoot."""
    losses = run.history["train_loss"].to_numpy(dtype=float)
    if len(losses) < MANY or not np.isfinite(losses).all():
        return None
    rises = int(np.sum(np.diff(losses) > 0))
    if losses[-1] < losses[0] or 2 * rises < len(losses) - 1:
        return None
    rate = run.config.learning_rate
    return Finding(
        "rate_too_high",
        f"The train loss ended at {losses[-1]:.3f}, no lower than the {losses[0]:.3f} "
        f"of its first epoch, and rose in {rises} of {len(losses) - 1} steps: the "
        f"learning rate of {rate:g} is probably too high.",
        f"訓練損失最後為 {losses[-1]:.3f}，未低於第一個週期的 {losses[0]:.3f}，"
        f"{len(losses) - 1} 步中有 {rises} 步上升：學習率 {rate:g} 可能過高。",
        {"first": float(losses[0]), "last": float(losses[-1]), "rises": rises},
    )


def rate_too_low(run: Any) -> Finding | None:
    """Notice a train loss that creeps down evenly and has not come far."""
    losses = run.history["train_loss"].to_numpy(dtype=float)
    if len(losses) < MANY or not np.isfinite(losses).all():
        return None
    falls = -np.diff(losses)
    total = float(losses[0] - losses[-1])
    creeping = (falls > 0).all() and falls.min() >= EVEN * falls.max()
    if not creeping or total > SLOW * losses[0]:
        return None
    rate = run.config.learning_rate
    return Finding(
        "rate_too_low",
        f"The train loss fell by {total:.3f} in all ({100 * total / losses[0]:.1f} %), "
        f"in {len(falls)} even steps: a learning rate higher than {rate:g} would get "
        "further in the same time.",
        f"訓練損失總共只下降 {total:.3f}（{100 * total / losses[0]:.1f} %），且 "
        f"{len(falls)} 步幾乎等幅：學習率高於 {rate:g} 可在相同時間內走得更遠。",
        {"fall": total, "steps": len(falls)},
    )


def val_too_small(run: Any) -> Finding | None:
    """Notice a val set on which no epoch could be told from the next."""
    images = sum(run.data.counts["val"].values())
    width = interval_width(images)
    if images == 0 or width <= WIDEST:
        return None
    return Finding(
        "val_too_small",
        f"The epoch was chosen on {plural(images, 'val image')}: at 90 % accuracy the "
        f"95 % interval is {100 * width:.0f} points wide.",
        f"週期以 {images} 張驗證影像選出：準確率 90 % 時，95 % 區間寬達 "
        f"{100 * width:.0f} 個百分點。",
        {"images": images, "width": width},
    )


def cut_batches(run: Any) -> Finding | None:
    """Say that the device's memory did not hold a batch at once."""
    batch = run.config.batch_size
    parts = run.result.micro_batch or batch
    if parts >= batch:
        return None
    return Finding(
        "cut_batches",
        f"The device's memory did not hold {batch} images at once: from then on at "
        f"most {parts} went through together and their gradients were summed; "
        "BatchNorm saw the smaller parts.",
        f"裝置記憶體無法一次容納 {batch} 張影像：其後每次至多 {parts} 張，"
        "再將梯度相加；BatchNorm 所見為較小的批次。",
        {"batch_size": batch, "micro_batch": parts},
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
    history, best = run.history, run.result.best_epoch
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
        f"of {run.config.learning_rate:g} is too high for this run.",
        f"自第 {epoch} 個週期起損失不是有限值：學習率 "
        f"{run.config.learning_rate:g} 對此次訓練過高。",
        {"epoch": epoch},
    )


def diverged(run: Any) -> Finding:
    """Say that nothing was tested, when it ended and why."""
    epochs, why = len(run.history), run.result.message
    return Finding(
        "diverged",
        f"Training diverged after {plural(epochs, 'whole epoch')}, so nothing was "
        f"tested: {escape_markdown(why)}.",
        f"訓練在 {epochs} 個完整週期後發散，未進行測試：{escape_markdown(why)}。",
        {"epochs": epochs},
    )


def overfitting(run: Any) -> Finding | None:
    """Notice a val loss that rises after the best epoch while train goes on down."""
    history, best = run.history, run.result.best_epoch
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
    history, best = run.history, run.result.best_epoch
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
    rate = run.config.learning_rate
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
    answer, counts = majority_answer(run), run.data.counts["val"]
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
    config, result = run.config, run.result
    if result.stopped == "patience":
        return Finding(
            "stopped",
            f"Early stopping ended it after {plural(config.patience, 'epoch')} "
            "without a lower val loss.",
            f"驗證損失連續 {config.patience} 個週期未再降低，提早停止。",
            {"by": "patience", "patience": config.patience},
        )
    return Finding(
        "stopped",
        f"It ended at the limit of {plural(config.epochs, 'epoch')}.",
        f"訓練到上限 {config.epochs} 個週期為止。",
        {"by": "epochs", "epochs": config.epochs},
    )


def still_improving(run: Any) -> Finding | None:
    """Notice a run that the epoch limit cut off while val loss still fell."""
    history, result = run.history, run.result
    if result.stopped != "epochs" or len(history) < 2:
        return None
    fall = float(history["val_loss"].iloc[-2] - history["val_loss"].iloc[-1])
    if result.best_epoch != history["epoch"].iloc[-1] or not fall > 0:
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
    if run.result.diverged:
        return [diverged(run)]
    return [found for rule in RULES if (found := rule(run)) is not None]


def readings(runs: Sequence[Any]) -> Prose:
    """Read the learning curves of each run.

    Args:
        runs: Finished runs, at least one.

    Returns:
        Markdown, a bullet a run.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    space = "" if language() == "zh" else " "
    lines = []
    for run, name in zip(runs, run_names(list(runs)), strict=True):
        said = space.join(found.say() for found in read_curves(run))
        lines.append(f"- {_heading(name)}{said}")
    return Prose("\n".join(lines))
