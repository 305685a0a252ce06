"""Writes oldest.txt: each package of requirements.txt at its floor, as constraints for pip."""

import re
from pathlib import Path

pins = []
for line in Path("requirements.txt").read_text(encoding="utf-8").splitlines():
    requirement = line.partition("#")[0].strip()
    if requirement:
        name, floor = re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement).groups()
        pins.append(f"{name}=={floor}\n")
Path("oldest.txt").write_text("".join(pins), encoding="utf-8")
