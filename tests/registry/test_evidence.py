"""The evidence of a version, as the release gate reads it."""

import shutil

from support.bright_model import write, write_model

from pixelwise.registry.evidence import list_evidence_files, read_evidence


def test_the_latency_is_that_of_the_engine_that_is_served_or_of_onnx_runtime_in_earlier_benchmarks(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    for file in list_evidence_files(**write_model(tmp_path)):
        shutil.copy(file, folder)
    assert read_evidence(folder).milliseconds == 12.0
    write(folder / "benchmark.json", {"onnx_median_milliseconds": 12.0, "served_median_milliseconds": 7.0})
    assert read_evidence(folder).milliseconds == 7.0
