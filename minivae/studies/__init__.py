"""Long computations, run by commands of their own, whose results are committed under figures/.

reproduce   Burda et al. 2016, Table 1, trained again
published   the rows of that table, and the file of our results
shipping    the weights of the rows, kept for readers and for rows that start from them
cat_study   which VAEs have latents that follow the true factors of the cats
cat_measures    what it measures of each model
cures       its two cures: a second term of the loss
gan_study   a VAE and a GAN of the same size: what they draw, beside real cats
training_study   optimizers, batches, starts and weights of the KL, one changed at a time
grey_study  ways to learn the variance of a Gaussian model
bench       a training step beside PyTorch and JAX
checkers    gradient checkers on a corpus of functions with right and wrong gradients
figures     the pictures under figures/
folder      where figures/ is
"""
