"""The exercises of each notebook, with the wrong answers they recognise, as nb01.

Each chapter is a package: `__init__.py` lists its EXERCISES in order, `questions.py` holds its
predictions and recall questions. The references have no type hints: `solution` shows their source
to the reader, below the stub.
"""
