"""Certificates made by `openssl` for one test run: an authority, what it signs, and what only pretends to be signed."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """`certificate`: the path of a PEM file. Its key is beside it."""

    certificate: Path

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.certificate)

    @property
    def key_id(self) -> str:
        shown = _openssl("x509", "-in", self.certificate, "-noout", "-ext", "subjectKeyIdentifier")
        return shown.splitlines()[-1].strip()

    def server(self, name: str, *, shows: Authority | None = None) -> ssl.SSLContext:
        """A server's certificate for the host `name`; its chain shows this authority, or another one."""
        folder = self.certificate.parent
        stem = folder / f"{self.certificate.stem}-{name.replace('.', '-')}-{'other' if shows else 'own'}"
        key, request, leaf = (stem.with_suffix(suffix) for suffix in (".key", ".csr", ".pem"))
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName=DNS:{name}\nauthorityKeyIdentifier=keyid")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        _openssl(
            "x509", "-req", "-days", "2", "-in", request, "-CA", self.certificate,
            "-CAkey", self.certificate.with_suffix(".key"), "-CAcreateserial", "-extfile", extensions, "-out", leaf,
        )  # fmt: skip
        chain = stem.with_suffix(".chain")
        chain.write_text(leaf.read_text() + (shows or self).certificate.read_text())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        return context


def authority(folder: Path, stem: str, *, key_id: str = "hash") -> Authority:
    """A new authority; all have the same name. `key_id`: pretend to be the one with this id."""
    certificate = folder / f"{stem}.pem"
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests CA",
        "-addext", f"subjectKeyIdentifier={key_id}",
        "-keyout", certificate.with_suffix(".key"), "-out", certificate,
    )  # fmt: skip
    return Authority(certificate)


def fingerprint_of(certificate: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


def _openssl(*arguments: object) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout
