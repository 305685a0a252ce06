"""A run that is stopped and resumed ends with the bits of the run that was never stopped."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import tiny

from minivae import MinivaeError, checks, data, files, runs, settings, train
from minivae.data import cats
from minivae.runs import checkpoints

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

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
        assert tiny.saved_step(folder) == steps
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
        assert tiny.saved_step(tmp_path / "halting") == step
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
    state = checkpoints.load_checkpoint(tmp_path / "run", chosen, made, mark)
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
        patch.setattr(train._Vae, "one_step", no_step)
        with pytest.raises(KeyboardInterrupt):
            tiny.run(tmp_path / "run", made, chosen)
    assert tiny.saved_step(tmp_path / "run") == 0
    tiny.run(tmp_path / "run", made, chosen)
    tiny.run(tmp_path / "whole", made, chosen)
    assert tiny.outputs(tmp_path / "run") == tiny.outputs(tmp_path / "whole")


# ---- Ctrl-C, SIGTERM, --resume ---------------------------------------------------------------


def send_signal(monkeypatch, number, at_step):
    """Let the process receive a signal in the middle of a step."""
    one_step = train._Vae.one_step

    def step(trainee, *args):
        if trainee.state.step + 1 == at_step:
            signal.raise_signal(number)
        return one_step(trainee, *args)

    monkeypatch.setattr(train._Vae, "one_step", step)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [2, 3])
def test_signals_save_and_say_how_to_resume(tiny_file, capsys, monkeypatch, ctrl_c, number, step):
    """Status 130, the exact line to type, and typing it gives the bits of the whole run."""
    handler = signal.getsignal(number)
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "whole")[0] == 0
    with monkeypatch.context() as patch:
        send_signal(patch, number, step)
        status, out, err = tiny.command(capsys, "train", *tiny.OPTIONS)
    assert status == 130
    assert not out.strip()
    assert f"stopped after step {step}" in err
    assert tiny.saved_step(tiny_file / "runs/tiny") == step
    assert err.endswith("python -m minivae train --resume --out runs/tiny\n")
    assert not (tiny_file / "runs/tiny" / runs.MODEL_FILE).exists()
    assert signal.getsignal(number) == handler
    status, out, _ = tiny.command(capsys, "train", "--resume", "--out", "runs/tiny", "--json")
    assert status == 0
    assert json.loads(out)["steps"] == 6
    assert tiny.outputs(tiny_file / "runs/tiny") == tiny.outputs(tiny_file / "whole")


def test_an_interrupted_run_reports_json_too(tiny_file, capsys, monkeypatch):
    send_signal(monkeypatch, signal.SIGINT, 4)
    status, out, _ = tiny.command(capsys, "train", *tiny.OPTIONS, "--json")
    assert status == 130
    assert json.loads(out) == {"run": "runs/tiny", "interrupted": True, "steps": 4}


@pytest.mark.parametrize("out", [(), ("--out", "some/where")])
def test_resume_where_nothing_is_starts_anew(tiny_file, capsys, out):
    """No folder at all; and one left by a process that was killed before its first whole file."""
    folder = tiny_file / (out[1] if out else "runs/tiny")
    assert tiny.command(capsys, "train", "--resume", *tiny.OPTIONS, *out)[0] == 0
    expected = tiny.outputs(folder)
    for path in folder.iterdir():
        path.unlink()
    (folder / ".lock").touch()
    (folder / ".minivae-0123456789abcdef.partial").write_bytes(b"half a fi")
    assert tiny.command(capsys, "train", "--resume", *tiny.OPTIONS, *out)[0] == 0
    assert tiny.outputs(folder) == expected
    assert not list(folder.glob("*.partial"))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_resume_of_a_run_without_a_checkpoint_starts_anew(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    expected = tiny.outputs(tiny_file / "run")
    for name in tiny.OUTPUTS:
        (tiny_file / "run" / name).unlink()
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    assert tiny.outputs(tiny_file / "run") == expected


# ---- repeated by others ----------------------------------------------------------------------


def test_from_run_repeats_to_the_bit(tiny_file, capsys):
    first = (*tiny.OPTIONS, "--seed", "5", "--beta", "2")
    assert tiny.command(capsys, "train", *first)[0] == 0
    status, out, _ = tiny.command(capsys, "train", "--from-run", "runs/tiny", "--json")
    assert status == 0
    assert json.loads(out)["run"] == "runs/tiny-2"
    assert tiny.outputs(tiny_file / "runs/tiny-2") == tiny.outputs(tiny_file / "runs/tiny")
    assert tiny.command(capsys, "train", "--from-run", "runs/tiny-2", "--out", "third")[0] == 0
    assert tiny.outputs(tiny_file / "third") == tiny.outputs(tiny_file / "runs/tiny")


def test_run_file_records_what_repeating_needs(tiny_file, capsys):
    argv = ("train", *tiny.OPTIONS, "--seed", "5", "--out", "a folder")
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
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    before = (tiny_file / "run" / runs.RUN_FILE).read_bytes()
    assert tiny.command(capsys, "train", "--resume", "--out", "run")[0] == 0
    assert (tiny_file / "run" / runs.RUN_FILE).read_bytes() == before


# ---- runs of earlier versions ------------------------------------------------------------------

OLD_RUN = Path(__file__).with_name("old_run")  # stopped after step 4; "latent" is now "latent_dim"


def in_the_old_format(folder):
    """Rewrite a run folder as the version wrote it that made OLD_RUN."""

    def reword(saved):
        saved["latent"] = saved.pop("latent_dim")
        for name in settings.ADDED:
            del saved[name]

    path = folder / runs.RUN_FILE
    record = json.loads(path.read_text())
    reword(record["settings"])
    path.write_text(json.dumps(record))
    path = folder / runs.CHECKPOINT_FILE
    arrays, meta = files.read_archive(path, kind=checkpoints.KIND)
    reword(meta["settings"])
    files.write_archive(path, arrays, meta)
    return set(record["settings"]), set(meta["settings"])


def test_a_run_in_the_old_format_resumes_to_the_same_bits(tiny_file, capsys, monkeypatch):
    """The settings' names are those of a folder that an earlier version did write."""
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "whole")[0] == 0
    send_signal(monkeypatch, signal.SIGINT, 4)
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 130
    names = in_the_old_format(tiny_file / "run")
    old_record = json.loads((OLD_RUN / runs.RUN_FILE).read_text())
    _, old_meta = files.read_archive(OLD_RUN / runs.CHECKPOINT_FILE, kind=checkpoints.KIND)
    assert names == (set(old_record["settings"]), set(old_meta["settings"]))
    monkeypatch.undo()
    monkeypatch.chdir(tiny_file)
    tiny.draw_no_pictures(monkeypatch)
    resume = ("train", "--resume", "--out", "run")
    assert tiny.command(capsys, *resume, "--latent", "3")[0] == 2
    assert tiny.command(capsys, *resume, "--latent", "2")[0] == 0
    assert tiny.outputs(tiny_file / "run") == tiny.outputs(tiny_file / "whole")


