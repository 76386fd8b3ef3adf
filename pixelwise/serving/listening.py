"""The address that a server listens on."""

import socket
from ipaddress import ip_address

from pixelwise.errors import ParamsError


def listen(host: str, port: int) -> socket.socket:
    """A socket on `host` and `port`, so that a taken port is known before a model is opened. Raises ParamsError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ParamsError(f"{host}:{port}: {(error.strerror or str(error)).lower()}, expected another --port") from None


def find_url(listener: socket.socket) -> str:
    """Where a client finds the server."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
