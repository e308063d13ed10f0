"""Starts and ends a server for the tests of clients, on the lake of the demo's trail."""
import gzip
import json
import os
import pathlib
import subprocess
import tarfile
import threading

TRAIL = pathlib.Path(__file__).resolve().parents[1] / "demo" / "trail.tar.gz"
# A statement that goes on for longer than any test waits.
ENDLESS = """SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a (x),
    UNNEST(sequence(1, 10000)) AS b (y), UNNEST(sequence(1, 10000)) AS c (z)
    WHERE x * y % 10007 = z"""


def bring_in(traillake, lake, source=TRAIL):
    """Brings logs into a lake; those of the demo when none are named."""
    subprocess.run([traillake, "--quiet", "--lake", lake, "ingest", source], check=True,
                   stdout=subprocess.DEVNULL)


def read_trail():
    """The events of the trail, each once, and its Insights events."""
    found = {}
    with tarfile.open(TRAIL) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".gz"):
                log = json.loads(gzip.decompress(archive.extractfile(member).read()))
                for event in log.get("Records", []):
                    found[event["eventID"], event["recipientAccountId"]] = event
    insights = [event for event in found.values() if event.get("eventCategory") == "Insight"]
    return [event for event in found.values() if event not in insights], insights


class Server:
    """`traillake serve` on a lake, on a port of its own; unless told otherwise it asks nobody who
    they are. `environment` is what it finds there beside ours."""

    def __init__(self, traillake, lake, state, options=("--no-auth",), environment=None):
        self.command = [traillake, "--lake", lake, "serve",
                        "--listen", "127.0.0.1:0", "--state", state, *options]
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def start(self):
        """Starts it; from then on `url` is where it listens."""
        self.process = subprocess.Popen(self.command, env=self.environment,
                                        stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "listening on http" in line:
                self.url = line.split("listening on ")[1].strip()
                break
        else:
            raise RuntimeError("the server did not start: " + "".join(said))
        # What it says later must not fill the pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def kill(self):
        """Ends it as a power loss would."""
        self.process.kill()
        self.process.wait()
