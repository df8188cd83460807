#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "answer/align_cases.h"
#include "answer/answer.h"
#include "answer/answer_json.h"
#include "answer/draft.h"
#include "base/json.h"
#include "baseline/words.h"

namespace loam::answer {
namespace {

/// Vectors from words: texts that share stems are close. Deterministic.
class WordEmbedder : public engine::Embedder {
 public:
  const std::string& model_name() const override { return name_; }
  const std::string& fingerprint() const override { return name_; }
  int dimensions() const override { return 64; }
  int max_tokens() const override { return 256; }
  Result<int> count_tokens(std::string_view text) override {
    return static_cast<int>(baseline::words_of(text).size()) + 2;
  }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override {
    std::vector<float> all;
    for (const std::string& text : texts) {
      std::vector<float> vector(64, 0.001F);
      for (const baseline::Word& word : baseline::words_of(text)) {
        if (!word.stop) vector[std::hash<std::string>{}(word.stem) % 64] += 1.0F;
      }
      float length = 0;
      for (const float value : vector) length += value * value;
      for (float& value : vector) value /= std::sqrt(length);
      all.insert(all.end(), vector.begin(), vector.end());
    }
    return all;
  }

 private:
  std::string name_ = "words";
};

/// Says what it was told to say.
class ScriptedEngine : public engine::Engine {
 public:
  explicit ScriptedEngine(std::string says) : says_(std::move(says)) {}
  const std::string& model_name() const override { return name_; }
  int context_tokens() const override { return context; }
  Result<int> count_tokens(std::string_view text) override { return static_cast<int>(text.size() / 4) + 1; }
  Result<int> count_tokens(const std::vector<engine::Message>& messages) override {
    int tokens = 0;
    for (const engine::Message& message : messages) tokens += *count_tokens(message.content);
    return tokens;
  }
  Result<std::string> render(const std::vector<engine::Message>&) override { return std::string(); }
  Result<engine::Draft> generate(const engine::GenerateRequest&, const engine::TextSink& sink,
                                 std::stop_token) override {
    ++calls;
    if (sink) sink(says_);
    engine::Draft draft;
    draft.text = says_;
    draft.finish = finish;
    return draft;
  }
  int context = 8192;
  int calls = 0;
  engine::FinishReason finish = engine::FinishReason::stop;

 private:
  std::string says_;
  std::string name_ = "scripted";
};

/// Writes piece by piece, until it is told to stop.
class StreamingEngine : public ScriptedEngine {
 public:
  explicit StreamingEngine(std::vector<std::string> pieces)
      : ScriptedEngine(""), pieces_(std::move(pieces)) {}
  Result<engine::Draft> generate(const engine::GenerateRequest&, const engine::TextSink& sink,
                                 std::stop_token) override {
    engine::Draft draft;
    for (const std::string& piece : pieces_) {
      ++written;
      draft.text += piece;
      if (!sink(piece)) {
        draft.finish = engine::FinishReason::cancelled;
        break;
      }
    }
    return draft;
  }
  int written = 0;

 private:
  std::vector<std::string> pieces_;
};

class FixedRetriever : public retrieve::Retriever {
 public:
  explicit FixedRetriever(std::vector<std::string> texts) {
    std::size_t offset = 100;
    for (std::string& text : texts) {
      Hit hit;
      hit.passage.document = static_cast<DocumentId>(hits_.size() + 1);
      hit.passage.span = {offset, offset + text.size()};
      hit.passage.text = std::move(text);
      hit.source = "doc" + std::to_string(hits_.size()) + ".md";
      hit.why.cosine = 0.6F;
      hit.why.bm25 = 5.0F;
      hits_.push_back(std::move(hit));
      offset += 10000;
    }
  }
  Result<std::vector<Hit>> find(std::string_view, int k, const retrieve::RetrieveOptions&,
                                retrieve::RetrieveTimings*) override {
    std::vector<Hit> hits = hits_;
    hits.resize(std::min(hits.size(), static_cast<std::size_t>(k)));
    return hits;
  }
  Result<retrieve::Explanation> explain(std::string_view, std::string_view, int,
                                        const retrieve::RetrieveOptions&) override {
    return Error{Kind::our_bug, "", "not called", ""};
  }
  Result<std::vector<float>> idf(const std::vector<std::string>& terms) override {
    return std::vector<float>(terms.size(), 3.0F);
  }
  const std::vector<Hit>& hits() const { return hits_; }
  std::vector<Hit>& hits() { return hits_; }

