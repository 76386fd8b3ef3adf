# Serve an exported model over HTTP, with the wheel and its extra `serve`: no torch, no pipeline.
#
#   docker build --tag pixelwise .
#   docker run --rm --publish 8000:8000 --volume "$PWD/models/fcn:/model:ro" pixelwise
FROM python:3.12-slim-bookworm AS build
ARG UV_VERSION=0.13.9
# Whoever runs the image cannot write it, and would compile every module anew in each command.
ENV UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir "uv==$UV_VERSION"
WORKDIR /source
COPY LICENSE README.md pyproject.toml requirements.lock ./
COPY pixelwise pixelwise
RUN uv build --wheel --out-dir dist
# The versions that the tests ran with, and their hashes.
RUN uv venv /opt/pixelwise \
    && set -- dist/*.whl \
    && uv pip install --no-cache --python /opt/pixelwise --constraint requirements.lock "$1[serve]"

FROM python:3.12-slim-bookworm
COPY --from=build /opt/pixelwise /opt/pixelwise
ENV PATH=/opt/pixelwise/bin:$PATH
RUN useradd --uid 1000 --create-home pixelwise
USER 1000
WORKDIR /home/pixelwise
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["pixelwise"]
CMD ["serve", "/model", "--host", "0.0.0.0"]
