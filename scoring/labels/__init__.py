"""Who gave each label: the journal of what scoring wrote, and the rules of what a write may change."""