 private:
  std::vector<Hit> hits_;
};

Answer ask_ok(FixedRetriever& retriever, engine::Engine* engine, const std::string& question,
              AskOptions options = {}) {
  WordEmbedder embedder;
  options.pre_prompt = {"p", "PRE"};
  Result<Answer> answer = ask(retriever, embedder, engine, question, options);
  EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().line());
  return answer.ok() ? std::move(*answer) : Answer{};
}

void expect_exact_quotes(const Answer& answer, const FixedRetriever& retriever) {
  for (const auto* list : {&answer.citations, &answer.baseline_citations}) {
    for (const Citation& citation : *list) {
      const bool exact = std::any_of(retriever.hits().begin(), retriever.hits().end(), [&](const Hit& hit) {
        return hit.source == citation.source && hit.passage.span.contains(citation.span) &&
               hit.passage.text.substr(citation.span.start - hit.passage.span.start, citation.span.size()) ==
                   citation.quote;
      });
      EXPECT_TRUE(exact) << citation.quote;
      EXPECT_FALSE(citation.quote.empty());
    }
  }
}

AskOptions always() {
  AskOptions options;
  options.min_confidence = 0.0F;
  return options;
}

// proves P-ANS-01
TEST(Ask, a_draft_with_support_is_the_answer_and_cites_it) {
  FixedRetriever retriever({kManual, kContract});
  ScriptedEngine engine("Based on the passages, the X200 pump weighs 14 kg. I hope this helps!");
  const Answer answer = ask_ok(retriever, &engine, "How much does the X200 pump weigh?", always());
  EXPECT_EQ(answer.from, AnswerFrom::model);
  EXPECT_EQ(answer.text, "the X200 pump weighs 14 kg.");
  ASSERT_EQ(answer.citations.size(), 1U);
  EXPECT_EQ(answer.citations[0].quote, "The X200 pump weighs 14 kg.");
  EXPECT_EQ(answer.sentences.at(0).citations, (std::vector<int>{1}));
  expect_exact_quotes(answer, retriever);
}

// proves P-ANS-01
TEST(Ask, a_draft_without_support_is_withheld_and_the_baseline_answers) {
  FixedRetriever retriever({kManual, kContract});
  ScriptedEngine engine("The X200 pump weighs 15 kg.");
  AskOptions options = always();
  Answer answer = ask_ok(retriever, &engine, "How much does the X200 pump weigh?", options);
  EXPECT_EQ(answer.from, AnswerFrom::baseline);
  EXPECT_EQ(answer.sentences.at(0).text, "The X200 pump weighs 14 kg.");
  EXPECT_EQ(answer.text->find("15"), std::string::npos);
  EXPECT_EQ(answer.draft, "The X200 pump weighs 15 kg.");
  for (const AnswerSentence& sentence : answer.sentences) EXPECT_TRUE(sentence.supported);
  options.keep_unsupported = true;
  answer = ask_ok(retriever, &engine, "How much does the X200 pump weigh?", options);
  EXPECT_FALSE(answer.sentences.back().supported);
  EXPECT_FALSE(answer.sentences.back().why_not.empty());
  EXPECT_EQ(answer.text->find("15"), std::string::npos) << "the answer itself never holds unsupported text";
  expect_exact_quotes(answer, retriever);
}

// proves P-ANS-08
TEST(Ask, a_true_sentence_that_answers_another_question_is_not_shown) {
  const std::string staff =
      "The probation period lasts six months. Whoever passes probation receives a bonus. "
      "The bonus is 750 pounds.";
  FixedRetriever retriever({staff});
  ScriptedEngine engine("The bonus is 750 pounds.");
  Answer answer = ask_ok(retriever, &engine, "How long does probation last?", always());
  EXPECT_EQ(answer.from, AnswerFrom::baseline);
  EXPECT_EQ(answer.sentences.at(0).text, "The probation period lasts six months.");
  ScriptedEngine both("The probation period lasts six months. The bonus is 750 pounds.");
  answer = ask_ok(retriever, &both, "How long does probation last?", always());
  EXPECT_EQ(answer.text, "The probation period lasts six months.");
  ASSERT_EQ(answer.citations.size(), 1U);
  EXPECT_EQ(answer.sentences.at(0).citations, (std::vector<int>{1}));
  expect_exact_quotes(answer, retriever);
}

// proves P-ANS-09
TEST(Ask, a_draft_ends_when_it_has_said_enough_repeats_itself_or_finds_no_support) {
  const auto written = [](std::vector<std::string> pieces) {
    FixedRetriever retriever({kManual});
    StreamingEngine engine(std::move(pieces));
    ask_ok(retriever, &engine, "How much does the X200 pump weigh?", always());
    return engine.written;
  };
  const std::string good = "The X200 pump weighs 14 kg. ";
  EXPECT_EQ(written({good, good, "Then ", "more "}), 3)
      << "a repetition is seen when the next sentence begins";
  EXPECT_EQ(written({good, "The motor needs 230 V. ", "The X300 pump weighs 21.5 kg. ", "A ", "B "}), 4);
  EXPECT_EQ(written({"It is 15 kg. ", "It is 16 kg. ", "Or ", "more "}), 3);
  EXPECT_EQ(written({good, "\n\n", "Note that ", "all ", "of this "}), 3);
  EXPECT_EQ(written({"The X200 pump weighs 14", ". ", "Use only original parts."}), 3);
}

// proves P-ANS-07
TEST(Ask, a_citation_names_the_page_of_its_own_bytes_not_of_the_passage) {
  FixedRetriever retriever({"The motor needs 230 V.\n\nThe X200 pump weighs 14 kg."});
  Hit& hit = retriever.hits()[0];
  hit.passage.page = 6;
  hit.pages = {{6, {0, 124}}, {7, {124, 300}}};
  Answer answer = ask_ok(retriever, nullptr, "How much does the X200 pump weigh?", always());
  ASSERT_FALSE(answer.citations.empty());
  EXPECT_EQ(answer.citations[0].quote, "The X200 pump weighs 14 kg.");
  EXPECT_EQ(answer.citations[0].page, 7);
  answer = ask_ok(retriever, nullptr, "How many volts does the motor need?", always());
  EXPECT_EQ(answer.citations.at(0).page, 6);
}

TEST(Ask, a_true_draft_beside_the_point_is_no_answer) {
  FixedRetriever retriever({kManual});
  ScriptedEngine engine("The motor needs 230 V.");
  Answer answer = ask_ok(retriever, &engine, "How much does the X200 pump weigh?", always());
  EXPECT_EQ(answer.from, AnswerFrom::baseline);
  EXPECT_TRUE(answer.draft_beside_question);
  ScriptedEngine wrong("It weighs 15 kg.");
  answer = ask_ok(retriever, &wrong, "How much does the X200 pump weigh?", always());
  EXPECT_EQ(answer.from, AnswerFrom::baseline);
  EXPECT_FALSE(answer.draft_beside_question);
}

// proves P-ANS-04
TEST(Ask, abstains_with_a_reason_and_without_asking_the_model) {
  ScriptedEngine engine("Parking is free.");
  FixedRetriever nothing({});
  Answer answer = ask_ok(nothing, &engine, "What does parking cost?");
  EXPECT_TRUE(answer.abstained);
  EXPECT_EQ(answer.reason, "empty_collection");
  AskOptions lexical;
  lexical.retrieve.legs = retrieve::Legs::lexical_only;
  EXPECT_EQ(ask_ok(nothing, &engine, "What does parking cost?", lexical).reason, "no_passage");
  FixedRetriever handbook({kHandbook});
  answer = ask_ok(handbook, &engine, "What does parking cost?");
  EXPECT_TRUE(answer.abstained);
  EXPECT_EQ(answer.reason, "low_confidence");
  EXPECT_FALSE(answer.text.has_value());
  EXPECT_TRUE(answer.citations.empty());
  EXPECT_EQ(engine.calls, 0);
}

TEST(Ask, without_a_model_the_baseline_answers) {
  FixedRetriever retriever({kHandbook});
  const Answer answer =
      ask_ok(retriever, nullptr, "How many days of paid leave do employees receive per year?");
  EXPECT_EQ(answer.from, AnswerFrom::baseline) << answer.confidence;
  ASSERT_FALSE(answer.sentences.empty());
  EXPECT_EQ(answer.sentences[0].text, "Employees receive 28 days of paid leave per year.");
  expect_exact_quotes(answer, retriever);
}

TEST(Ask, bad_questions_and_too_small_contexts_are_errors) {
  FixedRetriever retriever({kHandbook});
  WordEmbedder embedder;
  EXPECT_EQ(ask(retriever, embedder, nullptr, "  ?! ", {}).error().kind, Kind::bad_request);
  ScriptedEngine engine("x");
  engine.context = 100;
  EXPECT_EQ(ask(retriever, embedder, &engine, "What is paid leave? " + std::string(2000, 'x'), always())
                .error()
                .kind,
            Kind::out_of_room);
}

// proves P-ANS-05
TEST(Ask, whatever_the_model_writes_every_quote_is_exact_and_every_shown_sentence_has_one) {
  FixedRetriever retriever({kManual, kContract, kHandbook, kPrices});
  for (const AlignCase& one : kAlignCases) {
    ScriptedEngine engine(std::string(one.claim) + " <|im_end|>\xFF And 99 red balloons. " + one.claim);
    const Answer answer =
        ask_ok(retriever, &engine, "What about the pump, rent, leave, coffee and contract?", always());
    for (const AnswerSentence& sentence : answer.sentences)
      EXPECT_FALSE(sentence.citations.empty()) << sentence.text;
    expect_exact_quotes(answer, retriever);
  }
}

/// Finds one phrase, wherever it stands.
class PhraseReader : public engine::SpanReader {
 public:
  explicit PhraseReader(std::string phrase) : phrase_(std::move(phrase)) {}
  const std::string& model_name() const override { return name_; }
  const std::string& fingerprint() const override { return name_; }
  Result<std::vector<std::vector<engine::AnswerSpan>>> read(std::string_view,
                                                            std::span<const engine::PassageToRead> passages,
                                                            int) override {
    std::vector<std::vector<engine::AnswerSpan>> all(passages.size());
    for (std::size_t i = 0; i < passages.size(); ++i) {
      const std::size_t at = passages[i].text.find(phrase_);
      if (at != std::string::npos) all[i].push_back({{at, at + phrase_.size()}, 9.0F});
    }
    return all;
  }

