// The story of one question, top to bottom.
#include <algorithm>
#include <unordered_set>

#include "answer/align.h"
#include "answer/answer.h"
#include "answer/draft.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "baseline/features.h"
#include "baseline/words.h"
#include "passage/cutter.h"

namespace loam::answer {
namespace {

constexpr int kBaselinePassages = 5;  // as in the run that fitted the baseline (bench/baseline/README.md)

// What carries a sentence of the model must score at least so much of what the baseline's best sentence does;
// otherwise it is true but beside the point. The share at which the baseline itself gives a further sentence.
constexpr float kEvidenceShare = 0.6F;

// "One to three short sentences" is what the pre-prompt asks for.
constexpr std::size_t kEnoughSentences = 3;
constexpr std::size_t kHopelessSentences = 2;  // without one that holds

struct Terms {
  std::vector<std::string> words;
  std::vector<float> idf;
};

Result<Terms> terms_of(retrieve::Retriever& retriever, const std::string& question) {
  Terms terms;
  for (const baseline::Word& word : baseline::words_of(question)) {
    if (!word.stop && std::find(terms.words.begin(), terms.words.end(), word.lower) == terms.words.end()) {
      terms.words.push_back(word.lower);
    }
  }
  if (terms.words.empty()) return terms;
  Result<std::vector<float>> idf = retriever.idf(terms.words);
  if (!idf) return idf.error();
  terms.idf = std::move(*idf);
  return terms;
}

/// Gives each cited span one number, in order of first use.
class Citations {
 public:
  /// Nothing when the span is not inside the passage: then there is nothing to quote.
  std::optional<int> cite(const Hit& hit, Span span) {
    if (span.empty() || !hit.passage.span.contains(span)) return std::nullopt;
    for (const Citation& known : list_) {
      if (known.document == hit.passage.document && known.source == hit.source && known.span == span)
        return known.id;
    }
    Citation citation;
    citation.id = static_cast<int>(list_.size()) + 1;
    citation.document = hit.passage.document;
    citation.passage = hit.passage.id;
    citation.source = hit.source;
    citation.page = hit.page_at(span.start);
    citation.span = span;
    const Span local = {span.start - hit.passage.span.start, span.end - hit.passage.span.start};
    citation.quote = std::string(slice(hit.passage.text, local));
    citation.why = hit.why;
    list_.push_back(std::move(citation));
    return list_.back().id;
  }
  std::vector<Citation> take() { return std::move(list_); }

