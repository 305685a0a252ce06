"""`minivae.VAE`: the model with the conventions of scikit-learn, without needing scikit-learn.

model      the class VAE
fitting    one fit: what ends it, what is shown, what is kept when it is interrupted
pictures   how a model shows itself in a notebook
shipped    the models that come with the package
"""

from minivae.estimator.model import VAE
from minivae.estimator.shipped import MODELS, PRETRAINED

__all__ = ["MODELS", "PRETRAINED", "VAE"]
