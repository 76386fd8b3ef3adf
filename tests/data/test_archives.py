"""Unpacking archives that nobody vouches for."""

import io
import tarfile
import zipfile

import pytest

from pixelwise.data.archives import ArchiveLimits, open_root, unpack
from pixelwise.errors import DataError


def make_zip(path, entries, kind=0o100644):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = kind << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def make_tar(path, entries, mode="w", **fields):
    with tarfile.open(path, mode) as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for field, value in fields.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(content))
    return path


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("data.zip", make_zip),
        ("data.tar", make_tar),
        ("data.tar.gz", lambda path, entries: make_tar(path, entries, "w:gz")),
        ("data.tar.xz", lambda path, entries: make_tar(path, entries, "w:xz")),
    ],
)
def test_an_archive_as_root_opens_as_its_folder(tmp_path, name, make):
    archive = make(tmp_path / name, {"set/train.txt": b"list", "set/images/a.png": b"picture"})
    root = open_root(archive, tmp_path / "work")
    assert files_below(root) == ["set/images/a.png", "set/train.txt"]
    assert (root / "set" / "train.txt").read_bytes() == b"list"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\evil", "C:evil"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_member_that_leads_out_is_refused_and_named(tmp_path, make, name):
    archive = make(tmp_path / "data.archive", {"good": b"good", name: b"evil"})
    with pytest.raises(DataError, match="leads out of its folder"):
        unpack(archive, tmp_path / "in" / "out")
    assert files_below(tmp_path) == ["data.archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path, kind):
    archive = make_tar(tmp_path / "data.tar", {"door": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(DataError, match="'door' is a link or device"):
        unpack(archive, tmp_path / "out")


def test_links_of_a_zip_are_refused(tmp_path):
    archive = make_zip(tmp_path / "data.zip", {"door": b"/etc/passwd"}, kind=0o120777)
    with pytest.raises(DataError, match="'door' is a link or device"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "make"),
    [("bomb.zip", make_zip), ("bomb.tar.gz", lambda path, entries: make_tar(path, entries, "w:gz"))],
)
def test_a_bomb_is_refused_by_its_ratio_and_leaves_nothing(tmp_path, name, make):
    archive = make(tmp_path / name, {"zeros": bytes(2**20)})
    with pytest.raises(DataError, match="unpacks to over 200 times its size"):
        unpack(archive, tmp_path / "out", ArchiveLimits(ratio_from=2**16))
    assert files_below(tmp_path) == [name]


def test_more_bytes_or_members_than_allowed_are_refused(tmp_path):
    archive = make_zip(tmp_path / "data.zip", {f"file{number}": bytes(1000) for number in range(10)})
    for limits in (ArchiveLimits(total_bytes=5000), ArchiveLimits(members=5)):
        with pytest.raises(DataError, match="over"):
            unpack(archive, tmp_path / "out", limits)


@pytest.mark.parametrize(
    ("name", "make"),
    [("data.zip", make_zip), ("data.tar.gz", lambda path, entries: make_tar(path, entries, "w:gz"))],
)
def test_half_an_archive_is_one_line_and_leaves_nothing(tmp_path, name, make):
    archive = make(tmp_path / name, {f"file{number}": bytes(range(256)) * 40 for number in range(20)})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataError, match="expected a whole archive") as error:
        unpack(archive, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert files_below(tmp_path) == [name]


def test_a_root_that_is_neither_folder_nor_archive_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(DataError, match="no such folder or archive"):
        open_root(tmp_path / "nowhere", tmp_path)
    with pytest.raises(DataError, match="not a folder nor an archive"):
        open_root(tmp_path / "notes.txt", tmp_path)
    with pytest.raises(DataError, match="root: found none"):
        open_root(None, tmp_path)
