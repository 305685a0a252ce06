"""Every planted mistake is caught, by the gradient check of the whole VAE or by a test.

Such a test is called here with the mistake planted, and must fail.
"""

import inspect

import numpy as np
import pytest
import test_conditional
import test_gan
import test_ops
import test_statistics
import test_vae

from minivae import conditional, gan, gradcheck, mistakes, ops, vae
from minivae.errors import MinivaeError
from minivae.gradcheck import FREE_BITS, Case, GanCase
from minivae.mistakes import GRADIENT, MISTAKES, witnesses
from minivae.spec import GanSpec

WITNESSES = {  # what catches a mistake, in words: the test
    witnesses.Z_MOMENTS: test_statistics.test_sampled_z_has_mean_mu_and_covariance_exp_logvar,
    witnesses.KL_MONTE_CARLO: test_statistics.test_kl_equals_its_monte_carlo_estimate,
    witnesses.BERNOULLI_SUM: test_statistics.test_bernoulli_sums_to_one_over_all_images,
    witnesses.GAUSSIAN_INTEGRAL: test_statistics.test_gaussian_integrates_to_one,
    witnesses.IWAE_COPIES: test_statistics.test_copies_of_one_noise_give_the_bound_of_one_sample,
    witnesses.EVIDENCE: test_statistics.test_importance_weights_average_to_the_evidence,
    witnesses.DRAWN: test_statistics.test_the_gradient_of_drawn_samples_averages_to_that_of_all,
    witnesses.DOUBLY: test_statistics.test_the_doubly_reparameterized_gradient_by_its_definition,
    witnesses.ADAM: test_ops.test_adam_is_the_published_algorithm,
    witnesses.EXTREMES: test_ops.test_extreme_inputs_stay_finite,
    witnesses.ONE_LABEL: test_conditional.test_for_one_label_it_is_an_ordinary_vae,
    witnesses.GAN_LOSSES: test_gan.test_a_small_gan_has_the_losses_of_the_paper,
    witnesses.TERMS: test_vae.test_loss_is_nll_plus_beta_times_what_the_kl_costs,
}
BY_GRADIENT = [m for m in MISTAKES if m.witness == GRADIENT]
MODULES = {"ops": ops, "vae": vae, "conditional": conditional, "gan": gan}
BY_TEST = [m for m in MISTAKES if m.witness != GRADIENT]
BERNOULLI = Case(vae.Spec(5, (4, 3), 2, "tanh", "bernoulli", None, FREE_BITS), 4.0, directions=2)
GAUSSIAN = Case(vae.Spec(5, (4, 3), 2, "relu", "gaussian"), directions=2)
IWAE = Case(vae.Spec(5, (4, 3), 2, "tanh", "bernoulli"), samples=4, directions=2)
LABELLED = Case(vae.Spec(5, (4, 3), 2, "tanh", "bernoulli", classes=2), directions=2)
GAN = GanSpec(5, (4, 3), 2, "tanh")
GENERATOR, DISCRIMINATOR = GanCase(GAN, "generator"), GanCase(GAN, "discriminator")
CASES = (BERNOULLI, GAUSSIAN, IWAE, LABELLED, GENERATOR, DISCRIMINATOR)
CONCERNED = {  # how the name of an edited function starts: the models that test the mistake
    "dense_": (BERNOULLI, GAUSSIAN),  # with tanh, with relu
    "sum_rows": (BERNOULLI, GAUSSIAN),
    "reparam_": (BERNOULLI, IWAE),
    "gaussian_nll_": (GAUSSIAN,),
    "expm1_minus": (GAUSSIAN,),  # its logvar are far enough from 0 that it is not the series
    "iwae_": (IWAE,),
    "log_": (IWAE,),
    "resample": (IWAE,),
}  # every other function: the first model


def concerned(mistake):
    """The models on which a mistake is tested, those that its edited functions matter to."""
    if mistake.module == "gan":
        return (GENERATOR, DISCRIMINATOR)
    if mistake.module == "conditional":
        return (LABELLED,)
    models = set()
    for edit in mistake.edits:
        starts = [start for start in CONCERNED if edit.function.startswith(start)]
        models.update(*(CONCERNED[start] for start in starts))
        if not starts:
            models.add(BERNOULLI)
    return tuple(case for case in CASES if case in models)


def by_name(mistake):
    return mistake.name


