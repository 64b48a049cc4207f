"""The verbs: what the commands do, as functions. People call them as ``paralign.align(...)`` and the like."""
