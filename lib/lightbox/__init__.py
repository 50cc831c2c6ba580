"""Lightbox: from a folder of medical images to a report on transfer learning.

A notebook needs only this: `section = lightbox.start(<stem>, globals())`, then the
figures, tables and sentences below. Names are imported when they are first used,
so that `import lightbox` is instant and torch is loaded by what needs it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# No module may have the name of one of these: importing it would hide the function.
_HOMES = {
    "start": "section",
    "open_dataset": "data",
    "learning_curves": "figures",
    "confusion_matrices": "figures",
    "sample_grid": "figures",
    "split_counts": "figures",
    "comparison": "tables",
    "per_class": "tables",
    "split_table": "tables",
    "from_frame": "tables",
    "conclusion": "findings",
    "readings": "findings",
    "why": "rationale",
    "training_table": "grids",
    "epoch_table": "grids",
    "grid_map": "heatmap",
    "range_figure": "rates",
    "mean_versus_best": "grid_findings",
    "grid_conclusion": "grid_findings",
    "yardstick": "focal",
    "threshold_table": "focal",
    "focal_curves": "focal",
    "imbalance": "balance",
    "losses_warning": "focal_findings",
    "focal_conclusion": "focal_findings",
    "zoo_table": "zoo",
    "zoo_costs": "zoo",
    "zoo_scatter": "zoo_figure",
    "depth_groups": "zoo_depth",
    "zoo_conclusion": "zoo_findings",
    "layers": "layer_tables",
    "evidence_table": "evidence",
    "ties_table": "significance",
    "pairs_table": "significance",
    "roc_curves": "roc",
    "reliability_diagram": "reliability",
    "calibration_table": "recalibration",
    "operating_points": "operating",
    "reference_audit": "auditing",
    "metric_audit": "auditing",
    "error_gallery": "gallery",
    "grad_cam": "gradcam",
    "leakage_table": "leakage",
    "checklist": "checklist_table",
    "reference_table": "reference",
}
_MODULES = {"datacard", "summary"}
__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    """Import the module that has the name (PEP 562)."""
    if name in _MODULES:
        return import_module(f"lightbox.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'lightbox' has no attribute {name!r}")
    return getattr(import_module(f"lightbox.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
