"""The loss, and the numbers that are reported with it."""

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer, generic, stub


def loss_terms(nll, kl, beta):
    """loss = mean nll + beta sum_j mean kl_j;  elbo = -(nll + kl) always   [notebook 06, eq. 2]"""
    nll = nll.mean()
    kl = kl.sum(axis=1).mean()
    return nll + beta * kl, -(nll + kl), nll, kl


def _loss_cases():
    rng = np.random.default_rng(6)
    return [
        (np.array([2.0]), np.array([[0.5]]), 1.0),
        (np.abs(generic(rng, 4)) + 5, np.abs(generic(rng, 4, 3)), 1.0),
        (np.abs(generic(rng, 4)) + 5, np.abs(generic(rng, 4, 3)), 4.0),
    ]


def _loss_with(nll, kl, beta):
    return nll + beta * kl, -(nll + kl), nll, kl


LOSS = Exercise(
    id="06.loss",
    title="what is minimised, and what is reported",
    stub=stub("""
        def loss_terms(nll, kl, beta):    # (B,), (B, L), float
            ...                           # -> loss, elbo, nll, kl: floats, nats per example
    """),
    reference=loss_terms,
    cases=_loss_cases,
    returns=("loss", "elbo", "nll", "kl"),
    mistakes=(
        WrongAnswer(
            "mean-over-latents",
            lambda nll, kl, beta: _loss_with(nll.mean(), kl.mean(), beta),
            "The KL is averaged over the latents: sum over them and average over the batch only.",
        ),
        WrongAnswer(
            "sum-over-batch",
            lambda nll, kl, beta: _loss_with(nll.sum(), kl.sum(), beta),
            "Both are summed over the batch: nats per example are a mean over it.",
        ),
        WrongAnswer(
            "kl-sum-nll-mean",
            lambda nll, kl, beta: _loss_with(nll.mean(), kl.sum(), beta),
            "The KL is summed over the batch but the nll is averaged: that multiplies beta by B.",
        ),
        WrongAnswer(
            "kl-subtracted",
            lambda nll, kl, beta: (
                nll.mean() - beta * kl.sum(axis=1).mean(),
                *loss_terms(nll, kl, beta)[1:],
            ),
            "The KL is subtracted from the loss; it is a cost, so add it.",
        ),
        WrongAnswer(
            "beta-in-the-elbo",
            lambda nll, kl, beta: (
                loss_terms(nll, kl, beta)[0],
                -loss_terms(nll, kl, beta)[0],
                *loss_terms(nll, kl, beta)[2:],
            ),
            "The elbo is always -(nll + kl): beta belongs to the loss alone.",
        ),
        WrongAnswer(
            "kl-reported-with-beta",
            lambda nll, kl, beta: (
                *loss_terms(nll, kl, beta)[:3],
                beta * loss_terms(nll, kl, beta)[3],
            ),
            "kl is reported without beta, which belongs to the loss alone.",
        ),
        WrongAnswer(
            "beta-on-the-nll",
            lambda nll, kl, beta: (
                beta * nll.mean() + kl.sum(axis=1).mean(),
                *loss_terms(nll, kl, beta)[1:],
            ),
            "beta multiplies the KL, not the nll.",
        ),
        WrongAnswer(
            "elbo-sign",
            lambda nll, kl, beta: (
                loss_terms(nll, kl, beta)[0],
                -loss_terms(nll, kl, beta)[1],
                *loss_terms(nll, kl, beta)[2:],
            ),
            "The elbo is minus (nll + kl): a lower bound on log p(x), so usually negative.",
        ),
    ),
    hints=(
        "Sum over what belongs to one example, and average over the examples.",
        "beta appears in the loss only.",
        "nll = nll.mean(); kl = kl.sum(axis=1).mean(); nll + beta * kl, -(nll + kl), nll, kl.",
    ),
)
