"""What a notebook's outputs depend on, as one hash: a notebook with another hash is stale.

Three things count: the notebook's source with its text, all modules of minivae that it reaches with
their code, and the files that these read. Only code counts in a module (see `code_hash.py`), so
comments, docstrings and layout make nothing stale. Standard library only.

Which modules are reached is read off the imports, module by module, including those inside
functions, but not those under `if TYPE_CHECKING:`, which never run. Four things need a rule of
their own:

- A package's `__init__.py` mostly passes names on. An import there that the file does not use
  itself is followed only for who asks for that name: `from minivae import VAE` reaches the
  estimator, `from minivae import ops` does not. (So a submodule must not be imported there only
  for what it does when imported.)
- The chapters of exercises and their questions are imported by a computed name. A notebook reaches
  its own, those that a reached file names by id ("05.dense"), and all of them if it lists all
  exercises.
- Some modules read files; READ names them.
- A notebook that shows source text depends on the text, comments included.
"""

import ast
import hashlib
import re
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from notebooks.code_hash import code, nodes, parsed
from notebooks.shown_text import shown_text

ROOT = Path(__file__).resolve().parent.parent

READ = {  # module: the files that it reads by name (patterns), so that no import shows them
    "minivae/studies/cat_study.py": ("figures/cat_study.json",),
    "minivae/studies/gan_study.py": ("figures/gan_study.json",),
    "minivae/studies/checkers/results.py": ("figures/gradient_checkers.json",),
    "minivae/data/loading.py": ("minivae/data/shipped/mnist.npz",),
    "minivae/estimator/shipped.py": ("minivae/runs/shipped/*.npz",),
    # compiled with an edit
    "minivae/mistakes/__init__.py": (
        "minivae/ops.py",
        "minivae/vae.py",
        "minivae/conditional.py",
        "minivae/gan.py",
    ),
    "minivae/studies/training_study.py": ("figures/training_study.json",),
    "minivae/studies/published.py": ("figures/iwae_table.json",),
}
BY_NAME = ("minivae/exercises/catalogue.py",)  # may import by a computed name: the chapters
CHAPTERS = "minivae.exercises.chapters"
LIST_ALL = {  # names that reach every chapter
    "*",
    "chapter_modules",
    "exercises",
    "predictions",
    "progress",
    "recall_questions",
    "report",
    "review",
    "review_session",
    "summary",
}
TEXT = {".css", ".csv", ".html", ".js", ".json", ".md", ".txt"}  # line ends may differ here

WHOLE = "*"  # stands for all names of a package


def fingerprint(source, root=ROOT, read=READ):
    """SHA-256 of all that the outputs of a notebook with this source depend on.

    Raises ValueError where a path in `read` does not exist, or where a reached module imports by
    a computed name.
    """
    return fingerprints([source], root, read)[0]


def fingerprints(sources, root=ROOT, read=READ):
    """That of each of these notebooks; what they share is looked at once."""
    project = _Project(root, read)
    return [_fingerprint(source, project) for source in sources]


def _fingerprint(source, project):
    text = _text(source)
    modules = _Reach(source, project).files()
    needed = requirements(_text(project.root / "requirements.txt"))
    parts = {"source": _sha(text.encode()), "requirements": _sha(needed.encode())}
    for path in modules:
        parts[project.name(path)] = project.hash_of_code(path)
        shown = shown_text(parsed(text), project.text(path))
        if shown:
            parts[f"text of {project.name(path)}"] = _sha(shown.encode())
    for path in _without_python(project.read_by, modules):
        parts[project.name(path)] = project.hash_of_content(path)
    return _sha("".join(f"{name}\n{part}\n" for name, part in sorted(parts.items())).encode())


