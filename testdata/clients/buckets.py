"""Starts and ends an S3 that is not ours: moto's. Needs PyPI boto3 and moto[server]."""
import socket
import subprocess
import sys
import time
import urllib.request

import boto3

KEY, SECRET, REGION = "example", "example", "us-east-1"


class Buckets:
    """An S3 with empty buckets: `environment` leads programs there, `client` is one of its own."""

    def __init__(self, *names):
        self.names = names

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        self.environment = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": KEY,
                            "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}
        self.client = boto3.client("s3", endpoint_url=url, region_name=REGION,
                                   aws_access_key_id=KEY, aws_secret_access_key=SECRET)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait(url)
            for name in self.names:
                self.client.create_bucket(Bucket=name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self, url):
        """Waits until it answers."""
        for _ in range(300):
            try:
                urllib.request.urlopen(url + "/moto-api/", timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("moto did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