def witness_of(mistake):
    """The test that catches a mistake, ready to be called with that mistake planted."""
    test = WITNESSES[mistake.witness]
    planted = mistakes.plant(mistake)
    models = MODULES | {mistake.module: planted}
    arguments = {name: models[name] for name in inspect.signature(test).parameters}
    return lambda: test(**arguments)


def verdicts(mistake):
    """{parameter block: what is said of it} of the gradient check with that mistake planted."""
    found = {}
    report = gradcheck.check_backends(plant=mistake.name, cases=concerned(mistake))
    for block in report["blocks"]:
        assert block["verdict"] in ("right", "wrong"), block
        if block["verdict"] == "wrong":
            found.setdefault(block["block"], []).append(block["sentence"])
    return found


# ---- the symptoms ----------------------------------------------------------------------------

PARTS = {
    "decoder": {"dec1_W", "dec1_b", "dec2_W", "dec2_b", "out_W", "out_b"},
    "mu": {"mu_W", "mu_b"},
    "logvar": {"logvar_W", "logvar_b"},
    "encoder": {"enc1_W", "enc1_b", "enc2_W", "enc2_b"},
    "generator": {"gen1_W", "gen1_b", "gen2_W", "gen2_b", "gen_out_W", "gen_out_b"},
    "discriminator": {"dis1_W", "dis1_b", "dis2_W", "dis2_b", "dis_out_W", "dis_out_b"},
}
OF_VAE = ("decoder", "mu", "logvar", "encoder")
ALL = set().union(*(PARTS[part] for part in OF_VAE)) | {"out_logvar"}


def exactly(*parts):
    """Those parts are wrong, and nothing else is."""
    return lambda found: set(found) == set().union(*(PARTS[p] for p in parts))


def wrong(*parts):
    return lambda found: set(found) >= set().union(*(PARTS[p] for p in parts))


def right(*parts):
    return lambda found: not set(found) & set().union(*(PARTS[p] for p in parts))


def told(words):
    return lambda found: any(
        words in sentence for sentences in found.values() for sentence in sentences
    )


def ending(suffix):
    return lambda found: set(found) == {name for name in ALL if name.endswith(suffix)}


def hidden_weights_only(found):
    return set(found) == {"enc1_W", "enc2_W", "dec1_W", "dec2_W"}


PHRASES = {
    "Every bias is wrong": ending("_b"),
    "Every weight matrix is wrong": ending("_W"),
    "hidden layers are wrong": wrong("encoder"),
    "The hidden layers' W are wrong while their b": hidden_weights_only,
    "and so is everything before them": lambda found: (
        set(found) == ALL - {"out_W", "out_b", "out_logvar"}
    ),
    "The decoder's last hidden layer is right": lambda found: (
        set(found) == ALL - {"out_W", "out_b", "dec2_W", "dec2_b", "out_logvar"}
    ),
    "it raises": told("the backward pass raises"),
    "exactly B times too small": told("3 times too small, and 3 is the batch size B"),
    "exactly B times too large": told("3 times too large, and 3 is the batch size B"),
    "exactly D times too small": told("5 times too small, and 5 is the number of pixels D"),
    "The decoder is exactly twice too large": told("exactly twice too large"),
    "The decoder has the right size and": told("the right size with the wrong sign"),
    "off by one constant": told("times the right value at every entry"),
    "logvar's head and the encoder": exactly("logvar", "encoder"),
    "mu's head and the encoder": exactly("mu", "encoder"),
    "oth heads and the encoder": exactly("mu", "logvar", "encoder"),
    "the heads and the encoder": exactly("mu", "logvar", "encoder"),
    "The decoder is right": right("decoder"),
    "Decoder and encoder are wrong": wrong("decoder", "mu", "logvar", "encoder"),
    "the encoder is wrong too": wrong("decoder", "mu", "logvar", "encoder"),
    "Decoder and both heads are right": wrong("encoder"),
    "Only out_logvar is wrong": lambda found: set(found) == {"out_logvar"},
    "out_logvar is wrong": lambda found: set(found) == {"out_logvar"},
    "The whole generator is wrong": exactly("generator"),
    "The whole discriminator is wrong": exactly("discriminator"),
    "exactly half of the right value": told("exactly half of the right value"),
    "Every block": wrong("decoder", "mu", "logvar", "encoder"),
}


@pytest.mark.parametrize("mistake", BY_GRADIENT, ids=by_name)
def test_the_gradient_check_catches_it_and_says_what_its_symptom_promises(mistake):
    found = verdicts(mistake)
    assert found, f"the gradient check passes on these models: {concerned(mistake)}"
    phrases = [phrase for phrase in PHRASES if phrase in mistake.symptom]
    assert phrases, f"no phrase of this symptom is checked: {mistake.symptom}"
    for phrase in phrases:
        assert PHRASES[phrase](found), (phrase, found)


