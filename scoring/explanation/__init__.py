"""Explanation: feature attributions and counterfactuals."""
