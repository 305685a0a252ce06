"""When one machine is no longer enough: a minivae run goes on in PyTorch's distributed training.

    torchrun --standalone --nproc-per-node 2 -m minivae.bridge.torch_distributed runs/mnist

Weights, Adam's moments, learning rate and beta are those the run ended with. Every process takes
its own shard of the training images, and DistributedDataParallel averages the gradients: with
equal shards that is the gradient of all processes' batches as one. The weights come back into a
new run folder, for `python -m minivae evaluate`. On several machines torchrun wants --nnodes and
--rdzv-endpoint instead of --standalone; on GPUs, say "nccl" and move the module there first.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minivae import bridge, checks, data, files, runs, train, vae
from minivae.checks.values import shell_line
from minivae.cli.train import recorded_settings
from minivae.errors import MinivaeError
from minivae.runs import checkpoint
from minivae.settings import Settings

COMMAND = "torchrun --standalone --nproc-per-node 2 -m minivae.bridge.torch_distributed".split()
SCORED_AT_ONCE = 500


def main():
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 0))
    args = parse_arguments()
    try:
        check_start(args, world)
        run = load_run(args.run)
        check_run(run, world)
        folder = claim_folder(args, run) if rank == 0 else None
        model = go_on(run, args.epochs, rank, world)
        if rank == 0:
            runs.save_model(folder / runs.MODEL_FILE, model)
            words = ["python", "-m", "minivae", "evaluate", checks.printable(folder)]
            print(f"next: {shell_line(words)}")
    except MinivaeError as error:
        if rank == 0:
            print(f"minivae: error: {error}", file=sys.stderr)
        return 2
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="a run folder that `python -m minivae train` made")
    parser.add_argument("--epochs", type=int, default=1, help="passes over the data (default 1)")
    parser.add_argument("--out", help="the new run folder (default runs/<run>-distributed)")
    return parser.parse_args()


# ---- the run ---------------------------------------------------------------------------------


class Run(NamedTuple):
    """What a run folder holds, and its data: every process reads them for itself."""

    record: dict
    dataset: data.Dataset
    settings: Settings
    spec: vae.Spec
    state: train.State

    @property
    def last(self):
        return self.state.history[-1]


def check_start(args, world):
    checks.check_whole(args.epochs, "--epochs", 1, 10**9)
    if world < 1:  # torchrun sets it
        command = shell_line([*COMMAND, checks.printable(args.run)])
        raise MinivaeError(f"start this with torchrun: {command}")


def load_run(folder):
    record = runs.read_run_file(folder)
    dataset = data.load(record["data"])
    settings = recorded_settings(record, Path(folder) / runs.RUN_FILE)
    settings = checks.check_settings(settings, dataset)
    fingerprint = data.fingerprint(dataset)
    state = checkpoint.load_checkpoint(folder, settings, dataset, fingerprint)
    if state is None or not state.history:
        raise MinivaeError(
            f"{checks.printable(folder)} has no finished epoch to go on from; train first"
        )
    return Run(record, dataset, settings, settings.spec(dataset.train.shape[1]), state)


def check_run(run, world):
    if run.spec.free_bits:
        raise MinivaeError(
            "this run has free bits, a floor under the KL averaged over a whole batch, and a "
            "process sees only its part; go on with a run without them"
        )
    if run.settings.batch_size < world:
        raise MinivaeError(
            f"a batch of {run.settings.batch_size} cannot be shared by {world} processes; "
            "start fewer"
        )


def claim_folder(args, run):
    out = None if args.out is None else checks.check_path(args.out, "--out")
    folder = runs.claim_folder(f"{Path(args.run).resolve().name}-distributed", out)
    command = shell_line([*COMMAND, *sys.argv[1:]])
    with files.lock_folder(folder):
        runs.start_run(folder, run.record | {"command": command, "continues": args.run})
    return folder


# ---- training on the shards ------------------------------------------------------------------


def go_on(run, epochs, rank, world):
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

    report(0, "as it came from minivae")
    rng = np.random.default_rng([run.settings.seed, run.state.step, rank])
    for epoch in range(1, epochs + 1):
        for x, eps in batches(shard, run.settings.batch_size // world, run, rng):
            adam.zero_grad()
            parallel(x, eps, beta=run.last["beta"]).loss.backward()  # the gradients are averaged
            adam.step()
            module.clamp_variance()
        report(epoch, f"processes: {world}")
    # Before its group: if the wrapper is the last to let go of it, PyTorch waits for the group's
    # threads while it holds Python's lock, which one of them may be waiting for.
    del parallel
    dist.destroy_process_group()
    return bridge.from_torch(module)


def batches(images, batch_size, run, rng):
    """One epoch over `images`, in a random order: yields x (B, D) and eps, as tensors.

    eps: (B, L), or (K, B, L) for a run on the importance-weighted bound.
    """
    import torch

    order = rng.permutation(len(images))
    samples = (run.settings.samples,) if run.settings.objective == "iwae" else ()
    for start in range(0, len(images), batch_size):
        x = data.draw_batch(images, order[start : start + batch_size], run.spec.likelihood, rng)
        eps = rng.standard_normal((*samples, len(x), run.spec.latent_dim), dtype=np.float32)
        yield torch.from_numpy(x), torch.from_numpy(eps)


def mean_loss(module, shard, run, rank, dist):
    """The loss over all shards, the same noise each time: two values differ by the model alone."""
    import torch

    rng, total = np.random.default_rng(rank), torch.zeros(1, dtype=torch.float64)
    with torch.no_grad():
        for x, eps in batches(shard, SCORED_AT_ONCE, run, rng):
            total += len(x) * module(x, eps, beta=run.last["beta"]).loss
    dist.all_reduce(total)
    return total.item() / (len(shard) * dist.get_world_size())


if __name__ == "__main__":
    raise SystemExit(main())
