"""Related records of an archive without lists of related coverage: copies, and the rest of the story."""