 private:
  std::vector<Citation> list_;
};

std::string join(const std::vector<AnswerSentence>& sentences) {
  std::string text;
  for (const AnswerSentence& sentence : sentences) {
    if (sentence.supported) text += (text.empty() ? "" : " ") + sentence.text;
  }
  return text;
}

/// Sentences that were found, not written: each carries itself.
std::vector<AnswerSentence> extracted(const baseline::ExtractiveAnswer& found, const std::vector<Hit>& hits,
                                      Answer& answer) {
  std::vector<AnswerSentence> sentences;
  Citations citations;
  for (const baseline::ScoredSentence& sentence : found.sentences) {
    const Hit& hit = hits[sentence.hit];
    const std::optional<int> id = citations.cite(hit, sentence.span);
    if (!id) continue;
    sentences.push_back({on_one_line(sentence.text), true, {*id}, ""});
    const std::optional<Span>& words = sentence.short_answer;
    if (sentences.size() == 1 && words && !words->empty() && sentence.span.contains(*words)) {
      const Span local = {words->start - hit.passage.span.start, words->end - hit.passage.span.start};
      answer.baseline_short_answer = {std::string(slice(hit.passage.text, local)), *words, *id};
    }
  }
  answer.baseline_citations = citations.take();
  return sentences;
}

/// The baseline's words, where one of these citations quotes them.
std::optional<ShortAnswer> short_answer_of(const Answer& answer, const std::vector<Citation>& citations) {
  if (!answer.baseline_short_answer) return std::nullopt;
  ShortAnswer words = *answer.baseline_short_answer;
  const Citation& own = answer.baseline_citations[static_cast<std::size_t>(words.citation) - 1];
  for (const Citation& citation : citations) {
    if (citation.document != own.document || citation.source != own.source) continue;
    if (!citation.span.contains(words.span)) continue;
    words.citation = citation.id;
    return words;
  }
  return std::nullopt;
}

struct Checked {
  std::vector<AnswerSentence> sentences;  ///< of the draft, supported or not
  std::vector<Citation> citations;
  bool any_supported = false;
};

bool starts_with_pronoun(std::string_view text) {
  static const std::unordered_set<std::string_view> kWords = {
      "it", "they", "he", "she", "its", "their", "his", "her", "this", "these", "those", "such"};
  const std::vector<baseline::Word> words = baseline::words_of(text.substr(0, 80));
  return !words.empty() && kWords.contains(words.front().lower);
}

/// Aligns each sentence of the draft with the shown passages.
Checked check(const std::vector<std::string>& draft, const std::vector<Hit>& shown) {
  Checked checked;
  Citations citations;
  std::optional<std::size_t> previous_hit;  // whom "it" means: the subject of the sentence before
  for (const std::string& text : draft) {
    const Support support = align(text, shown);
    AnswerSentence sentence{text, support.supported, {}, support.why_not};
    if (support.supported && starts_with_pronoun(text) && previous_hit != support.hit) {
      sentence.supported = false;
      sentence.why_not = "it is not clear of whom it speaks";
    }
    const std::optional<int> id =
        sentence.supported ? citations.cite(shown[support.hit], support.span) : std::nullopt;
    if (id) {
      sentence.citations = {*id};
      previous_hit = support.hit;
      checked.any_supported = true;
    } else {
      sentence.supported = false;
      previous_hit.reset();
    }
    checked.sentences.push_back(std::move(sentence));
  }
  checked.citations = citations.take();
  return checked;
}

/// How well the baseline thinks of the sentence that carries this one.
float evidence_score(const Citation& citation, const baseline::ExtractiveAnswer& found,
                     const std::vector<Hit>& hits) {
  for (const baseline::ScoredSentence& sentence : found.considered) {  // best first
    const bool overlap = sentence.span.start < citation.span.end && citation.span.start < sentence.span.end;
    if (hits[sentence.hit].passage.document == citation.document && overlap) return sentence.score;
  }
  return 0;
}

/// Whether the checked sentences answer this question about as well as the baseline does. Sentences that are
/// true but beside the question are marked as not supported.
bool answers(Checked& checked, const baseline::ExtractiveAnswer& found, const std::vector<Hit>& hits,
             const baseline::Question& question) {
  if (found.sentences.empty()) return checked.any_supported;
  const baseline::ScoredSentence& best = found.sentences.front();
  std::string said;
  for (AnswerSentence& sentence : checked.sentences) {
    if (!sentence.supported) continue;
    const Citation& citation = checked.citations[static_cast<std::size_t>(sentence.citations.front()) - 1];
    if (evidence_score(citation, found, hits) < kEvidenceShare * best.score) {
      sentence.supported = false;
      sentence.citations.clear();
      sentence.why_not = "it is in the documents, but does not answer the question";
      continue;
    }
    said += sentence.text + "\n";
  }
  if (said.empty()) return false;
  return baseline::holds_answer_of(question.type, said, question.text) ||
         !baseline::holds_answer_of(question.type, best.text, question.text);
}

/// The citations that supported sentences use, numbered anew.
std::vector<Citation> used(std::vector<AnswerSentence>& sentences, std::vector<Citation> citations) {
  std::vector<Citation> kept;
  std::vector<int> number(citations.size() + 1, 0);
  for (AnswerSentence& sentence : sentences) {
    for (int& id : sentence.citations) {
      const auto old = static_cast<std::size_t>(id);
      if (number[old] == 0) {
        kept.push_back(std::move(citations[old - 1]));
        kept.back().id = number[old] = static_cast<int>(kept.size());
      }
      id = number[old];
    }
  }
  return kept;
}

/// Watches a draft grow, and says when more of it would only cost time.
class DraftWatch {
 public:
  DraftWatch(const std::vector<Hit>& shown, const std::string& question)
      : shown_(shown), question_(question) {}

