"""Model files and run folders: they come back as they were, or are refused in one line."""

import json
import os

import numpy as np
import pytest
import tiny
from refusals import refusal

from minivae import MinivaeError, data, files, ops, runs, vae

SPECS = (
    vae.Spec(6, (4, 3), 2),
    vae.Spec(6, (), 1, likelihood="gaussian"),
    vae.Spec(6, (5,), 7, "relu", "gaussian", 0.25, 0.5),
)


def model_of(spec, dtype=np.float32):
    flat = vae.init_params(spec, np.random.default_rng(5), data_mean=np.full(6, 0.3), dtype=dtype)
    return runs.Model(spec, flat, (2, 3))


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---- model files -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spec", SPECS)
def test_a_model_comes_back_bit_for_bit(tmp_path, spec, dtype):
    model = model_of(spec, dtype)
    runs.save_model(tmp_path / "model.npz", model)
    back = runs.load_model(tmp_path / "model.npz")
    assert back.spec == spec
    assert back.image_shape == (2, 3)
    assert back.flat.dtype == dtype
    assert back.flat.tobytes() == model.flat.tobytes()


def test_half_precision_comes_back_as_float32(tmp_path):
    model = model_of(SPECS[0])
    runs.save_model(tmp_path / "half.npz", model, dtype=np.float16)
    back = runs.load_model(tmp_path / "half.npz")
    assert back.flat.dtype == np.float32
    np.testing.assert_allclose(back.flat, model.flat, rtol=1e-3)


def test_numpy_opens_a_model_under_its_parameter_names(tmp_path):
    model = model_of(SPECS[0])
    runs.save_model(tmp_path / "model.npz", model)
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        for name, value in model.params.items():
            assert arrays[name].tobytes() == value.tobytes()


def damage_and_load(tmp_path, flips, cuts):
    """Flip single bits and cut the end off: what still loads must be the very same model."""
    path = tmp_path / "model.npz"
    model = model_of(SPECS[0])
    runs.save_model(path, model)
    whole = path.read_bytes()
    rng = np.random.default_rng(8)
    refused = 0
    for at in rng.choice(8 * len(whole), flips, replace=False):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        refused += is_refused(path, bytes(damaged), model)
    for length in rng.choice(len(whole), cuts, replace=False):
        refused += is_refused(path, whole[:length], model)
    return refused


def is_refused(path, content, model):
    path.write_bytes(content)
    try:
        back = runs.load_model(path)
    except MinivaeError as error:
        message = str(error)
    else:
        assert back.spec == model.spec
        assert back.flat.tobytes() == model.flat.tobytes()
        return False
    assert len(message.splitlines()) == 1
    return path.as_posix() in message


def test_damaged_models_are_refused(tmp_path):
    assert damage_and_load(tmp_path, 150, 50) == 200


@pytest.mark.slow
def test_2000_flipped_bits_and_500_truncations_are_refused(tmp_path):
    assert damage_and_load(tmp_path, 2000, 500) == 2500


def with_spec(**changes):
    return lambda meta: meta["spec"].update(changes)


NONSENSE = {
    "no spec": lambda meta: meta.pop("spec"),
    "a spec of another kind": lambda meta: meta.update(spec=[6, 4, 2]),
    "a field more": with_spec(dropout=0.5),
    "a field less": lambda meta: meta["spec"].pop("activation"),
    "no pixels": with_spec(data_dim=0),
    "negative latents": with_spec(latent_dim=-2),
    "other sizes": with_spec(latent_dim=3),
    "sizes in words": with_spec(data_dim="6"),
    "sizes that are true": with_spec(latent_dim=True),
    "broken sizes": with_spec(hidden=[4.0, 3.0]),
    "hidden layers of another kind": with_spec(hidden="43"),
    "hidden layers in layers": with_spec(hidden=[[4], [3]]),
    "enormous sizes": with_spec(data_dim=10**9, hidden=[10**9]),
    "sizes of 4,000 digits": with_spec(data_dim=10**4000, hidden=[10**4000]),
    "a thousand layers": with_spec(hidden=[10**9] * 1000),
    "another activation": with_spec(activation="__import__('os')"),
    "an activation of another kind": with_spec(activation=["tanh"]),
    "another likelihood": with_spec(likelihood="laplace"),
    "negative free bits": with_spec(free_bits=-1.0),
    "free bits in words": with_spec(free_bits="0"),
    "free bits of 400 digits": with_spec(free_bits=10**400),
    "a variance for a bernoulli": with_spec(variance=1.0),
    "a variance of zero": with_spec(likelihood="gaussian", variance=0.0),
    "a variance in words": with_spec(likelihood="gaussian", variance="1"),
    "a learned variance that is not there": with_spec(likelihood="gaussian"),
    "no image shape": lambda meta: meta.pop("image_shape"),
    "another image shape": lambda meta: meta.update(image_shape=[3, 3]),
    "a negative image shape": lambda meta: meta.update(image_shape=[-2, -3]),
    "an image shape in words": lambda meta: meta.update(image_shape="23"),
    "an image shape of three": lambda meta: meta.update(image_shape=[1, 2, 3]),
    "a huge image shape": lambda meta: meta.update(image_shape=[10**400, 0]),
}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / "model.npz"
    runs.save_model(path, model_of(SPECS[0]))
    return files.read_archive(path, kind=runs.MODEL_KIND)


