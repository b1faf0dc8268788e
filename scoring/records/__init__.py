"""Records: front matter and JSON lines read into typed values, and labels written back."""
