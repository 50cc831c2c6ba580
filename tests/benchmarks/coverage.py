"""Coverage of the 95 % intervals and type I error of the tests, by simulation.

Each study draws 200 to 430 patients with one to four images each and three networks
of equal worth, whose scores go together within a patient, in part for each network
by itself. What the reports print is computed by the code that the reports use, and
held against the population's values.

Run it with `python tests/benchmarks/coverage.py [studies]`; it ends with status 1
where a rate is outside its limits.
"""

import sys
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from lightbox.base.progress import track
from lightbox.evaluation.bootstrap import resample_patients, weigh, weighted_scores
from lightbox.evaluation.pairs import all_pairs, delong
from lightbox.evaluation.significance import ALPHA, mcnemar, wilson

STUDIES = 1000
CLASSES = ["NORMAL", "PNEUMONIA"]
POSITIVE_SHARE = 0.62
SEPARATION = 1.9  # between the classes, in standard deviations of a score
SHARPNESS = 1.3  # of the probabilities: above 1 a network is too sure of itself
CALIBRATED = 1.0
PATIENT, OWN = 0.3, 0.15  # variance by patient: in all networks alike, in each
IMAGES = [0.55, 0.25, 0.12, 0.08]  # shares of patients with 1, 2, 3, 4 images
COVERAGE, TYPE_ONE = (0.93, 0.97), 0.055


def probability(scores: np.ndarray, sharpness: float = SHARPNESS) -> np.ndarray:
    """Turn scores into probabilities of the positive class, too sure by a third."""
    odds = np.log(POSITIVE_SHARE / (1 - POSITIVE_SHARE))
    return expit(sharpness * (SEPARATION * scores + odds))


def population(sharpness: float = SHARPNESS) -> dict[str, float]:
    """Score a grid of 20,000 quantiles of each class, weighted 31 to 19."""
    grid = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    labels = np.repeat([0, 1], len(grid))
    chances = probability(np.tile(grid, 2) + SEPARATION * (labels - 0.5), sharpness)
    weights = np.where(labels == 1, 31, 19)[None]
    answers = (chances > 0.5).astype(int)
    both = np.column_stack([1 - chances, chances])
    found = weighted_scores(labels, answers, both, 1, weights)
    return {name: float(value[0]) for name, value in found.items()}


