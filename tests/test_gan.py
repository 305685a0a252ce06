"""The GAN: both losses and both gradients, by hand, against formulas and numerical gradients."""

import numpy as np
import pytest
from random_models import BATCH

from minivae import MinivaeError, checks, gan, ops
from minivae.gradcheck import check_grad
from minivae.gradcheck.differences import block_error, central_differences, complex_step
from minivae.spec import GanSpec, layout, n_params, unpack

SPECS = [
    GanSpec(6, (), 2),
    GanSpec(6, (5, 4), 3, "tanh"),
    GanSpec(6, (5,), 2, "relu"),
    GanSpec(7, (5, 4, 3), 3, "softplus"),
]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=str)


def model(spec, dtype=np.float64, seed=0):
    """flat parameters, x (BATCH, D), z (BATCH, L)."""
    rng = np.random.default_rng(seed)
    flat = rng.normal(scale=0.6, size=n_params(spec)).astype(dtype)
    x = rng.random((BATCH, spec.data_dim)).astype(dtype)
    return flat, x, rng.standard_normal((BATCH, spec.latent_dim)).astype(dtype)


def test_the_generator_is_as_large_as_a_decoder():
    blocks = dict(layout(GanSpec(6, (5, 4), 3)))
    assert list(blocks) == [
        "gen1_W", "gen1_b", "gen2_W", "gen2_b", "gen_out_W", "gen_out_b",
        "dis1_W", "dis1_b", "dis2_W", "dis2_b", "dis_out_W", "dis_out_b",
    ]  # fmt: skip
    assert (blocks["gen1_W"], blocks["gen2_W"], blocks["gen_out_W"]) == ((3, 4), (4, 5), (5, 6))
    assert (blocks["dis1_W"], blocks["dis2_W"], blocks["dis_out_W"]) == ((6, 5), (5, 4), (4, 1))


def test_split_gives_views_of_both_players():
    spec = SPECS[1]
    flat, *_ = model(spec)
    generator, discriminator = gan.split(flat, spec)
    generator[:], discriminator[:] = 1, 2
    for name, block in unpack(flat, spec).items():
        assert (block == (2 if name.startswith(("dis", "dis_out")) else 1)).all()
    assert generator.size + discriminator.size == n_params(spec)


# ---- the losses ------------------------------------------------------------------------------


def test_a_small_gan_has_the_losses_of_the_paper(gan):
    losses_are_their_formulas(gan, SPECS[1])


@each_spec
def test_the_losses_are_their_formulas(spec):
    losses_are_their_formulas(gan, spec)


@pytest.fixture(name="gan")
def the_module():
    return gan


def losses_are_their_formulas(gan, spec):
    """With probabilities and logarithms, as in the paper; here nothing is near 0 or 1."""
    flat, x, z = model(spec)
    params = unpack(flat, spec)

    def D(images):
        score, _ = gan.discriminator_forward(params, images, spec, ops)
        return 1 / (1 + np.exp(-score[:, 0]))

    fake = gan.generate(params, z, spec)
    assert ((fake > 0) & (fake < 1)).all()
    expected = -np.log(D(x)).mean() - np.log(1 - D(fake)).mean()
    played = gan.discriminator_loss(params, x, z, spec)
    assert played.loss == pytest.approx(expected, rel=1e-12)
    assert 1 / (1 + np.exp(-played.scores)) == pytest.approx(np.concatenate([D(x), D(fake)]))
    other = gan.generator_loss(params, z, spec)
    assert other.loss == pytest.approx(-np.log(D(fake)).mean(), rel=1e-12)
    assert 1 / (1 + np.exp(-other.scores)) == pytest.approx(D(fake))


def test_a_discriminator_that_guesses_pays_log_4_and_a_generator_log_2():
    spec = SPECS[1]
    flat, x, z = model(spec)
    params = unpack(flat, spec)
    params["dis_out_W"][:], params["dis_out_b"][:] = 0, 0
    assert gan.discriminator_loss(params, x, z, spec).loss == pytest.approx(np.log(4))
    assert gan.generator_loss(params, z, spec).loss == pytest.approx(np.log(2))


