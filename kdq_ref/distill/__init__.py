"""Distillation: one published method per file, and the soft labels they learn from.

Every loss returns its value and its gradient with respect to the student's logits; the teacher is
a constant. All are means over the samples of the batch and sums over classes.
"""

from kdq_ref.distill.digest import digest_of, images_digest
from kdq_ref.distill.hard_label import UNLABELLED, hard_label
from kdq_ref.distill.logit_matching import logit_matching
from kdq_ref.distill.predict import predict_logits
from kdq_ref.distill.soft_label_cross_entropy import soft_label_cross_entropy
from kdq_ref.distill.soft_labels import (
    SoftLabels,
    generate_soft_labels,
    load_soft_labels,
    save_soft_labels,
)
from kdq_ref.distill.soft_target import check_temperature, hinton, soft_target
from kdq_ref.distill.workers import Workers

__all__ = [
    "UNLABELLED",
    "SoftLabels",
    "Workers",
    "check_temperature",
    "digest_of",
    "generate_soft_labels",
    "hard_label",
    "hinton",
    "images_digest",
    "load_soft_labels",
    "logit_matching",
    "predict_logits",
    "save_soft_labels",
    "soft_label_cross_entropy",
    "soft_target",
]
