"""A training in PyTorch, also one that is continued there, takes the same steps as in minivae."""

import numpy as np
import pytest

from minivae import bridge, ops, vae
from minivae.runs import Model
from minivae.spec import OUT_LOGVAR_FLOOR

# ---- training goes on ------------------------------------------------------------------------


def batches(spec, steps, n, seed):
    """Binarized or grey images with some structure, and noise, drawn in advance: float64."""
    rng = np.random.default_rng(seed)
    pixels = ops.sigmoid(rng.standard_normal((50, 3)) @ rng.standard_normal((3, spec.data_dim)) * 2)
    for _ in range(steps):
        x = pixels[rng.integers(50, size=n)]
        if spec.likelihood == "bernoulli":
            x = (rng.random(x.shape) < x).astype(np.float64)
        yield x, rng.standard_normal((n, spec.latent_dim))


class NumpyTraining:
    def __init__(self, model, lr):
        self.model, self.lr, self.step = model, lr, 0
        self.m, self.v = np.zeros_like(model.flat), np.zeros_like(model.flat)

    def take(self, x, eps):
        spec, params = self.model.spec, self.model.params
        result = vae.elbo_and_grads(params, x, eps, spec)
        self.step += 1
        ops.adam_step(self.model.flat, result.flat_grads, self.m, self.v, self.step, self.lr)
        vae.clamp_variance(params, spec)
        return result.loss


class TorchTraining:
    def __init__(self, torch, module, optimizer):
        self.torch, self.module, self.optimizer = torch, module, optimizer

    def take(self, x, eps):
        loss = self.module.elbo(self.torch.tensor(x), self.torch.tensor(eps)).loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.module.clamp_variance()
        return loss.item()


def trained_side_by_side(torch, spec, *, steps, n, lr=1e-3):
    """Largest difference of the loss over the steps, and the two trainings, from the same model."""
    rng = np.random.default_rng(5)
    model = Model(spec, vae.init_params(spec, rng, dtype=np.float64), (1, spec.data_dim))
    module = bridge.to_torch(model)
    ours = NumpyTraining(model, lr)
    theirs = TorchTraining(torch, module, torch.optim.Adam(module.parameters(), lr=lr))
    losses = np.array([(ours.take(*b), theirs.take(*b)) for b in batches(spec, steps, n, seed=6)])
    assert losses[-20:].mean() < losses[:20].mean() - 1  # it did learn something
    return abs(losses[:, 0] - losses[:, 1]).max(), ours, theirs


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_two_hundred_steps_of_training_agree_with_pytorch(torch, likelihood):
    """The same weights, batches and noise: not one gradient but a whole optimisation, Adam too."""
    spec = vae.Spec(30, (16, 16), 2, likelihood=likelihood)
    difference, ours, theirs = trained_side_by_side(torch, spec, steps=200, n=20, lr=3e-3)
    assert difference < 1e-8
    trained = bridge.from_torch(theirs.module)
    np.testing.assert_allclose(trained.flat, ours.model.flat, rtol=0, atol=1e-8)


@pytest.mark.slow
def test_two_hundred_steps_at_full_size_agree_with_pytorch(torch):
    difference, *_ = trained_side_by_side(torch, vae.Spec(784, (200, 200), 2), steps=200, n=100)
    assert difference < 1e-8


def test_pytorch_goes_on_from_the_middle_of_a_training(torch):
    """Weights and Adam's moments are handed over after 30 steps; the losses stay the same."""
    spec = vae.Spec(20, (8,), 2, likelihood="gaussian")
    flat = vae.init_params(spec, np.random.default_rng(5), dtype=np.float64)
    ours = NumpyTraining(Model(spec, flat, (1, 20)), lr=1e-2)
    drawn = list(batches(spec, 60, 10, seed=7))
    for batch in drawn[:30]:
        ours.take(*batch)
    module = bridge.to_torch(ours.model)
    adam = bridge.to_torch_adam(module, m=ours.m, v=ours.v, step=ours.step, lr=ours.lr)
    theirs = TorchTraining(torch, module, adam)
    losses = np.array([(ours.take(*batch), theirs.take(*batch)) for batch in drawn[30:]])
    np.testing.assert_allclose(losses[:, 1], losses[:, 0], rtol=0, atol=1e-8)


def test_the_floor_of_the_variance_holds_in_both_trainings(torch):
    """Constant images drive the learned variance down; both stop at the same floor, together."""
    spec = vae.Spec(4, (), 1, likelihood="gaussian")
    flat = np.zeros(vae.n_params(spec))
    model = Model(spec, flat, (2, 2))
    model.params["out_logvar"][...] = OUT_LOGVAR_FLOOR + 0.05
    module = bridge.to_torch(model)
    ours = NumpyTraining(model, lr=1e-2)
    adam = torch.optim.Adam(module.parameters(), lr=1e-2)
    theirs = TorchTraining(torch, module, adam)
    for _ in range(20):
        ours.take(np.zeros((3, 4)), np.ones((3, 1)))
        theirs.take(np.zeros((3, 4)), np.ones((3, 1)))
    for end in (ours.model, bridge.from_torch(module)):
        assert end.params["out_logvar"] == OUT_LOGVAR_FLOOR
