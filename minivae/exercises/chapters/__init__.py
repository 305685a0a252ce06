"""The exercises of each notebook, with the wrong answers they know: nb01.py to nb10.py."""
