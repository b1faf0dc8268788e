"""The champion that a new model has to beat: the registry's, or the last that this home has known of it."""

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
        The version that has the alias now; None where none has, and ``address`` is the last known one.
    sha256 : str or None
        Digest of the last known one; None where the registry has a champion.
    """

    name: str
    address: str
    registered: str | None
    sha256: str | None = None

    def load(self, settings: Settings, reporter: Reporter) -> LoadedModel:
        """Load it; its copy, with a warning, where the registry's own files cannot be used.

        Raises
        ------
        ScoringError
            If neither can be used.
        """
        failure: ModelError | TrackingError
        if self.registered is None:
            failure = ModelError(f"{self.address}: the copy of the last known champion is gone")
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
    """The champion that a new model has to beat; None where there never was one.

    Parameters
    ----------
    store : Store
        The registry.
    name : str
        Registered model.
    settings : Settings
        Home and store.
    reporter : Reporter
        Who hears that the registry has no champion any more.

    Raises
    ------
    TrackingError
        If the store cannot be read, or is away though this home has known its champion: whoever is to write
        to it would begin another one in its place.
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
