#!/usr/bin/env python3
"""One side of bench_train: LoRA steps by PEFT on PyTorch. Prints tokens a second of each step and the peak memory.
usage: peft_steps.py SAFETENSORS_FOLDER f32|bf16 THREADS WARMUPS STEPS"""
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig

folder, dtype, threads, warmups, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
torch.manual_seed(0)
number = torch.float32 if dtype == "f32" else torch.bfloat16
if folder == "random":  # the default model's shape; the speed does not depend on the values
    config = LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                         num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
                         tie_word_embeddings=True)
    model = AutoModelForCausalLM.from_config(config, dtype=number)
else:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=number)
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear",
                                         task_type="CAUSAL_LM"))
optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
tokens = torch.randint(0, 49000, (4, 256))
for step in range(warmups + steps):
    begin, cpu = time.perf_counter(), time.process_time()
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimiser.step()
    optimiser.zero_grad()
    wall, busy = time.perf_counter() - begin, time.process_time() - cpu
    if step >= warmups:
        print("step", tokens.numel() / wall, tokens.numel() / busy, flush=True)
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
