"""The study of a VAE and a GAN: its measures on pictures with known answers, and its resumption."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae import data
from minivae.data import cats
from minivae.studies import gan_study

REFERENCES, SAMPLES = 300, 60
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def laid():
    return gan_study.lay_ground(REFERENCES, SAMPLES)


def pictures(n=SAMPLES, seed=5):
    drawn, factors = cats.draw(n, np.random.default_rng(seed))
    return drawn.reshape(n, -1), factors


def measured(images, ground):
    return gan_study.measure(images, ground, np.random.default_rng(0))


def test_the_fit_finds_the_factors_of_draws_of_real_cats(laid):
    images, factors = pictures()
    draws = data.binarize(images, np.random.default_rng(1))
    fitted, misfits = gan_study.fit_draws(draws, laid[0])
    off = np.abs(fitted - factors) / (cats.HIGH - cats.LOW)
    assert np.median(off[:, 0]) < 0.05  # chonk
    assert np.median(off[:, 5]) < 0.03  # position
    assert abs(misfits.mean()) < 1.5  # in units of its own noise


def test_blur_is_not_rewarded(laid):
    """Each cat averaged with two others: nearer to the cats as a picture than a noisy one, but its
    draws are farther away, fewer are accepted, and their variance is larger."""
    images, _ = pictures()
    sharp = measured(images, laid[0])
    mixed = measured(
        (images + np.roll(images, 1, axis=0) + np.roll(images, 2, axis=0)) / 3, laid[0]
    )
    assert mixed["greyness"] > 1.2 * sharp["greyness"]
    assert mixed["distance"] > sharp["distance"]
    assert mixed["accepted"] < sharp["accepted"] / 2


def test_contrast_multiplies_the_logits():
    p = np.array([[0.0, 0.2, 0.5, 0.7, 1.0]], np.float32)
    changed = gan_study.with_contrast(p, 1.7)
    assert changed[0, [0, 2, 4]] == pytest.approx([0, 0.5, 1])
    logits = np.log(p[0, [1, 3]] / (1 - p[0, [1, 3]]))
    assert changed[0, [1, 3]] == pytest.approx(1 / (1 + np.exp(-1.7 * logits)), rel=1e-5)


@pytest.mark.parametrize("wanted", [30.0, 50.0])
def test_the_factor_gives_the_greyness_that_is_wanted(wanted):
    images, _ = pictures()
    changed = gan_study.with_contrast(images, gan_study.contrast_for(images, wanted))
    assert gan_study.greyness(changed) == pytest.approx(wanted, rel=1e-3)


def test_too_much_contrast_is_rewarded_by_the_distance_and_not_by_the_energy(laid):
    ground, *_ = laid
    images, _ = pictures(4 * SAMPLES)
    sharp = gan_study.with_contrast(images, 3.0)
    assert gan_study.greyness(sharp) < gan_study.greyness(images) / 2
    assert measured(sharp, ground)["distance"] < measured(images, ground)["distance"] - 0.5
    assert gan_study.energy(sharp, ground) > gan_study.energy(images, ground) + 0.05


def test_one_cat_again_and_again_is_accepted_and_drops_the_other_kinds(laid):
    images, _ = pictures(1)
    found = measured(np.repeat(images, SAMPLES, axis=0), laid[0])
    assert found["accepted"] > 0.5
    assert found["kinds"] < 0.1
    assert min(found["uneven"]) > 0.3
    assert found["coverage"] < 0.1


def test_noise_is_accepted_never(laid):
    images = np.full((SAMPLES, 784), 0.3, np.float32)
    assert measured(images, laid[0])["accepted"] == 0


def test_the_relapse_is_the_largest_rise_above_the_best_before():
    assert gan_study.worst_relapse([5.0, 4.0, 3.0]) == 0
    assert gan_study.worst_relapse([5.0, 3.0, 3.5, 2.0, 2.2]) == pytest.approx(0.5)


# ---- the results -----------------------------------------------------------------------------


def small_study(path, seeds=(0, 1)):
    made = cats.dataset(80, 20)
    few = data.Dataset("cats", made.train, made.test, None, None, (28, 28), "")
    small = {"hidden": (8,), "latent_dim": 2, "epochs": 1, "batch_size": 40, "backend": "numpy"}
    return gan_study.run_study(
        say=lambda line: None,
        path=path,
        settings={name: s._replace(**small) for name, s in gan_study.SETTINGS.items()},
        seeds=seeds,
        dataset=few,
        references=REFERENCES,
        samples=SAMPLES,
    )


def test_a_study_that_was_stopped_goes_on_where_it_was(tmp_path, laid, monkeypatch):
    ground = {(REFERENCES, SAMPLES): laid}  # the same whenever it is laid; here, once
    monkeypatch.setattr(gan_study, "lay_ground", lambda *sizes: ground[sizes])
    whole = small_study(tmp_path / "whole.json")
    small_study(tmp_path / "parts.json", seeds=(0,))
    assert small_study(tmp_path / "parts.json") == whole
    assert (tmp_path / "parts.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert [(row["seed"], row["model"]) for row in whole["models"]] == [
        (0, "vae"), (0, "gan"), (1, "vae"), (1, "gan"),
    ]  # fmt: skip
    assert len({row["updates"] for row in whole["models"]}) == 1
    assert gan_study.shown_pictures(whole["models"][0]).shape == (gan_study.SHOWN, 784)


def test_the_committed_results_are_whole_and_need_no_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gan_study.train, "train", pytest.fail)
    before = gan_study.RESULTS.read_bytes()
    status, out, _ = tiny.command(capsys, "gan-study", "--json")
    assert (status, json.loads(out)) == (0, gan_study.read())
    assert gan_study.RESULTS.read_bytes() == before
    assert {(row["seed"], row["model"]) for row in gan_study.read()["models"]} == {
        (seed, model) for seed in gan_study.SEEDS for model in gan_study.SETTINGS
    }
    assert len({row["updates"] for row in gan_study.read()["models"]}) == 1
    status, out, _ = tiny.command(capsys, "gan-study")
    assert status == 0
    assert "accepted" in out


def test_results_of_other_settings_are_refused(tmp_path, monkeypatch, capsys):
    results = json.loads(gan_study.RESULTS.read_text())
    path = tmp_path / "gan_study.json"
    monkeypatch.setattr(gan_study, "RESULTS", path)
    for wrong in (results | {"settings": {}}, [1]):
        path.write_text(json.dumps(wrong))
        status, out, err = tiny.command(capsys, "gan-study")
        assert (status, out) == (2, "")
        assert "gan_study.json" in err


def test_generator_and_decoder_are_the_same_network():
    of_vae, of_gan = (gan_study.SETTINGS[name].spec(784) for name in ("vae", "gan"))
    for name in ("data_dim", "hidden", "latent_dim", "activation"):
        assert getattr(of_vae, name) == getattr(of_gan, name)
    assert len({s.steps_per_epoch(1000) * s.epochs for s in gan_study.SETTINGS.values()}) == 1


def test_the_readme_states_what_was_measured():
    results = gan_study.read()
    of = {m: [row for row in results["models"] if row["model"] == m] for m in ("vae", "gan")}

    def mean(model, name):
        return np.mean([row[name] for row in of[model]])

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    real = results["real"]
    wins = sum(v["accepted"] > g["accepted"] for v, g in zip(of["vae"], of["gan"], strict=True))
    assert wins == 1  # "in one seed of five the VAE is ahead"
    assert mean("gan", "greyness") < real["greyness"]  # "sharper than real cats"
    sharp = results["sharpened"]  # "both measures reward that"
    assert sharp["distance"] < real["distance"]
    assert sharp["accepted"] > real["accepted"]
    vae, gan = (
        100 * np.mean([row["matched"]["accepted"] for row in of[m]]) for m in ("vae", "gan")
    )
    pairs = [(v["matched"], g["matched"]) for v, g in zip(of["vae"], of["gan"], strict=True)]
    assert all(v["accepted"] > g["accepted"] for v, g in pairs)  # "ahead in all five seeds"
    assert mean("gan", "distance_of_p") > mean("vae", "distance_of_p")  # "farther from the cats"
    for words in (
        f"with the contrast of real cats {vae:.0f} % of the VAE's draws are accepted and "
        f"{gan:.0f} % of the GAN's",
        f"{of['gan'][0]['updates']:,} updates each",
        f"({mean('gan', 'distance'):.2f} against {mean('vae', 'distance'):.2f}; real cats reach "
        f"{real['distance']:.2f})",
        f"accepts {100 * mean('gan', 'accepted'):.0f} % of them against "
        f"{100 * mean('vae', 'accepted'):.0f} % ({100 * real['accepted']:.0f} % of real cats'",
        f"only {100 * mean('gan', 'kinds'):.0f} % of 64 kinds of cats, the VAE "
        f"{100 * mean('vae', 'kinds'):.0f} %",
    ):
        assert words in readme, words
