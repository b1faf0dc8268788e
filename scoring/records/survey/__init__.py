"""A look at an archive whose keys nobody has named yet, and a field map guessed from it."""
