"""Published recipes, one screen each."""
