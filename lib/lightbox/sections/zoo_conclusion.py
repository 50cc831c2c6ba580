"""Section 04: what a comparison of many networks supports, and what it leaves open."""

import pandas as pd

from lightbox.base.words import N_, _, joined, ngettext, pgettext
from lightbox.comparison.conclusions import against_majority, limits
from lightbox.comparison.runs import Runs, unless_all_diverged
from lightbox.display.outputs import Prose
from lightbox.display.sentences import Finding, interval, p_text, percent
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, Paired, mcnemar, tied_with
from lightbox.networks.architectures import cuts_patches
from lightbox.sections.model_zoo import costs, front, names

HEADINGS = {
    "best": N_("**Which is best.**"),
    "value": N_("**Which is worth its time.**"),
    "depth": N_("**Shallow against deep.**"),
    "against_majority": N_("**Against the majority answer.**"),
    "transformer": N_("**The transformers.**"),
    "diverged": N_("**Diverged.**"),
    "limits": N_("**Limits.**"),
}


@unless_all_diverged
def zoo_conclusion(runs: Runs, *, shallow_below: int = 30) -> Prose:
    """Write the conclusion on many networks, every number of it computed."""
    kept = runs.finished
    table = costs(kept).assign(name=names(kept))
    tied = tied_with(kept, int(table["accuracy"].argmax())) if len(kept) > 1 else []
    found = [
        best(kept, table, tied),
        value(table, tied),
        by_depth(table, shallow_below),
        against_majority(kept, list(table["name"])),
        transformers(kept, table),
        diverged(runs),
        limits(kept),
    ]
    return Prose(
        "\n\n".join(
            joined([_(HEADINGS[finding.rule]), finding.text])
            for finding in found
            if finding is not None
        )
    )


def best(runs: Runs, table: pd.DataFrame, tied: list[int]) -> Finding:
    """Name the most accurate network, and those that are tied with it."""
    top = int(table["accuracy"].argmax())
    row, images = table.iloc[top], len(right(runs[top]))
    said = [
        _(
            "{name} has the most test images right, {count} of {images} ({accuracy} %, "
            "95 % interval {interval})."
        ).format(
            name=row["name"],
            count=round(row["accuracy"] * images),
            images=images,
            accuracy=percent(row["accuracy"]),
            interval=interval(row["low"], row["high"]),
        )
    ]
    count = len(runs) * (len(runs) - 1) // 2
    pairs = ngettext("{count:,} pair", "{count:,} pairs", count).format(count=count)
    if tied:
        second = max(tied, key=lambda k: table["accuracy"].iloc[k])
        tie = _(
            "It is tied with {names}: their differences may be chance (exact McNemar, "
            "Holm over {pairs}, p ≥ {alpha})."
        ).format(names=_listed(table, tied), pairs=pairs, alpha=ALPHA)
        said += [tie, _lead(_compared(runs, top, second), table["name"].iloc[second])]
    elif len(runs) > 1:
        said.append(
            _(
                "It is better than every other on these images (exact McNemar, Holm "
                "over {pairs}, p < {alpha})."
            ).format(pairs=pairs, alpha=ALPHA)
        )
    return Finding("best", joined(said), {"best": top, "tied": tied})


def _lead(test: Paired, name: str) -> str:
    """Say by how much the best leads the second, and what a test would need."""
    few = _(
        "Over {name} it leads by {lead}, with {discordant} on which the two differ "
        "(p {p} before Holm), too few for any lead to count."
    )
    enough = _(
        "Over {name} it leads by {lead}, with {discordant} on which the two differ "
        "(p {p} before Holm); a single test needs a lead of {needed}."
    )
    lead = test.only_first - test.only_second
    images = ngettext("{count:,} image", "{count:,} images", lead).format(count=lead)
    return (few if test.needed is None else enough).format(
        name=name,
        lead=images,
        discordant=test.discordant,
        p=p_text(test.pvalue),
        needed=test.needed,
    )


def value(table: pd.DataFrame, tied: list[int]) -> Finding:
    """Name the front, the quickest that is tied with the best, the best rate."""
    top = int(table["accuracy"].argmax())
    rows = front(list(table["seconds"]), list(table["accuracy"]))
    rate = int(table["gain_rate"].argmax())
    choice = min([top, *tied], key=lambda k: table["seconds"].iloc[k])
    winner, chosen = table.iloc[top], table.iloc[choice]
    said = [
        _(
            "On the Pareto front, from quick to slow: {names}. The most gained over "
            "the majority answer per second is by {name}, {gain:.3f} points."
        ).format(
            names=_listed(table, rows),
            name=table["name"].iloc[rate],
            gain=table["gain_rate"].iloc[rate],
        )
    ]
    if choice != top:
        said.append(
            _(
                "{quick} is the quickest that is not shown to be worse than the best: "
                "{seconds:.1f} s against {most:.1f} s for {best}, {ratio:.1f} times as "
                "quick."
            ).format(
                quick=chosen["name"],
                seconds=chosen["seconds"],
                most=winner["seconds"],
                best=winner["name"],
                ratio=winner["seconds"] / chosen["seconds"],
            )
        )
    elif len(table) > 1:
        text = _("Nothing quicker than {name} is tied with it.")
        said.append(text.format(name=winner["name"]))
    evidence = {"front": rows, "rate": rate, "choice": choice}
    return Finding("value", joined(said), evidence)


