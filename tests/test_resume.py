"""A run that is stopped and resumed ends with the bits of the run that was never stopped."""

import errno
import json
import os
import signal

import numpy as np
import pytest
import tiny

from minivae import MinivaeError, data, files, runs, train
from minivae.cli import train as train_command
from minivae.data import cats
from minivae.runs import checkpoint
from minivae.settings import Settings

BACKENDS = ("numpy", "numba")
KINDS = {
    "elbo": {},
    "elbo with everything": {"beta": 2.0, "warmup": 1.5, "free_bits": 0.1, "schedule": "constant"},
    "iwae": {"objective": "iwae", "samples": 3, "resampled": 2},
    "gaussian": {"likelihood": "gaussian", "activation": "relu"},
}


@pytest.fixture(scope="module", params=["mnist", "cats"])
def few_images(request):
    """Pictures of 784 pixels, as many as `tiny.dataset` has."""
    if request.param == "mnist":
        whole = data.load("mnist")
        return whole._replace(train=whole.train[: tiny.TRAIN], test=whole.test[: tiny.TEST])
    made = cats.dataset(tiny.TRAIN, tiny.TEST)
    return tiny.dataset(name="cats", train=made.train, test=made.test, image_shape=(28, 28))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """No machine loses its power in these tests, and waiting for fsync is most of their time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def silent_pictures(monkeypatch):
    monkeypatch.setattr(train_command, "_draw", lambda *args: [])


@pytest.fixture
def tiny_file(tmp_path, monkeypatch, silent_pictures):
    """An empty folder to work in, with tiny.npy and no pictures to draw."""
    monkeypatch.chdir(tmp_path)
    np.save("tiny.npy", tiny.images())
    return tmp_path


SMALL = (
    "--data",
    "tiny.npy",
    "--hidden",
    "7",
    "5",
    "--epochs",
    "2",
    "--batch-size",
    "20",
    "--backend",
    "numpy",
)


def saved_step(folder):
    """How far the checkpoint in a run folder is."""
    _, meta = files.read_archive(folder / runs.CHECKPOINT_FILE, kind=checkpoint.KIND)
    return meta["step"]


# ---- to the bit ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_after_any_step_changes_no_bit(tmp_path, kind, backend):
    """Every step of two epochs, among them the last of each: a stop exactly at an epoch's end."""
    made, chosen = tiny.dataset(), tiny.settings(backend=backend, **KINDS[kind])
    tiny.run(tmp_path / "whole", made, chosen)
    expected = tiny.outputs(tmp_path / "whole")
    for steps in range(1, 2 * tiny.STEPS_PER_EPOCH + 1):
        folder = tmp_path / f"stopped-{steps}"
        with pytest.raises(train.Interrupted):
            tiny.run(folder, made, chosen, should_stop=tiny.stop_after(steps))
        assert saved_step(folder) == steps
        tiny.run(folder, made, chosen)
        assert tiny.outputs(folder) == expected, f"stopped after step {steps}"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["elbo", "iwae"])
def test_real_images_stopped_at_every_step_in_turn(tmp_path, few_images, kind, backend):
    """MNIST and cats, 784 pixels and more: one run that is stopped after each single step."""
    chosen = tiny.settings(backend=backend, **KINDS[kind])
    tiny.run(tmp_path / "whole", few_images, chosen)
    for step in range(1, 2 * tiny.STEPS_PER_EPOCH + 1):
        with pytest.raises(train.Interrupted):
            tiny.run(tmp_path / "halting", few_images, chosen, should_stop=lambda: True)
        assert saved_step(tmp_path / "halting") == step
    tiny.run(tmp_path / "halting", few_images, chosen)
    assert tiny.outputs(tmp_path / "halting") == tiny.outputs(tmp_path / "whole")


