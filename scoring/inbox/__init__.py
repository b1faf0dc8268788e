"""The inbox of a folder of records: rows, decisions and previews, which the desk and watch share."""
