"""Who is at which record now."""

from __future__ import annotations

from scoring.service.desk.presence import Presence, PresenceList


def test_pages_are_at_their_last_record_as_long_as_they_follow_the_inbox() -> None:
    pages = PresenceList()
    anna, bob = Presence("1", "a.md", "Anna"), Presence("2", "b.md", "Bob")
    assert not pages.update(anna)  # it does not follow
    pages.join("1")
    pages.join("2")
    assert pages.present() == []
    assert pages.update(anna)
    assert not pages.update(anna)
    assert pages.update(bob)
    assert pages.update(Presence("1", "c.md", "Anna"))
    assert [page.path for page in pages.present()] == ["c.md", "b.md"]
    assert pages.update(Presence("2"))  # at none
    assert pages.leave("1")
    assert not pages.leave("2")
    assert pages.present() == []


def test_a_page_that_connects_again_stays_until_its_last_stream_ends() -> None:
    pages = PresenceList()
    anna = Presence("1", "a.md", "Anna")
    pages.join("1")
    assert pages.update(anna)
    pages.join("1")
    assert not pages.leave("1")
    assert pages.present() == [anna]
    assert pages.leave("1")
    assert pages.present() == []
