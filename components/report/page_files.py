"""What the Report leaves in its output."""

PAGE_FILE = "report.html"
FACTS_FILE = "facts.json"
"""The same as data."""
