"""Recipes: settings as TOML files. ``extends`` names the recipe that a file is based on."""
