"""The weights of the published table's rows: shipped in 16 bits, and started from again."""

import numpy as np
import pytest

from minivae import VAE, checks, data, estimator, evaluate, runs, train, vae
from minivae.errors import MinivaeError
from minivae.studies import published, reproduce, shipping


@pytest.fixture(scope="module")
def tiny():
    """600 grey images of 12 pixels, and 40 to test on."""
    rng = np.random.default_rng(0)
    images = (255 * rng.random((640, 12)) ** 3).astype(np.uint8)
    return data.Dataset("tiny", images[:600], images[600:], None, None, (3, 4), "")


@pytest.fixture
def run(tmp_path, tiny, monkeypatch):
    """`train_rows` on the tiny data, with batches of 20, in a folder of its own, no pictures."""
    rows = {name: row._replace(batch_size=20) for name, row in published.ROWS.items()}
    monkeypatch.setattr(published, "ROWS", rows)
    monkeypatch.setattr(published, "draw_table", lambda path: None)

    def run(*rows, **options):
        options = {"epochs": 2, "evaluation_samples": 20, "dataset": tiny} | options
        return reproduce.train_rows(
            rows,
            out=tmp_path / "runs",
            table=tmp_path / "table.json",
            shipped=tmp_path,
            backend="numpy",
            say=lambda line: None,
            **options,
        )

    return run


def test_what_is_shipped_is_what_was_scored(run, tiny, tmp_path):
    """The file has 16 bits a number; scored again it gives the result's nll, to the last digit."""
    (result,) = run("vae-1")
    with np.load(tmp_path / "vae-1.npz") as file:
        assert file["mu_W"].dtype == np.float16
    model = runs.load_model(tmp_path / "vae-1.npz")
    assert shipping.weights_hash(model.flat) == result["weights"]
    x = data.test_images(tiny.test, "bernoulli")
    rng = np.random.default_rng([reproduce.SCORING_SEED, 0])
    scores = evaluate.log_likelihood(model.params, x, model.spec, samples=20, rng=rng)
    assert round(-float(scores.mean), 4) == result["nll"]

    (folder,) = (tmp_path / "runs").iterdir()
    exact = runs.load_model(folder / runs.MODEL_FILE)
    assert 0 < np.abs(exact.flat - model.flat).max() < 1e-3
    rng = np.random.default_rng([reproduce.SCORING_SEED, 0])
    before = evaluate.log_likelihood(exact.params, x, exact.spec, samples=20, rng=rng)
    assert round(float(before.mean - scores.mean), 4) == result["rounding_costs"]


def test_a_row_goes_on_from_the_shipped_weights_of_another(run, tmp_path, monkeypatch):
    (first,) = run("vae-1")
    start = runs.load_model(tmp_path / "vae-1.npz").flat
    seen = []
    real = train.run_loop

    def record(dataset, settings, state, **options):
        seen.append((settings, state.flat.copy(), state.step))
        return real(dataset, settings, state, **options)

    monkeypatch.setattr(train, "run_loop", record)
    (second,) = run("iwae-5", start_from="vae-1")
    settings, flat, step = seen[0]
    assert step == 0
    assert flat.tobytes() == start.tobytes()
    assert (settings.objective, settings.samples) == ("iwae", 5)
    assert settings.lr == published.CONTINUED * published.ROWS["iwae-5"].lr

    assert second["row"] == "vae-1-then-iwae-5"
    assert second["start_from"] == {
        "row": "vae-1",
        "epochs": 2,
        "seed": 0,
        "minutes": first["minutes"],
        "weights": first["weights"],
    }
    assert second["published"] == published.ROWS["iwae-5"].published
    assert "not random: the weights of vae-1 (2 epochs" in second["differs"]
    assert "2 epochs more, the rate falling geometrically from 0.001 to 5%" in second["differs"]
    assert "0.001 to 5e-05" in second["schedule"]
    assert "after 2 epochs (after 2 of vae-1)" in published.describe(second)
    assert (tmp_path / "vae-1-then-iwae-5.npz").exists()
    assert "start is not random" not in first["differs"]


def test_one_call_trains_a_row_and_what_starts_from_it(run):
    results = run("vae-1", "vae-1-then-iwae-5", "vae-1-then-iwae-5-then-vae-1")
    starts = [row["start_from"] and row["start_from"]["row"] for row in results]
    assert starts == [None, "vae-1", "vae-1-then-iwae-5"]


