"""Answers to the exercise 03.kl that several test modules give."""

import numpy as np


def right_kl(mu, logvar):
    return (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2


def twice(mu, logvar):
    return 2 * right_kl(mu, logvar)


def empty(mu, logvar): ...
