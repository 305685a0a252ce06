"""Mistakes in the two losses of a GAN and their gradients, in `gan`."""

from minivae.mistakes.mistake import in_gan
from minivae.mistakes.witnesses import GAN_LOSSES

GAN_MISTAKES = (
    in_gan(
        "gan-sigmoid-slope-lost",
        ("generator_loss_and_grads", "dlogits = dfake * fake * (1 - fake)", "dlogits = dfake"),
        sentence="The gradient of the pixels is passed on as that of their logits.",
        symptom="The whole generator is wrong; the discriminator is right.",
    ),
    in_gan(
        "gan-sigmoid-slope-of-tanh",
        (
            "generator_loss_and_grads",
            "dlogits = dfake * fake * (1 - fake)",
            "dlogits = dfake * (1 - fake * fake)",
        ),
        sentence="The slope of tanh, 1 - g^2, stands in place of the sigmoid's, g (1 - g).",
        symptom="The whole generator is wrong; the discriminator is right.",
    ),
    in_gan(
        "gan-generator-trained-to-be-caught",
        ("generator_loss_and_grads", "np.ones_like(score))", "np.zeros_like(score))"),
        sentence="In the pass with gradients the generator wants its pictures to be called false.",
        symptom="The whole generator is wrong; the discriminator is right.",
    ),
    in_gan(
        "gan-generator-summed-over-batch",
        (
            "generator_loss_and_grads",
            "dnll = np.full(len(z), 1 / len(z), z.dtype)",
            "dnll = np.ones(len(z), z.dtype)",
        ),
        sentence="The generator's gradient is a sum over the batch, its loss a mean.",
        symptom="The whole generator is wrong, exactly B times too large.",
    ),
    in_gan(
        "gan-discriminator-mean-over-both-halves",
        (
            "discriminator_loss_and_grads",
            "dnll = np.full(len(score), 1 / len(x), x.dtype)",
            "dnll = np.full(len(score), 1 / len(score), x.dtype)",
        ),
        sentence="The gradient is a mean over 2 B images, the loss a sum of two means over B.",
        symptom="The whole discriminator is wrong, exactly half of the right value.",
    ),
    in_gan(
        "gan-discriminator-sees-no-fakes",
        (
            "discriminator_loss_and_grads",
            "    dscore = ops.bernoulli_nll_backward(dnll, c_nll)\n",
            "    dscore = ops.bernoulli_nll_backward(dnll, c_nll)\n    dscore[len(x) :] = 0\n",
        ),
        sentence="The discriminator learns from the real images alone.",
        symptom="The whole discriminator is wrong; the generator is right.",
    ),
    in_gan(
        "gan-first-layer-of-discriminator-forgotten",
        ("discriminator_backward", '"dis", dh, cache.hidden', '"dis", dh, cache.hidden[:-1]'),
        sentence="The backward pass leaves out the last hidden layer of the discriminator.",
        symptom="The shapes do not fit, so it raises (with square layers it would be silent).",
    ),
    in_gan(
        "gan-labels-swapped",
        ("_labels", "[[1], [0]]", "[[0], [1]]"),
        sentence="The discriminator learns to call real images false, and false ones real.",
        symptom="It passes: the gradient of the wrong loss is right.",
        witness=GAN_LOSSES,
    ),
    in_gan(
        "gan-scores-in-place-of-pixels",
        ("discriminator_loss", "fake = ops.sigmoid(", "fake = ("),
        ("discriminator_loss_and_grads", "fake = ops.sigmoid(logits)", "fake = logits"),
        sentence="The discriminator is shown the logits of generated images, not their pixels.",
        symptom="It passes: the gradient of the wrong loss is right.",
        witness=GAN_LOSSES,
    ),
    in_gan(
        "gan-loss-averaged-over-both-halves",
        ("discriminator_loss", "nll.sum() / len(x)", "nll.mean()"),
        ("discriminator_loss_and_grads", "nll.sum() / len(x)", "nll.mean()"),
        (
            "discriminator_loss_and_grads",
            "dnll = np.full(len(score), 1 / len(x), x.dtype)",
            "dnll = np.full(len(score), 1 / len(score), x.dtype)",
        ),
        sentence="The loss is a mean over 2 B images: half of the sum of two means over B.",
        symptom="It passes: the gradient of the wrong loss is right.",
        witness=GAN_LOSSES,
    ),
)
