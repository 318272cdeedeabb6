#!/usr/bin/env python3
"""Runs Subring on pseudo terminals and looks at what becomes of them. SUBRING, KERNEL, INITRD: see lib.sh."""
import os
import pty
import re
import select
import signal
import sys
import termios
import time

SUBRING, KERNEL, INITRD = (os.environ[name] for name in ("SUBRING", "KERNEL", "INITRD"))
PATIENCE = 600  # seconds; for hangs, not for slow hosts
passed = failed = 0


def check(rule, holds, seen=""):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
    print("ok     " if holds else "FAILED ", rule, "" if holds else f"\n        {str(seen)[-600:]!r}", flush=True)


class Session:
    """`subring run` on a terminal of its own; the terminal's other end is held open here as well, to look at it."""

    def __init__(self, *options):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.close(self.master)
            import fcntl
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            os.close(self.slave)
            os.execv(SUBRING, [SUBRING, "run", "--kernel", KERNEL, *options])

    def read(self, seconds=0.2):
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                pass

    def wait_for(self, regex):
        """Until the guest's output since the last match has it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            match = re.search(regex, self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return True
            self.read()
        return False

    def type(self, keys):
        os.write(self.master, keys)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait_raw(self):
        end = time.monotonic() + PATIENCE
        while not self.is_raw() and time.monotonic() < end:
            self.read(0.05)
        return self.is_raw()

    def is_restored(self, seconds=5):
        end = time.monotonic() + seconds
        while termios.tcgetattr(self.slave) != self.before and time.monotonic() < end:
            time.sleep(0.05)
        return termios.tcgetattr(self.slave) == self.before

    def end(self, seconds=60, read=True):
        """The exit status; None: it did not end in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                if read:
                    self.read(0)
                return os.waitstatus_to_exitcode(status)
            if read:
                self.read(0.05)
            else:
                time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None

    def close(self):
        os.close(self.master)
        os.close(self.slave)


def test_shell():
    s = Session("--initrd", INITRD, "--append", "quiet", "--name", "here")
    check("the guest's shell comes up on the terminal", s.wait_for(rb"A shell of this guest"), s.seen)
    check("while it runs the terminal is raw", s.is_raw())
    s.wait_for(rb"# ")
    s.type(b"echo $((6 * 7))-answer\r")
    check("what is typed reaches the guest, and its answer comes back", s.wait_for(rb"42-answer"), s.seen)
    s.type(b"sleep 600; echo after-$((1 + 1))\r")
    time.sleep(2)
    s.type(b"\x03")
    s.wait_for(rb"# ")
    s.type(b"echo still-$((2 + 1))\r")
    check("Ctrl-C is the guest's", s.wait_for(rb"still-3"), s.seen)
    s.type(b"\x01h")
    check("Ctrl-a h lists the keys", s.wait_for(rb"Ctrl-a x +end the run"), s.seen)
    s.type(b"cat -v\r\x01\x01\r")
    check("Ctrl-a Ctrl-a sends Ctrl-a", s.wait_for(rb"\^A"), s.seen)
    s.type(b"\x03")  # the guest's terminal forgets what was typed before it
    s.wait_for(rb"# ")
    s.type(b"yes flood\r")
    check("a guest may print without end", s.wait_for(rb"flood\s+flood\s+flood"), s.seen)
    time.sleep(5)  # nobody reads: the terminal's buffer and Subring's are full
    s.type(b"\x01x")
    check("Ctrl-a x ends the run also when nobody reads its output, with status 0", s.end(30, read=False) == 0)
    check("then the terminal is as it was before", s.is_restored())
    s.close()


def test_signal(number, name):
    s = Session("--append", "quiet", "--name", "web")
    check(f"{name}: the terminal becomes raw", s.wait_raw())
    os.kill(s.pid, number)
    status = s.end()
    check(f"{name} ends the run with status 128 + {number}", status == 128 + number, status)
    check(f"{name}: one line says so, with the machine's name",
          re.search(rb"subring: web: error: ended by signal %d" % number, s.seen), s.seen)
    check(f"{name}: the terminal is as it was before", s.is_restored())
    s.close()


def test_kill():
    s = Session("--append", "quiet")
    s.wait_raw()
    os.kill(s.pid, signal.SIGKILL)
    s.end()
    check("SIGKILL: the terminal is as it was before", s.is_restored())
    s.close()


def test_closed():
    s = Session("--append", "quiet")
    s.wait_raw()
    s.close()
    check("a terminal that is closed ends the run with status 129", s.end(read=False) == 129)


def test_foreign_terminal():
    """A terminal that is not the controlling one sends no SIGHUP when it closes."""
    master, slave = pty.openpty()
    pid = os.fork()
    if not pid:
        os.setsid()
        for fd in range(2):
            os.dup2(slave, fd)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.close(master)
        os.close(slave)
        os.execv(SUBRING, [SUBRING, "run", "--kernel", KERNEL, "--append", "quiet"])
    end = time.monotonic() + PATIENCE
    while termios.tcgetattr(slave)[3] & termios.ICANON and time.monotonic() < end:
        time.sleep(0.05)
    os.close(slave)
    os.close(master)
    status = None
    end = time.monotonic() + 60
    while status is None and time.monotonic() < end:
        done, code = os.waitpid(pid, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if done else None
        time.sleep(0.05)
    if status is None:
        os.kill(pid, signal.SIGKILL)
    check("so does one that is not the session's own", status == 129, status)


def test_stuck_signal():
    s = Session("--append", "loglevel=8 initcall_debug ignore_loglevel console=ttyS0", "--timeout", "300")
    s.wait_raw()
    time.sleep(15)  # nobody reads
    os.kill(s.pid, signal.SIGTERM)
    check("SIGTERM is heard while nobody reads the guest's output", s.end(30, read=False) == 128 + signal.SIGTERM)
    check("... and the terminal is as it was before", s.is_restored())
    s.close()


test_signal(signal.SIGTERM, "SIGTERM")
test_signal(signal.SIGINT, "SIGINT")
test_signal(signal.SIGHUP, "SIGHUP")
test_signal(signal.SIGQUIT, "SIGQUIT")
test_kill()
test_closed()
test_foreign_terminal()
test_stuck_signal()
test_shell()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
