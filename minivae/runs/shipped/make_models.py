"""Trains the shipped models: `python -m minivae.runs.shipped.make_models [NAME ...]`.

The notebooks open with them, figures/ shows them, `VAE.pretrained(name)` loads them. Parameters are
stored in 16 bits, which halves the files and changes no picture.
"""

import sys
from pathlib import Path

import numpy as np

from minivae import data, runs, train
from minivae.settings import Settings

HERE = Path(__file__).parent
MODELS = {
    "mnist": ("mnist", Settings(latent_dim=2, hidden=(160, 80), epochs=60)),
    "cats": ("cats", Settings(latent_dim=8, hidden=(160, 80), epochs=40, warmup=2)),
}


def make(name: str) -> None:
    """Train one model and save it in 16 bits."""
    source, settings = MODELS[name]
    dataset = data.load(source)

    def report(state):
        print(name, {key: round(value, 4) for key, value in state.history[-1].items()}, flush=True)

    state = train.train(dataset, settings, on_epoch=report)
    spec = settings.spec(dataset.train.shape[1])
    model = runs.Model(spec, state.flat, dataset.image_shape)
    runs.save_model(HERE / f"{name}.npz", model, dtype=np.float16)


if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        make(name)
