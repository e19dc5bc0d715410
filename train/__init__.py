"""What is learned, and the programs that learn it: `python -m train.NAME`."""
