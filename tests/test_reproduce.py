"""The reproduction runs, stops and goes on to the bit, and its table tells what was done."""

import json

import numpy as np
import pytest

from minivae import cli, data, files, plots, train
from minivae.errors import MinivaeError
from minivae.plots.studies import spread_out
from minivae.settings import Settings
from minivae.studies import published, reproduce

COMMITTED = ("vae-1",)  # rows of the table that must be there
WORST = {"vae-1": 86.76, "iwae-5": 85.54}  # nats: the published values


@pytest.fixture(scope="module")
def tiny():
    """600 grey images of 12 pixels, and 40 to test on."""
    rng = np.random.default_rng(0)
    images = (255 * rng.random((640, 12)) ** 3).astype(np.uint8)
    return data.Dataset("tiny", images[:600], images[600:], None, None, (3, 4), "")


@pytest.fixture
def small_batches(monkeypatch):
    """The rows with batches of 20, so that the tiny data have enough steps; and no picture."""
    rows = {name: row._replace(batch_size=20) for name, row in published.ROWS.items()}
    monkeypatch.setattr(published, "ROWS", rows)
    monkeypatch.setattr(reproduce, "seconds_per_step", lambda dataset, settings: 0.1)
    monkeypatch.setattr(published, "draw_table", lambda path: None)


def run(rows, tmp_path, tiny, **options):
    options = {"budget": 0.1, "backend": "numpy", "evaluation_samples": 20} | options
    tmp_path.mkdir(exist_ok=True)  # the folder of the table must be there
    return reproduce.train_rows(
        rows,
        out=tmp_path / "runs",
        table=tmp_path / "table.json",
        shipped=tmp_path,
        dataset=tiny,
        say=lambda line: None,
        **options,
    )


def test_a_run_reports_what_it_did(tmp_path, tiny, small_batches):
    results = run(["vae-1", "vae-5", "iwae-5"], tmp_path, tiny)
    table = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert sorted(results, key=lambda row: row["row"]) == table
    for row, objective in zip(results, ("elbo", "elbo", "iwae"), strict=True):
        assert row["objective"] == objective
        assert (row["epochs"], row["updates"], row["batch_size"]) == (2, 60, 20)
        assert (row["images"], row["evaluation_samples"]) == (40, 20)
        assert 0 < row["stderr_mc"] < row["nll"]
        assert 0 < row["stderr_images"] < row["nll"]
        assert row["nll"] < -row["test_elbo"]
        assert "here: Adam's epsilon 1e-8; 2 epochs" in row["differs"]  # batch 20 is the paper's


def test_what_differs_from_the_paper_is_named():
    differs = published.differences(Settings(latent_dim=50, batch_size=100, epochs=7))
    assert "here: batch 100; Adam's epsilon 1e-8; 7 epochs" in differs
    assert "start is not random" not in differs
    drawn = Settings(batch_size=20, objective="iwae", samples=50, resampled=5)
    assert "here: 5 of the 50 samples, drawn by their weights" in published.differences(drawn)


def test_the_table_has_a_picture(tmp_path):
    row = {"row": "vae-1", "published": 86.76, "epochs": 10, "seed": 0, "stderr_images": 0.2}
    rows = [row | {"minutes": 10.0, "nll": 89.0}, row | {"minutes": 100.0, "nll": 86.5, "seed": 1}]
    published.write_table(tmp_path / "table.json", rows)
    published.draw_table(tmp_path / "table.json")
    assert (tmp_path / "table.png").stat().st_size > 1000


def test_the_picture_joins_no_runs_and_its_labels_are_apart():
    """Every row of the table, and one continued: bars, no lines, and no label over another."""
    names = [*published.ROWS, "vae-1-then-iwae-50"]
    rows = [
        {
            "row": name,
            "published": published.ROWS[published.last_stage(name)].published,
            "minutes": minutes,
            "nll": 88 - minutes / 50,
            "stderr_images": 0.2,
        }
        for name in names
        for minutes in (10.0, 90.0)
    ]
    figure = plots.reproduced_table(rows)
    figure.canvas.draw()
    (axes,) = figure.axes
    bars = axes.containers
    assert len(bars) == len(names)
    assert all(bar.lines[0].get_linestyle() == "None" for bar in bars)
    assert all(len(bar.lines[2][0].get_segments()) == 2 for bar in bars)
    boxes = [label.get_window_extent() for label in axes.texts]
    assert len(boxes) == len(published.ROWS)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_heights_are_spread_out_no_further_than_needed():
    assert spread_out([1.0, 2.0, 3.0], 0.5) == [1.0, 2.0, 3.0]
    assert spread_out([1.0, 1.0], 0.5) == pytest.approx([0.75, 1.25])
    assert spread_out([1.0, 1.4, 1.5, 9.0], 0.5) == pytest.approx([0.8, 1.3, 1.8, 9.0])
    assert spread_out([0.0, 1.0, 1.1, 1.2], 0.9) == pytest.approx([-0.525, 0.375, 1.275, 2.175])


