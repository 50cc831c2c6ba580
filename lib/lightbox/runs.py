"""A section's runs: from the store where it has them, else trained, each once."""

from lightbox import store
from lightbox.data import Dataset
from lightbox.errors import ParameterError
from lightbox.params import TrainingParameters
from lightbox.plan import configurations
from lightbox.store import Config, Run
from lightbox.trial import label, train


def run_all(settings: TrainingParameters, dataset: Dataset) -> list[Run]:
    """Train what the store does not have yet, and say what it has.

    Args:
        settings: A training section's parameters.
        dataset: The data.

    Returns:
        One run per configuration of the plan, in its order.
    """
    runs = []
    for config, weights in configurations(settings):
        check_output(config, dataset)
        run = run_one(config, dataset, weights=weights)
        seconds = run.record["result"]["train_seconds"]
        state = "reused, trained earlier" if run.reused else "trained"
        print(f"{label(config)}: {state} in {seconds:.1f} s ({run.id})")
        if run.diverged:
            print(f"{label(config)}: diverged: {run.record['result']['message']}")
        runs.append(run)
    return runs


def run_one(config: Config, dataset: Dataset, *, weights: str) -> Run:
    """Give a run, from the store or by training it.

    Args:
        config: The configuration.
        dataset: The data.
        weights: The weights as typed; `config.weights` is their full name.

    Returns:
        The finished run.
    """
    identity = store.run_id(config, dataset.fingerprint)
    with store.locked(identity):
        run = store.find(identity)
        if run is None:
            # Two runs at a time on the same cores take longer than one by one.
            with store.locked("training"):
                run = train(identity, config, dataset, weights=weights)
        # Also where a process was killed between the run's end and this line.
        store.forget_unfinished(identity)
    # A run may be kept under another set's label: the id does not depend on it.
    run.record["config"]["name"] = config.name
    return run


def check_output(config: Config, dataset: Dataset) -> None:
    """Refuse a single output where there are not two classes.

    Args:
        config: The configuration.
        dataset: The data.

    Raises:
        ParameterError: A sigmoid for more than two classes.
    """
    if config.output == "sigmoid" and len(dataset.classes) != 2:
        raise ParameterError(
            f"output = 'sigmoid' answers one question, {dataset.card.name} has "
            f"{len(dataset.classes)} classes: use output 'softmax'"
        )
