"""Gradient checks: of any function, of a forward/backward pair, and of the whole VAE.

    check_grad(f, df, x)                    right, wrong or cannot tell, entry by entry
    check_directions(f, df, x)              the same along random directions, for many entries
    diagnose(forward, backward, inputs)     any forward/backward pair, and the likely mistake
    check_backends()                        VAE, conditional VAE and GAN, with each backend;
                                            `python -m minivae gradcheck`

A gradient check cannot detect a wrong formula whose gradient is right; statistics and closed forms
can.
"""

from minivae.gradcheck.cases import (
    ALL_CASES,
    CONDITIONAL_CASES,
    DEFAULT_CASES,
    FREE_BITS,
    GAN_CASES,
    Case,
    GanCase,
)
from minivae.gradcheck.check import check_directions, check_grad
from minivae.gradcheck.check_report import GradReport
from minivae.gradcheck.doctor import Diagnosis, Finding, diagnose
from minivae.gradcheck.model import check_backends, check_model
from minivae.gradcheck.report import format_report

__all__ = [
    "ALL_CASES",
    "CONDITIONAL_CASES",
    "DEFAULT_CASES",
    "FREE_BITS",
    "GAN_CASES",
    "Case",
    "Diagnosis",
    "Finding",
    "GanCase",
    "GradReport",
    "check_backends",
    "check_directions",
    "check_grad",
    "check_model",
    "diagnose",
    "format_report",
]
