"""Temporary file systems: unmounted when their block ends, also by an exception."""

import contextlib
import fcntl
import os
import struct
import subprocess
from pathlib import Path

# EXT4_IOC_SHUTDOWN, and the flag that drops everything that the journal has not written yet.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


def call(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(at, *arguments):
    """Mounts at a new directory, and removes both at the end."""
    at = Path(at)
    at.mkdir()
    try:
        call("mount", *arguments, str(at))
        try:
            yield at
        finally:
            unmount(at)
    finally:
        at.rmdir()


def unmount(at):
    try:
        call("umount", str(at))
    except OSError:
        # The processes that had it open were ended before; this detaches it in any case.
        call("umount", "--lazy", str(at))


def tmpfs(at, mebibytes):
    return mounted(at, "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs")


def loop(at, image):
    """An ext4 file system in a file. The loop device goes with the mount."""
    return mounted(at, "-t", "ext4", "-o", "loop", str(image))


def make_ext4(image, mebibytes):
    with open(image, "wb") as file:
        file.truncate(mebibytes * 1024 * 1024)
    call("mkfs.ext4", "-q", "-F", str(image))


def cut_power(at):
    """From now on no write reaches the device, and the next mount has only what was synced."""
    directory = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(directory)


def fill(path):
    """Fills the free space with one file, to the last page."""
    with open(path, "wb", buffering=0) as file:
        for block in (1024 * 1024, 4096):
            with contextlib.suppress(OSError):
                while file.write(bytes(block)):
                    pass
