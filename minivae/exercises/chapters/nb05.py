"""Notebook 05."""

EXERCISES = ()
