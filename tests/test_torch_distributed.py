"""The distributed example continues a minivae run from its loss, as one training would."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minivae
from minivae import MinivaeError, checks, data, ops, runs, vae
from minivae.bridge import torch_distributed as example
from minivae.settings import Settings

# Not imported here: that takes seconds in each process that collects the tests.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)

LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
PROCESSES = 2
EPOCHS = 2
TIME_LIMIT = 120  # seconds, for starting three Python processes that import torch


@pytest.fixture
def make_run(tmp_path):
    """A function that trains a small model on images with structure -> its run folder."""

    def make(**settings):
        rng = np.random.default_rng(0)
        pixels = ops.sigmoid(2 * rng.standard_normal((331, 2)) @ rng.standard_normal((2, 36)))
        images = tmp_path / "images.npy"
        np.save(images, (255 * pixels).astype(np.uint8).reshape(-1, 6, 6))
        dataset = data.load(images)
        settings = Settings(
            **{
                "hidden": (16,),
                "epochs": 4,
                "batch_size": 20,
                "lr": 1e-2,
                "backend": "numpy",
            }
            | settings
        )
        settings = checks.check_settings(settings, dataset)
        fingerprint = data.fingerprint(dataset)
        folder = tmp_path / "run"
        folder.mkdir()
        runs.start_run(
            folder,
            {
                "format": runs.RUN_FORMAT,
                "command": "test",
                "data": str(images),
                "settings": settings._asdict(),
                "versions": {},
                "fingerprint": fingerprint,
            },
        )
        runs.train_run(folder, dataset, settings, fingerprint)
        return folder

    return make


@pytest.fixture
def alone(monkeypatch, torch):
    """The environment that torchrun gives to a single process, and a call of the example in it."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", LOOPBACK)
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
    }.items():
        monkeypatch.setenv(name, value)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["torch_distributed", *map(str, arguments)])
        return example.main()

    return call


def launch(*arguments):
    """The example under torchrun, on the loopback interface and a free port -> standard output."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(PROCESSES),
        "-m",
        "minivae.bridge.torch_distributed",
        *map(str, arguments),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": LOOPBACK}
    root = Path(minivae.__file__).parent.parent
    with subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            out, err = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun passes it on; a kill would leave its workers behind
            raise
    assert process.returncode == 0, err
    return out


def printed_losses(out):
    return [float(loss) for loss in re.findall(r"^epoch +\d+ +loss (\S+) nats", out, re.MULTILINE)]


def shards(run, world):
    n = len(run.dataset.train) // world
    return [run.dataset.train[rank::world][:n] for rank in range(world)]


def united(run, world, batch_size, streams):
    """The batches of all processes as one: x (world * B, D), eps (world * B, L)."""
    import torch

    each = [
        example.batches(shard, batch_size, run, rng)
        for shard, rng in zip(shards(run, world), streams, strict=True)
    ]
    for parts in zip(*each, strict=True):
        xs, noises = zip(*parts, strict=True)
        yield torch.cat(xs).numpy(), torch.cat(noises, dim=-2).numpy()


def loss_in_minivae(run, params, world):
    streams = [np.random.default_rng(rank) for rank in range(world)]
    total = count = 0
    for x, eps in united(run, world, example.SCORED_AT_ONCE, streams):
        terms = vae.elbo if eps.ndim == 2 else vae.iwae
        total += len(x) * float(terms(params, x, eps, run.spec).loss)
        count += len(x)
    return total / count


def trained_in_minivae(folder, world, epochs):
    """The same training in NumPy, one process, every batch the union of the processes' batches.

    -> the loss before and after, and the flat parameters.
    """
    run = example.load_started_run(folder)
    state, spec = run.state, run.spec
    params = vae.unpack(state.flat, spec)
    losses = [loss_in_minivae(run, params, world)]
    streams = [
        np.random.default_rng([run.settings.seed, state.step, rank]) for rank in range(world)
    ]
    for _ in range(epochs):
        for x, eps in united(run, world, run.settings.batch_size // world, streams):
            gradient = vae.elbo_and_grads if eps.ndim == 2 else vae.iwae_and_grads
            result = gradient(params, x, eps, spec)
            state.step += 1
            lr = run.last["lr"]
            ops.adam_step(state.flat, result.flat_grads, state.m, state.v, state.step, lr)
            vae.clamp_variance(params, spec)
        losses.append(loss_in_minivae(run, params, world))
    return losses, state.flat


def assert_went_on(folder, new, out, world):
    """Printed losses and the weights that came back are those of one training in minivae."""
    losses, flat = trained_in_minivae(folder, world, EPOCHS)
    found = printed_losses(out)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    assert found[-1] < found[0] - 0.01
    model = runs.load_run(new)
    np.testing.assert_allclose(model.flat, flat, rtol=0, atol=1e-4 * abs(flat).max())
    assert runs.read_run_file(new)["continues"] == str(folder)


@pytest.mark.slow
def test_two_processes_go_on_where_minivae_stopped(make_run, tmp_path):
    folder, new = make_run(), tmp_path / "new"
    last = example.load_started_run(folder).last["loss"]
    out = launch(folder, "--epochs", EPOCHS, "--out", new)
    first, *_ = printed_losses(out)
    assert first == pytest.approx(last, rel=0.02)  # the epoch's average, while it still learned
    assert_went_on(folder, new, out, PROCESSES)


KINDS = {
    "bernoulli": {},
    "learned variance": {"likelihood": "gaussian"},
    "importance-weighted": {"objective": "iwae", "samples": 3},
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_process_goes_on_where_minivae_stopped(kind, make_run, alone, tmp_path, capsys):
    """The example's code within this process; the slow test starts two."""
    folder, new = make_run(**KINDS[kind]), tmp_path / "new"
    assert alone(folder, "--epochs", EPOCHS, "--out", new) == 0
    assert_went_on(folder, new, capsys.readouterr().out, 1)


