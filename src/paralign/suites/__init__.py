"""Suites: tasks with their data, settings and seeds as TOML files, for ``paralign suite``."""
