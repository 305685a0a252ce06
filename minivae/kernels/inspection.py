"""What the compiler made of a compiled function: whether it uses vectors.

For the lessons and exercises of notebooks 08a and 08b; no kernel uses this module.
"""

import re
from typing import Any

FLOAT64 = re.compile(r"\bf(?:add|sub|mul|div|ext|ptrunc|cmp)[^\n]*\bdouble\b")
ARITHMETIC = re.compile(r"f(?:add|sub|mul|div) [^\n]*?<\d+ x (?:float|double)>")


def vector_instructions(kernel: Any) -> int:
    """How many additions, multiplications and the like of whole vectors stand in the LLVM code of
    a numba function, in all the versions that have been compiled so far."""
    code = "\n".join(kernel.inspect_llvm().values())
    return len(ARITHMETIC.findall(code))


def float64_instructions(kernel: Any) -> int:
    """How many operations in float64, or conversions from and to it, stand in that code."""
    code = "\n".join(kernel.inspect_llvm().values())
    return len(FLOAT64.findall(code))
