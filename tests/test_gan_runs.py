"""A GAN in a run folder: trained, stopped and resumed to the bit, drawn from, and no more."""

import json

import numpy as np
import pytest
import tiny

from minivae import MinivaeError, checks, data, gan, runs, train, vae
from minivae.settings import GanSettings

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")
OPTIONS = ("train", "--model", "gan", *tiny.OPTIONS)
BACKENDS = ("numpy", "numba")


def settings(**changes):
    small = GanSettings(hidden=(7, 5), epochs=2, batch_size=20, backend="numpy", latent_dim=3)
    return small._replace(**changes)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    np.save(tmp_path / "tiny.npy", tiny.images())
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---- training ----------------------------------------------------------------------------------


def test_training_teaches_both_players():
    """On one bright pixel in 36: the generator learns the images' mean, which is easy to see."""
    bright = np.zeros((60, 36), np.uint8)
    bright[:, 7] = 255
    made = tiny.dataset(train=bright, test=bright[:0])
    chosen = settings(epochs=150, lr=5e-3)
    start = train.new_state(made, chosen)
    spec = chosen.spec(36)
    params = vae.unpack(start.flat, spec)
    params["gen_out_b"][:] = 0  # away from the mean image, where it starts
    before = gan.sample(params, 50, np.random.default_rng(0), spec)
    train.train(made, chosen, state=start)
    after = gan.sample(params, 50, np.random.default_rng(0), spec)
    truth = bright[0] / 255
    assert np.abs(after - truth).mean() < np.abs(before - truth).mean() / 4


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = (
        train.train(tiny.dataset(), settings(seed=seed)).flat.tobytes() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_history_has_both_losses_and_what_was_told_apart():
    state = train.train(tiny.dataset(), settings())
    assert [tuple(row) for row in state.history] == [train.GAN_COLUMNS] * 2
    assert all(0 <= row["told_apart"] <= 1 for row in state.history)
    assert state.history[-1]["step"] == 2 * tiny.STEPS_PER_EPOCH


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stop_after_any_step_changes_no_bit(tmp_path, backend):
    made, chosen = tiny.dataset(), settings(backend=backend)
    tiny.run(tmp_path / "whole", made, chosen)
    expected = tiny.outputs(tmp_path / "whole")
    for steps in range(1, 2 * tiny.STEPS_PER_EPOCH + 1):
        folder = tmp_path / f"stopped-{steps}"
        with pytest.raises(train.Interrupted):
            tiny.run(folder, made, chosen, should_stop=tiny.stop_after(steps))
        tiny.run(folder, made, chosen)
        assert tiny.outputs(folder) == expected, f"stopped after step {steps}"


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_step_that_diverges_leaves_both_players_as_they_were(player, monkeypatch):
    made, chosen = tiny.dataset(), settings()
    state = train.new_state(made, chosen)
    before = state.flat.tobytes(), state.m.tobytes(), state.v.tobytes()
    name = f"{player}_loss_and_grads"
    right = getattr(gan, name)
    monkeypatch.setattr(gan, name, lambda *a, **k: right(*a, **k)._replace(loss=np.nan))
    with pytest.raises(MinivaeError, match=f"the {player}'s loss is"):
        train.train(made, chosen, state=state)
    assert (state.flat.tobytes(), state.m.tobytes(), state.v.tobytes()) == before


# ---- the commands ------------------------------------------------------------------------------


def test_a_gan_trains_from_one_command_and_resumes(in_folder, capsys):
    status, out, _ = tiny.command(capsys, *OPTIONS)
    assert status == 0
    assert "generator" in out
    assert "sample runs/tiny" in out
    made = in_folder / "runs" / "tiny"
    assert {"model.npz", "history.csv", "curves.png", "samples.png"} <= set(tiny.contents(made))
    before = tiny.outputs(made)
    status, out, _ = tiny.command(capsys, "train", "--resume", "--out", "runs/tiny", "--json")
    assert (status, json.loads(out)["resumed"]) == (0, True)
    assert tiny.outputs(made) == before
    status, *_ = tiny.command(capsys, "train", "--from-run", "runs/tiny", "--out", "again")
    assert status == 0
    assert tiny.outputs(in_folder / "again")["model.npz"] == before["model.npz"]
    loaded = runs.load_gan_run("runs/tiny")
    assert loaded.image_shape == (6, 6)
    status, out, _ = tiny.command(capsys, "sample", "runs/tiny", "--count", "4", "--json")
    assert (status, json.loads(out)["count"]) == (0, 4)
    for other in ("evaluate", "explore"):
        error = tiny.refused(in_folder, capsys, other, "runs/tiny")
        assert "is a GAN" in error
        assert "minivae sample runs/tiny" in error
    error = tiny.refused(in_folder, capsys, "train", "--resume", "--out", "runs/tiny", "--beta", 2)
    assert "--beta" in error
    error = tiny.refused(
        in_folder, capsys, "train", "--resume", "--out", "runs/tiny", "--model", "vae"
    )
    assert "--model gan" in error


@pytest.mark.parametrize("option", ["--beta 2", "--likelihood gaussian", "--samples 3"])
def test_options_of_a_vae_are_refused(in_folder, capsys, option):
    error = tiny.refused(in_folder, capsys, *OPTIONS, *option.split())
    assert f"{option.split()[0]} belongs to a VAE" in error


def test_the_model_of_a_vae_is_no_gan_and_the_other_way_round(tmp_path):
    tiny.run(tmp_path / "gan", tiny.dataset(), settings())
    tiny.run(tmp_path / "vae", tiny.dataset(), tiny.settings())
    with pytest.raises(MinivaeError):
        runs.load_model(tmp_path / "gan" / runs.MODEL_FILE)
    with pytest.raises(MinivaeError):
        runs.load_gan(tmp_path / "vae" / runs.MODEL_FILE)
    with pytest.raises(MinivaeError):  # a checkpoint of the one does not continue the other
        runs.train_run(
            tmp_path / "gan", tiny.dataset(), tiny.settings(), data.fingerprint(tiny.dataset())
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [("latent_dim", 0), ("hidden", (0,)), ("activation", "sigmoid"), ("lr", -1.0), ("seed", -1),
     ("epochs", 0), ("batch_size", 10**6), ("schedule", "cosine"), ("backend", "torch")],
)  # fmt: skip
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(name, value):
    with pytest.raises(MinivaeError, match=name):
        checks.check_settings(settings(**{name: value}), tiny.dataset())
