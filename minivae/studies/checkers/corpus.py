"""The corpus: every case of every field."""

from minivae.studies.checkers import (
    borders,
    kinks,
    large,
    layers,
    likelihoods,
    losses,
    matrices,
    noisy,
    not_analytic,
    physics,
    random_draws,
    real_only,
    recurrent,
    rounding,
    scales,
    statistics,
    vae_terms,
)
from minivae.studies.checkers.case import Case

FIELDS = tuple(
    module.field
    for module in (
        losses,
        likelihoods,
        vae_terms,
        layers,
        recurrent,
        matrices,
        physics,
        statistics,
        scales,
        borders,
        rounding,
        not_analytic,
        real_only,
        kinks,
        noisy,
        random_draws,
        large,
    )
)


def all_cases() -> list[Case]:
    """Every case, made afresh, in the order of the fields."""
    return [case for field in FIELDS for case in field.cases()]
