#!/usr/bin/env python3
"""Fits the two logistic functions of src/baseline/weights.h on the features that baseline_features printed.

usage: fit.py FEATURES.jsonl [WEIGHTS.h]      (needs numpy)

Trains on the articles marked train, reports on those marked test. The weights are pulled towards the hand-set ones
(ridge), because a short run must not turn a sensible sign around.
"""
import json
import re
import sys

import numpy as np

SENTENCE_PRIOR = [3.0, 1.0, 0.5, 0.5, 4.0, 0.5, 0.5, 0.3, 0.8, -0.8, 0.5, -1.0, -1.0, 0.2, -3.0, -2.0]
ANSWER_PRIOR = [2.0, 2.0, 1.0, 1.0, 1.0, -2.0, -1.0, -1.0, -1.0, 0.3, -0.5, -2.0, -1.5]


def fit(features, labels, prior, bias, pull):
    x = np.hstack([features, np.ones((len(features), 1))])
    start = np.array(prior + [bias])
    weights = start.copy()
    strength = np.full(len(start), pull)
    strength[-1] = 1e-3
    for _ in range(50):  # Newton
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - labels) + strength * (weights - start)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(strength)
        weights -= np.linalg.solve(hessian, gradient)
    return weights


def score(features, weights):
    return 1 / (1 + np.exp(-(np.asarray(features) @ weights[:-1] + weights[-1])))


def auc(positive, negative):
    both = np.concatenate([positive, negative])
    ranks = np.empty(len(both))
    ranks[np.argsort(both)] = np.arange(1, len(both) + 1)
    return (ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def gold(sentence, answers):
    return bool(sentence["gold"]) and any(a.lower() in sentence["text"].lower() for a in answers)


def result_features(item, weights):
    scores = score([s["features"] for s in item["sentences"]], weights)
    best = int(np.argmax(scores))
    f = list(item["answer_features"][best])
    others = [scores[i] for i, s in enumerate(item["sentences"]) if s["hit"] != item["sentences"][best]["hit"]]
    f[0] = scores[best]
    f[4] = max(0.0, scores[best] - max(others, default=0.0))
    return best, scores, f


def show(name, weights, names):
    print(name, ", ".join(f"{n} {w:.2f}" for n, w in zip(names, weights)))


def main():
    items = [json.loads(line) for line in open(sys.argv[1]) if line.endswith("}\n")]
    items = [item for item in items if item["sentences"]]
    train = [i for i in items if i["split"] == "train"]
    test = [i for i in items if i["split"] == "test"]
    x, y = [], []
    for item in train:
        if item["kind"] == "answerable":
            for sentence in item["sentences"]:
                x.append(sentence["features"])
                y.append(gold(sentence, item["answers"]))
    sentence_weights = fit(np.array(x), np.array(y, float), SENTENCE_PRIOR, -5.0, 3.0)
    x, y = [], []
    for item in train:
        best, _, f = result_features(item, sentence_weights)
        x.append(f)
        y.append(item["kind"] == "answerable")
    answer_weights = fit(np.array(x), np.array(y, float), ANSWER_PRIOR, -1.0, 3.0)

    for name, part in (("train", train), ("test", test)):
        one, two, reachable, total = 0, 0, 0, 0
        confidence = {"answerable": [], "adversarial": [], "outside": []}
        right = []
        for item in part:
            best, scores, f = result_features(item, sentence_weights)
            value = float(score([f], answer_weights)[0])
            confidence[item["kind"]].append(value)
            if item["kind"] != "answerable":
                right.append((value, False))
                continue
            order = np.argsort(-scores)
            hits = [gold(item["sentences"][i], item["answers"]) for i in order]
            total += 1
            one += hits[0]
            two += any(h for h, i in zip(hits[:2], order[:2]) if scores[i] >= 0.6 * scores[order[0]])
            reachable += any(hits)
            right.append((value, bool(hits[0])))
        c = {k: np.array(v) for k, v in confidence.items()}
        print(f"{name}: n {len(part)} ({', '.join(f'{k} {len(v)}' for k, v in c.items())})")
        print(f"  gold sentence retrieved {reachable}/{total}, chosen first {one}/{total} = {one / total:.3f}, "
              f"in the answer shown {two}/{total} = {two / total:.3f}")
        print(f"  AUC answerable against outside {auc(c['answerable'], c['outside']):.3f}, "
              f"against adversarial {auc(c['answerable'], c['adversarial']):.3f}")
        for threshold in (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
            print(f"  threshold {threshold:.2f}: answered answerable {np.mean(c['answerable'] >= threshold):.3f}, "
                  f"outside {np.mean(c['outside'] >= threshold):.3f}, "
                  f"adversarial {np.mean(c['adversarial'] >= threshold):.3f}")
    if len(sys.argv) > 2:
        text = open(sys.argv[2]).read()
        for label, weights in (("Sentence", sentence_weights), ("Answer", answer_weights)):
            values = ", ".join(f"{w:.4f}F" for w in weights[:-1])
            text = re.sub(rf"(k{label}Bias = )[^;]*;", rf"\g<1>{weights[-1]:.4f}F;", text)
            text = re.sub(rf"(k{label}Weights = {{)[^}}]*}};", rf"\g<1>{values}}};", text)
        open(sys.argv[2], "w").write(text)
    print("sentence", np.round(sentence_weights, 2).tolist())
    print("answer", np.round(answer_weights, 2).tolist())


if __name__ == "__main__":
    main()
