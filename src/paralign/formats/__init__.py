"""File formats: one file each, files only. Readers yield the items of :mod:`paralign.formats.items`."""
