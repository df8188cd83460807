#!/usr/bin/env python3
"""Is an adapter of ours the same in PEFT, and one of theirs the same in Loam? Compares all logits on a whole model.
usage: peft_exchange.py LOAM BENCH_ADAPTERS BASE.gguf ADAPTER.gguf
LOAM is the program, BENCH_ADAPTERS the program of bench/adapters.cpp, BASE.gguf a model of the llama architecture and
ADAPTER.gguf an adapter that `loam train lora` made on it (a quantised form will do). The base is widened to F32, so that
both sides compute with the same numbers. Needs torch, transformers, peft, gguf.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import torch
from gguf import quants
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

loam, bench, base, adapter = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
work = pathlib.Path(tempfile.mkdtemp(prefix="peft_exchange_"))
home = work / "home"
(home / "adapters").mkdir(parents=True)
(home / "adapters" / "ours.gguf").write_bytes(adapter.read_bytes())
NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def run(*words):
    subprocess.run([str(word) for word in words], check=True)


def widened(path):
    """A copy of the model in F32, and the same weights for transformers."""
    reader = gguf.GGUFReader(path)
    fields = {key: field.contents() for key, field in reader.fields.items() if key.startswith(("llama.", "tokenizer.ggml.tokens"))}
    heads, kv_heads = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    width = fields["llama.embedding_length"]
    size = fields.get("llama.attention.key_length", width // heads)
    out = work / "base-f32.gguf"
    writer = gguf.GGUFWriter(out, "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub)
    writer.add_file_type(0)
    state = {}
    for tensor in reader.tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        values = values.reshape(list(reversed([int(n) for n in tensor.shape])))
        writer.add_tensor(tensor.name, values)
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            if parts[2] in ("attn_q", "attn_k"):
                rows = heads if parts[2] == "attn_q" else kv_heads
                values = values.reshape(rows, size // 2, 2, -1).swapaxes(1, 2).reshape(rows * size, -1)
            key = f"model.layers.{parts[1]}.{NAMES[parts[2]]}.{parts[3]}"
        else:
            key = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
                   "output.weight": "lm_head.weight"}[tensor.name]
        state[key] = torch.from_numpy(np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    config = LlamaConfig(
        vocab_size=state["model.embed_tokens.weight"].shape[0], hidden_size=width,
        intermediate_size=fields["llama.feed_forward_length"], num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=size,
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"], max_position_embeddings=2048,
        tie_word_embeddings="lm_head.weight" not in state, attn_implementation="eager",
        rope_parameters={"rope_type": "default", "rope_theta": fields.get("llama.rope.freq_base", 10000.0)})
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return out, model.eval()


def of_peft(model, tokens):
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens])).logits[0].float().numpy()


def of_loam(model, which, tokens):
    (work / "tokens.json").write_text(json.dumps(tokens))
    run(bench, "--logits", model, which, work / "tokens.json", work / "logits.f32")
    return np.fromfile(work / "logits.f32", dtype="<f4").reshape(len(tokens), -1)


def told(name, ours, theirs, bare):
    difference, effect = np.abs(ours - theirs).max(), np.abs(theirs - bare).max()
    print(f"{name}: largest difference of {ours.size} logits {difference:.2e}; the adapter itself changes them by up to "
          f"{effect:.2f}; same likeliest token at {(ours.argmax(1) == theirs.argmax(1)).mean():.1%}", flush=True)
    return difference < 1e-3 * max(1.0, np.abs(theirs).max())


f32, model = widened(base)
tokens = [int(t) for t in np.random.default_rng(1).integers(0, model.config.vocab_size, 48)]
bare = of_peft(model, tokens)
good = told("no adapter", of_loam(f32, "none", tokens), bare, bare)

run(loam, "--home", home, "adapters", "export", "ours", "--to", work / "exported", "-m", f32)
theirs = PeftModel.from_pretrained(model, work / "exported").eval()
good &= told("ours in PEFT", of_loam(f32, home / "adapters" / "ours.gguf", tokens), of_peft(theirs, tokens), bare)
model = theirs.unload()

for name, settings in {"all-linear": dict(r=8, lora_alpha=16, target_modules="all-linear"),
                       "rsLoRA with patterns": dict(r=8, lora_alpha=16, use_rslora=True, target_modules="all-linear",
                                                    rank_pattern={"q_proj": 4}, alpha_pattern={"down_proj": 5})}.items():
    torch.manual_seed(3)
    tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    for label, parameter in tuned.named_parameters():
        if "lora_" in label:
            parameter.data.normal_(0, 0.02)
    folder = work / name.split()[0]
    tuned.save_pretrained(folder)
    run(loam, "--home", home, "adapters", "import", folder, "--name", name.split()[0], "-m", f32)
    good &= told(f"theirs in Loam, {name}", of_loam(f32, home / "adapters" / f"{name.split()[0]}.gguf", tokens),
                 of_peft(tuned, tokens), bare)
    model = tuned.unload()
sys.exit(0 if good else 1)
