"""Reading learning curves: a rule each for what a teacher would point at.

A rule takes a finished run and answers with a sentence, or None where the curves
do not show it. `RULES` lists them in the order in which they are read out.
"""

import numpy as np
import pandas as pd

from lightbox.base.words import _, joined, ngettext
from lightbox.comparison.runs import Runs, as_runs
from lightbox.data.inspection import WIDEST, interval_width
from lightbox.display.outputs import Prose, escape_markdown
from lightbox.evaluation.metrics import majority_answer
from lightbox.runs.store import Run

# Thresholds of what a reader would call visible on a plot; they separate it from
# noise and are not significance levels.
FLAT = 0.02  # of the lowest val loss: epochs that differ by less are a plateau
FLAT_EPOCHS = 4  # and there are this many of them at the end
SLOW = 0.10  # of the first train loss: all that was lost in the whole run
EVEN = 0.5  # of the largest step: every step is at least that, so none levels off
MANY = 4  # epochs, the fewest from which a rate may be judged
RISE = 0.10  # of the lowest val loss: val loss has turned up
GAP = 0.05  # of accuracy: train is ahead of val
BOUNCE = 0.10  # of the epoch before: a step of val loss that counts as a jump
TURNS = 3  # changes of direction of such steps: val loss swings


def _losses(run: Run, split: str) -> np.ndarray:
    return run.history[f"{split}_loss"].to_numpy(dtype=float)


def _kept(run: Run) -> pd.Series:
    """Give the epoch whose weights were tested."""
    return run.history[run.history["epoch"] == run.result.best_epoch].iloc[0]


def kept_epoch(run: Run) -> str:
    """Say which epoch's weights were tested."""
    kept = _kept(run)
    return _(
        "The weights of epoch {epoch} of {epochs} were kept (val loss {loss:.3f}, val "
        "accuracy {accuracy:.1f} %)."
    ).format(
        epoch=run.result.best_epoch,
        epochs=len(run.history),
        loss=kept["val_loss"],
        accuracy=100 * kept["val_accuracy"],
    )


def not_finite(run: Run) -> str | None:
    """Notice a loss that became infinite or not a number."""
    bad = ~np.isfinite(_losses(run, "train") + _losses(run, "val"))
    if not bad.any():
        return None
    return _(
        "From epoch {epoch} on the loss is not a finite number: the learning rate of "
        "{rate:g} is too high for this run."
    ).format(
        epoch=run.history["epoch"].iloc[np.argmax(bad)], rate=run.config.learning_rate
    )


def overfitting(run: Run) -> str | None:
    """Notice a val loss that rises after the best epoch while train goes on down."""
    kept, last = _kept(run), run.history.iloc[-1]
    rise = last["val_loss"] - kept["val_loss"]
    fall = kept["train_loss"] - last["train_loss"]
    if not (rise > RISE * kept["val_loss"] and fall > 0):
        return None
    percent = 100 * (rise / kept["val_loss"])
    return _(
        "After epoch {epoch} the val loss rose by {rise:.3f} ({percent:.0f} %) while "
        "the train loss fell by {fall:.3f}: overfitting."
    ).format(epoch=run.result.best_epoch, rise=rise, percent=percent, fall=fall)


def train_ahead(run: Run) -> str | None:
    """Notice a train accuracy well above val at the epoch that was kept."""
    train, val = _kept(run)[["train_accuracy", "val_accuracy"]]
    if not train - val > GAP:
        return None
    return _(
        "At epoch {epoch} train accuracy was {train:.1f} %, {gap:.1f} points above val."
    ).format(epoch=run.result.best_epoch, train=100 * train, gap=100 * (train - val))


def swinging(run: Run) -> str | None:
    """Notice a val loss that jumps up and down again and again."""
    losses = _losses(run, "val")
    steps = np.diff(losses)
    big = steps[np.abs(steps) > BOUNCE * losses[:-1]]
    # Falling and then rising is one turn, and no swing.
    turns = np.sum(np.sign(big[1:]) != np.sign(big[:-1]))
    if turns < TURNS:
        return None
    return _(
        "The val loss swings: its steps of more than {percent:.0f} % changed direction "
        "{turns} times, which speaks for a learning rate lower than {rate:g} or a "
        "larger val set."
    ).format(percent=100 * BOUNCE, turns=turns, rate=run.config.learning_rate)


def plateau(run: Run) -> str | None:
    """Notice a val loss that has stayed level, neither better nor worse."""
    losses = _losses(run, "val")
    tail = losses[-FLAT_EPOCHS:]
    if len(losses) <= FLAT_EPOCHS or not np.isfinite(tail).all():
        return None
    # A curve that never left its start is not level after learning, but untaught.
    learned = losses[0] - tail.mean() > FLAT * losses.min()
    span = np.ptp(tail)
    if not learned or span > FLAT * losses.min():
        return None
    return _(
        "The val loss is on a plateau: over the last {epochs} epochs it moved by "
        "{span:.3f}, less than {percent:.0f} % of its lowest value; more epochs at "
        "this learning rate would change little."
    ).format(epochs=FLAT_EPOCHS, span=span, percent=100 * FLAT)


