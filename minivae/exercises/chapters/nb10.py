"""Notebook 10."""

EXERCISES = ()
