"""Bodies of the desk's requests and answers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from scoring.explanation.policy import SectionPolicyText
from scoring.inbox.decision_actions import Outcome, Target
from scoring.inbox.decision_history import DecisionState
from scoring.inbox.decision_log import Decided, Id, Name
from scoring.inbox.preview import UploadedFile
from scoring.inbox.rows import Row
from scoring.records.record import Labels
from scoring.service.desk.training_state import TrainingState


class PreviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files dropped onto the page, to be scored but not saved."""

    files: list[UploadedFile]


class SearchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts to search for in excerpts and bodies."""

    terms: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=20)]


class RuleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record of the inbox, and the labels that are fixed."""

    path: str
    labels: Labels


class DecidedRecord(Decided, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision of one record, and the record's last step as the page knows it."""

    path: str
    base: str = ""


class DecideRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decisions that are not saved yet, the id of the action, and who decides."""

    id: Id
    decisions: list[DecidedRecord]
    by: str = ""
    client: str = ""


class ChangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Records whose decisions are to be saved or undone, the id of the action, and who does it."""

    id: Id
    targets: list[Target]
    by: str = ""
    client: str = ""


class TrainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who starts a training."""

    by: Name = ""
    client: Name = ""


class CancelRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The training to cancel."""

    id: Id


class LearningState(msgspec.Struct, frozen=True):
    """The service's model, the archive of a training, the latest one, and why that cannot be read."""

    model: str
    archive: tuple[str, ...]
    job: TrainingState | None
    fault: str


class Outcomes(msgspec.Struct, frozen=True):
    """Results of an action in the order of its records, and what their decisions and changed rows are now."""

    results: list[Outcome]
    states: list[DecisionState]
    rows: list[Row]


class ModelPolicy(msgspec.Struct, frozen=True):
    """The policies of a model in words; empty if it was trained before models had rules."""

    model: str
    policies: list[SectionPolicyText]
