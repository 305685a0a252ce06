"""The study behind notebook 07 makes what is missing, and its committed results are whole."""

import json

import numpy as np
import pytest
import tiny

from minivae import data
from minivae.backend import load_backend
from minivae.errors import MinivaeError
from minivae.studies import training_study
from minivae.studies.training_study import Run

COMMITTED = training_study.RESULTS


@pytest.fixture
def few_images(monkeypatch):
    """A data set of thirty small images in place of MNIST."""
    images = np.random.default_rng(0).integers(0, 256, (30, 9), dtype=np.uint8)
    dataset = data.Dataset("few", images[:20], images[20:], None, None, (3, 3), "")
    monkeypatch.setattr(training_study.data, "load", lambda name: dataset)
    monkeypatch.setattr(training_study, "WINDOWS", 2)
    return dataset


@pytest.fixture
def results_file(tmp_path, monkeypatch):
    path = tmp_path / "figures" / "training_study.json"
    path.parent.mkdir()
    monkeypatch.setattr(training_study, "RESULTS", path)
    return path


SHORT = tuple(Run("short", seed=seed, steps=3, batch=8) for seed in (0, 1))


def test_the_committed_results_hold_every_run_once():
    rows = training_study.read(COMMITTED)["runs"]
    made = [training_study.run_of(row) for row in rows]
    assert sorted(made) == sorted(training_study.planned())
    for row in rows:
        if row["elbo"] is not None:
            assert row["elbo"] == pytest.approx(-(row["nll"] + row["kl"]), abs=1e-3)
            # A run with a rate far too high ends at 231,000 nats: single precision, other sums.
            assert sum(row["kl_per_latent"]) == pytest.approx(row["kl"], rel=1e-4, abs=1e-2)


def test_only_missing_runs_are_made(few_images, results_file, monkeypatch):
    said = []
    whole = training_study.run_study(say=said.append, path=results_file, runs=SHORT)
    results_file.write_text(json.dumps({**whole, "runs": whole["runs"][:1]}))
    again = training_study.run_study(say=said.append, path=results_file, runs=SHORT)
    assert again == whole == training_study.read(results_file)
    assert [line.split(":")[0] for line in said] == ["1 of 2", "2 of 2", "1 of 1"]
    monkeypatch.setattr(training_study, "one_run", pytest.fail)
    assert training_study.run_study(say=pytest.fail, path=results_file, runs=SHORT) == whole


def test_the_command_prints_the_results(few_images, results_file, monkeypatch, capsys):
    monkeypatch.setattr(training_study, "planned", lambda: list(SHORT))
    status, out, _ = tiny.command(capsys, "training-study", "--json")
    assert status == 0
    assert json.loads(out) == training_study.read(results_file)


def test_a_run_that_becomes_infinite_is_recorded_as_such(few_images):
    run = Run("diverges", steps=50, optimizer="sgd", lr=1e4)
    row = training_study.one_run(run, few_images, load_backend("numba"))
    assert training_study.run_of(row) == run
    assert [row[name] for name in training_study.MEASURED] == [None] * 7


CHANGES = (
    {"seed": 1},
    {"optimizer": "sgd"},
    {"optimizer": "momentum"},
    {"lr": 0.01},
    {"decay": True},
    {"beta": 2.0},
    {"warmup": 2},
    {"free_bits": 0.5},
    {"start": "zeros"},
    {"scale": 0.1},
    {"validation": 5},
)


@pytest.mark.parametrize("changed", CHANGES)
def test_each_setting_changes_the_run(changed, few_images):
    ops = load_backend("numba")
    plain = Run("plain", steps=4, batch=8)
    curves = [
        training_study.one_run(run, few_images, ops)["curve"]
        for run in (plain, plain._replace(**changed))
    ]
    assert curves[0] != curves[1]


def test_the_images_kept_apart_are_measured_and_never_trained_on(few_images, monkeypatch):
    seen = []
    binarize = data.binarize

    def witness(images, rng):
        seen.extend(map(bytes, images))
        return binarize(images, rng)

    monkeypatch.setattr(training_study.data, "binarize", witness)
    run, ops = Run("kept apart", steps=8, batch=8, validation=5), load_backend("numba")
    row = training_study.one_run(run, few_images, ops)
    assert set(seen) == set(map(bytes, few_images.train[:-5]))
    others = few_images._replace(test=few_images.train[-5:])
    measured = training_study.one_run(run, others, ops)
    assert measured["validation_elbo"] == measured["elbo"] == row["validation_elbo"] != row["elbo"]
    whole = training_study.one_run(run._replace(validation=0), few_images, ops)
    assert whole["validation_elbo"] is None


