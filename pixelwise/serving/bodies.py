"""Read the body of a request: a picture, or the fields of a form. Nothing is written to disk."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from pixelwise.serving.limits import RefusalError

# How a form starts (RFC 2046); no picture starts so. Its boundary has at most 70 characters.
FORM_START = b"--"
LONGEST_BOUNDARY = 70
MOST_FIELDS = 8
# The request body in the API's description.
PICTURE = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@dataclass(frozen=True)
class Part:
    """One field of a form. name: of the file; None for a text."""

    field: str
    name: str | None
    content: bytes


class Body:
    """The body of a request, at most `max_bytes` of it. is_awaited: whether it is on its way."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self.request, self.max_bytes = request, max_bytes
        self.is_awaited = False

    async def read(self) -> bytes:
        """Read all of it. Raises RefusalError: 413 if it is larger, 415 if it is compressed, 400 if it ends early."""
        if (encoding := self.request.headers.get("content-encoding", "identity").lower()) != "identity":
            raise RefusalError(415, f"content encoding {encoding}: expected none")
        too_large = RefusalError(413, f"body: more than {self.max_bytes:,} bytes")
        if int(self.request.headers.get("content-length", 0)) > self.max_bytes:
            raise too_large
        body = bytearray()
        self.is_awaited = True
        try:
            async for chunk in self.request.stream():
                body += chunk
                if len(body) > self.max_bytes:
                    raise too_large
        except ClientDisconnect:
            raise RefusalError(400, "body: ended early") from None
        self.is_awaited = False
        return bytes(body)

    async def read_picture(self) -> bytes:
        """The encoded picture: the body, or the file of a form.

        The content decides which, since clients such as curl send pictures as forms and under other types. Raises
        RefusalError as `read`, and 422 if there is none.
        """
        content = await self.read()
        if content.startswith(FORM_START):
            parts = await read_form(content, most_files=1)
            files = [part.content for part in parts if part.name is not None]
            if not files:
                raise RefusalError(422, "form: found no file in it, expected one, as in curl -F file=@picture.jpg")
            content = files[0]
        if not content:
            raise RefusalError(422, "body: empty, expected a picture")
        return content


async def read_form(body: bytes, most_files: int) -> list[Part]:
    """The fields of a form, in order. Its first line is the boundary between them. Raises RefusalError 422."""

    async def parts() -> AsyncGenerator[bytes, None]:
        yield body

    boundary = body[len(FORM_START) : body.find(b"\r\n")].decode("latin-1")
    if not body.startswith(FORM_START) or not boundary or len(boundary) > LONGEST_BOUNDARY:
        raise RefusalError(422, "form: found no boundary in its first line")
    headers = Headers({"content-type": f'multipart/form-data; boundary="{boundary}"'})
    parser = MultiPartParser(headers, parts(), max_files=most_files, max_fields=MOST_FIELDS)
    # The body is bounded and in memory.
    parser.spool_max_size = len(body) + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusalError(422, f"form: {error.message}") from None
    try:
        return [
            Part(field, value.filename or "", await value.read())
            if isinstance(value, UploadFile)
            else Part(field, None, value.encode())
            for field, value in form.multi_items()
        ]
    finally:
        await form.close()
