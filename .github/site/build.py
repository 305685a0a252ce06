"""The web site of the project: `python .github/site/build.py [FOLDER]`, default .site/html.

Sphinx with MyST-NB makes it from the committed notebooks, the map, the syllabus, the explorers and
the docstrings (`pip install -r .github/site/requirements.txt` first). Nothing on it is loaded from
elsewhere. This lays out the pages in .site/source: the links between files of the repository become
links between pages of the site, and where a notebook speaks of an interactive page, the page is
shown there.
"""

import argparse
import ast
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCE = ROOT / ".site" / "source"
PAGES = {  # interactive pages: what they show
    "notebooks/touch_the_bound.html": "Drag q and watch the ELBO rise to meet log p(x)",
    "figures/explorer_mnist.html": "Drag a point of the latent space of digits",
    "figures/explorer_cats.html": "Drag a point of the latent space of cats",
}
API = {  # modules with a page of their own: a title
    "minivae.estimator": "estimator: the class VAE",
    "minivae.ops": "ops: forward and backward pairs",
    "minivae.vae": "vae: the model",
    "minivae.conditional": "conditional: a VAE that is given labels",
    "minivae.gan": "gan: a GAN of the same parts",
    "minivae.spec": "spec: architecture and parameters",
    "minivae.train": "train: the training loop",
    "minivae.settings": "settings: what can be set",
    "minivae.kernels": "kernels: the fast backend",
    "minivae.exact": "exact: models that know their evidence",
    "minivae.evaluate": "evaluate: log p(x), and how good a model is",
    "minivae.gradcheck": "gradcheck: is a gradient right?",
    "minivae.exercises": "exercises: the checker",
    "minivae.data": "data: images",
    "minivae.data.cats": "data.cats: cats with known factors",
    "minivae.runs": "runs: models and run folders",
    "minivae.plots": "plots: every picture",
    "minivae.bridge": "bridge: PyTorch, JAX, safetensors",
    "minivae.errors": "errors: what a user sees",
}
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<!\[)`((?:notebooks|figures)/\w+\.html)`")
FRAME = '<iframe src="{src}" title="{title}" loading="lazy"></iframe>'


def lay_out():
    """Write all that Sphinx reads to SOURCE."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "notebooks").mkdir(parents=True)
    shutil.copy(HERE / "conf.py", SOURCE)
    shutil.copytree(HERE / "static", SOURCE / "_static")
    for page in PAGES:
        target = SOURCE / "extra" / "pages" / Path(page).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, target)
    shutil.copy(ROOT / "figures" / "hero.png", SOURCE / "_static")
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]*.ipynb")):
        lay_out_notebook(path)
    for page in ("map.md", "syllabus.md"):
        text = (ROOT / "notebooks" / page).read_text("utf-8")
        write(f"notebooks/{page}", for_the_site(text, "notebooks"))
    for module, title in API.items():
        write(f"api/{module}.rst", reference(module, title))
    write("index.md", index())
    write("explorers.md", explorers())


def write(name, text):
    path = SOURCE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


# ---- the pages -------------------------------------------------------------------------------


def lay_out_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = for_the_site(cell.source, "notebooks")
            if number:  # one title a page: the list of pages would show a second one
                cell.source = re.sub(r"^# ", "## ", cell.source)
            continue
        for output in cell.outputs:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt:
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    nbformat.write(notebook, SOURCE / "notebooks" / path.name)


def for_the_site(text, folder):
    """Markdown with its links to files of the repository turned into links of the site, and the
    interactive pages that it speaks of below it."""
    shown = []

    def turned(match):
        words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        file, _, fragment = posixpath.normpath(posixpath.join(folder, target)).partition("#")
        if file in PAGES:
            shown.append(file)
            return f'<a href="{up(folder)}pages/{Path(file).name}">{words}</a>'
        if file.endswith(".py"):
            return f'<a href="{up(folder)}{source_page(file, fragment)}">{words}</a>'
        return match[0]

    text = LINK.sub(turned, MENTION.sub(lambda name: f"[{name[0]}]({up(folder)}{name[1]})", text))
    frames = [
        FRAME.format(src=f"{up(folder)}pages/{Path(file).name}", title=PAGES[file])
        for file in dict.fromkeys(shown)
    ]
    return "\n\n".join([text, *frames])


def up(folder):
    return "../" * len(Path(folder).parts)


def source_page(file, fragment):
    """The page on which viewcode shows a file, at the function that contains line L<number>."""
    page = f"_modules/{file.removesuffix('.py')}.html"
    line = int(fragment.removeprefix("L") or 0)
    for node in ast.parse((ROOT / file).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and line in range(
            node.lineno, node.end_lineno + 1
        ):
            return f"{page}#{node.name}"
    return page


def reference(module, title):
    """The page of a module; of a package, with what it takes from its own modules."""
    is_package = (ROOT / module.replace(".", "/")).is_dir()
    members = "   :imported-members:\n" if is_package else ""
    return f"{title}\n{'=' * len(title)}\n\n.. automodule:: {module}\n{members}"


def index():
    """The first page: the head of README, and the list of its notebooks."""
    readme = (ROOT / "README.md").read_text("utf-8")
    head = readme.split("\n## ")[0].replace("figures/hero.png", "_static/hero.png")
    notebooks = next(part for part in readme.split("\n## ") if part.startswith("The notebooks\n"))
    steps = "\n".join(line for line in notebooks.split("\n") if re.match(r"\d+\. ", line))
    files = [f"notebooks/{p.stem}" for p in sorted((SOURCE / "notebooks").glob("*.ipynb"))]
    return "\n\n".join(
        [
            for_the_site(head, ""),
            "## The notebooks",
            for_the_site(steps, ""),
            toctree("The notebooks", [*files, "notebooks/map", "notebooks/syllabus"]),
            toctree("Pages to touch", ["explorers"]),
            toctree("Reference", [f"api/{module}" for module in API]),
        ]
    )


def toctree(caption, names):
    lines = "\n".join(names)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```"


def explorers():
    """All interactive pages, one below the other."""
    parts = ["# Pages to touch"]
    for page, title in PAGES.items():
        src = f"pages/{Path(page).name}"
        parts += [
            f"## {title}",
            FRAME.format(src=src, title=title),
            f'<a href="{src}">The same on a page of its own</a>',
        ]
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=ROOT / ".site" / "html", type=Path)
    args = parser.parse_args()
    lay_out()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", SOURCE, args.folder]
    modules = os.pathsep.join(map(str, (ROOT, HERE)))
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": modules}).returncode


if __name__ == "__main__":
    raise SystemExit(main())
