"""The models that come with the package: names and files."""

from pathlib import Path

from minivae import checks, runs

MODELS = Path(runs.__file__).parent / "shipped"
PRETRAINED = tuple(sorted(path.stem for path in MODELS.glob("*.npz")))


def model_file(name: str) -> Path:
    """The file of a shipped model. Raises MinivaeError if there is none of this name.

    A row of the published table that was started from other rows may be called by its last part:
    of "vae-1-then-iwae-5" and "vae-1-then-iwae-5-then-iwae-50", the name "iwae-50" is the second.
    Where several chains end with it, the longest is taken.
    """
    chains = [shipped for shipped in PRETRAINED if shipped.endswith(f"-then-{name}")]
    if chains and name not in PRETRAINED:
        name = max(chains, key=len)
    checks.check_pretrained_name(name, PRETRAINED)
    return MODELS / f"{name}.npz"
