"""The study of the cats goes on with the results that are there."""

import json
from pathlib import Path

import tiny

RESULTS = Path("figures", "cat_study.json")
ROOT = Path(__file__).parents[1]


def test_results_with_the_old_name_of_a_setting_are_taken_as_they_are(
    tmp_path, monkeypatch, capsys
):
    """When the committed results were written, `latent_dim` was called `latent`, and there was no
    setting `resampled`; no model is missing."""
    monkeypatch.chdir(tmp_path)
    RESULTS.parent.mkdir()
    results = json.loads((ROOT / RESULTS).read_text())
    assert "latent" in results["settings"]
    assert "resampled" not in results["settings"]
    before = json.dumps(results)
    RESULTS.write_text(before)
    status, out, _ = tiny.command(capsys, "cat-study", "--json")
    assert status == 0
    assert json.loads(out) == results
    assert RESULTS.read_text() == before


def test_results_of_other_settings_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    RESULTS.parent.mkdir()
    results = json.loads((ROOT / RESULTS).read_text())
    for wrong in (results["settings"] | {"epochs": 1}, [1]):
        RESULTS.write_text(json.dumps(results | {"settings": wrong}))
        status, out, err = tiny.command(capsys, "cat-study")
        assert (status, out) == (2, "")
        assert "cat_study.json" in err
