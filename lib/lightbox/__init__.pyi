"""The names that a notebook may use, and where they live; read by editors, too."""

from .comparison.evidence import (
    evidence_table as evidence_table,
    pairs_table as pairs_table,
    ties_table as ties_table,
)
from .comparison.gallery import error_gallery as error_gallery
from .comparison.gradcam import grad_cam as grad_cam
from .comparison.learning_curves import learning_curves as learning_curves
from .comparison.readings import readings as readings
from .comparison.reliability import (
    calibration_table as calibration_table,
    reliability_diagram as reliability_diagram,
)
from .comparison.results import (
    confusion_matrices as confusion_matrices,
    from_frame as from_frame,
    per_class as per_class,
    results_table as results_table,
)
from .comparison.roc import (
    operating_points as operating_points,
    roc_curves as roc_curves,
)
from .data.dataset import open_dataset as open_dataset
from .printed.audit import (
    metric_audit as metric_audit,
    reference_audit as reference_audit,
)
from .printed.reference import reference_table as reference_table
from .sections.checklist import checklist as checklist
from .sections.data import (
    data_card as data_card,
    data_changes as data_changes,
    data_findings as data_findings,
    duplicates_table as duplicates_table,
    files_table as files_table,
    patients_table as patients_table,
    sample_grid as sample_grid,
    sizes_figure as sizes_figure,
    split_counts as split_counts,
    split_table as split_table,
)
from .sections.focal_loss import (
    focal_conclusion as focal_conclusion,
    focal_curves as focal_curves,
    imbalance as imbalance,
    losses_warning as losses_warning,
    threshold_table as threshold_table,
    yardstick as yardstick,
)
from .sections.hyperparameters import (
    epoch_table as epoch_table,
    grid_conclusion as grid_conclusion,
    grid_map as grid_map,
    mean_versus_best as mean_versus_best,
    range_figure as range_figure,
    training_table as training_table,
)
from .sections.model_zoo import (
    depth_groups as depth_groups,
    zoo_costs as zoo_costs,
    zoo_scatter as zoo_scatter,
    zoo_table as zoo_table,
)
from .sections.networks import (
    layers as layers,
    why as why,
)
from .sections.preview import (
    first_batch as first_batch,
    network_table as network_table,
    plan_table as plan_table,
)
from .sections.section import start as start
from .sections.summary import (
    best_table as best_table,
    collect_sections as collect_sections,
    how_to_repeat as how_to_repeat,
    sources as sources,
    summary_limits as summary_limits,
    summary_remarks as summary_remarks,
    summary_table as summary_table,
)
from .sections.transfer import (
    conclusion as conclusion,
    leakage_table as leakage_table,
)
from .sections.zoo_conclusion import zoo_conclusion as zoo_conclusion