def test_stopped_anywhere_it_goes_on_to_the_bit(tmp_path, tiny, small_batches, monkeypatch):
    """In training between two epochs and within one, and in scoring."""
    monkeypatch.setattr(reproduce, "IMAGES_AT_A_TIME", 10)
    whole = run(["iwae-5"], tmp_path / "whole", tiny)[0]
    asked = 0

    def should_stop():
        nonlocal asked
        asked += 1
        return asked in (17, 46, 62)  # of 60 steps and 4 pieces of scoring

    stops = 0
    while True:
        try:
            pieces = run(["iwae-5"], tmp_path / "pieces", tiny, should_stop=should_stop)[0]
            break
        except train.Interrupted:
            stops += 1
    assert stops == 3
    for clock in ("minutes", "scoring_minutes"):
        whole.pop(clock)
        pieces.pop(clock)
    assert pieces == whole
    for name in ("training.npz", "scores.npz"):
        paths = [next((tmp_path / part).glob(f"runs/*/{name}")) for part in ("whole", "pieces")]
        one, other = (files.read_archive(path, kind=reproduce.KIND)[0] for path in paths)
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].tobytes() == other[key].tobytes(), f"{key} in {name}"


def test_a_finished_run_is_not_trained_again(tmp_path, tiny, small_batches, monkeypatch):
    first = run(["vae-1"], tmp_path, tiny)
    monkeypatch.setattr(train._Vae, "one_step", None)
    assert run(["vae-1"], tmp_path, tiny) == first


def test_another_budget_or_seed_adds_a_row_and_the_same_replaces_it(tmp_path, tiny, small_batches):
    path = tmp_path / "table.json"
    run(["vae-1"], tmp_path, tiny)
    run(["vae-1"], tmp_path, tiny, budget=0.05)
    run(["vae-1"], tmp_path, tiny, seed=1)
    plans = [(row["epochs"], row["seed"]) for row in published.read_table(path)]
    assert plans == [(1, 0), (2, 0), (2, 1)]
    run(["vae-1"], tmp_path, tiny, epochs=2, evaluation_samples=30)
    rows = published.read_table(path)
    assert len(rows) == 3
    assert rows[1]["evaluation_samples"] == 30


def test_the_average_follows_the_weights_with_its_span(tmp_path, tiny, small_batches, monkeypatch):
    """A span of no length leaves the last weights themselves."""
    monkeypatch.setattr(reproduce, "AVERAGE_SPAN", 1e-9)
    run(["vae-1"], tmp_path, tiny)
    (path,) = tmp_path.glob("runs/*/training.npz")
    arrays, _ = files.read_archive(path, kind=reproduce.KIND)
    np.testing.assert_allclose(arrays["average"], arrays["params"], rtol=0, atol=1e-6)
    monkeypatch.setattr(reproduce, "AVERAGE_SPAN", 0.2)
    run(["vae-1"], tmp_path / "slow", tiny)
    (path,) = tmp_path.glob("slow/runs/*/training.npz")
    arrays, _ = files.read_archive(path, kind=reproduce.KIND)
    assert 0 < np.abs(arrays["average"] - arrays["params"]).max() < 0.2


def test_the_budget_decides_the_epochs(tmp_path, tiny, small_batches, monkeypatch):
    monkeypatch.setattr(reproduce, "seconds_per_step", lambda dataset, settings: 0.04)
    folder = tmp_path
    chosen = [
        reproduce._settings(folder, "vae-1", budget, None, 0, "numpy", tiny, list).epochs
        for budget in (1e-6, 0.1, 1)
    ]
    assert chosen == [1, 5, 50]


def test_the_time_of_a_step_is_measured_on_a_state_of_its_own(tiny):
    settings = Settings(latent_dim=2, hidden=(5,), batch_size=5, backend="numpy")
    assert 1e-6 < reproduce.seconds_per_step(tiny, settings) < 1
    few = tiny._replace(train=tiny.train[:100])
    with pytest.raises(MinivaeError, match="fewer than 80 batches"):
        reproduce.seconds_per_step(few, settings._replace(epochs=1))