def requirements(text):
    """The lines of a requirements file without comments and blank lines."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def files_read(modules, root=ROOT, read=READ):
    """The files that these modules read by name, sorted, without modules of Python.

    Raises ValueError where any path in `read` does not exist.
    """
    return _without_python(_read_by(root, read), modules)


def _without_python(read_by, modules):
    return sorted({f for m in modules for f in read_by.get(m, ()) if f.suffix != ".py"})


def _read_by(root, read):
    """{path of a module: the files that it reads}."""
    found = {}
    for module, patterns in read.items():
        if not (root / module).is_file():
            raise ValueError(f"READ in stale.py names {module}, which does not exist")
        found[root / module] = files = []
        for pattern in patterns:
            matches = [path for path in root.glob(pattern) if path.is_file()]
            if not matches:
                raise ValueError(f"READ in stale.py: no file is {pattern}, which {module} reads")
            files += matches
    return found


def _text(path):
    return path.read_bytes().decode("utf-8").replace("\r\n", "\n")


def _sha(content):
    return hashlib.sha256(content).hexdigest()


# ---- which modules are reached -----------------------------------------------------------------


def reached_modules(source, root=ROOT, read=READ):
    """The files of minivae whose code the outputs of a notebook can depend on, sorted.

    Raises ValueError as `fingerprint` does.
    """
    return _Reach(source, _Project(root, read)).files()


class _Project:
    """The files below a root as they are now; each is read, and its imports listed, only once."""

    def __init__(self, root, read):
        self.root, self.read_by = root, _read_by(root, read)
        self.text, self.name = cache(_text), cache(self._name)
        self.find, self.imports, self.asks = map(cache, (self._find, self._imports, self._asks))
        self.named_in = cache(lambda path: _named_by_id(self.tree(path), self.chapters))
        self.hash_of_code = cache(lambda path: _sha(code(self.text(path)).encode()))
        self.hash_of_content = cache(self._hash_of_content)

    def tree(self, path):
        return parsed(self.text(path))

    def _name(self, path):
        return path.relative_to(self.root).as_posix()

    def _hash_of_content(self, path):
        return _sha(_text(path).encode() if path.suffix in TEXT else path.read_bytes())

    def _find(self, module):
        """The file of a module of minivae, or None where there is none of that name."""
        if module.split(".")[0] != "minivae":
            return None
        path = self.root.joinpath(*module.split("."))
        candidates = (path / "__init__.py", path.with_suffix(".py"))
        return next((file for file in candidates if file.is_file()), None)

    def _imports(self, module):
        """The imports of minivae in the file of a module."""
        path = self.find(module)
        return list(_imports(self.tree(path), module, path.name == "__init__.py", self.find))

    def _asks(self, module):
        """What the file of a module asks for; each only once, though it may use a name often."""
        asks = _asks(self.tree(self.find(module)), self.imports(module), self.find)
        return list(dict.fromkeys(asks))

    @cached_property
    def chapters(self):
        """{a chapter, or its questions: the strings in it that look like its ids, as "05.dense"}.

        Both are given by their dotted name.
        """
        folder = self.root.joinpath(*CHAPTERS.split("."))
        found = {}
        for path in folder.glob("nb[0-9][0-9]*"):
            chapter = f"{CHAPTERS}.{path.stem}"
            if self.find(chapter) is None:
                continue  # a folder that is left over, without its __init__.py
            for file in path.rglob("*.py") if path.is_dir() else [path]:
                asked = file.parent == path and file.name == "questions.py"
                ids = found.setdefault(f"{chapter}.questions" if asked else chapter, set())
                texts = _strings(self.tree(file))
                ids.update(text for text in texts if text.startswith(f"{_number(chapter)}."))
        return found


class _Reach:
    """Follows imports from a script.

    What is asked for is a pair: a dotted module, and one of its names, WHOLE for all of them, or ""
    for the import alone.
    """

    def __init__(self, source, project):
        self.project, self.find, chapters = project, project.find, project.chapters
        self.asked, self.modules = set(), {}  # modules: {dotted name: its file}
        script = parsed(_text(source))
        asks = list(_asks(script, list(_imports(script, "", False, self.find)), self.find))
        for ask in asks:
            self.ask(*ask)
        wanted = _named_by_id(script, chapters)
        wanted |= {module for module in chapters if _number(module) == source.name[:2]}
        if any(m.startswith("minivae.exercises") and name in LIST_ALL for m, name in asks):
            wanted = set(chapters)
        while wanted:
            for module in sorted(wanted):
                self.ask(module, WHOLE)
            named = set().union(*map(project.named_in, self.files()))
            wanted = named - set(self.modules)

    def files(self):
        return sorted(set(self.modules.values()))

    def ask(self, module, name=""):
        path = self.find(module)
        if path is None or (module, name) in self.asked:
            return
        self.asked.add((module, name))
        self.ask(module.rpartition(".")[0])  # importing a module runs its package's __init__ first
        self.reach(module, path)
        if name in ("", WHOLE):
            names = None if name else ()
        else:
            names = (name,)
            self.ask(f"{module}.{name}")  # where the name is a submodule's
        if path.name == "__init__.py":
            for found in self.project.imports(module):
                if found.passed_on and (names is None or found.local in names):
                    for ask in found.asks:
                        self.ask(*ask)
                    if found.module:
                        self.ask(found.module, WHOLE)

    def reach(self, module, path):
        """Count the file of a module, and follow what it imports for its own use."""
        if module in self.modules:
            return
        self.modules[module] = path
        name = self.project.name(path)
        if name not in BY_NAME and _imports_by_name(self.project.tree(path)):
            raise ValueError(f"{name} imports by a computed name: see BY_NAME")
        for ask in self.project.asks(module):
            self.ask(*ask)
        for file in self.project.read_by.get(path, ()):
            if file.suffix == ".py":
                dotted = self.project.name(file).removesuffix(".py").replace("/", ".")
                self.ask(dotted, WHOLE)


@cache
def _strings(tree):
    return {
        node.value
        for node in nodes(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _named_by_id(tree, chapters):
    """The chapters, and questions of chapters, of which this file names an id."""
    strings = _strings(tree)
    return {module for module, ids in chapters.items() if not ids.isdisjoint(strings)}


def _number(module):
    """ "05", for chapter 05 or its questions."""
    return module.removeprefix(f"{CHAPTERS}.nb")[:2]


@cache
def _imports_by_name(tree):
    names = {node.id for node in nodes(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes(tree) if isinstance(node, ast.Attribute)}
    return not names.isdisjoint({"import_module", "__import__"})


class _Import(NamedTuple):
    """One name that a file imports from minivae."""

    local: str  # what the file calls it; WHOLE for a star
    asks: list  # what must be asked for
    module: str | None  # the dotted module that the name is bound to, if it is one
    passed_on: bool  # by an __init__.py that does not use it


def _imports(tree, module, is_package, find):
    """Every import of minivae in a file. `module`: the file's own dotted name, "" for a script."""
    lazy, used = _lazy_and_used(tree) if is_package else (set(), set())
    for node in _import_nodes(tree):
        if isinstance(node, ast.Import):
            found = [_plain_import(alias) for alias in node.names]
        else:
            found = _from_import(node, _origin(node, module, is_package), find)
        for local, asks, bound in found:
            if find(asks[0][0]) is not None:
                passed_on = is_package and local != WHOLE and (node in lazy or local not in used)
                yield _Import(local, asks, bound, passed_on)