def test_every_image_is_used_once_an_epoch(few_images, monkeypatch):
    """Twenty images in batches of 8: the third has four, and then a new order begins."""
    sizes = []
    binarize = data.binarize

    def witness(images, rng):
        sizes.append(len(images))
        return binarize(images, rng)

    monkeypatch.setattr(training_study.data, "binarize", witness)
    training_study._train(Run("sizes", steps=6, batch=8), few_images, load_backend("numba"))
    assert sizes == [8, 8, 4, 8, 8, 4]


def test_a_damaged_file_and_a_missing_folder_are_told(results_file):
    results_file.write_text('{"runs": [{"seed": 0}]}')
    with pytest.raises(MinivaeError, match=r"training_study\.json"):
        training_study.read(results_file)
    with pytest.raises(MinivaeError, match=r"there is no folder .*run this in a clone"):
        training_study.run_study(say=pytest.fail, path=results_file.parent / "none" / "a.json")


# ---- what notebook 07 says of the committed results ---------------------------------------------

MEAN_IMAGE = 205  # nats: what it costs validation and test images, within one nat (7.2)


def values(name, **wanted):
    """This number of the runs with these settings, by seed; nan where a run became infinite."""
    rows = training_study.read(COMMITTED)["runs"]
    rows = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    found = [row[name] for row in sorted(rows, key=lambda row: row["seed"])]
    assert found
    return np.array([np.nan if value is None else value for value in found])


def losses(name="elbo", **wanted):
    return -values(name, **wanted)


def chosen(rates, **wanted):
    """The rate with the best mean validation ELBO."""
    return min((losses("validation_elbo", lr=lr, **wanted).mean(), lr) for lr in rates)[1]


def test_small_batches_end_lowest_at_equal_work():
    best = {}
    for batch in (10, 100, 1000):
        lr = chosen((0.001, 0.003, 0.01, 0.03), group="batches", batch=batch)
        best[batch] = losses(group="batches", batch=batch, lr=lr)
    assert best[10].max() < best[100].min() <= best[100].max() < best[1000].min()


def test_each_optimizer_at_its_best_rate():
    rates, best = (0.0003, 0.001, 0.003, 0.01), {}
    for kind in ("adam", "momentum", "sgd"):
        lr = chosen(rates, group="optimizers", optimizer=kind)
        assert lr == {"adam": 0.01, "momentum": 0.003, "sgd": 0.01}[kind]
        above = [losses("validation_elbo", optimizer=kind, lr=high).mean() for high in (0.03, 0.1)]
        low = losses("validation_elbo", group="optimizers", optimizer=kind, lr=lr).mean()
        assert not any(mean < low for mean in above)
        best[kind] = losses(group="optimizers", optimizer=kind, lr=lr)
    assert best["adam"].max() < best["momentum"].min()
    assert best["momentum"].max() < best["sgd"].min()
    high = losses("validation_elbo", group="optimizers", optimizer="adam", lr=0.03)
    assert (np.abs(high - MEAN_IMAGE) < 1).sum() == 2


def test_the_usual_start_is_ahead_of_the_others():
    def ended(**start):
        return losses(group="starts", **start)

    usual, tenth = ended(scale=1.0, start="mean image"), ended(scale=0.1)
    assert usual.max() < ended(start="zeros").min()
    assert ended(start="zeros").max() < tenth.min()
    assert np.abs(ended(scale=0.0) - MEAN_IMAGE).max() < 1.5
    assert ended(scale=10.0).min() > 1e5


def test_a_mean_over_the_latents_is_a_large_beta():
    twenty, many = {"latent_dim": 20, "steps": 4000}, {"latent_dim": 200, "steps": 2000}
    assert values("kl", beta=39.2, **twenty).max() < 0.05
    assert np.abs(losses(beta=39.2, **twenty) - MEAN_IMAGE).max() < 1.5
    assert losses(beta=3.92, **many).min() > 20 + losses(beta=1.0, **many).max()


def test_the_remedies_after_few_and_after_many_steps():
    """Few: by the mean of eight seeds, which three of them do not show; many: by every seed."""

    def gains(steps, **remedy):
        plain = {"beta": 1.0, "warmup": 0, "free_bits": 0.0}
        runs = {"group": "remedies", "steps": steps}
        return values("elbo", **runs, **(plain | remedy)) - values("elbo", **runs, **plain)

    def in_errors(gain):
        return gain.mean() / (gain.std(ddof=1) / np.sqrt(len(gain)))

    warm, free = gains(800, warmup=200), gains(800, free_bits=0.5)
    assert len(warm) == len(free) == 8
    assert in_errors(warm) > 2
    assert in_errors(free) < -2
    assert -1.5 < free.mean() < -0.5
    assert max(in_errors(warm[:3]), -in_errors(free[:3])) < 2
    for gain in (warm, free):
        assert gain.std(ddof=1) == pytest.approx(abs(gain.mean()), rel=0.25)
    warm, free = gains(4000, warmup=1000), gains(4000, free_bits=0.5)
    assert free.min() > 0
    assert (warm > free).all()