def test_a_state_goes_on_in_memory_as_from_a_file(tmp_path):
    """In the same order of images, though the stream that drew it has moved on."""
    made, chosen = tiny.dataset(), tiny.settings()
    whole = train.train(made, chosen)
    for steps in range(1, 2 * tiny.STEPS_PER_EPOCH + 1):
        state = train.new_state(made, chosen)
        with pytest.raises(train.Interrupted):
            train.train(made, chosen, state=state, should_stop=tiny.stop_after(steps))
        train.train(made, chosen, state=state)
        assert state.flat.tobytes() == whole.flat.tobytes(), f"stopped after step {steps}"
        assert state.history == whole.history


def test_a_restored_state_may_be_stopped_and_go_on_in_memory(tmp_path):
    made, chosen = tiny.dataset(), tiny.settings()
    whole = train.train(made, chosen)
    with pytest.raises(train.Interrupted):
        tiny.run(tmp_path / "run", made, chosen, should_stop=tiny.stop_after(4))
    mark = data.fingerprint(made)
    state = checkpoint.load_checkpoint(tmp_path / "run", chosen, made, mark)
    train.train(made, chosen, state=state)
    assert state.flat.tobytes() == whole.flat.tobytes()


def test_checkpoints_do_not_change_the_run(tmp_path):
    made, chosen = tiny.dataset(), tiny.settings()
    tiny.run(tmp_path / "often", made, chosen, checkpoint_seconds=0)
    tiny.run(tmp_path / "never", made, chosen, checkpoint_seconds=1e9)
    assert tiny.outputs(tmp_path / "often") == tiny.outputs(tmp_path / "never")


def test_a_finished_run_resumes_to_itself(tmp_path):
    made, chosen = tiny.dataset(), tiny.settings()
    tiny.run(tmp_path / "run", made, chosen)
    expected = tiny.outputs(tmp_path / "run")
    tiny.run(tmp_path / "run", made, chosen)
    assert tiny.outputs(tmp_path / "run") == expected


def test_the_first_checkpoint_comes_before_the_first_step(tmp_path, monkeypatch):
    def no_step(*args):
        raise KeyboardInterrupt

    made, chosen = tiny.dataset(), tiny.settings()
    with monkeypatch.context() as patch:
        patch.setattr(train, "_one_step", no_step)
        with pytest.raises(KeyboardInterrupt):
            tiny.run(tmp_path / "run", made, chosen)
    assert saved_step(tmp_path / "run") == 0
    tiny.run(tmp_path / "run", made, chosen)
    tiny.run(tmp_path / "whole", made, chosen)
    assert tiny.outputs(tmp_path / "run") == tiny.outputs(tmp_path / "whole")


# ---- Ctrl-C, SIGTERM, --resume ---------------------------------------------------------------


def send_signal(monkeypatch, number, at_step):
    """Let the process receive a signal in the middle of a step."""
    one_step = train._one_step

    def step(state, *args):
        if state.step + 1 == at_step:
            signal.raise_signal(number)
        return one_step(state, *args)

    monkeypatch.setattr(train, "_one_step", step)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [2, 3])
def test_signals_save_and_say_how_to_resume(tiny_file, capsys, monkeypatch, ctrl_c, number, step):
    """Status 130, the exact line to type, and typing it gives the bits of the whole run."""
    handler = signal.getsignal(number)
    assert tiny.command(capsys, "train", *SMALL, "--out", "whole")[0] == 0
    with monkeypatch.context() as patch:
        send_signal(patch, number, step)
        status, out, err = tiny.command(capsys, "train", *SMALL)
    assert status == 130
    assert not out.strip()
    assert f"stopped after step {step}" in err
    assert saved_step(tiny_file / "runs/tiny") == step
    assert err.endswith("python -m minivae train --resume --out runs/tiny\n")
    assert not (tiny_file / "runs/tiny" / runs.MODEL_FILE).exists()
    assert signal.getsignal(number) == handler
    status, out, _ = tiny.command(capsys, "train", "--resume", "--out", "runs/tiny", "--json")
    assert status == 0
    assert json.loads(out)["steps"] == 6
    assert tiny.outputs(tiny_file / "runs/tiny") == tiny.outputs(tiny_file / "whole")


