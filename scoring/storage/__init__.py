"""Files and folders that change in one step, locks between processes, and the home."""
