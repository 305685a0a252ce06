"""The settings of Sphinx. `build.py` lays out the pages that it reads, and starts it."""

from docstrings import as_restructured_text

from minivae import __version__

project, author, release = "minivae", "the authors of minivae", __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",  # the docstring of the class VAE has numpydoc's sections
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # serves MathJax from the site
]
language = "en"
default_role = "code"
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]

nb_execution_mode = "off"  # the notebooks are committed with their outputs
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}

html_theme = "furo"
html_title = "minivae"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_extra_path = ["extra"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def keep_tags(app, doctree):
    r"""Formulas go to MathJax as they were typed: Sphinx would wrap those of several lines in
    `split`, where \tag is not allowed."""
    from docutils import nodes

    for node in doctree.findall(nodes.math_block):
        text = rf"\[{node.astext()}\]"
        node.children = [nodes.Text(text)]
        node["no-wrap"] = node["nowrap"] = True


def skip_fields(app, what, name, obj, skip, options):
    """The fields of a NamedTuple: Python's own "Alias for field number 0" tells nobody anything."""
    return True if (obj.__doc__ or "").startswith("Alias for field number") else None


def setup(app):
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("doctree-read", keep_tags)
    app.connect("autodoc-process-docstring", as_restructured_text, priority=100)
