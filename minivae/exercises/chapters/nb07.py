"""Notebook 07."""

EXERCISES = ()
