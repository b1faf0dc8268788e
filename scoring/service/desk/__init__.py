"""The curators' page and the routes that only it calls."""
