"""The scripts that make reference values need what the tests do not: R, mpmath."""

collect_ignore_glob = ["make_*.py"]
