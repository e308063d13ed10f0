"""The trail of a soak: written object by object beside everything else, its truth known from a seed.

Event `n` is a function of the seed and `n` (its id is a hash of both), so that any of them can be made
again to hold the lake against. `requestParameters.n` says which it is: a lake that has each number from
0 once has lost and doubled nothing.
"""
import collections
import gzip
import hashlib
import json
import os
import random
import time

ACCOUNTS = ["111122223333", "222233334444", "333344445555", "444455556666", "555566667777"]
REGIONS = ["us-east-1", "us-east-1", "us-east-1", "eu-west-1", "ap-southeast-2"]
DAY = 86_400
BLOCK = 5_000  # events of one account, one after the other

ROLE = ('{"type":"AssumedRole","principalId":"AROASOAK%(who)04dEXAMPLE:i-0%(hex)s","arn":"arn:aws:sts::%(account)s:assumed-role/app-%(who)d/i-0%(hex)s",'
        '"accountId":"%(account)s","accessKeyId":"ASIASOAK%(who)04dEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role",'
        '"principalId":"AROASOAK%(who)04dEXAMPLE","arn":"arn:aws:iam::%(account)s:role/app-%(who)d","accountId":"%(account)s",'
        '"userName":"app-%(who)d"},"attributes":{"creationDate":"%(day)sT00:00:00Z","mfaAuthenticated":"false"}}}')
USER = ('{"type":"IAMUser","principalId":"AIDASOAK%(who)04dEXAMPLE","arn":"arn:aws:iam::%(account)s:user/person-%(who)d",'
        '"accountId":"%(account)s","accessKeyId":"AKIASOAK%(who)04dEXAMPLE","userName":"person-%(who)d"}')
SERVICE = '{"type":"AWSService","invokedBy":"autoscaling.amazonaws.com"}'
TLS = '"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"%s"}'


def template(who, source, name, request, response, read_only, more, category="Management"):
    """A record with places for what differs from event to event."""
    return (
        '{"eventVersion":"1.11","userIdentity":' + who + ',"eventTime":"%(day)sT%(clock)sZ","eventSource":"' + source
        + '.amazonaws.com","eventName":"' + name + '","awsRegion":"%(region)s","sourceIPAddress":"10.%(a)d.%(b)d.%(c)d",'
        '"userAgent":"aws-sdk-go/1.54.15 (go1.22.5; linux; amd64) soak/%(who)d","requestParameters":{"n":%(n)d,' + request
        + '},"responseElements":' + response + ',"requestID":"%(request)s","eventID":"%(id)s","readOnly":' + read_only
        + ',"eventType":"AwsApiCall","managementEvent":' + ("true" if category == "Management" else "false")
        + ',"recipientAccountId":"%(account)s","eventCategory":"' + category + '"' + more + "}")


S3_MORE = (',"additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":0.0,"x-amz-id-2":"%(request)s=","bytesTransferredOut":%(c)d.0},'
           '"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::soak-%(who)d/part-%(n)d.parquet"},{"accountId":"%(account)s",'
           '"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::soak-%(who)d"}],' + TLS % "s3.amazonaws.com")
TEMPLATES = [
    template(ROLE, "s3", "GetObject", '"bucketName":"soak-%(who)d","key":"part-%(n)d.parquet"', "null", "true", S3_MORE, "Data"),
    template(ROLE, "s3", "PutObject", '"bucketName":"soak-%(who)d","key":"part-%(n)d.parquet"', '{"x-amz-version-id":"%(hex)s"}',
             "false", S3_MORE, "Data"),
    template(ROLE, "ec2", "DescribeInstances", '"instancesSet":{"items":[{"instanceId":"i-0%(hex)s"}]},"filterSet":{}', "null", "true",
             "," + TLS % "ec2.%(region)s.amazonaws.com"),
    template(ROLE, "kms", "Decrypt", '"encryptionContext":{"app":"caf\u00e9 %(who)d"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"', "null", "true",
             ',"resources":[{"accountId":"%(account)s","type":"AWS::KMS::Key","ARN":"arn:aws:kms:%(region)s:%(account)s:key/%(hex)s"}]'),
    template(SERVICE, "sts", "AssumeRole", '"roleArn":"arn:aws:iam::%(account)s:role/app-%(who)d","roleSessionName":"i-0%(hex)s"',
             '{"credentials":{"accessKeyId":"ASIASOAK%(who)04dEXAMPLE","sessionToken":"IQoJ%(request)s","expiration":"%(day)s"}}', "true",
             ',"sharedEventID":"%(request)s"'),
    template(USER, "iam", "CreateUser", '"userName":"made-by-%(who)d","tags":[{"key":"q","value":"a\\\\b \\"%(b)d\\""}]',
             '{"user":{"path":"/","userId":"AIDA%(hex)s","createDate":"%(day)s"}}', "false", "," + TLS % "iam.amazonaws.com"),
    template(USER, "iam", "ListUsers", '"maxItems":1000', "null", "true",
             ',"errorCode":"AccessDenied","errorMessage":"User: person-%(who)d is not authorized"'),
]