@pytest.mark.parametrize("sign", [1, -1])
def test_extreme_scores_stay_finite_and_keep_their_gradient(sign):
    """A score of +-1e4: its probability rounds to 0 or 1, and a clipped logarithm has no slope."""
    spec = SPECS[1]
    flat, x, z = model(spec, np.float32)
    params = unpack(flat, spec)
    params["dis_out_W"][:], params["dis_out_b"][:] = 1e-3, sign * 1e4
    played = gan.discriminator_loss_and_grads(params, x, z, spec)
    other = gan.generator_loss_and_grads(params, z, spec)
    assert played.loss == pytest.approx(1e4, rel=1e-3)
    assert other.loss == pytest.approx(0 if sign > 0 else 1e4, rel=1e-3)
    # -(1 - D(x)) + D(G(z)): one of the two sides is as wrong as can be, and its slope is 1
    assert played.grads["dis_out_b"] == pytest.approx(sign)
    assert np.isfinite(other.flat_grads).all()
    assert bool(other.flat_grads.any()) == (sign < 0)


@each_spec
def test_the_pass_with_gradients_reports_what_the_one_without_does(spec):
    flat, x, z = model(spec)
    params = unpack(flat, spec)
    for plain, with_grads in (
        (gan.discriminator_loss(params, x, z, spec), _discriminator(flat, x, z, spec)),
        (gan.generator_loss(params, z, spec), _generator(flat, x, z, spec)),
    ):
        assert plain.loss == with_grads.loss
        assert np.array_equal(plain.scores, with_grads.scores)


# ---- the gradients ---------------------------------------------------------------------------


def _discriminator(flat, x, z, spec, backend=ops):
    return gan.discriminator_loss_and_grads(unpack(flat, spec), x, z, spec, ops=backend)


def _generator(flat, _x, z, spec, backend=ops):
    return gan.generator_loss_and_grads(unpack(flat, spec), z, spec, ops=backend)


def _losses(x, z, spec):
    """(player's loss as a function of all parameters, which part of the vector is its own, ...)"""
    return (
        (lambda f: gan.discriminator_loss(unpack(f, spec), x, z, spec).loss, 1, _discriminator),
        (lambda f: gan.generator_loss(unpack(f, spec), z, spec).loss, 0, _generator),
    )


@each_spec
def test_both_gradients_by_complex_step(spec):
    """Every entry, near machine precision."""
    flat, x, z = model(spec)
    for loss, part, by_hand in _losses(x, z, spec):
        expected = gan.split(complex_step(loss, flat), spec)[part]
        assert block_error(by_hand(flat, x, z, spec).flat_grads, expected) < 1e-12


@each_spec
def test_both_gradients_by_central_differences(spec):
    flat, x, z = model(spec)
    for loss, part, by_hand in _losses(x, z, spec):
        expected = gan.split(central_differences(loss, flat), spec)[part]
        assert block_error(by_hand(flat, x, z, spec).flat_grads, expected) < 1e-7


def test_the_gradient_checker_of_the_package_finds_both_right():
    spec = SPECS[1]
    flat, x, z = model(spec)
    for loss, part, by_hand in _losses(x, z, spec):

        def of_own(own, loss=loss, part=part):
            whole = flat.astype(own.dtype)
            gan.split(whole, spec)[part][:] = own
            return loss(whole)

        def gradient(own, part=part, by_hand=by_hand):
            whole = flat.copy()
            gan.split(whole, spec)[part][:] = own
            return by_hand(whole, x, z, spec).flat_grads

        report = check_grad(of_own, gradient, gan.split(flat, spec)[part])
        assert report.verdict == "right", report


@each_spec
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_backends_agree(spec, dtype):
    kernels = pytest.importorskip("minivae.kernels")
    flat, x, z = model(spec, dtype)
    bar = 1e-4 if dtype == np.float32 else 1e-12
    for player in (_discriminator, _generator):
        slow, fast = player(flat, x, z, spec), player(flat, x, z, spec, kernels)
        assert fast.flat_grads.dtype == dtype
        assert fast.loss == pytest.approx(slow.loss, rel=bar)
        assert block_error(fast.flat_grads, slow.flat_grads) < bar