def test_the_model_that_came_back_is_not_trained_over(make_run, alone, tmp_path):
    """Its folder holds no checkpoint, and `train --resume` would begin again from nothing."""
    folder, new = make_run(), tmp_path / "new"
    assert alone(folder, "--out", new) == 0
    run, before = example.load_started_run(folder), (new / runs.MODEL_FILE).read_bytes()
    with pytest.raises(MinivaeError, match="no checkpoint to continue from"):
        runs.train_run(new, run.dataset, run.settings, run.record["fingerprint"])
    assert (new / runs.MODEL_FILE).read_bytes() == before


def test_a_record_with_a_setting_that_nobody_knows_is_refused(make_run):
    folder = make_run()
    path = folder / runs.RUN_FILE
    path.write_text(path.read_text().replace('"latent_dim"', '"latents"'))
    with pytest.raises(MinivaeError, match="not those of the train command"):
        example.load_started_run(folder)


def test_a_conditional_run_is_refused(make_run):
    path = make_run() / runs.RUN_FILE
    path.write_text(path.read_text().replace('"condition": "none"', '"condition": "labels"'))
    with pytest.raises(MinivaeError, match="is a conditional model, and this loop gives no labels"):
        example.load_started_run(path.parent)


def test_what_cannot_go_on_is_refused_in_one_line(make_run, alone, tmp_path, capsys, monkeypatch):
    folder = make_run(free_bits=0.5)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    plain = example.load_started_run(folder)
    plain = plain._replace(spec=plain.spec._replace(free_bits=0.0))
    capsys.readouterr()  # the progress bar of the training
    refused = [
        ((folder,), "free bits"),
        ((tmp_path,), "not a run folder"),
        ((folder, "--epochs", 0), "--epochs is 0"),
    ]
    for arguments, words in refused:
        assert_refused(alone, arguments, words, capsys)
    monkeypatch.setattr(example, "load_started_run", lambda run: plain)
    assert_refused(alone, (folder, "--out", tmp_path / "full"), "not empty", capsys)
    monkeypatch.setenv("WORLD_SIZE", "21")
    assert_refused(alone, (folder,), "cannot be shared by 21 processes", capsys)
    monkeypatch.delenv("WORLD_SIZE")
    assert_refused(alone, (folder,), "start this with torchrun", capsys)


def assert_refused(call, arguments, words, capsys):
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.startswith("minivae: error: ")
    assert err.count("\n") == 1
