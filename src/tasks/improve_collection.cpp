#include "tasks/improve_collection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "tasks/eval_qa.h"
#include "tasks/eval_retrieval.h"

namespace loam::tasks {
namespace {

int whole(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double decimal(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string legs_name(retrieve::Legs legs) {
  return legs == retrieve::Legs::lexical_only ? "bm25"
         : legs == retrieve::Legs::dense_only ? "dense"
                                              : "both";
}

retrieve::Legs legs_named(const std::string& name) {
  return name == "bm25"    ? retrieve::Legs::lexical_only
         : name == "dense" ? retrieve::Legs::dense_only
                           : retrieve::Legs::both;
}

std::string rounded(double value) {
  return fmt::format("{}", static_cast<double>(static_cast<long>(value * 1e4 + 0.5)) / 1e4);
}

enum class Serves : std::uint8_t { both, asking, model };

/// The search space. A stage that comes later (a re-ranker, an adapter) is one more row.
struct Row {
  SpaceRow row;
  Serves serves;
  std::string (*get)(const CollectionSettings&);
  void (*set)(CollectionSettings&, const std::string&);
};

using Settings = CollectionSettings;

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      {{"ingest.passage_tokens", "passage tokens", {"64", "96", "128", "160", "200", "240"}, true, {}},
       Serves::both,
       [](const Settings& s) { return std::to_string(s.cut.passage_tokens); },
       [](Settings& s, const std::string& v) { s.cut.passage_tokens = whole(v); }},
      {{"ingest.overlap_sentences", "sentences shared by passages", {"0", "1", "2"}, true, {}},
       Serves::both,
       [](const Settings& s) { return std::to_string(s.cut.overlap_sentences); },
       [](Settings& s, const std::string& v) { s.cut.overlap_sentences = whole(v); }},
      {{"search.legs",
        "search",
        {"both", "bm25", "dense"},
        false,
        {{"both", "search by words and meaning"},
         {"bm25", "search by words alone"},
         {"dense", "search by meaning alone"}}},
       Serves::both,
       [](const Settings& s) { return legs_name(s.retrieve.legs); },
       [](Settings& s, const std::string& v) { s.retrieve.legs = legs_named(v); }},
      {{"search.lexical_weight", "weight of words", {"0.2", "0.3", "0.4", "0.55", "0.7", "0.8"}, false, {}},
       Serves::both,
       [](const Settings& s) { return rounded(static_cast<double>(s.retrieve.lexical_weight)); },
       [](Settings& s, const std::string& v) {
         s.retrieve.lexical_weight = static_cast<float>(decimal(v));
         s.retrieve.dense_weight = static_cast<float>(1 - decimal(v));
       }},
      {{"search.candidates", "candidates", {"30", "100", "300", "1000"}, false, {}},
       Serves::both,
       [](const Settings& s) { return std::to_string(s.retrieve.candidates); },
       [](Settings& s, const std::string& v) { s.retrieve.candidates = whole(v); }},
      {{"ask.passages", "passages shown", {"1", "2", "3", "4", "6", "8"}, false, {}},
       Serves::asking,
       [](const Settings& s) { return std::to_string(s.passages); },
       [](Settings& s, const std::string& v) { s.passages = whole(v); }},
      {{"ask.min_confidence",
        "least confidence",
        {"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"},
        false,
        {}},
       Serves::asking,
       [](const Settings& s) { return rounded(s.min_confidence); },
       [](Settings& s, const std::string& v) { s.min_confidence = decimal(v); }},
      {{"ask.baseline_only",
        "baseline only",
        {"false", "true"},
        false,
        {{"false", "with the language model"}, {"true", "without the language model"}}},
       Serves::model,
       [](const Settings& s) { return std::string(s.baseline_only ? "true" : "false"); },
       [](Settings& s, const std::string& v) { s.baseline_only = v == "true"; }},
      {{"ask.pre_prompt", "pre-prompt", {}, false, {}},
       Serves::model,
       [](const Settings& s) { return s.pre_prompt; },
       [](Settings& s, const std::string& v) { s.pre_prompt = v; }},
      {{"ask.answer_tokens", "answer tokens", {"32", "64", "96"}, false, {}},
       Serves::model,
       [](const Settings& s) { return std::to_string(s.answer_tokens); },
       [](Settings& s, const std::string& v) { s.answer_tokens = whole(v); }},
  };
  return rows;
}

/// What both pipelines share: the rows that serve them, and arms as settings.
class CollectionPipeline : public ImprovePipeline {
 public:
  CollectionPipeline(bool asking, CollectionSettings current, CollectionTools tools)
      : current_(std::move(current)), tools_(std::move(tools)) {
    for (const Row& row : table()) {
      const bool serves = row.serves == Serves::both || (asking && row.serves == Serves::asking) ||
                          (asking && row.serves == Serves::model && tools_.engine != nullptr);
      if (!serves) continue;
      SpaceRow own = row.row;
      if (own.key == "ask.pre_prompt") own.values = tools_.pre_prompts;
      if (own.recut && !tools_.can_recut) continue;
      if (own.key == "ingest.passage_tokens") {
        std::erase_if(own.values,
                      [&](const std::string& value) { return whole(value) > tools_.embedder.max_tokens(); });
      }
      if (tools_.fixed.contains(own.key)) own.values.clear();
      const std::string now = row.get(current_);
      if (std::find(own.values.begin(), own.values.end(), now) == own.values.end()) own.values.push_back(now);
      space_.push_back(std::move(own));
      rows_.push_back(&row);
    }
  }

