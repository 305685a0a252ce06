"""Which settings can be trained with, and what is said of those that cannot."""

import numpy as np
import pytest
import tiny
from refusals import refusal

from minivae import MinivaeError, checks, ops
from minivae.settings import Settings

WRONG = {
    "latent_dim": (0, -1, 2.0, "2", None, True, 10**12, 10**5000, [2]),
    "hidden": (0, (8, 0), (8.5,), "88", None, ((8,),), 10**12, (True,)),
    "activation": ("sigmoid", None, 1, [], np.array(["tanh", "relu"])),
    "likelihood": ("poisson", None, ["bernoulli"]),
    "variance": (0, -1.0, np.nan, np.inf, "1", True, 10**400, 1j, np.ones(2)),
    "free_bits": (-0.1, np.nan, np.inf, None, "0", [0], 10**400),
    "epochs": (0, -1, 1.5, None, True, 10**30),
    "batch_size": (0, -5, 54, 1e2, None, np.nan),
    "lr": (0, -1e-3, np.nan, np.inf, None, "fast", True, 10**400, np.ones(3)),
    "schedule": ("cosine", None, 0),
    "beta": (-1, np.nan, np.inf, None, "1"),
    "warmup": (-1, np.nan, np.inf, None),
    "objective": ("evidence", None),
    "samples": (0, -1, 1.0, None, 10**12),
    "resampled": (0, 1, -1, 1.0, "all"),
    "gradient": ("double", None, True),
    "backend": ("torch", None, ops),
    "seed": (-1, 0.5, None, 2**64, True, "0"),
}


@pytest.mark.parametrize("name", Settings._fields)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(name):
    likelihood = "gaussian" if name == "variance" else "bernoulli"
    for value in WRONG[name]:
        chosen = tiny.settings(likelihood=likelihood)._replace(**{name: value})
        assert name in refusal(checks.check_settings, chosen, tiny.dataset())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variance": 1.0}, "variance belongs to the gaussian"),
        ({"objective": "iwae", "beta": 2.0}, "iwae objective has no beta"),
        ({"objective": "iwae", "warmup": 1.0}, "iwae objective has no beta"),
        ({"objective": "iwae", "free_bits": 1.0}, "iwae objective has no beta"),
        ({"resampled": 1}, "resampled belongs to the iwae objective"),
        ({"gradient": "doubly"}, "gradient belongs to the iwae objective"),
        ({"objective": "iwae", "samples": 3, "resampled": 4}, "there are only 3 samples"),
        ({"latent_dim": 10**6, "hidden": (1000,)}, "parameters, and at most"),
        ({"hidden": (10**5, 10**5)}, "parameters, and at most"),
        ({"objective": "iwae", "samples": 10**6}, "too much memory"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changes, message):
    """The last three before any memory is taken: tens of gigabytes would be needed."""
    with pytest.raises(MinivaeError, match=message):
        checks.check_settings(tiny.settings(**changes), tiny.dataset())


def test_numbers_of_numpy_become_plain_ones():
    """So that a checkpoint, which is JSON, can hold and compare them."""
    chosen = tiny.settings(
        latent_dim=np.int64(2),
        hidden=np.array([7, 5]),
        lr=np.float32(0.5),
        beta=1,
        seed=np.uint8(3),
    )
    plain = checks.check_settings(chosen)
    assert plain == tiny.settings(lr=0.5, seed=3)
    assert [type(value) for value in (plain.latent_dim, *plain.hidden, plain.seed)] == [int] * 4
    assert [type(value) for value in (plain.lr, plain.beta)] == [float, float]
    assert checks.check_settings(tiny.settings(hidden=7)).hidden == (7,)
    assert checks.check_settings(tiny.settings(hidden=[])).hidden == ()
