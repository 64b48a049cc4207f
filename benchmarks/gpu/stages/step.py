"""Placeholder."""

from __future__ import annotations

from context import Context, Measurement


def measurements(context: Context) -> list[Measurement]:
    """In order of worth."""
    return []
