#include "cli/verbs_training.h"

#include <string>

namespace loam::cli {

std::vector<Verb> training_verbs() {
  const std::string models = "Models";
  return {
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
  };
}

}  // namespace loam::cli
