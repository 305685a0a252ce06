"""The hash of a module: equal for equal code, on each version of Python, and for no other."""

import hashlib

import pytest

from notebooks import code_hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # one\n", "\n\nx=1\n"),
        ('"""Doc."""\nx = 1', "x = 1"),
        ('def f():\n    """Doc."""\n    return 1', "def f(): return 1"),
        ("x = 'a' 'b'", 'x = ("a"\n     "b")'),
        ("f(a, b)", "f(\n    a,\n    b,\n)"),
        ("x = f'{a:}' 'b' f'{c}'", "x = f'{a}b{c}'"),
        ("x = 0x10, 1_000, 1.50", "x = (16, 1000, 1.5)"),
        ("x = (a * b) + c", "x = a * b + c"),
    ],
)
def test_code_that_is_the_same_but_for_its_looks_hashes_alike(one, other):
    assert code_hash.code(one) == code_hash.code(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = a * (b + c)", "x = a * b + c"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0", "x = None"),
        ("x = 0", "x = ''"),
        ("x = 'a'", "x = b'a'"),
        ("x = 0.1", "x = 0.10000000000000002"),
        ("x = -1", "x = 1"),
        ("x = ()", "x = []"),
        ("x = f''", "x = None"),
        ("def f(): return f''", "def f(): return"),
        ("x = f'{a!r}'", "x = f'{a!s}'"),
        ("x = f'{a:.1f}'", "x = f'{a:.2f}'"),
        ("x = f'a{b}'", "x = f'{b}a'"),
        ("x = {**a, 'b': 1}", "x = {'b': 1, **a}"),
        ("def f(*, a, b=1): 0", "def f(*, a=1, b): 0"),
        ("from . import a", "from .. import a"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = a < b", "x = a <= b"),
        ("match x:\n case None: y()", "match x:\n case False: y()"),
        ("if a:\n    b()\nc()", "if a:\n    b()\n    c()"),
        ("async def f():\n async for a in b: 0", "async def f():\n for a in b: 0"),
    ],
)
def test_code_that_does_something_else_hashes_otherwise(one, other):
    assert code_hash.code(one) != code_hash.code(other)


VERSIONS = r'''
@decorated(a, *b, **{"c": 0, **d})
class A(B, metaclass=C):
    x: int = 1
    (y): float
    def f(self, a, /, b=None, *args: int, c, d=..., **kwargs) -> "text":
        global g
        with open(a) as (b, c), d:
            return [i for i, j in a if not i if j], {k: v for k, v in b}, {1, 2.5}, (yield), 1e400
    async def g(self):
        """Doc."""
        async for a in b:
            await c
        else:
            del a[1:2, ..., ::3], a.b
        return [i async for i in a]
for i in a:
    try:
        raise A from None
    except (B, C) as e:
        continue
    finally:
        x @= y if (z := 1j) else lambda *, a=1: a
match p:
    case {"a": 1, **r} | A(b, c=None) | [1, *_] | -1.5 if g:
        assert not p, "no"
import a.b as c, d
from ..e import f as g
from . import *
x = f"{a!r:>{w}}{{}}" "b" f"{c=}{d:%Y}" f"" u"é\U0001fae8\n", rb"\x00", 0 < a <= b is not c, ~-a
'''


def test_the_hash_is_the_same_on_all_versions_of_python():
    """What Python 3.10 to 3.13 give; a version whose syntax tree differs would differ here."""
    digest = hashlib.sha256(code_hash.code(VERSIONS).encode()).hexdigest()
    assert digest == "915ee772962ad73c279e19192591f48c133e33699b76d9774830c676c5c13db6"
