"""Two pictures of one scene by two cameras -> one aligned pair, and how well it is aligned."""
