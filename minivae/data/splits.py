"""Which images are held out, and which are in both sets."""

from __future__ import annotations

import hashlib

import numpy as np

SPLIT_SEED = 2014  # decides which images are held out where the data have no test set


def hold_out(n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows to train on and rows to test on: a tenth, at least one, the same ones each time."""
    if n == 1:
        return np.arange(1), np.arange(1), "one image, used for training and for testing"
    n_test = max(1, n // 10)
    order = np.random.default_rng(SPLIT_SEED).permutation(n)
    split = f"{n - n_test} training images, and {n_test} held out at random (seed {SPLIT_SEED})"
    return np.sort(order[n_test:]), np.sort(order[:n_test]), split


def repeated_note(train: np.ndarray, test: np.ndarray) -> str | None:
    """A line if test images (M, D) are training images (N, D) too, else None."""
    known = {_digest(image) for image in train}
    found = sum(_digest(image) in known for image in test)
    if not found:
        return None
    some = "all" if found == len(test) > 1 else f"{found} of the"
    return (
        f"{some} {len(test)} test images are training images too, so that their score says little "
        "about new images"
    )


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
