#!/usr/bin/env python3
"""Fits the weights of the baseline beside a reader of spans (kRead... in src/baseline/weights.h).

usage: fit_reader.py FEATURES.jsonl [WEIGHTS.h] [--only ARTICLE,ARTICLE]      (needs numpy)

FEATURES.jsonl is what `bench/run answers --features=FILE --reader=READER.gguf` prints: questions of even articles.
Each article is left out in turn, so that what is printed was never fitted on; the weights written are fitted on all.
The bias of the confidence is moved so that 0.30, the threshold that is there, keeps SILENT of those who cannot be
answered as the baseline alone does.
"""
import json
import re
import sys

import numpy as np

SENTENCE_PRIOR = [0.5, 3.0, -3.0, 1.0]
ANSWER_PRIOR = [0.5, 1.0, 3.0, -1.0]


def fit(features, labels, prior, bias, pull):
    x = np.hstack([features, np.ones((len(features), 1))])
    start = np.array(prior + [bias])
    weights = start.copy()
    strength = np.full(len(start), pull)
    strength[-1] = 1e-3
    def loss(w):
        z = x @ w
        return np.sum(np.logaddexp(0, z) - labels * z) + 0.5 * np.sum(strength * (w - start) ** 2)

    for _ in range(50):  # Newton, with steps halved until they help
        p = sigmoid(x @ weights)
        gradient = x.T @ (p - labels) + strength * (weights - start)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(strength)
        step, size = np.linalg.solve(hessian, gradient), 1.0
        while size > 1e-6 and loss(weights - size * step) > loss(weights):
            size /= 2
        weights = weights - size * step
    return weights


def odds(features, weights):
    return np.asarray(features) @ weights[:-1] + weights[-1]


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def chosen(item, weights):
    values = odds([s["features"] for s in item["sentences"]], weights)
    best = int(np.argmax(values))
    s = item["sentences"][best]
    return best, values, [s["answer"], values[best] / 10, s["features"][1], s["features"][2]]


def fit_both(items):
    x, y = [], []
    for item in items:
        if item["kind"] == "answerable":
            for s in item["sentences"]:
                x.append(s["features"])
                y.append(float(s["gold"]))
    sentence = fit(np.array(x), np.array(y), SENTENCE_PRIOR, -3.0, 3.0)
    x = [chosen(item, sentence)[2] for item in items]
    y = [float(item["kind"] == "answerable") for item in items]
    return sentence, fit(np.array(x), np.array(y), ANSWER_PRIOR, 0.0, 3.0)


def auc(positive, negative):
    both = np.concatenate([positive, negative])
    ranks = np.empty(len(both))
    ranks[np.argsort(both)] = np.arange(1, len(both) + 1)
    return (ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def describe(name, rows):
    """rows: (kind, confidence, first right, shown right, f1, exact)"""
    by = {k: np.array([r[1] for r in rows if r[0] == k]) for k in ("answerable", "adversarial", "outside")}
    able = [r for r in rows if r[0] == "answerable"]
    print(f"{name}: n {len(rows)}; first sentence right {np.mean([r[2] for r in able]):.3f}, "
          f"shown right {np.mean([r[3] for r in able]):.3f}, F1 {np.mean([r[4] for r in able]):.3f}, "
          f"exact {np.mean([r[5] for r in able]):.3f}")
    print(f"  AUC against outside {auc(by['answerable'], by['outside']):.3f}, "
          f"against adversarial {auc(by['answerable'], by['adversarial']):.3f}")
    for t in (0.2, 0.3, 0.4, 0.5, 0.6):
        print(f"  at {t:.2f}: answered of answerable {np.mean(by['answerable'] >= t):.3f}, "
              f"outside {np.mean(by['outside'] >= t):.3f}, adversarial {np.mean(by['adversarial'] >= t):.3f}, "
              f"F1 with silence as 0 {np.mean([r[4] * (r[1] >= t) for r in able]):.3f}")


def rows_of(items, sentence, answer, share=0.6):
    rows = []
    for item in items:
        best, values, f = chosen(item, sentence)
        scores = sigmoid(values)
        order = np.argsort(-scores, kind="stable")[:2]
        shown = [i for i in order if scores[i] >= share * scores[best]]
        s = item["sentences"]
        rows.append((item["kind"], float(sigmoid(odds([f], answer))[0]), s[best]["holds"],
                     any(s[i]["holds"] for i in shown), s[best]["f1"], s[best]["exact"]))
    return rows


def baseline_rows(items):
    """What the baseline alone does with the same hits."""
    rows = []
    for item in items:
        s = item["sentences"]
        order = np.argsort([-x["features"][0] for x in s], kind="stable")
        best = int(order[0])
        score = sigmoid(np.array([x["features"][0] for x in s]))
        shown = [i for i in order[:2] if score[i] >= 0.6 * score[best]]
        rows.append((item["kind"], float(sigmoid(s[best]["answer"])), s[best]["holds"],
                     any(s[i]["holds"] for i in shown), s[best]["text_f1"], 0.0))
    return rows


def main():
    arguments = sys.argv[1:]
    only = None
    if "--only" in arguments:
        at = arguments.index("--only")
        only = set(arguments[at + 1].split(","))
        del arguments[at: at + 2]
    items = [json.loads(line) for line in open(arguments[0]) if line.endswith("}\n")]
    items = [item for item in items if item["sentences"] and (only is None or item["article"] in only)]
    describe("baseline alone (F1 of its sentence)", baseline_rows(items))
    held = []
    for article in sorted({item["article"] for item in items}):
        rest = [item for item in items if item["article"] != article]
        sentence, answer = fit_both(rest)
        held += rows_of([item for item in items if item["article"] == article], sentence, answer)
    describe("with the reader, each article left out in turn", held)
    sentence, answer = fit_both(items)
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        rows = rows_of(items, sentence, answer, share)
        print(f"  further sentence at {share}: shown right {np.mean([r[3] for r in rows if r[0] == 'answerable']):.3f}")
    # The same share of what cannot be answered is withheld at 0.30 as by the baseline alone.
    outside = lambda rows: np.array([r[1] for r in rows if r[0] == "outside"])
    wanted = np.mean(outside(baseline_rows(items)) >= 0.3)
    confidence = np.sort(outside(rows_of(items, sentence, answer)))
    print("sentence", np.round(sentence, 4).tolist())
    print("answer", np.round(answer, 4).tolist())
    print(f"outside answered by the baseline alone at 0.30: {wanted:.3f}; the same share here lies at "
          f"{np.quantile(confidence, 1 - wanted):.3f}")
    if len(arguments) > 1:
        text = open(arguments[1]).read()
        for label, weights in (("Sentence", sentence), ("Answer", answer)):
            values = ", ".join(f"{w:.4f}F" for w in weights[:-1])
            text = re.sub(rf"(kRead{label}Bias = )[^;]*;", rf"\g<1>{weights[-1]:.4f}F;", text)
            text = re.sub(rf"(kRead{label}Weights = {{)[^}}]*}};", rf"\g<1>{values}}};", text)
        open(arguments[1], "w").write(text)


if __name__ == "__main__":
    main()