@each_spec
def test_the_gradients_are_those_of_autodiff(spec):
    """PyTorch computes the losses from probabilities, and differentiates them itself."""
    torch = pytest.importorskip("torch")
    flat, x, z = model(spec)
    act = {"tanh": torch.tanh, "relu": torch.relu, "softplus": torch.nn.functional.softplus}
    named = {name: torch.tensor(block) for name, block in unpack(flat, spec).items()}
    for block in named.values():
        block.requires_grad_(True)

    def net(h, side, last):
        for i in range(1, len(spec.hidden) + 1):
            h = act[spec.activation](h @ named[f"{side}{i}_W"] + named[f"{side}{i}_b"])
        return torch.sigmoid(h @ named[f"{last}_W"] + named[f"{last}_b"])

    fake = net(torch.tensor(z), "gen", "gen_out")
    real_p, fake_p = net(torch.tensor(x), "dis", "dis_out"), net(fake, "dis", "dis_out")
    losses = (-real_p.log().mean() - (1 - fake_p).log().mean(), -fake_p.log().mean())
    for loss, by_hand in zip(losses, (_discriminator, _generator), strict=True):
        result = by_hand(flat, x, z, spec)
        assert result.loss == pytest.approx(loss.item(), rel=1e-12)
        names = list(result.grads)
        theirs = torch.autograd.grad(loss, [named[n] for n in names], retain_graph=True)
        for name, grad in zip(names, theirs, strict=True):
            assert block_error(result.grads[name], grad.numpy()) < 1e-12, name


def test_a_player_moves_only_its_own_parameters():
    spec = SPECS[1]
    flat, x, z = model(spec)
    before = flat.copy()
    theirs, own = _discriminator(flat, x, z, spec), _generator(flat, x, z, spec)
    assert np.array_equal(flat, before)
    assert set(theirs.grads) | set(own.grads) == set(unpack(flat, spec))
    assert not set(theirs.grads) & set(own.grads)
    for result in (theirs, own):
        named = np.concatenate([grad.ravel() for grad in result.grads.values()])
        assert np.array_equal(named, result.flat_grads)


# ---- drawing, and what is refused --------------------------------------------------------------


def test_samples_are_pictures_and_follow_the_seed():
    spec = SPECS[1]
    params = unpack(model(spec, np.float32)[0], spec)
    images = gan.sample(params, 5, np.random.default_rng(3), spec)
    assert images.shape == (5, 6)
    assert ((images >= 0) & (images <= 1)).all()
    assert np.array_equal(images, gan.sample(params, 5, np.random.default_rng(3), spec))


@pytest.mark.parametrize(
    ("x", "z", "message"),
    [
        (np.zeros((4, 5)), np.zeros((4, 3)), r"\(B, 6\)"),
        (np.zeros((4, 6)), np.zeros((4, 2)), r"\(N, 3\)"),
        (np.zeros((4, 6)), np.zeros((3, 3)), "4 images and z 3 rows"),
        (np.full((4, 6), 255), np.zeros((4, 3)), "divide 8-bit images by 255"),
        (np.full((4, 6), np.nan), np.zeros((4, 3)), "outside"),
    ],
)
def test_wrong_inputs_are_refused(x, z, message):
    spec = SPECS[1]
    params = unpack(model(spec)[0], spec)
    with pytest.raises(MinivaeError, match=message):
        gan.discriminator_loss_and_grads(params, x, z, spec)


def test_a_spec_that_describes_no_model_is_refused():
    checks.check_spec(SPECS[0])
    for wrong in ({"hidden": (0,)}, {"latent_dim": 0}, {"activation": "sigmoid"}):
        with pytest.raises(MinivaeError):
            checks.check_spec(SPECS[0]._replace(**wrong))
