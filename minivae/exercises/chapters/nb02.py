"""Notebook 02."""

EXERCISES = ()
