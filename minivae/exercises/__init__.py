"""Exercises that know what you did wrong.

check("03.kl", gaussian_kl)     is it right? If not: the smallest failing input
hint("03.kl")                   three, from a nudge to almost the answer
solution("03.kl")               the reference
use("03.kl", gaussian_kl)       yours once it passes, else the reference
progress()                      what is done, and what comes next
predict, reveal, recall, review questions before, after and between the notebooks
my_backend()                    your functions as a backend that trains a model
"""

from minivae.exercises.checker import check, hint, solution, use

__all__ = ["check", "hint", "solution", "use"]