 private:
  std::string phrase_, name_ = "phrases";
};

// proves P-ANS-10
TEST(Ask, a_readers_words_are_exact_bytes_inside_a_citation_of_the_shown_answer) {
  FixedRetriever retriever({kContract, kManual});
  PhraseReader reader("14 kg");
  AskOptions options = always();
  options.reader = &reader;
  const std::string question = "How much does the X200 pump weigh?";
  const Answer found = ask_ok(retriever, nullptr, question, options);
  ASSERT_TRUE(found.short_answer);
  EXPECT_EQ(found.short_answer->text, "14 kg");
  const Citation& citation = found.citations.at(static_cast<std::size_t>(found.short_answer->citation) - 1);
  EXPECT_TRUE(citation.span.contains(found.short_answer->span));
  EXPECT_EQ(citation.quote, "The X200 pump weighs 14 kg.");
  const Json json = to_json(found);
  EXPECT_EQ(json["short_answer"]["text"], "14 kg");
  EXPECT_EQ(json["short_answer"]["citation"], found.short_answer->citation);
  EXPECT_EQ(json["reader"], "phrases");
  EXPECT_EQ(json["baseline"]["short_answer"]["text"], "14 kg");

  // The model's answer has the words where its citation holds them, and none where it does not.
  ScriptedEngine same("The X200 pump weighs 14 kg.");
  const Answer written = ask_ok(retriever, &same, question, options);
  EXPECT_EQ(written.from, AnswerFrom::model);
  ASSERT_TRUE(written.short_answer);
  EXPECT_EQ(written.short_answer->text, "14 kg");

  // Silence has no words, and without a reader nothing is said of them.
  options.min_confidence = 1.1F;
  const Answer silent = ask_ok(retriever, nullptr, question, options);
  EXPECT_TRUE(silent.abstained);
  EXPECT_FALSE(silent.short_answer);
  EXPECT_TRUE(to_json(silent)["short_answer"].is_null());
  const Json without = to_json(ask_ok(retriever, nullptr, question, always()));
  for (const char* key : {"short_answer", "reader", "reranker"}) EXPECT_FALSE(without.contains(key)) << key;
}

TEST(Draft, empty_talk_repetition_and_cut_ends_are_left_out) {
  const auto of = [](std::string_view draft, bool cut = false) {
    return sentences_of_draft(draft, "What is the rent?", cut);
  };
  EXPECT_EQ(of("Sure! The rent is 5 EUR. The rent is 5 EUR. Let me know if you need more."),
            (std::vector<std::string>{"The rent is 5 EUR."}));
  EXPECT_EQ(of("I do not know."), std::vector<std::string>{});
  EXPECT_EQ(of("The rent is the rent."), std::vector<std::string>{});
  EXPECT_EQ(of("The rent is 5 EUR. The rent is pa", true), (std::vector<std::string>{"The rent is 5 EUR."}));
  EXPECT_EQ(of("According to passage 1, the rent is 5 EUR."),
            (std::vector<std::string>{"the rent is 5 EUR."}));
  EXPECT_EQ(of(""), std::vector<std::string>{});
}

TEST(AnswerJson, has_the_documented_shape) {
  FixedRetriever retriever({kManual});
  ScriptedEngine engine("The X200 pump weighs 14 kg.");
  const Json json = to_json(ask_ok(retriever, &engine, "How much does the X200 pump weigh?", always()));
  for (const char* key : {"answer", "abstained", "confidence", "reason", "from", "sentences", "citations",
                          "baseline", "model", "adapters", "timings_ms", "tokens"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["from"], "model");
  EXPECT_TRUE(json["reason"].is_null());
  EXPECT_EQ(json["citations"][0]["quote"], "The X200 pump weighs 14 kg.");
  EXPECT_EQ(json["citations"][0]["start"], 100);
  EXPECT_TRUE(json["citations"][0]["page"].is_null());
  EXPECT_TRUE(json["citations"][0]["why"]["rerank"].is_null());
  FixedRetriever nothing({});
  const Json silent = to_json(ask_ok(nothing, nullptr, "What?"));
  EXPECT_TRUE(silent["answer"].is_null());
  EXPECT_EQ(silent["abstained"], true);
  EXPECT_EQ(silent["reason"], "empty_collection");
}

}  // namespace
}  // namespace loam::answer
