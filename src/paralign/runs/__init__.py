"""A run on disk: folder, settings, inputs, measurements."""
