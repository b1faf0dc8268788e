"""The champion that a new model has to beat: the registry's, or the last known one."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.deployment.champion_copy import copy_folder, find_copy
from scoring.deployment.loaded_model import LoadedModel, keep_champion, load_last_known
from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError, TrackingError
from scoring.progress import Reporter
from scoring.settings import Settings
from scoring.tracking import Store, champion


@dataclass(frozen=True, slots=True)
class StandingChampion:
    """A registered model's champion.

    Parameters
    ----------
    name : str
        Registered model.
    address : str
        The version, ``models:/NAME/3``.
    registered : str or None
        Version that has the alias now; None if none has, and ``address`` is the last known champion.
    sha256 : str or None
        Hex digest of the last known champion; None if the registry has a champion.
    """

    name: str
    address: str
    registered: str | None
    sha256: str | None = None

    def load(self, settings: Settings, reporter: Reporter) -> LoadedModel:
        """Load the champion, or its local copy, with a warning, if the registry's files cannot be used.

        Raises
        ------
        ScoringError
            If neither can be used.
        """
        failure: ModelError | TrackingError
        if self.registered is None:
            failure = ModelError(f"{self.address}: the local copy of the last known champion is missing")
        else:
            try:
                loaded = resolve(self.address, settings, reporter=reporter)
            except (ModelError, TrackingError) as error:
                failure = error
            else:
                if warning := keep_champion(settings, self.name, loaded):
                    reporter.warn(warning)
                return loaded
        copy = load_last_known(settings, self.name, str(failure))
        if copy is None or copy.resolved.address != self.address:
            raise failure
        if self.registered is not None and copy.resolved.warning is not None:
            reporter.warn(copy.resolved.warning)
        return copy


def find_standing_champion(
    store: Store, name: str, settings: Settings, reporter: Reporter
) -> StandingChampion | None:
    """Find the champion that a new model has to beat; None if there was never one.

    Parameters
    ----------
    store : Store
        The registry.
    name : str
        Registered model.
    settings : Settings
        Home and store.
    reporter : Reporter
        Receives a warning if the registry has lost its champion.

    Raises
    ------
    TrackingError
        If the store cannot be read, or does not exist although this home has a copy of its champion: writing
        would create a new, empty store in its place.
    ModelError
        If there is no champion, and the copy of the last known one is damaged.
    """
    registered = champion(store, name)
    if registered is not None:
        return StandingChampion(name, registered, registered)
    copy = find_copy(settings, name)
    if copy is None:
        return None
    facts = copy.facts
    if store.database is not None and not store.database.exists():
        raise TrackingError(
            f"no store at {store}, which had {facts.address} as its champion: restore it, or remove "
            f"{copy_folder(settings, name)} to start a new store"
        )
    reporter.warn(
        f"no champion of {name} in {store}: a new model has to beat the last known one, {facts.model} "
        f"({facts.address})"
    )
    return StandingChampion(name, facts.address, None, facts.sha256)