def by_depth(table: pd.DataFrame, shallow_below: int) -> Finding | None:
    """Compare the groups' ranges: means of few networks prove nothing on depth."""
    deep = table["depth"] >= shallow_below
    if deep.all() or not deep.any():
        return None
    parts = [table[~deep], table[deep]]
    means = [part["accuracy"].mean() for part in parts]
    spans = [(part["accuracy"].min(), part["accuracy"].max()) for part in parts]
    apart = spans[0][1] < spans[1][0] or spans[1][1] < spans[0][0]
    shallow = len(parts[0])
    ranges = _(
        "The {runs} below {layers} layers reach {mean} % on average ({span}) in "
        "{seconds:.1f} s, the {others} from {layers} on {other_mean} % ({other_span}) "
        "in {other_seconds:.1f} s."
    ).format(
        runs=ngettext("{count:,} run", "{count:,} runs", shallow).format(count=shallow),
        layers=shallow_below,
        mean=percent(means[0]),
        span=interval(*spans[0]),
        seconds=parts[0]["seconds"].mean(),
        others=len(parts[1]),
        other_mean=percent(means[1]),
        other_span=interval(*spans[1]),
        other_seconds=parts[1]["seconds"].mean(),
    )
    overlap = _(
        "Their ranges overlap; the networks differ in much besides their depth, so the "
        "means say nothing on depth as a cause."
    )
    no_overlap = _(
        "Their ranges do not overlap; the networks differ in much besides their depth, "
        "so the means say nothing on depth as a cause."
    )
    said = joined([ranges, no_overlap if apart else overlap])
    return Finding("depth", said, {"means": means, "apart": apart})


def transformers(runs: Runs, table: pd.DataFrame) -> Finding | None:
    """Give the reasons why a transformer may lose, as hypotheses with their test."""
    accuracy = table["accuracy"]
    vits = [k for k, run in enumerate(runs) if cuts_patches(run.config.model)]
    others = [k for k in range(len(runs)) if k not in vits]
    if not vits or not others:
        return None
    vit, rival = (max(each, key=lambda k: accuracy.iloc[k]) for each in (vits, others))
    evidence = {"vit": vit, "rival": rival}
    said = [_against(vit, rival, runs, table)]
    if accuracy.iloc[vit] >= accuracy.iloc[rival]:
        return Finding("transformer", said[0], evidence)
    said.append(
        _(
            "Three hypotheses, of which this comparison proves none. Patches: "
            "attention has no built-in notion of which pixels are neighbours and must "
            "learn it from few images; another patch size would tell."
        )
    )
    if runs[vit].config.weights == "none":
        said.append(_("Pretraining: the transformer began from random weights."))
        fresh = [k for k in others if runs[k].config.weights == "none"]
        if fresh:
            twin = max(fresh, key=lambda k: accuracy.iloc[k])
            text = _("Among networks that did so too: {difference}")
            difference = _against(vit, twin, runs, table)
            said.append(text.format(difference=difference))
    else:
        said.append(_("Pretraining: the transformer was pretrained, so this is out."))
    said.append(
        _(
            "Framing: images that are already cropped to their subject leave little "
            "for attention to select; whole fields of view would tell."
        )
    )
    return Finding("transformer", joined(said), evidence)


def _against(one: int, two: int, runs: Runs, table: pd.DataFrame) -> str:
    """Say how two runs differ on the test images."""
    test = _compared(runs, one, two)
    return _(
        "{name} alone is right on {count} test images, {other} alone on {other_count} "
        "(exact McNemar p {p})."
    ).format(
        name=table["name"].iloc[one],
        count=test.only_first,
        other=table["name"].iloc[two],
        other_count=test.only_second,
        p=p_text(test.pvalue),
    )


def _compared(runs: Runs, one: int, two: int) -> Paired:
    return mcnemar(right(runs[one]), right(runs[two]), patients(runs[one]))


def _listed(table: pd.DataFrame, places: list[int]) -> str:
    return pgettext("list", ", ").join(table["name"].iloc[k] for k in places)


def diverged(runs: Runs) -> Finding | None:
    """Name the runs whose loss left the finite numbers."""
    named = zip(runs, names(runs), strict=True)
    lost = [name for run, name in named if run.diverged]
    if not lost:
        return None
    said = ngettext(
        "{count:,} run had a loss that is no finite number and has no test result: "
        "{names}. A smaller learning rate is the first remedy.",
        "{count:,} runs had a loss that is no finite number and have no test result: "
        "{names}. A smaller learning rate is the first remedy.",
        len(lost),
    ).format(count=len(lost), names=pgettext("list", ", ").join(lost))
    return Finding("diverged", said, {"diverged": lost})
