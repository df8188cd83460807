#!/usr/bin/env python3
"""Makes the reference files of this folder: tiny random models with a LoRA adapter, and what PyTorch computes for
them in double precision. Run with torch, transformers and gguf installed (made with torch 2.15.0, transformers
5.23.0, gguf 0.19.0):  python3 src/train/testdata/make_fixture.py

For each family NAME: NAME.gguf is the base model, NAME.f32 holds the adapter, its gradients and some logits as
little-endian floats, and NAME.json says what lies where. Rows of the query and key projections of Llama are in
GGUF's order (rotated pairs are neighbours), which is also the order of the adapter's B and its gradients. Weights of
the base are exact in bf16, so that what is compared is the computing and not another rounding of the model.
"""
import copy
import json
import pathlib

import gguf
import numpy as np
import torch
from torch import nn
from transformers import (BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM)

HERE = pathlib.Path(__file__).parent
RANK, ALPHA, WEIGHT = 3, 5.0, 0.125
HEADS, KV_HEADS, HEAD, WIDTH, INNER, VOCABULARY, LAYERS = 4, 2, 6, 16, 22, 40, 2
COMMON = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
              num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD, rms_norm_eps=1e-5,
              max_position_embeddings=128, attn_implementation="eager", rope_theta=5000.0,
              rope_parameters={"rope_type": "default", "rope_theta": 5000.0})
TARGETS = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
           "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}


class LoraLinear(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.randn(RANK, base.in_features) * 0.2)
        self.b = nn.Parameter(torch.randn(base.out_features, RANK) * 0.2)

    def forward(self, x):
        return self.base(x) + ALPHA / RANK * (x @ self.a.T @ self.b.T)


