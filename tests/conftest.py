"""What test modules share: the backends, one after the other."""

import pytest

from minivae.backend import BACKENDS, load_backend
from minivae.errors import MinivaeError


@pytest.fixture(params=BACKENDS)
def ops(request):
    """Each backend in turn: what holds for the mathematics holds for every way to compute it."""
    try:
        return load_backend(request.param)
    except MinivaeError as error:
        pytest.skip(f"not installed: {error}")