def test_another_start_is_another_run_and_another_row_of_the_table(run, tmp_path):
    run("vae-1", "vae-1-then-iwae-5")
    run("iwae-5")
    run("vae-1", seed=1)
    run("vae-1", epochs=4)
    run("vae-1-then-iwae-5")
    rows = published.read_table(tmp_path / "table.json")
    continued = [row for row in rows if row["row"] == "vae-1-then-iwae-5"]
    assert len(continued) == 2
    assert continued[0]["start_from"] != continued[1]["start_from"]
    assert continued[0]["nll"] != continued[1]["nll"]
    assert [row["epochs"] for row in rows if row["row"] == "iwae-5"] == [2]
    run("vae-1-then-iwae-5")
    assert published.read_table(tmp_path / "table.json") == rows


def test_the_best_run_of_a_row_is_the_one_whose_weights_are_shipped(run, tmp_path):
    results, kept = [], 0
    for seed in range(5):
        results += run("vae-1", seed=seed)
        best = min(results, key=lambda row: row["nll"])
        flat = runs.load_model(tmp_path / "vae-1.npz").flat
        assert shipping.weights_hash(flat) == best["weights"]
        kept += best is not results[-1]
    assert 0 < kept < 4, "the runs should be of both kinds, better and worse than those before"


def test_without_the_weights_to_start_from_nothing_is_trained(run, tmp_path):
    with pytest.raises(MinivaeError, match="train vae-1 first, with --rows vae-1 vae-1-then-iwae"):
        run("iwae-50", start_from="vae-1")
    with pytest.raises(MinivaeError, match="train iwae-5 first"):
        run("vae-1", "iwae-5-then-vae-1", "iwae-5")
    assert not (tmp_path / "runs").exists()


def test_weights_that_are_in_no_result_are_refused(run, tmp_path):
    run("vae-1")
    model = runs.load_model(tmp_path / "vae-1.npz")
    runs.save_model(tmp_path / "vae-1.npz", model._replace(flat=model.flat + 1))
    with pytest.raises(MinivaeError, match="shipped weights of vae-1 belong to no result"):
        run("vae-1-then-iwae-5")


def test_a_model_above_a_megabyte_is_not_shipped(tmp_path):
    spec = vae.Spec(data_dim=784, hidden=(400,), latent_dim=2)
    model = runs.Model(spec, np.zeros(vae.n_params(spec), np.float32), (28, 28))
    with pytest.raises(MinivaeError, match="too many weights"):
        shipping.ship({"row": "vae-1", "nll": 1.0}, model, [], tmp_path, print)
    assert not list(tmp_path.iterdir())


def test_the_shipped_models_are_offered_by_name_and_others_refused():
    assert {"mnist", "cats"} <= set(estimator.PRETRAINED)
    with pytest.raises(MinivaeError, match="the shipped ones are cats and mnist"):
        checks.check_pretrained_name("vae-2", ("cats", "mnist"))
    with pytest.raises(MinivaeError, match="no shipped model is called 'vae-2'"):
        VAE.pretrained("vae-2")


def test_a_row_that_was_started_from_others_is_found_by_its_last_part(monkeypatch, tmp_path):
    chain = "vae-1-then-iwae-5-then-iwae-50"
    for name in ("vae-1", "vae-1-then-iwae-50", chain):
        copy = shipping.shipped_file(name, tmp_path)
        copy.write_bytes(shipping.shipped_file("vae-1" if name != chain else "mnist").read_bytes())
    monkeypatch.setattr(estimator.shipped, "MODELS", tmp_path)
    names = ("vae-1", "vae-1-then-iwae-50", chain)
    monkeypatch.setattr(estimator.shipped, "PRETRAINED", names)
    assert VAE.pretrained("iwae-50").latent_dim == 2  # the longest chain, here the digits' model
    assert VAE.pretrained("vae-1").latent_dim == 50
    with pytest.raises(MinivaeError, match="no shipped model is called 'iwae-5'"):
        VAE.pretrained("iwae-5")


ROWS_SHIPPED = [name for name in estimator.PRETRAINED if published.is_row(name)]


def test_every_shipped_row_is_in_the_committed_table_and_small():
    rows = published.read_table()
    for name in ROWS_SHIPPED:
        weights = shipping.weights_hash(VAE.pretrained(name).model_.flat)
        result = published.with_weights(rows, weights)
        assert result is not None, f"{name}: its weights are in no result"
        assert result["row"] == name
        assert shipping.shipped_file(name).stat().st_size <= 1_000_000
        assert abs(result["rounding_costs"]) < 0.01
        start = result["start_from"]
        if start is not None:
            assert start["row"] == published.start_of(name)
