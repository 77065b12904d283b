"""Inference that holds when schools are few: one method a file."""