  std::string fingerprint() const override { return tools_.fingerprint; }
  const std::vector<SpaceRow>& space() const override { return space_; }
  Arm current() const override {
    Arm arm;
    for (const Row* row : rows_) arm[row->row.key] = row->get(current_);
    return arm;
  }
  Arm canonical(Arm arm) const override {
    const Arm now = current();
    const auto back = [&](const std::string& key) {
      const auto value = now.find(key);
      if (value != now.end()) arm[key] = value->second;
    };
    const auto is = [&](const std::string& key, const std::string& value) {
      const auto found = arm.find(key);
      return found != arm.end() && found->second == value;
    };
    if (arm.contains("search.legs") && !is("search.legs", "both")) back("search.lexical_weight");
    if (is("ask.baseline_only", "true")) {
      back("ask.pre_prompt");
      back("ask.answer_tokens");
    }
    return arm;
  }

 protected:
  CollectionSettings settings_of_arm(const Arm& arm) const {
    CollectionSettings settings = current_;
    for (const Row* row : rows_) {
      const auto value = arm.find(row->row.key);
      if (value != arm.end()) row->set(settings, value->second);
    }
    return settings;
  }
  const CollectionTools& tools() const { return tools_; }

 private:
  CollectionSettings current_;
  CollectionTools tools_;
  std::vector<SpaceRow> space_;
  std::vector<const Row*> rows_;
};

std::string normalised(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') out += c;
  }
  return out;
}

class QaPipeline final : public CollectionPipeline {
 public:
  QaPipeline(QaImprovement what, CollectionSettings current, CollectionTools tools)
      : CollectionPipeline(true, std::move(current), std::move(tools)), what_(std::move(what)) {}

  std::string task() const override { return "qa"; }
  std::string metric() const override { return what_.metric; }
  std::string item_word() const override { return "question"; }
  const eval::DataVersion& data() const override { return what_.data.version; }
  std::size_t items() const override { return what_.data.cases.size(); }
  std::string item_id(std::size_t item) const override { return what_.data.cases[item].id; }
  std::vector<Grouping> groupings() const override {
    Grouping documents{"document", {}}, passages{"passage", {}}, questions{"question", {}};
    for (const eval::QaCase& one : what_.data.cases) {
      const std::string question = "question " + normalised(one.question);
      documents.group_of.push_back(one.source.empty() ? question : one.source);
      passages.group_of.push_back(one.quote.empty() ? question : one.source + "\n" + normalised(one.quote));
      questions.group_of.push_back(question);
    }
    return {std::move(documents), std::move(passages), std::move(questions)};
  }

