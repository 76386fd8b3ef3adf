"""Releases after somebody deleted an alias, a version or the whole model by hand."""

import pytest

from pixelwise.errors import RegistryError
from pixelwise.tracking.store import connect


@pytest.mark.parametrize("deleted", ["alias", "version"])
def test_a_rollback_without_a_champion_goes_to_the_previous_version(released, deleted):
    delete(released, deleted, "2")
    assert released.rollback() == "fcn: version 1 is the champion again instead of version 2"
    assert released.aliases() == {"champion": "1"}
    assert "DISAGREE" not in released.show("fcn")


@pytest.mark.parametrize("deleted", ["alias", "version"])
def test_a_rollback_without_a_previous_version_goes_to_the_last_of_the_ledger_that_is_there(released, deleted):
    released.register(0.95, threshold=3)
    released.promote()
    delete(released, deleted, "2", alias="previous")
    assert (
        released.rollback()
        == f"fcn: version {2 if deleted == 'alias' else 1} is the champion again instead of version 3"
    )
    assert client_tags(released, "3")["rolled_back"]
    with pytest.raises(RegistryError, match="found no previous version to roll back to"):
        released.rollback()


def test_a_promotion_after_the_champion_was_deleted_keeps_the_previous_version(released):
    delete(released, "version", "2")
    released.register(0.95, threshold=3)
    released.promote()
    assert released.aliases() == {"champion": "3", "previous": "1"}


def test_what_was_deleted_is_named_and_the_ledger_still_shown(released):
    delete(released, "version", "2")
    assert "DISAGREE: the registry's champion is version None, the ledger's 2, which was deleted" in released.show()
    connect(released.store).delete_registered_model("fcn")
    assert "version 2, 20" in released.show()
    with pytest.raises(RegistryError, match=r"there is no champion\. The ledger's last, version 2 of 20.* register"):
        released.rollback()
    released.ledger.unlink()
    assert released.show().endswith("mlflow.db: no model is registered")


def delete(world, what, version, alias="champion"):
    """Delete an alias of fcn, or a version with its aliases, by hand."""
    client = connect(world.store)
    if what == "alias":
        client.delete_registered_model_alias("fcn", alias)
    else:
        client.delete_model_version("fcn", version)


def client_tags(world, version):
    return connect(world.store).get_model_version("fcn", version).tags
