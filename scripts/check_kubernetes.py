#!/usr/bin/env python3
"""Checks built Kubernetes objects against the API's schemas and against our own rules.

    check_kubernetes.py FILE…

Each file holds the objects of one kustomization. The rules are what must hold for every pod: it
runs without privileges, has limits and probes, is told of no services, and is in no network that
nobody has thought of. Each rule is also tried on an object that breaks it, so that a rule that
finds nothing is seen. Ends with a line `N passed, M failed`.
"""

import copy
import pathlib
import re
import sys

import kubernetes_validate
import yaml

# The oldest release that is still looked after somewhere, and the newest that the validator knows.
API_VERSIONS = ["1.30", "1.37"]
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}
ROOT = pathlib.Path(__file__).resolve().parent.parent


def schema_problems(objects):
    """What the API's schemas refuse; strict, so an unknown field is refused, too."""
    for version in API_VERSIONS:
        for item in objects:
            try:
                kubernetes_validate.validate(item, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                path = ".".join(map(str, error.path))
                yield f"{name_of(item)} against {version}: {path}: {error.message}"


def name_of(item):
    return f"{item['kind']}/{item['metadata']['name']}"


def pods(objects):
    """The pod templates of all workloads, with what to call them by."""
    for item in objects:
        if item["kind"] in WORKLOADS:
            yield name_of(item), item["spec"]["template"]


def containers(objects):
    for name, pod in pods(objects):
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            yield f"{name}/{container['name']}", container


def unconfined_pods(objects):
    for name, pod in pods(objects):
        spec = pod["spec"]
        context = spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{name}: may run as root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: system calls are not filtered"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: has a token of the API"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name}: services become settings (BANGUI_PORT=tcp://…)"
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name}: shares the node's name spaces"


def unconfined_containers(objects):
    for name, container in containers(objects):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{name}: may gain privileges"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: can write to its root"
        capabilities = context.get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
            yield f"{name}: keeps capabilities"


def unlimited_containers(objects):
    for name, container in containers(objects):
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            for resource in ("cpu", "memory"):
                if resource not in resources.get(kind, {}):
                    yield f"{name}: {kind} of {resource} are missing"


def unwatched_containers(objects):
    for name, container in containers(objects):
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe"):
            told = container.get(probe, {}).get("httpGet", {}).get("port")
            if told not in ports:
                yield f"{name}: {probe} is missing or asks no port of the container"


def loose_images(objects):
    for name, container in containers(objects):
        if not re.search(r":v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$", container["image"]):
            yield f"{name}: image {container['image']} has no fixed version"


def node_folders(objects):
    """Of the node's folders only fail2ban's, read-only, and for one workload."""
    for name, pod in pods(objects):
        for volume in pod["spec"].get("volumes", []):
            host_path = volume.get("hostPath")
            if host_path is None:
                continue
            if name != "StatefulSet/bangui" or host_path["path"] != "/run/fail2ban":
                yield f"{name}: has the node's folder {host_path['path']}"
            for container in pod["spec"]["containers"]:
                for mount in container.get("volumeMounts", []):
                    if mount["name"] == volume["name"] and mount.get("readOnly") is not True:
                        yield f"{name}: can write to the node's folder {host_path['path']}"


def selects(selector, labels):
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        if rule["operator"] != "In" or labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def idle_selectors(objects):
    """Services, policies and budgets that select no pod."""
    labels = [pod["metadata"]["labels"] for _, pod in pods(objects)]
    selectors = {
        "Service": lambda spec: {"matchLabels": spec["selector"]},
        "NetworkPolicy": lambda spec: spec["podSelector"],
        "PodDisruptionBudget": lambda spec: spec["selector"],
    }
    for item in objects:
        if item["kind"] in selectors:
            selector = selectors[item["kind"]](item["spec"])
            if not any(selects(selector, each) for each in labels):
                yield f"{name_of(item)}: selects no pod"


def needed_objects(pod):
    """The ConfigMaps and Secrets without which a pod does not start."""
    for container in pod["spec"]["containers"]:
        for source in container.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source and not source[key].get("optional"):
                    yield kind, source[key]["name"]
    for volume in pod["spec"].get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]


def missing_objects(objects):
    known = {(item["kind"], item["metadata"]["name"]) for item in objects}
    for name, pod in pods(objects):
        for kind, needed in needed_objects(pod):
            if (kind, needed) not in known:
                yield f"{name}: {kind}/{needed} is not there"


def open_networks(objects):
    """Everything is denied first, and no rule is for all sources or for all ports."""
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    denial = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if not any(policy["spec"] == denial for policy in policies):
        yield "NetworkPolicy: nothing is denied by default"
    for policy in policies:
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, []):
                if not rule.get(peers) or not rule.get("ports"):
                    yield f"{name_of(policy)}: a rule for all of them"


