"""The only door between pixels and disk."""
