"""Notebook 04."""

EXERCISES = ()
