"""The command line: each command a thin call of a method of `evaluation.Trial`."""
