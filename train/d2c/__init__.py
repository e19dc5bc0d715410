"""D2C-SR: `python -m train.d2c`."""
