"""Run by scripts/test-python with a build that panics in `needs`: the process lives, and nothing is shown."""

import threading

import onetoken

token = onetoken.mint(secret=b"a secret", location="onezone", identifier="i")["token"]


def check():
    for text in (token, token + "x" * (1 << 20)):
        try:
            onetoken.needs(token=text)
        except onetoken.OnetokenError as error:
            assert (error.code, error.detail) == ("panic", {})
        else:
            raise AssertionError("no panic: this is not the build for this test")
    assert onetoken.inspect(token=token)["identifier"] == "i"


check()
threads = [threading.Thread(target=check) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("lives")
