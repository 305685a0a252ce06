"""Malformed arguments: the command line, the estimator, the model and its evaluation.

Each call returns a finite result or raises MinivaeError: no other exception, no warning (they are
errors here), no partial output and no file written. The seed is fixed, so that the inputs are the
same each time; inputs that once led to a failure are in FOUND.
"""

import json
import os

import numpy as np
import pytest
import tiny
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from minivae import VAE, MinivaeError, cli, data, evaluate, runs, train, vae
from minivae.data import loading

# The warning that a Bernoulli likelihood binarizes grey images is intended.
pytestmark = [
    pytest.mark.filterwarnings("ignore:the images are grey:UserWarning"),
    pytest.mark.filterwarnings("ignore:the brightest pixel is:UserWarning"),
    pytest.mark.filterwarnings("ignore:these images were scored by:UserWarning"),
]

SEED = 20261123


def counts(fast, full):
    """The number of malformed inputs for each test: 20,000 for all four in the full run."""
    return pytest.mark.parametrize(
        "count", [fast, pytest.param(full, marks=pytest.mark.slow)], ids=["fast", "full"]
    )


def one_line(error):
    message = str(error)
    assert message
    assert len(message.splitlines()) == 1, message
    assert len(message) < 2000


# ---- the command line ----------------------------------------------------------------------------


WORDS = (
    *("", " ", "-", "--", "-1", "0", "1", "2", "3", "20", "1e3", "-0", "1_0", "0x10", "²", "٣"),
    *("nan", "inf", "-inf", "1e400", "1e-400", "9" * 30, "9" * 5000, "2.5", "0.1", "True", "None"),
    *("mnits", "tiny.npy", "tiny.npy/", "labels.npy", "broken.npz", "text.txt", "folder", "/"),
    *("good", "bad-json", "bad-settings", "no-model", "bad-model", "~", "$HOME", "*", "%s%n", "{}"),
    *("a\0b", "a\nb", "\x1b[31m", "é", "\ud800", "'; rm -rf .", "<script>", "x" * 300, "CON", "@f"),
    *("tanh", "relu", "elbo", "iwae", "bernoulli", "gaussian", "numpy", "numba", "list"),
)
FLAGS = (
    *("--data", "--latent", "--hidden", "--activation", "--epochs", "--batch-size", "--lr"),
    *("--schedule", "--beta", "--warmup", "--free-bits", "--objective", "--samples"),
    *("--likelihood", "--variance", "--backend", "--seed", "--out", "--resume", "--from-run"),
    *("--limit", "--count", "--checkpoint-seconds", "--json", "--plant", "--nonsense", "-x"),
)
COMMANDS = ("train", "train", "evaluate", "sample", "explore", "gradcheck --plant x", "help")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """A folder with good and bad data and runs, which no command may change."""
    room = tmp_path_factory.mktemp("room")
    np.save(room / "tiny.npy", tiny.images())
    np.save(room / "labels.npy", np.arange(60))
    (room / "broken.npz").write_bytes(b"PK\x03\x04 and then nothing")
    (room / "text.txt").write_text("text")
    (room / "folder").mkdir()
    (room / "folder" / "thesis.tex").write_text("years of work")
    for name in ("good", "bad-json", "bad-settings", "no-model", "bad-model"):
        (room / name).mkdir()
        record = {
            "format": 1,
            "command": "",
            "data": "tiny.npy",
            "versions": {},
            "fingerprint": data.fingerprint(data.load(room / "tiny.npy")),
            "settings": tiny.settings()._asdict(),
        }
        if name == "bad-settings":
            record["settings"]["latent_dim"] = -1
        text = "{" if name == "bad-json" else json.dumps(record)
        (room / name / runs.RUN_FILE).write_text(text)
        (room / name / runs.MODEL_FILE).write_bytes(b"no model")
    (room / "no-model" / runs.MODEL_FILE).unlink()
    return room


