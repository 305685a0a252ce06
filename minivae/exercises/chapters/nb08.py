"""Notebook 08."""

EXERCISES = ()