@cache
def _import_nodes(tree):
    for_types = {
        node
        for block in nodes(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    imports = [node for node in nodes(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return [node for node in imports if node not in for_types]


@cache
def _lazy_and_used(tree):
    """The nodes in the `__getattr__` of an __init__.py, and the names used outside of it."""
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    lazy = {n for f in functions if f.name == "__getattr__" for n in ast.walk(f)}
    return lazy, {n.id for n in nodes(tree) if isinstance(n, ast.Name) and n not in lazy}


def _plain_import(alias):
    """`import a.b` binds a; `import a.b as c` binds a.b."""
    first = alias.name.split(".")[0]
    local, bound = (alias.asname, alias.name) if alias.asname else (first, first)
    return local, [(alias.name, "")], bound


def _from_import(node, origin, find):
    for alias in node.names:
        if alias.name == "*":
            yield WHOLE, [(origin, WHOLE)], None
        else:
            submodule = f"{origin}.{alias.name}"
            bound = submodule if find(submodule) else None
            yield alias.asname or alias.name, [(origin, alias.name)], bound


def _origin(node, module, is_package):
    """The dotted module that a `from ... import` names, relative or not."""
    if not node.level:
        return node.module
    parts = module.split(".")
    above = node.level - 1 if is_package else node.level
    return ".".join([*parts[: len(parts) - above], *([node.module] if node.module else [])])


def _asks(tree, imports, find):
    """What a file asks for: its imports, and the names that it takes from imported modules."""
    own = [found for found in imports if not found.passed_on]
    for found in own:
        yield from found.asks
    bound = {}
    for found in own:
        if found.module:
            bound.setdefault(found.local, set()).add(found.module)
    for local, attributes in _chains(tree):
        for start in bound.get(local, ()):
            at, rest = start, list(attributes)
            while rest and find(f"{at}.{rest[0]}"):
                yield at, rest[0]
                at = f"{at}.{rest.pop(0)}"
            yield at, rest[0] if rest else WHOLE


@cache
def _chains(tree):
    """(name, its attributes) wherever a name is used: `a.b.c` gives ("a", ("b", "c"))."""
    inner = {node.value for node in nodes(tree) if isinstance(node, ast.Attribute)}
    found = []
    for node in nodes(tree):
        attributes = []
        if isinstance(node, (ast.Name, ast.Attribute)) and node not in inner:
            while isinstance(node, ast.Attribute):
                attributes.insert(0, node.attr)
                node = node.value
            if isinstance(node, ast.Name):
                found.append((node.id, tuple(attributes)))
    return list(dict.fromkeys(found))
