"""A minimal S3 that throws away what it gets: what the S3 benchmark uploads to.

It answers the calls of an upload and reads bodies into one buffer, as fast as it can or at so many bytes a
second. It keeps which uploads were begun, and the sizes and checksums of their parts; it checks no signature
and no checksum, so that the client is what is measured.
"""

import socket
import sys
import threading
import time

BUFFER = 1024 * 1024
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
ENDED = b"<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>"
UPLOAD = (
    b"<Upload><Key>%s</Key><UploadId>u</UploadId><Initiated>2026-11-22T00:00:00.000Z</Initiated>"
    b"<ChecksumAlgorithm>CRC32</ChecksumAlgorithm></Upload>"
)
PART = (
    b"<Part><PartNumber>%s</PartNumber><Size>%d</Size><ETag>&quot;e&quot;</ETag>"
    b"<ChecksumCRC32>%s</ChecksumCRC32></Part>"
)
ETAG = b'"00000000000000000000000000000000"'

Parts = dict[bytes, tuple[int, bytes]]
begun: dict[bytes, Parts] = {}  # by path, which begins with the bucket


class Line:
    """What all connections share: so many bytes a second; 0: no limit."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free = 0.0
        self._lock = threading.Lock()

    def carry(self, size: int) -> None:
        """Wait as long as so many bytes take."""
        if self._rate:
            with self._lock:
                self._free = max(self._free, time.monotonic()) + size / self._rate
                wait = self._free - time.monotonic()
            time.sleep(max(0.0, wait))


def main(port: int, rate: int = 0) -> None:
    """Serve until killed."""
    line = Line(rate)
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, line), daemon=True).start()


def _serve(connection: socket.socket, line: Line) -> None:
    buffer = bytearray(BUFFER)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while head := _head(connection):
            request, body = head
            lines = request.split(b"\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (each.partition(b":") for each in lines[1:])}
            if headers.get(b"expect"):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            left = int(headers.get(b"content-length", 0)) - len(body)
            while left > 0:
                got = connection.recv_into(buffer, min(BUFFER, left))
                if not got:
                    return
                left -= got
                line.carry(got)
            connection.sendall(_answer(*lines[0].split(b" ")[:2], headers))


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


def _answer(method: bytes, address: bytes, headers: dict[bytes, bytes]) -> bytes:
    path, _, query = address.partition(b"?")
    body = b""
    if method == b"POST":
        body = BEGUN if query == b"uploads" else ENDED
        begun.pop(path, None)
        if query == b"uploads":
            begun[path] = {}
    elif method == b"PUT" and path in begun:
        number = query.partition(b"partNumber=")[2].partition(b"&")[0]
        crc32 = headers.get(b"x-amz-checksum-crc32", b"")
        begun[path][number] = (int(headers[b"content-length"]), crc32)
    elif method == b"GET":
        body = _listed(path)
    etag = b"ETag: " + ETAG + b"\r\n" if method == b"PUT" else b""
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (etag, len(body), body)


def _listed(path: bytes) -> bytes:
    """The parts of an upload, or the uploads of a bucket."""
    if path in begun:
        parts = (PART % (number, *about) for number, about in begun[path].items())
        return b"<ListPartsResult>%s</ListPartsResult>" % b"".join(parts)
    uploads = (UPLOAD % key.removeprefix(path + b"/") for key in begun)
    return b"<ListMultipartUploadsResult>%s</ListMultipartUploadsResult>" % b"".join(uploads)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