# Copies that are not equal: of every so manieth event one is told again with the same value spelled
# otherwise, of another one with another value. Nothing else is told of these again, so that the counts
# do not depend on which copy came first.
ALTERED_EVERY, RESPELLED, VARIANT = 997, 5, 6


class Trail:
    """The events of a seed, `events` in number, over `seconds` from `start` (seconds since 1970) on."""

    def __init__(self, seed, events, start, seconds):
        self.seed, self.events, self.start, self.seconds = seed, events, start, seconds
        self.days = {}

    def day(self, at):
        day = at // DAY
        text = self.days.get(day)
        if text is None:
            text = self.days[day] = time.strftime("%Y-%m-%d", time.gmtime(day * DAY))
        return text

    def delivered(self, n):
        """When event `n` is delivered."""
        return int(self.start + self.seconds * n / self.events)

    def digest(self, n, space=""):
        return hashlib.sha256(f"{self.seed}:{space}{n}".encode()).digest()

    def id(self, n):
        return uuid(self.digest(n))

    def record(self, n, space=""):
        """Event `n`: its bytes as text, and its day. One in a hundred is a month late or more."""
        draw = self.digest(n, space)
        at = self.delivered(n) - 60 - draw[16] * 3
        if (draw[17] << 8 | draw[18]) % 100 == 0:
            at -= (31 + draw[19] % 70) * DAY
        day, second = self.day(at), at % DAY
        text = TEMPLATES[draw[20] % len(TEMPLATES)] % {
            "n": n, "id": uuid(draw), "request": uuid(draw[8:24]), "hex": draw[21:29].hex(), "who": draw[29] % 200, "day": day,
            "clock": "%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60),
            "account": account(n), "region": REGIONS[draw[30] % 5], "a": draw[31], "b": draw[22], "c": draw[23]}
        return text, day

    def respelled(self, n):
        head = '"eventVersion":"1.11"'
        return "{" + self.record(n)[0][len(head) + 2:-1] + "," + head + "}"

    def variant(self, n):
        return self.record(n)[0].replace('"sourceIPAddress":"10.', '"sourceIPAddress":"11.')


