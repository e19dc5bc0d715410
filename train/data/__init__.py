"""What is learned from: pairs, photos, references, and batches of them."""
