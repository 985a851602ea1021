"""Debian's Mosquitto as docs/mqtt.md sets it up, and the certificates of its site."""

import datetime
import ipaddress
import shutil
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.e2e.processes import Process

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority of the site's own, and what it issues, as PEM files."""

    def __init__(self, directory: Path, name: str = "site CA") -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            self._begin(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = directory / "ca.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, is_server: bool = False) -> tuple[Path, Path]:
        """Return the files of a certificate and its key; the name is the login at the broker."""
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._begin(subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        cert_file, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_file, key_file

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey):
        now = datetime.datetime.now(datetime.UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(identifier, critical=False)
        )


def usage(**used: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def documented(heading: str) -> str:
    """Return the block of docs/mqtt.md after a line: what is tested is what is read."""
    text = (Path(__file__).parents[2] / "docs/mqtt.md").read_text()
    block = text[text.index(heading) :].split("```")[1]
    return block.partition("\n")[2]


class Mosquitto:
    """One broker on a port of loopback; it keeps nothing on disk."""

    def __init__(self, directory: Path, port: int, authority: Authority | None) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self.config = directory / "mosquitto.conf"
        if authority is None:
            self.config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        else:
            server = authority.issue("broker", is_server=True)
            (directory / "acl").write_text(documented("`/etc/mosquitto/sekisho.acl`"))
            text = documented("`/etc/mosquitto/conf.d/sekisho.conf`")
            for given, ours in (
                ("8883 192.168.50.9", f"{port} 127.0.0.1"),
                ("/etc/mosquitto/certs/ca.pem", str(authority.file)),
                ("/etc/mosquitto/certs/broker.pem", str(server[0])),
                ("/etc/mosquitto/certs/broker.key", str(server[1])),
                ("/etc/mosquitto/sekisho.acl", str(directory / "acl")),
            ):
                assert given in text, given
                text = text.replace(given, ours)
            self.config.write_text("user root\n" + text)
        self.process: Process | None = None

    def start(self) -> None:
        self.process = Process("mosquitto", [MOSQUITTO, "-c", self.config], self._directory)
        self.process.expect("running", 20)
