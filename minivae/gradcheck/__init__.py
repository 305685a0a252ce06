"""Is the gradient right? Yours, and every block of the whole VAE's.

    check_grad(f, df, x)                    every entry; central differences or complex step
    check_directions(f, df, x)              derivatives along random directions, for many entries
    diagnose(forward, backward, inputs)     any forward/backward pair, and the likely mistake
    check_backends()                        the VAE, each backend; `python -m minivae gradcheck`

A gradient check does not see a wrong formula whose gradient is right: statistics and closed forms
are for that.
"""

from minivae.gradcheck.cases import ALL_CASES, DEFAULT_CASES, FREE_BITS, Case
from minivae.gradcheck.differences import BlockReport, check_directions, check_grad
from minivae.gradcheck.doctor import Diagnosis, Finding, diagnose
from minivae.gradcheck.model import check_backends, check_vae
from minivae.gradcheck.report import format_report

__all__ = [
    "ALL_CASES",
    "DEFAULT_CASES",
    "FREE_BITS",
    "BlockReport",
    "Case",
    "Diagnosis",
    "Finding",
    "check_backends",
    "check_directions",
    "check_grad",
    "check_vae",
    "diagnose",
    "format_report",
]
