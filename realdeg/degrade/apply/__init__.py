"""Plans applied: to one image, and to a batch of tensors."""
