import hashlib

from pixelwise.identity import compute_fingerprint, sha256_file, sha256_json


def test_the_fingerprint_changes_with_each_part_and_not_with_their_order():
    parts = {"parameters": {"rate": 0.1, "sizes": [1, 2]}, "data": "a", "code": "b", "environment": "c"}
    mark = compute_fingerprint(parts)
    assert len(mark) == 64
    assert compute_fingerprint(dict(reversed(parts.items()))) == mark
    changed = [parts | {name: "other"} for name in parts]
    changed += [parts | {"upstream": "d"}, parts | {"parameters": {"rate": 0.1, "sizes": [2, 1]}}, {"data": "a"}]
    marks = {compute_fingerprint(each) for each in changed}
    assert len(marks) == len(changed)
    assert mark not in marks


def test_a_files_digest_is_that_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(content)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_equal_values_have_equal_digests():
    assert sha256_json({"b": 1, "a": (1, 2)}) == sha256_json({"a": [1, 2], "b": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": "1"})
