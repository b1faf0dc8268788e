"""Inbox of a folder of records: rows, decisions and previews, shared by the desk and watch."""