def strange_command(rng):
    """A command with options and words in any order: most are wrong in several ways."""
    argv = str(rng.choice(COMMANDS)).split()
    if rng.random() < 0.7:  # a valid beginning
        argv += ["--data", "tiny.npy", "--hidden", "5", "--backend", "numpy", "--batch-size", "20"]
    for _ in range(rng.integers(0, 4)):
        argv.append(str(rng.choice(FLAGS)))
        argv += [WORDS[i] for i in rng.integers(len(WORDS), size=rng.choice(3, p=[0.1, 0.8, 0.1]))]
    if rng.random() < 0.1:
        rng.shuffle(argv)
    return argv


@pytest.fixture
def command_line(rooms, monkeypatch, capsys):
    """run(argv) -> status, after all assertions. Valid commands stop before they train."""

    def no_training(*args, **kwargs):
        raise train.Interrupted(0)

    monkeypatch.chdir(rooms)
    monkeypatch.setattr(runs, "train_run", no_training)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(loading, "MNIST", rooms / "tiny.npy")  # the default data, read many times
    before = tiny.contents(rooms)

    def run(argv):
        try:
            status = cli.main(argv)
        except SystemExit as end:  # --help
            status = end.code
        out, err = capsys.readouterr()
        assert status in (0, 2, 130), argv
        if status == 2:
            assert out == "", argv
            assert err.startswith("minivae: error: "), argv
            assert err.endswith("\n")
            one_line(err[:-1])
        else:
            clear(rooms, before)
        assert tiny.contents(rooms) == before, argv
        return status

    return run


def clear(room, before):
    """Remove what a valid command has made."""
    for path in sorted(room.rglob("*"), reverse=True):
        if path.relative_to(room).as_posix() not in before:
            path.rmdir() if path.is_dir() else path.unlink()


@counts(50, 2000)
def test_strange_commands(command_line, count):
    rng = np.random.default_rng(SEED)
    refused = tried = 0
    while refused < count:
        refused += command_line(strange_command(rng)) == 2
        tried += 1
    assert refused > 0.5 * tried


@hypothesis_settings(
    derandomize=True,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(("train", *FLAGS)) | st.text(max_size=12), max_size=6))
@example(["train", "--out", "x" * 300])  # is_file() raises for a name that is too long
@example(["evaluate", "x" * 300])
@example(["train", "--from-run", ""])
@example(["train", "--resume", "--out", "text.txt/x"])
@example(["train", "--data", "tiny.npy", "--seed", "9" * 4000])
@example(["train", "--data", "tiny.npy", "--latent", "1000000000"])  # memory, before it is taken
@example(["train", "--data", "tiny.npy", "--objective", "iwae", "--samples", "1000000000"])
@example(["sample", "good", "--count", "1000000000"])
def test_any_words(command_line, argv):
    command_line(["--help"] if argv == ["train"] else argv)


# ---- the estimator -------------------------------------------------------------------------------


def itself():
    """A list that holds itself."""
    loop = []
    loop.append(loop)
    return loop


OBJECTS = (
    *(None, True, False, 0, 1, -1, 2, 3, 10**9, 10**12, 10**400, 0.0, -0.0, 0.5, -0.5, 1e-320),
    *(1e308, np.nan, np.inf, -np.inf, 1j, "", "tanh", "numpy", "a" * 999, "\n", b"", b"tanh"),
    *([], [1], [[1]], [1, [2]], itself(), (), (0,), (5,), (5, 5.5), {}, {"a": 1}, {1, 2}, range(3)),
    *(np.float32(0.1), np.float32(np.nan), np.float16(6e4), np.int8(-3), np.uint64(2**64 - 1)),
    *(np.longdouble("1e4000"), np.bool_(True), np.str_("relu"), np.datetime64("nat", "s")),
    *(np.array(3), np.array([5]), np.array([5, 5]), np.zeros((2, 2)), np.array([None])),
    *(np.ma.masked, slice(3), Ellipsis, NotImplemented, object, len, memoryview(b"abc")),
)
PIXELS = 6
DTYPES = (
    *("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", ">f4", "f8", "g"),
    *("c8", "O", "U3", "S3", "M8[s]", "m8[D]", "V4", "u1,f4"),
)
SHAPES = (
    *((), (0,), (PIXELS,), (3, PIXELS), (3, PIXELS), (3, PIXELS), (20, PIXELS), (1, PIXELS)),
    *((3, 2, 3), (3, 2, 3, 1), (3, 1, 2, 3), (3, 3, 2, 3), (PIXELS, 3), (3, PIXELS + 1)),
    *((0, PIXELS), (3, 0), (2, 1, 1, 1, PIXELS), (PIXELS, PIXELS)),
)
VALUES = (
    *(0, 0, 0, 1, 1, 1, 0.5, 0.25, -1, -0.0, 2, 127, 128, 255, 256, -128, 1e-320, 1e-45, 1 + 1e-7),
    *(1e5, 1e6, 1.1e6, 1e20, 3e38, 1e39, 1e308, np.nan, np.inf, -np.inf, 2**31, 2**63, -(2**63)),
)


