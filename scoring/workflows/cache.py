"""Open the home's feature cache."""

from __future__ import annotations

from datetime import UTC, datetime

from scoring.features.cache import FeatureCache
from scoring.settings import Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_cache(settings: Settings, now: datetime) -> FeatureCache:
    """Open the feature cache at a time (aware UTC); the file is created at the first write.

    Raises
    ------
    HomeError
        If the cache has a newer format.
    """
    file = settings.home / "cache" / "features.db"
    cache = FeatureCache(file, settings.cache_mb * 10**6, (now - _EPOCH).days, home=settings.home)
    cache.check()
    return cache
