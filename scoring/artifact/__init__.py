"""Saved models: a folder or zip file that is validated before anything in it is used."""