def strange_array(rng):
    """An array of any type, mostly of nearly the right shape, mostly with a few odd values."""
    dtype, shape = np.dtype(str(rng.choice(DTYPES))), SHAPES[rng.integers(len(SHAPES))]
    kinds = rng.integers(1, 4)
    with np.errstate(all="ignore"):
        values = rng.choice(np.array(VALUES)[rng.integers(len(VALUES), size=kinds)], size=shape)
        if dtype.kind in "biufcO":
            array = np.asarray(values).astype(dtype)
        else:
            array = np.zeros(shape, dtype)
    if array.ndim and rng.random() < 0.2:
        array = array[..., ::-1] if rng.random() < 0.5 else np.asfortranarray(array)
    return array


def strange_images(rng):
    kind = rng.random()
    if kind < 0.15:
        return OBJECTS[rng.integers(len(OBJECTS))]
    array = strange_array(rng)
    if kind < 0.25:
        return array.tolist()
    if kind < 0.3:
        return np.ma.masked_array(array)
    return array


def strange_estimator(rng):
    """A VAE with up to three parameters replaced by anything."""
    good = {"hidden": (4,), "epochs": 1, "batch_size": 3, "backend": "numpy", "random_state": 0}
    names = [name for name in VAE().get_params() if name != "verbose"]
    wrong = rng.choice(names, size=rng.integers(0, 4), replace=False)
    return VAE(**good | {str(name): OBJECTS[rng.integers(len(OBJECTS))] for name in wrong})


@pytest.fixture(scope="module")
def fitted():
    X = np.random.default_rng(0).random((20, PIXELS))
    return [
        VAE(hidden=(4,), epochs=1, batch_size=5, backend="numpy", random_state=0, **kind).fit(X)
        for kind in ({}, {"likelihood": "gaussian", "activation": "relu"})
    ]


def anything(rng):
    return OBJECTS[rng.integers(len(OBJECTS))]


def use_estimator(fitted, rng):
    """One method of the estimator with strange arguments -> its result."""
    model = fitted[rng.integers(2)]
    uses = (
        lambda: strange_estimator(rng).fit(strange_images(rng)).model_.flat,
        lambda: model.transform(strange_images(rng)),
        lambda: model.reconstruct(strange_images(rng)),
        lambda: model.inverse_transform(strange_images(rng)),
        lambda: model.score_samples(strange_images(rng), 2),
        lambda: model.score_samples([[0] * PIXELS], small(anything(rng))),
        lambda: model.interpolate(strange_images(rng), strange_images(rng), 2),
        lambda: model.interpolate([0] * PIXELS, [1] * PIXELS, small(anything(rng))),
        lambda: model.sample(small(anything(rng)), anything(rng)),
        lambda: VAE.load(anything(rng)).model_.flat,
        lambda: model.set_params(**{str(rng.choice(WORDS)): 1}) and 1,
    )
    return uses[rng.integers(len(uses))]()


def small(value):
    """Replace a number of samples that is valid but would take too long."""
    return 3 if isinstance(value, (int, np.integer)) and 10**4 < value <= 10**9 else value


@counts(150, 6000)
def test_strange_arguments_of_the_estimator(fitted, count):
    rng = np.random.default_rng(SEED)
    refused = tried = 0
    while refused < count:
        tried += 1
        try:
            result = use_estimator(fitted, rng)
        except MinivaeError as error:
            one_line(error)
            refused += 1
        else:
            assert np.isfinite(result).all()
    assert 0.5 * tried < refused < 0.98 * tried


