"""What test modules share: the backends, one after the other."""

import pytest

from minivae.backend import BACKENDS, load_backend


@pytest.fixture(params=BACKENDS)
def ops(request):
    """Each backend in turn: what holds for the mathematics holds for every way to compute it."""
    return load_backend(request.param)
