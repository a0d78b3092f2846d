"""A minimal S3 that throws away what it gets: what the S3 benchmark uploads to.

It answers the calls of an upload, reads bodies into one buffer, and counts bytes. It keeps nothing, checks no
signature and no checksum, so that the client is what is measured.
"""

import socket
import sys
import threading

BUFFER = 1024 * 1024
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
ENDED = b"<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>"
LISTED = b"<ListMultipartUploadsResult></ListMultipartUploadsResult>"
ETAG = b'"00000000000000000000000000000000"'


def main(port: int) -> None:
    """Serve until killed."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    buffer = bytearray(BUFFER)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while head := _head(connection):
            request, body = head
            lines = request.split(b"\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
            if headers.get(b"expect"):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            left = int(headers.get(b"content-length", 0)) - len(body)
            while left > 0:
                got = connection.recv_into(buffer, min(BUFFER, left))
                if not got:
                    return
                left -= got
            connection.sendall(_answer(*lines[0].split(b" ")[:2]))


def _head(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """The next request's head and what of its body came with it; None at the end."""
    got = b""
    while b"\r\n\r\n" not in got:
        block = connection.recv(65536)
        if not block:
            return None
        got += block
    head, _, body = got.partition(b"\r\n\r\n")
    return head, body


def _answer(method: bytes, path: bytes) -> bytes:
    body = b""
    if method == b"POST":
        body = BEGUN if path.endswith(b"uploads") else ENDED
    elif method == b"GET":
        body = LISTED
    etag = b"ETag: " + ETAG + b"\r\n" if method == b"PUT" else b""
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (etag, len(body), body)


if __name__ == "__main__":
    main(int(sys.argv[1]))
