"""minivae: a variational autoencoder from scratch, every gradient derived by hand."""

from minivae.errors import MinivaeError

__version__ = "0.1.0"
__all__ = ["VAE", "MinivaeError", "__version__"]


def __getattr__(name):
    if name == "VAE":  # imported when used: `python -m minivae --help` needs no NumPy
        from minivae.estimator import VAE

        return VAE
    raise AttributeError(f"module 'minivae' has no attribute {name!r}")
