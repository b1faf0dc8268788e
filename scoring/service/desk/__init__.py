"""The desk: the curators' page, and its routes."""