@pytest.mark.parametrize("rows", [[], ["vae-2"], ["vae-1", "iwae5"], ["vae-1-then-"], ["vae-1", 5]])
def test_unknown_rows_are_refused_before_any_work(tmp_path, tiny, rows):
    with pytest.raises(MinivaeError, match="choose from vae-1, vae-5, vae-50, iwae-5, iwae-50"):
        run(rows, tmp_path, tiny)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("budget", [0, -1, float("nan"), "long"])
def test_a_budget_that_is_no_time_is_refused(tmp_path, tiny, budget):
    with pytest.raises(MinivaeError, match="budget"):
        run(["vae-1"], tmp_path, tiny, budget=budget)


@pytest.mark.parametrize("epochs", [0, 2.5, True])
def test_epochs_that_are_no_count_are_refused(tmp_path, tiny, epochs):
    with pytest.raises(MinivaeError, match="epochs"):
        run(["vae-1"], tmp_path, tiny, epochs=epochs)


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path, tiny):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(MinivaeError, match="cannot be made a folder"):
        run(["vae-1"], tmp_path, tiny)


def test_damaged_files_are_named_and_kept(tmp_path, tiny, small_batches):
    run(["vae-1"], tmp_path, tiny)
    (path,) = tmp_path.glob("runs/*/training.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(MinivaeError, match=r"training\.npz"):
        run(["vae-1"], tmp_path, tiny)
    assert path.read_bytes() == whole[:-100]
    (tmp_path / "table.json").write_text("[1, 2]")
    with pytest.raises(MinivaeError, match=r"table\.json is damaged"):
        published.read_table(tmp_path / "table.json")


def test_the_command_passes_its_options_on_and_tells_how_it_ended(monkeypatch, capsys):
    asked = []
    result = {
        "row": "iwae-5",
        "nll": 85.0,
        "stderr_images": 0.2,
        "stderr_mc": 0.01,
        "epochs": 3,
        "minutes": 2.0,
        "published": 85.54,
        "public_rerun": 85.18,
    }

    def run(rows, **options):
        asked.append((rows, options))
        if options["seed"] == 1:
            raise train.Interrupted(5)
        return [result]

    monkeypatch.setattr(reproduce, "train_rows", run)
    assert cli.main(["reproduce", "--rows", "iwae-5", "--budget", "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [result]
    stopped = ["reproduce", "--rows", "vae-1", "iwae-50", "--epochs", "3", "--seed", "1"]
    assert cli.main(stopped) == 130
    (first, options), (second, others) = asked
    assert (first, options["budget"], options["epochs"]) == (["iwae-5"], 10, None)
    assert (second, others["epochs"]) == (["vae-1", "iwae-50"], 3)
    assert cli.main(["reproduce"]) == 0
    assert asked[-1][0] == list(published.ROWS)
    assert asked[-1][1]["start_from"] is None
    continued = ["reproduce", "--rows", "iwae-5", "--start-from", "vae-1", "--out", "elsewhere"]
    assert cli.main(continued) == 0
    assert (asked[-1][1]["start_from"], asked[-1][1]["out"]) == ("vae-1", "elsewhere")


def test_the_committed_table_holds_real_runs_on_the_whole_test_set():
    """Every row was scored on all 10,000 images with 5,000 samples, and says how it was trained."""
    rows = published.read_table()
    for name in COMMITTED:
        kept_to_bounds = [
            row
            for row in rows
            if row["row"] == name
            and row["minutes"] + row["scoring_minutes"] < 120  # two hours, whatever the machine
            and row["scoring_minutes"] < 10
        ]
        assert kept_to_bounds, f"{name} is missing"
        assert min(row["nll"] for row in kept_to_bounds) < WORST[name]
    plain = [row for row in rows if row["row"] == "vae-1"]
    shortest, *_, longest = sorted(plain, key=lambda row: row["epochs"])
    assert shortest["nll"] > longest["nll"], "ten minutes give an honest, higher number"
    for row in rows:
        assert (row["images"], row["evaluation_samples"]) == (10_000, 5000)
        assert row["published"] == published.ROWS[published.last_stage(row["row"])].published
        assert row["updates"] == row["epochs"] * -(-60_000 // row["batch_size"])
        assert 0 < row["stderr_mc"] < row["stderr_images"] < 1
