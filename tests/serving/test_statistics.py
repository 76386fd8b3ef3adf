"""What the server notes of its answers: in /metrics, and in the file that `pixelwise watch` reads."""

import threading

import numpy as np
import onnx
import pytest
from support.channel_model import NAMES, channel_picture, write_channel_model
from support.http_server import encoded, service_of, serving, wait_until

from pixelwise.errors import ModelError, ParamsError
from pixelwise.serving import rolling_file
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.models import open_file
from pixelwise.serving.rolling_file import RollingFile
from pixelwise.serving.service import Service
from pixelwise.serving.side_work import SideWork
from pixelwise.tools.serve import open_service
from pixelwise.watching.disagreement import sum_disagreement
from pixelwise.watching.rows import Compared, Seen, read_rows

IMAGE, LABEL = channel_picture(0, (24, 40))
PICTURE = encoded(IMAGE)


@pytest.fixture(scope="module")
def confident(tmp_path_factory):
    """The model of known labels, which gives confidence."""
    return write_channel_model(tmp_path_factory.mktemp("confident") / "channels", confidence=True)


@pytest.fixture(scope="module")
def challenger(tmp_path_factory):
    """A model of the same classes that takes red for green and green for red."""
    folder = write_channel_model(tmp_path_factory.mktemp("challenger") / "swapped", fingerprint="e" * 64)
    graph = onnx.load(folder / "onnx/model.onnx")
    cast = graph.graph.node[-1]
    cast.input[0] = "swapped"
    graph.graph.node.insert(2, onnx.helper.make_node("Gather", ["table", "index"], ["swapped"]))
    graph.graph.initializer.append(onnx.helper.make_tensor("table", onnx.TensorProto.INT64, [3], [1, 0, 2]))
    onnx.save(graph, folder / "onnx/model.onnx")
    return folder


def read_metric(text, name):
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.rpartition(" ")[2])


def test_every_answer_is_described_in_the_file_and_in_the_metrics_and_no_picture_is_kept(confident, tmp_path):
    file = tmp_path / "statistics" / "seen.jsonl"
    with serving(service_of(confident, statistics=file)) as client:
        for _ in range(33):
            assert client.post("/predict", content=PICTURE).status_code == 200
            text = client.get("/metrics").text
        wait_until(lambda: read_metric(client.get("/metrics").text, "pixelwise_brightness_count") == 33)
        text = client.get("/metrics").text
        sha256 = client.get("/health").json()["model"]["sha256"]
    rows = read_rows([file])
    assert {(row.model, row.height, row.width) for row in rows} == {(sha256, 24, 40)}
    assert rows[0].shares == pytest.approx([(k == LABEL).mean() for k in range(3)], abs=1e-6)
    # The confidence is computed for one picture of 32.
    assert [row.confidence is not None for row in rows] == [True] + [False] * 31 + [True]
    assert read_metric(text, "pixelwise_confidence_count") == 2
    for k, name in enumerate(NAMES):
        pixels = read_metric(text, f'pixelwise_labelled_pixels_total{{class="{name}"}}')
        assert pixels == pytest.approx(33 * (k == LABEL).sum(), abs=0.1)
    assert file.stat().st_size < 33 * 400


def test_a_restarted_server_continues_the_file_and_keeps_the_newest_lines_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(rolling_file, "MOST_LINES", 4)
    file = tmp_path / "seen.jsonl"
    for start in (0, 3):
        rolling = RollingFile(file)
        for number in range(start, start + 3):
            rolling.add(str(number))
        rolling.save()
    assert file.read_text() == "2\n3\n4\n5\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_ends_the_start(model, tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(OSError, match="folder"):
        service_of(model, statistics=tmp_path / "folder" / "seen.jsonl")


def test_side_work_drops_what_finds_its_queue_full_and_survives_a_failure(capfd):
    dropped, done = [], []

    def work(item):
        done.append(item)
        if item == "bad":
            raise OSError("disk full")

    side = SideWork("statistics", work, 2, lambda: dropped.append(1))
    for item in ("bad", "good", "late"):
        side.offer(item)
    side.start()
    side.stop()
    assert (done, len(dropped)) == (["bad", "good"], 1)
    assert "serve: statistics: disk full" in capfd.readouterr().err


def test_a_shadow_compares_every_answer_of_the_champion_and_changes_none(model, challenger, tmp_path):
    params = ServeParams(device="cpu", statistics=tmp_path / "seen.jsonl")
    service = open_service(params, str(model), None, shadow=str(challenger))
    with serving(service) as client:
        answers = [client.post("/predict?output=rle", content=PICTURE).json() for _ in range(3)]
        compared = 'pixelwise_shadow_pictures_total{outcome="compared"}'
        wait_until(lambda: read_metric(client.get("/metrics").text, compared) == 3)
        text = client.get("/metrics").text
    assert {answer["model"]["name"] for answer in answers} == {"channels"}
    rows = read_rows([tmp_path / "seen.jsonl"])
    assert [sum(isinstance(row, kind) for row in rows) for kind in (Seen, Compared)] == [3, 3]
    found = sum_disagreement([row for row in rows if isinstance(row, Compared)], NAMES)
    swapped = float((LABEL < 2).mean())
    assert found.share == pytest.approx(swapped)
    assert found.by_class == {"red": 1.0, "green": 1.0, "blue": 0.0}
    differing, all_pixels = (
        read_metric(text, f"pixelwise_shadow_{name}_total") for name in ("differing_pixels", "pixels")
    )
    assert differing / all_pixels == pytest.approx(swapped)


def test_a_challenger_that_hangs_slows_no_answer_and_what_it_misses_is_counted(model, challenger):
    service = Service(open_file(model, "cpu"), ServeParams(device="cpu"), shadow=open_file(challenger, "cpu"))
    go = threading.Event()
    service.shadow.side.work = lambda _: go.wait(20)
    with serving(service) as client:
        try:
            for _ in range(8):
                assert client.post("/predict", content=PICTURE).status_code == 200
            # One in its hands, four in the queue.
            assert read_metric(client.get("/metrics").text, 'pixelwise_shadow_pictures_total{outcome="dropped"}') >= 3
        finally:
            go.set()


def test_a_share_of_the_pictures_is_answered_by_the_challenger_which_the_answer_names(model, challenger):
    service = open_service(ServeParams(device="cpu", share=0.5), str(model), None, shadow=str(challenger))
    with serving(service) as client:
        names = [client.post("/predict", content=PICTURE).headers["X-Pixelwise-Model"] for _ in range(40)]
    assert set(names) == {"channels", "swapped"}
    # Beyond these bounds once in a hundred million.
    assert 4 <= names.count("swapped") <= 36


def test_a_shadow_must_have_the_classes_of_the_champion_and_a_share_needs_one(model, tmp_path):
    other = write_channel_model(tmp_path / "other", ("sky", "road", "car"))
    with pytest.raises(ModelError, match="found classes sky, road, car, expected those of channels"):
        open_service(ServeParams(device="cpu"), str(model), None, shadow=str(other))
    with pytest.raises(ParamsError, match=r"share: found 0.1 and no --shadow"):
        open_service(ServeParams(device="cpu", share=0.1), str(model), None)


def test_labels_with_confidence_are_those_without(confident):
    served = open_file(confident, "cpu")
    prediction, _ = served.model.predict_with_confidence(IMAGE[None])
    assert (prediction == served.model.predict(IMAGE[None])).all()
    assert (prediction[0] == np.array(LABEL)).all()