def rate_too_high(run: Run) -> str | None:
    """Notice a train loss that did not fall: its steps overshoot."""
    losses = _losses(run, "train")
    if len(losses) < MANY or not np.isfinite(losses).all():
        return None
    first, last, steps = losses[0], losses[-1], len(losses) - 1
    rises = np.sum(np.diff(losses) > 0)
    if last < first or 2 * rises < steps:
        return None
    rate = run.config.learning_rate
    return _(
        "The train loss ended at {last:.3f}, no lower than the {first:.3f} of its "
        "first epoch, and rose in {rises} of {steps} steps: the learning rate of "
        "{rate:g} is probably too high."
    ).format(last=last, first=first, rises=rises, steps=steps, rate=rate)


def rate_too_low(run: Run) -> str | None:
    """Notice a train loss that creeps down evenly and has not come far."""
    losses = _losses(run, "train")
    if len(losses) < MANY or not np.isfinite(losses).all():
        return None
    falls, total = -np.diff(losses), losses[0] - losses[-1]
    creeping = (falls > 0).all() and falls.min() >= EVEN * falls.max()
    if not creeping or total > SLOW * losses[0]:
        return None
    percent, rate = 100 * total / losses[0], run.config.learning_rate
    return _(
        "The train loss fell by {fall:.3f} in all ({percent:.1f} %), in {steps} even "
        "steps: a learning rate higher than {rate:g} would get further in the same "
        "time."
    ).format(fall=total, percent=percent, steps=len(falls), rate=rate)


def never_above_majority(run: Run) -> str | None:
    """Notice a run whose val accuracy never beat the majority-class baseline."""
    counts = run.data.counts["val"]
    total = sum(counts.values())
    if total == 0:
        return None
    share = counts.get(majority_answer(run), 0) / total
    top = run.history["val_accuracy"].max()
    # Half an image of tolerance: the accuracy is a rounded quotient of counts.
    if top > share + 0.5 / total:
        return None
    return _(
        "Val accuracy never rose above {top:.1f} %; the majority answer alone has "
        "{share:.1f} % there."
    ).format(top=100 * top, share=100 * share)


def stopped(run: Run) -> str:
    """Say what ended the training."""
    if run.result.stopped == "patience":
        return ngettext(
            "Early stopping ended it after {count:,} epoch without a lower val loss.",
            "Early stopping ended it after {count:,} epochs without a lower val loss.",
            run.config.patience,
        ).format(count=run.config.patience)
    return ngettext(
        "It ended at the limit of {count:,} epoch.",
        "It ended at the limit of {count:,} epochs.",
        run.config.epochs,
    ).format(count=run.config.epochs)


def still_improving(run: Run) -> str | None:
    """Notice a run that the epoch limit cut off while val loss still fell."""
    history, result = run.history, run.result
    if result.stopped != "epochs" or len(history) < 2:
        return None
    fall = -np.diff(_losses(run, "val"))[-1]
    if result.best_epoch != history["epoch"].iloc[-1] or not fall > 0:
        return None
    return _(
        "The val loss was still falling, by {fall:.3f} in the last epoch: more than "
        "{count:,} epochs may help."
    ).format(fall=fall, count=len(history))


def val_too_small(run: Run) -> str | None:
    """Notice a val set on which no epoch could be told from the next."""
    images = sum(run.data.counts["val"].values())
    width = interval_width(images)
    if images == 0 or width <= WIDEST:
        return None
    return ngettext(
        "The epoch was chosen on {count:,} val image: at 90 % accuracy the 95 % "
        "interval is {points:.0f} points wide.",
        "The epoch was chosen on {count:,} val images: at 90 % accuracy the 95 % "
        "interval is {points:.0f} points wide.",
        images,
    ).format(count=images, points=100 * width)


def cut_batches(run: Run) -> str | None:
    """Say that the device's memory did not hold a batch at once."""
    batch = run.config.batch_size
    parts = run.result.micro_batch or batch
    if parts >= batch:
        return None
    return _(
        "The device's memory did not hold {batch} images at once: from then on at most "
        "{parts} went through together and their gradients were summed; BatchNorm saw "
        "the smaller parts."
    ).format(batch=batch, parts=parts)


def diverged(run: Run) -> str:
    """Say that nothing was tested, when it ended and why."""
    epochs = len(run.history)
    return ngettext(
        "Training diverged after {count:,} whole epoch, so nothing was tested: {why}.",
        "Training diverged after {count:,} whole epochs, so nothing was tested: {why}.",
        epochs,
    ).format(count=epochs, why=escape_markdown(run.result.message))


RULES = (
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


def read_curves(run: Run) -> dict[str, str]:
    """Apply every rule to a run: what those found, by their names, in their order."""
    rules = (diverged,) if run.diverged else RULES
    return {rule.__name__: said for rule in rules if (said := rule(run))}


def readings(runs: Runs) -> Prose:
    """Read the learning curves of each run, a bullet a run.

    Raises:
        DataError: There is no run, or runs differ in their data.
    """
    runs = as_runs(runs)
    bullets = [
        _("- **{run}.** {said}").format(
            run=name, said=joined(list(read_curves(run).values()))
        )
        for run, name in zip(runs, runs.names, strict=True)
    ]
    return Prose("\n".join(bullets))
