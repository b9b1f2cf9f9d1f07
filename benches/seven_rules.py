"""The predecessor's seven documented rules as its language would have it: seven times re.sub.

A child of benches/sanitizer.rs. It reads lines on stdin, prints them sanitized, and then the CPU
seconds that it took to do so as many times as its argument says.
"""

import re
import sys
import time

MASKED_VALUE = r"\1=***"

RULES = [
    (re.compile(r"(password)=\S+", re.IGNORECASE), MASKED_VALUE),
    (re.compile(r"(api[_-]key)=\S+", re.IGNORECASE), MASKED_VALUE),
    (re.compile(r"(token)=\S+", re.IGNORECASE), MASKED_VALUE),
    (re.compile(r"authorization:\s*bearer\s+\S+", re.IGNORECASE), "Authorization: ***"),
    (re.compile(r"(secret)=\S+", re.IGNORECASE), MASKED_VALUE),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "*** PRIVATE KEY ***"),
    (re.compile(r"AKIA[0-9A-Z]{16}"), "AKIA***"),
]


def sanitize(text):
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def main():
    passes = int(sys.argv[1])
    lines = sys.stdin.read().splitlines()
    for line in lines:
        print(sanitize(line))
    before = time.process_time()
    for _ in range(passes):
        for line in lines:
            sanitize(line)
    print(time.process_time() - before)


main()
