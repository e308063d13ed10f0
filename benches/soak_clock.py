"""A clock that runs fast for one program: a shim, made by the machine's `cc`, that is loaded before it.

TrailLake keeps a replaced file an hour at least and a log a week; a month is folded when it is over.
An hour of soak would see none of it. So `traillake` is told that time runs `speed` times as fast since
`real` (both the clock and the times of files, which must go together); timers are left alone.
"""
import os
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static long long real_at, told_at, speed = 1, ahead;

__attribute__((constructor)) static void begin(void) {
    if (!getenv("SOAK_CLOCK_REAL")) return;
    real_at = atoll(getenv("SOAK_CLOCK_REAL"));
    told_at = atoll(getenv("SOAK_CLOCK_TOLD"));
    speed = atoll(getenv("SOAK_CLOCK_SPEED"));
    ahead = atoll(getenv("SOAK_CLOCK_AHEAD"));
}

static long long bent(long long seconds, long long nanos) {
    long long since = (seconds - real_at) * 1000000000LL + nanos;
    return told_at * 1000000000LL + since * speed;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
    int done = next(id, at);
    if (done == 0 && speed > 1 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        long long told = bent(at->tv_sec, at->tv_nsec) + ahead * 1000000000LL;
        at->tv_sec = told / 1000000000LL;
        at->tv_nsec = told % 1000000000LL;
    }
    return done;
}

static void bend(struct statx_timestamp *at) {
    if (speed <= 1 || at->tv_sec < real_at) return;
    long long told = bent(at->tv_sec, at->tv_nsec);
    at->tv_sec = told / 1000000000LL;
    at->tv_nsec = told % 1000000000LL;
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *found) {
    static int (*next)(int, const char *, int, unsigned, struct statx *);
    if (!next) next = dlsym(RTLD_NEXT, "statx");
    int done = next(folder, path, flags, mask, found);
    if (done == 0) {
        bend(&found->stx_mtime);
        bend(&found->stx_ctime);
        bend(&found->stx_atime);
        bend(&found->stx_btime);
    }
    return done;
}
"""


class Clock:
    """Tells a program that it is `told` at `real` (seconds since 1970), and time passes `speed`-fold."""

    def __init__(self, folder, real, told, speed):
        self.real, self.told, self.speed, self.ahead = int(real), int(told), int(speed), 0
        self.shim = os.path.join(folder, "clock.so")
        if self.speed > 1:
            source = os.path.join(folder, "clock.c")
            with open(source, "w") as file:
                file.write(SOURCE)
            subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.shim, source, "-ldl"], check=True)

    def environment(self):
        if self.speed <= 1:
            return dict(os.environ)
        return {**os.environ, "LD_PRELOAD": self.shim, "SOAK_CLOCK_REAL": str(self.real),
                "SOAK_CLOCK_TOLD": str(self.told), "SOAK_CLOCK_SPEED": str(self.speed),
                "SOAK_CLOCK_AHEAD": str(self.ahead)}
