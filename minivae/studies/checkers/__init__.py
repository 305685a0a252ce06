"""Gradient checkers compared on a corpus of functions with right and wrong gradients.

case                  what a case is, and the rules that make wrong gradients of a right one
losses, likelihoods, vae_terms, layers, recurrent, matrices, physics, statistics
                      the functions that people check, by field
scales, borders, rounding, not_analytic, real_only, kinks, noisy,
random_draws, large
                      what makes a check hard
corpus                all of them
checkers              minivae's check and four others, each as its documentation says to use it
compare, results      their verdicts, counted and written to a file; the file, read and shown
"""
