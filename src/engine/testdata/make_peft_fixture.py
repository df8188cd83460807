#!/usr/bin/env python3
"""Makes peft_llama/, peft_rslora/ and peft_qwen2/: adapters as PEFT saves them, and the logits that PEFT computes with them on the
tiny models of src/train/testdata. Made with peft 0.21.2, torch 2.15.0, transformers 5.23.0, gguf 0.19.0:
    python3 src/engine/testdata/make_peft_fixture.py
logits.f32 holds float32 little-endian, (tokens, vocabulary) row-major, of the tokens in tokens.json.
"""
import json
import pathlib

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent.parent / "train" / "testdata"
NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
TOKENS = [3, 17, 22, 5, 39, 0, 8, 8, 31, 12, 27]


def load(name):
    """The model of NAME.gguf in transformers, with the rows of Llama's query and key projections put back."""
    reader = gguf.GGUFReader(MODELS / f"{name}.gguf")
    fields = {key: field.contents() for key, field in reader.fields.items()}
    heads, kv_heads = fields[f"{name}.attention.head_count"], fields[f"{name}.attention.head_count_kv"]
    size = fields[f"{name}.attention.key_length"]
    state = {}
    for tensor in reader.tensors:
        values = np.array(tensor.data, dtype=np.float32).reshape(list(reversed([int(n) for n in tensor.shape])))
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            if name == "llama" and parts[2] in ("attn_q", "attn_k"):
                rows = heads if parts[2] == "attn_q" else kv_heads
                values = values.reshape(rows, size // 2, 2, -1).swapaxes(1, 2).reshape(rows * size, -1)
            key = f"model.layers.{parts[1]}.{NAMES[parts[2]]}.{parts[3]}"
        else:
            key = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
                   "output.weight": "lm_head.weight"}[tensor.name]
        state[key] = torch.from_numpy(values.copy())
    vocabulary, width = state["model.embed_tokens.weight"].shape
    common = dict(vocab_size=vocabulary, hidden_size=width, intermediate_size=fields[f"{name}.feed_forward_length"],
                  num_hidden_layers=fields[f"{name}.block_count"], num_attention_heads=heads,
                  num_key_value_heads=kv_heads, head_dim=size, rms_norm_eps=1e-5, attn_implementation="eager",
                  max_position_embeddings=128, tie_word_embeddings="lm_head.weight" not in state,
                  rope_parameters={"rope_type": "default", "rope_theta": fields[f"{name}.rope.freq_base"]})
    model = LlamaForCausalLM(LlamaConfig(**common)) if name == "llama" else Qwen2ForCausalLM(Qwen2Config(**common))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def make(name, dtype, folder=None, **settings):
    torch.manual_seed(5)
    model = get_peft_model(load(name), LoraConfig(lora_dropout=0.0, task_type="CAUSAL_LM", **settings))
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            parameter.data = (torch.randn(parameter.shape) * 0.2).to(dtype).float()
    folder = HERE / f"peft_{folder or name}"
    folder.mkdir(exist_ok=True)
    model.eval()
    with torch.no_grad():
        logits = model.double()(input_ids=torch.tensor([TOKENS])).logits[0]
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            parameter.data = parameter.data.to(dtype)
    model.peft_config["default"].base_model_name_or_path = f"tiny-{name}"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "logits.f32").write_bytes(logits.numpy().astype("<f4").tobytes())
    (folder / "tokens.json").write_text(json.dumps(TOKENS) + "\n")
    print(name, sorted(p.name for p in folder.iterdir()), float(logits.abs().max()))


if __name__ == "__main__":
    make("llama", torch.float32, r=3, lora_alpha=5, target_modules="all-linear", rank_pattern={"q_proj": 5},
         alpha_pattern={"down_proj": 7})
    make("llama", torch.bfloat16, "rslora", r=4, lora_alpha=6, use_rslora=True,
         target_modules=["q_proj", "k_proj", "down_proj"], layers_to_transform=[1])
    make("qwen2", torch.bfloat16, r=4, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "v_proj", "up_proj"])
