"""Mutated requests, by hypothesis with seed 7: each is refused in one line or labelled rightly, within 10 s."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from support.channel_model import channel_picture, write_channel_model
from support.http_server import encoded, service_of, serving

SEED, SECONDS = 7, 10
IMAGE, _ = channel_picture(0, (24, 40))
TURNED = Image.Exif()
TURNED[0x0112] = 6
CORPUS = [
    encoded(IMAGE),
    encoded(IMAGE, "JPEG", exif=TURNED),
    encoded(IMAGE, "JPEG", progressive=True),
    encoded(IMAGE, "WEBP"),
    encoded(IMAGE, "BMP"),
    encoded(IMAGE, "TIFF", compression="tiff_lzw"),
    encoded(IMAGE[..., 0]),
]
REFUSALS = {400, 413, 415, 422}
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)
BOUNDARY = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@st.composite
def mutated(draw):
    """A picture of the corpus with some bytes changed, cut out or put in."""
    content = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(content)))
        patch = draw(st.binary(max_size=9))
        content[place : place + draw(st.integers(0, 9))] = patch
    return bytes(content[: draw(st.integers(1, len(content)))]) if draw(st.booleans()) and content else bytes(content)


TYPES = st.one_of(
    st.none(),
    st.sampled_from(["image/png", "image/jpeg", "application/octet-stream", "multipart/form-data; boundary=x"]),
    PRINTABLE,
    # A header does not end in a space: httpx would refuse to send it.
    PRINTABLE.map(lambda text: f"multipart/form-data; {text}".strip()),
)
REQUESTS = st.fixed_dictionaries(
    {
        "content": st.one_of(mutated(), mutated().map(lambda file: BOUNDARY + file + b"\r\n--x--\r\n"), st.binary()),
        "kind": TYPES,
        "accept": st.one_of(st.sampled_from(["*/*", "application/json", "image/png"]), PRINTABLE),
        "query": st.dictionaries(
            st.one_of(st.sampled_from(["output", "counts"]), PRINTABLE),
            st.one_of(st.sampled_from(["labels", "overlay", "rle", "compressed"]), st.text(max_size=9)),
            max_size=3,
        ),
    }
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    model = write_channel_model(tmp_path_factory.mktemp("model") / "channels")
    with serving(service_of(model, max_pixels=1_000_000, max_mebibytes=0.1, wait_milliseconds=0)) as client:
        yield client


def expected_labels(content):
    """What the model says of a picture, without the service."""
    image = np.array(ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB"))
    return image.argmax(axis=2)


def ask(client, content, kind, accept, query):
    headers = {"Accept": accept} | ({"Content-Type": kind} if kind else {})
    response = client.post("/predict", content=content, params=query, headers=headers, timeout=SECONDS)
    if response.status_code != 200:
        assert response.status_code in REFUSALS, response.text
        assert "\n" not in response.json()["detail"]
    elif response.headers["content-type"] == "image/png" and query.get("output", "labels") == "labels":
        file = content.removeprefix(BOUNDARY).removesuffix(b"\r\n--x--\r\n")
        assert (np.array(Image.open(BytesIO(response.content))) == expected_labels(file)).all()


def fuzz(client, examples):
    answered = []

    @seed(SEED)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(REQUESTS)
    def tried(request):
        ask(client, **request)
        answered.append(request)

    tried()
    assert len(answered) >= examples
    assert client.get("/health").json()["ready"]


def test_sixty_mutated_requests_are_refused_or_labelled_rightly(client):
    fuzz(client, 60)


@pytest.mark.slow
def test_five_hundred_mutated_requests_are_refused_or_labelled_rightly(client):
    fuzz(client, 500)
