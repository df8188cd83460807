#!/usr/bin/env python3
"""lm-evaluation-harness over a choice file: harness.py MODEL_FOLDER ITEMS.jsonl OUT.json"""
import importlib.metadata
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import lm_eval  # noqa: E402
import torch  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

model, items, out = sys.argv[1:4]
task = {"task": "choices", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": items}},
        "test_split": "test", "output_type": "multiple_choice", "doc_to_text": "context",
        "doc_to_choice": "choices", "doc_to_target": "answer",
        "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True}
                        for name in ("acc", "acc_norm")]}
lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=1)
started = time.time()
result = lm_eval.simple_evaluate(model=lm, tasks=[task], task_manager=TaskManager(), log_samples=True,
                                 bootstrap_iters=0)
samples = sorted(result["samples"]["choices"], key=lambda sample: sample["doc_id"])
found = []
for sample in samples:
    doc = sample["doc"]
    pairs = [lm._encode_pair(doc["context"], " " + choice) for choice in doc["choices"]]
    found.append({"id": doc["id"], "accuracy": sample["acc"], "accuracy_norm": sample["acc_norm"],
                  "log_likelihoods": [float(response[0]) for response in sample["filtered_resps"]],
                  "tokens": len(pairs[0][0]) + sum(len(pair[1]) for pair in pairs)})
json.dump({"versions": {name: importlib.metadata.version(name) for name in ("lm_eval", "torch", "transformers")},
           "threads": torch.get_num_threads(), "seconds": time.time() - started,
           "acc": result["results"]["choices"]["acc,none"],
           "acc_norm": result["results"]["choices"]["acc_norm,none"], "items": found}, open(out, "w"))
