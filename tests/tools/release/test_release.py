"""What a release shows and finds: of today, of another day, and by a hash."""

from datetime import UTC, date, datetime, timedelta

import pytest
from support.releases import World, copied

from pixelwise.errors import ParamsError, RegistryError
from pixelwise.registry.ledger import append_once, list_champion_periods, read_ledger, share_entry
from pixelwise.tools import release
from pixelwise.tracking.store import connect


def lines_of(*changes):
    return [
        {
            "time": time,
            "act": act,
            "name": "fcn",
            "version": version,
            "previous": previous,
            "fingerprint": f"mark-{version}",
            "onnx_sha256": version * 64,
            "checks": [{"name": "mean IU", "passed": True, "found": f"0.{version}", "needed": ">= 0.5"}],
        }
        for time, act, version, previous in changes
    ]


@pytest.fixture
def history(tmp_path):
    """A ledger of three changes; on the day of the second, two versions were champion."""
    ledger = tmp_path / "promotions.jsonl"
    for line in lines_of(
        ("2026-03-01T10:00:00+00:00", "promotion", "1", None),
        ("2026-03-05T23:30:00+00:00", "promotion", "2", "1"),
        ("2026-03-07T01:30:00+02:00", "rollback", "1", "2"),
    ):
        append_once(ledger, line)
    return ledger


@pytest.mark.parametrize(
    ("on", "versions"),
    [
        ("2026-02-28", []),
        ("2026-03-01", ["1"]),
        ("2026-03-04", ["1"]),
        ("2026-03-05", ["1", "2"]),
        # 01:30 in a zone two hours ahead is still the day before, in UTC.
        ("2026-03-06", ["2", "1"]),
        ("2026-03-07", ["1"]),
        ("2026-04-30", ["1"]),
    ],
)
def test_the_ledger_says_what_was_in_production_on_any_day(history, on, versions):
    found = [
        period.entry["version"]
        for period in list_champion_periods(read_ledger(history), "fcn")
        if period.covers(date.fromisoformat(on))
    ]
    assert found == versions
    text = str(release.show((), on, history, "sqlite:///nowhere/mlflow.db"))
    assert [line.split()[4].strip(",") for line in text.splitlines() if ": version" in line] == versions
    if versions:
        assert f"  fingerprint mark-{versions[0]}\n  ONNX sha256 {versions[0] * 64}" in text
        assert f"  mean IU: 0.{versions[0]} (needed: >= 0.5)" in text
    else:
        assert text == f"fcn on {on}: nothing was in production"


def test_show_says_since_when_and_how_a_version_came_to_production(history):
    assert "version 2, 2026-03-05 23:30:00 to 2026-03-06 23:30:00 UTC, by promotion over version 1" in str(
        release.show((), "2026-03-06", history)
    )
    assert "version 1, 2026-03-06 23:30:00 to now UTC, by rollback from version 2" in str(
        release.show(["fcn"], "2026-03-07", history)
    )


def test_a_day_that_is_none_or_has_not_come_is_refused(history):
    with pytest.raises(ParamsError, match="--on: found 'March', expected a day such as"):
        release.show((), "March", history)
    with pytest.raises(ParamsError, match="expected a day that is not in the future"):
        release.show((), str((datetime.now(UTC) + timedelta(days=2)).date()), history)


def test_show_without_a_day_is_what_the_aliases_name_and_says_where_the_ledger_disagrees(released):
    text = released.show()
    assert text.startswith(
        "fcn:\n  champion: version 2\n  previous: version 1\n  challenger: version none\n  version 1, "
    )
    assert "DISAGREE" not in text
    connect(released.store).set_registered_model_alias("fcn", "champion", "1")
    assert released.show().endswith("DISAGREE: the registry's champion is version 1, the ledger's 2")
    with pytest.raises(RegistryError, match=r"clock: .* has no such model, expected one of: fcn"):
        released.show("clock")


def test_show_notices_another_graph_under_the_champions_number(released):
    entry = read_ledger(released.ledger)[-1] | {"onnx_sha256": "f" * 64}
    released.ledger.unlink()
    share_entry(connect(released.store), entry)
    assert f"in the registry, {'f' * 64} in the ledger" in released.show("fcn")


def test_a_change_made_in_one_checkout_is_shown_and_rolled_back_in_another(templates, tmp_path):
    first, second = copied(templates["rollback"], tmp_path), World(tmp_path)
    second.ledger = tmp_path / "other-checkout" / "promotions.jsonl"
    assert second.show() == first.show()
    assert "DISAGREE" not in second.show()
    today = str(datetime.now(UTC).date())
    assert second.show(on=today) == first.show(on=today)
    second.rollback()
    assert "by rollback from version 2" in first.show()
    assert (entry := read_ledger(second.ledger)[0])["checks"] == read_ledger(first.ledger)[0]["checks"] != []
    assert entry["act"] == "rollback"


def test_an_entry_of_before_that_only_one_checkout_has_is_shown_as_such(released):
    (line,) = lines_of(("2026-03-01T10:00:00+00:00", "promotion", "1", None))
    append_once(released.ledger, line)
    shown = released.show("fcn").splitlines()
    assert shown[4].endswith("by promotion, the first, by the ledger of this checkout alone")
    assert shown[5].endswith("by promotion, the first")


def test_a_day_is_shown_without_the_registry_with_a_word_about_it(history, capsys):
    release.show((), "2026-03-04", history, "sqlite:///nowhere/mlflow.db")
    assert "no such store, expected one that training or registering made; this is from the ledger of this" in (
        capsys.readouterr().err
    )


def test_find_leads_back_from_what_a_model_was_made_of(released):
    client = connect(released.store)
    onnx = client.get_model_version("fcn", "2").tags["onnx_sha256"]
    assert str(release.find(["mark-2"], released.store)) == "models:/fcn/2: fingerprint mark-2"
    assert str(release.find([onnx[:12]], released.store)).splitlines() == [
        f"models:/fcn/2: onnx_sha256 {onnx}",
        f"models:/fcn/2: onnx/model.onnx {onnx}",
    ]
    with pytest.raises(RegistryError, match="found no version with 0000000"):
        release.find(["0000000"], released.store)


def test_the_command_takes_an_act_and_its_options(released, capsys):
    release.main(["show", "fcn", "--ledger", str(released.ledger), "--tracking", released.store])
    assert capsys.readouterr().out.startswith("fcn:\n  champion: version 2")
    with pytest.raises(SystemExit) as end:
        release.main(["rollback", "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("usage: pixelwise release rollback [-h]")
