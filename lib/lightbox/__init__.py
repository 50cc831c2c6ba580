"""Lightbox: from a folder of medical images to a report on transfer learning.

A notebook needs only this: `section = lightbox.start(<stem>, globals())`, then the
figures, tables and sentences below. Names are imported when they are first used,
so that `import lightbox` is instant and torch is loaded by what needs it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# No wing may have the name of one of these: importing it would hide the function.
_HOMES = {
    "start": "sections.section",
    "open_dataset": "data.dataset",
    "learning_curves": "comparison.learning_curves",
    "confusion_matrices": "comparison.results",
    "sample_grid": "sections.data",
    "split_counts": "sections.data",
    "results_table": "comparison.results",
    "per_class": "comparison.results",
    "split_table": "sections.data",
    "data_card": "sections.data",
    "data_findings": "sections.data",
    "data_changes": "sections.data",
    "patients_table": "sections.data",
    "duplicates_table": "sections.data",
    "files_table": "sections.data",
    "sizes_figure": "sections.data",
    "from_frame": "comparison.results",
    "conclusion": "sections.transfer",
    "readings": "comparison.readings",
    "why": "sections.networks",
    "training_table": "sections.hyperparameters",
    "epoch_table": "sections.hyperparameters",
    "grid_map": "sections.hyperparameters",
    "range_figure": "sections.hyperparameters",
    "mean_versus_best": "sections.hyperparameters",
    "grid_conclusion": "sections.hyperparameters",
    "yardstick": "sections.focal_loss",
    "threshold_table": "sections.focal_loss",
    "focal_curves": "sections.focal_loss",
    "imbalance": "sections.focal_loss",
    "losses_warning": "sections.focal_loss",
    "focal_conclusion": "sections.focal_loss",
    "zoo_table": "sections.model_zoo",
    "zoo_costs": "sections.model_zoo",
    "zoo_scatter": "sections.model_zoo",
    "depth_groups": "sections.model_zoo",
    "zoo_conclusion": "sections.zoo_conclusion",
    "layers": "sections.networks",
    "evidence_table": "comparison.evidence",
    "ties_table": "comparison.evidence",
    "pairs_table": "comparison.evidence",
    "roc_curves": "comparison.roc",
    "reliability_diagram": "comparison.reliability",
    "calibration_table": "comparison.reliability",
    "operating_points": "comparison.roc",
    "reference_audit": "printed.audit",
    "metric_audit": "printed.audit",
    "error_gallery": "comparison.gallery",
    "grad_cam": "comparison.gradcam",
    "leakage_table": "sections.transfer",
    "checklist": "sections.checklist",
    "reference_table": "printed.reference",
}
_MODULES = {"summary": "sections.summary"}
__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    """Import the module that has the name (PEP 562)."""
    if name in _MODULES:
        return import_module(f"lightbox.{_MODULES[name]}")
    if name not in _HOMES:
        raise AttributeError(f"module 'lightbox' has no attribute {name!r}")
    return getattr(import_module(f"lightbox.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
