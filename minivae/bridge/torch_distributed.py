"""An example: a minivae run is trained further by several processes, with PyTorch.

    torchrun --standalone --nproc-per-node 2 -m minivae.bridge.torch_distributed runs/mnist

Weights, Adam's moments, learning rate and beta are those at the end of the run. Every process has
its own shard of the training images, and DistributedDataParallel averages the gradients: with equal
shards that is the gradient of the union of the processes' batches. The weights are saved in a new
run folder, for `python -m minivae evaluate`. On several machines, give torchrun --nnodes and
--rdzv-endpoint instead of --standalone; on GPUs, use "nccl" and move the module there first.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minivae import bridge, checks, data, files, runs, train
from minivae.checks.values import shell_line
from minivae.errors import MinivaeError
from minivae.runs import checkpoints
from minivae.settings import GanSettings, Settings
from minivae.spec import Spec

if TYPE_CHECKING:  # an optional library
    import torch

COMMAND = "torchrun --standalone --nproc-per-node 2 -m minivae.bridge.torch_distributed".split()
SCORED_AT_ONCE = 500


def main() -> int:
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 0))
    args = parse_arguments()
    try:
        check_start(args, world)
        run = load_started_run(args.run)
        check_run(run, world)
        folder = make_run_folder(args, run) if rank == 0 else None
        model = train_further(run, args.epochs, rank, world)
        if folder is not None:
            runs.save_model(folder / runs.MODEL_FILE, model)
            words = ["python", "-m", "minivae", "evaluate", checks.printable(folder)]
            print(f"next: {shell_line(words)}")
    except MinivaeError as error:
        if rank == 0:
            print(f"minivae: error: {error}", file=sys.stderr)
        return 2
    return 0


def parse_arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="a run folder that `python -m minivae train` made")
    parser.add_argument("--epochs", type=int, default=1, help="passes over the data (default 1)")
    parser.add_argument("--out", help="the new run folder (default runs/<run>-distributed)")
    return parser.parse_args()


# ---- the run ---------------------------------------------------------------------------------


class StartedRun(NamedTuple):
    """A run that was trained in minivae, and its data; every process reads them itself."""

    record: dict
    dataset: data.Dataset
    settings: Settings
    spec: Spec
    state: train.State

    @property
    def last(self) -> dict[str, Any]:
        """The last row of the history."""
        return self.state.history[-1]


def check_start(args: argparse.Namespace, world: int) -> None:
    """Raise MinivaeError unless torchrun started this, for one epoch or more."""
    checks.check_whole(args.epochs, "--epochs", 1, checks.MAX_SIZE)
    if world < 1:  # torchrun sets it
        command = shell_line([*COMMAND, checks.printable(args.run)])
        raise MinivaeError(f"start this with torchrun: {command}")


def load_started_run(folder: str | Path) -> StartedRun:
    """The run in a folder. Raises MinivaeError if there is none, or no finished epoch in it."""
    record = runs.read_run_file(folder)
    path = Path(folder) / runs.RUN_FILE
    settings = runs.recorded_settings(record, path)
    if isinstance(settings, GanSettings):
        raise MinivaeError(f"{checks.printable(folder)} is a GAN; choose the run of a VAE")
    dataset = data.load(record["data"], runs.recorded_reading(record, path))
    checks.check_settings_fit_data(settings, dataset)
    fingerprint = data.fingerprint(dataset)
    state = checkpoints.load_checkpoint(folder, settings, dataset, fingerprint)
    if state is None or not state.history:
        raise MinivaeError(
            f"{checks.printable(folder)} has no finished epoch to continue from; train first"
        )
    return StartedRun(record, dataset, settings, settings.spec(dataset.train.shape[1]), state)


def check_run(run: StartedRun, world: int) -> None:
    """Raise MinivaeError unless this many processes can train the run further."""
    if run.spec.free_bits:
        raise MinivaeError(
            "this run has free bits, a floor on the KL averaged over a whole batch, and a process "
            "has only a part of it; choose a run without free bits"
        )
    if run.settings.gradient != "plain":
        raise MinivaeError(
            "this run has the doubly reparameterized gradient, which is not that of PyTorch; "
            "choose a run without it"
        )
    if run.settings.batch_size < world:
        raise MinivaeError(
            f"a batch of {run.settings.batch_size} cannot be shared by {world} processes; "
            "start fewer"
        )


def make_run_folder(args: argparse.Namespace, run: StartedRun) -> Path:
    """Make the new run folder and its record -> its path. Raises MinivaeError if it exists."""
    out = None if args.out is None else checks.check_path(args.out, "--out")
    folder = runs.claim_folder(f"{Path(args.run).resolve().name}-distributed", out)
    command = shell_line([*COMMAND, *sys.argv[1:]])
    with files.lock_folder(folder):
        runs.start_run(folder, run.record | {"command": command, "continues": args.run})
    return folder


# ---- training on the shards ------------------------------------------------------------------


def train_further(run: StartedRun, epochs: int, rank: int, world: int) -> runs.Model:
    """Train together with the other processes -> the Model, the same in all of them."""
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    dist.init_process_group("gloo")
    n = len(run.dataset.train) // world
    shard = run.dataset.train[rank::world][:n]  # equal shards: equally many steps everywhere

    module = bridge.to_torch(runs.Model(run.spec, run.state.flat, run.dataset.image_shape))
    adam = bridge.to_torch_adam(
        module, m=run.state.m, v=run.state.v, step=run.state.step, lr=run.last["lr"]
    )
    parallel = DistributedDataParallel(module)

    def report(epoch, what):
        loss = mean_loss(module, shard, run, rank, dist)
        if rank == 0:
            print(f"epoch {epoch:3d}   loss {loss:.4f} nats per image   {what}", flush=True)

    report(0, "as loaded from minivae")
    rng = np.random.default_rng([run.settings.seed, run.state.step, rank])
    for epoch in range(1, epochs + 1):
        for x, eps in batches(shard, run.settings.batch_size // world, run, rng):
            adam.zero_grad()
            parallel(x, eps, beta=run.last["beta"]).loss.backward()  # the gradients are averaged
            adam.step()
            module.clamp_variance()
        report(epoch, f"processes: {world}")
    # The wrapper must go before its process group. If it held the last reference to the group,
    # PyTorch would wait for the group's threads while it holds the GIL, which they may wait for.
    del parallel
    dist.destroy_process_group()
    return bridge.from_torch(module)


def batches(
    images: np.ndarray, batch_size: int, run: StartedRun, rng: np.random.Generator
) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
    """One epoch over `images`, in a random order: yields x (B, D) and eps, as tensors.

    eps: (B, L), or (K, B, L) for a run with the importance-weighted bound. A run that averages the
    ELBO over several samples goes on with one: the same gradient on average.
    """
    import torch

    order = rng.permutation(len(images))
    samples = (run.settings.samples,) if run.settings.objective == "iwae" else ()
    for start in range(0, len(images), batch_size):
        x = data.draw_batch(images, order[start : start + batch_size], run.spec.likelihood, rng)
        eps = rng.standard_normal((*samples, len(x), run.spec.latent_dim), dtype=np.float32)
        yield torch.from_numpy(x), torch.from_numpy(eps)


def mean_loss(module: Any, shard: np.ndarray, run: StartedRun, rank: int, dist: Any) -> float:
    """The loss averaged over all shards, with the same noise at each call."""
    import torch

    rng, total = np.random.default_rng(rank), torch.zeros(1, dtype=torch.float64)
    with torch.no_grad():
        for x, eps in batches(shard, SCORED_AT_ONCE, run, rng):
            total += len(x) * module(x, eps, beta=run.last["beta"]).loss
    dist.all_reduce(total)
    return total.item() / (len(shard) * dist.get_world_size())


if __name__ == "__main__":
    raise SystemExit(main())
