"""Ready runs in TOML; ``extends`` names the recipe a file differs from."""
