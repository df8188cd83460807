#!/usr/bin/env python3
"""The same training as `loam train lora` by PEFT on PyTorch, on the weights of the same GGUF, widened.
usage: peft_train.py GGUF DATA.jsonl OUT_FOLDER f32|bf16 THREADS EPOCHS BATCH RATE [SEED]
DATA holds {"messages":[...]} lines as bench_grounded --write-data makes them. Rank 16, alpha 32, all linear
layers, AdamW without decay, 3% warm-up and cosine, clipping at 1, loss on the answers only: what the verb does
with the same flags. OUT_FOLDER gets the adapter as PEFT saves it (`loam adapters import`)."""
import json
import math
import os
import random
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

gguf, data, out, dtype, threads, epochs, batch, rate = sys.argv[1:9]
seed = int(sys.argv[9]) if len(sys.argv) > 9 else 0
epochs, batch, rate = int(epochs), int(batch), float(rate)
torch.set_num_threads(int(threads))
torch.manual_seed(seed)
folder, name = os.path.split(gguf)
number = torch.float32 if dtype == "f32" else torch.bfloat16
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=number)
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear",
                                         task_type="CAUSAL_LM"))
for parameter in model.parameters():  # the adapter itself in f32, as PEFT does when it is asked for
    if parameter.requires_grad:
        parameter.data = parameter.data.float()


def tokens_of(messages):
    """ChatML by hand, so that the two sides cannot differ by a template."""
    tokens, counts = [], []
    for message in messages:
        head = tokenizer.encode(f"<|im_start|>{message['role']}\n", add_special_tokens=False)
        body = tokenizer.encode(message["content"] + "<|im_end|>", add_special_tokens=False)
        end = tokenizer.encode("\n", add_special_tokens=False)
        learnt = message["role"] == "assistant"
        tokens += head + body + ([] if learnt else end)
        counts += [False] * len(head) + [learnt] * len(body) + ([] if learnt else [False] * len(end))
    return tokens, counts


seen, items = set(), []
for line in open(data):
    if line not in seen:
        seen.add(line)
        items.append(tokens_of(json.loads(line)["messages"]))
steps = epochs * ((len(items) + batch - 1) // batch)
warm = max(1, round(0.03 * steps))
optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
order, step, begin, read = random.Random(seed), 0, time.perf_counter(), 0
model.train()
for epoch in range(epochs):
    numbers = list(range(len(items)))
    order.shuffle(numbers)
    for first in range(0, len(numbers), batch):
        part = [items[i] for i in numbers[first:first + batch]]
        learnt = sum(sum(counts) for _, counts in part)
        longest = max(len(tokens) for tokens, _ in part)
        ids = torch.full((len(part), longest), tokenizer.pad_token_id or 0)
        mask = torch.zeros((len(part), longest), dtype=torch.long)
        labels = torch.full((len(part), longest), -100)
        for row, (tokens, counts) in enumerate(part):
            ids[row, :len(tokens)] = torch.tensor(tokens)
            mask[row, :len(tokens)] = 1
            labels[row, :len(tokens)] = torch.tensor([t if c else -100 for t, c in zip(tokens, counts)])
        scale = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
        for group in optimiser.param_groups:
            group["lr"] = rate * scale
        logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1),
                                                 ignore_index=-100, reduction="sum") / learnt
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimiser.step()
        optimiser.zero_grad()
        step += 1
        read += int(mask.sum())
        seconds = time.perf_counter() - begin
        print(json.dumps({"step": step, "steps": steps, "loss": loss.item(), "tokens_per_s": read / seconds,
                          "seconds": seconds, "cpu_seconds": time.process_time()}), flush=True)
model.save_pretrained(out)
print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
