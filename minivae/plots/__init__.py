"""Every picture, in one style. The functions draw on Matplotlib axes or return a figure; `save`
writes a PNG whose bytes depend on the picture alone. `explorer` writes an HTML page."""

# first, because the other modules import Matplotlib as it left it
from minivae.plots.matplotlib_setup import plt

# isort: split
from minivae.plots.conditional import (
    MOST_ROWS,
    conditional_figures,
    label_rows,
    samples_of_label,
)
from minivae.plots.gradcheck import error_against_step
from minivae.plots.graphs import computation_graph
from minivae.plots.images import as_images, image_grid, show_grid
from minivae.plots.runs import (
    curves,
    gan_curves,
    gan_figures,
    latent_scatter,
    manifold,
    prior_grid,
    reconstructions,
    run_figures,
    samples,
)
from minivae.plots.sampling import two_ways_to_a_gradient, where_the_noise_enters
from minivae.plots.studies import (
    reproduced_table,
    traversals,
)
from minivae.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    RED,
    STYLE,
    figure,
    house_style,
    notebook_style,
    save,
)

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "MOST_ROWS",
    "ORANGE",
    "PURPLE",
    "RED",
    "STYLE",
    "as_images",
    "computation_graph",
    "conditional_figures",
    "curves",
    "error_against_step",
    "figure",
    "gan_curves",
    "gan_figures",
    "house_style",
    "image_grid",
    "label_rows",
    "latent_scatter",
    "manifold",
    "notebook_style",
    "plt",
    "prior_grid",
    "reconstructions",
    "reproduced_table",
    "run_figures",
    "samples",
    "samples_of_label",
    "save",
    "show_grid",
    "traversals",
    "two_ways_to_a_gradient",
    "where_the_noise_enters",
]