def uuid(draw):
    text = draw[:16].hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def account(n):
    return ACCOUNTS[n // BLOCK % len(ACCOUNTS)]


def is_altered(n):
    return n % ALTERED_EVERY in (RESPELLED, VARIANT)


# A record whose last text has no end. Where no JSON follows it either, nobody can tell where the one ends
# and the other begins: they become one reject, which holds the bytes of both.
NO_END = ',"cut":"no end}'


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# What must become a reject and cost no neighbour: no JSON, no object, or no event.
BREAKS = [
    lambda record: record.replace('"readOnly":', '"readOnly":tru', 1),
    lambda record: record.replace('"userAgent":"aws', '"userAgent":"a\nws', 1),
    lambda record: record.replace('"awsRegion":', '"awsRegion":,"x":', 1),
    lambda record: record[:-1] + NO_END,
    lambda record: json.dumps(record),
    lambda record: record.replace('"eventTime"', '"eventTim"', 1),
    lambda record: record.replace('"eventName"', '"eventNam"', 1),
]


class Writer:
    """Writes the trail into `folder`, each object whole, and keeps its truth."""

    def __init__(self, trail, folder, staging, emitted):
        self.trail, self.folder, self.staging, self.emitted = trail, folder, staging, emitted
        self.draw = random.Random(f"{trail.seed} objects")
        self.kept = collections.deque(maxlen=100)  # objects that may be copied whole
        self.altered = collections.deque()
        self.bad = 0
        self.files = self.bytes = 0
        counts = ("read", "copy", "rejected", "empty", "records", "stored", "duplicates", "respelled", "variants", "rejects")
        self.truth = dict.fromkeys(counts, 0)
        self.months = collections.Counter()
        self.sum = 0  # of the SHA-256 of the events of which every copy is equal

    def run(self, seconds):
        """Writes everything, evenly over so many seconds."""
        begun, n, events = time.monotonic(), 0, self.trail.events
        while n < events:
            upto = n + min(6_000, max(1, int(self.draw.lognormvariate(5.3, 1.2))))
            upto = min(upto, events, (n // BLOCK + 1) * BLOCK)
            self.sound(n, upto)
            n = upto
            if self.draw.random() < 0.02:
                self.copy()
            if self.draw.random() < 0.005:
                self.truncated(n)
            if self.draw.random() < 0.003:
                self.put(n, gzip.compress(b'{"Records":[]}', 1, mtime=self.files), "empty")
            time.sleep(max(0, begun + seconds * n / events - time.monotonic()))
        if self.altered:
            self.sound(events, events)

    def sound(self, n, upto):
        records, draw = [], self.draw
        self.emitted.value = upto
        for m in range(n, upto):
            text, day = self.trail.record(m)
            records.append(text)
            self.months[day[:7]] += 1
            if is_altered(m):
                self.altered.append((self.truth["read"] + draw.randrange(20), m))
            else:
                self.sum += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
        again = []
        for _ in range(int((upto - n) * 0.0535 + draw.random())):
            m = draw.randrange(max(0, upto - 5_000), upto) if draw.random() < 0.7 else draw.randrange(upto)
            if not is_altered(m):
                again.append(self.trail.record(m)[0])
        self.truth["duplicates"] += len(again)
        while self.altered and (self.altered[0][0] <= self.truth["read"] or n == upto):
            m = self.altered.popleft()[1]
            is_variant = m % ALTERED_EVERY == VARIANT
            again.append(self.trail.variant(m) if is_variant else self.trail.respelled(m))
            self.truth["variants" if is_variant else "respelled"] += 1
        broken = sum(draw.random() < 0.0011 for _ in range(upto - n))
        for _ in range(broken):
            self.bad += 1
            again.append(BREAKS[self.bad % len(BREAKS)](self.trail.record(n + self.bad, "bad")[0]))
        for text in again:
            records.insert(draw.randrange(len(records) + 1), text)
        pairs = zip(records, records[1:])
        joined = sum(one.endswith(NO_END) and not is_json(other) for one, other in pairs)
        self.truth["stored"] += upto - n
        self.truth["rejects"] += broken - joined
        self.truth["records"] += len(records) - joined
        data = gzip.compress(('{"Records":[' + ",".join(records) + "]}").encode(), 1, mtime=0)
        self.put(n, data, "read")
        if not broken:
            self.kept.append((n, data))

    def copy(self):
        """An object under another name: the same bytes, or the same content packed again."""
        if self.kept:
            n, data = self.draw.choice(self.kept)
            packed_again = self.draw.random() < 0.5
            self.put(n, gzip.compress(gzip.decompress(data), 6, mtime=1) if packed_again else data, "copy")

    def truncated(self, n):
        """An object that was cut off. Its events are no others': each that is found was taken wrongly."""
        records = []
        for _ in range(self.draw.randrange(1, 200)):
            self.bad += 1
            records.append(self.trail.record(n + self.bad, "bad")[0])
        data = gzip.compress(('{"Records":[' + ",".join(records) + "]}").encode(), 1, mtime=0)
        self.put(n, data[: int(len(data) * self.draw.uniform(0.3, 0.95))], "rejected")
        self.truth["records"] += 1
        self.truth["rejects"] += 1

    def put(self, n, data, state):
        owner, region = account(n), self.draw.choice(REGIONS)
        at = self.trail.delivered(n) + 300
        if self.draw.random() < 0.005:
            at -= 10 * DAY  # found when everything is looked at, not by a look at the last days
        day = time.strftime("%Y/%m/%d", time.gmtime(at))
        stamp = time.strftime("%Y%m%dT%H%MZ", time.gmtime(at - at % 300))
        folder = os.path.join(self.folder, "AWSLogs", "o-soak", owner, "CloudTrail", region, day)
        name = f"{owner}_CloudTrail_{region}_{stamp}_{self.files:016d}.json.gz"
        staged = os.path.join(self.staging, name)
        with open(staged, "wb") as file:
            file.write(data)
        os.makedirs(folder, exist_ok=True)
        os.rename(staged, os.path.join(folder, name))
        self.truth[state] += 1
        self.files += 1
        self.bytes += len(data)


def write(trail, folder, staging, emitted, seconds, results):
    """What the process that writes the trail does."""
    os.makedirs(folder, exist_ok=True)
    os.makedirs(staging, exist_ok=True)
    writer = Writer(trail, folder, staging, emitted)
    writer.run(seconds)
    results.put({**writer.truth, "objects": writer.files, "bytes": writer.bytes,
                 "months": dict(writer.months), "sum": writer.sum % 2**256})
