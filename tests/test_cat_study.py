"""The study of the cats goes on with the results that are there."""

import json

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


def test_results_with_the_old_name_of_a_setting_are_taken_as_they_are(results_file, capsys):
    """When the committed results were written, `latent_dim` was called `latent`, and there was no
    setting `resampled`; no model is missing."""
    results = json.loads(COMMITTED.read_text())
    assert "latent" in results["settings"]
    assert "resampled" not in results["settings"]
    before = json.dumps(results)
    results_file.write_text(before)
    status, out, _ = tiny.command(capsys, "cat-study", "--json")
    assert status == 0
    assert json.loads(out) == results
    assert results_file.read_text() == before


def test_results_of_other_settings_are_refused(results_file, capsys):
    results = json.loads(COMMITTED.read_text())
    for wrong in (results["settings"] | {"epochs": 1}, [1]):
        results_file.write_text(json.dumps(results | {"settings": wrong}))
        status, out, err = tiny.command(capsys, "cat-study")
        assert (status, out) == (2, "")
        assert "cat_study.json" in err


def test_a_missing_folder_is_found_before_anything_is_trained(results_file, monkeypatch, capsys):
    """It used to be found when the first model was saved, after minutes of training."""
    monkeypatch.setattr(cat_study.train, "train", pytest.fail)
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
