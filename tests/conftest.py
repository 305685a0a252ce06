"""Fixtures that test modules share."""

import os

# Where several processes run the tests, each gets its share of the cores. Threads that wait for a
# core which another process uses would only be in its way.
PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if PROCESSES > 1:
    share = max(1, (os.cpu_count() or 1) // PROCESSES)
    for library in ("MINIVAE", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", str(share))

import datetime
import gc
import signal
import warnings

import numpy as np
import pytest
import tiny

from minivae import data
from minivae.backend import BACKENDS, load_backend
from minivae.estimator import scoring

# What takes longest begins first, so that no process is left with it at the end while the others
# have nothing to do: in this order, groups of tests by name. The rest follows as it was collected.
LONGEST_FIRST = (
    "notebook 07", "test_site.py", "notebook 09", "exercises", "notebook 11", "notebook 10",
    "notebook 06", "notebook 08a", "notebook 08b", "notebook 08c", "notebook 02",
)  # fmt: skip
# Files that stay together: the package looks once in a process at what the answers do that it knows
# of each exercise; and other frameworks take long to be imported.
TOGETHER = {
    "exercises": ("test_answers_of_others.py", "test_exercise_mistakes.py"),
    "witnesses": (
        "test_bench_measuring.py", "test_bridge.py", "test_bridge_jax.py", "test_bridge_torch.py",
        "test_bridge_training.py", "test_compare_checkers.py", "test_gan.py", "test_oracle.py",
        "test_torch_distributed.py",
    ),
}  # fmt: skip
RERUN = "test_a_notebook_gives_the_same_again["
GROUP_OF_FILE = {file: name for name, files in TOGETHER.items() for file in files}


def group_of(nodeid):
    """The name of the tests that run in one process, one after the other: those of a file, because
    they share what they prepare. The notebooks, which take the longest, are shared out one by one.
    """
    path, _, test = nodeid.partition("::")
    if test.startswith(RERUN):
        return f"notebook {test.removeprefix(RERUN).removesuffix(']')}"
    file = path.rpartition("/")[2]
    return GROUP_OF_FILE.get(file, file)


def place_of(nodeid):
    """In the order in which groups begin."""
    group = group_of(nodeid)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collecting makes a million objects that stay: the garbage collector is not to go through them
    again and again, neither now nor in the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    if PROCESSES > 1:  # each takes the next group, in the order of their first tests
        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """What `--dist loadgroup` means here. (xdist 3.8 itself writes the groups of marked tests where
    pytest 9.2 no longer looks, and shares out the tests of a file one by one.)"""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    config.option.loadscopereorder = False  # not the groups of most tests first; since xdist 3.7
    return ByGroup(config, log)


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


@pytest.fixture(autouse=True)
def no_scores_of_other_tests(monkeypatch):
    """The estimator remembers which model scored which images; each test begins with none."""
    monkeypatch.setattr(scoring, "_scored", {})


# ---- small runs --------------------------------------------------------------------------------


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    """No machine loses its power in these tests, and waiting for fsync is most of their time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def tiny_file(tmp_path, monkeypatch):
    """An empty folder to work in, with tiny.npy and no pictures to draw."""
    monkeypatch.chdir(tmp_path)
    tiny.draw_no_pictures(monkeypatch)
    np.save("tiny.npy", tiny.images())
    return tmp_path


@pytest.fixture(scope="session")
def X():
    """Images for the estimator; tests must not write into them."""
    return tiny.images()


@pytest.fixture(scope="session")
def fitted(X):
    """`tiny.estimator()`, fitted once; tests must not fit it again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the images are grey")
        return tiny.estimator().fit(X)


@pytest.fixture(scope="module")
def mnist_loaded_once():
    """MNIST, unpacked once for all tests in this process."""
    mnist = data.load("mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", {"mnist": mnist}.get)
        yield


# ---- exercises -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors gain nothing from a second thread, and wait for it
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax", reason="JAX is not installed")


@pytest.fixture
def jax_float64(jax):
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def safetensors():
    return pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")


@pytest.fixture(autouse=True)
def the_same_fresh_case(monkeypatch):
    """What a check draws afresh is the same in every run of the tests."""
    monkeypatch.setattr("minivae.exercises.grading.new_seed", lambda: 5)


@pytest.fixture
def progress_file(tmp_path, monkeypatch):
    """The exercises' progress file in an empty folder, and no answer has passed in this session."""
    from minivae.exercises import checker

    path = tmp_path / "progress.json"
    monkeypatch.setenv("MINIVAE_PROGRESS", str(path))
    monkeypatch.setattr(checker, "passed", {})
    monkeypatch.setattr("minivae.exercises.own_backend.passed", checker.passed)
    return path


@pytest.fixture(scope="module")
def no_progress(tmp_path_factory):
    """For tests that grade thousands of answers, and so keep nothing: one place for all of them."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("exercises") / "progress.json"
        patch.setenv("MINIVAE_PROGRESS", str(place))
        yield
    assert not place.exists()


@pytest.fixture
def clock(monkeypatch):
    """The exercises' calendar, which the test sets: clock(3) moves it three days forward."""
    from minivae.exercises import store

    day = [datetime.date(2026, 1, 1)]
    monkeypatch.setattr(store, "today", lambda: day[0])

    def later(days):
        day[0] += datetime.timedelta(days=days)

    return later
