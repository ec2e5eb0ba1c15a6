"""What a page calls a gate's verdict."""

WORDS = {"pass": "yes", "warn": "look", "fail": "no"}
