"""What test modules share: the backends, one after the other."""

import signal

import pytest

from minivae.backend import BACKENDS, load_backend


@pytest.fixture(params=BACKENDS)
def ops(request):
    """Each backend in turn: what holds for the mathematics holds for every way to compute it."""
    return load_backend(request.param)


@pytest.fixture(params=["heard", "ignored"])
def ctrl_c(request):
    """Ctrl-C as in a terminal, and as in a script's `python -m pytest &`, where it is ignored by
    this process and by its children."""
    handler = signal.default_int_handler if request.param == "heard" else signal.SIG_IGN
    before = signal.signal(signal.SIGINT, handler)
    yield
    signal.signal(signal.SIGINT, before)
