"""A notebook is stale when, and only when, something changed that its outputs can depend on."""

import ast
import filecmp
import re
import shutil
from pathlib import Path

import pytest

from minivae import mistakes
from notebooks import stale

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "notebooks" / "src").glob("*.py"))
ALL = " ".join(path.name.split("_")[0] for path in SOURCES)


# ---- a copy of the repository ------------------------------------------------------------------


class Copy:
    """A copy of what the fingerprints look at, and each notebook's before any change."""

    def __init__(self, root):
        self.root = root
        self.sources = sorted((root / "notebooks" / "src").glob("*.py"))
        self.before = self.fingerprints()

    def fingerprints(self):
        numbers = [path.name.split("_")[0] for path in self.sources]
        found = stale.fingerprints(self.sources, self.root)
        return dict(zip(numbers, found, strict=True))

    def stale(self):
        now = self.fingerprints()
        return " ".join(number for number in now if now[number] != self.before[number])


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "minivae", root / "minivae", ignore=no_caches)
    shutil.copytree(ROOT / "notebooks" / "src", root / "notebooks" / "src", ignore=no_caches)
    shutil.copytree(ROOT / "figures", root / "figures")
    shutil.copy(ROOT / "requirements.txt", root)
    return Copy(root)


@pytest.fixture
def copy(pristine):
    """The copy; what a test changed in it is put back."""
    yield pristine
    for path in pristine.root.rglob("*"):
        original = ROOT / path.relative_to(pristine.root)
        if path.is_file() and not filecmp.cmp(path, original):  # by their times, where these agree
            shutil.copy2(original, path)


def test_a_copy_elsewhere_has_the_same_fingerprints(copy):
    assert copy.before == {path.name.split("_")[0]: stale.fingerprint(path) for path in SOURCES}
    assert len(set(copy.before.values())) == len(SOURCES)


# ---- what makes nothing stale ------------------------------------------------------------------