  Result<std::vector<eval::ItemResult>> run(const Arm& arm, std::span<const std::size_t> items,
                                            const RunLimits& limits, std::uint64_t& tokens) override {
    const double start = limits.clock.seconds();
    const CollectionSettings settings = settings_of_arm(arm);
    auto shelf = tools().shelf(settings.cut, limits.progress, limits.stop);
    if (!shelf) {
      if (limits.stop.stop_requested()) return std::vector<eval::ItemResult>();
      return shelf.error();
    }
    answer::AskOptions ask;
    ask.passages_shown = settings.passages;
    ask.answer_tokens = settings.answer_tokens;
    ask.min_confidence = 0;  // applied afterwards, so that arms which differ in it alone share their answers
    ask.use_model = !settings.baseline_only;
    ask.retrieve = settings.retrieve;
    ask.reader = settings.reader;
    engine::Engine* engine = settings.baseline_only ? nullptr : tools().engine;
    if (engine != nullptr) {
      auto pre_prompt = tools().load_pre_prompt(settings.pre_prompt);
      if (!pre_prompt) return pre_prompt.error();
      ask.pre_prompt = std::move(*pre_prompt);
    }
    Arm forced = arm;
    forced.erase("ask.min_confidence");
    std::string name;
    for (const auto& [key, value] : forced) name += key + "=" + value + "\n";
    std::map<std::size_t, Forced>& known = answers_[name];
    std::vector<eval::ItemResult> results;
    for (const std::size_t item : items) {
      if (limits.stop.stop_requested() || limits.clock.seconds() - start >= limits.seconds) break;
      if (limits.progress) limits.progress({"asking", results.size(), items.size()});
      const eval::QaCase& question = what_.data.cases[item];
      auto found = known.find(item);
      if (found == known.end()) {
        Forced one;
        auto answered =
            answer::ask(*shelf->retriever, tools().embedder, engine, question.question, ask, {}, limits.stop);
        if (limits.stop.stop_requested()) break;
        if (answered) {
          one.answered.abstained = answered->abstained || !answered->text;
          one.answered.text = answered->text.value_or("");
          one.answered.confidence = static_cast<double>(answered->confidence);
          one.answered.citations = answered->citations;
          tokens += static_cast<std::uint64_t>(answered->usage.prompt_tokens) +
                    static_cast<std::uint64_t>(answered->usage.answer_tokens);
        } else if (answered.error().kind == Kind::bad_request || answered.error().kind == Kind::out_of_room) {
          one.refusal = answered.error().line();
        } else {
          return answered.error();
        }
        found = known.emplace(item, std::move(one)).first;
      }
      results.push_back(scored(question, found->second, settings.min_confidence));
    }
    return results;
  }

 private:
  /// An answer as it is before the threshold.
  struct Forced {
    Answered answered;
    std::string refusal;
  };

  eval::ItemResult scored(const eval::QaCase& question, const Forced& forced, double threshold) const {
    const bool silent = forced.answered.abstained || forced.answered.confidence < threshold;
    const Answered shown = silent ? Answered{} : forced.answered;
    eval::ItemResult item;
    item.id = question.id;
    item.cluster = question.source;
    item.scores = score_answer(question, shown);
    const bool right = item.scores.at("right") > 0.5;
    const double silence = what_.wrong_cost / (1 + what_.wrong_cost);
    item.scores["worth"] = right ? 1.0 : shown.abstained ? silence : 0.0;
    item.output = !forced.refusal.empty() ? forced.refusal : shown.text;
    return item;
  }

  QaImprovement what_;
  std::map<std::string, std::map<std::size_t, Forced>> answers_;  // by settings, then by item
};

class RetrievalPipeline final : public CollectionPipeline {
 public:
  RetrievalPipeline(eval::RetrievalData data, std::string metric, CollectionSettings current,
                    CollectionTools tools)
      : CollectionPipeline(false, std::move(current), std::move(tools)),
        data_(std::move(data)),
        metric_(std::move(metric)) {}

