"""The corpus: every case of every field."""

from minivae.studies.checkers import (
    borders,
    coarse,
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
    signals,
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
        signals,
        scales,
        borders,
        rounding,
        not_analytic,
        real_only,
        kinks,
        noisy,
        coarse,
        random_draws,
        large,
    )
)


def all_cases() -> list[Case]:
    """Every case, made afresh, in the order of the fields."""
    return [case for field in FIELDS for case in field.cases()]
