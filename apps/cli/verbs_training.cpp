#include "cli/verbs_training.h"

#include <string>

namespace loam::cli {

std::vector<Verb> training_verbs() {
  const std::string models = "Models";
  return {
      {"train draft",
       models,
       "",
       0,
       0,
       "draft training data out of your own documents",
       "Questions whose answers stand in the collection's documents word for word: definitions, fields, what "
       "stands first under a heading, and values left out of their sentence. Each keeps its document, page "
       "and "
       "bytes. No language model takes part, so nothing is invented, but questions are plain and some are "
       "not "
       "worth asking: look through the file, edit it, delete lines. An existing file is never written over.",
       "the documents hold nothing to ask for",
       {{"loam train draft -c handbook --out-data draft.jsonl",
         "then edit it, then: loam train lora --data "
         "draft.jsonl"},
        {"loam train draft --out-data draft.jsonl --items 500", "500 questions from all documents in turns"}},
       run_train_draft},
      {"train lora",
       models,
       "",
       0,
       0,
       "teach a model from your own examples: a LoRA adapter, trained on this machine's processor",
       "Learns the answers in the data on the very GGUF that is served, whatever its quantisation; llama, "
       "qwen2 and "
       "qwen3 models. Rows that are empty, repeated, unreadable or too long are told with their lines and "
       "left out, "
       "never cut. A part is held out, and its loss is shown before and after. Ctrl-C leaves a checkpoint "
       "beside "
       "the adapter; --resume goes on from it and ends with the same bytes.",
       "it was stopped before the end; --resume goes on",
       {{"loam train lora --data tickets.jsonl", "three epochs with the usual settings"},
        {"loam train lora --data tickets.csv --rank 8 --targets q_proj,v_proj --out tickets.gguf",
         "a smaller adapter"},
        {"loam train lora --data tickets.jsonl --resume", "go on after Ctrl-C"}},
       run_train_lora},
      {"train reader",
       models,
       "",
       0,
       0,
       "teach a small encoder to mark the words of a passage that answer a question",
       "A span head on a BERT encoder such as the embedding model, with a LoRA adapter, in one file. Data is "
       "SQuAD's JSON (1.1 or 2.0) or lines with a question, its context and the answer's place. Questions "
       "are "
       "asked of passages that do not answer them too, so that the reader learns to say nothing. Rows that "
       "are "
       "empty, repeated, unreadable, too long, or whose answer does not stand in the context are told with "
       "their lines and left out.",
       "it was stopped before the end; --resume goes on",
       {{"loam train reader --data questions.json", "three epochs with the usual settings"},
        {"loam train reader --data questions.jsonl --negatives 1 --out reader.gguf",
         "as many passages without the answer as with it"}},
       run_train_reader},
      {"train reranker",
       models,
       "",
       0,
       0,
       "teach a small encoder which of the found passages answers the question best",
       "A score for a question read together with a passage. The right passage of each question has to win "
       "against wrong ones that look right: those that searches by words and by vectors put first. Data is "
       "lines of question and passage, with negatives of your own where you have them, or SQuAD's JSON.",
       "it was stopped before the end; --resume goes on",
       {{"loam train reranker --data questions.jsonl", "with hard negatives out of the data's own passages"},
        {"loam train reranker --data questions.json --negatives 8 --epochs 1",
         "more wrong passages, one epoch"}},
       run_train_reranker},
      {"train embedder",
       models,
       "",
       0,
       0,
       "teach the embedding model your own questions and passages",
       "Questions move towards the passages that answer them and away from the others of the same step and "
       "from wrong ones that look right. Data as for train reranker. Collections must be embedded again with "
       "the adapter.",
       "it was stopped before the end; --resume goes on",
       {{"loam train embedder --data questions.jsonl", "two epochs with the usual settings"},
        {"loam train embedder --data questions.jsonl --batch-size 128 --lr 0.0005", "more passages a step"}},
       run_train_embedder},
      {"train head",
       models,
       "",
       0,
       0,
       "teach a classifier from a few labelled texts",
       "Texts of one label are drawn together and others apart, then a head is fitted on what the encoder "
       "makes "
       "of them. Data as loam classify reads it.",
       "it was stopped before the end; --resume goes on",
       {{"loam train head --data tickets.csv --text message --label team", "a classifier of tickets"}},
       run_train_head},
      {"adapters list",
       models,
       "",
       0,
       0,
       "the adapters on this machine, what each is for, and which is in use",
       "",
       "there is none",
       {{"loam adapters", "name, base, rank, size, what it learnt from, what the gate said"}},
       run_adapters_list},
      {"adapters use",
       models,
       "NAME",
       1,
       1,
       "make an adapter the default of its model",
       "From then on every verb that opens the model puts the adapter on it, unless --adapter says "
       "otherwise. "
       "Holds for all quantisations of the model. `loam adapters use none` ends it.",
       "",
       {{"loam adapters use tickets", "from now on"}, {"loam adapters use none", "the bare model again"}},
       run_adapters_use},
      {"adapters scale",
       models,
       "NAME SCALE",
       2,
       2,
       "how strongly an adapter acts where nothing else is said",
       "1 is as it was trained, 0 is the bare model; --adapter NAME:SCALE says it for one call.",
       "",
       {{"loam adapters scale tickets 0.5", "half"}},
       run_adapters_scale},
      {"adapters check",
       models,
       "NAME",
       1,
       1,
       "is this adapter better than what serves now, and what did the model forget for it?",
       "Both answer the held-out items of --data in turns; a paired test says whether the adapter is better "
       "or was "
       "lucky. Perplexity of general text and of plain instructions says what was forgotten, the median time "
       "for a "
       "token what it costs. Items must not be among those it learnt from. Both sides are runs of the "
       "ledger, "
       "whatever comes out.",
       "it did not pass",
       {{"loam adapters check tickets --data held-out.jsonl", "against the model as it serves now"},
        {"loam adapters check tickets --data held-out.csv --metric exact_match", "only whole answers count"}},
       run_adapters_check},
      {"adapters promote",
       models,
       "NAME",
       1,
       1,
       "let an adapter that passed its check serve by default",
       "Refused for what never passed `loam adapters check`, and for bytes that changed since; --force does "
       "it all "
       "the same, and the list says so.",
       "",
       {{"loam adapters promote tickets", "from now on"}},
       run_adapters_promote},
      {"adapters merge",
       models,
       "NAME[:SCALE]",
       1,
       1,
       "put an adapter into its model for good",
       "Writes one GGUF, tensor by tensor, as F16 or Q8_0 (anything coarser rounds the adapter away), and "
       "tells the "
       "loss against model and adapter side by side.",
       "",
       {{"loam adapters merge tickets --out merged.gguf", "as Q8_0"},
        {"loam adapters merge tickets:0.5 --out merged.gguf --type f16", "at half strength"}},
       run_adapters_merge},
      {"adapters export",
       models,
       "NAME",
       1,
       1,
       "write an adapter for HuggingFace PEFT",
       "Makes adapter_model.safetensors and adapter_config.json, which PEFT loads on the publisher's form of "
       "the "
       "model.",
       "",
       {{"loam adapters export tickets --to tickets-peft", "for others"}},
       run_adapters_export},
      {"adapters import",
       models,
       "PATH",
       1,
       1,
       "take in an adapter: a folder of HuggingFace PEFT, or a LoRA GGUF",
       "What llama.cpp cannot serve is refused by name: DoRA, trained biases, modules_to_save. --model says "
       "what it "
       "was trained on, where that is not the default model.",
       "",
       {{"loam adapters import ./my-peft-adapter --name tickets", "from PEFT"},
        {"loam adapters import tickets.gguf", "from another machine"}},
       run_adapters_import},
      {"adapters remove",
       models,
       "NAME",
       1,
       1,
       "remove an adapter from this machine",
       "What the ledger says of it stays.",
       "",
       {{"loam adapters remove tickets", "free its space"}},
       run_adapters_remove},
  };
}

}  // namespace loam::cli
