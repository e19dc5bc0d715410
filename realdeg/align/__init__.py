"""Step 1: two photos of one scene become a registered LR/HR pair, or a reason why not."""
