"""Credentials of a server that asks everybody who they are: valid ones, such as it must refuse, and a
certificate for it. Needs PyPI trustme."""
import json
import subprocess
import time

import trustme


def made(traillake, state, kind, *words):
    """A token or an access key (`kind` is the command's word for it) as the command tells of it."""
    done = subprocess.run([traillake, kind, "add", *words, "--state", state, "--format", "json"],
                          check=True, capture_output=True)
    return json.loads(done.stdout)


def issued(traillake, state, kind):
    """A token or an access key of `ana`; by what is wrong with them, those that are not valid."""
    secret = {"token": "token", "key": "secret"}[kind]
    valid, removed = made(traillake, state, kind, "ana"), made(traillake, state, kind, "ana")
    subprocess.run([traillake, kind, "remove", removed["id"], "--state", state], check=True,
                   capture_output=True)
    ended = made(traillake, state, kind, "ana", "--expires", "1s")
    time.sleep(1.1)
    last = valid[secret][-1]
    forged = {**valid, secret: valid[secret][:-1] + ("B" if last == "A" else "A")}
    unknown = {"id": "TLAK" + "A" * 16, secret: valid[secret].replace(valid["id"], "a" * 12)}
    return valid, {"forged": forged, "unknown": unknown, "removed": removed, "ended": ended}


def certificate(folder, authority):
    """Writes a certificate for this machine, and its key."""
    issued_for = authority.issue_cert("127.0.0.1", "localhost")
    issued_for.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(
        b"".join(blob.bytes() for blob in issued_for.cert_chain_pems))


def secured(folder):
    """An authority, the file that clients know it by, and the options of a server that it vouches
    for."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate(folder, authority)
    options = ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]
    return authority, str(folder / "ca.pem"), options