  /// False when the draft should end.
  bool goes_on(std::string_view piece) {
    text_ += piece;
    // A sentence is whole once the next has begun: "4." may become "4.90 EUR".
    const std::vector<Span> spans = passage::sentences(text_);
    while (!ended_ && whole_ + 1 < spans.size()) {
      take(spans[whole_], spans[whole_ + 1].start);
      ++whole_;
      if (whole_ >= kHopelessSentences && held_ == 0) ended_ = true;
    }
    return !ended_;
  }
  bool ended() const { return ended_; }
  /// Bytes of the draft that count.
  std::size_t end() const { return end_; }

 private:
  void take(Span sentence, std::size_t next) {
    end_ = sentence.end;
    const bool again = !seen_.insert(to_lower_utf8(on_one_line(slice(text_, sentence)))).second;
    for (const std::string& said : sentences_of_draft(slice(text_, sentence), question_, false)) {
      ++said_;
      held_ += align(said, shown_).supported ? 1U : 0U;
    }
    const bool new_part = slice(text_, {sentence.end, next}).find("\n\n") != std::string_view::npos;
    ended_ = again || said_ >= kEnoughSentences || (new_part && held_ > 0);
  }

  const std::vector<Hit>& shown_;
  const std::string& question_;
  std::string text_;
  std::unordered_set<std::string> seen_;
  std::size_t whole_ = 0, said_ = 0, held_ = 0, end_ = 0;
  bool ended_ = false;
};

Answer& abstain(Answer& answer, std::string reason) {
  answer.abstained = true;
  answer.reason = std::move(reason);
  answer.from = AnswerFrom::nobody;
  answer.text.reset();
  return answer;
}

/// Lets the model draft an answer from the passages.
Result<void> draft(Answer& answer, engine::Engine& engine, const std::vector<Hit>& shown,
                   const std::string& question, const AskOptions& options, const engine::TextSink& on_draft,
                   std::stop_token stop, bool& cut_off) {
  const prompt::Budget budget{engine.context_tokens(), options.answer_tokens};
  Result<prompt::Prompt> built =
      prompt::build(engine, options.pre_prompt, options.memory, shown, question, budget);
  if (!built) return built.error();
  answer.prompt = std::move(*built);
  if (answer.prompt.shown.empty()) return done();  // not one passage fits: nothing could be checked
  engine::GenerateRequest request;
  request.messages = answer.prompt.messages;
  request.max_tokens = options.answer_tokens;
  request.sampling = options.sampling;
  DraftWatch watch(answer.prompt.shown, question);
  const auto sink = [&](std::string_view piece) {
    return (!on_draft || on_draft(piece)) && watch.goes_on(piece);
  };
  Result<engine::Draft> written = engine.generate(request, sink, std::move(stop));
  if (!written) return written.error();
  answer.draft = std::move(written->text);
  if (watch.ended()) answer.draft.resize(std::min(answer.draft.size(), watch.end()));
  answer.usage = written->usage;
  answer.timings.prefill_ms = written->usage.prefill_ms;
  answer.timings.decode_ms = written->usage.decode_ms;
  cut_off = !watch.ended() && written->finish != engine::FinishReason::stop;
  return done();
}

}  // namespace

Result<Answer> ask(retrieve::Retriever& retriever, engine::Embedder& embedder, engine::Engine* engine,
                   const std::string& question, const AskOptions& options, const engine::TextSink& on_draft,
                   std::stop_token stop) {
  const Stopwatch total;
  Answer answer;
  const auto finish = [&]() -> Result<Answer> {
    answer.timings.total_ms = total.milliseconds();
    return std::move(answer);
  };
  if (baseline::words_of(question).empty()) {
    return Error{Kind::bad_request, "question", "the question has no words",
                 "ask, for example: loam ask \"What is the notice period?\""};
  }
  if (options.passages_shown < 1 || options.answer_tokens < 1) {
    return Error{Kind::bad_request, "options", "passages shown and answer tokens must be at least 1",
                 "raise them"};
  }
  const bool with_model = engine != nullptr && options.use_model;
  if (with_model) answer.model = engine->model_name();
  if (options.reader != nullptr) answer.reader = options.reader->model_name();
  if (options.retrieve.reranker != nullptr) answer.reranker = options.retrieve.reranker->model_name();

  // Find passages.
  const Stopwatch retrieving;
  retrieve::RetrieveTimings finding;
  Result<std::vector<Hit>> hits = retriever.find(
      question, std::max(options.passages_shown, kBaselinePassages), options.retrieve, &finding);
  if (!hits) return hits.error();
  answer.timings.rerank_ms = finding.rerank_ms;
  answer.timings.retrieve_ms = retrieving.milliseconds() - finding.rerank_ms;
  if (hits->empty()) {
    // The dense leg always finds something, unless there is nothing.
    abstain(answer,
            options.retrieve.legs == retrieve::Legs::lexical_only ? "no_passage" : "empty_collection");
    return finish();
  }

  // The answer without a model, and how sure we are that there is one.
  Result<Terms> terms = terms_of(retriever, question);
  if (!terms) return terms.error();
  baseline::ExtractiveOptions extractive;
  extractive.reader = options.reader;
  const Stopwatch extracting;
  const Result<baseline::ExtractiveAnswer> found =
      baseline::answer(embedder, question, *hits, terms->words, terms->idf, extractive);
  if (!found) return found.error();
  answer.timings.baseline_ms = extracting.milliseconds();
  answer.confidence = found->confidence;
  std::vector<AnswerSentence> quoted = extracted(*found, *hits, answer);
  answer.baseline_text = join(quoted);
  if (found->sentences.empty()) {
    abstain(answer, "no_passage");
    return finish();
  }
  if (found->confidence < options.min_confidence) {
    abstain(answer, "low_confidence");
    return finish();
  }

  // The model's draft, sentence by sentence held against the passages it saw.
  if (with_model) {
    const std::size_t count = std::min(hits->size(), static_cast<std::size_t>(options.passages_shown));
    const std::vector<Hit> best(hits->begin(), hits->begin() + static_cast<std::ptrdiff_t>(count));
    bool cut_off = false;
    const Result<void> drafted =
        draft(answer, *engine, best, question, options, on_draft, std::move(stop), cut_off);
    if (!drafted) return drafted.error();
    Checked checked = check(sentences_of_draft(answer.draft, question, cut_off), answer.prompt.shown);
    const baseline::Question read = baseline::read_question(question, terms->words, terms->idf);
    const bool good = answers(checked, *found, *hits, read);
    answer.draft_beside_question = checked.any_supported && !good;
    if (good) {
      answer.from = AnswerFrom::model;
      answer.citations = used(checked.sentences, std::move(checked.citations));
    }
    for (AnswerSentence& sentence : checked.sentences) {
      if (sentence.supported ? good : options.keep_unsupported)
        answer.sentences.push_back(std::move(sentence));
    }
    if (good) {
      answer.text = join(answer.sentences);
      answer.short_answer = short_answer_of(answer, answer.citations);
      return finish();
    }
  }

  // No draft, or none that holds: the sentences that were found are the answer.
  if (quoted.empty()) {
    abstain(answer, "not_supported");
    return finish();
  }
  answer.from = AnswerFrom::baseline;
  answer.text = answer.baseline_text;
  answer.citations = answer.baseline_citations;
  answer.short_answer = answer.baseline_short_answer;
  answer.sentences.insert(answer.sentences.begin(), quoted.begin(), quoted.end());
  return finish();
}

}  // namespace loam::answer
