"""Which model is in use, and how one becomes the champion."""
