"""Notebook 09."""

EXERCISES = ()
