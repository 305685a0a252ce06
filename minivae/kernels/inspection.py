"""What the compiler made of a compiled function: whether it uses vectors, what it calls.

For the lessons and exercises of notebooks 08a and 08b; no kernel uses this module.
"""

import re
from typing import Any

FLOAT64 = re.compile(r"\bf(?:add|sub|mul|div|ext|ptrunc|cmp)[^\n]*\bdouble\b")
ARITHMETIC = re.compile(
    r"f(?:add|sub|mul|div) [^\n]*?<\d+ x (?:float|double)>|call [^\n]*@llvm\.(?:sqrt|fma)\.v\d+f"
)
CALL = re.compile(r"call [^\n]*?(?:float|double)>? @([\w.]+)")
# names that become one instruction or a few, vector libraries (SVML, libmvec), and what numba calls
# once for each call of the function, to convert its arguments
NO_LIBRARY = re.compile(
    r"llvm\.(fabs|sqrt|fma|fmuladd|copysign|floor|ceil|trunc|rint|nearbyint|round|min|max|vector|"
    r"masked)|sqrtf?$|__svml_|_ZGV|Py|numba_|NRT_"
)


def vector_instructions(kernel: Any) -> int:
    """How many additions, subtractions, multiplications, divisions and roots of whole vectors stand
    in the LLVM code of a numba function, in all the versions that have been compiled so far. Not
    comparisons, conversions, loads and stores."""
    code = "\n".join(kernel.inspect_llvm().values())
    return len(ARITHMETIC.findall(code))


def float64_instructions(kernel: Any) -> int:
    """How many operations in float64, or conversions from and to it, stand in that code."""
    code = "\n".join(kernel.inspect_llvm().values())
    return len(FLOAT64.findall(code))


def library_calls(kernel: Any) -> list[str]:
    """The functions of numbers that this code calls in a library, such as ["exp"]: one call for
    each number, even where LLVM writes the call with a vector. Not those that SVML has vectors of.
    It also names what only the text of an error needs, such as "log10" for a number's digits.
    """
    code = "\n".join(kernel.inspect_llvm().values())
    called = {name for name in CALL.findall(code) if not NO_LIBRARY.match(name)}
    names = {re.sub(r"^llvm\.|\.v?\d*f\d+$", "", name) for name in called}
    return sorted(name for name in names if f"__svml_{name}" not in code)