  std::string task() const override { return "retrieval"; }
  std::string metric() const override { return metric_; }
  std::string item_word() const override { return "query"; }
  const eval::DataVersion& data() const override { return data_.version; }
  std::size_t items() const override { return data_.queries.size(); }
  std::string item_id(std::size_t item) const override { return data_.queries[item].id; }
  std::vector<Grouping> groupings() const override {
    // Queries that share a relevant document hang together.
    std::map<std::string, std::size_t> first_of;
    std::vector<std::size_t> parent(data_.queries.size());
    for (std::size_t i = 0; i < parent.size(); ++i) parent[i] = i;
    const auto root = [&](std::size_t i) {
      while (parent[i] != i) i = parent[i] = parent[parent[i]];
      return i;
    };
    for (std::size_t i = 0; i < data_.queries.size(); ++i) {
      for (const auto& [id, grade] : data_.queries[i].judged) {
        if (grade <= 0) continue;
        const std::size_t other = root(first_of.try_emplace(id, i).first->second);
        const std::size_t own = root(i);
        parent[std::max(own, other)] = std::min(own, other);
      }
    }
    Grouping documents{"document", {}}, queries{"query", {}};
    for (std::size_t i = 0; i < data_.queries.size(); ++i) {
      documents.group_of.push_back("with " + data_.queries[root(i)].id);
      queries.group_of.push_back(normalised(data_.queries[i].text));
    }
    return {std::move(documents), std::move(queries)};
  }

  Result<std::vector<eval::ItemResult>> run(const Arm& arm, std::span<const std::size_t> items,
                                            const RunLimits& limits, std::uint64_t&) override {
    const double start = limits.clock.seconds();
    const CollectionSettings settings = settings_of_arm(arm);
    auto shelf = tools().shelf(settings.cut, limits.progress, limits.stop);
    if (!shelf) {
      if (limits.stop.stop_requested()) return std::vector<eval::ItemResult>();
      return shelf.error();
    }
    return rank_queries(
        *shelf->retriever, *shelf->store, shelf->collection, data_, items, settings.retrieve,
        [&] { return limits.clock.seconds() - start >= limits.seconds; }, limits.progress, limits.stop);
  }

 private:
  eval::RetrievalData data_;
  std::string metric_;
};

Result<void> check_metric(const std::string& metric, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), metric) != known.end()) return done();
  return Error{Kind::bad_request, "--metric", "\"" + metric + "\" is no score that can be improved here",
               "--metric " + fmt::format("{}", fmt::join(known, ", or "))};
}

}  // namespace

const std::vector<std::string>& qa_metrics_to_improve() {
  static const std::vector<std::string> names = {"worth", "right", "f1", "exact_match"};
  return names;
}

const std::vector<std::string>& retrieval_metrics_to_improve() {
  static const std::vector<std::string> names = {"ndcg@10", "recall@10", "recall@100", "mrr"};
  return names;
}

Result<std::string> fingerprint_of(store::Store& store, CollectionId collection) {
  std::vector<std::string> lines;
  auto visited = store.for_each_document(collection, [&](const store::DocumentRow& row) {
    lines.push_back(row.source + "\n" + row.content_hash + "\n" + row.recipe + "\n");
  });
  if (!visited) return visited.error();
  std::sort(lines.begin(), lines.end());
  Sha256 hash;
  for (const std::string& line : lines) hash.add(line);
  return hash.hex();
}

Result<std::unique_ptr<ImprovePipeline>> improve_qa(QaImprovement what, const CollectionSettings& current,
                                                    CollectionTools tools) {
  if (auto known = check_metric(what.metric, qa_metrics_to_improve()); !known) return known.error();
  return std::unique_ptr<ImprovePipeline>(
      std::make_unique<QaPipeline>(std::move(what), current, std::move(tools)));
}

Result<std::unique_ptr<ImprovePipeline>> improve_retrieval(eval::RetrievalData data,
                                                           const std::string& metric,
                                                           const CollectionSettings& current,
                                                           CollectionTools tools) {
  if (auto known = check_metric(metric, retrieval_metrics_to_improve()); !known) return known.error();
  return std::unique_ptr<ImprovePipeline>(
      std::make_unique<RetrievalPipeline>(std::move(data), metric, current, std::move(tools)));
}

}  // namespace loam::tasks
