"""Prediction: rubric, boosters, conformal intervals, cascade; nothing here is fitted."""