@pytest.mark.parametrize("name", NONSENSE)
def test_a_sealed_model_that_makes_no_sense_is_refused(tmp_path, sealed, name):
    """A stranger can compute a checksum too: the description itself must be checked."""
    arrays, meta = sealed
    meta = json.loads(json.dumps(meta))
    NONSENSE[name](meta)
    path = tmp_path / "model.npz"
    files.write_archive(path, arrays, meta)
    assert "model.npz is damaged" in refusal(runs.load_model, path)


def test_arrays_that_are_not_the_models_are_refused(tmp_path, sealed):
    arrays, meta = sealed
    wrong = (
        {name: array for name, array in arrays.items() if name != "mu_b"},
        {**arrays, "more": arrays["mu_b"]},
        {**arrays, "mu_W": arrays["mu_W"].T},
        {**arrays, "mu_b": arrays["mu_b"].astype(np.float64)},
        {name: array.astype(np.int32) for name, array in arrays.items()},
    )
    for some in wrong:
        files.write_archive(tmp_path / "model.npz", some, meta)
        with pytest.raises(MinivaeError, match="is damaged"):
            runs.load_model(tmp_path / "model.npz")


def test_another_kind_of_file_is_refused(tmp_path):
    tiny.run(tmp_path / "run", tiny.dataset(), tiny.settings())
    with pytest.raises(MinivaeError, match="holds a checkpoint, not a model"):
        runs.load_model(tmp_path / "run" / runs.CHECKPOINT_FILE)
    with pytest.raises(MinivaeError, match="does not exist"):
        runs.load_model(tmp_path / "nowhere.npz")


def test_an_image_in_one_long_row_is_read_back(tmp_path):
    """160 x 160 x 3 numbers, flat: no square, so one row, (1, D)."""
    spec = vae.Spec(76_800, (1,), 1)
    flat = np.zeros(vae.n_params(spec), np.float32)
    runs.save_model(tmp_path / "m.npz", runs.Model(spec, flat, (1, 76_800)))
    assert runs.load_model(tmp_path / "m.npz").image_shape == (1, 76_800)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("size", [1e4, 1e20, 3e38])
def test_a_model_of_enormous_numbers_is_used_or_refused(work, capsys, size, activation):
    """All finite, rightly sealed, and hopeless: one line, no NaN in a report, no warning."""
    np.save("tiny.npy", tiny.images())
    made, chosen = tiny.dataset(), tiny.settings(activation=activation)
    model, _ = tiny.run(work / "run", made, chosen)
    record = {
        "format": 1,
        "command": "",
        "data": "tiny.npy",
        "settings": chosen._asdict(),
        "versions": {},
        "fingerprint": data.fingerprint(data.load("tiny.npy")),
    }
    (work / "run" / runs.RUN_FILE).write_text(json.dumps(record))
    signs = np.random.default_rng(0).choice([-1, 1], model.flat.size)
    flat = (size * signs).astype(np.float32)
    runs.save_model(work / "run" / runs.MODEL_FILE, model._replace(flat=flat))
    for argv in (
        ("evaluate", "run", "--samples", "3", "--backend", "numpy", "--json"),
        ("sample", "run", "--count", "1", "--json"),
        ("explore", "run", "--json"),
    ):
        status, out, err = tiny.command(capsys, *argv)
        if status == 0:
            assert isinstance(json.loads(out, parse_constant=pytest.fail), dict)
        else:
            assert (status, out) == (2, "")
            assert err.startswith("minivae: error: ")
            assert len(err.splitlines()) == 1


# ---- run folders ---------------------------------------------------------------------------------


def test_names_move_on_and_nothing_is_overwritten(work):
    names = [runs.claim_folder("mnist").as_posix() for _ in range(3)]
    assert names == ["runs/mnist", "runs/mnist-2", "runs/mnist-3"]


def test_a_named_folder_is_made_with_its_parents(work):
    folder = runs.claim_folder("mnist", work / "a" / "b")
    assert folder.is_dir()
    assert runs.claim_folder("mnist", work / "a" / "b") == folder  # still empty


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("full", "full is not empty and holds no run"),
        (
            "run",
            "already holds a run; choose another folder .--out., or go on with it .--resume.",
        ),
        ("file", "cannot use file as a run folder"),
        ("file/below", "cannot use file.below as a run folder"),
        ("file/far/below", "cannot use file.far.below as a run folder"),
        ("x" * 300, "x as a run folder"),
    ],
)
def test_folders_that_cannot_be_used_are_named_and_left_alone(work, out, message):
    (work / "full").mkdir()
    (work / "full" / "thesis.tex").write_text("years of work")
    (work / "run").mkdir()
    (work / "run" / runs.RUN_FILE).write_text("{}")
    (work / "file").write_text("a file")
    before = tiny.contents(work)
    with pytest.raises(MinivaeError, match=message):
        runs.claim_folder("mnist", type(work)(out))
    assert tiny.contents(work) == before


