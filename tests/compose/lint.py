"""Checks the compose files and the Dockerfiles without an engine; scripts/lint-compose.sh calls it.

    lint.py compose FILE    one configuration as `docker compose config --format json` prints it
    lint.py settings        docker-compose.yml passes on every setting of .env.example
    lint.py dockerfile FILE…

Prints one line for each thing that is wrong, and exits with 1 if there is any.
"""
import json
import re
import sys

# Images of others that write into their own folders at the start.
WRITABLE = {"elasticsearch", "kibana"}
# A demo that ends by itself is not started again.
ENDING = {"demo"}
# The public collector image has nothing to ask for its health with.
CONTRIB = "otel/opentelemetry-collector-contrib"
# What compose itself decides, so that `.env` cannot move it; and what it reads for itself.
OF_COMPOSE = re.compile(r"PUBLISH_\w+|FAIL2BAN_\w+|BANGUI_(ADDRESS|TLS_(CERT|KEY)_FILE)")
SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET|API_?KEY)", re.IGNORECASE)

problems = []


def wrong(place, what):
    problems.append(f"{place}: {what}")


def service(name, it):
    """What every container of the stack must have."""
    if it.get("cap_drop") != ["ALL"] or it.get("cap_add"):
        wrong(name, "does not drop all capabilities")
    if it.get("security_opt") != ["no-new-privileges:true"] or it.get("privileged"):
        wrong(name, "may gain privileges")
    if not it.get("read_only") and name not in WRITABLE:
        wrong(name, "has a writable root")
    for limit in ("mem_limit", "pids_limit", "cpus"):
        if not it.get(limit):
            wrong(name, f"has no {limit}")
    if name not in ENDING and it.get("restart") != "unless-stopped":
        wrong(name, "does not restart")
    image = it.get("image", "")
    if not re.search(r":v?\d+\.\d+\.\d+$|@sha256:[0-9a-f]{64}$", image):
        wrong(name, f"image {image} is not pinned")
    if it.get("user", "").split(":")[0] in ("0", "root"):
        wrong(name, "runs as root")
    for port in it.get("ports", []):
        if port.get("host_ip") != "127.0.0.1":
            wrong(name, f"publishes {port.get('published')} beyond this machine")
    for volume in it.get("volumes", []):
        if volume["type"] == "bind" and not volume.get("read_only"):
            wrong(name, f"can write to the host's {volume['source']}")


def compose(path):
    with open(path, encoding="utf-8") as file:
        configuration = json.load(file)
    services = configuration["services"]
    for name, it in services.items():
        service(name, it)
        for other, how in it.get("depends_on", {}).items():
            is_contrib = services[other].get("image", "").startswith(CONTRIB)
            if how["condition"] != "service_healthy" and not is_contrib:
                wrong(name, f"does not wait for {other} to be healthy")


def settings():
    with open(".env.example", encoding="utf-8") as file:
        names = set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", file.read(), re.MULTILINE))
    with open("docker-compose.yml", encoding="utf-8") as file:
        passed = set(re.findall(r"^ +([A-Z][A-Z0-9_]+):", file.read(), re.MULTILINE))
    for name in sorted(names - passed):
        if not OF_COMPOSE.fullmatch(name):
            wrong("docker-compose.yml", f"does not pass {name} on")


def instructions(path):
    """Each instruction of a Dockerfile with its arguments, continuation lines joined."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^\s*#.*\n", "", file.read(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def dockerfile(path):
    stages, last = set(), {}
    for word, rest in instructions(path):
        if word == "FROM":
            base, name = (re.sub(r"--platform=\S+ ", "", rest).split(" AS ") + [None])[:2]
            if base not in stages | {"scratch"} and not re.search(r":\d+[\w.-]*$|^\$\{\w+\}$", base):
                wrong(path, f"base {base} is not pinned")
            stages.add(name)
            last = {}
        last[word] = rest
        if word == "ADD":
            wrong(path, "ADD unpacks and downloads: COPY does what it says")
        if word in ("ARG", "ENV") and SECRET.search(rest):
            wrong(path, f"{word} {rest} would keep a secret in the image")
        if "apt-get install" in rest:
            if "--no-install-recommends" not in rest or "/var/lib/apt/lists" not in rest:
                wrong(path, "apt-get installs what is only recommended, or leaves its lists")
    if last.get("USER", "root").split(":")[0] in ("root", "0"):
        wrong(path, "the image runs as root")


kind, *paths = sys.argv[1:]
if kind == "settings":
    settings()
for each in paths:
    {"compose": compose, "dockerfile": dockerfile}[kind](each)
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
