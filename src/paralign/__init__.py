"""paralign: make the languages inside a multilingual encoder agree, and measure what changed."""

__version__ = "0.1.0"