def test_a_file_called_runs_is_in_the_way(work):
    (work / "runs").write_text("")
    with pytest.raises(MinivaeError, match=r"its parent is not a folder; choose another \(--out\)"):
        runs.claim_folder("mnist")


def good_record():
    return {
        "format": 1,
        "command": "python -m minivae train",
        "data": "mnist",
        "fingerprint": "00",
        "settings": tiny.settings()._asdict(),
        "versions": {"numpy": "2"},
    }


BAD_RUN_FILES = {
    "nothing": b"",
    "no JSON": b"latent: 2",
    "half a file": json.dumps(good_record()).encode()[:40],
    "no object": b"[1, 2]",
    "no text": b"\xff\xfe\x00\x01",
    "a tower of brackets": b"[" * 100_000,
    "a number of 5,000 digits": b'{"format": ' + b"9" * 5000 + b"}",
    "far too much": b" " * (2 << 20),
    **{
        f"no {name}": json.dumps({k: v for k, v in good_record().items() if k != name}).encode()
        for name in runs.RECORD
    },
    **{
        f"{name} of another kind": json.dumps(good_record() | {name: [1]}).encode()
        for name in runs.RECORD
    },
    "another format": json.dumps(good_record() | {"format": 7}).encode(),
}


@pytest.mark.parametrize("name", BAD_RUN_FILES)
def test_a_run_file_that_makes_no_sense_is_refused(tmp_path, name):
    (tmp_path / runs.RUN_FILE).write_bytes(BAD_RUN_FILES[name])
    assert "run.json is damaged" in refusal(runs.read_run_file, tmp_path)


BAD_SETTINGS = (
    {"latent_dim": 0},
    {"latent_dim": "2"},
    {"latent_dim": 10**4000},
    {"latent_dim": 10**9},
    {"hidden": 7.5},
    {"hidden": {"a": 1}},
    {"lr": float("nan")},
    {"lr": float("inf")},
    {"lr": -1},
    {"lr": "1"},
    {"lr": None},
    {"epochs": 10**30},
    {"seed": -1},
    {"backend": "os.system"},
    {"momentum": 0.9},
    {"backend": ["numba"]},
    {"variance": 1.0},
    {"free_bits": 10**400},
    {"activation": "x" * 10**5},
)


@pytest.mark.parametrize("how", [("--resume", "--out"), ("--from-run",)])
def test_settings_that_make_no_sense_are_refused(work, capsys, how):
    """What a run file says is checked as what a user says is: one line, nothing written."""
    (work / "run").mkdir()
    for bad in BAD_SETTINGS:
        record = good_record()
        record["settings"] |= bad
        (work / "run" / runs.RUN_FILE).write_text(json.dumps(record))
        before = tiny.contents(work)
        status, out, err = tiny.command(capsys, "train", *how, "run")
        assert (status, out) == (2, ""), bad
        assert err.startswith("minivae: error: run")
        assert len(err.splitlines()) == 1
        assert tiny.contents(work) == before


@pytest.mark.parametrize("content", [None, "a file", "an empty folder", "a folder of other things"])
def test_what_is_no_run_is_refused(work, capsys, content):
    path = work / "it"
    if content == "a file":
        path.write_text("text")
    elif content is not None:
        path.mkdir()
        if content == "a folder of other things":
            (path / "notes.txt").write_text("text")
    before = tiny.contents(work)
    for command in (["evaluate"], ["sample"], ["explore"], ["train", "--from-run"]):
        status, out, err = tiny.command(capsys, *command, "it")
        assert (status, out) == (2, "")
        assert err.startswith("minivae: error: it ")
        assert len(err.splitlines()) == 1
    assert tiny.contents(work) == before


def test_an_unfinished_run_says_how_to_finish_it(work, capsys):
    (work / "it").mkdir()
    (work / "it" / runs.RUN_FILE).write_text(json.dumps(good_record()))
    status, _, err = tiny.command(capsys, "evaluate", "it")
    assert status == 2
    assert "it holds no finished model; finish it with `python -m minivae train --resume" in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_for_a_run_file_does_not_hang(work, capsys):
    (work / "it").mkdir()
    os.mkfifo(work / "it" / runs.RUN_FILE)
    assert tiny.command(capsys, "evaluate", "it")[0] == 2


def test_history_is_written_in_full_precision(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1e-300}]
    runs.write_history(tmp_path, rows)
    text = (tmp_path / runs.HISTORY_FILE).read_text()
    assert text == "epoch,loss\n1,0.30000000000000004\n2,1e-300\n"


def test_a_model_draws_the_same_after_a_round_trip(tmp_path):
    """What is saved is all that the model is."""
    model = model_of(SPECS[0])
    runs.save_model(tmp_path / "model.npz", model)
    back = runs.load_model(tmp_path / "model.npz")
    draws = [vae.sample(m.params, 3, np.random.default_rng(0), m.spec, ops) for m in (model, back)]
    assert draws[0].tobytes() == draws[1].tobytes()
