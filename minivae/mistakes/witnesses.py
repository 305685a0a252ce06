"""What detects a mistake: phrases that complete "it is caught by ...".

The gradient check cannot detect a wrong formula whose gradient is right, nor anything outside the
gradient. Each such mistake is caught by a test of its own, which `tests/test_mistakes.py` names.
"""

GRADIENT = "the gradient check"
Z_MOMENTS = "the mean and the covariance of sampled z"
KL_MONTE_CARLO = "a Monte Carlo estimate of the KL"
BERNOULLI_SUM = "the sum of p(x|z) over all images, which must be 1"
GAUSSIAN_INTEGRAL = "the integral of p(x|z) over x, which must be 1"
IWAE_COPIES = "the bound of K copies of one sample, which must be that of the one sample"
EVIDENCE = "the average of the importance weights, which must be the exact evidence"
ADAM = "a comparison with the published Adam algorithm"
EXTREMES = "inputs of extreme size, for which the results must be finite"
DRAWN = "the average gradient of drawn samples, which must be that of all samples"
DOUBLY = "the doubly reparameterized gradient, entry by entry, from its definition"
TERMS = "a comparison of loss and elbo with nll and kl"
GAN_LOSSES = "a comparison of both losses of a GAN with their formulas"
