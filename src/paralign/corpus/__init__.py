"""The token store: building, cleaning, splitting and checking training text."""
