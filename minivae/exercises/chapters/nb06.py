"""Notebook 06."""

EXERCISES = ()
