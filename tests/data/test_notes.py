"""What a reader decided by itself."""

from pixelwise.data.notes import Notes


def test_a_note_counts_what_it_concerns_and_shows_the_first():
    notes = Notes()
    assert notes.lines() == []
    notes.add("no split: a tenth of the pictures became val")
    for name in ("d", "b", "c", "a"):
        notes.add("files passed over", name)
    assert notes.lines() == ["4 files passed over: a, b, c, …", "no split: a tenth of the pictures became val"]