class Reworded(ast.NodeTransformer):
    """Every docstring gets another text."""

    def reword(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Another text."))
        return node

    visit_Module = visit_FunctionDef = visit_ClassDef = reword


def test_comments_docstrings_and_layout_make_nothing_stale(copy):
    """Each module is printed anew from its syntax tree: other quotes, brackets, line breaks, no
    comments. In `vae.py` and `nb06` a function may be shown by notebook 06: there, by hand. So too
    in `conditional.py`, whose functions have the same names."""
    by_hand = {
        "minivae/vae.py",
        "minivae/conditional.py",
        "minivae/exercises/chapters/nb06/whole_gradient.py",
    }
    for path in copy.root.glob("minivae/**/*.py"):
        text = path.read_text(encoding="utf-8")
        if path.relative_to(copy.root).as_posix() in by_hand:
            changed = text.replace('"""', '"""Put differently: ', 1)
            changed = changed.replace("\n\n\n", "\n\n\n# A comment.\n\n")
        else:
            changed = ast.unparse(Reworded().visit(ast.parse(text))) + "\n\n\n# A comment.\n"
        assert changed != text
        path.write_text(changed, encoding="utf-8")
    assert copy.stale() == ""


def test_the_line_ends_of_windows_make_nothing_stale(copy):
    """Git may check text out with them."""
    for pattern in ("minivae/**/*.py", "notebooks/src/*.py", "figures/*.json", "requirements.txt"):
        for path in copy.root.glob(pattern):
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert copy.stale() == ""


# ---- what makes exactly some notebooks stale ---------------------------------------------------


CHANGES = [  # file, right, wrong, the notebooks that can show the difference
    # all notebooks have exercises, some of whose wrong answers are planted in `ops`; all draw
    ("minivae/ops.py", "sigma = np.exp(logvar / 2)", "sigma = np.exp(logvar)", ALL),
    ("minivae/plots/style.py", '"font.size": 10', '"font.size": 11', ALL),
    ("minivae/plots/studies.py", 'linestyle="--"', 'linestyle=":"', "09"),
    ("minivae/plots/latents.py", 'cmap="Greys"', 'cmap="Blues"', "10"),
    ("minivae/plots/explorer.py", "DOTS = 1500", "DOTS = 1501", ""),
    # 01 and 10 draw cats; data sets (06, 07, 09) may be cats
    ("minivae/data/cats/sampling.py", "np.rint(255 *", "np.rint(254 *", "01 06 07 09 10 11"),
    ("minivae/data/loading.py", '"mnist.npz"', '"other.npz"', "01 06 07 09 10 11"),
    # 01, 06, 09 and 10 take a shipped model from the estimator, 07 and 08 the kernels themselves
    ("minivae/estimator/shipped.py", '"shipped"', '"other"', "01 06 09 10 11"),
    (
        "minivae/kernels/elementary.py",
        "p * (r * r) + r",
        "p * (r * r) - r",
        "01 06 07 08a 08b 08c 09 10 11",
    ),
    ("minivae/exact/diseases.py", "np.log(q)", "np.exp(q)", "01 02"),
    ("minivae/exact/faces.py", "np.exp(a - safe)", "np.exp(a + safe)", "01 02 04 09"),
    ("minivae/exact/linear.py", "/ 2\n", "/ 3\n", "04"),
    ("minivae/exact/integral.py", "/ 2\n", "/ 3\n", "09"),
    ("minivae/evaluate/likelihood.py", "total / samples", "total", "01 06 07 09 10 11"),
    ("minivae/evaluate/inference_gap.py", "half, -half", "half, half", "09"),
    ("minivae/gradcheck/differences.py", "/ two_h", "/ (2 * two_h)", "04 05 06 07 09 11"),
    ("minivae/gradcheck/doctor.py", "private_rng(seed)", "private_rng(seed + 1)", "06"),
    ("minivae/gradcheck/model.py", "mistakes.MISTAKES", "mistakes.MISTAKES[1:]", "11"),
    ("minivae/mistakes/adam.py", "adam-climbs", "adam-ascends", ALL),
    ("minivae/kernels/plain_products.py", "_multiply(_naive", "_multiply(_blocked", "08a"),
    ("minivae/studies/races.py", "SLACK = 1.03", "SLACK = 1.3", "08a 08b 08c"),
    ("minivae/studies/published.py", '"iwae_table.json"', '"other.json"', "09"),
    ("minivae/evaluate/interpretability.py", "gaps.mean()", "gaps.sum()", "10"),
    ("minivae/evaluate/sample_quality.py", "*= -2", "*= 2", "10 11"),
    ("minivae/studies/cat_study.py", '"cat_study.json"', '"other.json"', "10"),
    # 02 and 09 take the log-sum-exp of 01; 07 trains with the references of 03, 04, 05
    ("minivae/exercises/chapters/nb01/logs.py", "np.log(", "np.exp(", "01 09"),
    ("minivae/exercises/chapters/nb02/elbo.py", "np.log(", "np.exp(", "02"),
    ("minivae/exercises/chapters/nb03/kl.py", "- 1 - logvar", "- logvar", "03 07"),
    ("minivae/exercises/chapters/nb04/reparameterize.py", "logvar / 2", "logvar", "04 07"),
    ("minivae/exercises/chapters/nb05/activations.py", "np.tanh(", "np.sinh(", "05 07"),
    ("minivae/exercises/chapters/nb06/gaps.py", "np.linalg.solve(P", "np.linalg.solve(P.T", "06"),
    ("minivae/exercises/chapters/nb07/adam.py", "np.sqrt(", "np.cbrt(", "07"),
    ("minivae/exercises/chapters/nb08/products.py", "range(", "reversed(", "08a 08b 08c"),
    ("minivae/exercises/chapters/nb09/proposals.py", "np.log(", "np.exp(", "09"),
    ("minivae/exercises/chapters/nb10/rotation.py", "np.log(variances)", "np.exp(variances)", "10"),
    # the questions of a chapter are asked in its own notebook alone
    ("minivae/exercises/chapters/nb01/questions.py", "zero", "none", "01"),
    ("minivae/exercises/chapters/nb05/questions.py", "rises", "grows", "05"),
    ("minivae/exercises/own_backend.py", "sum(dmu", "max(dmu", "07"),
    ("minivae/exercises/grading.py", "a.shape == b.shape", "True", ALL),
    # what only the command line, the figures and other libraries run
    ("minivae/cli/__init__.py", "import argparse", "import argparse as parsing", ""),
    (
        "minivae/studies/bench/tables.py",
        "from math import log",
        "from math import log10 as log",
        "",
    ),
    ("minivae/exercises/bug_museum.py", "CHOICES = 3", "CHOICES = 2", ""),
    ("minivae/bridge/torch_vae.py", "from math import log", "from math import log10 as log", ""),
    # not code
    ("requirements.txt", "numpy>=2.0", "numpy>=2.1", ALL),
    ("requirements.txt", "# Floors", "# The floors", ""),
    ("figures/cat_study.json", "0", "1", "10"),
    ("figures/iwae_table.json", "0", "1", "09"),
    ("notebooks/src/04_the_reparameterization_trick.py", "# ## 4.1", "# ### 4.1", "04"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "expected"), CHANGES)
def test_a_change_makes_exactly_these_notebooks_stale(copy, file, right, wrong, expected):
    path = copy.root / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    assert copy.stale() == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("minivae/runs/shipped/cats.npz", "01 06 09 10 11"),
        ("minivae/data/shipped/mnist.npz", "01 06 07 09 10 11"),
    ],
)
def test_another_model_or_data_set_makes_its_users_stale(copy, file, expected):
    path = copy.root / file
    path.write_bytes(path.read_bytes() + b"\n")
    assert copy.stale() == expected