def neighbours(matrix):
    """Rows of each head from 0, half, ... to pairs: 0, half, 1, half + 1, ..."""
    heads = matrix.shape[0] // HEAD
    rest = matrix.shape[1:]
    return matrix.reshape(heads, 2, HEAD // 2, *rest).swapaxes(1, 2).reshape(heads * HEAD, *rest)


def single(tensor):
    return tensor.detach().numpy().astype("<f4")


def make(name, model, tied):
    torch.manual_seed(7)
    for parameter_name, parameter in model.named_parameters():
        spread = 0.2
        centre = 1.0 if "norm" in parameter_name else 0.0
        parameter.data = (torch.randn(parameter.shape) * spread + centre).bfloat16().float()
    if tied:
        model.tie_weights()

    llama = name == "llama"
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", name)
    writer.add_name(f"tiny {name} of make_fixture.py")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(5000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"tok{i}" for i in range(VOCABULARY)])
    writer.add_token_types([1] * VOCABULARY)
    writer.add_token_merges(["t o", "to k"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    state = model.state_dict()
    writer.add_tensor("token_embd.weight", single(state["model.embed_tokens.weight"]))
    writer.add_tensor("output_norm.weight", single(state["model.norm.weight"]))
    if not tied:
        writer.add_tensor("output.weight", single(state["lm_head.weight"]))
    for i in range(LAYERS):
        source, block = f"model.layers.{i}.", f"blk.{i}."
        writer.add_tensor(block + "attn_norm.weight", single(state[source + "input_layernorm.weight"]))
        writer.add_tensor(block + "ffn_norm.weight", single(state[source + "post_attention_layernorm.weight"]))
        for theirs, ours in TARGETS.items():
            part = "self_attn." if ours.startswith("attn") else "mlp."
            weight = single(state[source + part + theirs + ".weight"])
            if llama and theirs in ("q_proj", "k_proj"):
                weight = np.ascontiguousarray(neighbours(weight))
            writer.add_tensor(block + ours + ".weight", weight)
            bias = state.get(source + part + theirs + ".bias")
            if bias is not None:
                writer.add_tensor(block + ours + ".bias", single(bias))
        for theirs, ours in (("q_norm", "attn_q_norm"), ("k_norm", "attn_k_norm")):
            norm = state.get(source + "self_attn." + theirs + ".weight")
            if norm is not None:
                writer.add_tensor(block + ours + ".weight", single(norm))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    for parameter in model.parameters():
        parameter.requires_grad = False
    adapters = {}
    for i, layer in enumerate(model.model.layers):
        for theirs, ours in TARGETS.items():
            owner = layer.self_attn if ours.startswith("attn") else layer.mlp
            wrapped = LoraLinear(getattr(owner, theirs))
            setattr(owner, theirs, wrapped)
            adapters[f"blk.{i}.{ours}"] = (theirs, wrapped)
    rounded = copy.deepcopy(model)
    model.double()

    generator = np.random.default_rng(3)
    lengths = [9, 1, 14]
    sequences = [[int(t) for t in generator.integers(0, VOCABULARY, n)] for n in lengths]
    counts = [[0] + [int(c) for c in generator.integers(0, 2, n - 1)] for n in lengths]

    def forward(network):
        loss, logits = 0.0, []
        for tokens, counted in zip(sequences, counts):
            out = network(input_ids=torch.tensor([tokens])).logits[0]
            for i in range(1, len(tokens)):
                if counted[i]:
                    loss = loss + nn.functional.cross_entropy(out[i - 1], torch.tensor(tokens[i]))
                    logits.append(out[i - 1])
        return loss, logits

    loss, logits = forward(model)
    (loss * WEIGHT).backward()
    # What PyTorch itself loses in bf16, as PEFT trains: products in bf16, adapter and residual stream in f32.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded_loss, _ = forward(rounded)
    (rounded_loss.float() * WEIGHT).backward()
    exact = [p.grad for p in model.parameters() if p.grad is not None]
    other = [p.grad.double() for p in rounded.parameters() if p.grad is not None]
    bf16_error = float((sum(((a - b)**2).sum() for a, b in zip(exact, other)) / sum((a**2).sum() for a in exact))**0.5)

    blob, index = bytearray(), []

    def keep(label, tensor):
        values = np.ascontiguousarray(single(tensor))
        index.append({"name": label, "shape": list(values.shape), "offset": len(blob) // 4})
        blob.extend(values.tobytes())

    for label, (theirs, wrapped) in adapters.items():
        b, b_gradient = wrapped.b.detach(), wrapped.b.grad
        if llama and theirs in ("q_proj", "k_proj"):
            b = torch.from_numpy(neighbours(b.numpy()))
            b_gradient = torch.from_numpy(neighbours(b_gradient.numpy()))
        keep(label + ".lora_a", wrapped.a)
        keep(label + ".lora_b", b)
        keep(label + ".lora_a.gradient", wrapped.a.grad)
        keep(label + ".lora_b.gradient", b_gradient)
    keep("logits", torch.stack(logits))
    (HERE / f"{name}.f32").write_bytes(bytes(blob))
    about = {"rank": RANK, "alpha": ALPHA, "weight": WEIGHT, "loss": float(loss), "bf16_error": bf16_error, "sequences": sequences,
             "counts": counts, "tensors": index}
    (HERE / f"{name}.json").write_text(json.dumps(about) + "\n")
    print(name, float(loss), bf16_error, len(blob))


make("llama", LlamaForCausalLM(LlamaConfig(**COMMON, tie_word_embeddings=False)), False)
make("qwen2", Qwen2ForCausalLM(Qwen2Config(**COMMON, tie_word_embeddings=True)), True)
make("qwen3", Qwen3ForCausalLM(Qwen3Config(**COMMON, tie_word_embeddings=False)), False)


# Encoders -------------------------------------------------------------------------------------------------

ENCODER_TARGETS = {"attention.self.query": "attn_q", "attention.self.key": "attn_k",
                   "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
                   "intermediate.dense": "ffn_up", "output.dense": "ffn_down"}


def make_bert():
    """bert.gguf: token type 0 everywhere and the approximate GELU, as llama.cpp computes it. The loss is a fixed
    product with the last states; bert.json and bert.f32 as above."""
    torch.manual_seed(11)
    model = BertModel(BertConfig(vocab_size=VOCABULARY, hidden_size=24, intermediate_size=INNER, num_hidden_layers=LAYERS,
                                 num_attention_heads=HEADS, max_position_embeddings=32, type_vocab_size=2,
                                 hidden_act="gelu_pytorch_tanh", attn_implementation="eager"),
                      add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        parameter.data = (torch.randn(parameter.shape) * 0.2 + centre).bfloat16().float()
    writer = gguf.GGUFWriter(HERE / "bert.gguf", "bert")
    writer.add_name("tiny bert of make_fixture.py")
    writer.add_block_count(LAYERS)
    writer.add_context_length(32)
    writer.add_embedding_length(24)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(2)
    writer.add_file_type(0)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")
    writer.add_token_list(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] +
                          [f"\u2581w{i}" for i in range(VOCABULARY - 5)])
    writer.add_token_types([3, 2, 3, 3, 3] + [1] * (VOCABULARY - 5))
    for key, number in (("padding", 0), ("unknown", 1), ("bos", 2), ("cls", 2), ("seperator", 3), ("mask", 4)):
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", number)
    state = model.state_dict()
    writer.add_tensor("token_embd.weight", single(state["embeddings.word_embeddings.weight"]))
    writer.add_tensor("position_embd.weight", single(state["embeddings.position_embeddings.weight"]))
    writer.add_tensor("token_types.weight", single(state["embeddings.token_type_embeddings.weight"]))
    norms = {"embeddings.LayerNorm": "token_embd_norm"}
    for i in range(LAYERS):
        norms[f"encoder.layer.{i}.attention.output.LayerNorm"] = f"blk.{i}.attn_output_norm"
        norms[f"encoder.layer.{i}.output.LayerNorm"] = f"blk.{i}.layer_output_norm"
        for theirs, ours in ENCODER_TARGETS.items():
            for part in ("weight", "bias"):
                writer.add_tensor(f"blk.{i}.{ours}.{part}", single(state[f"encoder.layer.{i}.{theirs}.{part}"]))
    for theirs, ours in norms.items():
        for part in ("weight", "bias"):
            writer.add_tensor(f"{ours}.{part}", single(state[f"{theirs}.{part}"]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    for parameter in model.parameters():
        parameter.requires_grad = False
    adapters = {}
    for i, layer in enumerate(model.encoder.layer):
        for theirs, ours in ENCODER_TARGETS.items():
            owner = layer
            *path, last = theirs.split(".")
            for part in path:
                owner = getattr(owner, part)
            wrapped = LoraLinear(getattr(owner, last))
            setattr(owner, last, wrapped)
            adapters[f"blk.{i}.{ours}"] = wrapped
    rounded = copy.deepcopy(model)
    model.double()

    generator = np.random.default_rng(5)
    sequences = [[int(t) for t in generator.integers(0, VOCABULARY, n)] for n in (9, 1, 14)]
    along = torch.from_numpy(generator.standard_normal((24, 24)))

    def states(network):
        return torch.cat([network(input_ids=torch.tensor([tokens])).last_hidden_state[0] for tokens in sequences])

    exact_states = states(model)
    (exact_states * along).sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        other_states = states(rounded)
    (other_states.double() * along).sum().backward()
    exact = [p.grad for p in model.parameters() if p.grad is not None]
    other = [p.grad.double() for p in rounded.parameters() if p.grad is not None]
    bf16_error = float((sum(((a - b)**2).sum() for a, b in zip(exact, other)) / sum((a**2).sum() for a in exact))**0.5)

    blob, index = bytearray(), []

    def keep(label, tensor):
        values = np.ascontiguousarray(single(tensor))
        index.append({"name": label, "shape": list(values.shape), "offset": len(blob) // 4})
        blob.extend(values.tobytes())

    for label, wrapped in adapters.items():
        keep(label + ".lora_a", wrapped.a)
        keep(label + ".lora_b", wrapped.b)
        keep(label + ".lora_a.gradient", wrapped.a.grad)
        keep(label + ".lora_b.gradient", wrapped.b.grad)
    keep("states", exact_states)
    keep("along", along)
    (HERE / "bert.f32").write_bytes(bytes(blob))
    (HERE / "bert.json").write_text(json.dumps({"rank": RANK, "alpha": ALPHA, "bf16_error": bf16_error,
                                                "sequences": sequences, "tensors": index}) + "\n")
    print("bert", bf16_error, len(blob))


make_bert()
