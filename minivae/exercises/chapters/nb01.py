"""Notebook 01."""

EXERCISES = ()