def test_a_comment_that_a_notebook_prints_makes_it_stale(copy):
    """Notebook 06 prints the source of `vae.elbo_and_grads`, comments included."""
    path = copy.root / "minivae" / "vae.py"
    text = path.read_text(encoding="utf-8")
    before, shown = text.split("def elbo_and_grads(")
    assert "# Forward: x" in shown
    shown = shown.replace("# Forward: x", "# Forwards: x", 1)
    path.write_text(f"{before}def elbo_and_grads({shown}", encoding="utf-8")
    assert copy.stale() == "06"


def test_a_notebook_that_lists_all_exercises_reaches_all_chapters(tmp_path):
    script = tmp_path / "01_x.py"
    script.write_text("from minivae.exercises import check, progress\nprogress()\n")
    modules = names(stale.reached_modules(script))
    assert every_chapter() <= modules
    script.write_text("from minivae import exercises\nexercises.check('01.evidence')\n")
    modules = names(stale.reached_modules(script))
    own = {m for m in modules if "/nb" in m}
    assert own == {path for path in every_chapter() if "/nb01/" in path}


def every_chapter():
    return names((ROOT / "minivae" / "exercises" / "chapters").glob("nb*/*.py"))


def names(paths, root=ROOT):
    return {path.relative_to(root).as_posix() for path in paths}


# ---- packages ----------------------------------------------------------------------------------


def tree(root, **files):
    """Write modules; `a__b` is a/b.py, `a__` is a/__init__.py, all below minivae/."""
    (root / "requirements.txt").write_text("numpy\n")
    for name, text in {"__": "", **files}.items():
        path = root / "minivae" / (name.lstrip("_").replace("__", "/") or "__init__.py")
        path = path / "__init__.py" if name.endswith("__") and name != "__" else path
        path = path if path.suffix else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def reached(root, script, read=None):
    source = root / "01_x.py"
    source.write_text(script)
    found = stale.reached_modules(source, root, read or {})
    return " ".join(sorted(name.removeprefix("minivae/") for name in names(found, root)))


PACKAGE = {
    "exact__": (
        "from minivae.exact.grid import quadrature\n"
        "from .linear import evidence, posterior as exact_posterior\n"
        "from minivae.errors import Refusal\n"
        "class Worse(Refusal): pass\n"
    ),
    "exact__grid": "from minivae import ops\ndef quadrature(): return ops\n",
    "exact__linear": "from .shared import x\nfrom .. import vae\n",
    "exact__shared": "def f():\n    from ..low import y\n",
    "exact__unused": "",
    "errors": "class Refusal(Exception): pass\n",
    "low": "y = 1\n",
    "ops": "",
    "vae": "",
}
LINEAR = "__init__.py errors.py exact/__init__.py exact/linear.py exact/shared.py low.py vae.py"
GRID = "__init__.py errors.py exact/__init__.py exact/grid.py ops.py"
BARE = "__init__.py errors.py exact/__init__.py"
BOTH = (
    "__init__.py errors.py exact/__init__.py exact/grid.py exact/linear.py exact/shared.py low.py "
    "ops.py vae.py"
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("from minivae.exact import linear", LINEAR),
        ("from minivae.exact import evidence", LINEAR),
        ("from minivae.exact import exact_posterior as p", LINEAR),
        ("from minivae.exact.linear import evidence", LINEAR),
        ("from minivae import exact\nexact.evidence(1)", LINEAR),
        ("from minivae import exact as e\ne.linear.evidence(1)", LINEAR),
        ("import minivae.exact\nminivae.exact.evidence(1)", LINEAR),
        ("import minivae.exact.linear as l\nl.evidence(1)", LINEAR),
        ("from minivae import exact\ndef f():\n    return exact.quadrature()", GRID),
        ("from minivae.exact import Worse", BARE),  # defined there: what it uses counts
        ("from minivae import exact", BARE),
        ("from minivae import exact\nf(exact)", BOTH),  # whoever gets it may take any name
        ("from minivae.exact import *", BOTH),
        ("import numpy, numpy.random\nfrom os import path", ""),
    ],
)
def test_names_are_followed_through_packages(tmp_path, script, expected):
    tree(tmp_path, **PACKAGE)
    assert reached(tmp_path, script) == expected


