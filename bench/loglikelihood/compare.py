#!/usr/bin/env python3
"""Loam beside lm-evaluation-harness, item by item: compare.py ITEMS HARNESS.json LOAM.json LOAM_ITEMS.jsonl...

Each contestant of Loam is two files: what `loam eval loglikelihood --json` said, and `loam ledger export --jsonl`
of its run. Prints one JSON document. Exit status 1 when an accuracy differs by more than one standard error, or the
number of tokens at all.
"""
import json
import math
import os
import platform
import sys


def runs_of(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def standard_error(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


harness = json.load(open(sys.argv[2], encoding="utf-8"))
theirs = {item["id"]: item for item in harness["items"]}
choices = {item["id"]: item["choices"] for item in map(json.loads, open(sys.argv[1], encoding="utf-8"))}
n = len(theirs)
document = {"name": "loglikelihood",
            "machine": {"kernel": platform.release(), "cores": os.cpu_count(), "load_average_at_end": os.getloadavg()},
            "n": n, "harness": {key: harness[key] for key in ("versions", "threads", "seconds", "acc", "acc_norm")},
            "standard_error": {name: standard_error([item[name] for item in theirs.values()])
                               for name in ("accuracy", "accuracy_norm")}, "loam": []}
within = True
for said_file, items_file in zip(sys.argv[3::2], sys.argv[4::2]):
    said = json.load(open(said_file, encoding="utf-8"))
    run = runs_of(items_file)[0]
    mine = {item["id"]: item for item in run["items"]}
    assert mine.keys() == theirs.keys(), "the two did not score the same items"
    row = {"name": said["name"], "settings": said["settings"], "models": said["models"],
           "seconds": said["seconds"], "tokens": said["tokens"],
           "tokens_of_harness": sum(item["tokens"] for item in theirs.values())}
    within = within and row["tokens"] == row["tokens_of_harness"]
    differences, per_choice = [], []
    for key, item in mine.items():
        output = json.loads(item["output"])
        assert len(output["log_likelihoods"]) == len(choices[key])
        for a, b in zip(output["log_likelihoods"], theirs[key]["log_likelihoods"]):
            differences.append(abs(a - b))
            per_choice.append(abs(a - b) / max(1.0, abs(b)))
    for name, their_name in (("accuracy", "acc"), ("accuracy_norm", "acc_norm")):
        value = said["metrics"][name]["value"]
        delta = value - harness[their_name]
        ok = abs(delta) <= document["standard_error"][name]
        within = within and ok
        row[name] = {"value": value, "difference": delta, "within_one_standard_error": ok,
                     "items_that_agree": sum(mine[k]["scores"][name] == theirs[k][name] for k in mine)}
    argmax = [max(range(len(v)), key=v.__getitem__) for v in
              (theirs[k]["log_likelihoods"] for k in mine)]
    row["same_choice"] = sum(json.loads(mine[k]["output"])["chosen"] == best for k, best in zip(mine, argmax))
    row["log_likelihood_difference"] = {"largest": max(differences), "mean": sum(differences) / len(differences),
                                        "largest_share": max(per_choice)}
    document["loam"].append(row)
print(json.dumps(document, indent=2))
sys.exit(0 if within else 1)
