"""The audit of printed tables: could any images have given these numbers?"""

from lightbox.auditing.examine import Examined, examine
from lightbox.auditing.remark import Remark
from lightbox.auditing.show import metric_audit, reference_audit

__all__ = ["Examined", "Remark", "examine", "metric_audit", "reference_audit"]
