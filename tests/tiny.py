"""A data set, settings and runs so small that a training takes milliseconds; running commands."""

import contextlib
import io

import numpy as np

from minivae import VAE, cli, data, files, runs
from minivae.cli import train as train_command
from minivae.runs import checkpoints
from minivae.settings import Settings

TRAIN, TEST = 53, 7  # three batches of 20 an epoch, the last one smaller
STEPS_PER_EPOCH = 3
OPTIONS = tuple(  # of `train`, for a run like those of `settings`
    "--data tiny.npy --hidden 7 5 --epochs 2 --batch-size 20 --backend numpy".split()
)
OUTPUTS = (runs.MODEL_FILE, runs.HISTORY_FILE, runs.CHECKPOINT_FILE)


def images(n=TRAIN + TEST, side=6):
    """Grey blobs (n, side, side) uint8: something that can be learned."""
    rng = np.random.default_rng(11)
    rows, columns = np.mgrid[:side, :side]
    at = rng.uniform(0, side - 1, (n, 2, 1, 1))
    square = (rows - at[:, 0]) ** 2 + (columns - at[:, 1]) ** 2
    return (255 * np.exp(-square / side)).astype(np.uint8)


def dataset(**changes):
    flat = images().reshape(-1, 36)
    made = data.Dataset("tiny", flat[:TRAIN], flat[TRAIN:], None, None, (6, 6), "")
    return made._replace(**changes)


def settings(**changes):
    small = Settings(hidden=(7, 5), epochs=2, batch_size=20, backend="numpy")
    return small._replace(**changes)


def run(folder, made, chosen, **kwargs):
    """`runs.train_run` in a folder that may be new, as the command line does it, but silent."""
    folder.mkdir(exist_ok=True)
    with files.lock_folder(folder), contextlib.redirect_stderr(io.StringIO()):
        return runs.train_run(folder, made, chosen, data.fingerprint(made), **kwargs)


def train_as_typed(out, *, data="tiny.npy", **changes):
    """The command `train` as a function, with the settings of `settings`."""
    small = {"hidden": [7, 5], "epochs": 2, "batch_size": 20, "backend": "numpy"}
    train_command.train_in_folder(
        {"data": str(data), **small, **changes},
        out=out,
        resume=True,
        from_run=None,
        checkpoint_seconds=0,
        command="python -m minivae train",
        say=lambda line: None,
    )


def draw_no_pictures(monkeypatch):
    """Leave the pictures of `train` out: they take longer than the training."""
    monkeypatch.setattr(train_command, "_draw", lambda *args: [])


def estimator(**changes):
    """An estimator with the settings of `settings`."""
    small = {"hidden": (7, 5), "epochs": 2, "batch_size": 20, "backend": "numpy"}
    return VAE(**(small | {"random_state": 0} | changes))


def saved_step(folder):
    """The number of steps that the checkpoint in a run folder has done."""
    _, meta = files.read_archive(folder / runs.CHECKPOINT_FILE, kind=checkpoints.KIND)
    return meta["step"]


def outputs(folder):
    """All that a finished run promises to the bit."""
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def stop_after(steps):
    """A should_stop that says yes after that many steps."""
    left = iter(range(steps - 1))
    return lambda: next(left, None) is None


def command(capsys, *argv):
    """Run a command in this process -> status, standard output, standard error."""
    status = cli.main([str(word) for word in argv])
    out, err = capsys.readouterr()
    return status, out, err


def contents(folder):
    """Every file under a folder, with its bytes: to show that a command changed nothing."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refused(folder, capsys, *argv):
    """Run what must fail -> the error line. Nothing else is printed, nothing is written."""
    before = contents(folder)
    status, out, err = command(capsys, *argv)
    assert (status, out) == (2, ""), err
    assert err.startswith("minivae: error: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1, err
    assert contents(folder) == before
    return err
