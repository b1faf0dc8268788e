"""Results rendered as rich tables."""
