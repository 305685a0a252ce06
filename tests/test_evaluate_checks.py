"""The functions of `evaluate` look at what they are given once."""

import numpy as np
import pytest
from trained import small_vae

from minivae import checks, evaluate


def test_x_is_checked_once_and_not_again_in_every_block(monkeypatch):
    """`check_observed` is the check of `evaluate`; `check_batch`, that of `vae.encode`."""
    spec, params, x = small_vae()
    seen = []
    check = checks.check_observed
    monkeypatch.setattr(checks, "check_batch", pytest.fail)
    monkeypatch.setattr(checks, "check_observed", lambda *args: seen.append(1) or check(*args))
    rng = np.random.default_rng(0)
    for call in (
        lambda: evaluate.evaluate(params, x, spec, samples=200),
        lambda: evaluate.log_likelihood(params, x, spec, samples=200, rng=rng),
        lambda: evaluate.gaps(params, x[:3], spec, rng=rng, steps=1, score_noise=2, samples=2),
        lambda: evaluate.compare_proposals(params, x[:3], spec, samples=2, rng=rng),
        lambda: evaluate.importance_bounds(params, x[:3], spec, rng=rng, samples=(1,), draws=4),
    ):
        seen.clear()
        call()
        assert seen == [1]