def draw(
    random: np.random.Generator, shares: list[float], sharpness: float = SHARPNESS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the test images of one study and three networks' probabilities."""
    patients = int(random.integers(200, 431))
    counts = random.choice(len(shares), patients, p=shares) + 1
    groups = np.repeat(np.arange(patients), counts)
    sick = (random.random(patients) < POSITIVE_SHARE)[groups]
    shared = np.sqrt(PATIENT) * random.normal(size=patients)[groups]
    rest = np.sqrt((1 - PATIENT - OWN) / 2)
    shared += rest * random.normal(size=len(groups))
    own = np.sqrt(OWN) * random.normal(size=(3, patients))[:, groups]
    own += rest * random.normal(size=(3, len(groups)))
    scores = SEPARATION * (sick - 0.5) + shared + own
    return groups, sick, probability(scores, sharpness)


def as_runs(
    groups: np.ndarray, sick: np.ndarray, chances: np.ndarray
) -> list[SimpleNamespace]:
    """Write what was drawn as finished runs have it."""
    common = pd.DataFrame(
        {
            "split": "test",
            "image": [f"{k:04d}.png" for k in range(len(groups))],
            "group": [f"p{k}" for k in groups],
            "label": np.where(sick, *CLASSES[::-1]),
        }
    )
    data = SimpleNamespace(classes=CLASSES, positive=CLASSES[1])
    runs = []
    for line in chances:
        frame = common.assign(
            predicted=np.where(line > 0.5, *CLASSES[::-1]),
            prob_NORMAL=1 - line,
            prob_PNEUMONIA=line,
        )
        runs.append(SimpleNamespace(id="", data=data, predictions=frame))
    return runs


def clustered(
    random: np.random.Generator, truth: dict[str, float], calibrated: float
) -> Counter:
    """Judge one study whose patients have several images."""
    groups, sick, chances = draw(random, IMAGES)
    runs = as_runs(groups, sick, chances)
    patients = resample_patients(runs[0], seed=int(random.integers(2**31)))
    found = weigh(runs[:1], patients)
    seen = Counter(
        {
            f"coverage: {name}, patients": low <= truth[name] <= high
            for name, (low, high) in found.bounds.items()
        }
    )
    right = (chances > 0.5) == sick
    low, high = wilson(int(right[0].sum()), len(sick))
    seen["coverage: naive Wilson"] = low <= truth["accuracy"] <= high
    pairs = all_pairs(runs, patients)
    groups, sick, chances = draw(random, IMAGES, CALIBRATED)
    run = as_runs(groups, sick, chances[:1])
    patients = resample_patients(run[0], seed=int(random.integers(2**31)))
    low, high = weigh(run, patients).bounds["ece"]
    seen["coverage: ece of a calibrated network, patients"] = low <= calibrated <= high
    tests = {"McNemar": "", "DeLong": "delong_", "NLL bootstrap": "nll_"}
    for name, prefix in tests.items():
        raw = pairs["pvalue" if not prefix else f"{prefix}p"]
        seen[f"error: {name}, patients"] = raw[0] < ALPHA
        family = (pairs[f"{prefix}adjusted"] < ALPHA).any()
        seen[f"error: {name}, Holm over 3 pairs"] = family
    alone = np.arange(right.shape[1])
    seen["error: naive McNemar"] = mcnemar(*right[:2], alone).pvalue < ALPHA
    naive = delong(sick, chances, np.arange(len(sick))).compare()
    seen["error: naive DeLong"] = naive.pvalue < ALPHA
    return seen


def single(random: np.random.Generator, truth: dict[str, float]) -> Counter:
    """Judge one study whose patients have one image each."""
    _, sick, chances = draw(random, [1.0])
    right = (chances > 0.5) == sick
    patients = np.arange(len(sick))
    low, high = wilson(int(right[0].sum()), len(sick))
    errors = {
        "McNemar": mcnemar(*right[:2], patients),
        "DeLong": delong(sick, chances, patients).compare(),
    }
    seen = Counter(
        {
            f"error: {name}, independent images": test.pvalue < ALPHA
            for name, test in errors.items()
        }
    )
    inside = low <= truth["accuracy"] <= high
    seen["coverage: Wilson accuracy, independent images"] = inside
    return seen


def verdict(name: str, rate: float) -> str:
    """Hold a rate against its limits; what is naive is shown for comparison."""
    if "naive" in name:
        return "images taken as independent: for comparison"
    if name.startswith("error"):
        return "ok" if rate <= TYPE_ONE else "TOO HIGH"
    return "ok" if COVERAGE[0] <= rate <= COVERAGE[1] else "OUTSIDE"


def main(studies: int = STUDIES) -> int:
    """Simulate, print a table of rates, and say whether all are within limits."""
    started, truth = time.perf_counter(), population()
    calibrated = population(CALIBRATED)["ece"]
    random, seen = np.random.default_rng(20240229), Counter()
    for _ in track(range(studies), "simulated studies", studies, "studies"):
        seen.update(single(random, truth))
        seen.update(clustered(random, truth, calibrated))
    lines = sorted(seen.items(), key=lambda item: ("naive" in item[0], item[0]))
    print(f"\n{'':52}{'%':>6}")
    verdicts = []
    for name, count in lines:
        verdicts.append(verdict(name, count / studies))
        print(f"{name:52}{100 * count / studies:6.1f}  {verdicts[-1]}")
    seconds = time.perf_counter() - started, time.process_time()
    print(f"{studies} studies, {seconds[0]:.0f} s, {seconds[1]:.0f} s of processor")
    return int(any(word.isupper() for text in verdicts for word in text.split()))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