@pytest.mark.parametrize("mistake", BY_TEST, ids=by_name)
def test_its_witness_catches_it(mistake):
    with pytest.raises((AssertionError, FloatingPointError)):
        witness_of(mistake)()


@pytest.mark.parametrize("mistake", BY_TEST, ids=by_name)
def test_a_gradient_check_is_blind_to_it(mistake):
    """So it needs a test of its own; `gradcheck --plant` shows that the check passes."""
    assert mistake.symptom.startswith("It passes")
    assert verdicts(mistake) == {}


def test_the_witnesses_pass_on_the_real_code():
    assert gradcheck.check_backends(backends=["numpy"], cases=CASES)["ok"]
    for test in WITNESSES.values():
        test(**{key: MODULES[key] for key in inspect.signature(test).parameters})


def test_every_witness_catches_some_mistake():
    assert {mistake.witness for mistake in BY_TEST} == set(WITNESSES)


def test_every_formula_has_mistakes():
    """If no mistake spoils a function, nothing shows that a test would notice one in it."""
    spoiled = {f"{m.module}.{edit.function}" for m in MISTAKES for edit in m.edits}
    formulas = {
        f"ops.{name}"
        for name, value in vars(ops).items()
        if inspect.isfunction(value) and value.__module__ == "minivae.ops"
    }
    assert formulas <= spoiled
    assert {
        "vae.elbo_and_grads",
        "vae.iwae_and_grads",
        "vae.encoder_backward",
        "vae.elbo_loss",
        "vae.iwae_loss",
        "vae.log_q_over_p",
        "conditional.elbo_forward",
        "conditional.elbo_and_grads",
        "conditional.one_hot",
        "conditional.given",
        "gan.discriminator_loss_and_grads",
        "gan.discriminator_backward",
        "gan.generator_loss_and_grads",
    } <= spoiled


def test_names_and_sentences_are_fit_to_be_shown():
    assert len({m.name for m in MISTAKES}) == len(MISTAKES)
    for mistake in MISTAKES:
        assert mistake.name == mistake.name.lower().replace(" ", "-").replace("_", "-")
        for text in (mistake.sentence, mistake.symptom):
            assert text.endswith(".")
            assert text[0].isalpha() or text[0].isdigit()
        assert mistake.target.startswith(f"{mistake.module}.")


@pytest.mark.parametrize("mistake", MISTAKES, ids=by_name)
def test_the_shown_sources_are_the_real_one_and_the_planted_one(mistake):
    """What the museum shows is what runs, before and after planting."""
    real = MODULES[mistake.module]
    planted = mistakes.plant(mistake)
    for function, right, wrong in mistakes.sources(mistake):
        assert right == inspect.getsource(getattr(real, function))
        assert wrong == inspect.getsource(getattr(planted, function))
        assert wrong != right


def test_planting_leaves_the_real_modules_alone():
    mu, logvar, dkl = np.ones((2, 1)), np.full((2, 1), 0.5), np.ones((2, 1))
    wrong = mistakes.plant(mistakes.find("kl-gradient-mu-doubled"))
    cache = ops.gaussian_kl_forward(mu, logvar)[1]
    assert (wrong.gaussian_kl_backward(dkl, cache)[0] == 2).all()
    assert (ops.gaussian_kl_backward(dkl, cache)[0] == 1).all()


def test_an_unknown_name_suggests_the_closest():
    assert mistakes.find("kl-half-lost").name == "kl-half-lost"
    with pytest.raises(MinivaeError, match=r"did you mean .*kl-half-lost"):
        mistakes.find("kl-half-list")
    with pytest.raises(MinivaeError, match="`list` names them all"):
        mistakes.find("zzzzzz")


def test_an_edit_that_has_gone_stale_is_refused():
    """If the right text is no longer in the code, planting must not silently change nothing."""
    stale = MISTAKES[0]._replace(edits=(mistakes.Edit("dense_forward", "y += bias", ""),))
    with pytest.raises(MinivaeError, match="stands 0 times"):
        mistakes.plant(stale)
    gone = MISTAKES[0]._replace(edits=(mistakes.Edit("dense_gone", "y", "x"),))
    with pytest.raises(MinivaeError, match="no function dense_gone"):
        mistakes.plant(gone)
