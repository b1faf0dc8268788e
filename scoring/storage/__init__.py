"""Atomic replacement of files and folders, locks between processes, and the home folder."""