@pytest.mark.parametrize(
    ("script", "reaches"),
    [
        ("from minivae import VAE", True),
        ("import minivae\nminivae.VAE()", True),
        ("import minivae as m\nf(m)", True),
        ("from minivae import user", True),
        ("from minivae import __version__, low", False),
        ("import minivae\nprint(minivae.__version__)", False),
        ("if TYPE_CHECKING:\n    from minivae import VAE", False),
        ("if a:\n    from minivae import VAE", True),
    ],
)
def test_the_estimator_is_reached_only_where_it_is_named(tmp_path, script, reaches):
    init = (ROOT / "minivae" / "__init__.py").read_text(encoding="utf-8")
    assert "def __getattr__" in init
    files = {"estimator": "", "errors": "", "low": "", "user": "from minivae import VAE\n"}
    tree(tmp_path, **files)
    (tmp_path / "minivae" / "__init__.py").write_text(init)
    assert ("estimator.py" in reached(tmp_path, script).split()) == reaches


def test_a_chapter_may_be_a_package(tmp_path):
    tree(
        tmp_path,
        exercises__="",
        exercises__chapters__="",
        exercises__chapters__nb01__="from .one import A\nEXERCISES = (A,)\n",
        exercises__chapters__nb01__one="A = '01.a'\n",
        exercises__chapters__nb02__="from . import two\nEXERCISES = two.A\n",
        exercises__chapters__nb02__two="A = '02.a', '03.b'\n",
        exercises__chapters__nb02__questions="Q = '02.q'\n",
        exercises__chapters__nb03="B = '03.b', '02.other'\n",
        exercises__chapters__nb04="C = '04.c'\n",
    )

    def chapters(script):
        return sorted(set(re.findall(r"nb\d\d[/\w]*", reached(tmp_path, script))))

    one = ["nb01/__init__", "nb01/one"]
    assert chapters("") == one
    assert chapters("check('02.a', f)") == [*one, "nb02/__init__", "nb02/two", "nb03"]
    asked = ["nb02/__init__", "nb02/questions", "nb02/two", "nb03"]
    assert chapters("predict('02.q')") == [*one, *asked]
    assert chapters("print('2.1', '02.nothing', '04.')") == one


# ---- files that are read, and imports that cannot be seen ----------------------------------------


def test_all_paths_of_read_exist_and_one_that_does_not_is_an_error(tmp_path):
    assert stale.files_read([ROOT / module for module in stale.READ])
    tree(tmp_path, ops="")
    for read, said in (
        ({"minivae/gone.py": ("requirements.txt",)}, "minivae/gone.py"),
        ({"minivae/ops.py": ("requirements.txt", "figures/*.json")}, r"figures/\*.json"),
    ):
        with pytest.raises(ValueError, match=said):
            reached(tmp_path, "", read)
        with pytest.raises(ValueError, match=said):
            stale.fingerprint(tmp_path / "01_x.py", tmp_path, read)


def test_a_module_that_is_read_counts_with_what_it_imports(tmp_path):
    tree(tmp_path, museum="", ops="from minivae import low\n", low="")
    read = {"minivae/museum.py": ("minivae/ops.py",)}
    assert reached(tmp_path, "import minivae.museum", read) == (
        "__init__.py low.py museum.py ops.py"
    )


def test_read_names_the_modules_that_mistakes_are_planted_in():
    planted = {f"minivae/{mistake.module}.py" for mistake in mistakes.MISTAKES}
    assert set(stale.READ["minivae/mistakes/__init__.py"]) == planted


def test_a_module_that_finds_files_beside_itself_is_in_read():
    """Or its outputs do not depend on them: machine code, and the reader's own progress; a folder
    whose files are read elsewhere."""
    harmless = {
        "minivae/kernels/compilation.py",
        "minivae/kernels/first_start.py",
        "minivae/exercises/capture.py",  # compares folders, reads nothing there
        "minivae/exercises/store.py",
        "minivae/studies/folder.py",
    }
    paths = {path for source in SOURCES for path in stale.reached_modules(source)}
    finding = {p for p in paths if "__file__" in p.read_text(encoding="utf-8")}
    assert harmless < names(finding) <= harmless | set(stale.READ)


def test_an_import_by_a_computed_name_is_an_error(tmp_path):
    tree(tmp_path, hidden="import importlib\nimportlib.import_module('minivae.ops')\n", ops="")
    with pytest.raises(ValueError, match=r"minivae/hidden.py imports by a computed name"):
        reached(tmp_path, "import minivae.hidden")
