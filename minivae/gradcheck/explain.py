"""Why a gradient is wrong, or why nobody can tell: one sentence for every block that is not right.

The pattern of an error is named by `symptoms`.
"""

import numpy as np

from minivae.gradcheck.inputs import Point
from minivae.gradcheck.symptoms import Block, block_sizes, constant_factor, symptom
from minivae.gradcheck.verdicts import CANNOT_TELL, REASONS, RIGHT, WRONG, Entries, whole


def explain(point: Point, entries: Entries, sizes: dict[str, int]) -> tuple[str, float | None, int]:
    """(sentence, constant ratio or None, position of the worst entry)."""
    verdict = whole(entries)
    gap = np.abs(entries.analytic - entries.numeric)
    gap = np.where(np.isfinite(gap), gap, np.inf)
    if verdict == RIGHT:
        return "right", None, int(gap.argmax())
    if verdict == CANNOT_TELL:
        return _doubt(point, entries, np.arange(gap.size))
    blocks = _blocks(point, entries)
    sizes = sizes | block_sizes(point.names, point.shapes)
    wrong = [block for block in blocks if block.wrong.any()]
    worst = max(entries.where(WRONG), key=lambda i: gap[i])
    ratio = constant_factor(wrong[0]) if len(wrong) == 1 else None
    sentences = []
    for block in wrong:
        prefix = f"{block.name} " if len(blocks) > 1 else ""
        sentences.append(prefix + _complaint(block, blocks, sizes))
    return "; ".join(sentences), ratio, int(worst)


def explain_each(point: Point, entries: Entries, sizes: dict[str, int]) -> list[str]:
    """A sentence for every block, "right" where it is right. sizes: as for `check_grad`."""
    blocks = _blocks(point, entries)
    sentences = []
    for block, inside in zip(blocks, point.split(np.arange(point.flat.size)), strict=True):
        if block.wrong.any():
            sentences.append(_complaint(block, blocks, sizes))
        elif (entries.verdict[inside] == CANNOT_TELL).any():
            sentences.append(_doubt(point, entries, inside)[0])
        else:
            sentences.append("right")
    return sentences


def _complaint(block: Block, blocks: list[Block], sizes: dict[str, int]) -> str:
    gap = np.where(block.wrong, np.abs(block.analytic - block.numeric), -1.0)
    worst = np.unravel_index(np.where(np.isnan(gap), np.inf, gap).argmax(), gap.shape)
    where = [int(k) for k in worst]
    a, n = block.analytic[worst], block.numeric[worst]
    if not np.isfinite(a):
        return f"the gradient by hand is {a} at {where}"
    return f"at {where} by hand {a:.6g}, numerically {n:.6g}: {symptom(block, blocks, sizes)}"


def _doubt(point: Point, entries: Entries, inside: np.ndarray) -> tuple[str, float | None, int]:
    unsure = inside[entries.verdict[inside] == CANNOT_TELL]
    kinds, counts = np.unique(entries.reason[unsure].astype(str), return_counts=True)
    kind = kinds[counts.argmax()]
    first = int(unsure[entries.reason[unsure] == kind][0])
    matter, advice = REASONS[kind]
    n = inside.size
    share = f" ({unsure.size} of {n} entries)" if n > 1 else ""
    return f"I can't tell at {point.label(first)}{share}: {matter}; {advice}", None, first


def _blocks(point: Point, entries: Entries) -> list[Block]:
    parts = zip(
        point.names, point.shapes, point.split(point.flat), point.split(entries.analytic),
        point.split(entries.numeric), point.split(entries.bar),
        point.split(entries.verdict == WRONG), strict=True,
    )  # fmt: skip
    return [Block(name, *(p.reshape(shape) for p in rest)) for name, shape, *rest in parts]
