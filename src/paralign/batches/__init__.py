"""Views of a batch, masking, batching by length and packing."""
