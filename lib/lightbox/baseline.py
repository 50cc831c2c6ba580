"""The answer that looks at no image, which every model has to beat."""

from typing import Any

from lightbox.metrics import Scores, score


def majority_answer(run: Any) -> str:
    """Name the most frequent class of the training images.

    Args:
        run: A finished run.

    Returns:
        The class; the first in class order where several are equally frequent.
    """
    counts = run.record["data"]["counts"]["train"]
    return max(run.record["data"]["classes"], key=lambda name: counts.get(name, 0))


def score_majority(run: Any, split: str = "test") -> Scores:
    """Score the answer that looks at no image: the class frequencies of train.

    Its predicted class is always the most frequent one of train, its
    probabilities are the frequencies, so that its NLL is defined as well.

    Args:
        run: A finished run, for its images and training counts.
        split: `"val"` or `"test"`.

    Returns:
        The scores of the constant answer.
    """
    data = run.record["data"]
    counts = [data["counts"]["train"].get(name, 0) for name in data["classes"]]
    rows = run.predictions[run.predictions["split"] == split].copy()
    rows["predicted"] = majority_answer(run)
    for name, count in zip(data["classes"], counts, strict=True):
        rows[f"prob_{name}"] = count / sum(counts)
    return score(rows, data["classes"], data["positive"])
