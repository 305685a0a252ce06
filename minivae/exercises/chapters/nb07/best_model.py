"""A bug to find: which of the models of a training with warm-up is kept."""

import inspect

import numpy as np

from minivae.exercises.exercise import Exercise, WrongAnswer


def best_step(nll, kl, warmup):
    # nll, kl (steps,): on validation images, after each step of a training whose beta rises
    # from 0 to 1 in `warmup` steps. -> the index of the model to keep. It keeps bad ones.
    steps = np.arange(1, len(nll) + 1)
    beta = np.minimum(1, steps / warmup)
    loss = nll + beta * kl
    return int(np.argmin(loss))


def mended_best_step(nll, kl, warmup):
    # beta is a matter of the training; models are compared by one number, -ELBO = nll + kl
    return int(np.argmin(nll + kl))


def _cases():
    return [
        (np.array([90.0, 88.0, 87.0]), np.array([40.0, 20.0, 20.0]), 3),
        (np.array([99.0, 80.0, 83.0, 82.0, 85.0]), np.array([30.0, 45.0, 28.0, 27.0, 25.0]), 4),
        (np.array([70.0, 60.0, 65.0, 66.0]), np.array([9.0, 10.0, 20.0, 21.0]), 3),
        # four kinds of model, hardly apart: a slightly smaller or larger weight of the kl misses it
        (np.array([90.0, 80.0, 76.9, 70.0]), np.array([8.0, 16.0, 19.0, 26.0]), 9),
        (np.array([90.0, 80.0, 77.1, 70.4]), np.array([7.0, 16.0, 19.0, 25.5]), 2),
        (np.array([-5.0, 10.0]), np.array([20.0, 8.0]), 2),  # of a density the nll may be below 0
    ]


BEST_MODEL = Exercise(
    id="07.best-model",
    title="find the bug: which model is kept",
    stub=inspect.getsource(best_step).rstrip(),
    reference=mended_best_step,
    given=best_step,
    cases=_cases,
    mistakes=(
        WrongAnswer(
            "nll-alone",
            lambda nll, kl, warmup: int(np.argmin(nll)),
            "The nll alone does not ask how much kl a model pays for it. What is reported is both.",
        ),
        WrongAnswer(
            "last",
            lambda nll, kl, warmup: len(nll) - 1,
            "The last model need not be the best one.",
        ),
        WrongAnswer(
            "after-the-warm-up",
            lambda nll, kl, warmup: warmup - 1 + int(np.argmin((nll + kl)[warmup - 1 :])),
            "A model from before the end of the warm-up may be the best one. Compare all, by a "
            "number that means the same for all.",
        ),
        WrongAnswer(
            "largest",
            lambda nll, kl, warmup: int(np.argmax(nll + kl)),
            "nll + kl is minus the ELBO: the lowest is the best.",
        ),
        WrongAnswer(
            "half-of-the-kl",
            lambda nll, kl, warmup: int(np.argmin(nll + 0.5 * kl)),
            "One fixed weight for all is right, but not this one: below 1 it favours models that "
            "pay a lot of kl.",
        ),
        WrongAnswer(
            "kl-twice",
            lambda nll, kl, warmup: int(np.argmin(nll + 2 * kl)),
            "One fixed weight for all is right, but not this one: above 1 it favours models that "
            "pay little kl.",
        ),
    ),
    hints=(
        "Is `loss` the same function of the model at each step?",
        "With a small beta the kl is nearly free, so early models look good. 7.10 says what is "
        "reported.",
        "np.argmin(nll + kl).",
    ),
)
