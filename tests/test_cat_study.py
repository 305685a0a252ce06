"""The study of the cats goes on with the results that are there, and judges them by its bar."""

import json

import numpy as np
import pytest
import tiny

from minivae.errors import MinivaeError
from minivae.studies import cat_study, published, reproduce

COMMITTED = cat_study.RESULTS


@pytest.fixture
def results_file(tmp_path, monkeypatch):
    """Where the command finds and writes the results, in another folder than the current one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "figures" / "cat_study.json"
    path.parent.mkdir()
    monkeypatch.setattr(cat_study, "RESULTS", path)
    return path


def test_finished_results_are_taken_as_they_are(results_file, capsys, monkeypatch):
    monkeypatch.setattr(cat_study.cures, "train_with", pytest.fail)
    before = COMMITTED.read_text()
    results_file.write_text(before)
    status, out, _ = tiny.command(capsys, "cat-study", "--json")
    assert status == 0
    assert json.loads(out) == json.loads(before)
    assert results_file.read_text() == before


def test_only_the_missing_model_is_trained(results_file, monkeypatch):
    results = json.loads(COMMITTED.read_text())
    lost = results["models"].pop(3)
    results_file.write_text(json.dumps(results))
    trained = []

    def one_model(settings, seed, family, ground):
        trained.append((seed, family.name))
        return lost

    monkeypatch.setattr(cat_study, "_one_model", one_model)
    monkeypatch.setattr(cat_study.cat_measures, "Ground", lambda ops: None)
    done = cat_study.run_study(say=lambda line: None)
    assert trained == [(lost["seed"], lost["family"])]
    assert len(json.loads(results_file.read_text())["models"]) == len(done["models"])


def test_results_of_other_settings_are_refused(results_file, capsys):
    results = json.loads(COMMITTED.read_text())
    for wrong in (results["settings"] | {"epochs": 1}, [1]):
        results_file.write_text(json.dumps(results | {"settings": wrong}))
        status, out, err = tiny.command(capsys, "cat-study")
        assert (status, out) == (2, "")
        assert "cat_study.json" in err


def test_a_missing_folder_is_found_before_anything_is_trained(results_file, monkeypatch, capsys):
    """It used to be found when the first model was saved, after minutes of training."""
    monkeypatch.setattr(cat_study.cures, "train_with", pytest.fail)
    results_file.parent.rmdir()
    status, out, err = tiny.command(capsys, "cat-study")
    assert (status, out) == (2, "")
    assert "figures for the results; run this in a clone" in err
    monkeypatch.setattr(reproduce.data, "load", pytest.fail)
    with pytest.raises(MinivaeError, match="figures for the results; run this in a clone"):
        reproduce.train_rows(["vae-1"], table=results_file)


def test_every_study_keeps_its_results_in_the_same_folder():
    assert COMMITTED.parent == published.TABLE.parent
    assert COMMITTED.is_file()
    assert published.TABLE.is_file()


def family(best, whole, kl=9.0):
    """Results of five seeds; best, whole: shares of the ceiling of two factors, (5, 2)."""
    ceiling = np.array([2.0, 1.0])
    models = [
        {
            "family": "x", "likelihood": "bernoulli", "seed": seed, "kl": kl,
            "best": {"nats": (b * ceiling).tolist()}, "whole": {"nats": (w * ceiling).tolist()},
        }
        for seed, (b, w) in enumerate(zip(np.array(best), np.array(whole), strict=True))
    ]  # fmt: skip
    return {"models": models, "ceiling": {"bernoulli": {"nats": ceiling.tolist()}}}


def test_the_verdict_is_four_of_five_seeds_on_each_rung():
    four = [[0.6, 0.2]] * 4 + [[0.4, 0.2]]
    three = [[0.6, 0.2]] * 3 + [[0.4, 0.2]] * 2
    held = [[0.9, 0.5]] * 5
    assert cat_study.verdicts(family(four, held), "x") == ["aligned", "encoded"]
    assert cat_study.verdicts(family(three, held), "x") == ["encoded", "encoded"]
    assert cat_study.verdicts(family(three, three), "x") == ["missing", "missing"]


def test_a_code_that_costs_less_than_the_bar_is_called_forced():
    none = [[0.1, 0.1]] * 5
    found = cat_study.verdicts(family(none, none, kl=0.8), "x")  # the bars: 1.0 and 0.5 nats
    assert found == ["missing (forced)", "missing"]


def test_no_cell_of_the_committed_study_is_forced():
    results = cat_study.read(COMMITTED)
    for name in {row["family"] for row in results["models"]}:
        assert not any("forced" in word for word in cat_study.verdicts(results, name))