def test_an_interrupted_run_reports_json_too(tiny_file, capsys, monkeypatch):
    send_signal(monkeypatch, signal.SIGINT, 4)
    status, out, _ = tiny.command(capsys, "train", *SMALL, "--json")
    assert status == 130
    assert json.loads(out) == {"run": "runs/tiny", "interrupted": True, "steps": 4}


@pytest.mark.parametrize("out", [(), ("--out", "some/where")])
def test_resume_where_nothing_is_starts_anew(tiny_file, capsys, out):
    """No folder at all; and one left by a process that was killed before its first whole file."""
    folder = tiny_file / (out[1] if out else "runs/tiny")
    assert tiny.command(capsys, "train", "--resume", *SMALL, *out)[0] == 0
    expected = tiny.outputs(folder)
    for path in folder.iterdir():
        path.unlink()
    (folder / ".lock").touch()
    (folder / ".minivae-0123456789abcdef.partial").write_bytes(b"half a fi")
    assert tiny.command(capsys, "train", "--resume", *SMALL, *out)[0] == 0
    assert tiny.outputs(folder) == expected
    assert not list(folder.glob("*.partial"))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_resume_of_a_run_without_a_checkpoint_starts_anew(tiny_file, capsys):
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    expected = tiny.outputs(tiny_file / "run")
    for name in tiny.OUTPUTS:
        (tiny_file / "run" / name).unlink()
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    assert tiny.outputs(tiny_file / "run") == expected


# ---- what differs is refused, and named ------------------------------------------------------


