"""Pictures of few colours, a third of the size: for a notebook that holds many of them."""

import base64
import io

from matplotlib.figure import Figure
from PIL import Image

from minivae.plots import alt_text

COLOURS = 64


def small_png(fig: Figure) -> bytes:
    """A figure as PNG with a palette of COLOURS colours, cropped as notebooks show it."""
    whole, small = io.BytesIO(), io.BytesIO()
    fig.savefig(whole, format="png", bbox_inches="tight")
    picture = Image.open(whole).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(small, "PNG", optimize=True)
    return small.getvalue()


def small_pictures() -> None:
    """From here on the notebook shows its figures so; call it after `plots.notebook_style`."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type(Figure, lambda fig: base64.b64encode(small_png(fig)).decode())
        alt_text.attach(shell)
