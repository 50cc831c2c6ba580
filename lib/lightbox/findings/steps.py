"""Reading the learning rate and the val set off a run: rules like those of curves."""

from typing import Any

import numpy as np

from lightbox.data.checks import WIDEST, interval_width
from lightbox.findings.base import Finding, plural

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
    rate = run.record["config"]["learning_rate"]
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
    rate = run.record["config"]["learning_rate"]
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
    images = sum(run.record["data"]["counts"]["val"].values())
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
    batch = run.record["config"]["batch_size"]
    parts = run.record["result"].get("micro_batch") or batch
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
