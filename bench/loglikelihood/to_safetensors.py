#!/usr/bin/env python3
"""The weights of a GGUF Llama model in float32, as the folder that transformers reads: to_safetensors.py GGUF OUT

The tokenizer is built from the GGUF's vocabulary and merges with the pre-tokenizer of SmolLM2 (digits one by
one, then GPT-2's byte-level split); compare.py checks that both programs count the same tokens.
"""
import json
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
BLOCK = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
         "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}

source, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
reader = GGUFReader(source)


def field(name):
    return reader.get_field(name).contents()


def token_field(name):
    return field("tokenizer.ggml." + name)


if field("general.architecture") != "llama" or token_field("pre") != "smollm":
    sys.exit(f"{source}: this script converts SmolLM2's form of Llama only")
heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")


def halves_together(weight, count):
    """GGUF interleaves the two halves that rotate together; transformers keeps one after the other."""
    rows, columns = weight.shape
    return weight.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


tensors = {}
for tensor in reader.tensors:
    stem = tensor.name.removesuffix(".weight")
    weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    if stem.startswith("blk."):
        _, layer, part = stem.split(".")
        if part == "attn_q":
            weight = halves_together(weight, heads)
        if part == "attn_k":
            weight = halves_together(weight, kv_heads)
        name = f"model.layers.{layer}.{BLOCK[part]}"
    elif stem in NAMES:
        name = NAMES[stem]
    else:
        print("left out:", tensor.name, file=sys.stderr)
        continue
    tensors[name + ".weight"] = np.ascontiguousarray(weight)
save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})

tokens, types = token_field("tokens"), token_field("token_type")
bos, eos = token_field("bos_token_id"), token_field("eos_token_id")
config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32",
          "vocab_size": len(tokens), "hidden_size": field("llama.embedding_length"),
          "intermediate_size": field("llama.feed_forward_length"),
          "num_hidden_layers": field("llama.block_count"), "num_attention_heads": heads,
          "num_key_value_heads": kv_heads, "max_position_embeddings": field("llama.context_length"),
          "rms_norm_eps": field("llama.attention.layer_norm_rms_epsilon"),
          "rope_theta": field("llama.rope.freq_base"),
          "rope_parameters": {"rope_type": "default", "rope_theta": field("llama.rope.freq_base")}, "hidden_act": "silu", "attention_bias": False,
          "tie_word_embeddings": "lm_head.weight" not in tensors, "bos_token_id": bos, "eos_token_id": eos}
(out / "config.json").write_text(json.dumps(config, indent=1))

merges = [tuple(merge.split(" ", 1)) for merge in token_field("merges")]
tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens([AddedToken(tokens[i], special=True, normalized=False)
                              for i, kind in enumerate(types) if kind == 3])
tokenizer.save(str(out / "tokenizer.json"))
(out / "tokenizer_config.json").write_text(json.dumps(
    {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokens[bos], "eos_token": tokens[eos],
     "model_max_length": field("llama.context_length"), "clean_up_tokenization_spaces": False}))
print(f"{sum(t.size for t in tensors.values()):,} parameters in {out}")
