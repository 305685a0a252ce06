"""Every check of what a user passes in: each raises MinivaeError with one line that says what is
wrong and what would be right. Public functions check once and then call unchecked code."""

from minivae.checks.images import check_images, check_images_and_shape, check_labels
from minivae.checks.model import (
    LIKELIHOODS,
    MAX_INPUT,
    MAX_PARAMS,
    check_batch,
    check_latents,
    check_noise,
    check_observed,
    check_q,
    check_spec,
)
from minivae.checks.settings import CHOICES, INTEGER_RANGES, MAX_NUMBERS, check_settings
from minivae.checks.values import (
    MAX_SIZE,
    as_array,
    check_number,
    check_path,
    check_samples,
    check_whole,
    describe,
    is_finite_number,
    is_positive_int,
    printable,
)

__all__ = [
    "CHOICES",
    "INTEGER_RANGES",
    "LIKELIHOODS",
    "MAX_INPUT",
    "MAX_NUMBERS",
    "MAX_PARAMS",
    "MAX_SIZE",
    "as_array",
    "check_batch",
    "check_images",
    "check_images_and_shape",
    "check_labels",
    "check_latents",
    "check_noise",
    "check_number",
    "check_observed",
    "check_path",
    "check_q",
    "check_samples",
    "check_settings",
    "check_spec",
    "check_whole",
    "describe",
    "is_finite_number",
    "is_positive_int",
    "printable",
]
