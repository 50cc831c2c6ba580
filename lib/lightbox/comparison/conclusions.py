"""What conclusions share: the majority, agreement, and the limits of one test set."""

from collections.abc import Sequence

import numpy as np

from lightbox.base.words import _, joined, ngettext, pgettext
from lightbox.comparison.runs import Runs
from lightbox.display.outputs import escape_markdown
from lightbox.display.sentences import Finding, interval
from lightbox.evaluation.metrics import majority_answer
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, holm, mcnemar
from lightbox.runs.store import Run

NO_WEIGHTS = "none"
SEEDS_FOR_A_METHOD = 3  # Bouthillier et al. 2021, arXiv 2103.03098


def against_majority(runs: Runs, names: list[str]) -> Finding:
    """Compare every run with the majority-class baseline, which looks at no image."""
    answer, base = majority_answer(runs[0]), runs.majority
    tests = [mcnemar(right(run), right(run, answer), patients(run)) for run in runs]
    adjusted = holm([test.pvalue for test in tests])
    groups: dict[str, list[int]] = {"above": [], "like": [], "below": []}
    for place, (test, p) in enumerate(zip(tests, adjusted, strict=True)):
        lead = test.only_first - test.only_second
        kind = "like" if not p < ALPHA else "above" if lead > 0 else "below"
        groups[kind].append(place)
    said = [
        _(
            "Always answering {answer}, the most frequent class of train, is right on "
            "{right} of {images} test images ({accuracy:.1f} %)."
        ).format(
            answer=escape_markdown(answer),
            right=base.num_correct,
            images=base.num_images,
            accuracy=100 * base["accuracy"],
        )
    ]
    for kind, places in groups.items():
        if not places:
            continue
        # The value nearest to the threshold bounds the group.
        values = [adjusted[k] for k in places]
        bound, sign = (min(values), "≥") if kind == "like" else (max(values), "≤")
        said.append(
            _(
                "{standing} (exact McNemar, Holm-adjusted p {sign} {p:.3f}): {names}."
            ).format(
                standing=_standing(kind, len(places), len(runs)),
                sign=sign,
                p=max(bound, 0.001),
                names=pgettext("list", ", ").join(names[k] for k in places),
            )
        )
    evidence = {"accuracy": base["accuracy"], "p_holm": adjusted, **groups}
    return Finding("against_majority", joined(said), evidence)


def _standing(kind: str, count: int, total: int) -> str:
    """Say how many runs stand above, below or beside the baseline."""
    above = ngettext(
        "{count} of {runs} is above it", "{count} of {runs} are above it", count
    )
    like = ngettext(
        "{count} of {runs} is not distinguishable from it",
        "{count} of {runs} are not distinguishable from it",
        count,
    )
    below = ngettext(
        "{count} of {runs} is below it", "{count} of {runs} are below it", count
    )
    runs = ngettext("{count:,} run", "{count:,} runs", total).format(count=total)
    clauses = {"above": above, "like": like, "below": below}
    return clauses[kind].format(count=count, runs=runs)


def agreement(runs: Runs, run: Run, name: str) -> Finding | None:
    """Compare val and test accuracy of the weights that were kept."""
    val, test = runs.scores(run, "val"), runs.scores(run, "test")
    if not (val.num_images and test.num_images):
        return None
    gap = np.round(100 * (test["accuracy"] - val["accuracy"]), 1) + 0.0
    apart = val.low > test.high or test.low > val.high
    overlap = _("the two 95 % intervals overlap")
    no_overlap = _("the two 95 % intervals do not overlap")
    said = _(
        "{name}: val {val:.1f} % ({val_range}), test {test:.1f} % ({test_range}), "
        "{gap} points; {intervals}."
    ).format(
        name=name,
        intervals=no_overlap if apart else overlap,
        val=100 * val["accuracy"],
        val_range=interval(val.low, val.high),
        test=100 * test["accuracy"],
        test_range=interval(test.low, test.high),
        gap=f"{gap:+.1f}".replace("-", "−"),
    )
    return Finding("agreement", said, {"gap": float(gap), "apart": apart})


def random_features(runs: Sequence[Run]) -> Finding | None:
    """Warn that a frozen network without pretrained weights is a random one."""
    count = sum(
        run.config.weights == NO_WEIGHTS and run.config.strategy == "feature_extraction"
        for run in runs
    )
    if not count:
        return None
    said = ngettext(
        "{count:,} run of feature extraction had 0 pretrained parameters (weights: "
        "none): the head reads the features of a randomly initialised, frozen "
        "network, which says nothing about ImageNet features.",
        "{count:,} runs of feature extraction had 0 pretrained parameters (weights: "
        "none): the head reads the features of a randomly initialised, frozen "
        "network, which says nothing about ImageNet features.",
        count,
    )
    return Finding("random_features", said.format(count=count), {"runs": count})


def limits(runs: Sequence[Run]) -> Finding:
    """Say what these seeds on this test set cannot show."""
    seeds = sorted({run.config.seed for run in runs})
    codes = patients(runs[0])
    images, groups = len(codes), len(set(codes))
    where = ngettext(
        "This is {count:,} seed ({seeds}) on 1 test set of {images:,} images.",
        "These are {count:,} seeds ({seeds}) on 1 test set of {images:,} images.",
        len(seeds),
    )
    few = _(
        "Another seed would move every number, so that a claim about a method needs "
        "{needed} seeds or more."
    )
    grouped = _(
        "The images come from {groups:,} patients or slides: the tests between runs "
        "and the bootstrap intervals go by those, while Wilson intervals count "
        "{images:,} independent images and are too narrow."
    )
    few = few if len(seeds) < SEEDS_FOR_A_METHOD else ""
    grouped = grouped if 0 < groups < images else ""
    text = joined([where, few, grouped]).format(
        count=len(seeds),
        seeds=pgettext("list", ", ").join(map(str, seeds)),
        images=images,
        needed=SEEDS_FOR_A_METHOD,
        groups=groups,
    )
    evidence = {"seeds": seeds, "images": images, "groups": groups}
    return Finding("limits", text, evidence)
