"""Starts and ends a server for the tests of clients."""
import subprocess
import threading


class Server:
    """`traillake serve` on a lake, on a port of its own; unless told otherwise it asks nobody who
    they are."""

    def __init__(self, traillake, lake, state, options=("--no-auth",)):
        self.command = [traillake, "--lake", lake, "serve",
                        "--listen", "127.0.0.1:0", "--state", state, *options]

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
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
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
