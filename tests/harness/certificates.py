"""Certificates made on the spot by openssl: an authority of our own, and what it has signed."""

import ssl
import subprocess


class Authority:
    """A certificate authority in a folder; `root` is the file that others may trust."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "root.pem"
        self._key = folder / "root.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=Ringbolt test authority", "-keyout", self._key, "-out", self.root)  # fmt: skip

    def sign(self, name, *, address=None, days=2):
        """Certificate and key files for a host name, and for an address if given."""
        certificate, key, request = (self.folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        names = f"DNS:{name}" + (f",IP:{address}" if address else "")
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", key, "-out", request)  # fmt: skip
        _openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self._key, "-CAcreateserial",
                 "-days", str(days), "-extfile", extensions, "-out", certificate)  # fmt: skip
        return certificate, key

    def context(self, name, **options):
        """What a receiver needs to answer as `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(name, **options))
        return context


def self_signed(folder, name, *, authority):
    """Certificate and key files of a receiver on 127.0.0.1 that has signed for itself, calling itself an authority or not."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90", "-subj", f"/CN={name}",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", f"basicConstraints=critical,CA:{str(authority).upper()}",
             "-keyout", key, "-out", certificate)  # fmt: skip
    return certificate, key


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
