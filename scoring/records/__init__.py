"""Records: front matter, JSON lines, tables and feeds read into typed values, and labels written back."""
