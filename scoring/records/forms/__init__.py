"""The forms of front matter, YAML, TOML and JSON: a text read into values that know their lines."""
