"""A run that is trained further, and a run that is repeated with another setting."""

import json
import signal

import numpy as np
import pytest
import tiny

from minivae import data, runs, train
from minivae.runs import checkpoints

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

FIVE = ("--epochs", "5")


@pytest.fixture
def finished(tiny_file, capsys):
    """A run of two epochs in `run`, its learning rate constant; the current folder."""
    options = (*tiny.OPTIONS, "--schedule", "constant", "--warmup", "3")
    assert tiny.command(capsys, "train", *options, "--out", "run")[0] == 0
    return tiny_file


def test_a_finished_run_goes_on_as_if_more_epochs_had_been_planned(finished, capsys):
    """To the bit, because its learning rate is constant."""
    assert tiny.command(capsys, "train", "--resume", "--out", "run", *FIVE)[0] == 0
    planned = ("train", "--from-run", "run", *FIVE, "--out", "planned")
    assert tiny.command(capsys, *planned)[0] == 0
    assert tiny.outputs(finished / "run") == tiny.outputs(finished / "planned")
    assert len((finished / "run" / runs.HISTORY_FILE).read_text().splitlines()) == 1 + 5


def test_its_record_says_so_and_it_can_be_repeated(finished, capsys):
    for epochs in (3, 5):
        argv = ("train", "--resume", "--out", "run", "--epochs", epochs)
        assert tiny.command(capsys, *argv)[0] == 0
    record = runs.read_run_file("run")
    assert record["settings"]["epochs"] == 5
    assert record["planned_epochs"] == [2, 3]
    assert tiny.command(capsys, "train", "--from-run", "run", "--out", "again")[0] == 0
    assert tiny.outputs(finished / "again") == tiny.outputs(finished / "run")


def test_a_falling_rate_goes_on_where_the_longer_run_would_be(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    assert tiny.command(capsys, "train", "--resume", "--out", "run", *FIVE)[0] == 0
    settings, steps = tiny.settings(epochs=5), tiny.STEPS_PER_EPOCH
    rates = np.genfromtxt(tiny_file / "run" / runs.HISTORY_FILE, delimiter=",", names=True)["lr"]
    expected = [train.learning_rate(settings, steps * i - 1, 5 * steps) for i in (3, 4, 5)]
    np.testing.assert_allclose(rates[2:], expected, rtol=1e-12)
    assert rates[2] > rates[1]


def test_a_run_whose_rate_fell_twice_is_not_repeated_in_one_go(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "first")[0] == 0
    assert tiny.command(capsys, "train", "--resume", "--out", "run", *FIVE)[0] == 0
    err = tiny.refused(tiny_file, capsys, "train", "--from-run", "run")
    assert "was trained further after 2 epochs" in err
    assert "add --epochs 2" in err
    argv = ("train", "--from-run", "run", "--epochs", "2", "--out", "again")
    assert tiny.command(capsys, *argv)[0] == 0
    assert tiny.outputs(tiny_file / "again") == tiny.outputs(tiny_file / "first")


def test_further_training_can_be_stopped_and_resumed(finished, capsys, monkeypatch, ctrl_c):
    """The model of the first epochs stays until the longer training has ended."""
    one_step = train._Vae.one_step

    def step(trainee, *args):
        if trainee.state.step == 8:
            signal.raise_signal(signal.SIGINT)
        return one_step(trainee, *args)

    before = (finished / "run" / runs.MODEL_FILE).read_bytes()
    further = ("train", "--resume", "--out", "run", *FIVE)
    with monkeypatch.context() as patch:
        patch.setattr(train._Vae, "one_step", step)
        assert tiny.command(capsys, *further)[0] == 130
    assert (finished / "run" / runs.MODEL_FILE).read_bytes() == before
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    planned = ("train", "--from-run", "run", "--out", "planned")
    assert tiny.command(capsys, *planned)[0] == 0
    assert tiny.outputs(finished / "run") == tiny.outputs(finished / "planned")


def test_a_stop_between_the_record_and_the_first_checkpoint_loses_nothing(finished):
    """The record says five epochs, the checkpoint still two."""
    runs.extend_run("run", 5)
    made = data.load("tiny.npy")
    longer = runs.recorded_settings(runs.read_run_file("run"), "run")
    state = checkpoints.load_checkpoint("run", longer, made, data.fingerprint(made))
    assert (state.epoch, state.step) == (2, 2 * tiny.STEPS_PER_EPOCH)


@pytest.mark.parametrize("epochs", ["0", "1", str(10**30)])
def test_fewer_epochs_or_far_too_many_are_refused(finished, capsys, epochs):
    err = tiny.refused(finished, capsys, "train", "--resume", "--out", "run", "--epochs", epochs)
    assert "--epochs" in err


@pytest.mark.parametrize("planned", [5, [1.5], ["2"], None])
def test_a_record_that_makes_no_sense_is_refused(finished, capsys, planned):
    path = finished / "run" / runs.RUN_FILE
    record = json.loads(path.read_text()) | {"planned_epochs": planned}
    path.write_text(json.dumps(record))
    for how in (("--resume", "--out"), ("--from-run",)):
        assert "planned_epochs" in tiny.refused(finished, capsys, "train", *how, "run")


# ---- another setting -------------------------------------------------------------------------


def test_a_run_with_another_seed(finished, capsys):
    """The run that one gets by typing all of its settings and that seed."""
    argv = ("train", "--from-run", "run", "--seed", "5", "--out", "other")
    assert tiny.command(capsys, *argv)[0] == 0
    options = (*tiny.OPTIONS, "--schedule", "constant", "--warmup", "3", "--seed", "5")
    assert tiny.command(capsys, "train", *options, "--out", "typed")[0] == 0
    assert tiny.outputs(finished / "other") == tiny.outputs(finished / "typed")
    record = runs.read_run_file("other")
    assert record["settings"]["seed"] == 5
    assert record["settings_from"] == "run"
    assert "repeats" not in record


def test_a_wrong_setting_is_named_as_it_was_typed(finished, capsys):
    err = tiny.refused(finished, capsys, "train", "--from-run", "run", "--batch-size", "0")
    assert "--batch-size is 0" in err