def test_a_run_of_an_earlier_version_goes_on(tiny_file, capsys):
    """And is repeated. Its first four steps may come from a machine with other last bits."""
    shutil.copytree(OLD_RUN, "run")
    data_option = ("--data", "run/tiny.npy")
    assert tiny.command(capsys, "train", "--resume", "--out", "run", *data_option)[0] == 0
    assert tiny.saved_step(tiny_file / "run") == 6
    repeat = ("train", "--from-run", "run", "--out", "again", *data_option)
    assert tiny.command(capsys, *repeat)[0] == 0
    old, new = runs.load_run("run"), runs.load_run("again")
    np.testing.assert_allclose(new.flat, old.flat, rtol=1e-3, atol=1e-5)
    record = json.loads((tiny_file / "again" / runs.RUN_FILE).read_text())
    assert record["settings"]["latent_dim"] == 2
    assert "latent" not in record["settings"]


def test_a_setting_that_came_later_has_its_value_of_then(tiny_file, capsys, monkeypatch):
    """As if `warmup` were new; a missing setting that was always there is an error."""
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    path = tiny_file / "run" / runs.RUN_FILE
    record = json.loads(path.read_text())
    expected = runs.recorded_settings(record, path)
    del record["settings"]["warmup"]
    with pytest.raises(MinivaeError, match="its settings are not those of the train command"):
        runs.recorded_settings(record, path)
    monkeypatch.setitem(settings.ADDED, "warmup", expected.warmup)
    assert runs.recorded_settings(record, path) == expected
    monkeypatch.setitem(settings.ADDED, "warmup", 3.0)
    assert runs.recorded_settings(record, path) == expected._replace(warmup=3.0)


def test_a_file_with_the_old_and_the_new_name_is_refused(tiny_file, capsys):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "run")[0] == 0
    path = tiny_file / "run" / runs.RUN_FILE
    record = json.loads(path.read_text())
    record["settings"]["latent"] = 2
    path.write_text(json.dumps(record))
    status, _, err = tiny.command(capsys, "train", "--resume", "--out", "run")
    assert status == 2
    assert "its settings are not those of the train command" in err


@pytest.mark.parametrize("how", [(), ("--resume", "--out", "old"), ("--from-run", "old")])
def test_a_command_checks_its_settings_once(tiny_file, capsys, monkeypatch, how):
    assert tiny.command(capsys, "train", *tiny.OPTIONS, "--out", "old")[0] == 0
    checked = []
    check = checks.check_settings

    def watched(*args):
        checked.append(args)
        return check(*args)

    monkeypatch.setattr(checks, "check_settings", watched)
    assert tiny.command(capsys, "train", *(how or tiny.OPTIONS))[0] == 0
    assert len(checked) == 1
