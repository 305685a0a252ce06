"""The comparison of ways to learn a Gaussian's variance, its committed results, README's table."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae.backend import load_backend
from minivae.errors import MinivaeError
from minivae.studies import grey_study
from minivae.studies.grey_study import SEEDS, WAYS

COMMITTED = grey_study.RESULTS
README = Path(__file__).parent.parent / "README.md"
OLD, START, TODAY = WAYS


def committed():
    """{(data, way): the ELBO of each seed}"""
    elbos = {}
    for row in grey_study.read(COMMITTED)["runs"]:
        elbos.setdefault((row["data"], row["way"]), []).append(row["elbo"])
    return elbos


def test_the_committed_results_hold_every_run():
    elbos = committed()
    assert list(elbos) == [(name, way) for name in grey_study.datasets() for way in WAYS]
    assert {len(each) for each in elbos.values()} == {len(SEEDS)}


def test_today_beats_the_old_way_on_every_data_set():
    """Each seed of today each seed of the old way; and Adam, from the same start, on most."""
    elbos, better = committed(), 0
    for name in {name for name, _ in elbos}:
        assert min(elbos[name, TODAY]) > max(elbos[name, OLD])
        better += np.mean(elbos[name, TODAY]) > np.mean(elbos[name, START])
    assert better >= 3


def test_readme_shows_the_committed_table():
    assert grey_study.markdown_table(grey_study.read(COMMITTED)) in README.read_text("utf-8")


@pytest.mark.parametrize("make", [grey_study.soft_shapes, grey_study.waves])
def test_generated_images_are_grey(make):
    images = make(20, np.random.default_rng(0))
    assert images.shape == (20, 784)
    assert images.dtype == np.uint8
    assert ((images > 25) & (images < 230)).mean() > 0.05
    assert len(np.unique(images, axis=0)) == 20


def test_the_ways_differ_in_the_variance_alone():
    """Ten steps: the old way has hardly moved from 0, the others started at the pixels'."""
    made, settings = tiny.dataset(), tiny.settings(likelihood="gaussian")
    rows = [grey_study.one_run(made, settings, way, 10, load_backend("numpy")) for way in WAYS]
    again = grey_study.one_run(made, settings, TODAY, 10, load_backend("numpy"))
    assert again == rows[2]
    old, start, today = (row["logvar"] for row in rows)
    assert -0.03 < old < 0
    assert start < -1
    assert today < -1
    assert today != start


def test_best_is_the_log_of_the_mean_squared_error():
    """At out_logvar = best, the nll of the same means would be the lowest."""
    made, settings = tiny.dataset(), tiny.settings(likelihood="gaussian")
    row = grey_study.one_run(made, settings, OLD, 3, load_backend("numpy"))
    D = made.test.shape[1]
    error = np.exp(row["best"])

    def nll(logvar):
        return D / 2 * (np.log(2 * np.pi) + logvar + error / np.exp(logvar))

    assert nll(row["logvar"]) == pytest.approx(-row["elbo"] - row["kl"], abs=0.1)


def test_the_command_writes_what_it_prints(tmp_path, monkeypatch, capsys):
    path = tmp_path / "figures" / "grey_study.json"
    path.parent.mkdir()
    monkeypatch.setattr(grey_study, "RESULTS", path)
    monkeypatch.setattr(grey_study, "STEPS", 2)
    few = {"few": tiny.dataset(train=np.tile(tiny.dataset().train, (2, 1)))}
    monkeypatch.setattr(grey_study, "datasets", lambda: few)
    status, out, err = tiny.command(capsys, "grey-study", "--json")
    assert status == 0
    assert json.loads(out) == grey_study.read(path)
    assert len(err.splitlines()) == len(WAYS)


@pytest.mark.parametrize("text", ["[]", "{}", '{"runs": [1]}', '{"runs": [{"data": 1}]}', "nan"])
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "grey_study.json"
    path.write_text(text)
    with pytest.raises(MinivaeError, match=r"grey_study\.json"):
        grey_study.read(path)
