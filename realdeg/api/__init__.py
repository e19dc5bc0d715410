"""What `import realdeg` gives: thin functions that check what they are given and call the rooms below."""