# ---- the model and its evaluation ----------------------------------------------------------------


MODELS = tuple(
    (spec, vae.init_params(spec, np.random.default_rng(1), dtype=dtype), dtype)
    for spec in (
        vae.Spec(PIXELS, (5,), 2),
        vae.Spec(PIXELS, (3,), 1, likelihood="gaussian"),
        vae.Spec(PIXELS, (4,), 3, likelihood="gaussian", variance=1e-3),
    )
    for dtype in (np.float32, np.float64)
)


def use_model(rng):
    """One function of `vae` on a strange batch -> its numbers."""
    spec, flat, dtype = MODELS[rng.integers(len(MODELS))]
    params = vae.unpack(flat, spec)
    x = strange_images(rng)
    n = len(x) if isinstance(x, np.ndarray) and x.ndim else 3
    shape = [(n, spec.latent_dim), (2, n, spec.latent_dim)]
    if rng.random() < 0.2:
        shape = [(n + 1, spec.latent_dim), (n, spec.latent_dim)]
    eps = [np.full(size, 0.5, dtype) for size in shape]
    if rng.random() < 0.2:
        eps = [strange_images(rng)] * 2
    uses = (
        lambda: vae.elbo(params, x, eps[0], spec),
        lambda: vae.elbo_and_grads(params, x, eps[0], spec).flat_grads,
        lambda: vae.iwae(params, x, eps[1], spec),
        lambda: vae.iwae_and_grads(params, x, eps[1], spec).flat_grads,
        lambda: vae.log_weights(params, x, eps[1], spec),
    )
    return uses[rng.integers(len(uses))]()


def use_evaluation(rng):
    """One function of `evaluate` on strange images -> its numbers."""
    spec, flat, _ = MODELS[rng.integers(len(MODELS))]
    params = vae.unpack(flat, spec)
    x = strange_images(rng)
    if rng.random() < 0.3 and isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        x = x > 0
    draw = np.random.default_rng(0)
    uses = (
        lambda: evaluate.elbo_terms(params, x, spec, rng=draw),
        lambda: evaluate.log_likelihood(params, x, spec, samples=2, rng=draw).log_p,
        lambda: evaluate.latent_activity(params, x, spec),
        lambda: evaluate.evaluate(params, x, spec, samples=2)["log_likelihood"],
        lambda: evaluate.evaluate(params, x, spec, samples=small(anything(rng)))["elbo"],
    )
    return uses[rng.integers(len(uses))]()


@counts(150, 6000)
@pytest.mark.parametrize("use", [use_model, use_evaluation])
def test_strange_batches(use, count):
    """Every public function of the model and its evaluation checks x with `check_batch`."""
    rng = np.random.default_rng(SEED)
    refused = tried = 0
    while refused < count:
        tried += 1
        try:
            result = use(rng)
        except MinivaeError as error:
            one_line(error)
            refused += 1
        else:
            assert np.isfinite(result).all()
    assert 0.5 * tried < refused < 0.98 * tried


FOUND = (
    itself(),  # NumPy: RuntimeError or ValueError, by version
    [[1, 2], [3]],
    np.full((1, PIXELS), np.longdouble("1e4000")),  # infinite once it is a float32
    np.full((1, PIXELS), 1e300),
    np.full((1, PIXELS), -(2**63)),  # its absolute value is itself
    np.full((1, PIXELS), 2**64 - 1, np.uint64),
    np.full((1, PIXELS), 1e6),
    np.zeros((1, PIXELS), bool),
)


@pytest.mark.parametrize("x", FOUND, ids=range(len(FOUND)))
@pytest.mark.parametrize("model", range(len(MODELS)))
def test_batches_that_were_found(model, x):
    spec, flat, dtype = MODELS[model]
    eps = np.zeros((1, spec.latent_dim), dtype)
    try:
        terms = vae.elbo(vae.unpack(flat, spec), x, eps, spec)
    except MinivaeError as error:
        one_line(error)
    else:
        assert np.isfinite(terms).all()