OTHER = {
    "--latent": "3",
    "--hidden": "9",
    "--activation": "relu",
    "--likelihood": "gaussian",
    "--free-bits": "0.5",
    "--epochs": "5",
    "--batch-size": "10",
    "--lr": "1",
    "--schedule": "constant",
    "--beta": "4",
    "--warmup": "1",
    "--backend": "numba",
    "--seed": "7",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the command line, to be looked at only."""
    home = tmp_path_factory.mktemp("finished")
    np.save(home / "tiny.npy", tiny.images())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_command, "_draw", lambda *args: [])
        given = {
            "data": str(home / "tiny.npy"),
            "hidden": [7, 5],
            "epochs": 2,
            "batch_size": 20,
            "backend": "numpy",
        }
        train_command.train_in_folder(
            given,
            out=home / "run",
            resume=False,
            from_run=None,
            checkpoint_seconds=None,
            command="python -m minivae train",
            say=print,
        )
    return home


@pytest.mark.parametrize("how", [("--resume", "--out"), ("--from-run",)])
@pytest.mark.parametrize("option", OTHER)
def test_another_setting_is_refused_and_named(finished, capsys, how, option):
    before = tiny.contents(finished)
    status, out, err = tiny.command(capsys, "train", *how, finished / "run", option, OTHER[option])
    assert (status, out) == (2, "")
    assert option in err
    assert OTHER[option] in err
    assert len(err.splitlines()) == 1
    assert tiny.contents(finished) == before


def test_the_same_setting_may_be_repeated(tiny_file, capsys):
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    status, _, _ = tiny.command(capsys, "train", *SMALL, "--out", "run", "--resume")
    assert status == 0


@pytest.mark.parametrize("field", Settings._fields)
def test_a_checkpoint_of_other_settings_is_refused_and_named(tmp_path, field):
    """The checkpoint is compared itself: whatever run.json says, it cannot be continued wrongly."""
    made, chosen = tiny.dataset(), tiny.settings()
    tiny.run(tmp_path / "run", made, chosen)
    path = tmp_path / "run" / runs.CHECKPOINT_FILE
    arrays, meta = files.read_archive(path, kind=checkpoint.KIND)
    meta["settings"][field] = "something else"
    files.write_archive(path, arrays, meta)
    with pytest.raises(MinivaeError, match=f"{field} = 'something else'"):
        tiny.run(tmp_path / "run", made, chosen)


def changed_pixel():
    images = tiny.images()
    images[3, 2, 1] ^= 1
    return images


@pytest.mark.parametrize("how", [("--resume", "--out", "run"), ("--from-run", "run")])
@pytest.mark.parametrize("other", [changed_pixel, lambda: tiny.images(n=80)])
def test_other_data_are_refused(tiny_file, capsys, how, other):
    """One bit of one pixel is enough."""
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    np.save("tiny.npy", other())
    before = tiny.contents(tiny_file)
    status, out, err = tiny.command(capsys, "train", *how)
    assert (status, out) == (2, "")
    assert "the data tiny.npy are not those" in err
    assert len(err.splitlines()) == 1
    assert tiny.contents(tiny_file) == before


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    made, chosen = tiny.dataset(), tiny.settings()
    tiny.run(tmp_path / "run", made, chosen)
    with pytest.raises(MinivaeError, match="other data"):
        tiny.run(tmp_path / "run", made._replace(train=made.train[::-1]), chosen)


def test_a_run_is_scored_on_its_own_data_or_on_data_that_are_named(tiny_file, capsys):
    """More images in the file: another split, with images to test on that were trained on."""
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    scored = ("evaluate", "run", "--samples", "5", "--backend", "numpy")
    assert tiny.command(capsys, *scored)[0] == 0
    np.save("tiny.npy", tiny.images(n=80))
    for command in (scored, ("explore", "run")):
        status, out, err = tiny.command(capsys, *command)
        assert (status, out) == (2, "")
        assert "the data tiny.npy are not those run was trained on" in err
        assert len(err.splitlines()) == 1
    assert tiny.command(capsys, *scored, "--data", "tiny.npy")[0] == 0


def test_a_file_called_cats_is_not_the_generated_cats(tiny_file, capsys):
    """It has no factors, and an explorer must not make any up."""
    os.rename("tiny.npy", "cats.npy")
    argv = [word.replace("tiny", "cats") for word in SMALL]
    assert tiny.command(capsys, "train", *argv, "--out", "run")[0] == 0
    assert tiny.command(capsys, "explore", "run")[0] == 0
    assert "chonk" not in (tiny_file / "run" / "explorer.html").read_text("utf-8")


def test_going_on_says_so(tiny_file, capsys):
    assert "trained 6 steps in " in tiny.command(capsys, "train", *SMALL, "--out", "run")[1]
    _, out, _ = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert out.startswith("went on to step 6 in ")


def test_a_run_that_went_on_elsewhere_is_not_repeated_by_its_settings(tiny_file, capsys):
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    path = tiny_file / "run" / runs.RUN_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"continues": "runs/first"}))
    status, _, err = tiny.command(capsys, "train", "--from-run", "run")
    assert status == 2
    assert "run went on from runs/first in PyTorch" in err


def test_data_that_moved_are_the_same_data(tiny_file, capsys):
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    os.rename("tiny.npy", "moved.npy")
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 2
    again = ("--resume", "--out", "run", "--data", "moved.npy")
    assert tiny.command(capsys, "train", *again)[0] == 0


def test_other_versions_get_one_line(tiny_file, capsys):
    """A newer NumPy may change the last bits: worth a word, no reason to refuse a night's work."""
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    _, _, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert "note" not in err
    path = tiny_file / "run" / runs.RUN_FILE
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "1.26.0\n\x1b[31m"
    path.write_text(json.dumps(record))
    status, _, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert status == 0
    notes = [line for line in err.splitlines() if "note" in line]
    assert len(notes) == 1
    assert f"numpy 1.26.0\\n\\x1b[31m then, {np.__version__} now" in notes[0]


# ---- repeated by others ----------------------------------------------------------------------


def test_from_run_repeats_to_the_bit(tiny_file, capsys):
    first = (*SMALL, "--seed", "5", "--beta", "2")
    assert tiny.command(capsys, "train", *first)[0] == 0
    status, out, _ = tiny.command(capsys, "train", "--from-run", "runs/tiny", "--json")
    assert status == 0
    assert json.loads(out)["run"] == "runs/tiny-2"
    assert tiny.outputs(tiny_file / "runs/tiny-2") == tiny.outputs(tiny_file / "runs/tiny")
    assert tiny.command(capsys, "train", "--from-run", "runs/tiny-2", "--out", "third")[0] == 0
    assert tiny.outputs(tiny_file / "third") == tiny.outputs(tiny_file / "runs/tiny")


def test_run_file_records_what_repeating_needs(tiny_file, capsys):
    argv = ("train", *SMALL, "--seed", "5", "--out", "a folder")
    assert tiny.command(capsys, *argv)[0] == 0
    record = json.loads((tiny_file / "a folder" / runs.RUN_FILE).read_text())
    assert record["command"] == (
        "python -m minivae train --data tiny.npy --hidden 7 5 --epochs 2 --batch-size 20 "
        "--backend numpy --seed 5 --out 'a folder'"
    )
    assert record["settings"]["seed"] == 5
    assert record["versions"]["numpy"] == np.__version__
    assert record["fingerprint"] == data.fingerprint(data.load("tiny.npy"))


def test_the_record_of_a_run_is_never_rewritten(tiny_file, capsys):
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    before = (tiny_file / "run" / runs.RUN_FILE).read_bytes()
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    assert (tiny_file / "run" / runs.RUN_FILE).read_bytes() == before


# ---- full disk, read-only, divergence, two at once ---------------------------------------------


def fail_from_now_on(monkeypatch, number):
    """The disk refuses every further write, as a full or read-only one does."""

    def fsync(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failing_disk_stops_with_one_line(tiny_file, capsys, monkeypatch, number):
    """In the middle of a training: the checkpoint that is there stays, and goes on when resumed."""
    tiny.command(capsys, "train", *SMALL, "--out", "whole")
    one_step = train._one_step

    def step(state, *args):
        if state.step == 3:
            fail_from_now_on(patch, number)
        return one_step(state, *args)

    with monkeypatch.context() as patch:
        patch.setattr(train, "_one_step", step)
        status, out, err = tiny.command(
            capsys, "train", *SMALL, "--out", "run", "--checkpoint-seconds", "0"
        )
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("minivae: error: cannot write run")
    assert os.strerror(number) in last
    assert "Traceback" not in err
    assert saved_step(tiny_file / "run") == 3
    assert not list(tiny_file.glob("run/*.partial"))
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    assert tiny.outputs(tiny_file / "run") == tiny.outputs(tiny_file / "whole")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_is_full_from_the_start(tiny_file, capsys, monkeypatch, number):
    fail_from_now_on(monkeypatch, number)
    status, out, err = tiny.command(capsys, "train", *SMALL, "--out", "run")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert [path.name for path in (tiny_file / "run").iterdir()] == [".lock"]


def test_two_trainings_into_one_folder(tiny_file, capsys):
    """The second is refused while the first holds the lock, and changes nothing."""
    assert tiny.command(capsys, "train", *SMALL, "--out", "run")[0] == 0
    before = tiny.contents(tiny_file)
    with files.lock_folder(tiny_file / "run"):
        status, out, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert (status, out) == (2, "")
    assert err == (
        "minivae: error: run is being written by another run; "
        "wait for it, or choose another folder\n"
    )
    assert tiny.contents(tiny_file) == before
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0


def test_a_run_that_appeared_meanwhile_is_not_overwritten(tiny_file, capsys, monkeypatch):
    """Between looking at --out and locking it, another process may have trained there."""
    claim = runs.claim_folder

    def late(name, out=None):
        folder = claim(name, out)
        with monkeypatch.context() as patch:
            patch.setattr(runs, "claim_folder", claim)
            assert tiny.command(capsys, "train", *SMALL, "--out", "run", "--seed", "1")[0] == 0
        return folder

    monkeypatch.setattr(runs, "claim_folder", late)
    status, _, err = tiny.command(capsys, "train", *SMALL, "--out", "run")
    assert status == 2
    assert "already holds a run" in err
    assert json.loads((tiny_file / "run" / runs.RUN_FILE).read_text())["settings"]["seed"] == 1


@pytest.mark.parametrize("lr", ["1e6", "1e30"])
def test_divergence_is_one_line_and_keeps_the_last_good_checkpoint(tiny_file, capsys, lr):
    status, out, err = tiny.command(
        capsys,
        "train",
        *SMALL,
        "--likelihood",
        "gaussian",
        "--activation",
        "relu",
        "--lr",
        lr,
        "--out",
        "run",
        "--checkpoint-seconds",
        "0",
    )
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("minivae: error: ")
    assert "step " in last
    assert "try a smaller lr" in last
    assert "Warning" not in err
    arrays, _ = files.read_archive(tiny_file / "run" / runs.CHECKPOINT_FILE, kind=checkpoint.KIND)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert not (tiny_file / "run" / runs.MODEL_FILE).exists()


# ---- a checkpoint with a valid seal that makes no sense ------------------------------------------


HUGE = 10**400
NONSENSE = {
    "no settings": lambda meta: meta.pop("settings"),
    "settings of another kind": lambda meta: meta.update(settings=[1, 2]),
    "an unknown setting": lambda meta: meta["settings"].update(momentum=0.9),
    "a setting too few": lambda meta: meta["settings"].pop("lr"),
    "no fingerprint": lambda meta: meta.pop("fingerprint"),
    "a fingerprint of another kind": lambda meta: meta.update(fingerprint={}),
    "a negative step": lambda meta: meta.update(step=-1),
    "a huge step": lambda meta: meta.update(step=HUGE),
    "a step too far": lambda meta: meta.update(step=meta["step"] + 1),
    "a step in words": lambda meta: meta.update(step="six"),
    "a step that is true": lambda meta: meta.update(step=True),
    "a broken step": lambda meta: meta.update(step=6.5),
    "no step": lambda meta: meta.pop("step"),
    "an epoch beyond the last": lambda meta: meta.update(epoch=3, step=9),
    "an epoch before the first": lambda meta: meta.update(epoch=-1, step=-3),
    "a position between two steps": lambda meta: meta.update(epoch=1, position=19, step=4),
    "a position after the end": lambda meta: meta.update(position=20, step=7),
    "a huge position": lambda meta: meta.update(position=HUGE),
    "no history": lambda meta: meta.pop("history"),
    "a history of another kind": lambda meta: meta.update(history={"0": 1, "1": 2}),
    "a short history": lambda meta: meta["history"].pop(),
    "a row of another kind": lambda meta: meta["history"].__setitem__(0, 5),
    "a row with a column more": lambda meta: meta["history"][0].update(seconds=1.0),
    "a row with a column less": lambda meta: meta["history"][0].pop("kl"),
    "a row with text": lambda meta: meta["history"][0].update(kl="=HYPERLINK(...)"),
    "a row with a huge integer": lambda meta: meta["history"][0].update(kl=HUGE),
    "a row of another epoch": lambda meta: meta["history"][0].update(epoch=2),
    "no sums": lambda meta: meta.pop("sums"),
    "one sum": lambda meta: meta.update(sums=[1.0]),
    "sums in words": lambda meta: meta.update(sums=["1", "2", "3"]),
    "sums of another kind": lambda meta: meta.update(sums=1.0),
    "huge sums": lambda meta: meta.update(sums=[HUGE, 0.0, 0.0]),
    "no streams": lambda meta: meta.pop("streams"),
    "a stream too few": lambda meta: meta["streams"].pop("noise"),
    "streams of another kind": lambda meta: meta.update(streams=[]),
    "a stream of another kind": lambda meta: meta["streams"].update(noise=7),
    "another generator": lambda meta: meta["streams"]["noise"].update(bit_generator="MT19937"),
    "a stream without a state": lambda meta: meta["streams"]["noise"].pop("state"),
    "a negative state": lambda meta: meta["streams"]["noise"]["state"].update(state=-1),
    "a huge state": lambda meta: meta["streams"]["noise"]["state"].update(state=HUGE),
    "a broken state": lambda meta: meta["streams"]["noise"]["state"].update(inc=0.5),
    "a huge spare": lambda meta: meta["streams"]["noise"].update(uinteger=HUGE, has_uint32=1),
    "a negative spare": lambda meta: meta["streams"]["noise"].update(uinteger=-1),
}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A finished run of `tiny`, its arrays and meta."""
    folder = tmp_path_factory.mktemp("sealed") / "run"
    tiny.run(folder, tiny.dataset(), tiny.settings())
    return files.read_archive(folder / runs.CHECKPOINT_FILE, kind=checkpoint.KIND)


def refuse(tmp_path, arrays, meta):
    """Write a checkpoint with a valid seal, and show that it is refused in one line."""
    path = tmp_path / runs.CHECKPOINT_FILE
    files.write_archive(path, arrays, meta)
    before = path.read_bytes()
    with pytest.raises(MinivaeError) as error:
        tiny.run(tmp_path, tiny.dataset(), tiny.settings())
    assert len(str(error.value).splitlines()) == 1
    assert path.as_posix() in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", NONSENSE)
def test_a_sealed_checkpoint_that_makes_no_sense_is_refused(tmp_path, sealed, name):
    arrays, meta = sealed
    meta = json.loads(json.dumps(meta))
    NONSENSE[name](meta)
    refuse(tmp_path, arrays, meta)


def test_arrays_that_are_not_the_models_are_refused(tmp_path, sealed):
    arrays, meta = sealed
    flat = arrays["params"]
    for wrong in (
        {"params": flat, "m": flat},
        {**arrays, "more": flat},
        {**arrays, "m": flat[:-1]},
        {**arrays, "m": flat.astype(np.float64)},
        {**arrays, "m": flat[None]},
        {**arrays, "v": arrays["v"] - 1},
    ):
        refuse(tmp_path, wrong, meta)


def test_every_value_of_a_checkpoint_replaced_by_junk(tmp_path, sealed):
    """Each leaf and each branch of the description in turn, by values of every JSON type."""
    arrays, meta = sealed
    junk = (None, True, -1, HUGE, 1e308, 0.5, "", "x" * 2000, [], [[]], {}, {"state": 1})
    harmless = {"versions", "kind"}  # said, not used

    def places(value, keys=()):
        yield keys
        inner = value.items() if isinstance(value, dict) else ()
        inner = enumerate(value) if isinstance(value, list) else inner
        for key, below in inner:
            yield from places(below, (*keys, key))

    for keys in places(meta):
        if not keys or keys[0] in harmless:
            continue
        for value in junk:
            changed = json.loads(json.dumps(meta))
            *above, last = keys
            target = changed
            for key in above:
                target = target[key]
            if target[last] == value:
                continue
            target[last] = value
            state, message = restored_or_refused(arrays, changed, meta["fingerprint"])
            if state is None:
                assert len(message.splitlines()) == 1
            else:  # another number in the place of a number
                assert type(value) in (int, float, bool)
                assert np.isfinite(state.sums).all()


def restored_or_refused(arrays, meta, fingerprint):
    made, chosen = tiny.dataset(), tiny.settings()
    try:
        return checkpoint.restore_state(arrays, meta, chosen, made, fingerprint, "it"), None
    except MinivaeError as error:
        return None, str(error)
