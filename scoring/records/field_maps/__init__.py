"""Field maps: which key of an archive holds what, their files, and which map a file is read by."""
