"""The version of this package, read from its metadata or from the checkout."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("realdeg")
except PackageNotFoundError:  # run from a checkout that was not installed
    VERSION = "0+unknown"
