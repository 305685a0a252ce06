"""A .safetensors file holds the same model; damaged and foreign files are refused in one line."""

import json

import numpy as np
import pytest
from bridges import SPECS, assert_same, each_dtype, each_spec, one_line, random_model

from minivae import MinivaeError, bridge, vae
from minivae.runs import Model

# ---- safetensors -----------------------------------------------------------------------------


@each_spec
@each_dtype
def test_a_model_comes_back_from_safetensors_bit_for_bit(safetensors, tmp_path, spec, dtype):
    model = random_model(spec, dtype)
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, model)
    assert_same(model, bridge.load_safetensors(path))
    bridge.save_safetensors(tmp_path / "again", model)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_any_reader_of_safetensors_finds_the_named_tensors(safetensors, tmp_path):
    model = random_model(SPECS["learned variance"])
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, model)
    tensors = safetensors.load_file(path)
    assert tensors.keys() == model.params.keys()
    for name, array in model.params.items():
        np.testing.assert_array_equal(tensors[name], array)


def test_a_spec_of_numpy_numbers_is_saved_as_plain_ones(safetensors, tmp_path):
    spec = vae.Spec(np.int64(6), (np.int32(4),), 1, "tanh", "gaussian", variance=np.float64(0.3))
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(spec))
    assert bridge.load_safetensors(path).spec == spec


def test_a_truncated_file_is_refused_wherever_it_ends(safetensors, tmp_path):
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(vae.Spec(2, (), 1)))
    data = path.read_bytes()
    for length in [*range(0, len(data), 4), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(MinivaeError, match=r"model\.safetensors is damaged") as error:
            bridge.load_safetensors(path)
        assert one_line(error)


def test_a_damaged_file_gives_a_model_of_its_spec_or_one_line(safetensors, tmp_path):
    """The format has no checksum: a flipped bit in a number is not noticed, but nothing breaks."""
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(SPECS["bernoulli"]))
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(200):
        spoiled = bytearray(data)
        for position in rng.integers(len(data), size=rng.integers(1, 3)):
            spoiled[position] = rng.integers(256)
        path.write_bytes(spoiled)
        outcomes.append(loaded_or_error(path))
    models = [outcome for outcome in outcomes if isinstance(outcome, Model)]
    errors = [str(outcome) for outcome in outcomes if isinstance(outcome, MinivaeError)]
    assert models
    assert errors
    assert len(models) + len(errors) == len(outcomes)
    assert all(model.flat.shape == (vae.n_params(model.spec),) for model in models)
    assert not any("\n" in error for error in errors)


def loaded_or_error(path):
    try:
        return bridge.load_safetensors(path)
    except MinivaeError as error:
        return error


def rewritten(change_tensors=lambda t: t, change_head=lambda h: h):
    """A file with other tensors or another description than save_safetensors writes."""

    def write(safetensors, path):
        model = random_model(SPECS["bernoulli"])
        head = {
            "format_version": 1,
            "spec": model.spec._asdict(),
            "image_shape": model.image_shape,
        }
        metadata = {"minivae": json.dumps(change_head(head))}
        safetensors.save_file(change_tensors(model.params), path, metadata)

    return write


REFUSED_FILES = {
    "missing tensor": (
        rewritten(lambda t: {k: a for k, a in t.items() if k != "mu_b"}),
        "lacks tensor mu_b",
    ),
    "extra tensor": (rewritten(lambda t: t | {"more": t["mu_b"]}), "has an extra tensor more"),
    "another shape": (
        rewritten(lambda t: t | {"mu_W": np.ones((4, 3), np.float32)}),
        r"mu_W of shape \(4, 3\); this spec takes \(4, 2\)",
    ),
    "float16": (
        rewritten(lambda t: {k: a.astype(np.float16) for k, a in t.items()}),
        "dtype F16",
    ),
    "mixed floats": (
        rewritten(lambda t: t | {"mu_b": t["mu_b"].astype(float)}),
        "float32 and float64",
    ),
    "NaN": (rewritten(lambda t: t | {"mu_b": t["mu_b"] * np.nan}), "NaN or infinity"),
    "another version": (rewritten(change_head=lambda h: h | {"format_version": 2}), "of format 1"),
    "no spec": (rewritten(change_head=lambda h: h | {"spec": None}), "does not describe a model"),
    "impossible spec": (
        rewritten(change_head=lambda h: h | {"spec": h["spec"] | {"latent_dim": 0}}),
        "latent_dim",
    ),
    "another image shape": (
        rewritten(change_head=lambda h: h | {"image_shape": [2, 2]}),
        "do not have 6 pixels",
    ),
    "a list": (rewritten(change_head=lambda h: []), "of format 1"),
    "foreign": (
        lambda safetensors, path: safetensors.save_file({"w": np.ones(3)}, path),
        "does not say which minivae model",
    ),
    "metadata that is not JSON": (
        lambda safetensors, path: safetensors.save_file({"w": np.ones(3)}, path, {"minivae": "{"}),
        "is damaged",
    ),
    "empty": (lambda safetensors, path: path.write_bytes(b""), "is damaged"),
    "folder": (lambda safetensors, path: path.mkdir(), "is a folder"),
    "absent": (lambda safetensors, path: None, "does not exist"),
}


@pytest.mark.parametrize("what", REFUSED_FILES)
def test_a_file_that_holds_no_such_model_is_refused(safetensors, tmp_path, what):
    write, words = REFUSED_FILES[what]
    path = tmp_path / "model.safetensors"
    write(safetensors, path)
    with pytest.raises(MinivaeError, match=words) as error:
        bridge.load_safetensors(path)
    assert one_line(error)
    assert "model.safetensors" in str(error.value)


def test_a_failed_save_leaves_the_old_file(safetensors, tmp_path):
    path = tmp_path / "model.safetensors"
    bridge.save_safetensors(path, random_model(SPECS["bernoulli"]))
    before = path.read_bytes()
    broken = random_model(SPECS["bernoulli"])
    broken.flat[3] = np.nan
    with pytest.raises(MinivaeError, match="NaN"):
        bridge.save_safetensors(path, broken)
    assert path.read_bytes() == before