def undocumented_settings(objects):
    """Every setting stands in docs/CONFIGURATION.md, and none of the secrets in a ConfigMap."""
    documented = (ROOT / "docs/CONFIGURATION.md").read_text()
    secrets = set(re.findall(r"`(\w+)`(?:, `\w+`)* \(secret", documented))
    for item in objects:
        if not re.match(r"bangui-(settings|secrets)", item["metadata"]["name"]):
            continue
        for name in list(item.get("data", {})):
            if f"`{name}`" not in documented:
                yield f"{name_of(item)}: {name} is not documented"
            if item["kind"] == "ConfigMap" and name in secrets:
                yield f"{name_of(item)}: {name} is a secret"


def forgotten_rules(objects):
    """Where Prometheus is, it has every file of rules that we have."""
    files = {path.name for path in (ROOT / "deploy/prometheus/rules").glob("*.yml")}
    for item in objects:
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("prometheus-rules"):
            for missing in sorted(files - set(item["data"])):
                yield f"{name_of(item)}: rules/{missing} is missing"


def first(objects, kind):
    return next(item for item in objects if item["kind"] == kind)


def named(objects, beginning):
    return next(item for item in objects if item["metadata"]["name"].startswith(beginning))


def pod_of(objects):
    return first(objects, "StatefulSet")["spec"]["template"]["spec"]


def container_of(objects):
    return pod_of(objects)["containers"][0]


# Each rule with changes of which it must find every one.
RULES = {
    schema_problems: [
        lambda objects: container_of(objects).update(imagez="x"),
        lambda objects: first(objects, "Service")["spec"].update(ports="8000"),
    ],
    unconfined_pods: [
        lambda objects: pod_of(objects)["securityContext"].pop("runAsNonRoot"),
        lambda objects: pod_of(objects)["securityContext"].pop("seccompProfile"),
        lambda objects: pod_of(objects).pop("automountServiceAccountToken"),
        lambda objects: pod_of(objects).pop("enableServiceLinks"),
        lambda objects: pod_of(objects).update(hostNetwork=True),
    ],
    unconfined_containers: [
        lambda objects: container_of(objects).pop("securityContext"),
        lambda objects: container_of(objects)["securityContext"].update(privileged=True),
        lambda objects: container_of(objects)["securityContext"]["capabilities"].update(
            add=["NET_RAW"]
        ),
    ],
    unlimited_containers: [
        lambda objects: container_of(objects)["resources"]["limits"].pop("memory")
    ],
    unwatched_containers: [
        lambda objects: container_of(objects).pop("livenessProbe"),
        lambda objects: container_of(objects)["readinessProbe"]["httpGet"].update(port="other"),
    ],
    loose_images: [lambda objects: container_of(objects).update(image="bangui:latest")],
    node_folders: [
        lambda objects: pod_of(objects)["volumes"].append(
            {"name": "x", "hostPath": {"path": "/var/log"}}
        ),
        lambda objects: [
            mount.pop("readOnly", None) for mount in container_of(objects)["volumeMounts"]
        ],
    ],
    idle_selectors: [
        lambda objects: first(objects, "Service")["spec"]["selector"].update(x="y"),
        lambda objects: first(objects, "PodDisruptionBudget")["spec"]["selector"].update(
            matchLabels={"x": "y"}
        ),
    ],
    missing_objects: [lambda objects: objects.remove(first(objects, "ConfigMap"))],
    open_networks: [
        lambda objects: objects.remove(named(objects, "default-deny")),
        lambda objects: next(
            item["spec"]["ingress"][0]
            for item in objects
            if item["kind"] == "NetworkPolicy" and "ingress" in item["spec"]
        ).pop("from"),
    ],
    undocumented_settings: [
        lambda objects: first(objects, "ConfigMap")["data"].update(BANGUI_UNHEARD_OF="1"),
        lambda objects: first(objects, "ConfigMap")["data"].update(BANGUI_API_TOKEN="1"),
    ],
    forgotten_rules: [
        lambda objects: named(objects, "prometheus-rules")["data"].popitem(),
    ],
}


def main(paths):
    passed = failed = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            objects = [item for item in yaml.safe_load_all(file) if item]
        # The changes below are made to the first object of a kind, which must be BanGUI's.
        objects.sort(
            key=lambda item: (not item["metadata"]["name"].startswith("bangui"), item["kind"])
        )
        name = pathlib.Path(path).stem
        for rule, changes in RULES.items():
            problems = list(rule(objects))
            for problem in problems:
                print(f"FAILED  {name}: {problem}")
            passed, failed = passed + (not problems), failed + bool(problems)
            for number, change in enumerate(changes):
                changed = copy.deepcopy(objects)
                try:
                    change(changed)
                except StopIteration:
                    # This kustomization has no such object.
                    continue
                found = len(list(rule(changed))) > len(problems)
                if not found:
                    print(f"FAILED  {name}: {rule.__name__} does not find change {number + 1}")
                passed, failed = passed + found, failed + (not found)
        print(f"ok      {name}: {len(objects)} objects against {len(RULES)} rules")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
